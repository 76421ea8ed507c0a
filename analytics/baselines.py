"""What an asset shows in one operating mode while healthy, and how a row deviates from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.alarming import GATHERS, STANDS, Standing
from analytics.arrivals import Arrivals
from analytics.channels import (
    CALMED,
    FOLLOWS,
    FURTHEST,
    QUICK,
    RESTLESS,
    SLOW,
    Channels,
    learn,
)
from analytics.contract import State
from analytics.regimes import Regimes, find
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
"""Healthy rows that are learnt in one step: smoothed neighbours say the same."""
LEANS, RENEWS = 16, 512
"""Rows after which what signals do together is learnt, and after which it is used anew."""
REMEMBERS = 1e4
"""Rows of which it is the mean."""
LOOKS = 4
"""Rows between two looks at the restlessness, whose half-life is long beside it."""
ENTERS, SHORTEST = 20, 30
"""Rows after a change between found modes that are not learnt, because the machine settles; and
rows below which what is left of a stay tells nothing."""
FOLLOWED = 0.43
"""Deviation, in limits, at which an alarmed asset's signal is followed at half the usual rate."""
CATCHES_UP, SETTLES = 25.0, 20.0
"""Half-lives of the baselines of signals that have no part in a standing alarm, and of all while
the asset settles, rows."""


def _gain(half_life: float, rows: int = 1) -> float:
    """Give the weight of one row, or of so many rows that are taken in one step."""
    return float(1 - 0.5 ** (rows / half_life))


_MEANS = np.array([[_gain(QUICK)], [_gain(SLOW)]])
_FOLLOW = np.array([[_gain(half_life)] for half_life in FOLLOWS])
_LEARN = np.array([[_gain(half_life, TURN)] for half_life in FOLLOWS])
_LEARN_QUICK = np.array([[_gain(FOLLOWS[0], TURN)], [0.0]])
_VARIANCE = np.array([[_gain(RESTLESS)], [_gain(CALMED)]])
_AWAY, _BACK = _gain(CATCHES_UP), _gain(SETTLES)


@dataclass(slots=True, eq=False)
class Deviation:
    """How one row deviates; arrays are the baseline's own and hold until its next row.

    Parameters
    ----------
    score
        In limits: above 1 is strange.
    strength
        Deviation of each signal (p,) in limits, in the channel where it is largest.
    in_limits
        Deviation in each channel (3, p), in its limits.
    limits
        Limits of the channels for one signal (3, 1), in scales.
    pooled
        All signals together in the quick and the slow channel, in limits.
    far
        Whether any signal deviates by more than `TOGETHER` scales.
    """

    score: float
    strength: Columns
    in_limits: Columns
    limits: Columns
    pooled: tuple[float, float]
    far: bool

    @property
    def quick(self) -> float:
        """The part of the quick channel in the score."""
        return max(float(self.in_limits[0].max()), self.pooled[0])

    @property
    def slow(self) -> float:
        """The part of the slow channel in the score."""
        return max(float(self.in_limits[1].max()), self.pooled[1])


class ModeBaseline:
    """Gathers healthy rows of one mode, then judges by them.

    Parameters
    ----------
    signals
        Number of signals.
    limit
        See `limits.limit_of`.
    store, visits
        Rows that were gathered already, in so many stays.
    """

    def __init__(
        self, signals: int, limit: float, store: BlockStore | None = None, visits: int = 0
    ) -> None:
        self._signals, self._limit = signals, limit
        self._store: BlockStore | None = BlockStore(signals) if store is None else store
        self.visits = visits
        """Times that the mode was entered."""
        self._reach = np.zeros((2, signals))
        self._first = np.full((2, signals), np.nan)
        self._home = np.zeros(signals)
        self.centre = np.full(signals, np.nan)
        """What each signal shows at present (p,)."""
        self.relations = Relations(np.zeros(signals), np.ones(signals), np.eye(signals))
        self._channels: Channels | None = None
        self._arrivals = Arrivals(signals)
        self._arriving: Flags | None = None

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
    def stretches(self) -> list[Columns]:
        """Rows kept, in contiguous stretches (n, p), until it can judge."""
        return [] if self._store is None else self._store.stretches()

    @property
    def drift(self) -> Columns:
        """How far each signal (p,) has moved from where it was learnt, in its own spreads."""
        moved: Columns = (self.centre - self._first[0]) / self._first[1]
        return moved

    @property
    def shift(self) -> Columns:
        """How far each residual (p,) is from where it was when it was learnt, in `unit`s.

        What all signals do together is no part of it.
        """
        shift: Columns = self._known.base[1] + self._away[1] - self._home
        return shift

    @property
    def width(self) -> Columns:
        """The spread of each signal (p,) when it was learnt."""
        width: Columns = self._first[1]
        return width

    @property
    def restlessness(self) -> Columns:
        """Present variance of each residual (p,), in its usual ones."""
        channels = self._known
        restless: Columns = channels.variance.max(axis=0) / np.exp(channels.usual)
        return restless

    def suddenness(self, step: Columns) -> Columns:
        """Give what the others do not explain of a change (p,), in residuals of one row.

        In usual ones, or in present ones where those are larger.
        """
        sudden: Columns = np.abs(step @ self.relations.operator)
        scale = np.maximum(np.exp(self._known.usual), self._known.variance.max(axis=0))
        sudden /= np.sqrt(scale)
        return sudden

    def misfit(self, rows: Columns) -> Columns:
        """Give the mean square (p,) of the residuals of rows (n, p), in usual ones."""
        channels = self._known
        left = self.relations.residuals(rows) - channels.base[0]
        usual = np.exp(channels.usual) + channels.square[0]
        square: Columns = (left * left).mean(axis=0) / usual
        return square

    def visit(self) -> None:
        """Note that the mode was entered anew."""
        self.visits += 1
        if self._channels is not None:
            self._channels.visits += 1
        else:
            self._arrivals.enter()

    def look(self, age: int, slow: Columns) -> None:
        """Take the slow means (p,) of an entry, `age` rows after it, while the mode is learnt."""
        if self._channels is None:
            self._arrivals.look(age, slow)

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
        self._home = channels.base[1].copy()
        limit = channels.limits()[1] * np.sqrt(channels.square[1])
        self._arrivals.fit(self.relations, channels.base, limit)
        self._begin(channels)

    def _begin(self, channels: Channels) -> None:
        """Lay out what every row needs."""
        signals = self._signals
        self._channels = channels
        self._most = channels.square * GROWS
        self._turn = self._look = self._lean = 0
        self._weights = channels.weights()
        self._wildest = WILDEST * np.exp(channels.usual)
        self._renew(channels)
        self._stack = np.empty((3, signals))
        self._left, self._step = np.zeros((2, signals)), np.empty((2, signals))
        self._age = 0
        self._away = np.zeros((2, signals))
        self._apart, self._drawn = np.zeros((2, signals)), np.zeros((2, signals, 1))
        self._in_limits = np.zeros((3, signals))
        self._strength = np.zeros(signals)
        self._fault, self._pull = np.zeros(signals), np.zeros(signals)
        self._share = self._distance = 0.0
        self._missing: Flags | None = None

    def complete(self, row: Columns, present: Flags) -> Columns:
        """Give a row (p,) in which signals that are not `present` show what the others expect."""
        filled: Columns = self.relations.fill(row[None, :], present, self.centre)[0]
        return filled

    def _renew(self, channels: Channels) -> None:
        """Take limits and scales anew."""
        self._hold(channels.limits(), channels.square)

    def _hold(self, limits: Limits, square: Columns) -> None:
        self._limits = limits
        self._square = square.copy()
        self._inverse = 1 / np.sqrt(square)
        self._one = np.array(limits[:3])[:, None]
        self._per_limit = self._inverse / self._one[:2]
        self._largest = max(limits[:3])
        self._pooling = [1 / (pooled * self._signals**0.5) for pooled in limits[3:]]

    def deviation(
        self,
        row: Columns,
        means: Columns,
        age: int,
        present: Flags | None,
        counts: bool,
        arrives: bool = True,
    ) -> Deviation:
        """Say how a row deviates, and take its restlessness in.

        Parameters
        ----------
        row, means
            The row (p,) as it came; its quick and its slow mean (2 or more, p).
        age
            Rows since the means began.
        present
            Signals (p,) that have a value; None if all have.
        counts
            Whether the row counts for the restlessness; it does not while the alarm of another
            mode stands.
        arrives
            Whether an entry may find its own level; not while an alarm stands.
        """
        channels = self._known
        rest = self._residuals(row, means, age, present)
        self._arriving = None
        if age <= self._arrivals.lasts and arrives:
            self._arriving = self._arrivals.arrive(age, self._left, channels.base)
        np.subtract(self._left, channels.base, out=self._away)
        rest *= rest
        if self._arriving is not None:
            rest[self._arriving] = channels.variance[0, self._arriving]
        if self._missing is not None:
            self._away[:, self._missing] = 0.0
            rest[self._missing] = channels.variance[0, self._missing]
        if counts:
            np.minimum(rest, self._wildest, out=rest)
            step = np.subtract(rest, channels.variance, out=self._step)
            step *= _VARIANCE
            channels.variance += step
        return self._score(channels, age)

    def _residuals(self, row: Columns, means: Columns, age: int, present: Flags | None) -> Columns:
        """Take in the residuals of the means; give those of the row around the quick one (p,)."""
        left, follows = self._left, age == self._age + 1
        self._age = age if present is None and age >= RIPE else 0
        if follows and present is None:
            # means and residuals are linear: once the means are ripe, both move by the same gains
            now = self.relations.residuals(row)
            step = np.subtract(now, left, out=self._step)
            step *= _MEANS
            left += step
            now -= left[0]
            self._missing = None
            return now
        stack = self._stack
        stack[0], stack[1:] = row, means[:2]
        self._missing = None
        if present is not None:
            stack = self.relations.fill(stack, present)
            missing = self._missing = ~present
            # a signal that has drifted is expected where it drifted to: its residual stays
            drifted = self._known.base * self.relations.unit
            stack[1:, missing] += drifted[:, missing]
            stack[0, missing] += drifted[0, missing]
        found = self.relations.residuals(stack)
        left[:] = found[1:]
        rest: Columns = found[0] - found[1]
        return rest

    def _score(self, channels: Channels, age: int) -> Deviation:
        in_limits, strength, apart = self._in_limits, self._strength, self._apart
        shifts = in_limits[:2]
        np.multiply(self._away, self._inverse, out=apart)
        np.multiply(self._away, self._per_limit, out=shifts)
        np.abs(shifts, out=shifts)
        if age < RIPE:
            shifts[1] = 0.0
        if not self._look:
            self._calm(channels)
        self._look = (self._look + 1) % LOOKS
        np.maximum.reduce(in_limits, axis=0, out=strength)
        most = float(np.maximum.reduce(strength))
        drawn = np.matmul(self._weights, apart[:, :, None], out=self._drawn)
        quick = self._pooling[0] * float(apart[0] @ drawn[0, :, 0]) ** 0.5
        self._distance = self._pooling[1] * float(apart[1] @ drawn[1, :, 0]) ** 0.5
        pooled = quick, self._distance if age >= RIPE else 0.0
        score = max(most, *pooled)
        if most < OTHER or np.count_nonzero(strength >= OTHER) < 2:
            score /= LONE
        far = most * self._largest > TOGETHER and bool((in_limits * self._one > TOGETHER).any())
        return Deviation(score, strength, in_limits, self._one, pooled, far)

    def _calm(self, channels: Channels) -> None:
        """Look at the restlessness of each signal anew."""
        restless = self._in_limits[2]
        np.add(channels.variance[0], channels.least, out=restless)
        np.log(restless, out=restless)
        restless -= channels.usual
        restless /= channels.spread
        restless /= self._limits[2]
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
        self._turn = (self._turn + 1) % TURN
        if self._turn:
            return
        if self._alone():
            far = np.minimum(self._away * self._away, WIDEST * channels.square)
            for unsure in (self._missing, self._arriving):
                if unsure is not None:
                    far[:, unsure] = channels.square[:, unsure]
            channels.square += TURN * LEARNS * (far - channels.square)
            np.minimum(channels.square, self._most, out=channels.square)
            self._lean = (self._lean + TURN) % RENEWS
            if not self._lean % LEANS:
                self._learn_together(channels)
        self._renew(channels)
        self._arrivals.stay(channels.base, TURN)
        self._shift(_LEARN if age >= RIPE else _LEARN_QUICK)
        self._follow(smooth, _LEARN[1, 0])

    def _alone(self) -> bool:
        """Whether no two signals have shifted far at once."""
        shifted = self._in_limits[:2] * self._one[:2] > TOGETHER
        return int(np.count_nonzero(shifted[0] | shifted[1])) < 2

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

    def go_home(self) -> None:
        """Measure a fault that has crept from where its signals lay before."""
        self._arrivals.go_home(self._known.base)

    def accept(self) -> None:
        """Take the present for the level from which entries are told."""
        self._arrivals.accept(self._known.base + self._away)

    def restart_slow(self) -> None:
        """Take the quick variance for the slow one: what was seen of the fault is over."""
        channels = self._known
        channels.variance[0] = channels.variance[1]
        self._left[1] = self._left[0]

    def calm(self) -> None:
        """Forget all unrest: what was seen of it came from a sensor that is left out now."""
        if self._channels is not None:
            variance = self._channels.variance
            np.minimum(variance, np.exp(self._channels.usual), out=variance)
            self._look = 0

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
            "home": self._home.copy(),
            "centre": self.centre.copy(),
            "limit": np.array([self._limit]),
            "visits": np.array([self.visits]),
        } | prefixed("arrivals.", self._arrivals.state())
        if self._store is not None:
            return known | prefixed("store.", self._store.state())
        known |= prefixed("relations.", self.relations.state())
        known |= prefixed("channels.", self._known.state())
        return known | {
            "most": self._most.copy(),
            "square": self._square.copy(),
            "limits": np.array(self._limits),
            "left": self._left.copy(),
            "restless": self._in_limits[2].copy(),
            "weights": self._weights.copy(),
            "fault": np.stack((self._fault, self._pull)),
            "share": np.array([self._share]),
            "turn": np.array([self._turn, self._look, self._age, self._lean]),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same baseline again."""
        again = cls(state["reach"].shape[1], float(state["limit"][0]))
        again._reach, again._first = state["reach"].copy(), state["first"].copy()
        again._home = state["home"].copy()
        again.centre, again.visits = state["centre"].copy(), int(state["visits"][0])
        again._arrivals = Arrivals.restore(part_of(state, "arrivals."))
        if "turn" not in state:
            if again._store is not None:
                again._store.restore(part_of(state, "store."))
            return again
        again._store = None
        again.relations = Relations.restore(part_of(state, "relations."))
        again._begin(Channels.restore(part_of(state, "channels.")))
        again._most, again._left = state["most"].copy(), state["left"].copy()
        again._hold(tuple(state["limits"].tolist()), state["square"])
        again._in_limits[2] = state["restless"]
        again._weights = state["weights"].copy()
        again._fault, again._pull = state["fault"].copy()
        again._share = float(state["share"][0])
        again._turn, again._look, again._age, again._lean = state["turn"].tolist()
        return again


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

    def gather(self, mode: int, row: Columns, age: int, slow: Columns) -> None:
        """Keep one healthy row (p,) of a mode that was entered, and see how it was entered.

        Parameters
        ----------
        age
            Rows since the means began anew.
        slow
            The slow means (p,).
        """
        if mode in self._modes:
            self._modes[mode].look(age, slow)
            self._modes[mode].gather(row)

    def part(self) -> Regimes | None:
        """Part what was gathered by modes that nobody declared; None if there is one mode only."""
        if len(self._modes) != 1:
            return None
        (only,) = self._modes.values()
        stretches = only.stretches
        found = find(stretches, self._needed)
        if found is None:
            return None
        regimes, told = found
        stands_for = only.gathered / sum(map(len, stretches))
        self._modes = {}
        for mode in range(len(regimes)):
            stays = list(_stays(stretches, told, mode))
            rows = int(sum(map(len, stays)) * stands_for)
            store = BlockStore.of(self._signals, stays, rows)
            self._modes[mode] = ModeBaseline(self._signals, self._limit, store, len(stays))
        return regimes

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

    def learn(self, mode: int, row: Columns, age: int, slow: Columns) -> None:
        """Keep one healthy row of a mode, see `gather`, and fit the mode when it has enough."""
        self.gather(mode, row, age, slow)
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


def _stays(
    stretches: Sequence[Columns], told: Sequence[NDArray[np.intp]], mode: int
) -> Iterator[Columns]:
    """Give the settled rows (n, p) of every stay in a mode."""
    for rows, modes in zip(stretches, told, strict=True):
        edges = np.flatnonzero(np.diff(modes)) + 1
        for begin, end in pairwise([0, *edges.tolist(), len(rows)]):
            settled = begin + ENTERS if begin else 0
            if modes[begin] == mode and end - settled >= SHORTEST:
                yield rows[settled:end]


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
