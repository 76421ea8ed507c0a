"""How far predicted lives are from true ones."""

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]

CAPPED = 125.0
"""Cycles at which many papers cap the truth; whoever does has to say so."""
LATE = 10.0
"""Cycles by which a prediction that is higher than the truth counts as late."""


def rmse(predicted: Columns, true: Columns) -> float:
    """Root of the mean squared error of lives (n,), in their unit.

    Examples
    --------
    >>> rmse(np.array([1.0, 5.0]), np.array([1.0, 1.0])).__round__(4)
    2.8284
    """
    return float(np.sqrt(np.mean((predicted - true) ** 2)))


def phm08(predicted: Columns, true: Columns) -> float:
    """Sum of penalties over lives (n,): a late prediction costs more than an early one.

    Saxena, Goebel, Simon, Eklund 2008: "Damage propagation modeling for aircraft engine
    run-to-failure simulation", PHM08. exp(-d/13) - 1 where d = predicted - true is negative,
    exp(d/10) - 1 elsewhere.

    Examples
    --------
    >>> phm08(np.array([97.0, 113.0]), np.array([110.0, 103.0])).__round__(6)
    3.436564
    """
    late = predicted - true
    return float(np.sum(np.where(late < 0, np.expm1(-late / 13), np.expm1(late / 10))))


def late_share(predicted: Columns, true: Columns) -> float:
    """Share of lives (n,) that are promised to be more than `LATE` cycles longer than they are."""
    return float(np.mean(predicted > true + LATE))
