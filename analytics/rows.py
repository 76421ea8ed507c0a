"""Rows as arrays and as river's dictionaries, and a bounded store of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

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


class BlockStore:
    """Keeps contiguous stretches of a long time in bounded memory: when full, every other one goes.

    What is told from neighbours, such as how a mean wanders, needs rows that follow each other.

    Parameters
    ----------
    signals
        Number of columns.
    block
        Rows of a stretch.
    most
        Stretches kept at most; even.
    """

    def __init__(self, signals: int, block: int = 512, most: int = 8) -> None:
        self._blocks: list[Columns] = []
        self._open = np.empty((block, signals))
        self._filled = 0
        self._most = most
        self._seen = 0
        self._stride = 1
        self.offered = 0
        """Rows given so far."""

    def append(self, row: Columns) -> None:
        """Offer the next row (p,) in time."""
        self._open[self._filled] = row
        self._filled += 1
        self.offered += 1
        if self._filled == len(self._open):
            self._close()

    def _close(self) -> None:
        if self._seen % self._stride == 0:
            if len(self._blocks) >= self._most:
                self._blocks = self._blocks[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._blocks.append(self._open.copy())
        self._seen += 1
        self._filled = 0

    @classmethod
    def of(cls, signals: int, blocks: Sequence[Columns], offered: int) -> Self:
        """Make a store that holds these stretches (n, p), of any length, of so many rows."""
        made = cls(signals)
        made._blocks, made.offered = [block.copy() for block in blocks], offered
        return made

    def blocks(self) -> list[Columns]:
        """Give the stretches (n, p) kept, oldest first; the newest rows are always among them."""
        newest = self._open[: self._filled]
        return [*self._blocks, newest] if self._filled else list(self._blocks)

    def stretches(self) -> list[Columns]:
        """Give the same, but as one stretch where nothing is missing in between."""
        return self.blocks() if self._stride > 1 else [self.rows] if self.offered else []

    @property
    def rows(self) -> Columns:
        """All rows kept (n, p), in time order."""
        return np.concatenate([*self._blocks, self._open[: self._filled]])

    def state(self) -> State:
        """Give the store as arrays."""
        return {
            "rows": self.rows,
            "sizes": np.array([len(block) for block in self._blocks], np.int64),
            "count": np.array([self._filled, self._seen, self._stride, self.offered]),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        rows = np.array(state["rows"], np.float64)
        self._filled, self._seen, self._stride, self.offered = state["count"].tolist()
        *self._blocks, newest = np.split(rows, np.cumsum(state["sizes"]))
        self._open[: self._filled] = newest
