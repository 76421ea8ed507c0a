"""Files of Ed25519 keys: a private one is for its owner's eyes only."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plant import keys
from plant.errors import Misconfigured
from plant.files import put
from plant.keys import private_pem, public_pem

PASSPHRASE = "WHEELTAPPER_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
_MISSING = "name the key, or the folder of keys with --keys; wheeltapper models init makes them"
_SHUT = f"put it into the variable {PASSPHRASE}, or name a file of it with --passphrase-file"


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
    """Read a private key; `plant.keys.read_private` with the mends of who has a registry."""
    return keys.read_private(path, passphrase, missing=_MISSING, shut=_SHUT)


def write_public(path: Path, key: Ed25519PublicKey) -> None:
    """Write a public key as PEM."""
    put(path, public_pem(key))
