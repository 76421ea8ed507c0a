"""The score of the Numenta Anomaly Benchmark: early alarms in windows, and every row outside costs.

Lavin & Ahmad 2015: "Evaluating real-time anomaly detection algorithms, the Numenta Anomaly
Benchmark", ICMLA. 0 = never an alarm, 100 = every window at its first row and nothing else.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """What a hit earns, and what a false row and a missed window cost (positive)."""

    hit: float
    false: float
    miss: float


STANDARD = Weights(1.0, 0.11, 1.0)
LOW_FP = Weights(1.0, 0.22, 1.0)
LOW_FN = Weights(1.0, 0.11, 2.0)

_FAR = 3.0
"""Window widths behind a window from which on a false row costs in full."""


def probation(rows: int) -> int:
    """Give the rows at the start of a series that are learnt from and never scored.

    Examples
    --------
    >>> probation(1000), probation(20_000)
    (150, 750)
    """
    return int(min(math.floor(0.15 * rows), 0.15 * 5000))


def _slope(position: float) -> float:
    return -1.0 if position > _FAR else 2 / (1 + math.exp(5 * position)) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """What an alarm at each row of a series is worth.

    Parameters
    ----------
    weight
        Part of a hit's gain, or of a false row's cost (n,).
    window
        Number of the window that a row is in (n,); -1 outside, -2 in the probation.
    """

    weight: Columns
    window: NDArray[np.int64]

    @classmethod
    def of(cls, rows: int, windows: Sequence[tuple[int, int]]) -> "Field":
        """Lay out windows of (first row, last row) over a series of `rows`."""
        weight, window = np.full(rows, -1.0), np.full(rows, -1, np.int64)
        most = _slope(-1.0)
        for number, (first, last) in enumerate(windows):
            width = last - first + 1
            for row in range(first, last + 1):
                weight[row] = _slope(-(last - row + 1) / width) / most
                window[row] = number
            beyond = windows[number + 1][0] if number + 1 < len(windows) else rows
            for row in range(last + 1, beyond):
                weight[row] = _slope((row - last) / (width - 1)) if width > 1 else -1.0
        window[: probation(rows)] = -2
        return cls(weight, window)

    @property
    def numbers(self) -> list[int]:
        """Windows that reach beyond the probation."""
        return [int(number) for number in np.unique(self.window) if number >= 0]


def window_score(
    parts: Iterable[tuple[NDArray[np.bool_], Field]], weights: Weights = STANDARD
) -> float:
    """Score the alarms (n,) of several series together; NaN without a window."""
    score = worst = best = 0.0
    for alarm, field in parts:
        score += weights.false * float(field.weight[alarm & (field.window == -1)].sum())
        for number in field.numbers:
            hits = alarm & (field.window == number)
            score += weights.hit * float(field.weight[hits].max()) if hits.any() else -weights.miss
            worst -= weights.miss
            best += weights.hit
    return 100 * (score - worst) / (best - worst) if best > worst else float("nan")


def best_window_score(
    parts: Iterable[tuple[Columns, Field]], weights: Weights = STANDARD
) -> tuple[float, float]:
    """Give score and threshold if the threshold is chosen on these labels, as the scoreboard does.

    An upper bound that nobody may claim; every distinct score (n,) of the series is tried.
    """
    scores, gains, windows = [], [], 0
    for score, field in parts:
        outside = field.window == -1
        scores.append(score[outside])
        gains.append(weights.false * field.weight[outside])
        for number in field.numbers:
            rows = np.flatnonzero(field.window == number)
            rows = rows[np.argsort(-score[rows], kind="stable")]
            earned = np.maximum.accumulate(weights.hit * field.weight[rows])
            scores.append(score[rows])
            gains.append(np.diff(earned, prepend=-weights.miss))
            windows += 1
    if not windows:
        return float("nan"), float("nan")
    pooled, gain = np.concatenate(scores), np.concatenate(gains)
    order = np.argsort(-pooled, kind="stable")
    ordered, total = pooled[order], np.cumsum(gain[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    best = int(last[int(np.argmax(total[last]))])
    if total[best] <= 0:
        return 0.0, math.inf
    return 100 * float(total[best]) / (windows * (weights.hit + weights.miss)), float(ordered[best])
