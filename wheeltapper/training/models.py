"""Model files of a training: which is in force, which number the new one has, where it is put."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analytics.modelfiles import (
    SUFFIX,
    Header,
    Model,
    model_folder,
    read_model,
    settings_body,
    version_in,
    write_model,
)
from analytics.training.course import Machine
from connectors.registry.keys import read_private
from plant.errors import Misconfigured
from plant.files import put
from plant.keys import public_key, public_pem, read_public
from wheeltapper.models.keyring import passphrase
from wheeltapper.training.jobs import Outcome

NONE = "none"
KIND = "watch"


def signer(path: Path, passphrase_file: Path | None = None) -> Ed25519PrivateKey:
    """Read the key with which models are signed; a locked one by the passphrase of a file."""
    return read_private(path, passphrase(passphrase_file))


def believed(path: Path) -> bytes:
    """Read a further public key that a model in force may be signed by; gives its PEM."""
    return public_pem(read_public(path))


@dataclass(frozen=True, slots=True)
class Written:
    """A model file as it was written, or would be: its number, size, and place."""

    version: int
    size: int
    file: Path | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where models are taken from and put.

    Parameters
    ----------
    out
        A model file, or a folder with a folder for each asset as in a gateway's ``data/models``;
        None: nothing is written.
    parent
        File of the model in force, `NONE`, or empty: the newest in the folder.
    version
        Number of the new model; 0: one more than the one in force.
    created
        Stamp of the new models, ns; 0: the end of what was learnt from.
    key
        What signs; None: nothing is written.
    keys
        Further public keys (PEM) by which the one in force may be signed.
    """

    out: Path | None
    parent: str
    version: int
    created: int
    key: Ed25519PrivateKey | None
    keys: tuple[bytes, ...]

    def check(self, assets: int) -> None:
        """Refuse early what could only fail after minutes of work."""
        if self.out is None:
            return
        single = self.out.suffix == SUFFIX
        if single and assets > 1:
            raise Misconfigured(f"{self.out}: is one file for {assets} assets; name a folder")
        if single and not self.out.parent.is_dir():
            raise Misconfigured(f"{self.out}: there is no folder {self.out.parent}")
        if self.parent and self.parent != NONE and assets > 1:
            raise Misconfigured("--parent names one file, and there are several assets")

    @property
    def trusted(self) -> tuple[bytes, ...]:
        """Public keys (PEM) by which a model in force may be signed."""
        own = () if self.key is None else (public_pem(self.key.public_key()),)
        return (*own, *self.keys)

    def in_force(self, asset: str) -> bytes:
        """Give the file of the model in force; empty if there is none."""
        path = self._parent(asset)
        if path is None:
            return b""
        try:
            return path.read_bytes()
        except OSError as error:
            raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from error

    def read(self, asset: str) -> Model | None:
        """Read the model in force."""
        data = self.in_force(asset)
        if not data:
            return None
        return read_model(data, [public_key(pem, "a key") for pem in self.trusted])

    def _parent(self, asset: str) -> Path | None:
        if self.parent == NONE:
            return None
        if self.parent:
            return Path(self.parent)
        if self.out is None or self.out.suffix == SUFFIX:
            return None
        files = (self.out / model_folder(asset)).glob(f"*{SUFFIX}")
        kept = [file for file in files if version_in(file) is not None]
        return max(kept, key=lambda file: int(file.stem), default=None)

    def put(self, machine: Machine, outcome: Outcome) -> Written:
        """Sign a model and write its file; without a place only its number is told."""
        before = self.read(machine.path)
        known = None if before is None else before.header.version
        number = self.number(known)
        data = self.file(machine, outcome, known)
        if self.out is None or not data:
            return Written(number, len(data), None)
        file = self.out
        if file.suffix != SUFFIX:
            folder = self.out / model_folder(machine.path)
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"{number}{SUFFIX}"
        put(file, data)
        return Written(number, len(data), file)

    def number(self, known: int | None) -> int:
        """Give the number of the new model, beside that of the one in force."""
        number = self.version or (known or 0) + 1
        if known is not None and number <= known:
            raise Misconfigured(
                f"--version {number}: the model in force is version {known}; a later one has a "
                "higher number"
            )
        return number

    def file(self, machine: Machine, outcome: Outcome, known: int | None) -> bytes:
        """Give the signed bytes of a model; none without a key."""
        if self.key is None or outcome.arrays is None or outcome.settings is None:
            return b""
        header = Header(
            name=machine.path,
            version=self.number(known),
            kind=KIND,
            created=self.created or outcome.stop,
            signals=machine.signals,
            units=machine.units,
            settings=settings_body(outcome.settings),
            start=outcome.start,
            stop=outcome.stop,
            history=outcome.history,
            metrics=outcome.metrics or {},
            parent=known,
            card=outcome.card or {},
        )
        return write_model(header, outcome.arrays, self.key)
