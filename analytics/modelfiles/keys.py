"""The keys that sign model files and tell who signed them: Ed25519 (RFC 8032) in PEM."""

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plant.errors import Misconfigured

_RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw
_PEM = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


def private_key(pem: bytes, where: str, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read a private key.

    Parameters
    ----------
    pem
        PKCS #8, encrypted or not.
    where
        What to call it in an error.
    passphrase
        If it is encrypted.

    Raises
    ------
    Misconfigured
        It is no such key, or the passphrase is missing or wrong.
    """
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except TypeError as error:
        said = "is encrypted: give its passphrase" if passphrase is None else "is not encrypted"
        raise Misconfigured(f"{where}: the key {said}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        why = "no private key in PEM" if passphrase is None else "no such key, or wrong passphrase"
        raise Misconfigured(f"{where}: {why}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"{where}: models are signed by Ed25519 keys, this is another one")
    return key


def public_key(pem: bytes, where: str) -> Ed25519PublicKey:
    """Read a public key in PEM; `where` is what to call it in an error."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        mend = " (this is a private key, which belongs nowhere but to its owner)"
        raise Misconfigured(
            f"{where}: no public key in PEM{mend if b'PRIVATE KEY' in pem else ''}"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise Misconfigured(f"{where}: models are signed by Ed25519 keys, this is another one")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Write a public key in PEM."""
    return key.public_bytes(*_PEM)


def key_id(key: Ed25519PublicKey) -> str:
    """Name a key for people: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes(*_RAW)).hexdigest()[:16]
