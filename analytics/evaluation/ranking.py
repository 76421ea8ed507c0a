"""How well a score puts faulty rows above healthy ones, whatever the threshold."""

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.segments import Marks

Columns = NDArray[np.float64]


def _steps(truth: Marks, score: Columns) -> tuple[Columns, Columns]:
    """Give hits and alarmed rows at each distinct score (m,), highest first."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    hits = np.cumsum(truth[order])[last]
    alarmed = np.arange(1, len(order) + 1)[last]
    return hits.astype(np.float64), alarmed.astype(np.float64)


def average_precision(truth: Marks, score: Columns) -> float:
    """Area under the precision-recall curve (PR-AUC), rows of equal score together.

    The step-wise area of Davis & Goadrich 2006, "The relationship between precision-recall and
    ROC curves", ICML: straight lines between the points would flatter. NaN without a faulty row.

    Examples
    --------
    >>> round(average_precision(np.array([1, 0, 1, 0], bool), np.array([4.0, 3.0, 2.0, 1.0])), 6)
    0.833333
    """
    if not truth.any():
        return float("nan")
    hits, alarmed = _steps(truth, score)
    recall = np.concatenate(([0.0], hits / hits[-1]))
    return float(np.sum(np.diff(recall) * hits / alarmed))


def roc_auc(truth: Marks, score: Columns) -> float:
    """Chance that a faulty row scores above a healthy one, equal scores counting half.

    Hanley & McNeil 1982, Radiology 143. NaN unless both kinds of rows are there.

    Examples
    --------
    >>> roc_auc(np.array([1, 0, 1, 0], bool), np.array([4.0, 3.0, 2.0, 1.0]))
    0.75
    """
    faulty, healthy = score[truth], np.sort(score[~truth])
    if not len(faulty) or not len(healthy):
        return float("nan")
    below = np.searchsorted(healthy, faulty, "left") + np.searchsorted(healthy, faulty, "right")
    return float(below.sum() / 2 / (len(faulty) * len(healthy)))


def best_f1(truth: Marks, score: Columns) -> float:
    """F1 with the threshold chosen on the labels: an upper bound that nobody may claim.

    Examples
    --------
    >>> best_f1(np.array([1, 0, 1, 0], bool), np.array([4.0, 3.0, 2.0, 1.0]))
    0.8
    """
    if not truth.any():
        return float("nan")
    hits, alarmed = _steps(truth, score)
    return float(np.max(2 * hits / (alarmed + truth.sum())))
