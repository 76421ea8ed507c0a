"""What each signal should show, told from the others: a factor model, and what it leaves over.

A few common causes (load, speed, temperature) move many signals together. With C = LLᵀ + D, causes
in L and a noise of its own for every signal in D, the residual of a signal is what the others
cannot explain of it: (C⁻¹z)ⱼ / (C⁻¹)ⱼⱼ, the regression-adjusted variable of Hawkins (1991). In a
plant of 200 signals a fault of half a common swing is then ten times the noise. The number of
causes is the one that foretells rows that were not learnt best (blocked cross-validation; Bishop
1999 for the probabilistic reading of principal components).
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from analytics.thresholds import FOLDS, contiguous

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

CAUSES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Numbers of common causes that are tried."""
CLIPPED = 5.0
"""Deviations beyond this count as this: one fault in the history must not make a relation."""
OWN = 0.02
"""Least own variance of a signal: near-exact relations hold only nearly."""
PATTERNS = 64
"""Patterns of missing signals for which the filling is remembered."""


class Relations:
    """The relations of p signals.

    Parameters
    ----------
    centre
        What each signal (p,) usually shows.
    unit
        What counts as one deviation of each signal (p,), > 0, in the signals' units.
    correlation
        C of the deviations (p, p), positive definite.
    """

    def __init__(self, centre: Columns, unit: Columns, correlation: Columns) -> None:
        self.centre, self.unit, self.correlation = centre, unit, correlation
        left_over = residual_map(correlation)
        self.operator: Columns = np.ascontiguousarray((left_over / unit).T)
        """Turns deviations (n, p) in the signals' units into residuals (n, p) in `unit`s."""
        self._filled: dict[bytes, Columns] = {}

    def residuals(self, rows: Columns) -> Columns:
        """Give what the others do not explain of each signal, rows (n, p) → (n, p), in `unit`s."""
        return (rows - self.centre) @ self.operator

    def fill(self, rows: Columns, present: Flags, centre: Columns | None = None) -> Columns:
        """Give rows (n, p) in which signals that are not `present` (p,) show what is expected.

        Parameters
        ----------
        centre
            Where the signals (p,) lie at present; None: where they were learnt.
        """
        middle = self.centre if centre is None else centre
        filled = rows.copy()
        away = (rows[:, present] - middle[present]) / self.unit[present]
        told = away @ self._weights(present)
        filled[:, ~present] = middle[~present] + told * self.unit[~present]
        return filled

    def expected(self, row: Columns, centre: Columns, doubted: Flags) -> Columns:
        """Say what `doubted` signals (p,) should show, given the others of a row (p,).

        Parameters
        ----------
        centre
            Where the signals (p,) lie at present; NaN in `row` counts as doubted.
        """
        given = np.isfinite(row) & ~doubted
        if given.all() or not given.any():
            return centre.copy()
        return np.where(given, centre, self.fill(row[None, :], given, centre)[0])

    def moved(self, centre: Columns, unit: Columns) -> Self:
        """Give the same relations around another centre (p,), told in other units (p,)."""
        scale = self.unit / unit
        return type(self)(centre, unit, self.correlation * np.outer(scale, scale))

    def state(self) -> State:
        """Give the relations as arrays."""
        return {
            "centre": self.centre.copy(),
            "unit": self.unit.copy(),
            "correlation": self.correlation.copy(),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same relations again."""
        return cls(*(state[name].copy() for name in ("centre", "unit", "correlation")))

    def _weights(self, present: Flags) -> Columns:
        """Give what the present ones say of the missing ones (present, missing)."""
        key = present.tobytes()
        known = self._filled.get(key)
        if known is not None:
            return known
        if len(self._filled) >= PATTERNS:
            self._filled.clear()
        inner = self.correlation[np.ix_(present, present)]
        across = self.correlation[np.ix_(present, ~present)]
        weights = np.asarray(np.linalg.solve(inner, across), np.float64)
        self._filled[key] = weights
        return weights


def residual_map(correlation: Columns) -> Columns:
    """Give the matrix (p, p) that takes deviations to what the others leave unexplained."""
    inverse = np.linalg.inv(correlation)
    inverse = 0.5 * (inverse + inverse.T)
    return np.asarray(inverse / np.diag(inverse)[:, None], np.float64)


class Causes:
    """Principal components of deviations z (n, p), to be cut after any number of them."""

    def __init__(self, z: Columns) -> None:
        self._square = z.T @ z / max(len(z), 1)
        values, vectors = np.linalg.eigh(self._square)
        self._values, self._vectors = values[::-1], vectors[:, ::-1]

    def split(self, causes: int) -> tuple[Columns, Columns]:
        """Give loadings (p, causes) and own variances (p,)."""
        signals = len(self._values)
        noise = self._values[causes:].sum() / max(signals - causes, 1)
        strength = np.sqrt(np.maximum(self._values[:causes] - noise, 0.0))
        loading = self._vectors[:, :causes] * strength
        own = np.maximum(np.diag(self._square) - (loading**2).sum(axis=1), OWN)
        return loading, own

    def correlation(self, causes: int) -> Columns:
        """Give LLᵀ + D (p, p)."""
        loading, own = self.split(causes)
        return np.asarray(loading @ loading.T + np.diag(own), np.float64)

    def likelihood(self, z: Columns, causes: int) -> float:
        """Give the mean Gaussian log-likelihood of other deviations (n, p), up to a constant."""
        loading, own = self.split(causes)
        weighted = loading / own[:, None]
        inner = np.eye(causes) + loading.T @ weighted
        seen = z @ weighted
        apart = (z**2 / own).sum(axis=1) - (seen * np.linalg.solve(inner, seen.T).T).sum(axis=1)
        size = np.log(own).sum() + np.linalg.slogdet(inner)[1]
        return float(-0.5 * (size + apart.mean()))


def number_of_causes(z: Columns) -> int:
    """Choose how many common causes foretell deviations z (n, p) best that were not learnt."""
    rows, signals = z.shape
    tried = [causes for causes in CAUSES if causes <= min(signals // 2, rows // FOLDS)]
    total = np.zeros(len(tried))
    for begin, end in contiguous(rows):
        learnt = Causes(np.concatenate((z[:begin], z[end:])))
        total += [learnt.likelihood(z[begin:end], causes) for causes in tried]
    return tried[int(total.argmax())]


def without_levels(blocks: Sequence[Columns], half_life: float) -> Columns:
    """Give all rows (n, p) less their own slow level, block by block; NaN as no deviation."""
    return np.concatenate([np.nan_to_num(block - means(block, half_life)) for block in blocks])


def means(rows: Columns, half_life: float) -> Columns:
    """Smooth rows (n, p) exponentially from a plain mean on; a NaN leaves the mean as it is."""
    gain = 1 - 0.5 ** (1 / half_life)
    smooth = np.empty(rows.shape)
    level = np.where(np.isfinite(rows[0]), rows[0], np.nan)
    gappy = not np.isfinite(rows).all()
    for k, row in enumerate(rows):
        if gappy:
            row = np.where(np.isnan(row), level, row)
            level = np.where(np.isnan(level), row, level)
        level = level + max(gain, 1 / (k + 1)) * (row - level)
        smooth[k] = level
    return smooth
