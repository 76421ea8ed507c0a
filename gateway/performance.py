"""How the alarms did: the measures of ANSI/ISA-18.2-2016 §16.5 and EEMUA 191, from our own journal.

Everything is counted from the journal's `alarm` events, which hold each change of an alarm, and
from the scores, which tell for how long an asset was judged. One gateway is one operator position.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.alarms import alarm_from
from gateway.console.view import ActorRow, ReportRow
from gateway.journal import Journal
from plant.alarms import QUIET, WAITING, WEEK_NS, Alarm, AlarmState, Label
from plant.errors import Rejected

MS = 1_000_000
WINDOW_NS = 600 * 10**9
"""Ten minutes: the stretch in which both documents count."""
FLOOD = 10
"""More annunciations than this in ten minutes are a flood (ISA-18.2 §16.5)."""
STEPS = 1000
"""Looks at the scores of each asset, to tell for how long it was judged; none within a minute."""
LEAST_STEP_NS = 60 * 10**9
ACTORS = 10
TAIL = 0.025
"""Of an interval of 95 %, on each side."""
Z = 1.959964


@dataclass(slots=True)
class Course:
    """What became of the alarms of a journal, each change in its order."""

    told: list[tuple[int, Alarm]] = field(default_factory=list)
    """Source time and alarm of each annunciation."""
    delays: list[tuple[int, float]] = field(default_factory=list)
    """When it was annunciated by the gateway's clock, ns, and seconds until the acknowledgement."""
    last: dict[int, Alarm] = field(default_factory=dict)
    quiet: dict[int, set[AlarmState]] = field(default_factory=dict)
    chattered: set[int] = field(default_factory=set)
    stale: set[int] = field(default_factory=set)

    def take(self, alarm: Alarm) -> None:
        """Take in an alarm as it was after a change."""
        before = self.last.get(alarm.id)
        state = AlarmState.NORMAL if before is None else before.state
        waited = before is not None and before.annunciated == alarm.annunciated is not None
        if alarm.state is AlarmState.UNACKNOWLEDGED is not state and not waited:
            self.told.append((alarm.changed, alarm))
        if state in WAITING and alarm.state not in WAITING and alarm.beneath not in WAITING:
            self.delays.append(
                (alarm.raised, (alarm.changed - (alarm.annunciated or alarm.changed)) / 1e9)
            )
        if alarm.state in QUIET:
            self.quiet.setdefault(alarm.id, set()).add(alarm.state)
        if alarm.chattering:
            self.chattered.add(alarm.id)
        if alarm.stale:
            self.stale.add(alarm.id)
        self.last[alarm.id] = alarm


def read_report(
    journal: Journal, start: int | None, stop: int | None, *, budget: float
) -> ReportRow:
    """Report from a journal, over source times [start, stop) ns; None: as far as it reaches.

    Raises
    ------
    Rejected
        The journal holds nothing of that time.
    """
    events, damaged = journal.events("alarm")
    course = Course()
    for event in events:
        course.take(alarm_from(event.body))
    span = journal.score_span()
    times = [*(span or ()), *(at for at, _ in course.told)]
    if not times and (start is None or stop is None):
        raise Rejected("nothing was judged yet, so there is nothing to report")
    first = min(times) if start is None else start
    last = max(times) + 1 if stop is None else stop
    if first >= last:
        raise Rejected("the report would end before it begins; give a later end")
    step = max(LEAST_STEP_NS, (last - first) // STEPS)
    judged = journal.judged(first, last, step)
    weeks = [min(steps * step, last - first) / WEEK_NS for steps, _ in judged.values()]
    return report(course, first, last, weeks, budget=budget, damaged=damaged)


def report(
    course: Course,
    start: int,
    stop: int,
    weeks: Sequence[float],
    *,
    budget: float,
    damaged: int = 0,
) -> ReportRow:
    """Report over source times [start, stop), ns.

    Parameters
    ----------
    course
        What became of the alarms.
    start, stop
        Which time.
    weeks
        Judged weeks of each asset.
    budget
        False alarms that an asset may give in a week.
    damaged
        Events that could not be read.
    """
    told = [(at, alarm) for at, alarm in course.told if start <= at < stop]
    counts = window_counts([at for at, _ in told], start, stop)
    raised = {n: a for n, a in course.last.items() if start <= a.raised < stop}
    once = {alarm.id for _, alarm in told}
    labels = Counter(
        str(alarm.feedback.label) for alarm in raised.values() if alarm.feedback is not None
    )
    real = {n for n, a in course.last.items() if a.feedback and a.feedback.label is Label.REAL}
    not_real = len(once - real)
    delays = [seconds for at, seconds in course.delays if start <= at < stop and seconds >= 0]
    open_now = [alarm for alarm in raised.values() if alarm.state is not AlarmState.NORMAL]
    exposed = sum(weeks)
    return {
        "start": start / MS,
        "stop": stop / MS,
        "counts": counts,
        "annunciated": len(told),
        "incidents": len(raised),
        "mean": len(told) / len(counts),
        "most": max(counts),
        "flood": sum(count > FLOOD for count in counts) / len(counts),
        "standing": sum(alarm.ended is None for alarm in open_now),
        "stale": len(course.stale & raised.keys()),
        "chattering": len(course.chattered & raised.keys()),
        "kept_quiet": {
            str(state): sum(state in course.quiet.get(number, ()) for number in raised)
            for state in QUIET
        },
        "actors": bad_actors([alarm.asset for _, alarm in told]),
        "priorities": {str(p): sum(alarm.priority == p for _, alarm in told) for p in (1, 2, 3, 4)},
        "to_acknowledge": np.percentile(delays, (50, 90)).tolist() if delays else None,
        "unacknowledged": sum(a.state in WAITING for a in open_now),
        "labels": {str(label): labels[str(label)] for label in Label},
        "precision": share(labels[str(Label.REAL)], labels.total()),
        "assets": len(weeks),
        "asset_weeks": exposed,
        "not_real": not_real,
        "false_week": [bound / exposed for bound in poisson(not_real)] if exposed > 0 else None,
        "budget": budget,
        "damaged": damaged,
    }


def window_counts(times: Sequence[int], start: int, stop: int) -> list[int]:
    """Count times, ns, in each stretch of ten minutes from `start` up to `stop`.

    Examples
    --------
    >>> window_counts([0, 1, WINDOW_NS], 0, 2 * WINDOW_NS + 1)
    [2, 1, 0]
    """
    number = -(-(stop - start) // WINDOW_NS)
    place = (np.array(times, np.int64) - start) // WINDOW_NS
    counts: list[int] = np.bincount(place, minlength=number).tolist()
    return counts


def bad_actors(assets: Sequence[str]) -> list[ActorRow]:
    """Name the assets that gave most annunciations, with their share of all."""
    return [
        {"asset": asset, "count": count, "share": count / len(assets)}
        for asset, count in Counter(assets).most_common(ACTORS)
    ]


def share(hits: int, of: int) -> list[float] | None:
    """Give a share with its 95 % interval (Wilson, JASA 22, 1927); None of nothing.

    Examples
    --------
    >>> [round(part, 2) for part in share(8, 10)]
    [0.8, 0.49, 0.94]
    """
    if not of:
        return None
    found = hits / of
    centre = (found + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z * math.sqrt(found * (1 - found) / of + Z**2 / (4 * of**2)) / (1 + Z**2 / of)
    return [found, max(0.0, centre - half), min(1.0, centre + half)]


def poisson(count: int) -> list[float]:
    """Give a count with the 95 % interval of its mean (Garwood, Biometrika 28, 1936).

    Examples
    --------
    >>> [round(bound, 2) for bound in poisson(3)]
    [3.0, 0.62, 8.77]
    """
    low = _mean_at(count - 1, 1 - TAIL) if count else 0.0
    return [float(count), low, _mean_at(count, TAIL)]


def _mean_at(count: int, tail: float) -> float:
    """Give the mean at which a Poisson variable is at most `count` with probability `tail`."""
    k = np.arange(count + 1)
    factorials = np.cumsum(np.log(np.maximum(k, 1)))
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(60):
        middle = (low + high) / 2
        below = float(np.exp(k * math.log(middle) - middle - factorials).sum())
        low, high = (middle, high) if below > tail else (low, middle)
    return (low + high) / 2
