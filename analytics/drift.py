"""Drift of the score: a report that normal has moved, never an alarm.

ADWIN (Bifet, Gavaldà 2007) assumes independent values; on rows it fires every few minutes of
healthy wandering, so it is given means over blocks of the logarithm of the score.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import drift

from analytics.contract import State

Columns = NDArray[np.float64]

BLOCK = 120
"""Judged rows in one mean."""
RECENT = 12
"""Newest means that are the new normal when drift is told."""
LONGEST = 4096
"""Means remembered; then the older half is forgotten."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Normal has moved.

    Parameters
    ----------
    at
        Source time at which it was noticed, ns.
    before, after
        Typical score before and after.
    """

    at: int
    before: float
    after: float


class ScoreDrift:
    """Watches the typical score of one asset.

    Parameters
    ----------
    delta
        Chance of a false report in a stretch without drift (ADWIN's δ).
    """

    def __init__(self, delta: float = 0.002) -> None:
        self._delta = delta
        self._adwin = self._fresh()
        self._means: list[float] = []
        self._sum = 0.0
        self._rows = 0

    def update(self, at: NDArray[np.int64], score: Columns) -> tuple[Drift, ...]:
        """Take in scores (n,) at times (n,), ns; rows without a score (NaN) are passed over."""
        told = np.isfinite(score)
        logs = np.log(np.maximum(score[told], 1e-6))
        return tuple(self._blocks(at[told], logs))

    def state(self) -> State:
        """Give the block means since the last report, as arrays."""
        return {
            "means": np.array(self._means, np.float64),
            "open": np.array([self._sum, self._rows], np.float64),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._means = state["means"].tolist()
        self._adwin = self._fresh(self._means)
        self._sum, rows = state["open"].tolist()
        self._rows = int(rows)

    def _fresh(self, means: list[float] | None = None) -> Any:
        # river leaves its calls untyped
        kind: Any = drift.ADWIN
        adwin = kind(delta=self._delta, clock=1)
        for mean in means or ():
            adwin.update(mean)
        return adwin

    def _blocks(self, at: NDArray[np.int64], logs: Columns) -> Iterator[Drift]:
        begin = 0
        while begin < len(logs):
            end = min(len(logs), begin + BLOCK - self._rows)
            for value in logs[begin:end].tolist():  # one by one: sums must not depend on batches
                self._sum += value
            self._rows += end - begin
            begin = end
            if self._rows == BLOCK:
                yield from self._close(int(at[end - 1]))

    def _close(self, at: int) -> Iterator[Drift]:
        mean = self._sum / BLOCK
        self._sum, self._rows = 0.0, 0
        self._means.append(mean)
        self._adwin.update(mean)
        if self._adwin.drift_detected:
            before, after = self._means[:-RECENT] or self._means[:1], self._means[-RECENT:]
            self._means = after
            self._adwin = self._fresh(self._means)
            yield Drift(at, float(np.exp(np.mean(before))), float(np.exp(np.mean(after))))
        elif len(self._means) > LONGEST:
            self._means = self._means[LONGEST // 2 :]
            self._adwin = self._fresh(self._means)
