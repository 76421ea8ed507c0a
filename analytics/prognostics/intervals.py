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
    histories
        Number of histories behind it.
    """

    size: Columns
    low: Columns
    high: Columns
    nominal: float
    measured: float
    histories: int

    @property
    def proven(self) -> bool:
        """Whether there are histories enough for the nominal share (2/α − 1 of them)."""
        return self.histories >= 2 / (1 - self.nominal) - 1 - 1e-9

    def around(self, predicted: Columns) -> tuple[Columns, Columns]:
        """Give the interval around predictions (n,)."""
        low = predicted + np.interp(predicted, self.size, self.low)
        high = predicted + np.interp(predicted, self.size, self.high)
        return low, high

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the bands as arrays."""
        return {
            "size": self.size,
            "low": self.low,
            "high": self.high,
            "coverage": np.array([self.nominal, self.measured, float(self.histories)]),
        }

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Build the same bands again; Rejected when they are none."""
        size, low, high = (np.asarray(state[name], np.float64) for name in ("size", "low", "high"))
        fits = (
            size.ndim == 1
            and len(size) > 0
            and size.shape == low.shape == high.shape
            and bool(np.isfinite(np.concatenate([size, low, high])).all())
            and bool((np.diff(size) >= 0).all() and (low <= high).all())
            and state["coverage"].shape == (3,)
        )
        if not fits:
            raise Rejected("the model's interval is damaged")
        nominal, measured, histories = (float(each) for each in state["coverage"])
        return cls(size, low, high, nominal, measured, int(histories))


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
        rest = _bands(predicted[fold != k], truth[fold != k], history[fold != k], nominal)
        low, high = Bands(*rest, nominal, np.nan, 0).around(predicted[fold == k])
        held[fold == k] = (low <= truth[fold == k]) & (truth[fold == k] <= high)
    measured = float(np.average(held, weights=_shares(history)))
    histories = len(np.unique(history))
    return Bands(*_bands(predicted, truth, history, nominal), nominal, measured, histories)


def _bands(
    predicted: Columns, truth: Columns, history: NDArray[np.intp], nominal: float
) -> tuple[Columns, Columns, Columns]:
    histories = len(np.unique(history))
    sizes = int(np.clip(min(histories // 4, len(truth) // 50), 1, SIZES))
    order = np.argsort(predicted, kind="stable")
    size, low, high = [], [], []
    for part in np.array_split(order, sizes):
        error = truth[part] - predicted[part]
        share = _shares(history[part])
        tail = (1 - nominal) / 2
        size.append(float(np.median(predicted[part])))
        low.append(min(0.0, -_upper(-error, share, history[part], 1 - tail)))
        high.append(max(0.0, _upper(error, share, history[part], 1 - tail)))
    return np.array(size), np.array(low), np.array(high)


def _upper(error: Columns, share: Columns, history: NDArray[np.intp], level: float) -> float:
    """Give the level's quantile where one more history could lie beyond all that were seen."""
    count = len(np.unique(history))
    wanted = min(1.0, level * (count + 1) / count)
    order = np.argsort(error, kind="stable")
    reached = np.searchsorted(np.cumsum(share[order]), wanted - 1e-9)
    return float(error[order[min(int(reached), len(order) - 1)]])


def _shares(history: NDArray[np.intp]) -> Columns:
    """Give each row its share so that every history weighs the same."""
    _, place, count = np.unique(history, return_inverse=True, return_counts=True)
    share = 1.0 / count[place]
    whole: Columns = share / share.sum()
    return whole
