"""river's half-space trees (Tan, Ting, Liu 2011) over signals scaled to 0..1.

The trees cut the unit cube before they see a value, so each signal is first scaled by the range
that it showed while learning. Slow and blunt beside `TwoStatistic`; kept for what is not linear.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from river import anomaly

from analytics.contract import State
from analytics.rows import RowStore, row_of

Columns = NDArray[np.float64]

ROOM = 0.5
"""Part of the range seen that is added on either side, so that a fault lands inside the cube."""


class HalfSpaceForest:
    """Half-space trees over all signals of an asset.

    Parameters
    ----------
    signals
        Names of the columns.
    learn
        Rows after which the ranges are fixed and the trees are grown.
    trees, height, window
        Number and height of the trees; rows in which their masses are counted.
    seed
        Decides the cuts.
    """

    def __init__(
        self,
        signals: Sequence[str],
        learn: int = 250,
        trees: int = 25,
        height: int = 8,
        window: int = 250,
        seed: int = 0,
    ) -> None:
        self.signals = tuple(signals)
        self.learn = learn
        self._settings = (learn, trees, height, window, seed)
        kind: Any = anomaly.HalfSpaceTrees  # river leaves its calls untyped
        self._forest = kind(n_trees=trees, height=height, window_size=window, seed=seed)
        self._store: RowStore | None = RowStore(len(self.signals))
        self._low = np.full(len(self.signals), np.nan)
        self._high = np.full(len(self.signals), np.nan)

    @property
    def ready(self) -> bool:
        """Whether the trees have seen a whole window."""
        return self._store is None and not self._forest._first_window

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Learn from one healthy row."""
        self._learn_row(row_of(self.signals, x))

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """Say how strange the row is, 0 to 1; 0 while not ready."""
        return self._score(row_of(self.signals, x))

    def learn_rows(self, rows: Columns) -> None:
        """Learn from healthy rows (n, p) in time order."""
        for row in rows:
            self._learn_row(row)

    def score_rows(self, rows: Columns) -> Columns:
        """Score rows (n, p) → (n,); 0 while not ready."""
        return np.array([self._score(row) for row in rows], np.float64)

    def contributions(self, rows: Columns) -> Columns:
        """Split each row's score (n, p) by how far it falls when a signal is made normal."""
        scores = self.score_rows(rows)
        falls = np.zeros(rows.shape)
        for j, usual in enumerate(0.5 * (self._low + self._high)):
            mended = rows.copy()
            mended[:, j] = np.where(np.isnan(rows[:, j]), np.nan, usual)
            falls[:, j] = np.maximum(scores - self.score_rows(mended), 0.0)
        whole = falls.sum(axis=1, keepdims=True)
        split: Columns = falls / np.where(whole > 0, whole, 1.0) * scores[:, None]
        return split

    def expected(self, rows: Columns) -> Columns:
        """Give the middle of the range seen, for each row (n, p)."""
        return np.broadcast_to(0.5 * (self._low + self._high), rows.shape).copy()

    def spread(self) -> Columns:
        """Give half the range seen of each signal (p,)."""
        half: Columns = 0.5 * (self._high - self._low)
        return half

    def state(self) -> State:
        """Give everything learnt, as arrays; the cuts follow from the seed."""
        known: dict[str, NDArray[Any]] = {
            "signals": np.array(self.signals, np.str_),
            "settings": np.array(self._settings, np.int64),
            "low": self._low.copy(),
            "high": self._high.copy(),
            "turn": np.array([self._forest.counter, self._forest._first_window], np.int64),
            "masses": np.array(
                [(node.l_mass, node.r_mass) for node in self._nodes()], np.int64
            ).reshape(-1, 2),
        }
        if self._store is not None:
            known |= {f"store.{name}": value for name, value in self._store.state().items()}
        return known

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same forest again."""
        signals = [str(name) for name in state["signals"]]
        again = cls(signals, *(int(each) for each in state["settings"]))
        again._low, again._high = state["low"].copy(), state["high"].copy()
        if "store.rows" in state and again._store is not None:
            names = ("rows", "count")
            again._store.restore({name: state[f"store.{name}"] for name in names})
            return again
        again._store = None
        again._grow()
        for node, (left, right) in zip(again._nodes(), state["masses"].tolist(), strict=True):
            node.l_mass, node.r_mass = left, right
        again._forest.counter = int(state["turn"][0])
        again._forest._first_window = bool(state["turn"][1])
        return again

    def _learn_row(self, row: Columns) -> None:
        if self._store is None:
            self._forest.learn_one(self._scaled(row))
            return
        self._store.append(row)
        if self._store.offered >= self.learn:
            self._fix_ranges(self._store.rows)

    def _fix_ranges(self, rows: Columns) -> None:
        self._store = None
        known = np.isfinite(rows).any(axis=0)
        self._low, self._high = np.zeros(rows.shape[1]), np.ones(rows.shape[1])
        self._low[known] = np.nanmin(rows[:, known], axis=0)
        self._high[known] = np.nanmax(rows[:, known], axis=0)
        self._grow()
        for row in rows:
            self._forest.learn_one(self._scaled(row))

    def _grow(self) -> None:
        """Grow the trees over all signals, whichever the first row happens to lack."""
        self._forest.learn_one(self._scaled(0.5 * (self._low + self._high)))

    def _score(self, row: Columns) -> float:
        return float(self._forest.score_one(self._scaled(row))) if self.ready else 0.0

    def _scaled(self, row: Columns) -> dict[Hashable, float]:
        span = np.maximum(self._high - self._low, 1e-9 + 1e-9 * np.abs(self._high))
        unit = ((row - self._low) / span + ROOM) / (1 + 2 * ROOM)
        places = enumerate(unit.tolist())
        # a missing signal is an absent key: river then walks to the fuller side
        return {j: value for j, value in places if value == value}

    def _nodes(self) -> Iterator[Any]:
        for tree in self._forest.trees:
            yield from tree.iter_dfs()
