"""Correlation of the signals, shrunk, and its inverse for whatever signals are present."""

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]

CLIPPED = 4.0
"""Standardised deviations beyond this count as this: one fault must not make a correlation."""
LEAST_SHRINKAGE = 0.1
"""Kept however long the history: near-exact relations between signals hold only nearly."""
PATTERNS = 64
"""Inverses remembered, one a pattern of missing signals."""


def shrinkage(signals: int, rows: float) -> float:
    """Give the weight of the identity beside a correlation of `signals` from independent `rows`.

    Examples
    --------
    >>> round(shrinkage(8, 20), 2), shrinkage(8, 1e9)
    (0.31, 0.1)
    """
    return max(LEAST_SHRINKAGE, (signals + 1) / (signals + 1 + rows))


def shrunk_correlation(z: Columns, rows: float) -> Columns:
    """Give (1 − λ)·R + λ·I (p, p) of standardised deviations z (n, p), NaN counting as 0.

    Parameters
    ----------
    z
        Deviations in units of each signal's scale.
    rows
        How many independent rows z is worth; neighbours in time are not independent.
    """
    filled = np.nan_to_num(np.clip(z, -CLIPPED, CLIPPED))
    gram = filled.T @ filled
    size = np.sqrt(np.diag(gram))
    size[size == 0] = 1.0
    weight = shrinkage(z.shape[1], rows)
    mixed: Columns = (1 - weight) * gram / np.outer(size, size)
    np.fill_diagonal(mixed, 1.0)
    return mixed


class Precision:
    """Inverse of a correlation matrix, for every pattern of present signals.

    A missing signal is left out of the matrix before it is inverted: the exact marginal, the same
    as filling it with its conditional expectation.

    Parameters
    ----------
    correlation
        Positive definite (p, p).
    """

    def __init__(self, correlation: Columns) -> None:
        self.correlation = correlation
        self._known: dict[bytes, tuple[Columns, Columns]] = {}
        self.full = self._invert(correlation)

    def of(self, present: NDArray[np.bool_]) -> tuple[Columns, Columns]:
        """Give the inverse (k, k) and the roots of its diagonal (k,) for `present` signals (p,)."""
        key = present.tobytes()
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= PATTERNS:
                self._known.clear()
            found = self._invert(self.correlation[np.ix_(present, present)])
            self._known[key] = found
        return found

    @staticmethod
    def _invert(correlation: Columns) -> tuple[Columns, Columns]:
        inverse: Columns = np.linalg.inv(correlation).astype(np.float64)
        inverse = np.ascontiguousarray(0.5 * (inverse + inverse.T))
        return inverse, np.sqrt(np.diag(inverse))
