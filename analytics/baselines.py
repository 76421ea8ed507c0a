"""What an asset shows in one operating mode while healthy, and how a row deviates from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.alarming import GATHERS, STANDS, Standing
from analytics.channels import CALMED, FOLLOWS, FURTHEST, RESTLESS, Channels, learn
from analytics.contract import State
from analytics.relations import Relations
from analytics.rows import BlockStore
from analytics.scaling import quantiles, quantum, scale_floor, seen

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]
Limits = tuple[float, float, float, float, float]

MODES = 64
"""Modes that can have a baseline; an asset that shows more has no mode tag but a counter."""
BAND = (0.005, 0.995)
"""Quantiles of the healthy values between which a signal is in its band."""
ROUNDED = 12**-0.5
"""Standard deviation of rounding, in steps of a quantised signal."""
RIPE = 58
"""Rows after a start before the slow means are as quiet as they will be, and are judged."""
OTHER, LONE = 0.65, 1.3
"""A signal that deviates while no other reaches this share of its limit counts this much less: a
machine's fault is seldom seen by one sensor alone, a sensor's own wandering always."""
TOGETHER = 3.0
"""Scales beyond which two signals that deviate at once teach nobody a wider scale."""
LEARNS, WIDEST = 0.001, 9.0
"""Weight of a row in the squared scales, and squared scales as which the furthest row counts."""
WILDEST = 64.0
"""No row counts in a variance as more than this many usual variances."""
GROWS = 81.0
"""No squared scale grows beyond this many times what was learnt at first."""
TURN = 8
"""Rows after which limits and roots of the scales are taken anew."""
LEANS, RENEWS = 16, 512
"""Rows after which what signals do together is learnt, and after which it is used anew."""
REMEMBERS = 1e4
"""Rows of which it is the mean."""
LOOKS = 4
"""Rows between two looks at the restlessness, whose half-life is long beside it."""
FOLLOWED = 0.43
"""Deviation, in limits, at which an alarmed asset's signal is followed at half the usual rate."""
CATCHES_UP, SETTLES = 25.0, 20.0
"""Half-lives of the baselines of signals that have no part in a standing alarm, and of all while
the asset settles, rows."""


def _gain(half_life: float) -> float:
    return float(1 - 0.5 ** (1 / half_life))


_FOLLOW = np.array([[_gain(half_life)] for half_life in FOLLOWS])
_VARIANCE = np.array([[_gain(RESTLESS)], [_gain(CALMED)]])
_AWAY, _BACK = _gain(CATCHES_UP), _gain(SETTLES)


@dataclass(slots=True, eq=False)
class Deviation:
    """How one row deviates; arrays are the baseline's own and hold until its next row.

    Parameters
    ----------
    score
        In limits: above 1 is strange.
    quick, slow
        The parts of these channels in it.
    strength
        Deviation of each signal (p,) in limits, in the channel where it is largest.
    scales
        The same in scales (p,).
    """

    score: float
    quick: float
    slow: float
    strength: Columns
    scales: Columns


class ModeBaseline:
    """Gathers healthy rows of one mode, then judges by them.

    Parameters
    ----------
    signals
        Number of signals.
    limit
        See `limits.limit_of`.
    """

    def __init__(self, signals: int, limit: float) -> None:
        self._signals, self._limit = signals, limit
        self._store: BlockStore | None = BlockStore(signals)
        self.visits = 0
        """Times that the mode was entered."""
        self._reach = np.zeros((2, signals))
        self._first = np.full((2, signals), np.nan)
        self.centre = np.full(signals, np.nan)
        """What each signal shows at present (p,)."""
        self.relations = Relations(np.zeros(signals), np.ones(signals), np.eye(signals))
        self._channels: Channels | None = None

    @property
    def ready(self) -> bool:
        """Whether it can judge."""
        return self._store is None

    @property
    def gathered(self) -> int:
        """Rows gathered so far."""
        return 0 if self._store is None else self._store.offered

    @property
    def rows(self) -> Columns:
        """Rows kept (n, p), until it can judge."""
        return self.centre[None, :] if self._store is None else self._store.rows

    @property
    def drift(self) -> Columns:
        """How far each signal (p,) has moved from where it was learnt, in its own spreads."""
        moved: Columns = (self.centre - self._first[0]) / self._first[1]
        return moved

    def visit(self) -> None:
        """Note that the mode was entered anew."""
        self.visits += 1
        if self._channels is not None:
            self._channels.visits += 1

    def gather(self, row: Columns) -> None:
        """Keep one healthy row (p,); one without any value tells nothing."""
        if self._store is not None and np.isfinite(row).any():
            self._store.append(row)

    def fit(self, floor: Columns) -> None:
        """Learn from the gathered rows and let go of them.

        Parameters
        ----------
        floor
            Smallest deviation of each signal worth telling (p,), from all modes.
        """
        if self._store is None:
            return
        rows = self._store.rows
        floor = np.maximum(floor, ROUNDED * quantum(rows))
        self.relations, channels = learn(
            self._store.blocks(), self._store.offered, self.visits, floor, self._limit
        )
        self._store = None
        known = seen(rows)
        lately = rows[-int(2 * FOLLOWS[1]) :]
        centre = self.relations.centre.copy()
        found = np.isfinite(lately).any(axis=0)
        centre[found] = np.nanmean(lately[:, found], axis=0)
        away = rows[:, known] - centre[known]
        self._reach[:, known] = quantiles(away, BAND)
        spread = np.maximum(self.relations.unit, (self._reach[1] - self._reach[0]) / 6)
        self._first = np.stack((centre, spread))
        self.centre = np.where(known, centre, np.nan)
        self._begin(channels)

    def _begin(self, channels: Channels) -> None:
        """Lay out what every row needs."""
        self._channels = channels
        self._most = channels.square * GROWS
        self._inverse = 1 / np.sqrt(channels.square)
        self._turn = self._look = self._lean = 0
        self._weights = channels.weights()
        self._wildest = WILDEST * np.exp(channels.usual)
        self._stack = np.empty((3, self._signals))
        self._renew(channels)
        self._away = np.zeros((2, self._signals))
        self._apart = np.zeros((2, self._signals))
        self._scaled = np.zeros((3, self._signals))
        self._in_limits = np.zeros((3, self._signals))
        self._size = np.zeros((2, self._signals))
        self._strength = np.zeros(self._signals)
        self._larger = np.zeros(self._signals)
        self._scales = np.zeros(self._signals)
        self._fault, self._pull = np.zeros(self._signals), np.zeros(self._signals)
        self._share = self._distance = 0.0
        self._missing: Flags | None = None

    def complete(self, row: Columns, present: Flags) -> Columns:
        """Give a row (p,) in which signals that are not `present` show what the others expect."""
        filled: Columns = self.relations.fill(row[None, :], present, self.centre)[0]
        return filled

    def _renew(self, channels: Channels) -> None:
        """Take limits and scales anew."""
        self._hold(channels.limits())
        np.sqrt(channels.square, out=self._inverse)
        np.reciprocal(self._inverse, out=self._inverse)

    def _hold(self, limits: Limits) -> None:
        self._limits = limits
        quick, slow, restless, self._quick_all, self._slow_all = limits
        self._ripe = np.array([[1 / quick], [1 / slow], [1 / restless]])
        self._unripe = np.array([[1 / quick], [0.0], [1 / restless]])

    def deviation(
        self,
        row: Columns,
        quick: Columns,
        slow: Columns,
        age: int,
        present: Flags | None,
        counts: bool,
    ) -> Deviation:
        """Say how a row deviates, and take its restlessness in.

        Parameters
        ----------
        row, quick, slow
            The row (p,) as it came and its two means.
        age
            Rows since the means began.
        present
            Signals (p,) that have a value; None if all have.
        counts
            Whether the row counts for the restlessness; it does not while the alarm of another
            mode stands.
        """
        channels = self._known
        stack = self._stack
        stack[0], stack[1], stack[2] = row, quick, slow
        self._missing = None
        if present is not None:
            stack = self.relations.fill(stack, present)
            self._missing = ~present
        left = self.relations.residuals(stack)
        np.subtract(left[1:], channels.base, out=self._away)
        rest = left[0] - left[1]
        rest *= rest
        if self._missing is not None:
            self._away[:, self._missing] = 0.0
            rest[self._missing] = channels.variance[0, self._missing]
        if counts:
            np.minimum(rest, self._wildest, out=rest)
            channels.variance += _VARIANCE * (rest - channels.variance)
        return self._score(channels, age)

    def _score(self, channels: Channels, age: int) -> Deviation:
        ripe = age >= RIPE
        scaled, size, in_limits = self._scaled, self._size, self._in_limits
        apart = self._apart
        np.multiply(self._away, self._inverse, out=apart)
        np.abs(apart, out=size)
        scaled[:2] = size
        if not self._look:
            self._calm(channels)
        self._look = (self._look + 1) % LOOKS
        np.multiply(scaled, self._ripe if ripe else self._unripe, out=in_limits)
        quick, slow, restless = np.maximum.reduce(in_limits, axis=1).tolist()
        drawn = np.matmul(self._weights, apart[:, :, None])[:, :, 0]
        squares = np.einsum("ij,ij->i", drawn, apart).tolist()
        quick = max(quick, (squares[0] / self._signals) ** 0.5 / self._quick_all)
        self._distance = (squares[1] / self._signals) ** 0.5 / self._slow_all
        if ripe:
            slow = max(slow, self._distance)
        score = max(quick, slow, restless)
        np.maximum.reduce(in_limits, axis=0, out=self._strength)
        if np.count_nonzero(self._strength >= OTHER) < 2:
            score /= LONE
        np.maximum(size[0], size[1], out=self._larger)
        np.maximum(self._larger, scaled[2], out=self._scales)
        return Deviation(score, quick, slow, self._strength, self._scales)

    def _calm(self, channels: Channels) -> None:
        """Look at the restlessness of each signal anew."""
        restless = self._scaled[2]
        np.add(channels.variance[0], channels.least, out=restless)
        np.log(restless, out=restless)
        restless -= channels.usual
        restless /= channels.spread
        np.maximum(restless, 0.0, out=restless)

    def standing(self, deviation: Deviation) -> Standing:
        """Say what the row means for an alarm that stands."""
        channels = self._known
        _, slow, restless, _, _ = self._limits
        quick_mean = self._away[0] + channels.base[0]
        now = np.abs(quick_mean - channels.base[1]) * self._inverse[1] / slow
        calmed = (np.log(channels.variance[1] + channels.least) - channels.usual) / (
            channels.spread * restless
        )
        if self._missing is not None:
            now[self._missing] = calmed[self._missing] = 0.0
        np.maximum(now, self._in_limits[0], out=now)
        np.maximum(now, calmed, out=now)
        lately = np.maximum(self._in_limits[0], self._in_limits[1])
        self._share = float(self._pull @ self._apart[1])
        return Standing(now, lately, deviation.slow, self._distance, self._share)

    def _remember(self, age: int, culprits: Flags) -> None:
        """Learn what the fault of a standing alarm looks like in the slow means of its culprits.

        What is left of it later is measured along this direction, weighted by what the signals do
        together while healthy (matched filter), which is far less noise than their deviations.

        Parameters
        ----------
        age
            Rows since the alarm, from 1 on. After `GATHERS` the fault is known, and then only
            followed as slowly as the baselines, while it stands.
        culprits
            Signals (p,) that make the alarm.
        """
        if age == 1:
            self._pull = np.zeros(self._signals)
        if age <= GATHERS:
            self._fault += (self._apart[1] - self._fault) / age
        elif self._share >= STANDS:  # drift goes on meanwhile
            self._fault += _FOLLOW[1, 0] * (self._apart[1] - self._fault)
        if not age % GATHERS:
            away = self._fault[culprits]
            spread = np.linalg.inv(self._weights[1])[np.ix_(culprits, culprits)]
            pull = np.linalg.solve(spread, away)
            self._pull = np.zeros(self._signals)
            self._pull[culprits] = pull / max(float(pull @ away), 1e-12)

    def learn(self, smooth: Columns, age: int) -> None:
        """Follow a healthy row: baselines, scales, level; the last `deviation` is of this row."""
        channels = self._known
        channels.rows += 1
        if np.count_nonzero(self._larger > TOGETHER) < 2:
            far = np.minimum(self._away * self._away, WIDEST * channels.square)
            if self._missing is not None:
                far[:, self._missing] = channels.square[:, self._missing]
            channels.square += LEARNS * (far - channels.square)
            np.minimum(channels.square, self._most, out=channels.square)
            self._lean = (self._lean + 1) % RENEWS
            if not self._lean % LEANS:
                self._learn_together(channels)
        self._turn = (self._turn + 1) % TURN
        if not self._turn:
            self._renew(channels)
        self._shift(_FOLLOW if age >= RIPE else _FOLLOW_QUICK)
        self._follow(smooth, _FOLLOW[1, 0])

    def _learn_together(self, channels: Channels) -> None:
        """Learn what the signals do together."""
        near = np.clip(self._apart, -FURTHEST, FURTHEST)
        found = near[:, :, None] * near[:, None, :]
        channels.together += LEANS / min(channels.rows, REMEMBERS) * (found - channels.together)
        if not self._lean:
            self._weights = channels.weights()

    def settle(self, smooth: Columns) -> None:
        """Catch up with a row after an alarm."""
        self._shift(_BACK)
        self._follow(smooth, _BACK)

    def follow(self, now: Columns, culprits: Flags, age: int) -> None:
        """Follow, while the alarm stands, what has no part in it.

        Parameters
        ----------
        now
            Deviation of each signal (p,), in limits.
        culprits
            Signals (p,) that make the alarm.
        age
            Rows since the alarm, from 1 on; after `GATHERS` it is known who they are.
        """
        self._remember(age, culprits)
        gain = _FOLLOW / (1 + (now / FOLLOWED) ** 4)
        if age > GATHERS:
            gain = np.where(culprits, gain, _AWAY)
        self._shift(gain)

    def restart_slow(self) -> None:
        """Take the quick variance for the slow one: what was seen of the fault is over."""
        channels = self._known
        channels.variance[0] = channels.variance[1]

    def _shift(self, gain: Any) -> None:
        channels = self._known
        channels.base += gain * self._away

    def _follow(self, smooth: Columns, gain: float) -> None:
        step = gain * (smooth - self.centre)
        if self._missing is not None:
            step = np.nan_to_num(step)
        self.centre = self.centre + step

    @property
    def _known(self) -> Channels:
        if self._channels is None:
            raise RuntimeError("a baseline judges once it is fitted")
        return self._channels

    def band(self) -> tuple[Columns, Columns, Columns]:
        """Give low, high and expected of each signal (p,); NaN until it can judge."""
        width = 3.0 * self.relations.unit
        low, high = np.minimum(self._reach[0], -width), np.maximum(self._reach[1], width)
        return self.centre + low, self.centre + high, self.centre.copy()

    def state(self) -> State:
        """Give everything as arrays."""
        known = {
            "reach": self._reach.copy(),
            "first": self._first.copy(),
            "centre": self.centre.copy(),
            "limit": np.array([self._limit]),
            "visits": np.array([self.visits]),
        }
        if self._store is not None:
            return known | prefixed("store.", self._store.state())
        known |= prefixed("relations.", self.relations.state())
        known |= prefixed("channels.", self._known.state())
        return known | {
            "most": self._most.copy(),
            "inverse": self._inverse.copy(),
            "limits": np.array(self._limits),
            "restless": self._scaled[2].copy(),
            "weights": self._weights.copy(),
            "fault": np.stack((self._fault, self._pull)),
            "share": np.array([self._share]),
            "turn": np.array([self._turn, self._look, self._lean]),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same baseline again."""
        again = cls(state["reach"].shape[1], float(state["limit"][0]))
        again._reach, again._first = state["reach"].copy(), state["first"].copy()
        again.centre, again.visits = state["centre"].copy(), int(state["visits"][0])
        if "turn" not in state:
            if again._store is not None:
                again._store.restore(part_of(state, "store."))
            return again
        again._store = None
        again.relations = Relations.restore(part_of(state, "relations."))
        again._begin(Channels.restore(part_of(state, "channels.")))
        again._most, again._inverse = state["most"].copy(), state["inverse"].copy()
        again._hold(tuple(state["limits"].tolist()))
        again._scaled[2] = state["restless"]
        again._weights = state["weights"].copy()
        again._fault, again._pull = state["fault"].copy()
        again._share = float(state["share"][0])
        again._turn, again._look, again._lean = state["turn"].tolist()
        return again


_FOLLOW_QUICK = np.array([[_gain(FOLLOWS[0])], [0.0]])


class ModeBaselines:
    """The baselines of one asset, one a mode.

    Parameters
    ----------
    signals
        Names of the columns.
    needed
        Rows of a mode before it is judged.
    limit
        See `limits.limit_of`.
    """

    def __init__(self, signals: Sequence[str], needed: int, limit: float) -> None:
        self._signals = len(signals)
        self._needed, self._limit = needed, limit
        self._modes: dict[int, ModeBaseline] = {}

    def __getitem__(self, mode: int) -> ModeBaseline:
        return self._modes[mode]

    def get(self, mode: int) -> ModeBaseline | None:
        """Give the baseline of a mode, if it has been seen."""
        return self._modes.get(mode)

    def first(self, mode: int) -> bool:
        """Tell whether a mode has been entered once only."""
        known = self._modes.get(mode)
        return known is not None and known.visits == 1

    def progress(self, mode: int) -> float:
        """How much of a mode is learnt, 0 to 1."""
        known = self._modes.get(mode)
        if known is None:
            return 0.0
        return 1.0 if known.ready else min(0.99, known.gathered / self._needed)

    def visit(self, mode: int) -> None:
        """Note that a mode was entered."""
        if mode not in self._modes and len(self._modes) < MODES:
            self._modes[mode] = ModeBaseline(self._signals, self._limit)
        if mode in self._modes:
            self._modes[mode].visit()

    def gather(self, mode: int, row: Columns) -> None:
        """Keep one healthy row (p,) of a mode that was entered."""
        if mode in self._modes:
            self._modes[mode].gather(row)

    def fit(self) -> None:
        """Fit every mode that has enough rows and is not fitted yet."""
        waiting = [
            each
            for each in self._modes.values()
            if not each.ready and each.gathered >= self._needed
        ]
        if waiting:
            floor = scale_floor(np.concatenate([each.rows for each in self._modes.values()]))
            for baseline in waiting:
                baseline.fit(floor)

    def learn(self, mode: int, row: Columns) -> None:
        """Keep one healthy row of a mode, and fit the mode when it has enough."""
        self.gather(mode, row)
        known = self._modes.get(mode)
        if known is not None and known.gathered >= self._needed:
            self.fit()

    def state(self) -> State:
        """Give all baselines as arrays."""
        known: dict[str, NDArray[Any]] = {"modes": np.array(list(self._modes), np.int64)}
        for mode, baseline in self._modes.items():
            known |= prefixed(f"{mode}.", baseline.state())
        return known

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._modes = {
            mode: ModeBaseline.restore(part_of(state, f"{mode}."))
            for mode in state["modes"].tolist()
        }


def prefixed(prefix: str, state: State) -> dict[str, NDArray[Any]]:
    """Give the same arrays under names that start with `prefix`."""
    return {prefix + name: value for name, value in state.items()}


def part_of(state: State, prefix: str) -> State:
    """Give the arrays whose names start with `prefix`, without it.

    Examples
    --------
    >>> list(part_of({"a.x": np.zeros(1), "b.x": np.zeros(1)}, "a."))
    ['x']
    """
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
