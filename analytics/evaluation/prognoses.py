"""The protocol for models that learn from whole histories: remaining lives and defects.

A life is predicted once an engine, at its last row, from its own past alone. Defects are predicted
by cross-validation over groups (tools); the decision's threshold comes from training folds only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.calibration import brier, expected_calibration_error
from analytics.evaluation import lifetimes
from analytics.evaluation.confusion import Confusion
from analytics.evaluation.folds import grouped_folds
from analytics.evaluation.ranking import average_precision, best_f1, roc_auc
from analytics.evaluation.segments import Marks
from analytics.frames import Frame, Table

Columns = NDArray[np.float64]

OUTER, INNER = 5, 3
"""Folds that are judged, and folds inside the training rows that choose the threshold."""


class LifeModel(Protocol):
    """Predicts how many rows (cycles) an asset has left."""

    def fit(self, runs: Sequence[Frame]) -> Any:
        """Learn from histories to failure, one row a cycle."""
        ...

    def predict(self, history: Frame) -> float:
        """Give the life left at the history's last row."""
        ...


class DefectModel(Protocol):
    """Predicts whether a part is defective."""

    def fit(self, rows: Frame, defective: NDArray[np.int64]) -> Any:
        """Learn from rows (n, p) and 0 or 1 for each."""
        ...

    def predict_proba(self, rows: Frame) -> NDArray[np.float64]:
        """Give the probability of each class (n, 2)."""
        ...


LifeFactory = Callable[[int], LifeModel]
DefectFactory = Callable[[int], DefectModel]


@dataclass(frozen=True, slots=True)
class LifeFigures:
    """Predicted against true lives, each with the truth as it is and capped at 125 cycles.

    Parameters
    ----------
    engines
        Lives predicted.
    rmse, rmse_capped
        Cycles.
    phm08, phm08_capped
        Penalty of PHM08.
    mae
        Mean absolute error, cycles.
    late
        Share promised more than 10 cycles too much.
    """

    engines: int
    rmse: float
    rmse_capped: float
    phm08: float
    phm08_capped: float
    mae: float
    late: float

    @classmethod
    def of(cls, predicted: Columns, true: Columns) -> "LifeFigures":
        """Compare lives (n,)."""
        capped = np.minimum(true, lifetimes.CAPPED)
        return cls(
            engines=len(true),
            rmse=lifetimes.rmse(predicted, true),
            rmse_capped=lifetimes.rmse(predicted, capped),
            phm08=lifetimes.phm08(predicted, true),
            phm08_capped=lifetimes.phm08(predicted, capped),
            mae=float(np.mean(np.abs(predicted - true))),
            late=lifetimes.late_share(predicted, true),
        )


@dataclass(frozen=True, slots=True)
class DefectFigures:
    """Cross-validated probabilities and decisions against the truth; see `ranking`, `calibration`.

    `oracle_f1` has its threshold from the labels: an upper bound that nobody may claim.
    """

    rows: int
    defective: int
    pr_auc: float
    roc_auc: float
    f1: float
    macro_f1: float
    precision: float
    recall: float
    brier: float
    ece: float
    oracle_f1: float

    @classmethod
    def of(cls, truth: Marks, probability: Columns, decided: Marks) -> "DefectFigures":
        """Compare rows (n,)."""
        counts = Confusion.of(truth, decided)
        others = Confusion.of(~truth, ~decided)
        return cls(
            rows=len(truth),
            defective=int(truth.sum()),
            pr_auc=average_precision(truth, probability),
            roc_auc=roc_auc(truth, probability),
            f1=counts.f1,
            macro_f1=(counts.f1 + others.f1) / 2,
            precision=counts.hit / max(counts.hit + counts.false, 1),
            recall=1 - counts.mar,
            brier=brier(truth, probability),
            ece=expected_calibration_error(truth, probability),
            oracle_f1=best_f1(truth, probability),
        )


def cross_validated(
    factory: DefectFactory,
    rows: Table,
    defective: NDArray[np.int64],
    groups: NDArray[np.int64],
    seed: int = 0,
) -> tuple[Columns, Marks]:
    """Give probability and decision of each row (n,) by models that never saw its group."""
    probability, decided = np.zeros(len(rows)), np.zeros(len(rows), np.bool_)
    for learnt, judged in grouped_folds(groups, OUTER):
        known, truth = rows.take(learnt), defective[learnt]
        probability[judged] = _said(factory, known, truth, rows.take(judged), seed)
        inner = np.zeros(len(learnt))
        for a, b in grouped_folds(groups[learnt], INNER):
            inner[b] = _said(factory, known.take(a), truth[a], known.take(b), seed)
        decided[judged] = probability[judged] >= best_threshold(truth.astype(bool), inner)
    return probability, decided


def best_threshold(truth: Marks, probability: Columns) -> float:
    """Give the threshold of the best F1 among 200 upper quantiles of the probabilities (n,)."""
    candidates = np.unique(np.quantile(probability, np.linspace(0.5, 1, 200)))
    scores = [Confusion.of(truth, probability >= limit).f1 for limit in candidates]
    return float(candidates[int(np.argmax(scores))])


def _said(
    factory: DefectFactory, known: Table, truth: NDArray[np.int64], asked: Table, seed: int
) -> Columns:
    model = factory(seed)
    model.fit(known, truth)
    return np.asarray(model.predict_proba(asked)[:, 1], np.float64)
