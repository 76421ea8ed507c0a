"""Reads windows back from an InfluxDB, in InfluxQL: it works on versions 1, 2 and 3."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from connectors.influx.answers import Missing
from connectors.influx.config import InfluxConfig
from connectors.influx.influxql import Piece, asked, identifier, literal, select
from connectors.influx.schema import (
    ALARM,
    GAP,
    LEVELS,
    MODEL,
    SETPOINT_AUDIT,
    SUMMARIES,
    TAG,
    bucket_of,
    name_of,
    places,
)
from connectors.influx.server import Server
from plant.errors import Misconfigured, Rejected, Unreachable
from plant.summaries import Windows

_FIELDS = ("n", "good_ratio", "min", "max", "mean", "std", "first", "last")
_GAP_FIELDS = ("cause", "why", "recovered", "lost", "estimated")
_MODEL_WORDS = ("sha256", "action", "actor")
_BY_TAGS = "GROUP BY " + ", ".join(map(identifier, LEVELS))
_FIRST, _LAST = -(2**63) + 2, 2**63 - 2
"""Times that an InfluxDB can hold, ns."""


@dataclass(frozen=True, slots=True)
class StoredGap:
    """An interval that a gateway could not read, as a store keeps it.

    Parameters
    ----------
    gateway, source
        Of which gateway and source.
    start, stop
        Source times, ns; `stop` is None while it lasts.
    cause, why
        What it was, and in whose words.
    recovered, lost
        Samples that came later, and those that did not; None: not known.
    estimated
        `lost` is the usual rate times the duration.
    """

    gateway: str
    source: str
    start: int
    stop: int | None
    cause: str
    why: str
    recovered: int
    lost: int | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An incident, as a store keeps it.

    Parameters
    ----------
    asset
        Path of the asset.
    onset, ended
        Source times, ns; `ended` is None while it stands.
    label
        What a person called it (`plant.alarms.Label`); empty while nobody has.
    """

    asset: str
    onset: int
    ended: int | None
    label: str


class InfluxHistory:
    """The windows that an `InfluxSink` has sent.

    Parameters
    ----------
    config
        Where they are; its token must be allowed to read.
    """

    def __init__(self, config: InfluxConfig) -> None:
        self.name = config.name
        self._config = config
        self._open: Server | None = None

    def __enter__(self) -> Self:
        server = Server(self._config)
        self._open = server
        try:
            self._found()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _ask(self, database: str, query: str) -> Iterator[Piece]:
        if self._open is None:
            raise Unreachable(f"{self.name}: is not connected")
        return asked(self._open, self._config, database, query)

    def tags(self) -> dict[str, str]:
        """List the tags of which windows are kept, with their units."""
        kept = self._found().intersection(SUMMARIES.values())
        names = {name for measurement in sorted(kept) for name in self._tags_of(measurement)}
        units = self._units()
        return {name: units.get(name, "") for name in sorted(names)}

    def _tags_of(self, measurement: str) -> Iterator[str]:
        query = select('last("n")', measurement, _BY_TAGS)
        for piece in self._ask(bucket_of(measurement, self._config), query):
            yield name_of(piece.tags)

    def _units(self) -> dict[str, str]:
        query = select('last("unit")', TAG, _BY_TAGS)
        pieces = self._ask(bucket_of(TAG, self._config), query)
        return {name_of(piece.tags): str(piece.rows[-1][1] or "") for piece in pieces}

    def gaps(self, start: int, stop: int) -> list["StoredGap"]:
        """List what gateways could not read of [start, stop), ns, each gap as it was said last."""
        fields = ", ".join(map(identifier, (*_GAP_FIELDS, "from", "to", "id")))
        by_gateway = f"GROUP BY {identifier('gateway')}, {identifier('source')}"
        query = select(fields, GAP, f"WHERE {identifier('from')} < {stop:d} {by_gateway}")
        found: dict[tuple[str, int], StoredGap] = {}
        for piece in self._ask(bucket_of(GAP, self._config), query):
            own = piece.tags.get("gateway", ""), piece.tags.get("source", "")
            for row in piece.rows:
                told = dict(zip(piece.columns, row, strict=True))
                words = {name: told[name] for name in _GAP_FIELDS}
                gap = StoredGap(*own, told["from"], told["to"], **words)
                found[own[0], told["id"]] = gap  # in the order of time: the last word counts
        return sorted(
            (gap for gap in found.values() if gap.stop is None or gap.stop >= start),
            key=lambda gap: gap.start,
        )

    def alarms(self, start: int, stop: int) -> list["StoredAlarm"]:
        """List the incidents of machines in [start, stop), ns, each as it was said last."""
        levels = LEVELS[:-1]
        fields = ", ".join(map(identifier, ("id", "onset", "ended", "feedback")))
        grouped = ", ".join(map(identifier, (*levels, "gateway")))
        rest = f"WHERE {identifier('onset')} < {stop:d} GROUP BY {grouped}"
        query = select(fields, ALARM, rest)
        found: dict[tuple[str, str, int], tuple[int, StoredAlarm]] = {}
        for piece in self._ask(bucket_of(ALARM, self._config), query):
            asset = "/".join(piece.tags[level] for level in levels if piece.tags.get(level))
            for row in piece.rows:
                told = dict(zip(piece.columns, row, strict=True))
                key = piece.tags.get("gateway", ""), asset, told["id"]
                alarm = StoredAlarm(asset, told["onset"], told["ended"], told["feedback"] or "")
                # an incident whose priority grew stands in two series: the later word counts
                if key not in found or found[key][0] <= told["time"]:
                    found[key] = told["time"], alarm
        return sorted(
            (one for _, one in found.values() if one.ended is None or one.ended >= start),
            key=lambda one: (one.asset, one.onset),
        )

    def checkpoints(self, gateway: str) -> dict[str, int]:
        """List the checkpoints of a gateway's setpoint audit that were sent.

        Returns
        -------
        The number of records that each covers, by the hash of the last of them.
        """
        fields = ", ".join(map(identifier, ("of", "head")))
        rest = f"WHERE {identifier('gateway')} = {literal(gateway)}"
        query = select(fields, SETPOINT_AUDIT, rest)
        found: dict[str, int] = {}
        for piece in self._ask(bucket_of(SETPOINT_AUDIT, self._config), query):
            for row in piece.rows:
                told = dict(zip(piece.columns, row, strict=True))
                if told["head"] and told["of"] is not None:
                    found[str(told["head"])] = int(told["of"])
        return found

    def models(self) -> list[tuple[str, int, str, str, str]]:
        """List what became of models at gateways, oldest first.

        Returns
        -------
        Asset, version, SHA-256, action and actor, each.
        """
        levels = LEVELS[:-1]
        fields = ", ".join(map(identifier, ("version", *_MODEL_WORDS)))
        rest = "GROUP BY " + ", ".join(map(identifier, (*levels, "gateway")))
        found: list[tuple[int, tuple[str, int, str, str, str]]] = []
        try:
            for piece in self._ask(bucket_of(MODEL, self._config), select(fields, MODEL, rest)):
                asset = "/".join(piece.tags[level] for level in levels if piece.tags.get(level))
                for row in piece.rows:
                    told = dict(zip(piece.columns, row, strict=True))
                    if told["version"] is not None:  # a file that was refused has none
                        sha256, action, actor = (str(told[name] or "") for name in _MODEL_WORDS)
                        change = asset, int(told["version"]), sha256, action, actor
                        found.append((told["time"], change))
        except Missing:
            return []
        return [told for _, told in sorted(found)]

    def lengths(self) -> tuple[int, ...]:
        """List the lengths that are kept, ns, ascending: those configured, and those found."""
        found = self._found()
        measured = (length for length, name in SUMMARIES.items() if name in found)
        return tuple(sorted({*self._config.lengths, *measured}))

    def _found(self) -> set[str]:
        """See which measurements there are; a bucket that is missing holds nothing."""
        found: set[str] = set()
        buckets = {bucket_of(name, self._config) for name in SUMMARIES.values()}
        missing: list[Missing] = []
        for bucket in sorted(buckets):
            try:
                found |= self._measurements(bucket)
            except Missing as error:
                missing.append(error)
        if len(missing) == len(buckets):
            raise missing[0]
        return found

    def _measurements(self, bucket: str) -> set[str]:
        """List what is in a bucket; InfluxDB 1 lists nothing of one that it does not have."""
        found: set[str] = set()
        for piece in self._ask(bucket, "SHOW MEASUREMENTS"):
            if piece.name != "measurements":
                raise Misconfigured(
                    f"{self.name}: {self._config.place} does not answer in InfluxQL; windows are "
                    "read from an InfluxDB (VictoriaMetrics keeps them, and is asked in PromQL)"
                )
            found |= {str(row[0]) for row in piece.rows}
        if not found:
            list(self._ask(bucket, select("*", TAG, "LIMIT 1")))
        return found

    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        """Stream windows, tag by tag; see `connectors.contract.History`."""
        lengths = self.lengths()
        if every not in lengths:
            kept = ", ".join(f"{length / 1e9:g} s" for length in lengths)
            raise Rejected(
                f"{self.name}: windows of {every / 1e9:g} s are not kept; there are: {kept}"
            )
        return self._windows(tags, max(start, _FIRST), min(stop, _LAST), SUMMARIES[every])

    def _windows(
        self, tags: Sequence[str], start: int, stop: int, measurement: str
    ) -> Iterator[Windows]:
        fields = ", ".join(map(identifier, _FIELDS))
        bucket = bucket_of(measurement, self._config)
        for place, name in enumerate(tags):
            own = places(name)
            # A tag that a series does not have equals the empty text.
            series = " AND ".join(
                f"{identifier(level)} = {literal(own.get(level, ''))}" for level in LEVELS
            )
            within = f"WHERE {series} AND time >= {start:d} AND time < {stop:d}"
            query = select(fields, measurement, within)
            for piece in self._ask(bucket, query):
                if piece.rows:
                    yield _columns(place, piece)


def _columns(place: int, piece: Piece) -> Windows:
    """Turn rows into columns; without a Good sample there is no value, whatever was said before."""
    told = dict(zip(piece.columns, zip(*piece.rows, strict=True), strict=True))
    count = np.array([one or 0 for one in told["n"]], np.int64)
    ratio = np.array([one or 0 for one in told["good_ratio"]], np.float64)
    good = np.rint(count * ratio).astype(np.int64)
    rows = len(count)
    return Windows(
        tag=np.full(rows, place, np.int32),
        start=np.array(told["time"], np.int64),
        count=count,
        good=good,
        low=_values(told["min"], good),
        high=_values(told["max"], good),
        mean=_values(told["mean"], good),
        std=_values(told["std"], good),
        first=_values(told["first"], good),
        last=_values(told["last"], good),
    )


def _values(told: tuple[Any, ...], good: NDArray[np.int64]) -> NDArray[np.float64]:
    values = np.array([np.nan if one is None else one for one in told], np.float64)
    values[good == 0] = np.nan
    return values
