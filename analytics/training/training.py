"""From the course of a machine to a watch, its data card, and how it does on the hold-out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.settings import WatchSettings
from analytics.training.baseline import Plain
from analytics.training.card import card_of, metrics_of
from analytics.training.comparison import BEFORE_NS, Comparison, Timer, compare
from analytics.training.course import Course, Machine
from analytics.training.fit import NothingTrained, fit, judged_modes
from analytics.training.rows import Rows, rows_of, sampled
from analytics.training.sampling import MODE_ROWS
from analytics.training.selection import FAULT, MARGIN_NS, Event, Selection, select
from analytics.watch import Watch
from plant.records import JSON
from plant.summaries import MINUTE

HELD_ROWS = 100_000
"""Rows of the hold-out that are judged at most, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a watch is trained.

    Parameters
    ----------
    grid
        Distance of two rows, ns.
    held
        Share of the healthy time, its last part, that is not learnt from.
    margin
        Left out before and behind an event, ns.
    mode_rows, held_rows
        Rows of a mode that are learnt from, and of the hold-out that are judged, at most.
    without
        Modes that may be missing.
    """

    grid: int = 10**9
    held: float = 0.2
    margin: int = MARGIN_NS
    mode_rows: int = MODE_ROWS
    held_rows: int = HELD_ROWS
    without: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A watch that has learnt, and all that is told of it.

    Parameters
    ----------
    watch
        The candidate.
    start, stop
        What of the history was learnt from, ns.
    history
        SHA-256 of those windows, in hex.
    card, metrics
        For the header of the model file: the data card, and what the hold-out showed.
    comparison
        Candidate, the one in force, and a plain detector.
    """

    watch: Watch
    start: int
    stop: int
    history: str
    card: Mapping[str, JSON]
    metrics: Mapping[str, float]
    comparison: Comparison


def check_tags(machine: Machine, known: Mapping[str, str]) -> None:
    """Hold the tags of a machine against those that a history knows, with their units.

    Raises
    ------
    NothingTrained
        One is missing, or is kept in another unit.
    """
    missing = [name for name in machine.tags if name not in known]
    if missing:
        raise NothingTrained(
            "tag",
            f"{machine.path}: the history has nothing of {', '.join(missing)}; was it renamed, or "
            "is it read by another gateway?",
        )
    for name, unit in zip(machine.signals, machine.units, strict=True):
        if known[name] and known[name] != unit:
            raise NothingTrained(
                "units",
                f'{name}: the history has it in "{known[name]}", the configuration in "{unit}"; '
                "what was learnt in one says nothing of the other: set the unit right, or take a "
                "time after the change and a history that knows the new unit",
            )


def train(
    machine: Machine,
    course: Course,
    events: Sequence[Event],
    settings: WatchSettings,
    wishes: Wishes,
    in_force: Watch | None = None,
    timer: Timer | None = None,
) -> Trained:
    """Train a watch on a course, and hold it against the one in force.

    Parameters
    ----------
    events
        Labelled faults, and alarms that stood; neither is learnt from.
    settings
        How the gateway watches the machine.
    in_force
        What judges now; None: nothing that was trained.

    Raises
    ------
    NothingTrained
        There is too little to learn from; its message says of what.
    """
    _check_windows(machine, course, wishes)
    chosen = select(course, machine, events, wishes.margin)
    _check_history(machine, course, chosen)
    _check_modes(machine, course, in_force, wishes)
    split = _split(chosen, wishes.held)
    rows_a_window = max(1, course.every // wishes.grid)
    pieces = sampled(chosen, 0, split, rows_a_window, wishes.mode_rows)
    history = course.digest(pieces)
    signals = len(machine.signals)
    taught = rows_of(course, chosen, pieces, signals, wishes.grid)
    watch = fit(machine, taught, replace(settings, find_modes=machine.mode is None))
    held = _held(course, chosen, split, signals, wishes)
    watches = {"new model": watch} | ({} if in_force is None else {"in force": in_force})
    seen = _event_rows(course, chosen, events, signals, wishes)
    plain = Plain(taught)
    comparison = compare(watches, plain, held, seen, wishes.grid / 1e9, timer)
    learnt = judged_modes(watch, np.unique(taught.mode).tolist())
    card = card_of(machine, course, chosen, split, taught, held, events, learnt)
    stop = int(course.at[split - 1]) + course.every
    return Trained(watch, course.start, stop, history, card, metrics_of(comparison), comparison)


def _check_windows(machine: Machine, course: Course, wishes: Wishes) -> None:
    if course.every > MINUTE and course.every > wishes.grid:
        raise NothingTrained(
            "windows",
            f"{machine.path}: windows of {course.every / 1e9:g} s say too little about rows of "
            f"{wishes.grid / 1e9:g} s; take windows of 10 s or 1 min with --every",
        )
    if course.every < wishes.grid or course.every % wishes.grid:
        raise NothingTrained(
            "windows",
            f"{machine.path}: a row every {wishes.grid / 1e9:g} s does not fit into windows of "
            f"{course.every / 1e9:g} s; take longer ones with --every",
        )


def _check_history(machine: Machine, course: Course, chosen: Selection) -> None:
    if not len(course) or not chosen.whole.any():
        raise NothingTrained(
            "history",
            f"{machine.path}: nothing whole is kept of that time; take another with --from and "
            "--to, or see wheeltapper gaps",
        )
    if chosen.silent.all():
        raise NothingTrained("history", f"{machine.path}: no signal was Good in that time")
    if not chosen.healthy.any():
        left = ", ".join(f"{why}: {n}" for why, n in chosen.dropped.items() if n)
        only = chosen.dropped[FAULT]
        raise NothingTrained(
            "faults" if only else "history",
            f"{machine.path}: nothing healthy is left to learn from in {len(course):,} windows "
            f"({left}); take a time in which the machine was well",
        )


def _check_modes(machine: Machine, course: Course, in_force: Watch | None, wishes: Wishes) -> None:
    """Refuse a time that never shows a mode which is named, or judged now."""
    if machine.mode is None:
        return
    place = len(machine.signals)
    seen: set[int] = set()
    for name in ("first", "last", "low", "high"):
        told = course.values[name][:, place]
        seen |= {int(one) for one in np.unique(told[np.isfinite(told)]).tolist()}
    wanted = {number for number, _ in machine.names}
    if in_force is not None:
        wanted |= judged_modes(in_force, [*wanted, *range(64)])
    missing = sorted(wanted - seen - wishes.without)
    if missing:
        names = dict(machine.names)
        told_as = ", ".join(f"{one} ({names.get(one, 'no name')})" for one in missing)
        options = " ".join(f"--without-mode {one}" for one in missing)
        raise NothingTrained(
            "mode",
            f"{machine.path}: never in mode {told_as} in that time, and a model that has not seen "
            f"a mode is blind in it; take a longer time, or say {options}",
        )


def _split(chosen: Selection, held: float) -> int:
    """Give the first window of the hold-out: the last share of what is healthy, in time."""
    healthy = np.flatnonzero(chosen.healthy)
    keep = min(len(healthy) - 1, max(1, round((1 - held) * len(healthy))))
    return int(healthy[keep]) if held > 0 and len(healthy) > 1 else len(chosen.healthy)


def _held(course: Course, chosen: Selection, split: int, signals: int, wishes: Wishes) -> Rows:
    pieces = chosen.pieces(chosen.healthy, split, len(course))
    most = wishes.held_rows // max(1, course.every // wishes.grid)
    kept: list[tuple[int, int]] = []
    for begin, end in reversed(pieces):
        if most <= 0:
            break
        kept.append((max(begin, end - most), end))
        most -= end - begin
    return rows_of(course, chosen, kept[::-1], signals, wishes.grid)


def _event_rows(
    course: Course, chosen: Selection, events: Sequence[Event], signals: int, wishes: Wishes
) -> list[tuple[Event, Rows]]:
    """Lay out every labelled event with what came before it; those that hold nothing are left."""
    found = []
    for event in sorted(one for one in events if one.labelled):
        begin = max(0, (event.start - BEFORE_NS - course.start) // course.every)
        end = min(len(course), -(-(event.stop - course.start) // course.every))
        if begin >= end:
            continue
        pieces = chosen.pieces(chosen.whole, int(begin), int(end))
        rows = rows_of(course, chosen, pieces, signals, wishes.grid)
        if len(rows.between(event.start, event.stop)):
            found.append((event, rows))
    return found
