"""Keys that sign: Ed25519 (RFC 8032) in PEM and its files, read, written and named in one place."""

import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from plant.errors import Misconfigured

_LONGEST = 16 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ANOTHER = "holds another kind of key; an Ed25519 key is needed"


def locked(pem: bytes) -> bool:
    """Tell whether it takes a passphrase to read this private key."""
    return b"ENCRYPTED" in pem


def private_key(pem: bytes, where: str, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read a private key.

    Parameters
    ----------
    pem
        PKCS #8, locked or not.
    where
        What to call it in an error.
    passphrase
        Opens it if it is locked, and is left aside if it is not.

    Raises
    ------
    Misconfigured
        It is no such key, or the passphrase is missing or wrong.
    """
    shut = locked(pem)
    if shut and passphrase is None:
        raise Misconfigured(f"{where} is locked by a passphrase: give a key without one")
    try:
        key = load_pem_private_key(pem, passphrase if shut else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        wrong = "the passphrase does not open it, or it is damaged" if shut else "it is damaged"
        raise Misconfigured(f"{where} is no PEM file of a private key, or {wrong}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"{where} {_ANOTHER}")
    return key


def public_key(pem: bytes, where: str) -> Ed25519PublicKey:
    """Read a public key; `where` is what to call it in an error, Misconfigured if it is none."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        mend = " (this is a private key, which belongs nowhere but to its owner)"
        secret = mend if b"PRIVATE KEY" in pem else ""
        raise Misconfigured(f"{where} is no PEM file of a public key{secret}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Misconfigured(f"{where} {_ANOTHER}")
    return key


def read_private(
    path: Path,
    passphrase: bytes | None = None,
    *,
    missing: str = "name the file of the key",
    shut: str = "give a key without one",
) -> Ed25519PrivateKey:
    """Read the file of a private key, which is for its owner's eyes only.

    Parameters
    ----------
    path
        PEM of PKCS #8.
    passphrase
        Opens it if it is locked, and is left aside if it is not.
    missing, shut
        The mend where there is no such file, and where it is locked and there is no passphrase.

    Raises
    ------
    Misconfigured
        There is none, others can read it, it is locked, or it is no Ed25519 key.
    """
    pem, mode = _read(path, missing)
    if mode & _OTHERS:
        raise Misconfigured(
            f"{path}: others on this machine can read this private key (mode {mode & 0o777:04o}); "
            f"chmod 600 {path}, and replace it if anybody else has been here"
        )
    if passphrase is None and locked(pem):
        raise Misconfigured(f"{path} is locked by a passphrase: {shut}")
    return private_key(pem, str(path), passphrase)


def read_public(path: Path) -> Ed25519PublicKey:
    """Read the file of a public key; Misconfigured where there is none, or it is none."""
    return public_key(_read(path, "name the file of the key")[0], str(path))


def _read(path: Path, missing: str) -> tuple[bytes, int]:
    """Read a file, never more than a key may be; with its mode."""
    try:
        with path.open("rb") as file:
            text, mode = file.read(_LONGEST + 1), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise Misconfigured(
            f"{path}: no key can be read there: {error.strerror}; {missing}"
        ) from error
    if len(text) > _LONGEST:
        raise Misconfigured(f"{path} is longer than any key; name the file of the key")
    return text, mode


def private_pem(key: Ed25519PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Write a private key as PKCS #8, locked by a passphrase if there is one."""
    shut = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, shut)


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Write a public key."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: Ed25519PublicKey) -> str:
    """Name a key for people: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
