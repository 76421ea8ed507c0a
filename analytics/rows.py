"""Rows as arrays and as river's dictionaries, and a bounded store of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State

Columns = NDArray[np.float64]


def row_of(signals: Sequence[str], x: Mapping[Any, Any]) -> Columns:
    """Lay out one dictionary as a row (p,); an absent signal is NaN, an unknown one is left out.

    Examples
    --------
    >>> row_of(("a", "b"), {"b": 2, "c": 3}).tolist()
    [nan, 2.0]
    """
    return np.array([x.get(signal, np.nan) for signal in signals], np.float64)


class RowStore:
    """Keeps rows of a long time in bounded memory: when full, every other row goes.

    Parameters
    ----------
    signals
        Number of columns.
    most
        Rows kept at most; even.
    """

    def __init__(self, signals: int, most: int = 4096) -> None:
        self._rows = np.empty((64, signals))
        self._most = most
        self._kept = 0
        self.stride = 1
        """One row is kept of so many."""
        self.offered = 0
        """Rows given so far."""

    def append(self, row: Columns) -> None:
        """Offer the next row (p,) in time."""
        if self.offered % self.stride == 0:
            self._make_room()
            self._rows[self._kept] = row
            self._kept += 1
        self.offered += 1

    @property
    def rows(self) -> Columns:
        """The rows kept (n, p), in time order; a view."""
        return self._rows[: self._kept]

    def state(self) -> State:
        """Give the store as arrays."""
        return {"rows": self.rows.copy(), "count": np.array([self.stride, self.offered])}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._rows = np.array(state["rows"], np.float64)
        self._kept = len(self._rows)
        self.stride, self.offered = (int(each) for each in state["count"])

    def _make_room(self) -> None:
        if self._kept < len(self._rows):
            return
        if self._kept >= self._most:
            half = self._rows[: self._kept : 2].copy()
            self._kept = len(half)
            self._rows[: self._kept] = half
            self.stride *= 2
            return
        more = min(self._most, max(64, 2 * self._kept))
        grown = np.empty((more, self._rows.shape[1]))
        grown[: self._kept] = self.rows
        self._rows = grown
