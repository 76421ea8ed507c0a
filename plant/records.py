"""What is kept and sent: samples with their verdicts, summaries, scores, events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected
from plant.samples import Batch

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None


def _demand(subject: str, name: str, column: NDArray[np.generic], dtype: type, rows: int) -> None:
    if column.dtype != dtype or column.shape != (rows,):
        raise Rejected(
            f"{subject}: column {name} is {column.dtype}{column.shape}, "
            f"expected {np.dtype(dtype)}({rows},)"
        )


@dataclass(frozen=True, slots=True, eq=False)
class SampleRecord:
    """One batch as it left the scaling, and the monitors' verdict on each sample, uint8 (n,)."""

    batch: Batch
    verdict: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Refuse a verdict that does not fit the batch."""
        subject = f"samples of {self.batch.source}"
        _demand(subject, "verdict", self.verdict, np.uint8, len(self.batch))


JUDGED, ANOMALOUS = 1, 2
"""Bits of `ScoreRecord.flags`: the row was judged; it is beyond the limit."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRecord:
    """Scores of one asset.

    Parameters
    ----------
    asset
        Path of the asset.
    at
        Source time of each judged row, ns, int64 (n,).
    score, threshold
        Score and the limit that was in force, float64 (n,).
    flags
        What the watch said of each row, bits `JUDGED` and `ANOMALOUS`, uint8 (n,).
    role, version
        Of a model that judges beside the one in force: ``shadow`` or ``former``, and its version.
    """

    asset: str
    at: NDArray[np.int64]
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    flags: NDArray[np.uint8]
    role: str = ""
    version: int = 0

    def __post_init__(self) -> None:
        """Refuse columns that do not fit together."""
        subject, rows = f"scores of {self.asset}", len(self.at)
        _demand(subject, "at", self.at, np.int64, rows)
        _demand(subject, "score", self.score, np.float64, rows)
        _demand(subject, "threshold", self.threshold, np.float64, rows)
        _demand(subject, "flags", self.flags, np.uint8, rows)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An alarm transition, an operator's action, a link event or a text context, at ns `at`."""

    kind: str
    at: int
    body: dict[str, JSON]


SUMMARY_COLUMNS: dict[str, type] = {
    "tag": np.int32,
    "start": np.int64,
    "count": np.uint32,
    "good": np.uint32,
    **dict.fromkeys(("low", "high", "mean", "std", "first", "last"), np.float64),
}
"""Columns of a `SummaryRecord` and their types, in the order in which they are stored."""


@dataclass(frozen=True, slots=True, eq=False)
class SummaryRecord:
    """What the samples of one source were in windows of one length.

    A window holds the samples with ``start <= at < start + every`` of one tag; the same tag and
    start again take the place of what was said before. Values are of its Good samples, NaN where
    there are none.

    Parameters
    ----------
    source
        Name of the source.
    every
        Length of the windows, ns; windows begin at whole multiples of it since 1970 UTC.
    tag
        Tag handles, int32 (n,).
    start
        Begin of each window, ns, int64 (n,).
    count, good
        Samples, and Good ones among them, uint32 (n,).
    low, high, mean, std
        Least, greatest, mean, and standard deviation of the population, float64 (n,).
    first, last
        Oldest and newest, float64 (n,).
    """

    source: str
    every: int
    tag: NDArray[np.int32]
    start: NDArray[np.int64]
    count: NDArray[np.uint32]
    good: NDArray[np.uint32]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse columns that do not fit together."""
        subject, rows = f"summaries of {self.source}", len(self.tag)
        for name, column, dtype in self.columns():
            _demand(subject, name, column, dtype, rows)

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.tag)

    def columns(self) -> list[tuple[str, NDArray[Any], type]]:
        """Give name, column and type of each column, in their order."""
        return [(name, getattr(self, name), dtype) for name, dtype in SUMMARY_COLUMNS.items()]

    def take(self, rows: NDArray[np.intp]) -> "SummaryRecord":
        """Give the windows at these rows, in their order."""
        return SummaryRecord(
            self.source, self.every, *(column[rows] for _, column, _ in self.columns())
        )

    def latest(self) -> "SummaryRecord":
        """Give each tag and start once, as it was said last, by tag, then by time."""
        order = np.lexsort((self.start, self.tag))  # stable: what was said later stands later
        tag, start = self.tag[order], self.start[order]
        changes = (tag[1:] != tag[:-1]) | (start[1:] != start[:-1])
        return self.take(order[np.append(changes, np.ones(min(len(self), 1), np.bool_))])

    def apart(self) -> list["SummaryRecord"]:
        """Give a record for each start, in time order."""
        order = np.argsort(self.start, kind="stable")
        start = self.start[order]
        return [
            self.take(rows)
            for rows in np.split(order, np.flatnonzero(start[1:] != start[:-1]) + 1)
            if len(rows)
        ]


def joined(records: Sequence[SummaryRecord]) -> SummaryRecord:
    """Put windows of one source and length into one record, in the order given; at least one."""
    columns = zip(*(record.columns() for record in records), strict=True)
    first = records[0]
    return SummaryRecord(
        first.source,
        first.every,
        *(np.concatenate([column for _, column, _ in same]) for same in columns),
    )


Record: TypeAlias = SampleRecord | ScoreRecord | EventRecord | SummaryRecord
