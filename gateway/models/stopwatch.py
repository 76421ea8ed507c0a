"""CPU time a row of two watches, side by side; a clock, so no part of the fold."""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from gateway.models.rule import Costs

KEPT = 512
"""Calls over which the median is taken."""
LEAST = 100
"""Calls before it is told."""

Given = TypeVar("Given")


class Stopwatch:
    """Takes the CPU time of calls.

    Parameters
    ----------
    clock
        CPU time of this thread, ns.
    """

    def __init__(self, clock: Callable[[], int] = time.thread_time_ns) -> None:
        self._clock = clock
        self._taken = np.zeros((2, KEPT))
        self._calls = [0, 0]

    def run(self, side: int, rows: int, call: Callable[[], Given]) -> Given:
        """Give what a call gives that judges so many rows; `side` as in `Figures`."""
        begun = self._clock()
        given = call()
        if rows:
            self._taken[side, self._calls[side] % KEPT] = (self._clock() - begun) / rows / 1e3
            self._calls[side] += 1
        return given

    def costs(self) -> Costs:
        """Give the medians, µs a row."""
        return Costs(*(self._median(side) for side in (0, 1)))

    def _median(self, side: int) -> float | None:
        calls = self._calls[side]
        return float(np.median(self._taken[side, :calls])) if calls >= LEAST else None
