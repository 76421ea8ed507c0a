"""What is exported, piece by piece, in columns: windows of a history, or samples of a journal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from plant.errors import Misconfigured
from plant.quality import Quality, quality
from plant.samples import Batch, Recovery

if TYPE_CHECKING:
    from connectors.contract import History

Columns = Mapping[str, NDArray[Any]]
Piece = tuple[int, int, Columns]
"""How many steps are behind, of how many, and rows."""

WINDOWS = {
    "time": "begin of the window, UTC",
    "tag": "name of the tag",
    "count": "samples",
    "good_ratio": "share of them whose quality is Good",
    "min": "least of the Good ones, in the tag's unit",
    "max": "greatest",
    "mean": "mean of the samples, not weighted by time",
    "std": "standard deviation of the population",
    "first": "oldest",
    "last": "newest",
}
SAMPLES = {
    "time": "source time, UTC",
    "tag": "name of the tag",
    "value": "in the tag's unit; empty where there is none",
    "text": "value of a tag that is text",
    "quality": "good, uncertain or bad",
    "status": "OPC UA StatusCode",
    "recovered": "how it came that fills a gap: republish or history; empty if in its turn",
}
_QUALITIES = np.array([one.name.lower() for one in Quality], object)
_WAYS = {Recovery.NONE: "", Recovery.REPUBLISH: "republish", Recovery.HISTORY: "history"}


@runtime_checkable
class Counting(Protocol):
    """A history that counts the rows that it could not read."""

    damaged: int


@dataclass(slots=True)
class Windowed:
    """Windows of one length.

    Parameters
    ----------
    history
        Open.
    wanted
        Patterns of names; none means all.
    start, stop
        ns since 1970 UTC.
    every
        Length, ns.
    """

    history: "History"
    wanted: Sequence[str]
    start: int
    stop: int
    every: int
    units: dict[str, str] = field(default_factory=dict)
    damaged: int = 0

    def pieces(self) -> Iterator[Piece]:
        """Stream the rows, tag by tag, and note the units."""
        self.units = matching(self.history.tags(), self.wanted)
        names = np.array(list(self.units), object)
        known = len(names)
        for windows in self.history.read(list(self.units), self.start, self.stop, self.every):
            count = windows.count
            yield (
                int(windows.tag.max(initial=0)),
                known,
                {
                    "time": windows.start.astype("datetime64[ns]"),
                    "tag": names[windows.tag],
                    "count": count,
                    "good_ratio": windows.good / np.maximum(count, 1),
                    "min": windows.low,
                    "max": windows.high,
                    "mean": windows.mean,
                    "std": windows.std,
                    "first": windows.first,
                    "last": windows.last,
                },
            )
        self.damaged = self.history.damaged if isinstance(self.history, Counting) else 0


@dataclass(slots=True)
class Raw:
    """Samples, as the journal holds them, in the order of their arrival.

    Parameters
    ----------
    journal
        Its file.
    wanted
        Patterns of names; none means all.
    start, stop
        ns since 1970 UTC.
    """

    journal: Path
    wanted: Sequence[str]
    start: int
    stop: int
    units: dict[str, str] = field(default_factory=dict)
    damaged: int = 0

    def pieces(self) -> Iterator[Piece]:
        """Stream the rows, and note the units and what could not be read."""
        from gateway.journal import DamagedRecord
        from gateway.journal.excerpt import Excerpt

        excerpt = Excerpt(self.journal, self.start, self.stop)
        tags = excerpt.tags()
        self.units = matching(dict(tags.values()), self.wanted)
        names = np.full(max(tags, default=0) + 1, None, object)
        for handle, (name, _) in tags.items():
            names[handle] = name if name in self.units else None
        for done, known, record in excerpt.records():
            if isinstance(record, DamagedRecord):
                self.damaged += 1
                continue
            for rows in (_samples(record.batch, names), _texts(record.batch, names)):
                at = rows["time"].astype(np.int64)
                mine = (at >= self.start) & (at < self.stop) & (rows["tag"] != None)  # noqa: E711 - each
                if mine.any():
                    yield done, known, {name: column[mine] for name, column in rows.items()}


def _samples(batch: Batch, names: NDArray[Any]) -> Columns:
    n = len(batch)
    return _rows(
        batch.at, names[batch.tag], batch.value, np.full(n, "", object), batch.status, batch
    )


def _texts(batch: Batch, names: NDArray[Any]) -> Columns:
    said = batch.context
    handles = np.array([one.tag for one in said], np.int64)
    texts = np.array([one.text for one in said], object)
    at = np.array([one.at for one in said], np.int64)
    status = np.array([one.status for one in said], np.uint32)
    return _rows(at, names[handles], np.full(len(said), np.nan), texts, status, batch)


def _rows(
    at: NDArray[np.int64],
    tag: NDArray[Any],
    value: NDArray[np.float64],
    text: NDArray[Any],
    status: NDArray[np.uint32],
    batch: Batch,
) -> Columns:
    return {
        "time": at.astype("datetime64[ns]"),
        "tag": tag,
        "value": value,
        "text": text,
        "quality": _QUALITIES[quality(status)],
        "status": status,
        "recovered": np.full(len(at), _WAYS[batch.recovered], object),
    }


def matching(units: Mapping[str, str], wanted: Sequence[str]) -> dict[str, str]:
    """Give the tags whose names fit one of the patterns, all of them without any.

    Raises
    ------
    Misconfigured
        A pattern fits nothing.

    Examples
    --------
    >>> matching({"a/p/flow": "l/s", "a/p/mode": ""}, ["*/flow"])
    {'a/p/flow': 'l/s'}
    """
    for pattern in wanted:
        if not any(fnmatchcase(name, pattern) for name in units):
            known = ", ".join(list(units)[:3]) or "none at all"
            raise Misconfigured(
                f"no tag fits {pattern!r}; there are {len(units):,}, as {known}; "
                "* stands for any text"
            )
    return {
        name: unit
        for name, unit in units.items()
        if not wanted or any(fnmatchcase(name, pattern) for pattern in wanted)
    }
