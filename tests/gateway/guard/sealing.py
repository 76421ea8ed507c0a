"""Limits as an engineer signs them: with where a configuration has their tags lead."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.config.loader import load
from gateway.guard.starting import sealed


def seal(folder: Path, text: str, key: Ed25519PrivateKey, now: int) -> None:
    """Sign the limits of a folder's `plant.toml`, at a wall time, ns."""
    file = folder / "limits.toml"
    # The configuration has to name a file that is there.
    file.touch()
    plan = load(folder / "plant.toml")
    file.write_bytes(sealed(text.encode(), file.name, key, plan, now))
