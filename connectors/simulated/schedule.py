"""When each machine idles, runs and is changed over.

The line steps through run, idle, run, changeover, run … The phases are drawn outwards from one
that is pinned to the instant of interest, so that the machines are sure to run there.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

IDLE, RUN, CHANGEOVER, OFF = 0, 1, 2, 3
RUN_S = (60, 151)
STOP_S = (20, 41)
BEFORE_S, AFTER_S = 30, 75
"""The pinned run begins and ends this long before and after the pin."""
_CHUNK = 64
_CYCLE_S = 10.4


@dataclass(frozen=True, slots=True)
class Course:
    """What one machine does, row by row (n,).

    Parameters
    ----------
    mode
        `IDLE`, `RUN`, `CHANGEOVER` or `OFF`, as its PLC reports it: run once at speed.
    speed
        Part of the rated speed, 0 to 1.
    phase
        Where in its stroke a machine with cycles is, 0 to 1; 0 when not running.
    part
        Number of the part in work, from 1; the last one when not running.
    cycle_s
        Time of a stroke in this run or the one before, s.
    """

    mode: NDArray[np.int64]
    speed: NDArray[np.float64]
    phase: NDArray[np.float64]
    part: NDArray[np.int64]
    cycle_s: NDArray[np.float64]


def _mode_of(index: NDArray[np.int64]) -> NDArray[np.int64]:
    between = np.where(index % 4 == 1, IDLE, CHANGEOVER)
    return np.where(index % 2 == 0, RUN, between)


@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """What one machine does, one thing after the other (k,).

    Parameters
    ----------
    edges
        Row at which each begins, increasing; the second lies before the first row asked for.
    modes
        The mode of each; the first is `RUN`.
    speeds
        The speed that each strives for, part of the rated one.
    """

    edges: NDArray[np.int64]
    modes: NDArray[np.int64]
    speeds: NDArray[np.float64]

    def course(self, first: int, count: int, ramp_s: int) -> Course:
        """Give rows `first` to ``first + count``; a change of speed takes `ramp_s` seconds."""
        begins = self.edges + np.where(self.modes == RUN, ramp_s, 0)
        row = np.arange(first, first + count)
        told = np.searchsorted(begins, row, side="right") - 1
        mode = self.modes[told]
        runs = np.where(self.modes == RUN, np.arange(len(begins)), 0)
        runs = np.maximum.accumulate(runs)
        last_run = runs[told]
        strokes, cycle_s = _strokes(self.edges, begins, self.modes)
        done = (row - begins[last_run]) / cycle_s[last_run]
        at_zero = runs[int(np.searchsorted(begins, 0, side="right")) - 1]
        before = np.cumsum(strokes) - strokes - strokes[:at_zero].sum()  # parts count from row 0
        part = before[last_run] + np.minimum(np.floor(done), strokes[last_run] - 1) + 1
        return Course(
            mode=mode,
            speed=_speed(self.edges, self.speeds, row, ramp_s),
            phase=np.where(mode == RUN, done % 1.0, 0.0),
            part=np.maximum(part, 0).astype(np.int64),
            cycle_s=cycle_s[last_run],
        )


class Timetable(Protocol):
    """What all machines of a line do."""

    def course(self, machine: int, first: int, count: int, *, jog: float, ramp_s: int) -> Course:
        """Give rows `first` to ``first + count`` of a machine.

        `jog` is its speed in changeover, part of the rated one; `ramp_s` the time of a ramp, s.
        """
        ...


class Schedule:
    """The phases of the whole line, and each machine's own lag behind them.

    Parameters
    ----------
    seed
        Draws the lengths and the lags.
    pin
        Second (row) around which every machine runs.
    lags
        Smallest and largest lag behind the line, s, one pair a machine.
    stretch
        How many times as long as usual every phase lasts.
    """

    def __init__(
        self, seed: int, pin: int, lags: tuple[tuple[int, int], ...], stretch: int = 1
    ) -> None:
        self._seed, self._stretch = seed, stretch
        self._lags = lags
        self._low = 0
        self._edges = np.array([pin - BEFORE_S, pin + AFTER_S], np.int64)
        self._own = [np.full(2, low, np.int64) for low, _ in lags]
        while self._edges[0] > -4 * RUN_S[1] * stretch:
            self._grow_back()

    def _draw(self, chunk: int, back: bool) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        random = np.random.default_rng([self._seed, 1 + back, chunk])
        first = 1 + chunk * _CHUNK
        index = np.arange(first, first + _CHUNK)
        runs = random.integers(*RUN_S, _CHUNK) * self._stretch
        stops = random.integers(*STOP_S, _CHUNK) * self._stretch
        lags = [random.integers(low, high + 1, _CHUNK) for low, high in self._lags]
        return np.where(index % 2 == 0, runs, stops), lags

    def _grow_back(self) -> None:
        lengths, lags = self._draw(-self._low // _CHUNK, back=True)
        edges = self._edges[0] - np.cumsum(lengths)
        self._edges = np.concatenate([edges[::-1], self._edges])
        self._own = [
            np.concatenate([lag[::-1], own]) for lag, own in zip(lags, self._own, strict=True)
        ]
        self._low -= _CHUNK

    def _grow(self) -> None:
        lengths, lags = self._draw((len(self._edges) + self._low - 2) // _CHUNK, back=False)
        self._edges = np.concatenate([self._edges, self._edges[-1] + np.cumsum(lengths)])
        self._own = [np.concatenate([own, lag]) for lag, own in zip(lags, self._own, strict=True)]

    def course(self, machine: int, first: int, count: int, *, jog: float, ramp_s: int) -> Course:
        """Give rows `first` to ``first + count`` of a machine.

        `jog` is its speed in changeover, part of the rated one; `ramp_s` the time of a ramp, s.
        """
        while self._edges[-1] <= first + count + RUN_S[1] * self._stretch:
            self._grow()
        edges = self._edges + self._own[machine]
        modes = _mode_of(np.arange(len(edges)) + self._low)
        return Phases(edges, modes, np.choose(modes, (0.0, 1.0, jog))).course(first, count, ramp_s)


def _speed(
    edges: NDArray[np.int64], targets: NDArray[np.float64], row: NDArray[np.int64], ramp_s: int
) -> NDArray[np.float64]:
    """Give the speed in each row: a straight ramp from one phase's target to the next."""
    at = np.searchsorted(edges, row, side="right") - 1
    way = np.minimum((row - edges[at] + 1) / ramp_s, 1.0)
    speed: NDArray[np.float64] = targets[at - 1] + (targets[at] - targets[at - 1]) * way
    return speed


def _strokes(
    edges: NDArray[np.int64], begins: NDArray[np.int64], modes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit whole strokes into each run: how many, and how long each takes, s; 0 outside runs."""
    lengths = np.maximum(np.append(edges[1:] - begins[:-1], _CYCLE_S), 1.0)
    strokes = np.where(modes == RUN, np.maximum(np.rint(lengths / _CYCLE_S), 1.0), 0.0)
    return strokes, np.where(modes == RUN, lengths / np.maximum(strokes, 1.0), 0.0)
