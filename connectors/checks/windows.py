"""Windows for the suites of sinks and histories: generated, and compared as they were written."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.checks.demands import require
from connectors.contract import History
from plant.records import SummaryRecord
from plant.summaries import MINUTE, Windows
from plant.tags import TagHandle

START = 1_700_000_040_000_000_000
"""Begin of the first window, ns: a whole minute."""
NUMBERS = (0.0, -1.5, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, float(2**53))
"""Least, greatest and inexact numbers: each has to come back as the sink promises."""


def told(
    handles: Sequence[TagHandle],
    starts: Sequence[int],
    every: int = MINUTE,
    *,
    source: str = "line",
    seed: int = 0,
) -> SummaryRecord:
    """Make windows of every tag at every one of `starts`, in the order of the starts."""
    rng = np.random.default_rng(seed)
    rows = len(handles) * len(starts)
    low = rng.normal(0, 100, rows)
    span = rng.uniform(0, 10, (4, rows))
    return SummaryRecord(
        source=source,
        every=every,
        tag=np.tile(np.array([h.handle for h in handles], np.int32), len(starts)),
        start=np.repeat(np.array(starts, np.int64), len(handles)),
        count=np.full(rows, 60, np.uint32),
        good=rng.integers(1, 61, rows).astype(np.uint32),
        low=low,
        high=low + 10,
        mean=low + span[0],
        std=span[1],
        first=low + span[2],
        last=low + span[3],
    )


def odd(handle: TagHandle, start: int, every: int = MINUTE) -> SummaryRecord:
    """Make windows that hold extreme numbers, and one of samples of which none was Good."""
    rows = len(NUMBERS) + 1
    value = np.array([*NUMBERS, np.nan])
    good = np.full(rows, 3, np.uint32)
    good[-1] = 0
    return SummaryRecord(
        source="line",
        every=every,
        tag=np.full(rows, handle.handle, np.int32),
        start=start + every * np.arange(rows, dtype=np.int64),
        count=np.full(rows, 3, np.uint32),
        good=good,
        low=value,
        high=value,
        mean=value,
        std=np.where(np.isnan(value), np.nan, 0.0),
        first=value,
        last=value,
    )


Row = tuple[Any, ...]


def rows_of(record: SummaryRecord, names: dict[int, str]) -> dict[tuple[str, int], Row]:
    """Give what a record says of each tag and start; the last one said of the same holds."""
    columns = [column.tolist() for _, column, _ in record.columns()]
    return {
        (names[tag], start): (count, good, *map(_shown, values))
        for tag, start, count, good, *values in zip(*columns, strict=True)
    }


def same(record: SummaryRecord) -> SummaryRecord:
    """Give what is read back of windows that are kept to the last bit."""
    return record


def _shown(value: float) -> float | str:
    """NaN compares equal to nothing, not even to itself."""
    return "nothing" if value != value else value


def kept(
    history: History, tags: Sequence[str], start: int, stop: int, every: int = MINUTE
) -> dict[tuple[str, int], Row]:
    """Read a history whole; demand that each tag's windows come in time order and once."""
    found: dict[tuple[str, int], Row] = {}
    newest: dict[str, int] = {}
    for piece in history.read(tags, start, stop, every):
        for tag, at, *rest in zip(*_columns(piece), strict=True):
            name = tags[tag]
            require(
                at > newest.get(name, at - 1),
                f"windows of {name} come in time order, each once: {at} after {newest.get(name)}",
            )
            newest[name] = at
            count, good, *values = rest
            found[name, at] = (count, good, *map(_shown, values))
    return found


def _columns(piece: Windows) -> Iterable[list[Any]]:
    for field in fields(piece):
        column: NDArray[Any] = getattr(piece, field.name)
        yield column.tolist()
