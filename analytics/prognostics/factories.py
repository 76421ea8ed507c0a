"""The two models as a judge of tables asks for them: `factory(seed)`, then `fit` and `predict`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.frames import Frame
from analytics.prognostics.defects import DefectModel
from analytics.prognostics.remaining_life import RemainingLife
from plant.errors import Rejected

Columns = NDArray[np.float64]


class RemainingLifeJudged:
    """Remaining life over tables: learn from whole lives, then ask at the end of a history."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.model: RemainingLife | None = None

    def fit(self, runs: Sequence[Frame]) -> None:
        """Learn from histories that each end with the failure."""
        if not runs:
            raise Rejected("no histories: at least three that end with a failure are needed")
        names = _names(runs[0])
        rows = [_rows(run, names) for run in runs]
        self.model = RemainingLife.fit(rows, names, self._seed)

    def predict(self, history: Frame) -> float:
        """Give the rows that are left after the last row of a history."""
        if self.model is None:
            raise Rejected("the model of remaining life has not been fitted")
        return self.model.predict(history.to_numpy(), _names(history)).rows


def remaining_life(seed: int) -> RemainingLifeJudged:
    """Make a model of remaining life that has learnt nothing yet."""
    return RemainingLifeJudged(seed)


class DefectJudged:
    """Defects over tables: learn from labelled parts, then give probabilities."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.model: DefectModel | None = None
        self.classes_: NDArray[Any] = np.zeros(0, np.int64)

    def fit(self, parts: Frame, labels: ArrayLike) -> None:
        """Learn from labelled parts, in the order they were made."""
        self.model = DefectModel.fit(parts.to_numpy(), labels, _names(parts), self._seed)
        self.classes_ = self.model.classes_

    def predict_proba(self, parts: Frame) -> Columns:
        """Give the probability of each class (n, classes)."""
        if self.model is None:
            raise Rejected("the model of defects has not been fitted")
        return self.model.predict_proba(parts.to_numpy(), _names(parts))


def defect(seed: int) -> DefectJudged:
    """Make a model of defects that has learnt nothing yet."""
    return DefectJudged(seed)


def _names(table: Frame) -> list[str]:
    # an array first: asking a pandas index name by name takes longer than the features
    return [str(name) for name in np.asarray(table.columns).tolist()]


def _rows(table: Frame, names: Sequence[str]) -> Columns:
    """Lay out a table in the order of `names`."""
    place = {name: j for j, name in enumerate(_names(table))}
    lacking = [name for name in names if name not in place]
    if lacking:
        raise Rejected(f"a table lacks the columns {', '.join(lacking)}")
    rows = np.asarray(table.to_numpy(), np.float64)
    return rows[:, [place[name] for name in names]]
