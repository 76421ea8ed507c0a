"""Limits of a score from healthy scores alone: no label, and no score of a row that was learnt."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]

FOLDS = 5
"""Contiguous parts of the history, each scored by what the others say."""
HIGH = 0.98
"""Quantile that stands for the upper end of healthy scores."""
REACH = 4.0
"""Distances from median to that quantile at which a score is no longer healthy."""
ABOVE = 1.2
"""And above the highest healthy score by this, as far as the history is believed."""
LOWEST = 2.5
"""No limit below this: about the highest of a dozen normal signals in a few thousand rows."""
BELIEVED = 0.998
"""Share of the history that is believed; the rest may be faults in it."""


def cross_fitted(
    rows: Columns, score: Callable[[Columns, Columns], Columns], folds: int = FOLDS
) -> Columns:
    """Score every row (n,) by a detector that has not learnt it or its neighbours.

    In-sample scores are always too small, the more so the more signals there are.

    Parameters
    ----------
    rows
        Healthy rows (n, p) in time order.
    score
        Takes rows to learn and rows to score, gives the scores of the latter.
    folds
        Number of contiguous parts.
    """
    ends = np.linspace(0, len(rows), folds + 1).astype(np.intp)
    parts = []
    for begin, end in pairwise(ends.tolist()):
        others = np.concatenate((rows[:begin], rows[end:]))
        parts.append(score(others, rows[begin:end]))
    return np.concatenate(parts)


def calibrated_limit(scores: Columns, margin: float = 1.0) -> float:
    """Give the score above which a row is anomalous, from healthy cross-fitted scores (n,).

    Parameters
    ----------
    scores
        Scores of healthy rows that the detector had not learnt.
    margin
        Multiplies the distance between median and limit; more = fewer alarms.

    Examples
    --------
    >>> calibrated_limit(np.linspace(0.5, 2.5, 101))
    5.34
    """
    usable = scores[np.isfinite(scores)]
    median, high, top = np.quantile(usable, (0.5, HIGH, BELIEVED))
    reach = max(REACH * (high - median), ABOVE * top - median)
    return float(round(max(LOWEST, median + margin * reach), 12))
