"""Healthy scores that mean something: no row is scored by what was learnt from it."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]

FOLDS = 5
"""Contiguous parts of the history, each scored by what the others say."""


def contiguous(rows: int, folds: int = FOLDS) -> Iterator[tuple[int, int]]:
    """Give begin and end of each part of a history of so many rows."""
    return pairwise(np.linspace(0, rows, folds + 1).astype(int).tolist())


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
    parts = []
    for begin, end in contiguous(len(rows), folds):
        others = np.concatenate((rows[:begin], rows[end:]))
        parts.append(score(others, rows[begin:end]))
    return np.concatenate(parts)
