"""The data card of a model: what it was taught with, what was left out and why."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from analytics.training.comparison import Comparison
from analytics.training.course import Course, Machine
from analytics.training.rows import Rows
from analytics.training.selection import GAP, REASONS, Event, Selection
from plant.records import JSON

EARLY = "before the history begins"
LONGEST_GAPS, EVENTS = 10, 50
"""Gaps, the longest first, and events that are listed; their numbers are told in any case."""


def card_of(
    machine: Machine,
    course: Course,
    chosen: Selection,
    split: int,
    taught: Rows,
    held: Rows,
    events: Sequence[Event],
    learnt: frozenset[int],
) -> dict[str, JSON]:
    """Write the card.

    Parameters
    ----------
    split
        First window of the hold-out.
    taught, held
        Rows that were learnt from, and that were held out.
    learnt
        Modes that the watch can judge.
    """
    window_h = course.every / 3.6e12
    gaps = _gaps(chosen, course)
    # What lies before the first window is no gap: nobody knows whether anything was to come.
    early = [end for begin, end in gaps[:1] if begin == course.start]
    gaps = gaps[len(early) :]
    dropped = {why: chosen.dropped[why] for why in REASONS}
    # Some of it may count as a labelled fault already.
    before = min([dropped[GAP], *((end - course.start) // course.every for end in early)][-2:])
    dropped[GAP] -= before
    names = dict(machine.names)
    modes: list[JSON] = []
    for mode in np.unique(chosen.mode[chosen.whole]).tolist():
        healthy = chosen.healthy[:split] & (chosen.mode[:split] == mode)
        modes.append(
            {
                "mode": int(mode),
                "name": names.get(int(mode), "" if machine.mode is None else f"mode {mode}"),
                "hours": round(float(healthy.sum()) * window_h, 3),
                "rows": int((taught.mode == mode).sum()),
                "judged": int(mode) in learnt or machine.mode is None,
            }
        )
    listed = sorted(events)[:EVENTS]
    return {
        "windows_s": course.every / 1e9,
        "windows": len(course),
        "healthy_windows": int(chosen.healthy.sum()),
        "rows": len(taught),
        "hours": round(float(chosen.healthy[:split].sum()) * window_h, 3),
        "begins": instant(early[0]) if early else None,
        "dropped": {**dropped, EARLY: before},
        "gaps": len(gaps),
        "longest_gaps": [
            {"from": instant(begin), "to": instant(end)}
            for begin, end in sorted(gaps, key=lambda gap: gap[0] - gap[1])[:LONGEST_GAPS]
        ],
        "modes": modes,
        "silent": [
            name for name, quiet in zip(machine.signals, chosen.silent, strict=True) if quiet
        ],
        "events": [
            {
                "from": instant(one.start),
                "to": instant(one.stop),
                "label": one.label,
                "labelled": one.labelled,
            }
            for one in listed
        ],
        "event_count": len(events),
        "hold_out": {
            "from": instant(int(course.at[split]) if split < len(course) else _end(course)),
            "to": instant(_end(course)),
            "rows": len(held),
        },
        "laid_out": "rows drawn around what the windows say; see docs/training.md",
    }


def metrics_of(comparison: Comparison) -> dict[str, float]:
    """Give the figures of the candidate for the header: numbers that the same history gives."""
    own = comparison.figures[0]
    found = {
        "held_weeks": own.weeks,
        "false_alarms": float(own.false_alarms),
        "false_alarms_a_week": own.rate,
        "false_alarms_a_week_low": own.low,
        "false_alarms_a_week_high": own.high,
        "events": float(len(own.spotted)),
        "events_found": float(own.found),
        "median_delay_s": own.median_delay_s,
    }
    if comparison.agreement is not None:
        found["agreement"] = comparison.agreement.share
    return {name: round(value, 9) for name, value in found.items() if np.isfinite(value)}


def instant(ns: int) -> str:
    """Write a time in ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds")


def _end(course: Course) -> int:
    return course.start + len(course) * course.every


def _gaps(chosen: Selection, course: Course) -> list[tuple[int, int]]:
    """Give begin and end of the times in which nothing came, ns."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], chosen.nothing.astype(np.int8), [0]))))
    places = edges.tolist()
    return [
        (course.start + begin * course.every, course.start + end * course.every)
        for begin, end in list(pairwise(places))[::2]
    ]
