"""Robust centre and scale of signals, as a machine shows them while it is healthy."""

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]

TRIM = 0.95
"""Share of the squared deviations that is believed; the rest may be faults in the history."""
WIDEN = 1.15
"""Makes up for the trimmed tail (√1.28 = 1.13 for a normal signal) and a short history."""
CLASS = 0.003
"""Share of a signal's span over all modes below which no deviation is worth telling: about the
accuracy class of an industrial transmitter (IEC 62828)."""


def seen(rows: Columns) -> NDArray[np.bool_]:
    """Tell which signals (p,) of rows (n, p) ever have a value."""
    found: NDArray[np.bool_] = np.logical_or.reduce(np.isfinite(rows), axis=0)
    return found


def robust_centre(rows: Columns) -> Columns:
    """Give the median of each signal (p,) of rows (n, p); NaN for one that is never seen."""
    centre = np.full(rows.shape[1], np.nan)
    known = seen(rows)
    if known.any():
        centre[known] = np.nanmedian(rows[:, known], axis=0)
    return centre


def followed(rows: Columns, half_life: float) -> tuple[Columns, Columns]:
    """Follow rows (n, p) in time: give their deviations from the level before, and the last level.

    The level starts as a plain mean; a row beyond three robust spreads moves it no further than
    that, so a fault in the history does not carry it away.

    Parameters
    ----------
    rows
        Healthy rows, NaN = not Good: its deviation is NaN and the level stays.
    half_life
        Rows after which a row counts half in the level.
    """
    level = robust_centre(rows)
    spread = 1.4826 * robust_centre(np.abs(rows - level))
    reach = np.where(spread > 0, 3.0 * spread, np.inf)
    slowest = 1 - 0.5 ** (1 / half_life)
    away = np.empty(rows.shape)
    for k, row in enumerate(rows):
        np.subtract(row, level, out=away[k])
        step = np.clip(np.nan_to_num(away[k]), -reach, reach)
        level = level + max(slowest, 1 / (k + 2)) * step
    return away, level


def robust_scale(away: Columns, floor: Columns) -> Columns:
    """Give the usual size (p,) of deviations (n, p), never below `floor`.

    Root of the trimmed mean square: it sees slow wandering, which a median deviation of a signal
    that mostly stands still does not.

    Parameters
    ----------
    away
        Deviations of healthy rows from their level, NaN = not Good.
    floor
        Per signal (p,), in the signals' units.
    """
    square = np.sort(away**2, axis=0)
    count = np.isfinite(square).sum(axis=0)
    kept = np.maximum(1, np.ceil(TRIM * count)).astype(np.intp)
    believed = np.arange(len(away))[:, None] < kept
    total = np.where(believed & np.isfinite(square), square, 0.0).sum(axis=0)
    scale = WIDEN * np.sqrt(total / np.minimum(kept, np.maximum(count, 1)))
    return np.maximum(np.where(count > 0, scale, 0.0), floor)


def scale_floor(rows: Columns) -> Columns:
    """Give the smallest deviation worth telling of each signal (p,).

    The larger of half the signal's smallest step (its quantisation), a share of its span over all
    `rows` (n, p), whatever the mode, and its last digits.
    """
    floor = np.full(rows.shape[1], 1e-9)
    known = seen(rows)
    if known.any():
        column = rows[:, known]
        low, high = quantiles(column, (0.005, 0.995))
        digits = 1e-6 * np.abs(np.nanmean(column, axis=0))
        floor[known] = np.maximum(np.maximum(CLASS * (high - low), digits), 1e-9)
    return floor


def quantiles(rows: Columns, shares: tuple[float, float]) -> Columns:
    """Give quantiles (2, p) of rows (n, p), NaN left out; each signal has a value somewhere."""
    # np.nanquantile walks column by column in Python; whole rows, the usual case, need not.
    if np.isfinite(rows).all():
        return np.quantile(rows, shares, axis=0)
    return np.nanquantile(rows, shares, axis=0)


def quantum(raw: Columns) -> Columns:
    """Give the smallest step (p,) between the values of raw rows (n, p); 0 for fine signals.

    A signal counts as quantised when few of its values differ.

    Examples
    --------
    >>> quantum(np.array([[0.0], [0.5], [0.5], [1.5], [0.0], [0.5]])).tolist()
    [0.5]
    """
    step = np.zeros(raw.shape[1])
    for j in np.flatnonzero(seen(raw)).tolist():
        values = np.unique(raw[np.isfinite(raw[:, j]), j])
        if 1 < len(values) <= len(raw) / 2:
            step[j] = float(np.diff(values).min())
    return step
