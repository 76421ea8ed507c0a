"""Runs the weeks through the gateway's own pipeline, row by row in the order of time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.weeks.diary import SOURCES, Diary
from bench.weeks.line import MODES_OF_WEEKS, SUPPRESSED, DiarisedLine, Sensors
from bench.weeks.operators import Operators
from connectors.simulated.encoding import Encoding
from gateway.alarms import alarm_from
from gateway.config.plan import AlarmPlan, DetectionPlan, Plan
from gateway.journal import Record, ScoreRecord
from gateway.performance import Course
from gateway.pipeline import Pipeline
from plant.alarms import Alarm
from plant.assets import Asset, asset_of
from plant.gaps import GapCause
from plant.quality import Status
from plant.records import JUDGED
from plant.samples import Batch, uniform_batch
from plant.tags import TagHandle

START = 1_767_571_200 * 10**9
"""Source time of row 0, ns: Monday, 5 January 2026, 00:00 UTC."""
ROWS = 300
"""Rows read at once; what people do is done between two reads."""
MINUTE = 60
DELAY_NS = 50_000_000
"""From the source's clock to the gateway's."""
GONE = "the network is gone"

Columns = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Minutes:
    """What became of one asset, minute by minute (m,).

    Parameters
    ----------
    score, bar
        Largest score of the minute and the bar it was held against, in limits; NaN: not judged.
    judged, seen
        Rows judged, and rows that came, in the minute.
    learning
        Whether the asset was still learning.
    low, high
        Range of each signal (m, p); NaN: no good value.
    """

    score: Columns
    bar: Columns
    judged: NDArray[np.int64]
    seen: NDArray[np.int64]
    learning: NDArray[np.bool_]
    low: Columns
    high: Columns

    @classmethod
    def empty(cls, minutes: int, signals: int) -> "Minutes":
        """Lay out minutes of which nothing is known yet."""
        unknown = np.full(minutes, np.nan)
        none = np.zeros(minutes, np.int64)
        wide = np.full((minutes, signals), np.nan)
        return cls(
            unknown, unknown.copy(), none, none.copy(), none.astype(np.bool_), wide, wide.copy()
        )  # fmt: skip

    def take(self, record: ScoreRecord) -> None:
        """Take in scores."""
        minute = (record.at - START) // (MINUTE * 10**9)
        judged = record.flags & JUDGED != 0
        np.add.at(self.seen, minute, 1)
        np.add.at(self.judged, minute, judged)
        at, score = minute[judged], record.score[judged]
        np.fmax.at(self.score, at, score)
        self.bar[at] = record.threshold[judged]


@dataclass(slots=True, eq=False)
class Campaign:
    """What came out of the weeks.

    Parameters
    ----------
    diary
        The truth.
    assets
        The machines.
    minutes
        What became of each, by its path.
    course
        Its alarms, for the report.
    changes
        Second and alarm of each change of an alarm.
    """

    diary: Diary
    assets: tuple[Asset, ...]
    minutes: dict[str, Minutes]
    course: Course = field(default_factory=Course)
    changes: list[tuple[int, Alarm]] = field(default_factory=list)

    def take(self, second: int, alarms: Iterable[Alarm]) -> None:
        """Take in alarms as they are at `second`."""
        for alarm in alarms:
            self.course.take(alarm)
            self.changes.append((second, alarm))


def plan_of(line: DiarisedLine, diary: Diary) -> Plan:
    """Plan the gateway that watches the line: nothing but the time to learn is set."""
    assets = tuple(asset_of(path, line.tags, MODES_OF_WEEKS) for path in line.asset_paths)
    return Plan(
        name="weeks",
        data=Path(),
        tags=line.tags,
        assets=assets,
        detection=DetectionPlan(learn_s=float(diary.taught)),
        alarms=AlarmPlan(suppressed={asset.path: SUPPRESSED for asset in assets}),
        simulated=True,
    )


class _Link:
    """One source as the gateway sees it: what it delivers, and when it is gone.

    Parameters
    ----------
    name
        Name of the source.
    handles
        Every tag of the gateway.
    gone
        Whether the source is gone, for each second.
    """

    def __init__(self, name: str, handles: Sequence[TagHandle], gone: NDArray[np.bool_]) -> None:
        own = [handle for handle in handles if handle.tag.source == name]
        self.name = name
        self._handles = np.array([handle.handle for handle in own], np.int32)
        self._columns = np.flatnonzero([handle.tag.source == name for handle in handles])
        self._encoding = Encoding([handle.tag for handle in own])
        self._gone = gone
        self._up = False

    def deliver(
        self, first: int, rows: Columns, pipeline: Pipeline
    ) -> Iterator[tuple[int, Iterable[Record], list[Alarm]]]:
        """Hand rows from row `first` on to the pipeline; give second, scores and alarms."""
        gone = self._gone[first : first + len(rows)]
        cuts = [0, *(np.flatnonzero(np.diff(gone)) + 1).tolist(), len(rows)]
        for begin, end in pairwise(cuts):
            if gone[begin]:
                if self._up:
                    yield self._lost(first + begin, pipeline)
                continue
            if not self._up:
                self._up = True
                pipeline.link(self.name, "up", "", self._ns(first + begin))
                yield self._took(first + begin, rows[begin : begin + 1], pipeline)
                begin += 1
            if begin < end:
                yield self._took(first + begin, rows[begin:end], pipeline)

    def _took(
        self, first: int, rows: Columns, pipeline: Pipeline
    ) -> tuple[int, Iterable[Record], list[Alarm]]:
        n, width = len(rows), len(self._handles)
        raw = self._encoding.raw(rows[:, self._columns]).T.ravel()
        at = self._ns(first) + np.arange(n, dtype=np.int64) * 10**9
        bad = np.uint32(Status.BAD_DEVICE_FAILURE)
        batch = Batch(
            source=self.name,
            tag=np.repeat(self._handles, n),
            at=np.tile(at, width),
            value=raw,
            status=np.where(np.isnan(raw), bad, np.uint32(Status.GOOD)),
            upto=int(at[-1]),
            received=int(at[-1]) + DELAY_NS,
            heard=int(at[-1]),
        )
        outcome = pipeline.take(batch)
        return first + n - 1, outcome.scores, outcome.alarms

    def _lost(self, second: int, pipeline: Pipeline) -> tuple[int, Iterable[Record], list[Alarm]]:
        self._up = False
        now = self._ns(second)
        pipeline.link(self.name, "down", GONE, now)
        pipeline.gaps.lose(self.name, GapCause.LINK, GONE, now)
        bad = uniform_batch(
            self.name,
            self._handles,
            Status.BAD_NO_COMMUNICATION,
            at=self._ns(second - 1) + 1,
            received=now + DELAY_NS,
            heard=now,
        )
        outcome = pipeline.take(bad)
        return second, outcome.scores, outcome.alarms

    @staticmethod
    def _ns(second: int) -> int:
        return START + second * 10**9


def run(
    diary: Diary,
    moved: Callable[[int, int], None] = lambda _done, _known: None,
    *,
    recipes: bool = False,
) -> Campaign:
    """Run a diary through a gateway's pipeline.

    Parameters
    ----------
    diary
        What happens.
    moved
        Told how many seconds of how many are behind.
    recipes
        Whether the mode tags tell which product is made.
    """
    line = DiarisedLine(diary, start=START, recipes=recipes)
    plan = plan_of(line, diary)
    handles = [TagHandle(number, tag) for number, tag in enumerate(line.tags)]
    pipeline = Pipeline(plan, handles, contained)
    sensors = Sensors(diary, line.tags)
    operators = Operators(diary, pipeline, START)
    links = [_Link(name, handles, _gone(diary, name)) for name in SOURCES]
    length = -(-diary.end // MINUTE)
    campaign = Campaign(
        diary,
        plan.assets,
        {asset.path: Minutes.empty(length, len(asset.signals)) for asset in plan.assets},
    )
    names = [tag.name for tag in line.tags]
    columns = {a.path: [names.index(name) for name in a.signals] for a in plan.assets}
    for first in range(0, diary.end, ROWS):
        rows = line.values(first, min(ROWS, diary.end - first))
        sensors.tell(first, rows)
        for link in links:
            for second, scores, alarms in link.deliver(first, rows, pipeline):
                campaign.take(second, alarms)
                _keep(campaign, scores)
        _sketch(campaign, pipeline, first, rows, columns)
        now = first + len(rows)
        told = [alarm_from(e.body) for e in operators.look(now) if e.kind == "alarm"]
        campaign.take(now, told)
        moved(now, diary.end)
    return campaign


def contained(name: str, call: Callable[[], Any]) -> Any:
    """Run a detector; the monitors of single tags are benched, for they raise no alarm.

    They name the members of an incident only, and would take two thirds of the time.
    """
    return None if name == "monitors" else call()


def _keep(campaign: Campaign, scores: Iterable[Any]) -> None:
    for record in scores:
        campaign.minutes[record.asset].take(record)


def _sketch(
    campaign: Campaign,
    pipeline: Pipeline,
    first: int,
    rows: Columns,
    columns: dict[str, list[int]],
) -> None:
    """Keep what a picture needs of some rows."""
    place = slice(first // MINUTE, -(-(first + len(rows)) // MINUTE))
    padded = np.full((-(-len(rows) // MINUTE) * MINUTE, rows.shape[1]), np.nan)
    padded[: len(rows)] = rows
    blocks = padded.reshape(-1, MINUTE, rows.shape[1])
    low, high = np.fmin.reduce(blocks, axis=1), np.fmax.reduce(blocks, axis=1)
    for state in pipeline.assets:
        path = state.asset.path
        minutes = campaign.minutes[path]
        minutes.low[place], minutes.high[place] = low[:, columns[path]], high[:, columns[path]]
        minutes.learning[place] = state.watch.phase == "learning"


def _gone(diary: Diary, source: str) -> NDArray[np.bool_]:
    gone = np.zeros(diary.end, np.bool_)
    for drop in diary.drops:
        if drop.source == source:
            gone[drop.begin : drop.end] = True
    return gone
