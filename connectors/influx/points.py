"""Records to lines of line protocol, measurement by measurement, in the order of their coming."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from connectors.contract import Refusal
from connectors.influx.digits import plain, within_spread
from connectors.influx.events import Surroundings, points_of
from connectors.influx.line_protocol import Column, Kind, Lines, encode, one, series, unspeakable
from connectors.influx.schema import (
    SCORE,
    SIGNAL,
    SUMMARIES,
    TAG,
    asset_places,
    places,
)
from plant.quality import quality
from plant.records import (
    ANOMALOUS,
    JUDGED,
    EventRecord,
    Record,
    SampleRecord,
    ScoreRecord,
    SummaryRecord,
    joined,
)
from plant.tags import Tag, TagHandle

SCORE_EVERY, ANOMALOUS_EVERY, SCORE_WITHIN = 10_000_000_000, 5_000_000_000, 1_000_000_000
"""Of the rows of a record the first is kept that falls into the first second of ten, of those that
are anomalous the first of five, ns.

It depends on nothing but the record, so the same record twice gives the same points.
"""
_NOBODY = -1
_STRANGE = "no tag that was ever configured has this number"
_NAMELESS = (
    "the name of the tag holds a backslash or a control character, which line protocol cannot hold"
)
_ENDLESS = "holds an infinity, which no InfluxDB keeps"


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
        Every tag with its handle, also those that are retired.
    gateway
        Name of the gateway.
    lengths
        Lengths of the windows to write, ns; others are passed over.
    """

    def __init__(self, tags: Sequence[TagHandle], gateway: str, lengths: Iterable[int]) -> None:
        every = {each.handle: each.tag for each in tags}
        self._retired = {each.handle for each in tags if each.retired}
        self._unspeakable = {number for number, tag in every.items() if unspeakable(tag.name)}
        self._tags = {
            number: tag for number, tag in every.items() if number not in self._unspeakable
        }
        self._lengths = frozenset(lengths)
        self._row = np.full(max(self._tags, default=-1) + 2, _NOBODY, np.int64)
        self._row[list(self._tags)] = np.arange(len(self._tags))
        measurements = (SIGNAL, *SUMMARIES.values())
        self._keys = {name: self._keys_of(name) for name in measurements}
        present = [tag for number, tag in self._tags.items() if number not in self._retired]
        around = _places_of_sources(self._tags.values()) | _places_of_sources(present)
        self._around = Surroundings(gateway, around)

    def _keys_of(self, measurement: str) -> NDArray[np.object_]:
        keys = np.empty(len(self._tags), object)
        keys[:] = [series(measurement, places(tag.name)) for tag in self._tags.values()]
        return keys

    def described(self, at: int) -> list[str]:
        """Write what each tag is, at ns `at`: unit, limits, role, description.

        Of one that is retired no more is known than its unit and its source.
        """
        lines = []
        for number, tag in self._tags.items():
            fields = {
                "unit": (Kind.TEXT, tag.unit),
                "low": (Kind.FLOAT, tag.low),
                "high": (Kind.FLOAT, tag.high),
                "role": (Kind.TEXT, None if number in self._retired else tag.role.value),
                "source": (Kind.TEXT, tag.source),
                "description": (Kind.TEXT, tag.description or None),
            }
            line = one(series(TAG, places(tag.name)), at, fields)
            lines += [line] if line else []
        return lines

    def encode(self, records: Sequence[Record]) -> Encoded:
        """Write records; kinds that are not kept are passed over."""
        found = Encoded()
        windows: dict[tuple[int, str], list[SummaryRecord]] = defaultdict(list)
        for record in records:
            match record:
                case SummaryRecord() if record.every in self._lengths:
                    windows[record.every, record.source].append(record)
                case ScoreRecord():
                    self._score(record, found)
                case SampleRecord():
                    self._samples(record, found)
                case EventRecord():
                    self._event(record, found)
        for alike in windows.values():
            # A backlog has many small ones, and most of the work is by the call.
            self._summary(joined(alike), found)
        return found

    def _known(self, tag: NDArray[np.int32], what: str, found: Encoded) -> NDArray[np.intp]:
        """Give the rows that can be written; of each other tag all are refused in one sentence."""
        strangers = self._rows(tag) == _NOBODY
        for handle in np.unique(tag[strangers]).tolist():
            why = _NAMELESS if handle in self._unspeakable else _STRANGE
            count = np.count_nonzero(tag == handle)
            found.refusals.append(Refusal(f"{count} of {what}, tag {handle}", why))
        return np.flatnonzero(~strangers)

    def _rows(self, tag: NDArray[np.int32]) -> NDArray[np.int64]:
        return self._row[np.clip(tag, -1, len(self._row) - 1)]

    def _summary(self, record: SummaryRecord, found: Encoded) -> None:
        measurement = SUMMARIES[record.every]
        rows = self._known(record.tag, f"the windows of {record.source}", found)
        rows = self._finite(record, rows, found)
        keys = self._keys[measurement][self._rows(record.tag[rows])].tolist()
        count = record.count[rows]
        ratio = record.good[rows] / np.maximum(count, 1)
        written = as_written(record)
        values = {
            "mean": written.mean,
            "min": written.low,
            "max": written.high,
            "std": written.std,
            "first": written.first,
            "last": written.last,
        }
        columns = [
            Column("n", Kind.INT, count),
            Column("good_ratio", Kind.FLOAT, ratio),
            *(Column(name, Kind.FLOAT, column[rows]) for name, column in values.items()),
        ]
        found.add(measurement, encode(keys, record.start[rows], columns))

    def _finite(
        self, record: SummaryRecord, rows: NDArray[np.intp], found: Encoded
    ) -> NDArray[np.intp]:
        """Refuse windows with an infinity: without it they would tell of other samples."""
        values = (record.low, record.high, record.mean, record.std, record.first, record.last)
        endless = np.any([np.isinf(column[rows]) for column in values], axis=0)
        for row in rows[endless].tolist():
            name = self._tags[int(record.tag[row])].name
            what = f"{SUMMARIES[record.every]} of {name} at {record.start[row]}"
            found.refusals.append(Refusal(what, _ENDLESS))
        finite: NDArray[np.intp] = rows[~endless]
        return finite

    def _samples(self, record: SampleRecord, found: Encoded) -> None:
        batch = record.batch
        rows = self._known(batch.tag, f"the samples of {batch.source}", found)
        keys = self._keys[SIGNAL][self._rows(batch.tag[rows])].tolist()
        columns = [
            Column("v", Kind.FLOAT, plain(batch.value[rows])),
            Column("q", Kind.INT, quality(batch.status[rows])),
        ]
        found.add(SIGNAL, encode(keys, batch.at[rows], columns))

    def _score(self, record: ScoreRecord, found: Encoded) -> None:
        anomalous = record.flags & ANOMALOUS != 0
        judged = record.flags & JUDGED != 0
        often = anomalous & _first_of(record.at, ANOMALOUS_EVERY)
        rows = np.flatnonzero(judged & (often | _first_of(record.at, SCORE_EVERY)))
        key = series(SCORE, asset_places(record.asset))
        score, threshold = _shortened(record.score[rows]), _shortened(record.threshold[rows])
        columns = [
            Column("score", Kind.FLOAT, score),
            Column("threshold", Kind.FLOAT, threshold),
            Column("anomalous", Kind.BOOL, anomalous[rows]),
        ]
        if record.role:
            # Fields beside the others, at the same times: no series more, and who asks for the
            # scores gets those of the model in force.
            columns = [
                Column("beside_score", Kind.FLOAT, score),
                Column("beside_threshold", Kind.FLOAT, threshold),
                Column("beside_version", Kind.INT, np.full(len(rows), record.version)),
            ]
        found.add(SCORE, encode([key] * len(rows), record.at[rows], columns))

    def _event(self, record: EventRecord, found: Encoded) -> None:
        try:
            if record.kind == "context":
                self._context(record, found)
            else:
                told = [(one, one.line(record.at)) for one in points_of(record, self._around)]
                for point, line in told:
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


def as_written(record: SummaryRecord) -> SummaryRecord:
    """Give windows with the numbers that are written of them; see `connectors.influx.digits`."""
    samples = np.array((record.low, record.high, record.first, record.last))
    low, high, first, last = plain(samples.ravel()).reshape(samples.shape)
    mean, std = within_spread(record.mean, record.std, low, high)
    return replace(record, low=low, high=high, mean=mean, std=std, first=first, last=last)


def _shortened(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to six digits, float64 (n,): more of a score is noise, and noise does not compress.

    Examples
    --------
    >>> _shortened(np.array([3.14159265, -0.000123456789, 0.0, 123456789.0, np.inf])).tolist()
    [3.14159, -0.000123457, 0.0, 123457000.0, inf]
    """
    return np.array([float(f"{one:.6g}") for one in value.tolist()], np.float64)


def _first_of(at: NDArray[np.int64], every: int) -> NDArray[np.bool_]:
    """Tell which rows are the first of theirs within the first second of so many, bool (n,)."""
    slot = at // every
    inside = at % every < SCORE_WITHIN
    first = np.ones(len(at), np.bool_)
    first[1:] = slot[1:] != slot[:-1]
    return inside & first


def _places_of_sources(tags: Iterable[Tag]) -> dict[str, dict[str, str]]:
    """Give what the tags of each source have in common of site, area and line."""
    shared: dict[str, dict[str, str]] = {}
    for tag in tags:
        own = places(tag.name)
        before = shared.setdefault(tag.source, own)
        shared[tag.source] = {key: own[key] for key in own if before.get(key) == own[key]}
    return shared
