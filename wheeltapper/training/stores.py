"""Where a training reads: windows, and what is known of alarms; told in words a worker can take."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics.training.fit import NothingTrained
from analytics.training.selection import Event
from connectors.influx.config import InfluxConfig
from gateway.models.succession import RULE
from gateway.models.watched import Action
from plant.alarms import Label
from plant.errors import Misconfigured
from plant.summaries import LENGTHS, MINUTE, TEN_SECONDS

if TYPE_CHECKING:
    from connectors.contract import History

MS = 10**6
COVERS = 0.9
"""Share of the time that short windows have to cover to be taken rather than longer ones."""
NAMES = {TEN_SECONDS: "10s", MINUTE: "1m"}
Changed = tuple[str, int, str, str, str]
"""What became of a model: asset, version, SHA-256, action, actor."""


@dataclass(frozen=True, slots=True)
class Told:
    """What gateways told of alarms and models.

    Parameters
    ----------
    rows
        Alarms: asset, onset, end (None: it stands), and what people called it.
    """

    rows: Sequence[tuple[str, int, int | None, str]]
    promoted: frozenset[tuple[str, int, str]] = frozenset()
    """Asset, version and SHA-256 of what a person put into force at a gateway, and let be."""

    def events(self, start: int, stop: int) -> dict[str, list[Event]]:
        """Give those of a time for each asset, but for what people called false."""
        found: dict[str, list[Event]] = {}
        for asset, onset, ended, label in self.rows:
            end = stop if ended is None else ended
            if label != Label.FALSE and onset < stop and end >= start:
                event = Event(onset, end, label or "alarm", labelled=label == Label.REAL)
                found.setdefault(asset, []).append(event)
        return found

    def called(self, asset: str, start: int, stop: int) -> Counter[str]:
        """Count what people called the alarms of an asset that began in a time; "" = nothing."""
        return Counter(
            label for path, onset, _, label in self.rows if path == asset and start <= onset < stop
        )


@dataclass(frozen=True, slots=True)
class Store:
    """A history: the embedded one of a data folder, or a central one.

    Parameters
    ----------
    folder
        Data folder of a gateway, or a copy of it.
    influx
        The central store; then the folder is not read.
    """

    folder: Path
    influx: InfluxConfig | None = None

    @property
    def words(self) -> str:
        """Where it is, for people."""
        return str(self.folder) if self.influx is None else self.influx.place

    @property
    def blind(self) -> str:
        """Why nothing is known of alarms here; empty if something is."""
        if self.influx is not None or (self.folder / "journal.db").is_file():
            return ""
        return (
            f"{self.folder}: no journal.db beside the history: alarms, and what people called "
            "them, are not known here; name the times of faults with --labels"
        )

    def open(self) -> "AbstractContextManager[History]":
        """Give the history, not entered."""
        if self.influx is not None:
            from connectors.influx.history import InfluxHistory

            return InfluxHistory(self.influx)
        from connectors.sqlite.history import SqliteHistory

        path = self.folder / "history.db"
        if not path.is_file():
            raise Misconfigured(
                f"{self.folder}: no history there; it begins with the first minute of a gateway's "
                "run; a central store is read with --from-central SINK"
            )
        return SqliteHistory(path)

    def alarms(self, start: int, stop: int) -> dict[str, list[Event]]:
        """Give what alarms there were of each asset, but those that people called false."""
        return self.told(start, stop).events(start, stop)

    def told(self, start: int, stop: int) -> Told:
        """Read the alarms of a time."""
        if self.influx is None:
            return Told(self._kept(), promoted(self._changes()))
        from connectors.influx.history import InfluxHistory

        with InfluxHistory(self.influx) as history:
            return Told(
                [(one.asset, one.onset, one.ended, one.label)
                 for one in history.alarms(start, stop)],
                promoted(history.models()),
            )  # fmt: skip

    def _changes(self) -> list[Changed]:
        """List what became of models by the journal beside the history."""
        from gateway.journal import file, trends

        journal = self.folder / "journal.db"
        if not journal.is_file():
            return []
        with file.reader(journal) as connection:
            # one that cannot be read is no word of a person: what it told waits for one
            events, _ = trends.events_of(connection, "model")
        return [
            (b["asset"], b["version"], b["sha256"], b["action"], b["actor"])
            for b in (dict[str, Any](event.body) for event in events)
        ]

    def _kept(self) -> list[tuple[str, int, int | None, str]]:
        """List the alarms of the journal beside the history, even while a gateway writes it."""
        from wheeltapper.alarms import every_alarm

        journal = self.folder / "journal.db"
        if not journal.is_file():
            return []
        return [
            (
                row["asset"],
                round(row["onset"] * MS),
                None if row["ended"] is None else round(row["ended"] * MS),
                "" if row["feedback"] is None else str(row["feedback"]["label"]),
            )
            for row in every_alarm(journal)
        ]


def promoted(changes: Iterable[Changed]) -> frozenset[tuple[str, int, str]]:
    """Give the models that a person put into force and nobody took back since.

    They go by their bytes as well: a registry that was made anew begins again at version 1.

    Parameters
    ----------
    changes
        In the order in which they happened.

    Returns
    -------
    Asset, version and SHA-256.
    """
    found: dict[tuple[str, int], str] = {}
    for asset, version, sha256, action, actor in changes:
        if action == Action.PROMOTE and actor not in ("", RULE):
            found[asset, version] = sha256
        elif action in (Action.RETURN, Action.DISCARD, Action.BLOCK):
            found.pop((asset, version), None)
    return frozenset((*place, sha256) for place, sha256 in found.items())


def length_of(history: "History", tags: Sequence[str], start: int, stop: int, grid: int) -> int:
    """Choose the shortest windows that cover the time, ns.

    Raises
    ------
    NothingTrained
        There are none that are short enough for the rows.
    """
    kept = [every for every in history.lengths() if every >= grid]
    covered = {}
    for every in (one for one in kept if one <= max(MINUTE, grid)):
        begins = [piece.start for piece in history.read(tags, start, stop, every)]
        # from the oldest to the newest: of a tag that is sent on change many windows are missing
        covered[every] = (
            max(int(one.max()) for one in begins) - min(int(one.min()) for one in begins) + every
            if begins
            else 0
        )
    most = max(covered.values(), default=0)
    if not most:
        lengths = ", ".join(NAMES.get(one, f"{one / 1e9:g} s") for one in LENGTHS[:2])
        raise NothingTrained(
            "history",
            f"no windows of {lengths} are kept of {tags[0]} and others in that time; name another "
            "with --from and --to (docs/history.md says for how long each is kept)",
        )
    return min(every for every, length in covered.items() if length >= COVERS * most)
