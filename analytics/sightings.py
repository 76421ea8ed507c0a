"""What the last judged row of an asset showed."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State

Columns = NDArray[np.float64]

FLOOR = 0.5
"""Deviations below this share of the limit are no part of a reason."""
_FLOOR = np.array(FLOOR)  # beside an array this is far quicker than a number


@dataclass(slots=True, eq=False)
class Sighting:
    """The last judged row: score and limit, means, deviations (p,).

    Those of each channel (3, p) are in its limits (3, p). Arrays hold until the next row.
    """

    at: int
    mode: int
    score: float
    limit: float
    quick: Columns
    past: Columns
    strength: Columns
    in_limits: Columns
    limits: Columns

    @property
    def scales(self) -> Columns:
        """The largest deviation of each signal (p,), in scales."""
        quick, slow, restless = self.in_limits * self.limits
        largest: Columns = np.maximum(quick, slow)
        np.maximum(largest, restless, out=largest)
        return largest

    @property
    def contributions(self) -> Columns:
        """What each signal (p,) has in the score, summing to it."""
        part, whole = _parts(self.strength)
        part *= self.score / (whole if whole > 1e-300 else 1e-300)
        return part

    def state(self) -> State:
        """Give everything as arrays."""
        return {
            "row": np.array([self.at, self.mode], np.int64),
            "score": np.array([self.score, self.limit, *self.limits[:, 0]]),
            "columns": np.vstack((self.quick, self.past, self.strength, self.in_limits)),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same again."""
        at, mode = state["row"].tolist()
        score, limit, *limits = state["score"].tolist()
        quick, past, strength, *in_limits = state["columns"].copy()
        return cls(
            at, mode, score, limit, quick, past, strength, np.array(in_limits),
            np.repeat(np.array(limits)[:, None], len(quick), axis=1),
        )  # fmt: skip


def parts(strength: Columns) -> Columns:
    """Give the parts of each signal (p,) in a score: what many do a little makes no reason.

    Parameters
    ----------
    strength
        Deviation of each signal (p,) in limits.
    """
    return _parts(strength)[0]


def _parts(strength: Columns) -> tuple[Columns, float]:
    """Give the squares (p,) of what lies above `FLOOR`, if any does, else of all; and their sum."""
    above: Columns = np.maximum(strength, _FLOOR)
    above -= _FLOOR
    whole = float(above.dot(above))
    if not whole:
        above, whole = strength.copy(), float(strength.dot(strength))
    above *= above
    return above, whole


def contributions(score: Columns, strength: Columns) -> Columns:
    """Give what each signal has in each score (n,), summing to it (n, p).

    Parameters
    ----------
    strength
        Deviations in limits (n, p); NaN where a row was not judged.
    """
    above = np.maximum(strength - FLOOR, 0.0)
    told: NDArray[np.bool_] = above.max(axis=1, keepdims=True) > 0
    above = np.where(told, above, strength)
    whole = np.vecdot(above, above)  # to the bit what a row alone gives
    above *= above
    above *= (score / np.maximum(whole, 1e-300))[:, None]
    return above
