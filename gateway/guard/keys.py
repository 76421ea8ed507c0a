"""Keys of the limits and of the audit: Ed25519 (RFC 8032) in PEM."""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plant import files
from plant.errors import Misconfigured

_RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw
_PUBLIC = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
_PRIVATE = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def private_key(file: Path) -> Ed25519PrivateKey:
    """Read a private key that is not encrypted; Misconfigured when it is none."""
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misconfigured(f"{file}: no private key in PEM, or an encrypted one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"{file}: is no Ed25519 key")
    return key


def public_key(file: Path) -> Ed25519PublicKey:
    """Read a public key; Misconfigured when it is none."""
    try:
        key = serialization.load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misconfigured(f"{file}: no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Misconfigured(f"{file}: is no Ed25519 key")
    return key


def make_key(file: Path) -> Ed25519PrivateKey:
    """Make a key: the private one in `file`, for its owner's eyes, the public one in ``.pub``.

    Raises
    ------
    Misconfigured
        There is one already, or it cannot be written.
    """
    if file.exists():
        raise Misconfigured(f"{file}: there is a key already; it is left as it is")
    key = Ed25519PrivateKey.generate()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = key.private_bytes(*_PRIVATE, serialization.NoEncryption())
        files.put(file.with_suffix(".pub"), key.public_key().public_bytes(*_PUBLIC))
        files.put(file, secret, 0o600)
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be written: {error.strerror}") from error
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """Name a key for people: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes(*_RAW)).hexdigest()[:16]


def has_signed(key: Ed25519PublicKey, signature: bytes, what: bytes) -> bool:
    """Tell whether a key has signed this."""
    try:
        key.verify(signature, what)
    except InvalidSignature:
        return False
    return True


def has_tpm() -> bool:
    """Tell whether this machine has a TPM 2.0; the audit's key is a file all the same, so far."""
    return os.access("/dev/tpmrm0", os.F_OK)
