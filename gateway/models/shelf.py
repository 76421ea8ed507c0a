"""The model files in a gateway's data folder: looked for beside the event loop, believed by keys.

A file's signature, header and bounds are held against the keys and the asset at every load. What is
refused is told once, and looked at again when the file changes.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analytics.federation.watching import KIND as CLASS
from analytics.federation.watching import watch_from
from analytics.modelfiles import (
    MOST_BYTES,
    SUFFIX,
    Cause,
    Header,
    Model,
    ModelRefused,
    asset_of,
    check_fits,
    model_folder,
    read_model,
    version_in,
    watch_of,
)
from analytics.watch import Watch
from gateway.models.succession import RULE
from gateway.models.watched import WatchedAsset
from plant.errors import Rejected, Unreachable
from plant.files import unfollowed
from plant.keys import read_public
from plant.records import JSON

FOLDER = "models"
"""Of the data folder."""
METADATA = "tuf"
"""Folder beside those of the assets."""
MOST_LOOKED = 200
"""Files of one asset that are looked at, the newest versions; more are none of ours."""

KEPT = 20
"""Newest files of an asset that stay, beside those of the models that judge or may come back."""

Stamp = tuple[int, int, int]
"""Inode, size and time of the last change: what tells that a file is another one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model file that may be tried."""

    asset: str
    version: int
    sha256: str
    why: str
    person: str = ""
    """Why no rule may put it into force; empty if one may."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is not taken, and why."""

    asset: str
    file: str
    cause: str
    why: str

    @property
    def body(self) -> dict[str, str]:
        """Give it as the body of an event."""
        return {"asset": self.asset, "file": self.file, "cause": self.cause, "why": self.why}


@dataclass(frozen=True, slots=True)
class Dropped:
    """Old files of an asset that were removed: their versions, and what could not be."""

    asset: str
    versions: tuple[int, ...]
    trouble: str = ""

    @property
    def body(self) -> dict[str, JSON]:
        """Give it as the body of an event."""
        why = f"older than the newest {KEPT}, and in no use"
        return {
            "asset": self.asset, "versions": list[JSON](self.versions), "actor": RULE,
            "why": f"{why}; {self.trouble}" if self.trouble else why,
        }  # fmt: skip


class Shelf:
    """The model files of a gateway; `look` in a thread, everything else anywhere.

    Parameters
    ----------
    folder
        Folder of all models; it need not exist.
    keys
        Files of the public keys that are believed; without one nothing is looked at.
    gateway
        Version of this gateway.

    Raises
    ------
    Misconfigured
        A key cannot be read.
    """

    def __init__(self, folder: Path, keys: Sequence[Path], gateway: str) -> None:
        self._folder = folder
        self._keys = [read_public(path) for path in keys]
        self._gateway = gateway
        self._told: dict[Path, Stamp] = {}
        self._ready: dict[tuple[str, int, str], Watch] = {}
        self._offered: dict[str, tuple[Stamp, Found]] = {}

    @property
    def trusts(self) -> bool:
        """Whether there is anybody whose models are believed."""
        return bool(self._keys)

    def __call__(self, state: WatchedAsset, version: int, sha256: str) -> Watch:
        """Give the watch of a model: as it was found, or read again.

        Raises
        ------
        Rejected
            The file is gone, is another one, or is not believed.
        """
        ready = self._ready.pop((state.asset.path, version, sha256), None)
        if ready is not None:
            return ready
        path = self._path(state.asset.path, version)
        try:
            watch, model = self._read(path, state, version)
        except (ModelRefused, Unreachable) as error:
            raise Rejected(f"{path.name} of {state.asset.path}: {error}") from error
        if model.sha256 != sha256:
            raise Rejected(f"{path.name} of {state.asset.path}: is another file than it was")
        return watch

    def look(
        self, assets: Mapping[str, WatchedAsset], highest: Mapping[str, int]
    ) -> tuple[list[Found], list[Refused]]:
        """Give the newest sound model of each asset above the version it had, and what is refused.

        Parameters
        ----------
        assets
            Every asset under watch, by its path.
        highest
            Highest version that each had.
        """
        found: list[Found] = []
        refused = self._strangers(assets)
        for path, state in assets.items():
            for version, file in self._newer(path, highest.get(path, 0)):
                one = self._consider(state, version, file, refused)
                if one is not None:
                    found.append(one)
                    break
        return found, refused

    def thin(self, assets: Mapping[str, WatchedAsset]) -> list[Dropped]:
        """Remove the files of old models, but for those that judge or may come back.

        A snapshot holds the models themselves, and the journal the hashes of all that ever were,
        so nothing that is blocked comes back by it.
        """
        dropped = []
        for path, state in assets.items():
            numbered = self._newer(path, 0, every=True)
            used = state.models.used
            # What was refused takes no place of a model, or junk would push them out.
            sound = [version for version, file in numbered if file not in self._told]
            least = sound[KEPT - 1] if len(sound) >= KEPT else 0
            gone, trouble = [], ""
            for version, file in numbered:
                if version >= least or version in used:
                    continue
                try:
                    file.unlink()
                except OSError as error:
                    trouble = f"{file.name} cannot be removed: {error.strerror}"
                    continue
                self._told.pop(file, None)
                gone.append(version)
            if gone:
                dropped.append(Dropped(path, tuple(sorted(gone)), trouble))
        return dropped

    def _newer(self, asset: str, highest: int, *, every: bool = False) -> list[tuple[int, Path]]:
        """List the files of an asset with a version above, the newest first."""
        try:
            files = list((self._folder / model_folder(asset)).iterdir())
        except OSError:
            return []
        numbered = ((version_in(file), file) for file in files)
        newer = ((at, file) for at, file in numbered if at is not None and at > highest)
        found = sorted(newer, reverse=True)
        return found if every else found[:MOST_LOOKED]

    def _consider(
        self, state: WatchedAsset, version: int, file: Path, refused: list[Refused]
    ) -> Found | None:
        stamp = _stamp(file)
        if stamp is None or self._told.get(file) == stamp:
            return None
        asset = state.asset.path
        known = self._offered.get(asset)
        waits = known is not None and (asset, version, known[1].sha256) in self._ready
        if known is not None and waits and known[0] == stamp:
            return known[1]  # it waits, for a probation as it may be
        try:
            watch, model = self._read(file, state, version)
        except (ModelRefused, Unreachable) as error:
            self._told[file] = stamp
            cause = str(error.cause) if isinstance(error, ModelRefused) else "unreadable"
            refused.append(Refused(asset, file.name, cause, str(error)))
            return None
        sha256 = model.sha256
        found = Found(asset, version, sha256, _why(file, model), person_decides(model.header))
        self._ready = {key: kept for key, kept in self._ready.items() if key[0] != asset}
        self._ready[asset, version, sha256] = watch
        self._offered[asset] = stamp, found
        return found

    def _read(self, file: Path, state: WatchedAsset, version: int) -> tuple[Watch, Model]:
        model = read_model(_bytes(file), self._keys, self._gateway)
        own, settings = state.watch, state.settings
        if model.header.version != version:
            raise ModelRefused(Cause.MALFORMED, f"is version {model.header.version} by its header")
        if model.header.kind == CLASS:
            return watch_from(model, state.asset, own.units, settings), model
        check_fits(model.header, state.asset.path, own.signals, own.units, settings)
        return watch_of(model, settings.quiet), model

    def _path(self, asset: str, version: int) -> Path:
        return self._folder / model_folder(asset) / f"{version}{SUFFIX}"

    def _strangers(self, assets: Mapping[str, WatchedAsset]) -> list[Refused]:
        """Tell, once, of folders of assets that there are none of."""
        try:
            folders = [one for one in self._folder.iterdir() if one.name != METADATA]
        except OSError:
            return []
        refused = []
        for folder in folders:
            asset = asset_of(folder.name)
            if asset not in assets and folder not in self._told:
                self._told[folder] = (0, 0, 0)
                why = "this gateway watches no asset of that path"
                refused.append(Refused(asset, folder.name, str(Cause.OTHER_ASSET), why))
        return refused


def _why(file: Path, model: Model) -> str:
    card = model.header.card
    learnt = f", learnt together as {card['class']}" if model.header.kind == CLASS else ""
    return f"found as {file.name}{learnt}"


def person_decides(header: Header) -> str:
    """Say why no rule may put a model into force, by its data card; empty if one may.

    What was trained because values had moved may have learnt a fault: see `analytics.proposals`.
    """
    match header.card.get("proposed"):
        case {"a_person_decides": True, "reasons": [*reasons]}:
            told = [
                str(one["cause"]) for one in reasons if isinstance(one, dict) and "cause" in one
            ]
            return f"trained because of {', '.join(dict.fromkeys(told))}"
    return ""


def _stamp(file: Path) -> Stamp | None:
    try:
        told = file.lstat()
    except OSError:
        return None
    return told.st_ino, told.st_size, told.st_ctime_ns


def _bytes(file: Path) -> bytes:
    """Read a plain file that is no larger than a model may be; never through a link."""
    try:
        handle = unfollowed(file)
    except OSError as error:
        raise Unreachable(f"cannot be read: {error.strerror}") from error
    try:
        told = os.fstat(handle)
        if not stat.S_ISREG(told.st_mode):
            raise ModelRefused(Cause.NO_MODEL, "is no plain file")
        if told.st_size > MOST_BYTES:
            raise ModelRefused(
                Cause.TOO_LARGE, f"has {told.st_size} bytes, at most {MOST_BYTES} are read"
            )
        with os.fdopen(handle, "rb", closefd=False) as opened:
            return opened.read(MOST_BYTES + 1)
    finally:
        os.close(handle)
