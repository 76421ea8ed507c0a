"""The folder of private keys beside a registry, of which each holder has a part."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from connectors.registry.registry import Online

Place = Annotated[Path, typer.Argument(metavar="REGISTRY", help="Folder of the registry.")]
Keys = Annotated[
    Path, typer.Option("--keys", help="Folder of private keys: offline, trainer, online.")
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File whose first line opens the keys; else $WHEELTAPPER_KEY_PASSPHRASE, if any.",
    ),
]
Trainer = Annotated[
    Path | None,
    typer.Option("--trainer", metavar="FILE", help="The trainer's key; else trainer/trainer.pem."),
]
HERE = Path("keys")
OFFLINE, TRAINER, ONLINE, KIT = "offline", "trainer", "online", "kit"
FOLDERS = {"root": OFFLINE, "targets": OFFLINE, "snapshot": ONLINE, "timestamp": ONLINE}
"""Role → where its key lies."""


class Keyring:
    """Private keys in their folder.

    Parameters
    ----------
    folder
        With ``offline``, ``trainer`` and ``online``, or with what of them is here.
    passphrase_file
        See `PassphraseFile`.
    """

    def __init__(self, folder: Path, passphrase_file: Path | None = None) -> None:
        self.folder = folder
        self.passphrase = passphrase(passphrase_file)

    def path(self, role: str) -> Path:
        """Name the file of a role's key."""
        return self.folder / FOLDERS[role] / f"{role}.pem"

    def role(self, role: str) -> "Ed25519PrivateKey":
        """Read the key of a role."""
        return self.read(self.path(role))

    def trainer(self, file: Path | None = None) -> "Ed25519PrivateKey":
        """Read the key of a trainer."""
        return self.read(file or self.folder / TRAINER / "trainer.pem")

    def online(self) -> "Online | None":
        """Read the online keys; None where they are not here."""
        from connectors.registry.registry import Online

        if not all(self.path(role).exists() for role in ("snapshot", "timestamp")):
            return None
        return Online(self.role("snapshot"), self.role("timestamp"))

    def far(self) -> "list[Ed25519PrivateKey]":
        """Read what is here of all keys that are not online."""
        folders = (self.folder / OFFLINE, self.folder / TRAINER)
        return [self.read(path) for each in folders for path in sorted(each.glob("*.pem"))
                if not path.name.endswith(".pub.pem")]  # fmt: skip

    def read(self, path: Path) -> "Ed25519PrivateKey":
        """Read a private key."""
        from connectors.registry.keys import read_private

        return read_private(path, self.passphrase)

    def make(self, path: Path) -> "Ed25519PrivateKey":
        """Make a private key; one that is there is never written over."""
        from connectors.registry.keys import make_private

        return make_private(path, self.passphrase)


def passphrase(file: Path | None) -> bytes | None:
    """Read what opens keys: the first line of a file, else a variable; None where there is none."""
    from connectors.registry.keys import PASSPHRASE
    from plant.errors import Misconfigured

    if file is None:
        return os.environb.get(PASSPHRASE.encode()) or None
    try:
        with file.open("rb") as stream:
            said = stream.readline(4096).rstrip(b"\r\n")
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error
    if not said:
        raise Misconfigured(f"{file} has nothing in its first line; write the passphrase there")
    return said
