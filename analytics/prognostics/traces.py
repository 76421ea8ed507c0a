"""What a history looks like to a remaining-life model: means and slopes over several windows.

All windows are shares of the usual life, so the same rule serves lives of 40 rows and of 40,000;
long lives are first averaged to blocks of rows. Features of every moment of a run come from
cumulative sums, those of the last moment from one product, and both agree to rounding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected

Columns = NDArray[np.float64]

BLOCKS = 1000
"""A usual life is looked at in at most so many steps."""
SIGNAL_SHARES = (0.04, 0.1, 0.2, 0.4, 0.6)
"""Windows over each signal, as shares of the usual life."""
WEAR_SHARES = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0)
"""Windows over each wear index."""
START_SHARE = 0.05
"""Rows that tell how a machine began, as a share of the usual life."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Window lengths in blocks, longest last; `pace` rows make a block."""

    pace: int
    signal: tuple[int, ...]
    wear: tuple[int, ...]
    start: int

    @classmethod
    def of_life(cls, usual: float) -> Self:
        """Choose the windows for lives of usually so many rows."""
        pace = max(1, -int(-usual // BLOCKS))
        return cls(
            pace,
            _lengths(SIGNAL_SHARES, usual / pace),
            _lengths(WEAR_SHARES, usual / pace),
            max(2, round(START_SHARE * usual / pace)),
        )

    def names(self, signals: list[str], indices: int) -> list[tuple[str, int]]:
        """Say what each feature tells: a text and the column it comes from, −1 for the age."""
        told: list[tuple[str, int]] = []
        wear = [f"wear index {k + 1}" for k in range(indices)]
        for names, windows, head in (
            (signals, self.signal, 0),
            (wear, self.wear, len(signals)),
        ):
            for kind in ("mean", "slope"):
                for w in windows:
                    rows = w * self.pace
                    told += [
                        (f"{kind} of {name} over {rows} rows", head + j)
                        for j, name in enumerate(names)
                    ]
            told += [(f"mean of {name} so far", head + j) for j, name in enumerate(names)]
            told += [(f"{name} since the start", head + j) for j, name in enumerate(names)]
        return [*told, ("age", -1)]

    def every(self, signals: Columns, directions: Columns, ages: Columns) -> Columns:
        """Give the features at every block of a run.

        Parameters
        ----------
        signals
            Of the run (n, p).
        directions
            Wear indices as weighted sums of the signals (p, k).
        ages
            At each block (n,).

        Returns
        -------
        Features (n, features), in the order of `names`.
        """
        return np.hstack(
            [
                _every(signals, self.signal, self.start),
                _every(signals @ directions, self.wear, self.start),
                ages[:, None],
            ]
        )

    def last(self, signals: Columns, directions: Columns, age: float) -> Columns:
        """Give the features at the last block of a history alone (features,).

        All of them are weighted sums of the last rows, so one product gives them for the signals;
        the same of the wear index, which is a sum of signals itself, is a sum of those.
        """
        near, every = len(self.signal), len(self.signal) + len(self.wear)
        shown = _shown(signals, self.signal + self.wear)
        whole = signals.sum(axis=0) / len(signals)
        began = signals[: self.start].sum(axis=0) / min(len(signals), self.start)
        wear_means, wear_slopes = shown[near:every] @ directions, shown[every + near :] @ directions
        return np.concatenate(
            [
                shown[:near].ravel(),
                shown[every : every + near].ravel(),
                whole,
                shown[0] - began,
                wear_means.ravel(),
                wear_slopes.ravel(),
                whole @ directions,
                wear_means[0] - began @ directions,
                [age],
            ]
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the lengths as arrays."""
        return {
            "lengths": np.array([self.pace, self.start], np.int64),
            "signal": np.array(self.signal, np.int64),
            "wear": np.array(self.wear, np.int64),
        }

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Build the same windows again; Rejected when a length makes no sense."""
        lengths = [int(each) for each in state["lengths"]]
        signal = tuple(int(each) for each in state["signal"])
        wear = tuple(int(each) for each in state["wear"])
        every = [*lengths, *signal, *wear]
        if len(lengths) != 2 or not signal or not wear or not 1 <= min(every) <= max(every) < 2**31:
            raise Rejected("the windows of the model have no sane lengths")
        return cls(lengths[0], signal, wear, lengths[1])


def blocks(rows: Columns, pace: int) -> Columns:
    """Average rows (n, p) to blocks of `pace`, counted back from the last row; NaN left out.

    Examples
    --------
    >>> blocks(np.array([[1.0], [2.0], [4.0]]), 2).tolist()
    [[1.0], [3.0]]
    """
    if pace == 1:
        return rows
    short = -len(rows) % pace
    padded = np.vstack([np.full((short, rows.shape[1]), np.nan), rows])
    cut = padded.reshape(-1, pace, rows.shape[1])
    known = np.isfinite(cut)
    count = known.sum(axis=1)
    total = np.where(known, cut, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def filled(rows: Columns, usual: Columns) -> Columns:
    """Put the last known value where one is missing, the usual one where none was known yet.

    Examples
    --------
    >>> filled(np.array([[np.nan], [2.0], [np.inf]]), np.array([7.0])).tolist()
    [[7.0], [2.0], [2.0]]
    """
    known = np.isfinite(rows)
    if known.all():
        return rows
    place = np.maximum.accumulate(np.where(known, np.arange(len(rows))[:, None], -1), axis=0)
    held = np.take_along_axis(rows, np.maximum(place, 0), axis=0)
    return np.where(place >= 0, held, usual)


def _lengths(shares: tuple[float, ...], usual: float) -> tuple[int, ...]:
    return tuple(sorted({max(2, round(share * usual)) for share in shares}))


def _every(x: Columns, windows: tuple[int, ...], start: int) -> Columns:
    n, p = x.shape
    time = np.arange(n, dtype=np.float64)[:, None]
    nothing = np.zeros((1, p))
    total = np.vstack([nothing, np.cumsum(x, axis=0)])
    moment = np.vstack([nothing, np.cumsum(time * x, axis=0)])
    until = np.arange(1, n + 1)
    means, slopes = [], []
    for w in windows:
        since = np.maximum(until - w, 0)
        count = (until - since)[:, None].astype(np.float64)
        within = total[until] - total[since]
        means.append(within / count)
        middle = (until - 1 + since)[:, None] / 2
        spread = np.maximum(count * (count * count - 1) / 12, 0.5)
        slopes.append((moment[until] - moment[since] - middle * within) / spread)
    first = np.minimum(until, start)
    began = total[first] / first[:, None]
    return np.hstack([*means, *slopes, total[until] / until[:, None], means[0] - began])


def _shown(x: Columns, windows: tuple[int, ...]) -> Columns:
    """Give the means, then the slopes, of each signal over each window that ends with the last row.

    A window that begins before the first row is all there is.
    """
    rows, longest = len(x), max(windows)
    if rows >= longest:
        return _weights(windows, longest) @ x[rows - longest :]
    shown: Columns = _weights(windows, longest)[:, longest - rows :] @ x
    cut = np.flatnonzero(np.array(windows) > rows)
    shown[cut] = x.sum(axis=0) / rows
    away = np.arange(rows) - (rows - 1) / 2
    shown[cut + len(windows)] = away @ x / max(rows * (rows * rows - 1.0) / 12, 0.5)
    return shown


@lru_cache(maxsize=16)
def _weights(windows: tuple[int, ...], rows: int) -> Columns:
    """Give what each of so many rows, the last one last, weighs in the mean over each window.

    First those of all means, then those of all slopes (2 · windows, rows).
    """
    ago = np.arange(rows, dtype=np.float64)[::-1]
    count = np.array(windows, np.float64)[:, None]
    spread = np.maximum(count * (count * count - 1.0) / 12, 0.5)
    weights = np.vstack([1 / count + 0 * ago, ((count - 1) / 2 - ago) / spread])
    weights[np.vstack([ago >= count] * 2)] = 0.0
    return weights
