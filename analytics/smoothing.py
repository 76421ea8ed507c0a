"""Smoothing in time: what a signal shows now, without its noise, over several lengths at once."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State

Columns = NDArray[np.float64]


@cache
def laid_out(gains: tuple[float, ...], signals: int) -> Columns:
    """Give gains (n,) for each signal (n, p).

    Assets of one width share them, so that they stay in the caches from one asset to the next.
    """
    gain = np.repeat(np.array(gains)[:, None], signals, axis=1)
    gain.setflags(write=False)
    return gain


class Smoother:
    """Exponential means of each signal that start as plain means.

    Parameters
    ----------
    signals
        Number of signals.
    half_lives
        Rows after which a row counts half, one for each mean.
    """

    def __init__(self, signals: int, half_lives: Sequence[float]) -> None:
        gain = 1 - 0.5 ** (1 / np.array(half_lives, np.float64))
        self._gain = laid_out(tuple(gain.tolist()), signals)
        self._least = float(self._gain.min())
        self._mean = np.full((len(half_lives), signals), np.nan)
        self._gappy = False
        self.rows = 0
        """Rows since the start."""

    @property
    def shortest(self) -> Columns:
        """The mean of the first half-life (p,)."""
        first: Columns = self._mean[0]
        return first

    @property
    def ripe(self) -> bool:
        """Whether every mean has its full length, and each signal has one."""
        return self.rows * self._least >= 1 and not self._gappy and self.rows > 1

    @property
    def gain(self) -> Columns:
        """Weight of a row in each ripe mean (lengths, p)."""
        return self._gain

    @property
    def mean(self) -> Columns:
        """The means (lengths, p)."""
        return self._mean

    def go_to(self, mean: Columns, rows: int) -> None:
        """Take means (lengths, p) that were worked out for so many rows more."""
        self._mean = mean.copy()
        self.rows += rows

    def start_again(self) -> None:
        """Forget everything, as after a change of mode."""
        self._mean = np.full(self._mean.shape, np.nan)
        self.rows = 0

    def start_from(self, mean: int, other: int) -> None:
        """Let one mean go on from where another one is."""
        self._mean[mean] = self._mean[other]

    def smooth(self, row: Columns, whole: bool) -> Columns:
        """Take in a row (p,) and give the means (lengths, p); NaN where the row has none.

        Parameters
        ----------
        row
            Next row in time.
        whole
            Whether it is known to hold no NaN.
        """
        self.rows += 1
        young = 1 / self.rows
        gain = np.maximum(self._gain, young) if young > self._least else self._gain
        moved = np.empty(self._mean.shape)
        moved[:] = row  # filling is cheap, arrays of two shapes in one sum are not
        moved -= self._mean
        moved *= gain
        moved += self._mean
        if whole and self.rows > 1 and not self._gappy:
            self._mean = moved
            return moved
        return self._smooth_gaps(row, moved)

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


def advance(rows: Columns, mean: Columns, gain: Columns) -> None:
    """Turn rows (n, m, p) into their exponential means, in place.

    Parameters
    ----------
    mean, gain
        The means before, and their gains (m, p).
    """
    for row in rows:
        row -= mean
        row *= gain
        row += mean
        mean = row
