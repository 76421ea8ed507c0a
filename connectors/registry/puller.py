"""The gateway's side: one pull, in a short process of its own.

What is remembered lies in ``tuf`` below the folder of models and has to stay there: a client that
has forgotten what it saw takes an old repository for a new one.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, TargetFile
from tuf.ngclient import Updater, UpdaterConfig

from connectors.registry.index import Index, read_index, wanted
from connectors.registry.metadata import SIGNED
from connectors.registry.names import (
    MOST_BYTES,
    MOST_INDEX_BYTES,
    SUFFIX,
    index_of,
    model_of,
    prefixed,
    role_of,
    split,
)
from connectors.registry.outcome import Brought, Kept, Outcome, Reason, Refused, State
from connectors.registry.refusals import Refusal, is_full, refusal
from connectors.registry.ways import Way
from plant.errors import Misconfigured, Rejected, Unreachable
from plant.files import alone, put

STATE = "tuf"
"""Folder of what is remembered, below the folder of models."""
CLOCKS_APART_NS = 3600 * 10**9
"""By which two clocks of a plant may differ without a word."""
_SPARE = 4 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BOUNDS = UpdaterConfig(
    max_root_rotations=64,
    root_max_length=64 * 1024,
    timestamp_max_length=16 * 1024,
    snapshot_max_length=1024 * 1024,
    targets_max_length=5 * 1024 * 1024,
)
Check = Callable[[str, int, bytes], None]
"""Asset, version, bytes of a model file; raises `Rejected`."""


def believed(_asset: str, _version: int, _data: bytes) -> None:
    """Look at nothing more than the signatures of the registry."""


class Puller:
    """Brings what the registry has for the assets of a gateway.

    Parameters
    ----------
    way
        To the registry.
    root
        TUF root as the gateway was shipped with it.
    folder
        Of the models; ``tuf`` below it is remembered.
    assets
        Path of an asset → its own folder within `folder`.
    ring
        Of this gateway.
    check
        Looks at a model before it is put in place.
    """

    def __init__(
        self,
        way: Way,
        root: bytes,
        folder: Path,
        assets: Mapping[str, Path],
        ring: str,
        check: Check = believed,
    ) -> None:
        self._way = way
        self._root = root
        self._folder = folder
        self._state = folder / STATE
        self._parts = self._state / "parts"
        self._ring = ring
        self._check = check
        self._assets = dict(assets)
        self._taken: set[str] = set()

    def pull(self, now: int, newest: int = 0) -> Outcome:
        """Pull once; another pull of the same folder is waited for.

        Parameters
        ----------
        now
            By the clock of this machine, ns since 1970 UTC.
        newest
            Latest time that the gateway's journal knows, ns; 0: none.

        Raises
        ------
        Misconfigured
            `root` is no root.
        OSError
            The folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        outcome = Outcome(self._way.place, now)
        try:
            with alone(self._state):
                self._bring(outcome, newest)
                self._forget_parts(outcome)
        except Unreachable as error:
            outcome.state, outcome.why = State.UNREACHABLE, str(error)
        self._settle()
        self._tell_freshness(outcome)
        outcome.requests = self._way.requests
        outcome.received = self._way.received
        outcome.resumed = self._way.resumed
        return outcome

    def _bring(self, outcome: Outcome, newest: int) -> None:
        self._parts.mkdir(exist_ok=True)
        for left in self._state.glob("tmp*"):
            left.unlink()  # of a pull that was killed
        if outcome.at + CLOCKS_APART_NS < newest:
            behind = (newest - outcome.at) / 3.6e12
            outcome.state = State.CLOCK
            outcome.why = (
                f"the clock of this machine is {behind:.1f} h behind the newest record of its "
                "journal, so whether a signature is still good cannot be told; set the clock"
            )
            return
        try:
            updater = self._updater()
            updater.refresh()
            self._hold_clock(outcome)
        except (RepositoryError, DownloadError, Refusal, OSError) as error:
            said = _refused(error, self._way.last)
            outcome.state, outcome.why = State.REFUSED, str(said)
            if said.reason is Reason.CLOCK:
                outcome.state = State.CLOCK
            outcome.refused.append(Refused(None, None, None, said.reason, str(said)))
            return
        listed = self._metadata("snapshot").signed.meta
        for line, assets in self._by_line(outcome).items():
            if f"{role_of(line)}.json" in listed:
                self._bring_line(updater, line, assets, outcome)

    def _updater(self) -> Updater:
        try:
            return Updater(
                str(self._state),
                "metadata/",
                fetcher=self._way,
                config=_BOUNDS,
                bootstrap=self._root,
            )
        except RepositoryError as error:
            raise Misconfigured(
                f"the root that this gateway was given is none: {error}; take root.json of the kit "
                "that wheeltapper models init wrote"
            ) from error

    def _hold_clock(self, outcome: Outcome) -> None:
        """Refuse a clock that is behind a time that was signed."""
        signed = self._metadata("timestamp").signed.unrecognized_fields.get(SIGNED, 0)
        if isinstance(signed, int) and outcome.at + CLOCKS_APART_NS < signed * 10**9:
            raise Refusal(
                Reason.CLOCK,
                f"the clock of this machine is {(signed - outcome.at / 1e9) / 3600:.1f} h behind "
                "the time at which the registry was signed; set the clock, here or there",
            )

    def _by_line(self, outcome: Outcome) -> dict[str, list[str]]:
        lines: dict[str, list[str]] = {}
        for asset in self._assets:
            try:
                lines.setdefault(split(asset)[0], []).append(asset)
            except Rejected as error:
                outcome.refused.append(Refused(None, asset, None, Reason.NO_LINE, str(error)))
        return lines

    def _bring_line(self, updater: Updater, line: str, assets: list[str], outcome: Outcome) -> None:
        try:
            index = self._index(updater, line)
        except (RepositoryError, DownloadError, Rejected, OSError) as error:
            said = _refused(error, self._way.last)
            outcome.refused.append(Refused(line, None, None, said.reason, str(said)))
            return
        for asset in assets:
            version = wanted(index.get(split(asset)[1], {}), self._ring)
            if version is None:
                continue
            try:
                self._bring_model(updater, asset, version, outcome)
            except (RepositoryError, DownloadError, Rejected, OSError) as error:
                said = _refused(error, model_of(*split(asset), version))
                outcome.refused.append(Refused(line, asset, version, said.reason, str(said)))

    def _index(self, updater: Updater, line: str) -> Index:
        """Give the list of a line, from here if it has not changed."""
        info = updater.get_targetinfo(index_of(line))
        if info is None:
            return {}
        if info.length > MOST_INDEX_BYTES:
            raise Refusal(Reason.TOO_LARGE, f"{index_of(line)}: {info.length} bytes")
        kept = self._state / f"index.{quote(role_of(line), '')}"
        if kept.exists() and _is(kept.read_bytes(), info):
            data = kept.read_bytes()
        else:
            data = self._way.download_bytes(_url(info), info.length)
            info.verify_length_and_hashes(data)
            put(kept, data)
        return read_index(data)

    def _bring_model(self, updater: Updater, asset: str, version: int, outcome: Outcome) -> None:
        folder = self._assets[asset]
        held = _held(folder)
        if version < held:
            raise Refusal(
                Reason.OLDER,
                f"the list asks for version {version} of {asset}, and {held} is here already",
            )
        line, own = split(asset)
        info = updater.get_targetinfo(model_of(line, own, version))
        if info is None:
            raise Refusal(
                Reason.UNKNOWN,
                f"the list names version {version} of {asset}, for which nobody has signed",
            )
        path = folder / f"{version}{SUFFIX}"
        if version == held and path.stat().st_size == info.length and _is(path.read_bytes(), info):
            outcome.kept.append(Kept(asset, version))
            return
        data = self._model(info)
        try:
            self._check(asset, version, data)
        except Rejected as error:
            raise Refusal(Reason.HEADER, str(error)) from error
        folder.mkdir(parents=True, exist_ok=True)
        put(path, data)
        self._part(info).unlink()
        where = path.relative_to(self._folder).as_posix()
        outcome.new.append(Brought(asset, version, where, info.length, _sha256(info)))

    def _model(self, info: TargetFile) -> bytes:
        """Give a model's bytes as they were signed for; what came stays when the link breaks."""
        if not 0 < info.length <= MOST_BYTES:
            raise Refusal(
                Reason.TOO_LARGE, f"{info.path}: {info.length} bytes, of {MOST_BYTES} at most"
            )
        part = self._part(info)
        self._taken.add(part.name)
        lacks = 2 * info.length - (part.stat().st_size if part.exists() else 0)
        if shutil.disk_usage(self._folder).free < lacks + _SPARE:
            raise Refusal(Reason.NO_ROOM, f"{info.path}: the disk has no room for {lacks} bytes")
        begun = part.exists()
        try:
            data = self._download(info, part)
            if not _is(data, info) and begun:
                # What lay here, and what came now, were not of one file.
                part.unlink()
                begun = False
                data = self._download(info, part)
            info.verify_length_and_hashes(data)
        except (RepositoryError, DownloadError):
            if not begun:
                part.unlink(missing_ok=True)
            raise
        return data

    def _download(self, info: TargetFile, part: Path) -> bytes:
        try:
            self._way.append(_url(info), part, info.length)
        except OSError:
            part.unlink(missing_ok=True)  # the disk needs it more
            raise
        return part.read_bytes()

    def _part(self, info: TargetFile) -> Path:
        return self._parts / _sha256(info)

    def _settle(self) -> None:
        """Have what is remembered on disk: TUF leaves that to chance, and power fails."""
        for path in (*self._state.glob("*.json"), self._state / "root_history", self._state):
            if path.exists():
                handle = os.open(path, os.O_RDONLY)
                os.fsync(handle)
                os.close(handle)

    def _forget_parts(self, outcome: Outcome) -> None:
        """Drop what nobody asks for any more."""
        if outcome.state is State.OK:
            for part in self._parts.iterdir():
                if part.name not in self._taken:
                    part.unlink()

    def _tell_freshness(self, outcome: Outcome) -> None:
        """Tell until when what is trusted here is good."""
        roles = ["root", "targets", "snapshot", "timestamp"]
        roles += sorted({role_of(split(asset)[0]) for asset in self._assets if "/" in asset})
        expiries = {role: at for role in roles if (at := self.expires(role)) is not None}
        if "timestamp" not in expiries:
            return
        outcome.fresh_until = min(expiries.values())
        if outcome.fresh_until < outcome.at:
            outcome.stale_since = outcome.fresh_until

    def expires(self, role: str) -> int | None:
        """Tell until when what is remembered of a role is good, ns; None: nothing that says so.

        What a failing disk left in its place is fetched again with the next pull.
        """
        try:
            return int(self._metadata(role).signed.expires.timestamp()) * 10**9
        except (FileNotFoundError, RepositoryError):
            return None

    def _metadata(self, role: str) -> Metadata[Any]:
        return Metadata.from_bytes((self._state / f"{quote(role, '')}.json").read_bytes())


def _refused(error: Exception, asked: str) -> Refusal:
    """Put what may be refused into words; anything else of the disk is a person's to mend."""
    if isinstance(error, OSError) and not is_full(error):
        raise error
    if isinstance(error, Rejected) and not isinstance(error, Refusal):
        return Refusal(Reason.UNREADABLE, f"{asked}: {error}")
    return refusal(error, asked)


def _url(info: TargetFile) -> str:
    return quote("targets/" + prefixed(info.path, _sha256(info)))


def _sha256(info: TargetFile) -> str:
    found = info.hashes.get("sha256", "")
    if not _SHA256.fullmatch(found):
        raise Refusal(Reason.UNREADABLE, f"{info.path} has no SHA-256")
    return found


def _is(data: bytes, info: TargetFile) -> bool:
    return len(data) == info.length and hashlib.sha256(data).hexdigest() == _sha256(info)


def _held(folder: Path) -> int:
    """Give the newest version that lies in a folder; 0: none."""
    named = (path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))
    return max((int(name) for name in named if name.isascii() and name.isdigit()), default=0)
