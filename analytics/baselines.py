"""What an asset shows in one operating mode while healthy, and how a row deviates from it.

Between two learnings, eight healthy rows, baselines, scales and limits stand still: what follows
from them is worked out once, and a row costs a few passes over arrays that are laid out already.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.alarming import GATHERS, Standing
from analytics.arrivals import Arrivals
from analytics.channels import CALMED, FOLLOWS, QUICK, RESTLESS, SLOW, Channels
from analytics.contract import State
from analytics.deviations import Deviation, Healthy
from analytics.gauges import TURN, Gauge
from analytics.likeness import Likeness
from analytics.relations import Relations
from analytics.smoothing import laid_out
from analytics.states import part_of, prefixed

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

RIPE = 58
"""Rows after a start before the slow means are as quiet as they will be, and are judged."""
OTHER, LONE = 0.65, 1.3
"""A signal that deviates while no other reaches this share of its limit counts this much less: a
machine's fault is seldom seen by one sensor alone, a sensor's own wandering always."""
TOGETHER = 3.0
"""Scales beyond which two signals that deviate at once teach nobody a wider scale."""
WILDEST = 64.0
"""No row counts in a variance as more than this many usual variances."""
LOOKS = 4
"""Rows between two looks at the restlessness, whose half-life is long beside it."""
FOLLOWED = 0.43
"""Deviation, in limits, at which an alarmed asset's signal is followed at half the usual rate."""
CATCHES_UP, SETTLES = 25.0, 20.0
"""Half-lives of the baselines of signals that have no part in a standing alarm, and of all while
the asset settles, rows."""


def _gain(half_life: float, rows: int = 1) -> float:
    """Give the weight of one row, or of so many rows that are taken in one step."""
    return float(1 - 0.5 ** (rows / half_life))


_MEANS = _gain(QUICK), _gain(SLOW)
_FOLLOW = np.array([[_gain(half_life)] for half_life in FOLLOWS])
_LEARN = _gain(FOLLOWS[0], TURN), _gain(FOLLOWS[1], TURN)
_LEARN_QUICK = _LEARN[0], 0.0
_VARIANCE = _gain(RESTLESS), _gain(CALMED)
_AWAY, _BACK = _gain(CATCHES_UP), _gain(SETTLES)
_NONE = np.array(0.0)  # beside an array this is far quicker than a number
_KEPT = (1 - _MEANS[0]) ** 2
"""Share of a squared residual that is left once the quick mean has followed it."""
_STEPS = np.column_stack(
    (np.diag([1 - gain for gain in (*_MEANS, *_VARIANCE)]), [*_MEANS, 0.0, 0.0],
     [0.0, 0.0, *(_KEPT * gain for gain in _VARIANCE)])
)  # fmt: skip
"""What residuals of both means and both variances make of themselves, of a row's residual, and of
the square of what it lies from the quick mean's, once the means are ripe (4, 6)."""


class ModeBaseline:
    """Judges by what was learnt of one mode, and follows it.

    Parameters
    ----------
    relations, channels, arrivals
        What was learnt.
    centre
        What each signal shows at present (p,); NaN for one that was never seen.
    first
        Centre and spread of each signal (2, p) when it was learnt.
    reach
        Band of each signal around its centre (2, p).
    home
        Slow baseline of each residual (p,) when it was learnt.
    visits
        Times that the mode was entered.
    """

    def __init__(
        self,
        relations: Relations,
        channels: Channels,
        arrivals: Arrivals,
        *,
        centre: Columns,
        first: Columns,
        reach: Columns,
        home: Columns,
        visits: int,
    ) -> None:
        self.relations, self.centre, self.visits = relations, centre, visits
        self._channels, self._arrivals = channels, arrivals
        self._first, self._reach, self._home = first, reach, home
        self._wildest = WILDEST * np.exp(channels.usual)
        self._wildest_step = self._wildest / _KEPT
        self._turn = self._look = self._age = 0
        self._missing: Flags | None = None
        self._arriving: Flags | None = None
        self._far = False
        self._lay_out(len(home))
        self._gauge = Gauge(channels)

    def _lay_out(self, signals: int) -> None:
        """Make room for what a row shows, once."""
        self._stack = np.empty((3, signals))
        self._over, self._step = np.empty(signals), np.empty((2, signals))
        # one product moves residuals of the means and variances, so they lie in one array
        self._laid = np.zeros((6, signals))
        self._followed, self._left, variance = self._laid[:4], self._laid[:2], self._laid[2:4]
        variance[:] = self._channels.variance
        self._channels.variance = variance
        self._left_quick, _, self._variance_slow, _, self._now, self._square = self._laid
        self._away, self._apart = np.zeros((2, signals)), np.zeros((2, signals))
        self._drawn = np.empty(signals)
        self._in_limits, self._strength = np.zeros((3, signals)), np.zeros(signals)
        self._in_scales, self._largest = np.zeros((3, signals)), np.empty(signals)
        self._variance_gain = laid_out(_VARIANCE, signals)
        self._learn_gain = laid_out(_LEARN, signals)
        self._learn_gain_young = laid_out(_LEARN_QUICK, signals)
        self._likeness = Likeness(signals)
        self._distance = 0.0
        # a view costs more than a sum of its numbers: these are made once
        self._shifts, self._shifts_scales = self._in_limits[:2], self._in_scales[:2]
        self._quick, self._slow, self._restless = self._in_limits
        self._quick_scales, self._slow_scales, self._restless_scales = self._in_scales
        self._apart_quick, self._apart_slow = self._apart

    def scales(self) -> Columns:
        """Give the largest deviation of each signal (p,), in scales; held until the next row."""
        largest = self._largest
        np.maximum(self._quick_scales, self._slow_scales, out=largest)
        np.maximum(largest, self._restless_scales, out=largest)
        return largest

    @property
    def drift(self) -> Columns:
        """How far each signal (p,) has moved from where it was learnt, in its own spreads."""
        moved: Columns = (self.centre - self._first[0]) / self._first[1]
        return moved

    @property
    def knows_entries(self) -> bool:
        """Whether so many entries are known that a fault lies beyond the levels they showed."""
        return self._arrivals.leashed

    @property
    def shift(self) -> Columns:
        """How far each residual (p,) is from where it was when it was learnt, in `unit`s.

        What all signals do together is no part of it.
        """
        shift: Columns = self._channels.base[1] + self._away[1] - self._home
        return shift

    def shifts(self, rows: Columns) -> Columns:
        """Give how far rows (n, p) lie from where it was learnt, in limits of the slow channel."""
        channels = self._channels
        limit = channels.limits()[1] * np.sqrt(channels.square[1])
        shifts: Columns = (self.relations.residuals(rows) - self._home) / limit
        return shifts

    @property
    def width(self) -> Columns:
        """The spread of each signal (p,) when it was learnt."""
        width: Columns = self._first[1]
        return width

    @property
    def restlessness(self) -> Columns:
        """Present variance of each residual (p,), in its usual ones."""
        channels = self._channels
        restless: Columns = channels.variance.max(axis=0) / np.exp(channels.usual)
        return restless

    def suddenness(self, step: Columns) -> Columns:
        """Give what the others do not explain of a change (p,), in residuals of one row.

        In usual ones, or in present ones where those are larger.
        """
        sudden: Columns = np.abs(step @ self.relations.operator)
        scale = np.maximum(np.exp(self._channels.usual), self._channels.variance.max(axis=0))
        sudden /= np.sqrt(scale)
        return sudden

    def misfit(self, rows: Columns) -> Columns:
        """Give the mean square (p,) of the residuals of rows (n, p), in usual ones."""
        channels = self._channels
        left = self.relations.residuals(rows) - channels.base[0]
        usual = np.exp(channels.usual) + channels.square[0]
        square: Columns = (left * left).mean(axis=0) / usual
        return square

    def visit(self) -> None:
        """Note that the mode was entered anew."""
        self.visits += 1
        self._channels.visits += 1

    def complete(self, row: Columns, present: Flags) -> Columns:
        """Give a row (p,) in which signals that are not `present` show what the others expect."""
        filled: Columns = self.relations.fill(row[None, :], present, self.centre)[0]
        return filled

    def band(self) -> tuple[Columns, Columns, Columns]:
        """Give low, high and expected of each signal (p,)."""
        width = 3.0 * self.relations.unit
        low, high = np.minimum(self._reach[0], -width), np.maximum(self._reach[1], width)
        return self.centre + low, self.centre + high, self.centre.copy()

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
            Whether an entry may find its own level.
        """
        base, arrivals = self._channels.base, self._arrivals
        arrives = arrives and age <= arrivals.lasts
        self._missing, self._arriving = None, age <= arrivals.settles if arrives else None
        if counts and present is None and 0 < self._age == age - 1:
            self._age = age
            self._go_on(row)
        else:
            rest = self._residuals(row, means, age, present)
            if counts:
                self._take_unrest(rest)
        if arrives:
            arrivals.arrive(age, self._left, base)
        np.subtract(self._left, base, self._away)
        if self._missing is not None:
            self._away[:, self._missing] = 0.0
        return self._score(age)

    def _go_on(self, row: Columns) -> None:
        """Follow a whole row (p,): once the means are ripe, residuals move by the same gains."""
        relations, step = self.relations, self._over
        np.subtract(row, relations.centre, step)
        step.dot(relations.operator, self._now)
        np.subtract(self._now, self._left_quick, step)
        np.square(step, step)
        np.minimum(step, self._wildest_step, out=self._square)
        if self._arriving is not None:
            self._square[self._arriving] = self._variance_slow[self._arriving] / _KEPT
        self._followed[...] = _STEPS.dot(self._laid)

    def ahead(self, rows: Columns) -> Columns:
        """Give what is followed after each of whole rows (n, p), to the bit as if it came alone.

        Returns
        -------
        Residuals of the quick and the slow mean, slow and quick variance (n, 4, p).
        """
        laid = np.empty((len(rows) + 1, *self._laid.shape))
        laid[0], laid[:-1, 4], laid[:-1, 5] = self._laid, self.residuals(rows), 0.0
        followed = laid[1:, :4]
        for before, after in zip(laid, followed, strict=False):
            _STEPS.dot(before, after)  # of the means only: squares are told from these
        square = laid[:-1, 4] - laid[:-1, 0]
        np.square(square, square)
        np.minimum(square, self._wildest_step, out=laid[:-1, 5])
        for before, after in zip(laid, followed, strict=False):
            _STEPS.dot(before, after)
        return followed

    def _take_unrest(self, rest: Columns) -> None:
        """Take in how restless a row is, by its residuals around those of the quick mean (p,)."""
        variance, step = self._channels.variance, self._step
        rest *= rest
        for unsure in (self._arriving, self._missing):
            if unsure is not None:
                rest[unsure] = variance[0, unsure]
        np.minimum(rest, self._wildest, out=rest)
        step[:] = rest
        step -= variance
        step *= self._variance_gain
        variance += step

    def _residuals(self, row: Columns, means: Columns, age: int, present: Flags | None) -> Columns:
        """Take in the residuals of the means; give those of the row around the quick one (p,)."""
        if present is not None:
            return self._fill(row, means, present)
        self._age = age if age >= RIPE else 0
        stack = self._stack
        stack[0], stack[1:] = row, means[:2]
        return self._take(stack)

    def _fill(self, row: Columns, means: Columns, present: Flags) -> Columns:
        """Do so for a row in which some signals are missing."""
        self._age = 0
        stack = self._stack
        stack[0], stack[1:] = row, means[:2]
        stack = self.relations.fill(stack, present)
        missing = self._missing = ~present
        # a signal that has drifted is expected where it drifted to: its residual stays
        drifted = self._channels.base * self.relations.unit
        stack[1:, missing] += drifted[:, missing]
        stack[0, missing] += drifted[0, missing]
        return self._take(stack)

    def _take(self, stack: Columns) -> Columns:
        found = self.relations.residuals(stack)
        self._left[:] = found[1:]
        rest: Columns = found[0] - found[1]
        return rest

    def _score(self, age: int) -> Deviation:
        gauge, strength, shifts = self._gauge, self._strength, self._shifts_scales
        np.multiply(self._away, gauge.per_scale, self._apart)
        np.abs(self._apart, shifts)
        if age < RIPE:
            self._slow_scales[:] = 0.0
        np.multiply(shifts, gauge.per_limit, self._shifts)
        if not self._look:
            self._see_unrest()
        self._look = (self._look + 1) % LOOKS
        np.maximum(self._quick, self._slow, out=strength)
        np.maximum(strength, self._restless, out=strength)
        most = strength.item(strength.argmax())
        of_quick, of_slow = gauge.pooling
        apart, drawn = self._apart_quick, self._drawn
        quick = of_quick * float(apart.dot(gauge.weights_quick.dot(apart, drawn))) ** 0.5
        apart = self._apart_slow
        slow = of_slow * float(apart.dot(gauge.weights_slow.dot(apart, drawn))) ** 0.5
        self._distance = slow
        if age < RIPE:
            slow = 0.0
        score = quick if quick > most else most
        if slow > score:
            score = slow
        if most < OTHER or np.count_nonzero(strength >= OTHER) < 2:
            score /= LONE
        self._far = most * gauge.largest > TOGETHER
        return Deviation(score, strength, self._in_limits, gauge.one, (quick, slow), self._far)

    def _see_unrest(self) -> None:
        """Look at the restlessness of each signal anew."""
        restless = self._restless
        gauge = self._gauge
        np.divide(gauge.unrest(self._variance_slow), gauge.one[2], restless)
        np.maximum(restless, _NONE, out=restless)
        self._scale_unrest()

    def _scale_unrest(self) -> None:
        """Tell in scales how restless each signal was when it was looked at last."""
        np.multiply(self._restless, self._gauge.one[2], self._restless_scales)

    def in_step(self, age: int) -> bool:
        """Whether residuals of the means go on from those of the row before, `age` rows old."""
        return 0 < self._age == age and age > self._arrivals.lasts

    def residuals(self, rows: Columns) -> Columns:
        """Give the residuals of whole rows (n, p), each as if it came alone, to the bit."""
        found: Columns = np.vecmat(rows - self.relations.centre, self.relations.operator)
        return found

    def judge_calm(self, means: Columns, followed: Columns, bars: Sequence[float]) -> Healthy:
        """Judge and learn whole rows as `deviation` and `learn` do, as long as all are healthy.

        Parameters
        ----------
        means
            Quick means (n, p) after each of them.
        followed
            What is followed after each of them (n, 4, p), see `ahead`.
        bars
            Score of each (n,) above which it is not healthy.
        """
        channels = self._channels
        looked = -self._look % LOOKS
        unrest = self._gauge.unrest(followed[looked::LOOKS, 2])
        both = followed[:, :2].transpose(1, 0, 2).copy()
        scores: list[float] = []
        found, last = np.empty((2, *means.shape)), None
        self._age += len(means)
        while (done := len(scores)) < len(means):
            end = min(done + TURN - self._turn, len(means))
            seen = unrest[(done - looked + LOOKS - 1) // LOOKS :] if done > looked else unrest
            healthy = self._judge_turn(both[:, done:end], seen, bars[done:end], found[:, done:end])
            scores += healthy.scores
            last = healthy.last or last
            channels.rows += len(healthy.scores)
            self._turn = (self._turn + len(healthy.scores)) % TURN
            if len(scores) < end:
                break
            if not self._turn:
                self._learn_turn(means[end - 1], RIPE)
        done = len(scores)
        self._age += done - len(means)
        if done:
            self._followed[:] = followed[done - 1]
        return Healthy(scores, found[0, :done], found[1, :done], last)

    def _judge_turn(
        self, left: Columns, unrest: Columns, bars: Sequence[float], found: Columns
    ) -> Healthy:
        """Judge rows up to the next learning, as long as all are healthy.

        Parameters
        ----------
        left
            Residuals of both means (2, n, p).
        unrest
            Those that come next of every fourth row (k, p), see `Gauge.unrest`.
        bars
            See `judge_calm`.
        found
            Where the largest deviations go (2, n, p), in limits and in scales.
        """
        gauge = self._gauge
        away = left - self._channels.base[:, None]
        apart = away * gauge.per_scale[:, None]
        in_limits, scales = np.empty((2, 3, *away.shape[1:]))
        np.abs(apart, scales[:2])
        np.multiply(scales[:2], gauge.per_limit[:, None], in_limits[:2])
        self._fill_unrest(in_limits[2], unrest)
        np.multiply(in_limits[2], gauge.one[2], scales[2])
        for every, largest in zip((in_limits, scales), found, strict=True):
            np.maximum(every[0], every[1], out=largest)
            np.maximum(largest, every[2], out=largest)
        strength = found[0]
        squares = np.vecdot(apart, np.matvec(gauge.weights[:, None], apart)).tolist()
        most = np.maximum.reduce(strength, axis=1).tolist()
        others = None
        if max(most) >= OTHER:
            others = np.add.reduce(strength >= OTHER, axis=1).tolist()
        of_quick, of_slow = gauge.pooling
        scores: list[float] = []
        pooled = 0.0, 0.0
        rows = zip(most, *squares, bars, strict=True)
        for row, (size, quick_square, slow_square, bar) in enumerate(rows):
            quick, slow = of_quick * quick_square**0.5, of_slow * slow_square**0.5
            score = quick if quick > size else size
            if slow > score:
                score = slow
            if others is None or others[row] < 2:
                score /= LONE
            if score > bar:
                break
            scores.append(score)
            pooled = quick, slow
        if not scores:
            return Healthy(scores, strength[:0], scales[0, :0], None)
        end = len(scores) - 1
        self._away[:], self._apart[:] = away[:, end], apart[:, end]
        self._in_limits[:], self._in_scales[:] = in_limits[:, end], scales[:, end]
        self._strength[:] = strength[end]
        self._distance = pooled[1]
        self._far = most[end] * gauge.largest > TOGETHER
        self._missing = self._arriving = None
        self._look = (self._look + len(scores)) % LOOKS
        last = Deviation(scores[-1], self._strength, self._in_limits, gauge.one, pooled, self._far)
        return Healthy(scores, strength, found[1], last)

    def _fill_unrest(self, restless: Columns, unrest: Columns) -> None:
        """Give the restlessness of rows (n, p) as it was seen last, at every fourth of them."""
        looked = -self._look % LOOKS
        restless[:looked] = self._restless
        for row in range(looked, len(restless), LOOKS):
            seen = restless[row]
            np.divide(unrest[(row - looked) // LOOKS], self._gauge.limits[2], seen)
            np.maximum(seen, _NONE, out=seen)
            restless[row + 1 : row + LOOKS] = seen

    def standing(self, deviation: Deviation) -> Standing:
        """Say what the row means for an alarm that stands."""
        channels = self._channels
        _, slow, restless, _, _ = self._gauge.limits
        now = self._away[0] + channels.base[0]  # the quick mean
        now -= channels.base[1]
        np.abs(now, now)
        now *= self._gauge.per_scale[1]
        now /= slow
        calmed = channels.variance[1] + channels.least
        np.log(calmed, calmed)
        calmed -= channels.usual
        calmed /= channels.spread * restless
        if self._missing is not None:
            now[self._missing] = calmed[self._missing] = 0.0
        np.maximum(now, self._quick, out=now)
        np.maximum(now, calmed, out=now)
        lately = np.maximum(self._quick, self._slow)
        share = self._likeness.measure(self._apart_slow)
        return Standing(now, lately, deviation.slow, self._distance, share)

    def learn(self, smooth: Columns, age: int) -> None:
        """Follow a healthy row: baselines, scales, level; the last `deviation` is of this row."""
        self._channels.rows += 1
        self._turn = (self._turn + 1) % TURN
        if not self._turn:
            self._learn_turn(smooth, age)

    def _learn_turn(self, smooth: Columns, age: int) -> None:
        base = self._channels.base
        if self._alone():
            self._gauge.learn(self._away, self._apart, (self._missing, self._arriving))
        self._gauge.set_limits(self._channels.limits())
        self._scale_unrest()
        self._arrivals.stay(base, TURN)
        self._shift(self._learn_gain if age >= RIPE else self._learn_gain_young)
        self._follow(smooth, _LEARN[1])

    def _alone(self) -> bool:
        """Whether no two signals have shifted far at once."""
        if not self._far:
            return True
        quick, slow = self._shifts_scales > TOGETHER
        return int(np.count_nonzero(quick | slow)) < 2

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
        weights = self._gauge.weights_slow
        self._likeness.remember(age, culprits, self._apart_slow, weights, _FOLLOW[1, 0])
        gain = _FOLLOW / (1 + (now / FOLLOWED) ** 4)
        if age > GATHERS:
            gain = np.where(culprits, gain, _AWAY)
        self._shift(gain)

    def go_home(self) -> None:
        """Measure a fault that has crept from where its signals lay before."""
        self._arrivals.go_home(self._channels.base)

    def accept(self, age: int) -> None:
        """Take the present, `age` rows after an entry, for a level that is healthy."""
        self._arrivals.accept(age, self._channels.base + self._away)

    def restart_slow(self) -> None:
        """Take the quick variance for the slow one: what was seen of the fault is over."""
        self._channels.variance[0] = self._channels.variance[1]
        self._left[1] = self._left[0]

    def calm(self) -> None:
        """Forget all unrest: what was seen of it came from a sensor that is left out now."""
        variance = self._channels.variance
        np.minimum(variance, np.exp(self._channels.usual), out=variance)
        self._look = 0

    def _shift(self, gain: Any) -> None:
        self._channels.base += np.multiply(gain, self._away, self._step)

    def _follow(self, smooth: Columns, gain: float) -> None:
        step = np.subtract(smooth, self.centre, self._over)
        step *= gain
        if self._missing is not None:
            step = np.nan_to_num(step)
        self.centre += step

    def state(self) -> State:
        """Give everything as arrays."""
        return {
            "reach": self._reach.copy(),
            "first": self._first.copy(),
            "home": self._home.copy(),
            "centre": self.centre.copy(),
            "visits": np.array([self.visits]),
            **prefixed("arrivals.", self._arrivals.state()),
            **prefixed("relations.", self.relations.state()),
            **prefixed("channels.", self._channels.state()),
            **self._gauge.state(),
            "left": self._left.copy(),
            "restless": self._restless.copy(),
            **self._likeness.state(),
            "turn": np.array([self._turn, self._look, self._age, self._gauge.lean]),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same baseline again."""
        again = cls(
            Relations.restore(part_of(state, "relations.")),
            Channels.restore(part_of(state, "channels.")),
            Arrivals.restore(part_of(state, "arrivals.")),
            **{name: state[name].copy() for name in ("centre", "first", "reach", "home")},
            visits=int(state["visits"][0]),
        )
        again._left[:] = state["left"]
        again._gauge.restore(state)
        again._restless[:] = state["restless"]
        again._scale_unrest()
        again._likeness.restore(state)
        again._turn, again._look, again._age, again._gauge.lean = state["turn"].tolist()
        return again
