"""Courses of the mill of `tests.mill`, without a history between."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from analytics.settings import WatchSettings
from analytics.training.course import Course, Machine
from plant.records import SummaryRecord
from plant.summaries import TEN_SECONDS, Windows
from tests import mill

MACHINE = Machine(
    path=mill.PATH,
    signals=tuple(tag.name for tag in mill.TAGS[:4]),
    units=mill.UNITS,
    sources=("plc",) * 5,
    mode=mill.TAGS[4].name,
    names=((mill.IDLE, "idle"), (mill.RUN, "run")),
)
SETTINGS = WatchSettings(find_modes=False)


def windows(record: SummaryRecord) -> Windows:
    """Give a record as a history gives it."""
    columns = {name: column for name, column, _ in record.columns()}
    columns["count"] = columns["count"].astype(np.int64)
    columns["good"] = columns["good"].astype(np.int64)
    return Windows(**columns)


def course(
    values: NDArray[np.float64],
    every: int = TEN_SECONDS,
    bad: NDArray[np.bool_] | None = None,
    sources: Iterable[str] = MACHINE.sources,
) -> Course:
    """Give the course of rows (n, 5) from the first second on."""
    record = mill.summaries(values, every, bad)
    stop = mill.BEGIN + len(values) * mill.SECOND
    return Course.gather([windows(record)], list(sources), mill.BEGIN, stop, every)


def instant(second: float) -> int:
    """Give the source time of a second after the first, ns."""
    return mill.BEGIN + round(second * mill.SECOND)
