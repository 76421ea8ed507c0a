"""VUS-ROC and VUS-PR: areas under the curves that forgive a detector for being slightly off.

Paparrizos, Boniol, Palpanas, Tsay, Elmore, Franklin 2022: "Volume under the surface: a new accuracy
evaluation measure for time-series anomaly detection", PVLDB 15(11). Around every labelled stretch
the label falls off over a buffer; the volume is the mean over all buffer widths.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.segments import Marks, stretches

Columns = NDArray[np.float64]

WIDEST = 100
"""Widest buffer, rows."""
THRESHOLDS = 250
"""Thresholds along each curve."""


def volumes(
    truth: Marks, score: Columns, widest: int = WIDEST, thresholds: int = THRESHOLDS
) -> tuple[float, float]:
    """Give VUS-ROC and VUS-PR of scores (n,); NaN when no row or every row is labelled."""
    spans = stretches(truth)
    if not spans or truth.all():
        return float("nan"), float("nan")
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    limits = ordered[np.linspace(0, len(score) - 1, thresholds).astype(int)]
    alarmed = np.searchsorted(-ordered, -limits, side="right")
    areas = [
        _areas(truth, score, spans, width, order, limits, alarmed) for width in range(widest + 1)
    ]
    roc, precision = np.mean(areas, axis=0).tolist()
    return roc, precision


def soft_labels(length: int, spans: Sequence[tuple[int, int]], width: int) -> Columns:
    """Give labels (n,) of 1 inside the stretches that fall off over half a `width` around them.

    Examples
    --------
    >>> soft_labels(5, [(2, 2)], 2).round(3).tolist()
    [0.0, 0.707, 1.0, 0.707, 0.0]
    """
    half, soft = width // 2, np.zeros(length)
    fall = np.sqrt(1 - np.arange(half + 1) / max(width, 1))
    for first, last in spans:
        soft[first : last + 1] += 1.0
        after = np.arange(last + 1, min(last + half + 1, length))
        before = np.arange(max(first - half, 0), first)
        soft[after] += fall[after - last]
        soft[before] += fall[first - before]
    return np.minimum(soft, 1.0)


def _zones(length: int, spans: Sequence[tuple[int, int]], half: int) -> list[tuple[int, int]]:
    """Widen the stretches by `half` rows; those that then touch become one."""
    zones: list[tuple[int, int]] = []
    for first, last in spans:
        begin, end = max(first - half, 0), min(last + half, length - 1)
        if zones and first - half <= zones[-1][1]:
            zones[-1] = (zones[-1][0], end)
        else:
            zones.append((begin, end))
    return zones


def _areas(
    truth: Marks,
    score: Columns,
    spans: Sequence[tuple[int, int]],
    width: int,
    order: NDArray[np.intp],
    limits: Columns,
    alarmed: NDArray[np.intp],
) -> tuple[float, float]:
    """Give the areas under the ROC and the precision-recall curve for one buffer width."""
    length, labelled = len(score), int(truth.sum())
    soft = soft_labels(length, spans, width)[order]
    peaks = np.sort([score[a : b + 1].max() for a, b in _zones(length, spans, width // 2)])
    found = 1 - np.searchsorted(peaks, limits, side="left") / len(peaks)
    hits = np.concatenate(([0.0], np.cumsum(soft)))[alarmed]
    around = np.concatenate(([0.0], np.cumsum(np.where(truth[order], 0.0, soft))))[alarmed]
    positive = labelled + around / 2
    recall = np.minimum(hits / positive, 1.0) * found
    fallout = (alarmed - hits) / (length - positive)
    sides = np.concatenate(([0.0], recall, [1.0]))
    roc = np.sum(np.diff(np.concatenate(([0.0], fallout, [1.0]))) * (sides[1:] + sides[:-1]) / 2)
    precision = np.sum(np.diff(np.concatenate(([0.0], recall))) * hits / alarmed)
    return float(roc), float(precision)
