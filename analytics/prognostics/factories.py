"""The two models as a judge of tables asks for them: `factory(seed)`, then `fit` and `predict`.

A table is anything with `columns` and `to_numpy()`; a pandas DataFrame is one.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.prognostics.remaining_life import RemainingLife
from plant.errors import Rejected

Columns = NDArray[np.float64]


class Table(Protocol):
    """Named columns of numbers."""

    @property
    def columns(self) -> Iterable[Any]:
        """Names of the columns, in order."""
        ...

    def to_numpy(self) -> NDArray[Any]:
        """Give the rows as an array (n, columns)."""
        ...


class RemainingLifeJudged:
    """Remaining life over tables: learn from whole lives, then ask at the end of a history."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.model: RemainingLife | None = None

    def fit(self, runs: Sequence[Table]) -> None:
        """Learn from histories that each end with the failure."""
        if not runs:
            raise Rejected("no histories: at least three that end with a failure are needed")
        names = _names(runs[0])
        rows = [_rows(run, names) for run in runs]
        self.model = RemainingLife.fit(rows, names, self._seed)

    def predict(self, history: Table) -> float:
        """Give the rows that are left after the last row of a history."""
        if self.model is None:
            raise Rejected("the model of remaining life has not been fitted")
        return self.model.predict(history.to_numpy(), _names(history)).rows


def remaining_life(seed: int) -> RemainingLifeJudged:
    """Make a model of remaining life that has learnt nothing yet."""
    return RemainingLifeJudged(seed)


def _names(table: Table) -> list[str]:
    return [str(name) for name in table.columns]


def _rows(table: Table, names: Sequence[str]) -> Columns:
    """Lay out a table in the order of `names`."""
    place = {name: j for j, name in enumerate(_names(table))}
    lacking = [name for name in names if name not in place]
    if lacking:
        raise Rejected(f"a table lacks the columns {', '.join(lacking)}")
    rows = np.asarray(table.to_numpy(), np.float64)
    return rows[:, [place[name] for name in names]]
