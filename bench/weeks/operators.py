"""The people at the line: there in the shifts only, and not always quick.

They look at the machine, so they know afterwards what an alarm was; the gateway knows what they
tell it, and no more.
"""

from collections.abc import Iterator

import numpy as np

from bench.weeks.diary import Diary, Upkeep, Wear
from bench.weeks.timetable import DAY, HOUR, SHIFTS
from gateway.journal import EventRecord
from gateway.pipeline import Pipeline
from plant.alarms import WAITING, Alarm, HoldKind, Label

TAKES_S = (120, 1800)
"""Until an operator has acknowledged what came up, s, quickest and slowest."""
SAYS = 1 / 3
"""Share of the alarms of which somebody says what they were."""
AFTERWARDS_S = 1800
"""Work on a machine is over for the gateway so much later, s: it has to run warm first."""


class Operators:
    """Acknowledge, label, and announce work, by the diary.

    Parameters
    ----------
    diary
        What happens.
    pipeline
        Where they do it.
    start
        Source time of row 0, ns.
    """

    def __init__(self, diary: Diary, pipeline: Pipeline, start: int) -> None:
        self._diary, self._pipeline, self._start = diary, pipeline, start
        self._due: dict[int, int] = {}
        works: list[Wear | Upkeep] = [*diary.wear, *diary.upkeep]
        self._works = sorted((work for work in works if work.announced), key=_begin)

    def look(self, now: int) -> Iterator[EventRecord]:
        """Do what is to do at second `now`; give the alarms as they are changed."""
        while self._works and _begin(self._works[0]) <= now:
            yield from self._announce(self._works.pop(0))
        if not on_shift(now):
            return
        for alarm in self._pipeline.book.alarms():
            if alarm.state not in WAITING:
                continue
            random = np.random.default_rng([self._diary.seed, 41, alarm.id])
            due = self._due.setdefault(alarm.id, now + int(random.integers(*TAKES_S)))
            if now >= due:
                del self._due[alarm.id]
                yield from self._answer(alarm, now, says=bool(random.random() < SAYS))

    def _announce(self, work: Wear | Upkeep) -> Iterator[EventRecord]:
        end = work.mended if isinstance(work, Wear) else work.end
        body = {
            "asset": work.asset,
            "kind": HoldKind.SUPPRESSED,
            "since": self._ns(_begin(work)),
            "until": self._ns(end + AFTERWARDS_S),
            "actor": "maintenance",
            "note": work.kind,
        }
        yield from self._order("hold", _begin(work), body)

    def _answer(self, alarm: Alarm, now: int, *, says: bool) -> Iterator[EventRecord]:
        label, note = self._truth(alarm, now)
        who = {"id": alarm.id, "actor": "operator", "note": note}
        if says and label is not None:
            body = {**who, "label": label, "new_normal": label is Label.EXPECTED}
            yield from self._order("feedback", now, body)
        else:
            yield from self._order("acknowledge", now, who)

    def _truth(self, alarm: Alarm, now: int) -> tuple[Label | None, str]:
        """Tell what somebody finds who looks; None: it takes a repair to say it."""
        raised = (alarm.raised - self._start) // 10**9
        for wear in self._diary.wear:
            if wear.asset == alarm.asset and wear.onset <= raised <= wear.mended:
                return (Label.REAL, wear.kind) if now >= wear.failure else (None, "seen")
        for work in self._diary.upkeep:
            if work.asset == alarm.asset and 0 <= raised - work.end <= DAY:
                return Label.EXPECTED, work.kind
        return Label.FALSE, "nothing found"

    def _order(self, kind: str, at: int, body: dict[str, object]) -> Iterator[EventRecord]:
        event = EventRecord(kind, self._ns(at), body)  # type: ignore[arg-type]
        yield from self._pipeline.order(event)

    def _ns(self, second: int) -> int:
        return self._start + second * 10**9


def on_shift(second: int) -> bool:
    """Tell whether somebody is there; seconds from a Monday at 00:00."""
    day, within = divmod(second, DAY)
    first, last = SHIFTS.get(day % 7, (0, 0))
    return first * HOUR <= within < last * HOUR


def _begin(work: Wear | Upkeep) -> int:
    return work.failure if isinstance(work, Wear) else work.begin
