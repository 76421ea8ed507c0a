"""Intervals whose coverage is measured, from errors on histories that were not learnt from.

Cross-conformal (Vovk 2015) with one weight a history, since rows of one history err together
(hierarchical conformal: Dunn, Wasserman & Ramdas 2022; Lee, Barber & Willett 2023), and by size of
the prediction (Mondrian: Vovk, Lindsay, Nouretdinov & Gammerman 2003), since a machine near its end
is known better than a healthy one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected

Columns = NDArray[np.float64]

SIZES = 10
"""Sizes of prediction that have an interval of their own, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """What to add to a prediction on either side.

    Parameters
    ----------
    size
        Predictions at which the bands are known (b,), ascending; straight lines between.
    low, high
        Offsets (b,).
    nominal
        Share of cases that the interval is meant to hold.
    measured
        Share that it held on histories left out of both the model and the bands.
    by_size
        The same around each of the sizes (b,).
    histories
        Number of histories behind it.
    """

    size: Columns
    low: Columns
    high: Columns
    nominal: float
    measured: float
    by_size: Columns
    histories: int

    @property
    def proven(self) -> bool:
        """Whether there are histories enough for the nominal share (2/α − 1 of them)."""
        return self.histories >= 2 / (1 - self.nominal) - 1 - 1e-9

    def around(self, predicted: Columns) -> tuple[Columns, Columns]:
        """Give the interval around predictions (n,)."""
        return _around((self.size, self.low, self.high), predicted)

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the bands as arrays."""
        return {
            "size": self.size,
            "low": self.low,
            "high": self.high,
            "by_size": self.by_size,
            "coverage": np.array([self.nominal, self.measured, float(self.histories)]),
        }

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Build the same bands again; Rejected when they are none."""
        size, low, high, by_size = (
            np.asarray(state[name], np.float64) for name in ("size", "low", "high", "by_size")
        )
        fits = (
            size.ndim == 1
            and len(size) > 0
            and size.shape == low.shape == high.shape == by_size.shape
            and bool(np.isfinite(np.concatenate([size, low, high, by_size])).all())
            and bool((np.diff(size) >= 0).all() and (low <= high).all())
            and state["coverage"].shape == (3,)
        )
        if not fits:
            raise Rejected("the model's interval is damaged")
        nominal, measured, histories = (float(each) for each in state["coverage"])
        return cls(size, low, high, nominal, measured, by_size, int(histories))


def learn_bands(
    predicted: Columns,
    truth: Columns,
    history: NDArray[np.intp],
    fold: NDArray[np.intp],
    nominal: float,
) -> Bands:
    """Learn bands from predictions of histories that were left out.

    Parameters
    ----------
    predicted, truth
        Of each row (n,).
    history
        Number of the history of each row (n,).
    fold
        Group of histories that was left out together (n,): coverage is measured on each group with
        the bands of the others.
    nominal
        Share to hold, for example 0.9.
    """
    held = np.zeros(len(truth), np.bool_)
    for k in np.unique(fold):
        rest = fold != k
        bands = _bands(predicted[rest], truth[rest], history[rest], nominal)
        low, high = _around(bands, predicted[fold == k])
        held[fold == k] = (low <= truth[fold == k]) & (truth[fold == k] <= high)
    share = _shares(history)
    by_size = [
        float(np.average(held[part], weights=share[part]))
        for part in _by_size(predicted, len(np.unique(history)))
    ]
    return Bands(
        *_bands(predicted, truth, history, nominal),
        nominal,
        float(np.average(held, weights=share)),
        np.array(by_size),
        len(np.unique(history)),
    )


def _around(bands: tuple[Columns, Columns, Columns], predicted: Columns) -> tuple[Columns, Columns]:
    size, low, high = bands
    return predicted + np.interp(predicted, size, low), predicted + np.interp(predicted, size, high)


def _by_size(predicted: Columns, histories: int) -> list[NDArray[np.intp]]:
    """Part rows (n,) by their prediction, as finely as the histories allow."""
    sizes = int(np.clip(min(histories // 4, len(predicted) // 50), 1, SIZES))
    return np.array_split(np.argsort(predicted, kind="stable"), sizes)


def _bands(
    predicted: Columns, truth: Columns, history: NDArray[np.intp], nominal: float
) -> tuple[Columns, Columns, Columns]:
    """Take the tails of the errors of each size, then stretch both until the share is held.

    The tails give the shape. How far it reaches is one score for both sides, as in conformalised
    quantile regression (Romano, Patterson & Candès 2019): were each tail alone made wide enough for
    one history more, few histories would be held by far too wide an interval.
    """
    error = truth - predicted
    tail = (1 - nominal) / 2
    parts = _by_size(predicted, len(np.unique(history)))
    size = np.array([np.median(predicted[part]) for part in parts])
    least = 1e-6 * float(np.abs(error).max(initial=0.0)) + 1e-12
    low, high = (
        np.array(
            [max(least, _quantile(side * error[part], history[part], 1 - tail)) for part in parts]
        )
        for side in (-1.0, 1.0)
    )
    reach = np.where(
        error < 0,
        -error / np.interp(predicted, size, low),
        error / np.interp(predicted, size, high),
    )
    stretch = np.array([_reached(reach[part], history[part], nominal) for part in parts])
    return size, -low * stretch, high * stretch


def _reached(reach: Columns, history: NDArray[np.intp], nominal: float) -> float:
    """Give the quantile where one more history could lie beyond all that were seen."""
    count = len(np.unique(history))
    return _quantile(reach, history, min(1.0, nominal * (count + 1) / count))


def _quantile(values: Columns, history: NDArray[np.intp], level: float) -> float:
    """Give the quantile with the same weight for every history."""
    order = np.argsort(values, kind="stable")
    reached = np.searchsorted(np.cumsum(_shares(history)[order]), level - 1e-9)
    return float(values[order[min(int(reached), len(order) - 1)]])


def _shares(history: NDArray[np.intp]) -> Columns:
    """Give each row its share so that every history weighs the same."""
    _, place, count = np.unique(history, return_inverse=True, return_counts=True)
    share = 1.0 / count[place]
    whole: Columns = share / share.sum()
    return whole
