"""Detectors to compare with: what has to be beaten, and what the product also offers."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.detectors.two_statistic import TwoStatistic
from analytics.evaluation.adapters import LearnsAtOnce, WatchedRows
from analytics.evaluation.protocol import Factory, Scorer
from analytics.rows import row_of

Columns = NDArray[np.float64]

WINDOW = 100
NORMAL = 1.4826
"""Standard deviations in one median absolute deviation of normal noise (Rousseeuw & Croux 1993)."""


class RollingZ:
    """The largest distance from the median of the last rows, in robust standard deviations.

    Median and MAD after Iglewicz & Hoaglin 1993: the simplest detector that deserves the name, and
    the bar that a scorer has to pass to stay in the product.

    Parameters
    ----------
    signals
        Names of the columns.
    window
        Rows that are looked back on.
    """

    adaptive = True

    def __init__(self, signals: Sequence[str], window: int = WINDOW) -> None:
        self._signals = tuple(signals)
        self._rows = np.full((window, len(self._signals)), np.nan)
        self._learnt = 0

    def learn_one(self, x: dict[str, float]) -> None:
        """Remember a row in place of the oldest."""
        self._rows[self._learnt % len(self._rows)] = row_of(self._signals, x)
        self._learnt += 1

    def score_one(self, x: dict[str, float]) -> float:
        """Give the largest distance; NaN when no signal can be judged."""
        away = self._away(x)
        return float(np.nanmax(away)) if np.isfinite(away).any() else float("nan")

    def explain_one(self, x: dict[str, float]) -> Mapping[str, float]:
        """Give each signal's squared distance."""
        parts = np.nan_to_num(self._away(x)) ** 2
        return dict(zip(self._signals, parts.tolist(), strict=True))

    def _away(self, x: dict[str, float]) -> Columns:
        known = self._rows[: min(self._learnt, len(self._rows))]
        if not len(known):
            return np.full(len(self._signals), np.nan)
        middle = _medians(known)
        spread = NORMAL * _medians(np.abs(known - middle))
        least = 1e-6 * np.maximum(np.abs(middle), 1e-6)
        away: Columns = np.abs(row_of(self._signals, x) - middle) / np.maximum(spread, least)
        return away


def _medians(rows: Columns) -> Columns:
    """Give the median of each column (p,), NaN left out, NaN where there is nothing else."""
    if not np.isnan(rows).any():
        return np.asarray(np.median(rows, axis=0), np.float64)
    columns = (column[np.isfinite(column)] for column in rows.T)
    return np.array([np.median(column) if len(column) else np.nan for column in columns])


def default(signals: list[str], _seed: int) -> Scorer:
    """Make the detector that the gateway uses."""
    return WatchedRows(signals)


def two_statistic(signals: list[str], _seed: int) -> Scorer:
    """Make T² with the largest single contribution, as it comes: no smoothing, no alarm logic."""
    return LearnsAtOnce(signals, lambda names, rows: TwoStatistic(names, learn=rows))


def half_space_trees(signals: list[str], seed: int) -> Scorer:
    """Make river's half-space trees on scaled signals."""
    from analytics.detectors.forest import HalfSpaceForest  # river costs 100 MB: only when asked

    def build(names: Sequence[str], rows: int) -> HalfSpaceForest:
        return HalfSpaceForest(names, learn=rows // 2, window=rows // 2, seed=seed)

    return LearnsAtOnce(signals, build)


def rolling_z(signals: list[str], _seed: int) -> Scorer:
    """Make the rolling robust z-score."""
    return RollingZ(signals)


DETECTORS: Mapping[str, Factory] = {
    "default": default,
    "two-statistic": two_statistic,
    "half-space-trees": half_space_trees,
    "rolling-z": rolling_z,
}
"""Detectors by the name that the command takes."""
