"""When an anomaly becomes an alarm, and when the alarm goes: delays and hysteresis.

On-delay and off-delay as ANSI/ISA-18.2 §10.4 describes them, on the samples' own time. The alarm
goes when the fault is gone, measured against the fault itself: a large fault leaves a trace (heat,
a level) that an absolute limit would never forgive.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from plant.alarms import AlarmAction

Columns = NDArray[np.float64]

GATHERS_NS = 60 * 10**9
"""Time after the alarm in which the culprits and their height are gathered."""
CULPRIT = 0.3
"""Share of the largest deviation that makes another signal a culprit."""
GONE = 0.2
"""Share of its height below which the fault is gone."""
QUIET = 0.7
"""Or this share of the alarm limit, if that is higher."""
AGAIN = 0.6
"""While the asset settles after an alarm, share of the old height that alarms again."""
FADING = 0.75
"""Share of its height below which a score that is not yet an alarm is on its way out."""
SETTLES_NS = 60 * 10**9
"""Time after the alarm in which the baseline catches up."""

_NEVER = -1


class AlarmLatch:
    """One asset's alarm: holds from a persistent anomaly until the fault is gone.

    Parameters
    ----------
    signals
        Number of signals.
    on_delay, off_delay
        How long the score must be high, or the fault gone, ns.
    """

    def __init__(self, signals: int, on_delay: int, off_delay: int) -> None:
        self._on_delay, self._off_delay = on_delay, off_delay
        self._peak = np.zeros(signals)
        self._above = self._below = self._raised = self._cleared = _NEVER
        self._mode = 0
        self._height = self._rising = 0.0

    @property
    def alarmed(self) -> bool:
        """Whether the alarm stands."""
        return self._raised != _NEVER

    def settling(self, at: int) -> bool:
        """Tell whether the asset is still finding its level after an alarm."""
        return self._cleared != _NEVER and at - self._cleared < SETTLES_NS

    def hold(self) -> None:
        """Pass over a row that could not be judged: no delay runs across it."""
        self._above = self._below = _NEVER

    def step(
        self, at: int, mode: int, score: float, limit: float, strength: Columns
    ) -> AlarmAction | None:
        """Take in one judged row and say what it does to the alarm.

        Parameters
        ----------
        at
            Source time, ns.
        mode
            Operating mode; an alarm goes only in the mode that raised it, as another mode may
            hide the fault.
        score, limit
            The row's score and its limit.
        strength
            Deviation of each signal in scales (p,), NaN where missing.
        """
        if self.alarmed:
            return self._stand(at, mode, limit, strength)
        needed = max(limit, AGAIN * self._height) if self.settling(at) else limit
        if score <= needed:
            self._above = _NEVER
            return None
        # what is smoothed fades slowly: a short disturbance must not wait out the delay
        if self._above == _NEVER or score < FADING * self._rising:
            self._above, self._rising = at, score
        self._rising = max(self._rising, score)
        if at - self._above < self._on_delay:
            return None
        self._raised, self._mode, self._above, self._below = at, mode, _NEVER, _NEVER
        self._height = score
        self._peak = np.nan_to_num(strength)
        return AlarmAction.RAISE

    def state(self) -> State:
        """Give the latch as arrays."""
        return {
            "peak": self._peak.copy(),
            "height": np.array([self._height, self._rising]),
            "times": np.array(
                [self._above, self._below, self._raised, self._cleared, self._mode], np.int64
            ),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._peak = np.array(state["peak"], np.float64)
        self._height, self._rising = state["height"].tolist()
        times: list[Any] = state["times"].tolist()
        self._above, self._below, self._raised, self._cleared, self._mode = times

    def _stand(self, at: int, mode: int, limit: float, strength: Columns) -> AlarmAction | None:
        if mode != self._mode:
            self._below = _NEVER
            return None
        if at - self._raised <= GATHERS_NS:
            self._peak = np.fmax(self._peak, strength)
        culprits = self._peak >= CULPRIT * self._peak.max()
        height = _rms(self._peak[culprits])
        if not _rms(strength[culprits]) < max(GONE * height, QUIET * limit):
            self._below = _NEVER
            return None
        if self._below == _NEVER:
            self._below = at
        if at - self._below < self._off_delay:
            return None
        self._raised, self._below, self._cleared = _NEVER, _NEVER, at
        return AlarmAction.CLEAR


def _rms(values: Columns) -> float:
    return float(np.sqrt(np.mean(values**2)))
