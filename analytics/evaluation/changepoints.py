"""Score of changepoints, as SKAB defines it after Numenta's idea.

Katser & Kozitsin 2020 (SKAB, doi 10.34740/KAGGLE/DSV/1693952). Each true changepoint opens a window
to its right. The first prediction inside earns by how early it is, on a tanh slope; a window
without one costs, and so does each prediction outside. 0 = never an alarm, 100 = all at once and
nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]

WINDOW_NS = 60 * 10**9
_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Profile:
    """What a hit at once earns, and what a false prediction and a miss cost (negative)."""

    hit: float
    false: float
    miss: float


STANDARD = Profile(1.0, -0.11, -1.0)
LOW_FP = Profile(1.0, -0.22, -1.0)
LOW_FN = Profile(1.0, -0.11, -2.0)


@dataclass(frozen=True, slots=True)
class Changepoints:
    """Changepoints of one recording against predictions.

    Parameters
    ----------
    waits
        Time from each true changepoint to the first prediction in its window as a share of the
        window, 0 to 1; NaN where there was none.
    false
        Predictions outside every window.
    """

    waits: tuple[float, ...]
    false: int

    @classmethod
    def of(cls, true: Times, predicted: Times, window_ns: int = WINDOW_NS) -> "Changepoints":
        """Match ascending source times (ns); where windows overlap, the later begins later."""
        begins, ends = true.copy(), true + window_ns
        for i in range(1, len(true)):
            if ends[i - 1] >= begins[i]:
                begins[i] = ends[i - 1]
        waits, inside = [], np.zeros(len(predicted), np.bool_)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            hits = (predicted >= begin) & (predicted <= end)
            inside |= hits
            wide = end - begin
            wait = (int(predicted[hits][0]) - begin) / wide if hits.any() and wide else 0.0
            waits.append(wait if hits.any() else float("nan"))
        return cls(tuple(waits), int(np.count_nonzero(~inside)))

    @property
    def missed(self) -> int:
        """Windows without a prediction."""
        return int(np.count_nonzero(np.isnan(self.waits)))


def switches(alarm: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell the rows (n,) at which an alarm came or went: the predicted changepoints.

    Examples
    --------
    >>> switches(np.array([0, 1, 1, 0], bool)).astype(int).tolist()
    [0, 1, 0, 1]
    """
    return np.diff(alarm, prepend=False)


def changepoint_score(parts: Iterable[Changepoints], profile: Profile = STANDARD) -> float:
    """Score recordings together, 0 (never an alarm) to 100; below 0 for worse than silence."""
    score = worst = best = 0.0
    for part in parts:
        score += profile.false * part.false
        score += sum(_earned(wait, profile) for wait in part.waits)
        worst += profile.miss * len(part.waits)
        best += profile.hit * len(part.waits)
    return 100 * (score - worst) / (best - worst) if best > worst else float("nan")


def _earned(wait: float, profile: Profile) -> float:
    """Give what one window earns; the slope is SKAB's own, a table of 1000 steps."""
    if np.isnan(wait):
        return profile.miss
    step = min(int(wait * _STEPS), _STEPS - 1)
    x = -np.pi / 2 + np.pi * step / (_STEPS - 1)
    half = (profile.hit - profile.false) / 2
    return float(half * -np.tanh(x) / np.tanh(np.pi / 2) + half + profile.false)
