"""Which windows of a course are healthy and whole, and why the others are not learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.training.course import Course, Machine

Flags = NDArray[np.bool_]

MARGIN_NS = 900 * 10**9
"""Before and behind a labelled fault or a standing alarm: nobody's onset is exact."""
SILENT = 0.2
"""Share of the windows, gaps aside, in which a signal has to be Good: below it nothing is learnt of
it, and its absence is none that others are left out for."""
NO_MODE = 0

FAULT, ALARM, GAP, BAD, UNCERTAIN_MODE, CHANGE = (
    "a labelled fault",
    "an alarm that stood",
    "a gap: nothing came",
    "samples that were not Good",
    "the mode was not known",
    "the mode changed",
)
REASONS = (FAULT, ALARM, GAP, BAD, UNCERTAIN_MODE, CHANGE)


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """A time in which the machine was not healthy, ``start <= at < stop``, ns.

    Parameters
    ----------
    start, stop
        Source times, ns.
    label
        What it was; `labelled` tells whether a person said so.
    """

    start: int
    stop: int
    label: str = ""
    labelled: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Which windows (k,) of a course may be learnt from.

    Parameters
    ----------
    healthy
        Those that may.
    whole
        Those that can be laid out, healthy or not.
    nothing
        Those in which nothing came.
    mode
        Mode of each at its end; `NO_MODE` for a machine without.
    entered
        Source time at which the mode of the next window was entered, where that was told within
        this one, ns; else −1.
    dropped
        Windows left out, by the first reason that holds.
    silent
        Signals (p,) that are hardly ever there.
    """

    healthy: Flags
    whole: Flags
    nothing: Flags
    mode: NDArray[np.int64]
    entered: NDArray[np.int64]
    dropped: dict[str, int]
    silent: Flags

    def pieces(self, chosen: Flags, begin: int, end: int) -> list[tuple[int, int]]:
        """Give begin and end of what follows each other of the `chosen` windows, mode by mode."""
        marks = chosen[begin:end]
        mode = self.mode[begin:end]
        follows = np.zeros(len(marks), np.bool_)
        follows[1:] = marks[1:] & marks[:-1] & (mode[1:] == mode[:-1])
        begins = np.flatnonzero(marks & ~follows)
        ends = np.flatnonzero(marks & ~np.append(follows[1:], False)) + 1
        return [(begin + a, begin + b) for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]


def marked(course: Course, events: Sequence[Event], margin: int = 0) -> Flags:
    """Tell which windows (k,) an event touches, with a margin, ns."""
    found = np.zeros(len(course), np.bool_)
    for event in events:
        begin = (event.start - margin - course.start) // course.every
        end = -(-(event.stop + margin - course.start) // course.every)
        found[max(0, begin) : max(0, end)] = True
    return found


def select(
    course: Course, machine: Machine, events: Sequence[Event], margin: int = MARGIN_NS
) -> Selection:
    """Choose what may be learnt from."""
    signals = len(machine.signals)
    known, bad = course.known[:, :signals], course.bad[:, :signals]
    nothing: Flags = np.asarray(~(known | bad).any(axis=1), np.bool_)
    silent: Flags = np.ones(signals, np.bool_)
    if not nothing.all():
        silent = np.asarray(known[~nothing].mean(axis=0) < SILENT, np.bool_)
    partly = ~nothing & ~known[:, ~silent].all(axis=1)
    mode, pure, changed, entered = _modes(course, machine)
    labelled = [event for event in events if event.labelled]
    alarms = [event for event in events if not event.labelled]
    reasons = {
        FAULT: marked(course, labelled, margin),
        ALARM: marked(course, alarms, margin),
        GAP: nothing,
        BAD: partly,
        UNCERTAIN_MODE: ~pure & ~changed,
        CHANGE: changed,
    }
    left = np.ones(len(course), np.bool_)
    dropped = {}
    for reason in REASONS:
        dropped[reason] = int((left & reasons[reason]).sum())
        left &= ~reasons[reason]
    whole = ~nothing & ~partly & pure
    return Selection(left, whole, nothing, mode, entered, dropped, silent)


def _modes(
    course: Course, machine: Machine
) -> tuple[NDArray[np.int64], Flags, Flags, NDArray[np.int64]]:
    """Give the mode of each window, whether it is known and one, whether it changed, and when."""
    size = len(course)
    never = np.full(size, -1, np.int64)
    if machine.mode is None:
        modes = np.full(size, NO_MODE, np.int64)
        return modes, np.ones(size, np.bool_), np.zeros(size, np.bool_), never
    place = len(machine.signals)
    value = {name: course.values[name][:, place] for name in course.values}
    known, low, high = course.known[:, place], value["low"], value["high"]
    pure = known & (low == high)
    changed = known & (low != high)
    first, last = value["first"], value["last"]
    # of two modes, one after the other, the mean tells where the one ended
    once = changed & (first != last) & (np.minimum(first, last) == low)
    once &= np.maximum(first, last) == high
    apart = np.where(once, first - last, 1.0)
    share = np.where(once, (value["mean"] - last) / apart, 0.0)
    # a store rounds the mean: before the change there was a whole number of samples
    count = np.maximum(course.count[:, place], 1)
    before = np.rint(share * count) / count
    entered = np.where(once, course.at + np.rint(before * course.every).astype(np.int64), -1)
    modes = np.where(known, last, 0).astype(np.int64)
    return modes, pure, changed, entered
