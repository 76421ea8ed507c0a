"""What people order of the alarms goes through the journal: kill and continue, mode and members."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analytics.findings import Finding
from analytics.judgements import Judgement, Transition
from gateway.config.plan import AlarmPlan, DetectionPlan, Plan
from gateway.journal import JSON, EventRecord, Journal
from gateway.pipeline import Pipeline
from plant.alarms import HOUR_NS, Alarm, AlarmAction, AlarmState
from plant.assets import asset_of
from plant.errors import Rejected
from plant.reasons import Contribution, Reason, Trend
from plant.samples import Batch
from plant.tags import Role, Tag, TagHandle

SECOND = 10**9
RUN, OFF = 1, 7
ASSET = "a/p"
TAGS = (
    Tag(name="a/p/x", source="plc", address=""),
    Tag(name="a/p/y", source="plc", address="", low=0.0, high=100.0),
    Tag(name="a/p/m", source="plc", address="", role=Role.MODE),
)
HANDLES = [TagHandle(number, tag) for number, tag in enumerate(TAGS)]
PLAN = Plan(
    name="t",
    data=Path(),
    tags=TAGS,
    assets=(asset_of(ASSET, TAGS),),
    detection=DetectionPlan(learn_s=240),
    alarms=AlarmPlan(suppressed={ASSET: frozenset({OFF})}, chatter_count=99),
)
NOISE = np.random.default_rng(4).normal(0, 1, (900, 2))
SAID: dict[str, JSON] = {"actor": "Anna", "note": "product change"}


def plain(_name: str, call: Callable[[], Any]) -> Any:
    return call()


def scan(second: int, x: float = 10.0, y: float = 50.0, mode: int = RUN) -> Batch:
    return Batch(
        source="plc",
        tag=np.arange(3, dtype=np.int32),
        at=np.full(3, second * SECOND, np.int64),
        value=np.array([x, y, mode]),
        status=np.zeros(3, np.uint32),
        upto=second * SECOND,
        received=second * SECOND,
        heard=1,
    )


def noisy(second: int, *, fault: float = 0.0, mode: int = RUN) -> Batch:
    x, y = NOISE[second]
    return scan(second, 10 + x + fault, 50 + y, mode)


def hold(kind: str, at: int, hours: float | None) -> EventRecord:
    until = None if hours is None else at + round(hours * HOUR_NS)
    body: dict[str, JSON] = {"asset": ASSET, "kind": kind, "since": at, "until": until}
    return EventRecord("hold", at, body | SAID)


def label(number: int, at: int, *, new_normal: bool = False) -> EventRecord:
    body: dict[str, JSON] = {"id": number, "label": "expected", "new_normal": new_normal}
    return EventRecord("feedback", at, body | SAID)


def story() -> list[Batch | EventRecord]:
    """A fault that is labelled, one like it on the shelf, and one in a suppressed mode."""
    steps: list[Batch | EventRecord] = [noisy(s) for s in range(300)]
    steps += [noisy(s, fault=25) for s in range(300, 360)]
    steps += [label(1, 360 * SECOND)]
    steps += [noisy(s) for s in range(360, 480)]
    steps += [hold("shelved", 480 * SECOND, 60 / 3600)]
    steps += [noisy(s, fault=90) for s in range(480, 560)]
    steps += [EventRecord("acknowledge", 560 * SECOND, {"id": 2, **SAID})]
    steps += [noisy(s) for s in range(560, 700)]
    steps += [noisy(s, mode=OFF) for s in range(700, 760)]
    return steps


def play(pipeline: Pipeline, step: Batch | EventRecord) -> list[Any]:
    if isinstance(step, Batch):
        return list(pipeline.take(step).records())
    return list(pipeline.order(step))


@pytest.fixture(scope="module")
def never() -> Pipeline:
    """The pipeline that was never stopped."""
    pipeline = Pipeline(PLAN, HANDLES, plain)
    for step in story():
        play(pipeline, step)
    return pipeline


@pytest.fixture(scope="module")
def told(never: Pipeline) -> list[Alarm]:
    return never.book.alarms()


def test_the_story_has_a_labelled_alarm_and_one_that_came_off_the_shelf(told: list[Alarm]) -> None:
    first, second = told[:2]
    assert first.feedback is not None
    assert (first.state, first.feedback.actor) == (AlarmState.NORMAL, "Anna")
    assert second.annunciated is not None
    assert second.annunciated >= 540 * SECOND
    assert second.reason.precedents[0].id == 1
    assert second.reason.contributions[0].since >= 440 * SECOND  # not since the first one


@pytest.mark.parametrize(
    ("cuts", "snapshot"), [((361, 500), False), ((330, 481, 541, 563), True), ((200, 720), True)]
)
def test_killed_among_orders_it_goes_on_as_if_never_stopped(
    tmp_path: Path, never: Pipeline, cuts: tuple[int, ...], snapshot: bool
) -> None:
    steps = story()
    journal = Journal.open(tmp_path / "journal.db")
    journal.register(TAGS, 0)
    pipeline = Pipeline(PLAN, HANDLES, plain)
    for begin, end in zip((0, *cuts), (*cuts, len(steps)), strict=True):
        for step in steps[begin:end]:
            journal.append(*play(pipeline, step))
        journal.commit_now()
        kept = (journal.committed, pipeline.state()) if snapshot else (0, None)
        pipeline = Pipeline(PLAN, HANDLES, plain)
        assert kept[1] is None or pipeline.restore(kept[1]) == []
        assert pipeline.replay(journal.read(after=kept[0])) == []
    journal.close()
    expected, found = never.state(), pipeline.state()
    assert expected.keys() == found.keys()
    assert [n for n, a in expected.items() if a.tobytes() != found[n].tobytes()] == []


def test_a_shelf_time_that_ends_is_in_the_journal(told: list[Alarm]) -> None:
    pipeline = Pipeline(PLAN, HANDLES, plain)
    pipeline.take(scan(1))
    pipeline.order(hold("shelved", 2 * SECOND, 1 / 3600))
    assert [r for r in pipeline.take(scan(2)).records() if isinstance(r, EventRecord)] == []
    (ended,) = [r for r in pipeline.take(scan(3)).records() if isinstance(r, EventRecord)]
    assert (ended.kind, ended.at, ended.body["actor"]) == ("hold-ended", 3 * SECOND, "Anna")


class Scripted:
    """A watch that says what a test wants of each second."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.moves: dict[int, AlarmAction] = {}
        self.accepted = 0
        watch: Any = SimpleNamespace(judge=self.judge, accept=self.accept)
        pipeline.assets[0].watch = watch

    def accept(self) -> None:
        self.accepted += 1

    def judge(self, at: Any, rows: Any, mode: Any) -> Judgement:
        seconds = (at // SECOND).tolist()
        part = Contribution("a/p/x", 1.0, 7.0, 2.0, 1.0, 3.0, "", 0, Trend.RISING)
        moves = tuple(
            Transition(s * SECOND, s * SECOND, self.moves[s], Reason(6.0, 3.0, (part,)))
            for s in seconds
            if s in self.moves
        )
        score, limit = np.ones(len(at)), np.full(len(at), 3.0)
        judged = np.ones(len(at), np.bool_)
        return Judgement(at, score, limit, judged, ~judged, moves)

    def run(self, seconds: range, mode: int = RUN, y: float = 50.0) -> list[str]:
        states = []
        for second in seconds:
            self.pipeline.take(scan(second, mode=mode, y=y))
            alarm = self.pipeline.book.open(ASSET)
            states.append(str(alarm.state) if alarm else "NORM")
        return states


@pytest.fixture
def scripted() -> Scripted:
    return Scripted(Pipeline(PLAN, HANDLES, plain))


def test_what_ends_with_a_suppressed_mode_is_never_told(scripted: Scripted) -> None:
    scripted.moves = {10: AlarmAction.RAISE, 19: AlarmAction.CLEAR}
    assert set(scripted.run(range(5))) == {"NORM"}
    assert scripted.run(range(5, 20), mode=OFF)[5:14] == ["DSUPR"] * 9
    assert set(scripted.run(range(20, 40))) == {"NORM"}
    assert scripted.pipeline.book.get(1).annunciated is None


def test_what_is_raised_as_a_suppressed_mode_ends_is_told(scripted: Scripted) -> None:
    scripted.moves = {10: AlarmAction.RAISE, 19: AlarmAction.CLEAR, 24: AlarmAction.RAISE}
    scripted.run(range(5, 20), mode=OFF)
    assert list(dict.fromkeys(scripted.run(range(20, 40)))) == ["NORM", "UNACK"]


def test_a_fault_that_stood_before_is_quiet_in_the_mode_and_heard_after(
    scripted: Scripted,
) -> None:
    scripted.moves = {3: AlarmAction.RAISE}
    states = scripted.run(range(8)) + scripted.run(range(8, 16), OFF) + scripted.run(range(16, 22))
    assert list(dict.fromkeys(states)) == ["NORM", "UNACK", "DSUPR"]
    assert states[-1] == "UNACK"


def test_what_monitors_find_of_the_asset_joins_its_incident(
    scripted: Scripted,
) -> None:
    scripted.moves = {3: AlarmAction.RAISE}
    scripted.run(range(2), y=200.0)
    assert scripted.pipeline.book.alarms() == []
    scripted.run(range(2, 6), y=50.0)
    scripted.run(range(6, 8), y=200.0)
    (alarm,) = scripted.pipeline.book.alarms()
    (member,) = alarm.members
    assert member.tag == "a/p/y"
    assert member.findings & Finding.RANGE


def test_what_a_monitor_had_found_as_it_was_raised_is_a_member(scripted: Scripted) -> None:
    scripted.moves = {3: AlarmAction.RAISE}
    scripted.run(range(6), y=200.0)
    assert [member.tag for member in scripted.pipeline.book.get(1).members] == ["a/p/y"]


def test_a_watch_is_taught_a_new_normal_when_a_person_says_so(scripted: Scripted) -> None:
    scripted.moves = {3: AlarmAction.RAISE}
    scripted.run(range(6))
    scripted.pipeline.order(label(1, 7 * SECOND))
    assert scripted.accepted == 0
    scripted.pipeline.order(label(1, 7 * SECOND, new_normal=True))
    assert scripted.accepted == 1


def test_an_order_that_cannot_be_done_changes_nothing(scripted: Scripted) -> None:
    before = scripted.pipeline.book.state()["book"].tobytes()
    body: dict[str, JSON] = {"asset": ASSET, "kind": "shelved", **SAID}
    with pytest.raises(Rejected):
        scripted.pipeline.order(EventRecord("release", 5, body))
    with pytest.raises(KeyError):
        scripted.pipeline.order(label(4, 5))
    with pytest.raises(Rejected):
        scripted.pipeline.order(hold("shelved", 5, 9))
    assert scripted.pipeline.book.state()["book"].tobytes() == before
