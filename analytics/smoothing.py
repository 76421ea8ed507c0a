"""Smoothing in time: what a signal shows now, without its noise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State

Columns = NDArray[np.float64]


class Smoother:
    """Exponential mean of each signal that starts as a plain mean.

    Parameters
    ----------
    signals
        Number of signals.
    half_life
        Rows after which a row counts half.
    """

    def __init__(self, signals: int, half_life: float) -> None:
        self._gain = 1 - 0.5 ** (1 / half_life)
        self._mean = np.full(signals, np.nan)
        self.rows = 0
        """Rows since the start."""

    def start_again(self) -> None:
        """Forget everything, as after a change of mode."""
        self._mean = np.full(len(self._mean), np.nan)
        self.rows = 0

    def smooth(self, row: Columns, whole: bool) -> Columns:
        """Take in a row (p,) and give the means (p,); NaN where the row has none.

        Parameters
        ----------
        row
            Next row in time.
        whole
            Whether it is known to hold no NaN.
        """
        self.rows += 1
        gain = max(self._gain, 1 / self.rows)
        moved: Columns = self._mean + gain * (row - self._mean)
        if whole and self.rows > 1 and not self._gappy:
            self._mean = moved
            return moved
        return self._smooth_gaps(row, moved)

    _gappy = False

    def _smooth_gaps(self, row: Columns, moved: Columns) -> Columns:
        """Start signals that appear, hold those that are missing."""
        moved = np.where(np.isnan(self._mean), row, moved)
        self._mean = np.where(np.isnan(row), self._mean, moved)
        self._gappy = bool(np.isnan(self._mean).any())
        return moved

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the means as arrays."""
        return {"mean": self._mean.copy(), "rows": np.array([self.rows])}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._mean = np.array(state["mean"], np.float64)
        self.rows = int(state["rows"][0])
        self._gappy = bool(np.isnan(self._mean).any())
