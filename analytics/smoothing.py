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
        # what ripe means make of themselves and of a row, in one product
        self._steps = np.column_stack((np.diag(1 - gain), gain))
        self._set(np.full((len(half_lives), signals), np.nan))
        self._gappy = False
        self.rows = 0
        """Rows since the start."""

    def _set(self, mean: Columns) -> None:
        """Lay means (lengths, p) into an array of their own, the next row's place below them."""
        self._laid = np.empty((len(mean) + 1, mean.shape[1]))
        self._newest = self._laid[-1]
        self.mean: Columns = self._laid[:-1]
        """The means (lengths, p)."""
        self.mean[:] = mean
        self.shortest: Columns = self.mean[0]
        """The mean of the first half-life (p,)."""

    @property
    def ripe(self) -> bool:
        """Whether every mean has its full length, and each signal has one."""
        return self.rows * self._least >= 1 and not self._gappy and self.rows > 1

    def go_to(self, mean: Columns, rows: int) -> None:
        """Take means (lengths, p) that were worked out for so many rows more."""
        self._set(mean)
        self.rows += rows

    def start_again(self) -> None:
        """Forget everything, as after a change of mode."""
        self._set(np.full(self.mean.shape, np.nan))
        self.rows = 0

    def start_from(self, mean: int, other: int) -> None:
        """Let one mean go on from where another one is."""
        self.mean[mean] = self.mean[other]

    def smooth(self, row: Columns, whole: bool) -> Columns:
        """Take in a row (p,) and give the means (lengths, p); NaN where the row has none.

        They hold until the next row.

        Parameters
        ----------
        row
            Next row in time.
        whole
            Whether it is known to hold no NaN.
        """
        self.rows += 1
        young = 1 / self.rows
        whole = whole and self.rows > 1 and not self._gappy
        if whole and young <= self._least:
            self._newest[...] = row
            self.mean[...] = self._steps.dot(self._laid)
            return self.mean
        moved = np.empty(self.mean.shape)
        moved[:] = row  # filling is cheap, arrays of two shapes in one sum are not
        moved -= self.mean
        moved *= np.maximum(self._gain, young)
        moved += self.mean
        if whole:
            self._set(moved)
            return moved
        return self._smooth_gaps(row, moved)

    def ahead(self, rows: Columns) -> Columns:
        """Give the ripe means before and after whole rows (n, p), to the bit as if each came alone.

        Returns
        -------
        The means (n + 1, lengths, p).
        """
        laid = np.empty((len(rows) + 1, *self._laid.shape))
        laid[0, :-1], laid[:-1, -1] = self.mean, rows
        means = laid[:, :-1]
        for before, after in zip(laid, means[1:], strict=False):
            self._steps.dot(before, after)
        return means

    def _smooth_gaps(self, row: Columns, moved: Columns) -> Columns:
        """Start signals that appear, hold those that are missing."""
        moved = np.where(np.isnan(self.mean), row, moved)
        self._set(np.where(np.isnan(row), self.mean, moved))
        self._gappy = bool(np.isnan(self.mean).any())
        return moved

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the means as arrays."""
        return {"mean": self.mean.copy(), "rows": np.array([self.rows])}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._set(np.array(state["mean"], np.float64))
        self.rows = int(state["rows"][0])
        self._gappy = bool(np.isnan(self.mean).any())
