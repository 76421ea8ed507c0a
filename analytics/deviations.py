"""How one row lies beside what is normal, in every channel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Deviation:
    """How one row deviates; arrays are the baseline's own and hold until its next row.

    Parameters
    ----------
    score
        In limits: above 1 is strange.
    strength
        Deviation of each signal (p,) in limits, in the channel where it is largest.
    in_limits
        Deviation in each channel (3, p), in its limits.
    limits
        Limits of the channels for each signal (3, p), in scales; they stay what they are.
    pooled
        All signals together in the quick and the slow channel, in limits.
    far
        Whether any signal may deviate by more than `TOGETHER` scales.
    """

    score: float
    strength: Columns
    in_limits: Columns
    limits: Columns
    pooled: tuple[float, float]
    far: bool

    @property
    def quick(self) -> float:
        """The part of the quick channel in the score."""
        return max(_largest(self.in_limits[0]), self.pooled[0])

    @property
    def slow(self) -> float:
        """The part of the slow channel in the score."""
        return max(_largest(self.in_limits[1]), self.pooled[1])


def _largest(values: Columns) -> float:
    return float(values[values.argmax()])


@dataclass(frozen=True, slots=True, eq=False)
class Healthy:
    """What is said of rows that are healthy, each after the other.

    Parameters
    ----------
    scores
        Of each row (n,), in limits.
    strength, scales
        Largest deviation of each signal in each row (n, p), in limits and in scales.
    last
        How the last row deviates; None if there is none.
    """

    scores: list[float]
    strength: Columns
    scales: Columns
    last: Deviation | None
