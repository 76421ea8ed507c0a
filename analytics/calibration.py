"""Whether a probability means what it says."""

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]
Marks = NDArray[np.bool_]


def expected_calibration_error(truth: Marks, probability: Columns, bins: int = 10) -> float:
    """Mean distance between probability and frequency, over `bins` of equal width (ECE).

    Naeini, Cooper, Hauskrecht 2015: "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI.

    Parameters
    ----------
    truth
        Whether it happened (n,).
    probability
        What was said, 0 to 1 (n,).

    Examples
    --------
    >>> expected_calibration_error(np.array([1, 0], bool), np.array([0.75, 0.75]))
    0.25
    """
    place = np.minimum((probability * bins).astype(int), bins - 1)
    happened = np.bincount(place, truth.astype(np.float64), minlength=bins)
    said = np.bincount(place, probability, minlength=bins)
    return float(np.sum(np.abs(happened - said)) / len(truth))


def brier(truth: Marks, probability: Columns) -> float:
    """Mean squared distance between probability and what happened (Brier 1950)."""
    return float(np.mean((probability - truth) ** 2))
