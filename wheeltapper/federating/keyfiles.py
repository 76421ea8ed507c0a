"""Keys of a federation in files."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from analytics.modelfiles.keys import private_key, public_key
from plant.errors import Misconfigured

KEY = "key.pem"
"""Of a gateway, in the federation's part of its data folder."""


def private(path: Path) -> Ed25519PrivateKey:
    """Read a private key from a file."""
    if not path.is_file():
        raise Misconfigured(f"{path}: there is no key; make it with `wheeltapper federation key`")
    return private_key(path.read_bytes(), str(path))


def public(path: Path) -> Ed25519PublicKey:
    """Read a public key from a file."""
    return public_key(read(path), str(path))


def read(path: Path) -> bytes:
    """Read a file that a person named."""
    if not path.is_file():
        raise Misconfigured(f"{path}: there is no such file")
    return path.read_bytes()
