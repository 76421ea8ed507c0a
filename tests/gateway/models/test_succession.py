"""A new model judges beside the one in force and acts on nothing until it is promoted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.watch import Watch
from gateway.journal import Journal, ScoreRecord
from gateway.models.rule import Terms
from gateway.models.succession import Succession
from gateway.models.watched import Action, Role, WatchedAsset
from gateway.pipeline import Outcome, Pipeline
from plant.alarms import AlarmState
from plant.errors import Rejected
from tests.gateway.models.conftest import (
    PUMP,
    SECOND,
    START,
    Line,
    failing,
    fed,
    order,
    poisoned,
    signals,
    trained,
)

LEARNT = 160
"""Rows after which the gateway's own watch judges."""


def learnt(line: Line) -> Pipeline:
    pipeline = line.pipeline()
    fed(pipeline, line.batches(0, signals(LEARNT, 3)))
    return pipeline


def only(pipeline: Pipeline) -> WatchedAsset:
    (state,) = pipeline.assets
    return state


def scores(outcomes: list[Outcome], role: str = "") -> list[ScoreRecord]:
    return [one for outcome in outcomes for one in outcome.scores if one.role == role]


def changes(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    return [dict(event.body) for outcome in outcomes for event in outcome.models]


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def with_terms(pipeline: Pipeline, **terms: Any) -> None:
    pipeline.terms = Terms(**terms)
    pipeline._succession = Succession(
        pipeline._contain, pipeline.terms, pipeline._succession._library,
        pipeline._succession._failure,
    )  # fmt: skip


def test_a_shadow_judges_the_same_rows_and_acts_on_nothing(line: Line) -> None:
    plain, shadowed = learnt(line), learnt(line)
    shadowed.order(order("shadow", 1))
    # The pump of the model runs elsewhere: it would raise an alarm at once.
    rows = signals(300, 4, shift=1.5)
    alone = fed(plain, line.batches(LEARNT, rows))
    beside = fed(shadowed, line.batches(LEARNT, rows))
    same(only(plain).watch.state(), only(shadowed).watch.state())
    assert [o.alarms for o in alone] == [o.alarms for o in beside]
    assert len(scores(beside, "shadow")) == len(scores(beside)) == 300
    assert {one.version for one in scores(beside, "shadow")} == {1}


def test_promoted_it_goes_on_from_where_its_shadow_was(line: Line) -> None:
    pipeline = learnt(line)
    pipeline.order(order("shadow", 1))
    fed(pipeline, line.batches(LEARNT, signals(100, 4)))
    beside = only(pipeline).models.beside
    assert beside is not None
    pipeline.order(order("promote", 1, why="drift of the new bearing"))
    state = only(pipeline)
    assert state.watch is beside.watch
    assert (state.models.tenure.version, state.models.tenure.actor) == (1, "ana")
    assert state.models.beside is not None
    assert state.models.beside.role is Role.FORMER
    assert [change.action for change in state.models.history] == [Action.SHADOW, Action.PROMOTE]


@pytest.mark.parametrize("kind", ["own", "snapshot"])
def test_what_was_changed_is_folded_again_to_the_bit(line: Line, tmp_path: Path, kind: str) -> None:
    """Kill -9 at any commit: the journal is folded by another pipeline from there on."""
    rows = signals(140, 4)
    steps = {10: ("shadow", 1), 40: ("promote", 1), 75: ("return", 1), 90: ("shadow", 2),
             115: ("discard", 2)}  # fmt: skip
    never = learnt(line)
    journal = Journal.open(tmp_path / "journal.db")
    journal.register(line.plan.tags, 0)
    pipeline = line.pipeline()
    for outcome in fed(pipeline, line.batches(0, signals(LEARNT, 3))):
        journal.append(*outcome.records())
    for number, batch in enumerate(line.batches(LEARNT, rows)):
        if number in steps:
            event = order(*steps[number], at=batch.received)
            never.order(event)
            journal.append(*pipeline.order(event))
            journal.commit_now()
            pipeline = again(line, journal)
        never.take(batch)
        journal.append(*pipeline.take(batch).records())
        if kind == "snapshot" and number % 30 == 0:
            journal.commit_now()
            journal.save_snapshot("p", journal.committed, pipeline.state())
            journal.commit_now()
            pipeline = again(line, journal)
    journal.commit_now()
    pipeline = again(line, journal)
    same(pipeline.state(), never.state())
    assert [c.action for c in only(pipeline).models.history] == [
        Action(a) for a, _ in steps.values()
    ]
    judged = [one for _, one in journal.read(kinds=(ScoreRecord,)) if isinstance(one, ScoreRecord)]
    journal.close()
    mine = np.concatenate([one.at for one in judged if not one.role])
    assert mine.tolist() == [START + second * SECOND for second in range(LEARNT + 140)]
    assert {(one.role, one.version) for one in judged} == {
        ("", 0), ("shadow", 1), ("former", 0), ("shadow", 2),
    }  # fmt: skip


def again(line: Line, journal: Journal) -> Pipeline:
    pipeline = line.pipeline()
    found = journal.load_snapshot("p")
    position = 0
    if found is not None:
        position, arrays = found
        assert pipeline.restore(arrays) == []
    assert pipeline.replay(journal.read(after=position)) == []
    return pipeline


def test_a_hundred_changes_miss_no_row_and_judge_none_twice(line: Line) -> None:
    line.shelf.makers = {version: lambda: trained(1) for version in range(1, 101)}
    pipeline = learnt(line)
    outcomes: list[Outcome] = []
    rows = signals(600, 5)
    for version in range(1, 101):
        begin = LEARNT + 6 * (version - 1)
        part = rows[6 * (version - 1) :]
        pipeline.order(order("shadow", version))
        outcomes += fed(pipeline, line.batches(begin, part[:2]))
        pipeline.order(order("promote", version))
        outcomes += fed(pipeline, line.batches(begin + 2, part[2:4]))
        pipeline.order(order("return", version))
        outcomes += fed(pipeline, line.batches(begin + 4, part[4:6]))
    mine = np.concatenate([one.at for one in scores(outcomes)])
    assert mine.tolist() == [START + (LEARNT + n) * SECOND for n in range(600)]
    assert len(scores(outcomes, "shadow")) == len(scores(outcomes, "former")) == 200


def test_a_model_that_is_gone_at_replay_is_said_and_the_one_in_force_goes_on(
    line: Line, tmp_path: Path
) -> None:
    journal = Journal.open(tmp_path / "journal.db")
    journal.register(line.plan.tags, 0)
    pipeline = line.pipeline()
    for outcome in fed(pipeline, line.batches(0, signals(LEARNT, 3))):
        journal.append(*outcome.records())
    for action in ("shadow", "promote"):
        journal.append(*pipeline.order(order(action, 1)))
    journal.commit_now()
    del line.shelf.makers[1]
    pipeline = line.pipeline()
    damages = pipeline.replay(journal.read())
    journal.close()
    assert ["gone" in damages[0].reason, "no shadow" in damages[1].reason] == [True, True]
    assert only(pipeline).models.tenure.version == 0
    assert only(pipeline).watch.phase != "learning"


@pytest.mark.parametrize(
    ("make", "why"),
    [(failing(START), "it failed while judging: ZeroDivisionError"), (poisoned, "not finite")],
    ids=["exception", "non-finite"],
)
def test_a_terrible_model_is_stopped_as_a_shadow_and_disturbs_nothing(
    line: Line, make: Callable[[], Watch], why: str
) -> None:
    plain, shadowed = learnt(line), learnt(line)
    line.shelf.makers[1] = make
    shadowed.order(order("shadow", 1))
    rows = signals(100, 4)
    fed(plain, line.batches(LEARNT, rows))
    (told,) = changes(fed(shadowed, line.batches(LEARNT, rows)))
    assert (told["action"], told["version"], told["actor"]) == ("discard", 1, "rule")
    assert why in told["why"]
    same(only(plain).watch.state(), only(shadowed).watch.state())
    assert line.supervisor.benched == {}
    assert why in only(shadowed).models.blocked[1]
    with pytest.raises(Rejected, match="model 1 is blocked"):
        shadowed.order(order("shadow", 1))


def promoted(line: Line, make: Callable[[], Watch]) -> Pipeline:
    line.shelf.makers[1] = make
    pipeline = learnt(line)
    pipeline.order(order("shadow", 1))
    fed(pipeline, line.batches(LEARNT, signals(60, 4)))
    pipeline.order(order("promote", 1))
    return pipeline


def test_one_that_fails_in_force_is_replaced_within_the_batch(line: Line) -> None:
    at = START + (LEARNT + 90) * SECOND
    pipeline = promoted(line, failing(at))
    outcomes = fed(pipeline, line.batches(LEARNT + 60, signals(60, 6)))
    (told,) = changes(outcomes)
    assert (told["action"], told["version"]) == ("return", 1)
    assert "ZeroDivisionError" in told["why"]
    mine = np.concatenate([one.at for one in scores(outcomes)])
    assert mine.tolist() == [START + (LEARNT + 60 + n) * SECOND for n in range(60)]
    state = only(pipeline)
    assert (state.models.tenure.version, state.models.beside) == (0, None)
    assert line.supervisor.benched == {}


def test_without_a_way_back_one_that_fails_is_benched_and_said(line: Line) -> None:
    pipeline = promoted(line, failing(START + (LEARNT + 90) * SECOND))
    state = only(pipeline)
    former = state.models.beside
    assert former is not None
    former.watch = failing(START)()
    outcomes = fed(pipeline, line.batches(LEARNT + 60, signals(60, 6)))
    (told,) = changes(outcomes)
    assert (told["action"], told["version"]) == ("discard", 0)
    assert list(line.supervisor.benched) == [state.bench] == [f"{PUMP} model 1"]
    assert sum(len(one.at) for one in scores(outcomes)) == 30


def test_after_probation_the_former_rests_and_is_still_the_way_back(line: Line) -> None:
    at = START + (LEARNT + 200) * SECOND
    pipeline = promoted(line, failing(at))
    with_terms(pipeline, probation_h=60 / 3600)
    outcomes = fed(pipeline, line.batches(LEARNT + 60, signals(180, 6)))
    assert [told["action"] for told in changes(outcomes)] == ["keep", "return"]
    assert len(scores(outcomes, "former")) == 60
    assert len(np.concatenate([one.at for one in scores(outcomes)])) == 180
    assert only(pipeline).models.tenure.version == 0


def test_alarms_that_only_the_promoted_model_raises_take_it_back(line: Line) -> None:
    pipeline = promoted(line, lambda: trained(1))
    state = only(pipeline)
    former = state.models.beside
    assert former is not None
    # The former one has taken the shift for its new normal, the promoted one has not.
    former.watch = trained(1, shift=1.5)
    moved = signals(600, 8, shift=1.5)
    # The former judges every row healthy; twice the other finds its own normal again.
    for begin in (150, 450):
        moved[begin : begin + 60] -= (0, 0, 1.5)
    outcomes = fed(pipeline, line.batches(LEARNT + 60, moved))
    (told,) = changes(outcomes)
    assert (told["action"], told["actor"]) == ("return", "rule")
    assert "alarm rate: 2 alarms" in told["why"]
    assert state.models.tenure.version == 0


def test_the_alarm_of_a_returned_model_ends_with_a_plain_reason(line: Line) -> None:
    pipeline = promoted(line, lambda: trained(1))
    state = only(pipeline)
    former = state.models.beside
    assert former is not None
    former.watch = trained(1, shift=1.5)
    fed(pipeline, line.batches(LEARNT + 60, signals(80, 6, shift=1.5)))
    alarm = pipeline.book.open(PUMP)
    assert alarm is not None
    assert alarm.state is AlarmState.UNACKNOWLEDGED
    told = pipeline.order(order("return", 1, why="it knows another pump"))
    gone = pipeline.book.get(alarm.id)
    assert gone.state is AlarmState.RETURNED
    assert "model 1 was taken back" in gone.withdrawn
    assert "it knows another pump" in gone.withdrawn
    assert [event.kind for event in told] == ["model", "alarm"]


def test_an_alarm_that_the_model_now_in_force_sees_is_raised(line: Line) -> None:
    pipeline = learnt(line)
    line.shelf.makers[1] = lambda: trained(1, shift=3.0)
    pipeline.order(order("shadow", 1))
    fed(pipeline, line.batches(LEARNT, signals(80, 6)))
    before = pipeline.book.open(PUMP)
    assert before is None or not before.stands
    pipeline.order(order("promote", 1))
    alarm = pipeline.book.open(PUMP)
    assert alarm is not None
    assert alarm.stands
    assert alarm.reason.contributions[0].signal == f"{PUMP}/current"


@pytest.mark.parametrize(
    ("steps", "action", "version", "why"),
    [
        ([], "promote", 1, "no shadow"),
        ([], "return", 0, "no model before"),
        ([("shadow", 2)], "shadow", 1, "not newer than 2"),
        ([("shadow", 1), ("promote", 1)], "shadow", 2, "on probation"),
        ([("shadow", 1), ("discard", 1)], "discard", 1, "gone already"),
        ([], "shadow", 9, "is gone"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(
    line: Line, steps: list[tuple[str, int]], action: str, version: int, why: str
) -> None:
    pipeline = learnt(line)
    for step in steps:
        pipeline.order(order(*step))
    before = pipeline.state()
    with pytest.raises(Rejected, match=why):
        pipeline.order(order(action, version))
    same(before, pipeline.state())
