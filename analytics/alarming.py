"""When an anomaly becomes an alarm, and when the alarm goes: persistence, hysteresis, settling.

On-delay and off-delay as ANSI/ISA-18.2 §10.4 describes them, on the samples' own time. The alarm
goes when the fault is gone, measured against the fault itself: a large fault leaves a trace (heat,
a level) that an absolute limit would never forgive. Then the asset settles until its score is low
again, so that the way back is no second alarm. There is no time after which a standing fault is let
go: only its end, or a person who accepts it.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from plant.alarms import AlarmAction

Columns = NDArray[np.float64]

RISES, CREEPS, GOES = 4, 15, 9
"""Rows in a row that it takes at least, whatever the delays say: for an alarm that the quick means
see, for one that only slower ones see (they remember a short disturbance for longer), to go."""
GATHERS = 60
"""Rows after the alarm in which the culprits and their height are gathered."""
CULPRIT = 0.35
"""Share of the largest deviation that makes another signal a culprit."""
HOLDS = 40
"""Rows after the alarm in which the slow channel, too, has to agree that the fault is gone."""
GONE = 0.2
"""Share of its height below which the fault is gone."""
QUIET = 0.66
"""Or this share of the limit, if that is higher."""
WEAK = 2.0
"""Below this height, in limits, the slow means have to agree that the fault is gone."""
STANDS = 0.6
"""Share of a weak fault that is left, by the slow means along its own direction, while it stands:
above the half that a machine may keep as a trace, below what noise takes from a whole one."""
AGAIN = 0.65
"""While the asset settles, share of the old height that alarms again."""
SETTLES, LONGEST, SETTLED = 30, 240, 0.65
"""Rows for which the asset settles at least and at most, and score below which it has."""
FADING = 0.85
"""Share of its height below which a score is on its way out: one that is not yet an alarm, and that
of a weak fault, which can only then be gone."""
HIGHER, FORGETS = 0.5, 2000.0
"""Each alarm that has gone raises the bar by so much; half-life of that, rows."""
_NEVER = -1
_NOTHING = np.zeros(0)


class Phase(IntEnum):
    """What an asset's alarm is doing."""

    HEALTHY = 0
    ALARMED = 1
    SETTLING = 2


HEALTHY, ALARMED, SETTLING = Phase
"""By names of their own, because an enum is slow to ask at every row."""


@dataclass(slots=True, eq=False)
class Standing:
    """What a row says while the alarm stands, per signal (p,), in limits.

    Parameters
    ----------
    now
        By the quick means.
    lately
        By the slow mean.
    slow
        The slow channel's own score.
    distance
        The slow distance of all signals together.
    share
        What is left of the fault: about 1 while it stands, about 0 once it has gone.
    """

    now: Columns
    lately: Columns
    slow: float
    distance: float
    share: float


class AlarmLatch:
    """One asset's alarm: holds from a persistent anomaly until the fault is gone.

    Scores come in limits: 1 is the limit.

    Parameters
    ----------
    on_delay, off_delay
        How long the score must be high, or the fault gone, ns.
    """

    def __init__(self, on_delay: int, off_delay: int) -> None:
        self._on_delay, self._off_delay = on_delay, off_delay
        self.phase: Phase = HEALTHY
        self.peak = _NOTHING
        """Largest deviation of each signal (p,) since the alarm came, in limits."""
        self.age = 0
        """Rows since the phase began."""
        self._above = self._below = _NEVER
        self._highs = self._lows = 0
        self.mode = 0
        """Operating mode that raised the alarm."""
        self._height = self._highest = self._rising = self._bar = 0.0
        self._culprits: NDArray[np.bool_] | None = None  # follows from the peak
        self._culprits_height = 0.0

    @property
    def alarmed(self) -> bool:
        """Whether the alarm stands."""
        return self.phase is ALARMED

    @property
    def bar(self) -> float:
        """Factor by which the limit is higher after alarms that went again."""
        return 1 + self._bar

    @property
    def culprits(self) -> NDArray[np.bool_]:
        """Signals (p,) that make the standing alarm."""
        if self._culprits is None:
            self._culprits = self.peak >= CULPRIT * self.peak.max()
            self._culprits_height = _rms(self.peak[self._culprits])
        return self._culprits

    def hold(self) -> None:
        """Pass over a row that could not be judged: no delay runs across it."""
        self._above = self._below = _NEVER
        self._highs = self._lows = 0

    def watch(
        self, at: int, mode: int, score: float, strength: Columns, *, sudden: bool = True
    ) -> AlarmAction | None:
        """Take in a row while no alarm stands.

        Parameters
        ----------
        at
            Source time, ns.
        mode
            Operating mode; an alarm goes only in the mode that raised it.
        score
            The row's score, by the present bar.
        strength
            Deviation of each signal (p,), in limits.
        sudden
            Whether the quick means see it.
        """
        self._bar *= _FADES
        needed = 1.0
        if self.phase is SETTLING:
            # the bar is for later: what comes while it settles is held against the old fault
            needed = max(1.0, AGAIN * self._height) / self.bar
            self.age += 1
            if self.age >= (SETTLES if score < SETTLED else LONGEST):
                self.phase = HEALTHY
        if score <= needed:
            self._above, self._highs = _NEVER, 0
            return None
        # what is smoothed fades slowly: a short disturbance must not wait out the delay
        if self._above == _NEVER or score < FADING * self._rising:
            self._above, self._highs, self._rising = at, 0, score
        self._rising = max(self._rising, score)
        self._highs += 1
        if self._highs < (RISES if sudden else CREEPS) or at - self._above < self._on_delay:
            return None
        self.phase, self.age, self.mode = ALARMED, 0, mode
        self._height, self._highest = score, 0.0
        self.peak, self._culprits = strength.copy(), None
        self.hold()
        return AlarmAction.RAISE

    def bars(self, rows: int) -> list[float]:
        """Give the bar of each of the next rows while no alarm stands."""
        bars, higher = [], self._bar
        for _ in range(rows):
            bars.append(1 + higher)
            higher *= _FADES
        return bars

    def pass_over(self, rows: int) -> None:
        """Take in healthy rows, as `watch` does, while no alarm stands or settles."""
        for _ in range(rows if self._bar else 0):
            self._bar *= _FADES
        self._above, self._highs = _NEVER, 0

    def stand(self, at: int, mode: int, score: float, row: Standing) -> AlarmAction | None:
        """Take in a row while the alarm stands."""
        self._bar *= _FADES
        if mode != self.mode:
            self._below, self._lows = _NEVER, 0
            return None
        self.age += 1
        if self.age <= GATHERS:
            np.maximum(self.peak, row.now, out=self.peak)
            self._culprits = None
            self._height = max(self._height, score)
            self._highest = max(self._highest, row.distance)
        if not self._gone(row):
            self._below, self._lows = _NEVER, 0
            return None
        if self._below == _NEVER:
            self._below = at
        self._lows += 1
        if self._lows < GOES or at - self._below < self._off_delay:
            return None
        self.let_go()
        return AlarmAction.CLEAR

    def worse(self, at: int, higher: bool) -> bool:
        """Tell whether the score has been so much higher for as long as it takes for an alarm."""
        if not higher:
            self._above, self._highs = _NEVER, 0
            return False
        if self._above == _NEVER:
            self._above = at
        self._highs += 1
        return self._highs >= RISES and at - self._above >= self._on_delay

    def let_go(self) -> None:
        """End the alarm: the fault has gone, or a person accepts what is as the new normal."""
        self.phase, self.age = SETTLING, 0
        self._bar += HIGHER
        self.hold()

    def dismiss(self) -> None:
        """Take the alarm back: an instrument is at fault, the machine never was."""
        self.phase, self.age = HEALTHY, 0
        self.hold()

    def _gone(self, row: Standing) -> bool:
        culprits = self.culprits
        height = self._culprits_height
        if _rms(row.now[culprits]) >= max(GONE * height, QUIET):
            return False
        if height <= WEAK and (_rms(row.lately[culprits]) >= QUIET or self._together(row)):
            return False
        return self.age > HOLDS or row.slow < QUIET

    def _together(self, row: Standing) -> bool:
        """Tell whether a fault that the distance of all signals has found still shows there."""
        if self._highest < 1:
            return False
        known = self.age > GATHERS
        return row.distance >= FADING * self._highest or (known and row.share >= STANDS)

    def state(self) -> State:
        """Give the latch as arrays."""
        return {
            "peak": self.peak.copy(),
            "height": np.array([self._height, self._highest, self._rising, self._bar]),
            "counts": np.array(
                [self.phase, self.age, self._above, self._below, self._highs, self._lows,
                 self.mode], np.int64,
            ),
        }  # fmt: skip

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self.peak, self._culprits = np.array(state["peak"], np.float64), None
        self._height, self._highest, self._rising, self._bar = state["height"].tolist()
        counts: list[Any] = state["counts"].tolist()
        self.phase = Phase(counts[0])
        self.age, self._above, self._below, self._highs, self._lows, self.mode = counts[1:]


_FADES = 0.5 ** (1 / FORGETS)


def _rms(values: Columns) -> float:
    return sqrt(values.dot(values) / len(values))
