"""Key files of the limits and of the audit."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plant import files, keys
from plant.errors import Misconfigured


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
        files.put(file.with_suffix(".pub"), keys.public_pem(key.public_key()))
        files.put(file, keys.private_pem(key), 0o600)
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be written: {error.strerror}") from error
    return key


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
