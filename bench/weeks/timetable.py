"""When the line works: shifts with start-ups, short stops, changeovers between products, nights."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from connectors.simulated.schedule import CHANGEOVER, IDLE, OFF, RUN, Course, Phases

HOUR, DAY = 3600, 86_400
SHIFTS: dict[int, tuple[int, int]] = {**dict.fromkeys(range(5), (6, 22)), 5: (6, 14)}
"""Hours worked on each day of the week, Monday first; the line is off at any other time."""
NEAR_S = 600
"""Shifts begin and end this far from the hour, s; machines start up as far apart."""
RUN_S, STOP_S, CHANGE_S = (1500, 6600), (60, 720), (600, 1800)
CHANGES = 0.3
"""Share of the stops that are changeovers."""
PRODUCTS = ((1.0, 0.0), (0.93, 1.2), (0.97, -1.0))
"""Speed of each product, part of the rated one, and what it asks for beyond the usual, in usual
deviations of the line's demand. No tag tells which product is made."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One thing a machine does from second `begin` on, and the product it is set up for."""

    begin: int
    mode: int
    product: int


Story = tuple[Phase, ...]


def told(random: np.random.Generator, days: int, taught_s: int) -> Story:
    """Tell what the line does from Monday 00:00 on.

    Parameters
    ----------
    random
        Draws it.
    days
        How many days.
    taught_s
        Until then the products take turns, so that each is made while the watch learns.
    """
    phases = [Phase(-20 * HOUR, RUN, 0), Phase(-10 * HOUR, OFF, 0)]
    product = 0
    for day in range(days):
        if day % 7 not in SHIFTS:
            continue
        first, last = (
            day * DAY + hour * HOUR + int(random.integers(-NEAR_S, NEAR_S + 1))
            for hour in SHIFTS[day % 7]
        )
        at = first
        while True:
            phases.append(Phase(at, RUN, product))
            at += int(random.integers(*RUN_S))
            change = bool(random.random() < CHANGES)
            step = int(random.integers(1, len(PRODUCTS)))
            stop = _log_uniform(random, CHANGE_S if change else STOP_S)
            if at + stop + STOP_S[1] > last:
                break
            phases.append(Phase(at, CHANGEOVER if change else IDLE, product))
            if change:
                product = (product + (1 if at < taught_s else step)) % len(PRODUCTS)
            at += stop
        phases.append(Phase(last, OFF, product))
    return tuple(phases)


def lagged(random: np.random.Generator, story: Story, lag_s: tuple[int, int]) -> Story:
    """Let a machine follow the line: within seconds in a shift, within minutes at its start."""
    late = []
    for before, phase in zip(story[:1] + story, story, strict=False):
        starts = before.mode == OFF and phase.mode == RUN
        most = (0, NEAR_S) if starts else lag_s
        late.append(Phase(phase.begin + int(random.integers(*most, endpoint=True)),
                          phase.mode, phase.product))  # fmt: skip
    kept = [one for one, after in pairwise(late) if one.begin < after.begin]
    return (*kept, late[-1])


def interrupted(story: Story, begin: int, end: int) -> Story:
    """Stand a machine still from `begin` to `end`, s; then it does what it would have done."""
    before = tuple(phase for phase in story if phase.begin < begin)
    during = [phase for phase in story if phase.begin <= end]
    after = tuple(phase for phase in story if phase.begin > end)
    off = Phase(begin, OFF, during[-1].product)
    again = Phase(end, during[-1].mode, during[-1].product)
    return (*before, off, again, *after)


class Hours:
    """Seconds that a machine has run.

    Parameters
    ----------
    story
        What it does.
    """

    def __init__(self, story: Story) -> None:
        self._edges = np.array([phase.begin for phase in story], np.float64)
        runs = np.array([phase.mode == RUN for phase in story])
        lengths = np.where(runs[:-1], np.diff(self._edges), 0.0)
        self._ran = np.concatenate(([0.0], np.cumsum(lengths)))

    def ran(self, at: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Give how long it has run until `at`, s."""
        return np.asarray(np.interp(at, self._edges, self._ran), np.float64)

    def when(self, ran: float) -> float:
        """Give the moment, s, at which it has run for `ran` seconds; the end if it never has."""
        after = int(np.searchsorted(self._ran, ran))
        if after >= len(self._ran):
            return float(self._edges[-1])
        return float(self._edges[after] - (self._ran[after] - ran))


class Shifts:
    """The timetable of the line, a story a machine.

    Parameters
    ----------
    stories
        What each machine does, in the order of the machines.
    """

    def __init__(self, stories: Sequence[Story]) -> None:
        self._edges = [np.array([p.begin for p in story], np.int64) for story in stories]
        self._modes = [np.array([p.mode for p in story], np.int64) for story in stories]
        self._products = [np.array([p.product for p in story], np.intp) for story in stories]

    def course(self, machine: int, first: int, count: int, *, jog: float, ramp_s: int) -> Course:
        """Give rows `first` to ``first + count`` of a machine; see `schedule.Timetable`."""
        modes = self._modes[machine]
        rated = np.array([speed for speed, _ in PRODUCTS])[self._products[machine]]
        speeds = rated * np.choose(modes, (0.0, 1.0, jog, 0.0))
        return Phases(self._edges[machine], modes, speeds).course(first, count, ramp_s)

    def product(self, machine: int, second: NDArray[np.float64]) -> NDArray[np.intp]:
        """Give the product that a machine is set up for at each second (n,)."""
        at = np.searchsorted(self._edges[machine], second, side="right") - 1
        return self._products[machine][at]


def _log_uniform(random: np.random.Generator, span: tuple[int, int]) -> int:
    low, high = np.log(span)
    return int(np.exp(random.uniform(low, high)))
