"""Rows that are sums' raw material: from windows of a history, where all signals were good at once.

A row is the mean of every signal over one window. Scatter between signals needs values of the same
moment; the means of one window are, whatever the rate at which each signal is read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.federation.terms import Terms
from plant.summaries import Windows

Columns = NDArray[np.float64]
Instants = NDArray[np.int64]
STRUCK = "fault or alarm"
Span = tuple[int, int]
"""Begin and end, ns; the end is not in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Joint rows in time order.

    Parameters
    ----------
    at
        Begin of each row's window, ns (n,).
    values
        Means (n, p), in the signals' units, not clipped.
    mode
        Operating mode (n,).
    dropped
        Windows that are no rows, by reason.
    """

    at: Instants
    values: Columns
    mode: NDArray[np.int64]
    dropped: dict[str, int]

    def of(self, mode: int) -> Columns:
        """Give the rows of one mode (k, p)."""
        return np.asarray(self.values[self.mode == mode])

    def between(self, start: int, stop: int) -> "Rows":
        """Give those with ``start <= at < stop``, ns."""
        mine = (self.at >= start) & (self.at < stop)
        return Rows(self.at[mine], self.values[mine], self.mode[mine], {})


def joint_rows(
    pieces: Iterable[Windows],
    signals: int,
    terms: Terms,
    excluded: Sequence[Span] = (),
    *,
    has_mode: bool = True,
) -> Rows:
    """Put windows side by side.

    Parameters
    ----------
    pieces
        Windows of `Terms.row_ns` of the signals (their tag is the place among them), and of the
        mode tag, whose place is behind them.
    signals
        Number of signals.
    terms
        What was agreed.
    excluded
        Times of which nothing may be learnt: faults, alarms.
    has_mode
        Whether there is a mode tag; without one every row is of the plan's first mode.
    """
    every, width = terms.row_ns, signals + has_mode
    found = [(w.tag, w.start, w.count, w.good, w.mean, w.low, w.high) for w in pieces]
    if not found:
        return _none(signals)
    tag, start, count, good, mean, low, high = map(np.concatenate, zip(*found, strict=True))
    at, row = np.unique(start, return_inverse=True)
    values = np.full((len(at), width), np.nan)
    whole = (good == count) & (count > 0) & (tag < width)
    values[row[whole], tag[whole]] = mean[whole]
    steady = np.ones(len(at), np.bool_)
    mode = np.full(len(at), terms.modes[0][0], np.int64)
    if has_mode:
        told = whole & (tag == signals)
        steady[:] = False
        steady[row[told]] = low[told] == high[told]
        mode = np.where(steady, np.nan_to_num(values[:, signals]), -1).astype(np.int64)
    keep = {
        "bad or missing values": np.isfinite(values[:, :signals]).all(axis=1),
        "change of mode": steady,
        "settling": _settled(at, mode, steady, every, terms.settle_s),
        "mode not in the plan": np.isin(mode, [number for number, _ in terms.modes]),
        STRUCK: ~_within(at, every, excluded),
    }
    left, dropped = np.ones(len(at), np.bool_), {}
    for reason, passes in keep.items():
        dropped[reason] = int((left & ~passes).sum())
        left &= passes
    return Rows(at[left], values[left][:, :signals], mode[left], dropped)


def _settled(
    at: Instants, mode: NDArray[np.int64], steady: NDArray[np.bool_], every: int, settle_s: float
) -> NDArray[np.bool_]:
    """Tell which rows lie `settle_s` or more after the last change of mode or gap."""
    begins = np.ones(len(at), np.bool_)
    begins[1:] = (np.diff(at) > every) | (np.diff(mode) != 0) | ~steady[1:] | ~steady[:-1]
    since = at[np.maximum.accumulate(np.where(begins, np.arange(len(at)), 0))]
    return np.asarray(at - since >= round(settle_s * 1e9))


def _within(at: Instants, every: int, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Tell which windows touch one of the spans."""
    touched = np.zeros(len(at), np.bool_)
    for start, stop in spans:
        touched |= (at < stop) & (at + every > start)
    return touched


def _none(signals: int) -> Rows:
    nothing = np.empty(0, np.int64)
    return Rows(nothing, np.empty((0, signals)), nothing.copy(), {})
