"""Our own certificate: made once, whatever happens meanwhile, and renewed."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security.certificates import read_certificate, thumbprint
from connectors.opcua.security.identity import own_identity, renew_identity
from plant.errors import Misconfigured
from tests.connectors.opcua.recipes import CURVE_KEY, KEY, Recipe

CONFIG = OpcUaConfig(name="plc", url="opc.tcp://plc:4840", trust=Path("pki"))
TODAY = datetime.now(UTC)
OLD = "own/old"


def test_it_is_made_for_an_opc_ua_client(tmp_path: Path) -> None:
    identity = own_identity(CONFIG, tmp_path)
    made = read_certificate(identity.certificate)
    extension = made.extensions.get_extension_for_class
    assert ExtendedKeyUsageOID.CLIENT_AUTH in extension(x509.ExtendedKeyUsage).value
    usage = extension(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.key_encipherment
    assert made.not_valid_after_utc - TODAY > timedelta(days=3649)
    made.verify_directly_issued_by(made)


def test_it_is_valid_to_a_server_whose_clock_is_hours_behind(tmp_path: Path) -> None:
    made = read_certificate(own_identity(CONFIG, tmp_path).certificate)
    assert TODAY - made.not_valid_before_utc > timedelta(hours=23)


def test_its_key_is_for_our_eyes_only(tmp_path: Path) -> None:
    identity = own_identity(CONFIG, tmp_path)
    assert stat.S_IMODE(identity.key.stat().st_mode) == 0o600


def test_many_sources_at_once_make_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: own_identity(CONFIG, tmp_path), range(16)))
    assert len(found) == 1


def test_a_key_left_by_a_stop_in_between_is_used(tmp_path: Path) -> None:
    first = own_identity(CONFIG, tmp_path)
    key = first.key.read_bytes()
    first.certificate.unlink()
    assert own_identity(CONFIG, tmp_path) == first
    assert first.key.read_bytes() == key


def test_a_folder_that_may_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes, mode: int = 0) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("connectors.opcua.security.identity.put", refuse)
    with pytest.raises(Misconfigured, match=r"cannot be made in .*own: Read-only file system"):
        own_identity(CONFIG, tmp_path)


def given(tmp_path: Path, recipe: Recipe) -> OpcUaConfig:
    certificate, key = tmp_path / "own.der", tmp_path / "own.pem"
    certificate.write_bytes(recipe.bake().public_bytes(Encoding.DER))
    form = PrivateFormat.PKCS8
    key.write_bytes(recipe.key.private_bytes(Encoding.PEM, form, NoEncryption()))
    return CONFIG.model_copy(update={"certificate": certificate, "key": key})


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        (Recipe(start=TODAY - timedelta(days=9), days=5), "ran out on"),
        (Recipe(start=TODAY + timedelta(days=2)), "set the clock of this machine"),
        (Recipe(start=TODAY, names=(x509.DNSName("x"),)), "names no application URI"),
        (Recipe(start=TODAY, key=CURVE_KEY), "is no RSA key"),
    ],
)
def test_one_that_servers_would_refuse_is_refused_here(
    recipe: Recipe, why: str, tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match=why):
        own_identity(given(tmp_path, recipe), tmp_path)


def test_the_made_one_says_how_it_is_renewed_when_it_has_run_out(tmp_path: Path) -> None:
    identity = own_identity(CONFIG, tmp_path)
    expired = Recipe(start=TODAY - timedelta(days=9), days=5)
    identity.certificate.write_bytes(expired.bake().public_bytes(Encoding.DER))
    form = PrivateFormat.PKCS8
    identity.key.write_bytes(KEY.private_bytes(Encoding.PEM, form, NoEncryption()))
    with pytest.raises(Misconfigured, match=f"wheeltapper trust renew --folder {tmp_path}, then"):
        own_identity(CONFIG, tmp_path)
    renew_identity(tmp_path)
    own_identity(CONFIG, tmp_path)


def test_a_renewed_one_has_a_new_key_and_the_old_uri(tmp_path: Path) -> None:
    before = own_identity(CONFIG, tmp_path)
    old, key = thumbprint(read_certificate(before.certificate)), before.key.read_bytes()
    renew_identity(tmp_path)
    after = own_identity(CONFIG, tmp_path)
    assert after == before
    assert after.key.read_bytes() != key
    assert stat.S_IMODE(after.key.stat().st_mode) == 0o600
    assert (tmp_path / OLD / f"{old[:16]}.pem").read_bytes() == key
    assert thumbprint(read_certificate(tmp_path / OLD / f"{old[:16]}.der")) == old
