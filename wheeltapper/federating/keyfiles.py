"""Keys of a federation in files."""

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plant.errors import Misconfigured
from plant.keys import read_private, read_public

if TYPE_CHECKING:
    from gateway.config.plan import Plan

KEY = "key.pem"
"""Of a gateway, in the federation's part of its data folder."""


def private(path: Path) -> Ed25519PrivateKey:
    """Read a private key from a file."""
    made = "a gateway's is made with `wheeltapper federation key`, the centre's as "
    return read_private(path, missing=f"{made}docs/federation.md says")


def believed(trusted: Path | None, plan: "Plan | None" = None) -> list[Ed25519PublicKey]:
    """Give the keys that may sign plans and models: the one named, or those of a configuration.

    Raises
    ------
    Misconfigured
        There is none.
    """
    if trusted is not None:
        return [read_public(trusted)]
    keys = [] if plan is None else [read_public(path) for path in plan.models.keys]
    if not keys:
        raise Misconfigured(
            "say whose plan is believed: --trust centre.pub.pem, or keys in [models]"
        )
    return keys
