"""One cycle as a row of features: what each signal did from its beginning to its end.

Signals are held between their samples, so a mean is a mean over time, whatever the rate at which
each of them is read, and a cycle may be shorter than a second.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plant.parts import Measure

Columns = NDArray[np.float64]

QUARTERS = (
    Measure.FIRST_QUARTER,
    Measure.SECOND_QUARTER,
    Measure.THIRD_QUARTER,
    Measure.LAST_QUARTER,
)
MEASURES = (Measure.MEAN, Measure.LEAST, Measure.GREATEST, Measure.SPREAD, *QUARTERS)
"""Of every signal, in the order of the features; before them stands the duration."""


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    """The samples of one cycle.

    Parameters
    ----------
    start, stop
        Source times, ns; it holds what was from `start` on and before `stop`.
    held
        What each signal showed when it began, float64 (p,); NaN = not Good or not known.
    column
        Signal of each sample, (n,), in any order; one signal's samples stand in time order.
    at
        Source time of each sample, ns, int64 (n,), ``start <= at < stop``.
    value
        Value of each sample, float64 (n,); NaN = not Good.
    """

    start: int
    stop: int
    held: Columns
    column: NDArray[np.intp]
    at: NDArray[np.int64]
    value: Columns


def feature_count(signals: int) -> int:
    """Give the number of features of a cycle of so many signals."""
    return 1 + len(MEASURES) * signals


def feature_of(place: int) -> tuple[int | None, Measure]:
    """Say which signal a feature belongs to, None for the duration, and what of it.

    Examples
    --------
    >>> feature_of(0), feature_of(11)
    ((None, <Measure.DURATION: 'duration'>), (1, <Measure.GREATEST: 'greatest'>))
    """
    if place == 0:
        return None, Measure.DURATION
    signal, measure = divmod(place - 1, len(MEASURES))
    return signal, MEASURES[measure]


def features(cycle: Cycle) -> Columns:
    """Give the features of a cycle (1 + 8 p,); those of a signal that was not Good are NaN.

    A signal counts as not Good when it was so at any time of the cycle.
    """
    signals, span = len(cycle.held), cycle.stop - cycle.start
    row = np.full(feature_count(signals), np.nan)
    row[0] = span / 1e9
    if not signals or span <= 0:
        return row
    with np.errstate(over="ignore", invalid="ignore"):
        row[1:] = _table(cycle).ravel()
    row[~np.isfinite(row)] = np.nan
    return row


def _table(cycle: Cycle) -> Columns:
    """Give the features of every signal (p, 8)."""
    signals, span = len(cycle.held), cycle.stop - cycle.start
    column, at, value, weight = _points(cycle)
    begin = np.searchsorted(column, np.arange(signals))
    seconds = span / 1e9
    table = np.empty((signals, len(MEASURES)))
    mean = np.add.reduceat(weight * value, begin) / seconds
    away = value - mean[column]
    table[:, 0] = mean
    table[:, 1] = np.minimum.reduceat(value, begin)
    table[:, 2] = np.maximum.reduceat(value, begin)
    table[:, 3] = np.sqrt(np.add.reduceat(weight * away**2, begin) / seconds)
    cell = column * 4 + np.minimum((at - cycle.start) * 4 // span, 3)
    total = np.bincount(cell, weight * value, 4 * signals)
    table[:, 4:] = (total / np.bincount(cell, weight, 4 * signals)).reshape(signals, 4)
    # A value that was not Good, however short, leaves nothing of its signal to be judged.
    table[~np.isfinite(table).all(axis=1)] = np.nan
    return table


def _points(cycle: Cycle) -> tuple[NDArray[np.intp], NDArray[np.int64], Columns, Columns]:
    """Give each signal's values in time order, and for how long each stood, s.

    It is one value for each sample, one from the start, and one from each later quarter on.
    """
    signals, span = len(cycle.held), cycle.stop - cycle.start
    every = np.arange(signals)
    column = np.concatenate([every, cycle.column])
    at = np.concatenate([np.full(signals, cycle.start, np.int64), cycle.at])
    value = np.concatenate([cycle.held, cycle.value])
    # Rounded up, so that a moment falls into the quarter that begins with it.
    quarters = np.array([-(-k * span // 4) for k in (1, 2, 3)], np.int64)
    order = np.lexsort((at, column))
    key = column[order] * (span + 1) + (at[order] - cycle.start)
    asked = (every[:, None] * (span + 1) + quarters).ravel()
    shown = order[np.searchsorted(key, asked, side="right") - 1]
    column = np.concatenate([column, np.repeat(every, 3)])
    at = np.concatenate([at, np.tile(cycle.start + quarters, signals)])
    value = np.concatenate([value, value[shown]])
    order = np.lexsort((at, column))
    column, at, value = column[order], at[order], value[order]
    until = np.append(at[1:], cycle.stop)
    until[np.append(column[1:] != column[:-1], True)] = cycle.stop
    # Of several values at one instant only the last one stood for a time.
    stood = until > at
    return column[stood], at[stood], value[stood], (until - at)[stood] / 1e9
