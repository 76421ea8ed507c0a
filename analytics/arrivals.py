"""How a machine arrives in a mode: each entry finds its own level, and some signals take an hour.

A pump that starts in the morning is cold; after a changeover the line makes another product. Both
are healthy, and each entry that was seen while the watch learnt shows how far from its level a
signal may be, and for how long it moves faster than its baseline follows. So far, and so long, a
later entry may go: the baseline takes the level over, and only what lies beyond counts.
"""

from bisect import bisect_right
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from analytics.relations import Relations

Columns = NDArray[np.float64]

RUNGS = (20, 40, 80, 160, 320, 640, 1280, 2560, 5120)
"""Ages, rows after the means began, at which an arriving machine is looked at."""
FIRST = 3
"""No signal has arrived before this rung."""
VISITS = 64
"""Entries of which the history is kept; of more the usual half is let go."""
FEWEST = 2
"""Of a mode that was entered less often nothing is known of how it is entered."""
FOLLOWED_ROWS = 346.0
"""Rows by which the slower baseline lags behind, its half-life over ln 2."""
STILL = 0.25
"""Share of a limit by which the baseline may lag behind a signal that has arrived."""
ONCE, USUALLY = 0.7, 0.4
"""Shares of a limit by which a mean moves from one age to the next by its noise: at most in all
entries, and the root of the mean square."""
SURELY = 1
"""Rungs that a signal which moves is given beyond the one at which it was seen to have arrived."""
WIDER, UNSURE = 0.25, 2.0
"""Widening of the range of levels to each side, times itself, and more where it was told from one
entry."""
ENOUGH = 8
"""Entries that tell how a mode is entered; after fewer no signal has arrived for as long as is
looked, and there is no leash."""
HOME_ROWS = 200_000.0
"""Half-life of the level from which the entries are told, rows."""
_PLACE = {age: place for place, age in enumerate(RUNGS)}


class Arrivals:
    """Entries into one mode of one asset: gathered, then allowed for.

    Parameters
    ----------
    signals
        Number of signals (p).
    """

    def __init__(self, signals: int) -> None:
        self._signals = signals
        self._seen: list[Columns] = []
        self.settles = np.zeros(signals, np.int64)
        """Age, rows, at which each signal (p,) has arrived; 0: nothing is known of it."""
        self._range = np.zeros((len(RUNGS), 2, signals))
        self._home = np.zeros((2, signals))
        self._reach = np.full((2, signals), np.inf) * np.array([[-1.0], [1.0]])
        self.leashed = False
        """Whether there were entries enough to tell how far a level ever lay from home."""
        self.lasts = 0
        """Age, rows, at which all have."""

    def enter(self) -> None:
        """Note that the mode is entered, while it is learnt."""
        if len(self._seen) >= VISITS:
            self._seen = _unusual(self._seen)
        self._seen.append(np.full((len(RUNGS), self._signals), np.nan))

    def look(self, age: int, slow: Columns) -> None:
        """Take the slow means (p,) at an age, rows, while the mode is learnt."""
        place = _PLACE.get(age)
        if place is not None and self._seen:
            self._seen[-1][place] = slow

    def fit(self, relations: Relations, base: Columns, limits: Columns) -> None:
        """Learn from the entries seen and let go of them.

        Parameters
        ----------
        relations
            What the signals are told by.
        base
            Baselines of the residuals of the two means (2, p).
        limits
            What is a deviation of the slow mean (p,), in the residuals' unit.
        """
        seen = [each for each in self._seen if np.isfinite(each).any()]
        self._seen = []
        self._home = base.copy()
        if len(seen) < FEWEST:
            return
        table = np.stack(seen)
        reached = np.isfinite(table).any(axis=2)
        known = np.where(np.isfinite(table), table, relations.centre)
        levels = relations.residuals(known.reshape(-1, self._signals)).reshape(table.shape)
        levels[~reached] = np.nan
        self._home[:] = _middle(levels)
        away = levels - self._home[0]
        self._range = _ranges(away)
        if len(seen) < ENOUGH:
            self.settles[:] = RUNGS[-1]
        else:
            self._settle(levels, limits)
            self._leash(away)
        self.lasts = int(self.settles.max())

    def _settle(self, levels: Columns, limits: Columns) -> None:
        moving = _moving(levels, limits)
        last = np.where(moving.any(axis=0), len(moving) - np.argmax(moving[::-1], axis=0), 0)
        place = np.clip(last + SURELY * (last > 0), FIRST, len(RUNGS) - 1)
        self.settles = np.asarray(RUNGS, np.int64)[place]

    def _leash(self, away: Columns) -> None:
        arrived = np.array(RUNGS)[:, None] >= self.settles
        within = np.where(arrived, away, np.nan)
        entries = np.isfinite(within).any(axis=1).sum(axis=0)
        known = _wider(within.reshape(-1, self._signals), entries.astype(np.float64))
        # of one that takes longer than most entries last the latest levels are all there is
        self._reach = np.where(entries >= ENOUGH, known, self._range[-1])
        self.leashed = bool(np.isfinite(self._reach).any())

    def arrive(self, age: int, now: Columns, base: Columns) -> NDArray[np.bool_]:
        """Take the level of an entry over as far as such levels were seen; `base` in place.

        Parameters
        ----------
        age
            Rows since the means began.
        now, base
            Residuals of the two means, and their baselines (2, p).

        Returns
        -------
        Which signals (p,) have not arrived yet.
        """
        low, high = self._range[self._rung(age)]
        arriving = age <= self.settles
        level = np.maximum(now, self._home + low)
        np.minimum(level, self._home + high, out=level)
        np.copyto(base, level, where=arriving)
        return arriving

    def stay(self, base: Columns, rows: int) -> None:
        """Keep the baselines (2, p) where levels were seen, once in so many healthy rows.

        What creeps is followed so far and no further; home itself follows over days.
        """
        self._home += (1 - 0.5 ** (rows / HOME_ROWS)) * (base - self._home)
        if self.leashed:
            np.maximum(base, self._home + self._reach[0], out=base)
            np.minimum(base, self._home + self._reach[1], out=base)

    def go_home(self, base: Columns) -> None:
        """Measure from home, as an alarm comes, what went to the end of its leash; in place.

        Otherwise a level that is well again would be as far from its baseline as the fault was.
        """
        low, high = self._home + self._reach[0], self._home + self._reach[1]
        np.copyto(base, self._home, where=(base <= low) | (base >= high))

    def accept(self, age: int, level: Columns) -> None:
        """Take the present for healthy, because a person says so.

        A signal beyond the levels that were seen has a level that counts as seen from now on, at
        every age; what lies within them stays as it is. Without entries the present is home.

        Parameters
        ----------
        age
            Rows since the means began.
        level
            Residuals of the two means (2, p).
        """
        if not self.lasts:
            self._home = level.copy()
            return
        low, high = np.where(age <= self.settles, self._range[self._rung(age)], self._reach)
        away = level[1] - self._home[1]
        wide = np.where(np.isfinite(high - low), WIDER * (high - low), 0.0)
        up = np.where(away > high, away - high + wide, 0.0)
        down = np.where(away < low, low - away + wide, 0.0)
        for bounds in (*self._range, self._reach):
            bounds[0] -= down
            bounds[1] += up

    @staticmethod
    def _rung(age: int) -> int:
        """Give the place of the last rung that an age has come to; the first before it."""
        return max(0, bisect_right(RUNGS, age) - 1)

    def state(self) -> State:
        """Give everything as arrays."""
        seen = np.stack(self._seen) if self._seen else np.empty((0, len(RUNGS), self._signals))
        return {
            "seen": seen,
            "settles": self.settles.copy(),
            "range": self._range.copy(),
            "reach": self._reach.copy(),
            "home": self._home.copy(),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same again."""
        again = cls(len(state["settles"]))
        again._seen = list(np.array(state["seen"], np.float64))
        again.settles = np.array(state["settles"], np.int64)
        again._range, again._reach = state["range"].copy(), state["reach"].copy()
        again.leashed = bool(np.isfinite(again._reach).any())
        again._home = state["home"].copy()
        again.lasts = int(again.settles.max(initial=0))
        return again


def _unusual(seen: list[Columns]) -> list[Columns]:
    """Keep the half of the entries (rungs, p) that lie furthest out: they make the ranges."""
    first = np.nan_to_num(np.stack([each[0] for each in seen]))
    away = np.abs(first - np.median(first, axis=0))
    far = (away / np.maximum(np.median(away, axis=0), 1e-12)).max(axis=1)
    kept = np.sort(np.argsort(far, kind="stable")[len(seen) // 2 :])
    return [seen[place] for place in kept.tolist()]


def _middle(levels: Columns) -> Columns:
    """Give the mean level (p,) of visits (v, rungs, p), each look standing for as long as it took.

    It is where home goes by itself, as it follows. Told from where the machine happens to be when
    it has learnt, another product or a warmer day, the levels seen would be carried off meanwhile.
    """
    rows = np.array(RUNGS, np.float64)[:, None] * np.isfinite(levels)
    total = np.maximum(rows.sum(axis=(0, 1)), 1.0)
    middle: Columns = np.nansum(rows * levels, axis=(0, 1)) / total
    return middle


def _moving(levels: Columns, limits: Columns) -> NDArray[np.bool_]:
    """Tell from which ages on each signal (rungs - 1, p) moves faster than its baseline follows.

    Parameters
    ----------
    levels
        Residuals at each rung of each visit (v, rungs, p), NaN where it was not reached.
    limits
        See `Arrivals.fit`.
    """
    moves = np.diff(levels, axis=1) / limits
    count = np.maximum(np.isfinite(moves).sum(axis=0), 1)
    once = np.nan_to_num(np.fmax.reduce(np.abs(moves), axis=0))
    usually = np.sqrt(np.nansum(moves**2, axis=0) / count)
    follows = np.minimum(1.0, FOLLOWED_ROWS / np.array(RUNGS[:-1], np.float64)[:, None])
    fast = (once > ONCE) & (once * follows > STILL)
    often = (usually > USUALLY) & (usually * follows > STILL)
    moving: NDArray[np.bool_] = fast | often
    return moving


def _wider(away: Columns, count: Columns | np.float64) -> Columns:
    """Give low and high (2, …) of levels (n, …), wider the fewer entries they are told from."""
    low, high = np.fmin.reduce(away, axis=0), np.fmax.reduce(away, axis=0)
    wide = (WIDER + UNSURE / np.maximum(count, 1)) * (high - low)
    return np.asarray(np.nan_to_num(np.stack((low - wide, high + wide))), np.float64)


def _ranges(away: Columns) -> Columns:
    """Give the range of levels (rungs, 2, p) of visits (v, rungs, p)."""
    count = np.isfinite(away).any(axis=2).sum(axis=0)
    ranges = _wider(away, count[:, None].astype(np.float64)).transpose(1, 0, 2).copy()
    for place, entries in enumerate(count.tolist()):
        if place and entries < FEWEST:  # so long it seldom stayed: what was seen last goes on
            ranges[place] = ranges[place - 1]
        elif place and entries < ENOUGH:
            ranges[place, 0] = np.minimum(ranges[place, 0], ranges[place - 1, 0])
            ranges[place, 1] = np.maximum(ranges[place, 1], ranges[place - 1, 1])
    # between two looks a level may be where either saw it
    np.minimum(ranges[:-1, 0], ranges[1:, 0], out=ranges[:-1, 0])
    np.maximum(ranges[:-1, 1], ranges[1:, 1], out=ranges[:-1, 1])
    return ranges
