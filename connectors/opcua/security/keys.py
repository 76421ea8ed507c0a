"""Reading private keys."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from plant.errors import Misconfigured


def read_key(path: Path, source: str) -> RSAPrivateKey:
    """Read an unencrypted RSA key, DER or PEM.

    Raises
    ------
    Misconfigured
        The file cannot be read or holds no such key.
    """
    try:
        content = path.read_bytes()
        load = load_pem_private_key if content.lstrip()[:5] == b"-----" else load_der_private_key
        key = load(content, None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misconfigured(
            f"{source}: {path} cannot be read as an unencrypted private key: {error}"
        ) from error
    if not isinstance(key, RSAPrivateKey):
        raise Misconfigured(f"{source}: {path} is no RSA key; these security policies need one")
    return key
