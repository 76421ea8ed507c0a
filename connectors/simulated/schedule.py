"""When each machine idles, runs and is changed over.

The line steps through run, idle, run, changeover, run … The phases are drawn outwards from one
that is pinned to the instant of interest, so that the machines are sure to run there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IDLE, RUN, CHANGEOVER = 0, 1, 2
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
        `IDLE`, `RUN` or `CHANGEOVER`, as its PLC reports it: run once at speed.
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
    """

    def __init__(self, seed: int, pin: int, lags: tuple[tuple[int, int], ...]) -> None:
        self._seed = seed
        self._lags = lags
        self._low = 0
        self._edges = np.array([pin - BEFORE_S, pin + AFTER_S], np.int64)
        self._own = [np.full(2, low, np.int64) for low, _ in lags]
        while self._edges[0] > -4 * RUN_S[1]:
            self._grow_back()

    def _draw(self, chunk: int, back: bool) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        random = np.random.default_rng([self._seed, 1 + back, chunk])
        first = 1 + chunk * _CHUNK
        index = np.arange(first, first + _CHUNK)
        runs = random.integers(*RUN_S, _CHUNK)
        stops = random.integers(*STOP_S, _CHUNK)
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
        while self._edges[-1] <= first + count + RUN_S[1]:
            self._grow()
        edges = self._edges + self._own[machine]
        modes = _mode_of(np.arange(len(edges)) + self._low)
        begins = edges + np.where(modes == RUN, ramp_s, 0)
        row = np.arange(first, first + count)
        told = np.searchsorted(begins, row, side="right") - 1
        mode = modes[told]
        last_run = np.where(mode == RUN, told, told - 1)
        strokes, cycle_s = _strokes(edges, begins, modes)
        done = (row - begins[last_run]) / cycle_s[last_run]
        before = np.cumsum(strokes) - strokes - _strokes_before_zero(strokes, begins)
        part = before[last_run] + np.minimum(np.floor(done), strokes[last_run] - 1) + 1
        return Course(
            mode=mode,
            speed=_speed(edges, np.choose(modes, (0.0, 1.0, jog)), row, ramp_s),
            phase=np.where(mode == RUN, done % 1.0, 0.0),
            part=np.maximum(part, 0).astype(np.int64),
            cycle_s=cycle_s[last_run],
        )


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
    lengths = np.append(edges[1:] - begins[:-1], _CYCLE_S)
    strokes = np.where(modes == RUN, np.maximum(np.rint(lengths / _CYCLE_S), 1.0), 0.0)
    return strokes, np.where(modes == RUN, lengths / np.maximum(strokes, 1.0), 0.0)


def _strokes_before_zero(strokes: NDArray[np.float64], begins: NDArray[np.int64]) -> float:
    """Count the strokes before the run that row 0 falls into or follows; parts count from it."""
    at_zero = int(np.searchsorted(begins, 0, side="right")) - 1
    return float(strokes[: at_zero if strokes[at_zero] else at_zero - 1].sum())
