"""Records to lines of line protocol, measurement by measurement, in the order of their coming."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from connectors.contract import Refusal
from connectors.influx.events import Surroundings, point_of
from connectors.influx.line_protocol import Column, Kind, Lines, encode, one, series, unspeakable
from connectors.influx.schema import (
    SCORE,
    SIGNAL,
    SUMMARIES,
    TAG,
    asset_places,
    places,
)
from plant.errors import Misconfigured
from plant.quality import quality
from plant.records import (
    ANOMALOUS,
    JUDGED,
    EventRecord,
    Record,
    SampleRecord,
    ScoreRecord,
    SummaryRecord,
)
from plant.tags import Tag, TagHandle

SCORE_EVERY, SCORE_WITHIN = 10_000_000_000, 1_000_000_000
"""Of rows that are not anomalous the first is kept that falls into the first second of ten, ns.

It depends on nothing but the record, so the same record twice gives the same points.
"""
_NOBODY = -1


@dataclass(slots=True)
class Encoded:
    """What came of some records.

    Parameters
    ----------
    lines
        Lines of each measurement, in their order.
    refusals
        What cannot be written at all.
    left_out
        Points of which nothing was left.
    """

    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refusals: list[Refusal] = field(default_factory=list)
    left_out: int = 0

    def add(self, measurement: str, made: Lines) -> None:
        """Take in the lines of one record."""
        self.lines[measurement] += made.lines
        self.left_out += made.left_out


class Points:
    """Writes the records of one gateway.

    Parameters
    ----------
    tags
        Every tag with its handle.
    gateway
        Name of the gateway.
    lengths
        Lengths of the windows to write, ns; others are passed over.

    Raises
    ------
    Misconfigured
        The name of a tag cannot be written in line protocol as it is.
    """

    def __init__(self, tags: Sequence[TagHandle], gateway: str, lengths: Iterable[int]) -> None:
        for one_tag in tags:
            if unspeakable(one_tag.tag.name):
                raise Misconfigured(
                    f"tag {one_tag.tag.name!r}: cannot be written to InfluxDB; name it with "
                    "letters and digits as in site/area/line/asset/signal"
                )
        self._tags = {each.handle: each.tag for each in tags}
        self._lengths = frozenset(lengths)
        self._row = np.full(max(self._tags, default=-1) + 2, _NOBODY, np.int64)
        self._row[list(self._tags)] = np.arange(len(self._tags))
        measurements = (SIGNAL, *SUMMARIES.values())
        self._keys = {name: self._keys_of(name) for name in measurements}
        self._around = Surroundings(gateway, _places_of_sources(self._tags.values()))

    def _keys_of(self, measurement: str) -> NDArray[np.object_]:
        keys = np.empty(len(self._tags), object)
        keys[:] = [series(measurement, places(tag.name)) for tag in self._tags.values()]
        return keys

    def described(self, at: int) -> list[str]:
        """Write what each tag is, at ns `at`: unit, limits, role, description."""
        lines = []
        for tag in self._tags.values():
            fields = {
                "unit": (Kind.TEXT, tag.unit),
                "low": (Kind.FLOAT, tag.low),
                "high": (Kind.FLOAT, tag.high),
                "role": (Kind.TEXT, tag.role.value),
                "source": (Kind.TEXT, tag.source),
                "description": (Kind.TEXT, tag.description or None),
            }
            line = one(series(TAG, places(tag.name)), at, fields)
            lines += [line] if line else []
        return lines

    def encode(self, records: Sequence[Record]) -> Encoded:
        """Write records; kinds that are not kept are passed over."""
        found = Encoded()
        for record in records:
            match record:
                case SummaryRecord():
                    self._summary(record, found)
                case ScoreRecord():
                    self._score(record, found)
                case SampleRecord():
                    self._samples(record, found)
                case EventRecord():
                    self._event(record, found)
        return found

    def _known(self, tag: NDArray[np.int32], what: str, found: Encoded) -> NDArray[np.intp]:
        """Give the rows whose tags are known; the others are refused in one sentence."""
        row = self._rows(tag)
        strangers = row == _NOBODY
        if strangers.any():
            handles = np.unique(tag[strangers])[:5].tolist()
            found.refusals.append(
                Refusal(
                    f"{int(strangers.sum())} of {what}",
                    f"tags that are not in the configuration any more (handles {handles})",
                )
            )
        return np.flatnonzero(~strangers)

    def _rows(self, tag: NDArray[np.int32]) -> NDArray[np.int64]:
        return self._row[np.clip(tag, -1, len(self._row) - 1)]

    def _summary(self, record: SummaryRecord, found: Encoded) -> None:
        if record.every not in self._lengths:
            return
        measurement = SUMMARIES[record.every]
        rows = self._known(record.tag, f"the windows of {record.source}", found)
        keys = self._keys[measurement][self._rows(record.tag[rows])].tolist()
        count = record.count[rows]
        ratio = record.good[rows] / np.maximum(count, 1)
        values = {
            "mean": record.mean,
            "min": record.low,
            "max": record.high,
            "std": record.std,
            "first": record.first,
            "last": record.last,
        }
        columns = [
            Column("n", Kind.INT, count),
            Column("good_ratio", Kind.FLOAT, ratio),
            *(Column(name, Kind.FLOAT, column[rows]) for name, column in values.items()),
        ]
        found.add(measurement, encode(keys, record.start[rows], columns))

    def _samples(self, record: SampleRecord, found: Encoded) -> None:
        batch = record.batch
        rows = self._known(batch.tag, f"the samples of {batch.source}", found)
        keys = self._keys[SIGNAL][self._rows(batch.tag[rows])].tolist()
        columns = [
            Column("v", Kind.FLOAT, batch.value[rows]),
            Column("q", Kind.INT, quality(batch.status[rows])),
        ]
        found.add(SIGNAL, encode(keys, batch.at[rows], columns))

    def _score(self, record: ScoreRecord, found: Encoded) -> None:
        anomalous = record.flags & ANOMALOUS != 0
        judged = record.flags & JUDGED != 0
        rows = np.flatnonzero(judged & (anomalous | _first_of_ten(record.at)))
        key = series(SCORE, asset_places(record.asset))
        columns = [
            Column("score", Kind.FLOAT, record.score[rows]),
            Column("threshold", Kind.FLOAT, record.threshold[rows]),
            Column("anomalous", Kind.BOOL, anomalous[rows]),
        ]
        found.add(SCORE, encode([key] * len(rows), record.at[rows], columns))

    def _event(self, record: EventRecord, found: Encoded) -> None:
        try:
            if record.kind == "context":
                self._context(record, found)
            elif point := point_of(record, self._around):
                line = point.line(record.at)
                found.add(point.measurement, Lines([line] if line else [], int(line is None)))
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            what = f"{record.kind} at {record.at}: {record.body}"
            found.refusals.append(Refusal(what, f"not what such an event holds: {error!r}"))

    def _context(self, record: EventRecord, found: Encoded) -> None:
        handle = np.array([record.body["tag"]], np.int32)
        status = quality(np.array([record.body["status"]], np.uint32)).tolist()
        fields = {"text": (Kind.TEXT, record.body["text"]), "q": (Kind.INT, status[0])}
        for row in self._rows(handle[self._known(handle, "the texts", found)]).tolist():
            line = one(self._keys[SIGNAL][row], record.at, fields)
            found.add(SIGNAL, Lines([line] if line else []))


def _first_of_ten(at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which rows are the first of theirs within the first second of ten, bool (n,)."""
    slot = at // SCORE_EVERY
    inside = at % SCORE_EVERY < SCORE_WITHIN
    first = np.ones(len(at), np.bool_)
    first[1:] = slot[1:] != slot[:-1]
    return inside & first


def _places_of_sources(tags: Iterable[Tag]) -> Mapping[str, dict[str, str]]:
    """Give what the tags of each source have in common of site, area and line."""
    shared: dict[str, dict[str, str]] = {}
    for tag in tags:
        own = places(tag.name)
        before = shared.setdefault(tag.source, own)
        shared[tag.source] = {key: own[key] for key in own if before.get(key) == own[key]}
    return shared
