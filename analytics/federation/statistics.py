"""Count, mean and centred scatter of rows: what a covariance needs, and merges without loss.

Sums of squares are never taken about zero: with an offset of two million spreads what is left of
them has a negative eigenvalue. The centred forms merge by the means' distances (Chan, Golub &
LeVeque 1983, "Algorithms for computing the sample variance", The American Statistician 37).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, isfinite

import numpy as np
from numpy.typing import NDArray

from analytics.federation.refusals import Refused, Why

Columns = NDArray[np.float64]

NEGATIVE = 1e-8
"""An eigenvalue this much below zero, in signals of scatter one, is no rounding any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """What is known of a number of rows.

    Parameters
    ----------
    n
        Number of rows, at least 0.
    mean
        Of each signal (p,), in the signals' units.
    scatter
        Sum over the rows of the products of two signals' distances from their means (p, p).
    """

    n: int
    mean: Columns
    scatter: Columns

    @classmethod
    def of(cls, rows: Columns) -> "Statistics":
        """Take the statistics of rows (n, p), all of them finite."""
        if not len(rows):
            signals = rows.shape[1]
            return cls(0, np.zeros(signals), np.zeros((signals, signals)))
        near = rows - rows[0]  # exact where it matters: neighbours differ little
        offset = near.mean(axis=0)
        near -= offset
        mend = near.mean(axis=0)
        near -= mend
        scatter = near.T @ near
        return cls(len(rows), rows[0] + (offset + mend), 0.5 * (scatter + scatter.T))

    @property
    def covariance(self) -> Columns:
        """Scatter a row (p, p)."""
        return self.scatter / max(self.n, 1)

    @property
    def spread(self) -> Columns:
        """Standard deviation of each signal (p,)."""
        root: Columns = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        return root


def merge(parts: Sequence[Statistics]) -> Statistics:
    """Give the statistics of all rows of all parts (one or more); their order is irrelevant.

    Sums are rounded once (`math.fsum`), so that the same parts give the same bits in any order.
    Merging what was merged gives the same up to rounding.

    Examples
    --------
    >>> rows = np.array([[1.0, 5.0], [2.0, 3.0], [6.0, 1.0]])
    >>> both = merge([Statistics.of(rows[:1]), Statistics.of(rows[1:])])
    >>> both.n, both.mean.tolist(), both.scatter.tolist()
    (3, [3.0, 3.0], [[14.0, -10.0], [-10.0, 8.0]])
    """
    held = [part for part in parts if part.n]
    if not held:
        return parts[0]
    total = sum(part.n for part in held)
    about = min((part.mean for part in held), key=lambda mean: mean.tolist())
    away = np.stack([part.mean - about for part in held])
    weight = np.array([part.n for part in held], np.float64)
    middle = _summed(away * weight[:, None]) / total
    away -= middle
    apart = away[:, :, None] * away[:, None, :] * weight[:, None, None]
    scatter = np.stack([part.scatter for part in held])
    pieces = np.concatenate([scatter, apart])
    signals = len(middle)
    summed = _summed(pieces.reshape(len(pieces), -1)).reshape(signals, signals)
    return Statistics(total, about + middle, 0.5 * (summed + summed.T))


def check(known: Statistics, low: Columns, high: Columns) -> None:
    """Refuse statistics that no rows between `low` and `high` (p,) can have.

    Raises
    ------
    Refused
        Wrong shapes; numbers that are not finite; a mean or scatter beyond the limits; a scatter
        that is not symmetric and positive semi-definite.
    """
    signals = len(low)
    if known.mean.shape != (signals,) or known.scatter.shape != (signals, signals):
        raise Refused(
            Why.MALFORMED,
            f"mean {known.mean.shape} and scatter {known.scatter.shape} are not of "
            f"{signals} signals",
        )
    if known.n < 1:
        raise Refused(Why.IMPOSSIBLE, f"{known.n} rows cannot be")
    if not (np.isfinite(known.mean).all() and np.isfinite(known.scatter).all()):
        raise Refused(Why.IMPOSSIBLE, "a mean or a scatter is no finite number")
    reach = high - low
    slack = 1e-9 * reach
    if (known.mean < low - slack).any() or (known.mean > high + slack).any():
        raise Refused(Why.IMPOSSIBLE, "a mean lies outside the agreed limits")
    square = np.diag(known.scatter)
    # Rows between two limits scatter no more than half at either (Popoviciu 1935).
    if (square < 0).any() or (square > known.n * (reach / 2) ** 2 * (1 + 1e-9)).any():
        raise Refused(Why.IMPOSSIBLE, "a scatter is negative, or wider than the limits allow")
    if not np.array_equal(known.scatter, known.scatter.T):
        raise Refused(Why.IMPOSSIBLE, "the scatter is not symmetric")
    size = np.sqrt(square)
    unit = np.where(size > 0, size, 1.0)
    if (known.scatter[size == 0] != 0).any():
        raise Refused(Why.IMPOSSIBLE, "a signal that stands still scatters with another one")
    if np.linalg.eigvalsh(known.scatter / np.outer(unit, unit)).min() < -NEGATIVE * signals:
        raise Refused(Why.IMPOSSIBLE, "the scatter is not positive semi-definite")


def packed(scatter: Columns) -> Columns:
    """Give the upper half of a scatter (p, p), row by row: p(p+1)/2 numbers."""
    return np.asarray(scatter[np.triu_indices(len(scatter))], np.float64)


def unpacked(half: Columns, signals: int) -> Columns:
    """Give the scatter (p, p) of a half that `packed` gave.

    Raises
    ------
    Refused
        It has another length.
    """
    if half.shape != (signals * (signals + 1) // 2,):
        raise Refused(Why.MALFORMED, f"a scatter of {signals} signals is not {half.shape} numbers")
    whole = np.zeros((signals, signals))
    whole[np.triu_indices(signals)] = half
    return np.asarray(whole + np.triu(whole, 1).T, np.float64)


def _summed(rows: Columns) -> Columns:
    """Sum rows (k, m) over k, each sum rounded once."""
    columns = rows.T.tolist()
    return np.array([fsum(column) if all(map(isfinite, column)) else np.nan for column in columns])
