"""What the fault of a standing alarm looks like, and how much of it is left.

What is left is measured along the fault's own direction, weighted by what the signals do together
while healthy (matched filter), which is far less noise than their deviations.
"""

import numpy as np
from numpy.typing import NDArray

from analytics.alarming import GATHERS, STANDS
from analytics.contract import State

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Likeness:
    """The fault of p signals in their slow means.

    Parameters
    ----------
    signals
        Number of signals (p).
    """

    def __init__(self, signals: int) -> None:
        self._fault, self._pull = np.zeros(signals), np.zeros(signals)
        self.share = 0.0
        """What is left of the fault: about 1 while it stands, about 0 once it has gone."""

    def measure(self, apart: Columns) -> float:
        """Say how much of the fault scaled slow deviations (p,) show."""
        self.share = float(self._pull @ apart)
        return self.share

    def remember(
        self, age: int, culprits: Flags, apart: Columns, weights: Columns, gain: float
    ) -> None:
        """Learn the fault in the slow means of its culprits.

        Parameters
        ----------
        age
            Rows since the alarm, from 1 on. After `GATHERS` the fault is known, and then only
            followed as slowly as the baselines, while it stands.
        culprits
            Signals (p,) that make the alarm.
        apart
            Scaled slow deviations (p,).
        weights
            What makes them independent (p, p).
        gain
            Weight of a row in the slower baseline.
        """
        if age == 1:
            self._pull = np.zeros(len(apart))
        if age <= GATHERS:
            self._fault += (apart - self._fault) / age
        elif self.share >= STANDS:  # drift goes on meanwhile
            self._fault += gain * (apart - self._fault)
        if not age % GATHERS:
            away = self._fault[culprits]
            spread = np.linalg.inv(weights)[np.ix_(culprits, culprits)]
            pull = np.linalg.solve(spread, away)
            self._pull = np.zeros(len(apart))
            self._pull[culprits] = pull / max(float(pull @ away), 1e-12)

    def state(self) -> State:
        """Give everything as arrays."""
        return {"fault": np.stack((self._fault, self._pull)), "share": np.array([self.share])}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._fault, self._pull = state["fault"].copy()
        self.share = float(state["share"][0])
