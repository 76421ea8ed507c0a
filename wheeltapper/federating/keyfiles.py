"""Keys of a federation in files."""

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plant.errors import Misconfigured
from plant.keys import private_key, public_key

if TYPE_CHECKING:
    from gateway.config.plan import Plan

KEY = "key.pem"
"""Of a gateway, in the federation's part of its data folder."""


def private(path: Path) -> Ed25519PrivateKey:
    """Read a private key from a file."""
    if not path.is_file():
        raise Misconfigured(
            f"{path}: there is no key; a gateway's is made with `wheeltapper federation key`, the "
            "centre's as docs/federation.md says"
        )
    return private_key(path.read_bytes(), str(path))


def public(path: Path) -> Ed25519PublicKey:
    """Read a public key from a file."""
    return public_key(read(path), str(path))


def believed(trusted: Path | None, plan: "Plan | None" = None) -> list[Ed25519PublicKey]:
    """Give the keys that may sign plans and models: the one named, or those of a configuration.

    Raises
    ------
    Misconfigured
        There is none.
    """
    if trusted is not None:
        return [public(trusted)]
    keys = [] if plan is None else [public(path) for path in plan.models.keys]
    if not keys:
        raise Misconfigured(
            "say whose plan is believed: --trust centre.pub.pem, or keys in [models]"
        )
    return keys


def read(path: Path) -> bytes:
    """Read a file that a person named."""
    if not path.is_file():
        raise Misconfigured(f"{path}: there is no such file")
    return path.read_bytes()
