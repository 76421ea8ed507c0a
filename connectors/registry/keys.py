"""Files of Ed25519 keys: a private one is for its owner's eyes only."""

import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plant.errors import Misconfigured
from plant.files import put
from plant.keys import locked, private_key, private_pem, public_key, public_pem

PASSPHRASE = "WHEELTAPPER_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
_LONGEST = 16 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Make a key and its file, PEM of PKCS #8 and of mode 0600, encrypted with a passphrase if any.

    Raises
    ------
    Misconfigured
        There is such a file: a key is never written over.
    """
    if path.exists():
        raise Misconfigured(f"{path} is there already; a key is never written over: move it away")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    put(path, private_pem(key, passphrase), mode=0o600)
    return key


def read_private(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read a private key.

    Raises
    ------
    Misconfigured
        There is none, others can read it, it is locked, or it is no Ed25519 key.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise Misconfigured(
            f"{path}: no key can be read there: {error.strerror}; name the folder of keys with "
            "--keys, or make them: wheeltapper models init"
        ) from error
    if mode & _OTHERS:
        raise Misconfigured(
            f"{path}: others on this machine can read this private key (mode {mode & 0o777:04o}); "
            f"chmod 600 {path}, and rotate it if anybody else has been here"
        )
    return unlocked(_read(path), path, passphrase)


def unlocked(pem: bytes, path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """Read a private key whose passphrase, if it has one, a person can give; see `private_key`."""
    if passphrase is None and locked(pem):
        raise Misconfigured(
            f"{path} is locked: put its passphrase into the variable {PASSPHRASE}, or name a file "
            "of it with --passphrase-file"
        )
    return private_key(pem, str(path), passphrase)


def read_public(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises
    ------
    Misconfigured
        There is none, or it is no Ed25519 key.
    """
    return public_key(_read(path), str(path))


def write_public(path: Path, key: Ed25519PublicKey) -> None:
    """Write a public key as PEM."""
    put(path, public_pem(key))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST + 1)
    except OSError as error:
        raise Misconfigured(f"{path}: no key can be read there: {error.strerror}") from error
    if len(text) > _LONGEST:
        raise Misconfigured(f"{path} is longer than any key")
    return text
