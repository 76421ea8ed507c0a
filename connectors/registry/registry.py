"""The trainer's side: a folder of models that any static HTTP server can give out.

``metadata/`` holds what is signed, ``targets/`` the models, each under a name that begins with its
hash. A file is written before the metadata that names it, and the timestamp last: who pulls while
something is published sees the one or the other whole.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from connectors.registry.index import Index, read_index, write_index
from connectors.registry.metadata import Shelf, held_by, is_due, signed_with, stamp, utc_now
from connectors.registry.names import (
    EVERYWHERE,
    HIGHEST,
    MOST_BYTES,
    SUFFIX,
    checked_ring,
    index_of,
    model_of,
    prefixed,
    role_of,
    split,
)
from plant.errors import Rejected
from plant.files import put

KEPT = 8
"""Newest versions of an asset that stay listed beside those that some ring has."""
FETCHED_S = 3600.0
"""For so long a file stays that is listed no more: somebody may be fetching it, s."""
LONG_S = 1095 * 86400
"""Three years, s: for which root, targets and lines are signed: their keys are far away."""
ONLINE_LIFE = "x-wheeltapper-online-life-s"
"""In root: for how long snapshot and timestamp are signed each time, s."""


@dataclass(frozen=True, slots=True)
class Online:
    """The two keys that the machine of the registry may hold: worth little alone."""

    snapshot: Ed25519PrivateKey
    timestamp: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that can be had."""

    asset: str
    version: int
    size: int
    sha256: str
    rings: tuple[str, ...]


class Registry:
    """A folder of models.

    Parameters
    ----------
    folder
        What a web server gives out; no private key ever lies in it.
    clock
        Gives the time in UTC.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime] = utc_now) -> None:
        self.folder = folder
        self.shelf = Shelf(folder)
        self._clock = clock

    def root(self) -> bytes:
        """Give the root that gateways are shipped with."""
        return self.shelf.root().to_bytes()

    def lines(self) -> tuple[str, ...]:
        """List the lines that have a key."""
        return self.shelf.lines()

    def models(self) -> list[Listed]:
        """List what can be had, each asset's newest version first."""
        listed = []
        for line in self.lines():
            read = self.shelf.line(line)
            if read is None:
                continue
            index = self._index(line, read.signed)
            for target, info in read.signed.targets.items():
                if target.endswith(SUFFIX):
                    asset, version = _parts(target)
                    rings = index.get(asset.rpartition("/")[2], {})
                    names = tuple(sorted(name for name, at in rings.items() if at == version))
                    listed.append(Listed(asset, version, info.length, info.hashes["sha256"], names))
        return sorted(listed, key=lambda one: (one.asset, -one.version))

    def versions(self) -> dict[str, list[int]]:
        """Give the versions of each asset, the newest first."""
        found: dict[str, list[int]] = {}
        for one in self.models():
            found.setdefault(one.asset, []).append(one.version)
        return found

    def rings(self, asset: str) -> dict[str, int]:
        """Tell which version of an asset is for which ring."""
        line, own = split(asset)
        read = self.shelf.line(line)
        return {} if read is None else self._index(line, read.signed).get(own, {})

    def keys_of(self, asset: str) -> list[Ed25519PublicKey]:
        """Give the keys that may sign for the line of an asset."""
        delegations = self.shelf.targets().signed.delegations
        keyids = self.shelf.keys_of(split(asset)[0])
        held = {} if delegations is None else delegations.keys
        return [
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(held[one].keyval["public"]))
            for one in keyids
        ]

    def read(self, asset: str, version: int) -> bytes:
        """Give a model's bytes, as they were signed for.

        Raises
        ------
        Rejected
            It is not listed, or what lies there is something else.
        """
        line, own = split(asset)
        read = self.shelf.line(line)
        target = model_of(line, own, version)
        if read is None or target not in read.signed.targets:
            raise Rejected(
                f"{asset} has no version {version} here; see wheeltapper models list {self.folder}"
            )
        return self._content(target, read.signed.targets[target])

    def publish(
        self,
        asset: str,
        version: int,
        data: bytes,
        trainer: Ed25519PrivateKey,
        online: Online | None,
        ring: str = EVERYWHERE,
        keep: Collection[int] = (),
    ) -> Listed:
        """Sign a model for an asset and list it for a ring of gateways.

        Parameters
        ----------
        asset, version
            Whose it is; the version is higher than all before.
        data
            Bytes of the file, ≤ `MOST_BYTES`.
        trainer
            Key of the asset's line.
        online
            Keys of snapshot and timestamp; without them it is out with the next `refresh`.
        ring
            Who gets it.
        keep
            Older versions of the asset that stay listed, however many there are.
        """
        line, own = split(asset)
        checked_ring(ring)
        if not 0 < len(data) <= MOST_BYTES:
            raise Rejected(f"{asset} {version}: {len(data)} bytes, of 1 to {MOST_BYTES}")
        with self.shelf.alone():
            metadata = self._entrusted(line, trainer)
            signed = metadata.signed
            newest = max((v for a, v in map(_parts, _models(signed)) if a == asset), default=0)
            if not newest < version <= HIGHEST:
                raise Rejected(
                    f"{asset} has version {newest} already: publish {newest + 1} or higher. Going "
                    "back is a new release, too: wheeltapper models rollback"
                )
            index = self._index(line, signed)
            index.setdefault(own, {})[ring] = version
            target = model_of(line, own, version)
            info = self._put(target, data)
            signed.targets[target] = info
            for old in _overdue(signed, asset, {*index[own].values(), *keep}):
                del signed.targets[old]
            self._sign_line(line, metadata, index, trainer, online)
        return Listed(asset, version, info.length, info.hashes["sha256"], (ring,))

    def promote(
        self,
        asset: str,
        version: int,
        ring: str,
        trainer: Ed25519PrivateKey,
        online: Online | None,
    ) -> dict[str, int]:
        """List a version for one more ring; the model itself is not copied.

        Returns
        -------
        dict
            Ring → version of this asset from now on.
        """
        line, own = split(asset)
        checked_ring(ring)
        with self.shelf.alone():
            metadata = self._entrusted(line, trainer)
            if model_of(line, own, version) not in metadata.signed.targets:
                raise Rejected(f"{asset} has no version {version} here; publish it first")
            index = self._index(line, metadata.signed)
            rings = index.setdefault(own, {})
            held = max(rings.get(ring, 0), rings.get(EVERYWHERE, 0))
            if version <= held:
                raise Rejected(
                    f"{asset}: the ring {ring} has version {held}, and gateways take no older one. "
                    "Going back is a new release: wheeltapper models rollback"
                )
            rings[ring] = version
            self._sign_line(line, metadata, index, trainer, online)
        return rings

    def refresh(self, online: Online) -> None:
        """Sign snapshot and timestamp for what lies here; on schedule, before they expire."""
        with self.shelf.alone():
            self._refresh(online)

    def unlisted(self) -> list[tuple[Path, int]]:
        """List the files that no list names, below the folder, and their sizes.

        Raises
        ------
        Rejected
            Something was published and is not out yet: gateways still ask for what it replaced.
        """
        with self.shelf.alone():
            return self._unlisted()

    def prune(self) -> list[tuple[Path, int]]:
        """Remove what is `unlisted`; give what was."""
        with self.shelf.alone():
            found = self._unlisted()
            for path, _ in found:
                (self.folder / path).unlink()
        return found

    def _unlisted(self) -> list[tuple[Path, int]]:
        """List what no list names; the folder is locked."""
        snapshot = self.shelf.snapshot()
        if snapshot is None or snapshot.signed.meta != dict(self.shelf.listed()):
            raise Rejected(
                f"{self.folder}: something is published and not out yet; run wheeltapper models "
                f"refresh {self.folder} first"
            )
        targets, found = self.folder / "targets", []
        late = self._clock().timestamp() - FETCHED_S
        named = {
            prefixed(target, info.hashes["sha256"])
            for signed in self.shelf.lately(late)
            for target, info in signed.targets.items()
        }
        for path in sorted(targets.rglob("*")):
            told = path.lstat()
            old = told.st_mtime < late
            if path.is_file() and old and path.relative_to(targets).as_posix() not in named:
                found.append((path.relative_to(self.folder), told.st_size))
        return found

    def _refresh(self, online: Online) -> None:
        """Sign what is new; the folder is locked."""
        now = self._clock()
        root = self.shelf.root().signed
        life = int(root.unrecognized_fields[ONLINE_LIFE])
        for role, key in ((Snapshot.type, online.snapshot), (Timestamp.type, online.timestamp)):
            held_by(key, root.roles[role].keyids, role)
        meta = dict(self.shelf.listed())
        snapshot = self.shelf.snapshot()
        if snapshot is None or snapshot.signed.meta != meta or is_due(snapshot.signed, now):
            snapshot = Metadata(Snapshot(self.shelf.number(Snapshot.type) + 1, meta=meta))
            stamp(snapshot.signed, now, life)
            self.shelf.put(Snapshot.type, signed_with(snapshot, [online.snapshot]))
        data = self.shelf.content(Snapshot.type)
        timestamp = Metadata(
            Timestamp(
                self.shelf.number(Timestamp.type) + 1,
                snapshot_meta=MetaFile.from_data(snapshot.signed.version, data, ["sha256"]),
            )
        )
        stamp(timestamp.signed, now, life)
        self.shelf.put(Timestamp.type, signed_with(timestamp, [online.timestamp]))
        for role in (Snapshot.type, Targets.type, *map(role_of, self.lines())):
            self.shelf.thin(role)

    def _entrusted(self, line: str, trainer: Ed25519PrivateKey) -> Metadata[Targets]:
        """Give the list of a line to the one who may sign it."""
        read = self.shelf.line(line)
        held_by(trainer, self.shelf.keys_of(line), line)
        return read or Metadata(Targets())

    def _sign_line(
        self,
        line: str,
        metadata: Metadata[Targets],
        index: Index,
        trainer: Ed25519PrivateKey,
        online: Online | None,
    ) -> None:
        signed = metadata.signed
        signed.targets[index_of(line)] = self._put(index_of(line), write_index(index))
        signed.version = self.shelf.number(role_of(line)) + 1
        stamp(signed, self._clock(), LONG_S)
        self.shelf.put(role_of(line), signed_with(metadata, [trainer]))
        if online is not None:
            self._refresh(online)

    def _index(self, line: str, signed: Targets) -> Index:
        info = signed.targets.get(index_of(line))
        return {} if info is None else read_index(self._content(index_of(line), info))

    def _put(self, target: str, data: bytes) -> TargetFile:
        info = TargetFile.from_data(target, data, ["sha256"])
        path = self.folder / "targets" / prefixed(target, info.hashes["sha256"])
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, data)
        return info

    def _content(self, target: str, info: TargetFile) -> bytes:
        path = self.folder / "targets" / prefixed(target, info.hashes["sha256"])
        try:
            with path.open("rb") as file:
                data = file.read(info.length + 1)
            info.verify_length_and_hashes(data)
        except OSError as error:
            raise Rejected(f"{path}: {error.strerror}; put it back from a copy") from error
        except LengthOrHashMismatchError as error:
            raise Rejected(f"{path} is not what was signed for; put it back from a copy") from error
        return data


def _parts(target: str) -> tuple[str, int]:
    """Take the target of a model apart: asset, version."""
    asset, _, name = target.rpartition("/")
    return asset, int(name.removesuffix(SUFFIX))


def _models(signed: Targets) -> list[str]:
    return [target for target in signed.targets if target.endswith(SUFFIX)]


def _overdue(signed: Targets, asset: str, kept: Collection[int]) -> list[str]:
    """List the targets of an asset's old versions, so that the list stays short.

    Those of another asset of the line are none of this one's business: what is to be kept of them
    only who publishes for them knows.
    """
    versions = sorted(v for one, v in map(_parts, _models(signed)) if one == asset)
    return [f"{asset}/{version}{SUFFIX}" for version in versions[:-KEPT] if version not in kept]
