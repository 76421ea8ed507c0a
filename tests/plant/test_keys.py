"""Keys come back as they were written, and what is none is named with its mend."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from plant.errors import Misconfigured
from plant.files import put
from plant.keys import (
    key_id,
    locked,
    private_key,
    private_pem,
    public_key,
    public_pem,
    read_private,
    read_public,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CURVE = generate_private_key(SECP256R1())


@pytest.mark.parametrize(("written_with", "read_with"), [(None, None), (b"a", b"a"), (None, b"a")])
def test_a_private_key_comes_back(written_with: bytes | None, read_with: bytes | None) -> None:
    pem = private_pem(KEY, written_with)
    assert locked(pem) is (written_with is not None)
    assert private_key(pem, "own.pem", read_with).private_bytes_raw() == bytes(range(32))


def test_a_public_key_comes_back_and_has_a_name() -> None:
    found = public_key(public_pem(KEY.public_key()), "its.pub.pem")
    assert found == KEY.public_key()
    assert key_id(found) == "56475aa75463474c"  # of SHA-256, by openssl


@pytest.mark.parametrize(
    ("pem", "passphrase", "words"),
    [
        (private_pem(KEY, b"open"), None, "own.pem is locked by a passphrase"),
        (private_pem(KEY, b"open"), b"shut", "the passphrase does not open it"),
        (private_pem(KEY)[:60], None, "own.pem is no PEM file of a private key"),
        (public_pem(KEY.public_key()), None, "is no PEM file of a private key"),
        (
            CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            None,
            "another kind of key; an Ed25519 key is needed",
        ),
    ],
)
def test_what_is_no_private_key_of_ours(pem: bytes, passphrase: bytes | None, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        private_key(pem, "own.pem", passphrase)


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"", "its.pub.pem is no PEM file of a public key$"),
        (private_pem(KEY), "belongs nowhere but to its owner"),
        (
            CURVE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "another kind of key; an Ed25519 key is needed",
        ),
    ],
)
def test_what_is_no_public_key_of_ours(pem: bytes, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        public_key(pem, "its.pub.pem")


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (private_pem(KEY), 0o640, "mode 0640.*chmod 600"),
        (private_pem(KEY), 0o604, "mode 0604.*chmod 600"),
        (private_pem(KEY, b"open"), 0o600, "is locked by a passphrase: give it"),
        (b"x" * 20_000, 0o600, "is longer than any key"),
    ],
)
def test_a_file_of_a_private_key_is_held_to_the_strictest_rule(
    tmp_path: Path, content: bytes, mode: int, words: str
) -> None:
    put(tmp_path / "own.pem", content, mode)
    with pytest.raises(Misconfigured, match=f"own.pem.*{words}"):
        read_private(tmp_path / "own.pem", shut="give it")


def test_a_file_that_is_not_there_is_named_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"own.pem: no key can be read there: .*; make one"):
        read_private(tmp_path / "own.pem", missing="make one")
    with pytest.raises(Misconfigured, match=r"its.pem: .*; name the file of the key"):
        read_public(tmp_path / "its.pem")
