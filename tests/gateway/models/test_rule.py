"""Promotion by rule: every clause has its value and demand; and what takes a model back."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from analytics.judgements import Judgement, Transition
from gateway.models.desk import ModelDesk
from gateway.models.figures import BESIDE, IN_FORCE, Figures
from gateway.models.rule import Costs, Terms, allowed, clauses, late, strays, tail, too_many
from gateway.models.stopwatch import LEAST, Stopwatch
from gateway.pipeline import Pipeline
from plant.alarms import Alarm, AlarmAction, AlarmState, Feedback, Label
from plant.errors import Rejected
from plant.reasons import Reason
from tests.gateway.models.conftest import PUMP, SECOND, Line, fed, order, signals

HOUR = 3600
FAST = Costs(100.0, 110.0)


def said(count: int, ratio: float, raised: tuple[int, ...] = (), judged: bool = True) -> Judgement:
    """Give rows with one ratio of score and limit, and alarms raised at some of them."""
    score = np.full(count, ratio if judged else np.nan)
    nothing = Reason(ratio, 1.0, ())
    return Judgement(
        at=np.arange(count) * SECOND,
        score=score,
        threshold=np.ones(count),
        judged=np.full(count, judged),
        anomalous=score > 1,
        transitions=tuple(
            Transition(row * SECOND, row * SECOND, AlarmAction.RAISE, nothing) for row in raised
        ),
    )


def taken(
    in_force: Judgement, beside: Judgement, *, mode: int = 0, standing: bool = False
) -> Figures:
    figures = Figures()
    modes = np.full(len(in_force.at), mode)
    figures.take(in_force.at, modes, (in_force, beside), standing=standing)
    return figures


def unmet(
    figures: Figures, costs: Costs = FAST, *, alarmed: bool = False, **terms: Any
) -> set[str]:
    wanted = Terms(**({"shadow_h": 1.0} | terms))
    return {one.name for one in clauses(figures, wanted, costs, alarmed=alarmed) if not one.met}


CALM = said(2 * HOUR, 0.3)


def test_a_model_that_says_the_same_meets_every_clause() -> None:
    assert unmet(taken(CALM, said(2 * HOUR, 0.4))) == set()


@pytest.mark.parametrize(
    ("figures", "costs", "alarmed", "name"),
    [
        (taken(said(600, 0.3), said(600, 0.3)), FAST, False, "Time beside the one in force"),
        (taken(CALM, said(2 * HOUR, 0.3, judged=False)), FAST, False, "Rows judged in 0"),
        (
            taken(CALM, said(2 * HOUR, 0.3, raised=(500, 1500, 3000))),
            FAST, False, "Alarms that only it would have raised",
        ),
        (
            taken(said(2 * HOUR, 0.3, raised=(500,)), CALM),
            FAST, False, "Alarms of the one in force that it did not see",
        ),
        (taken(CALM, said(2 * HOUR, 1.5)), FAST, False, "Agreement outside alarms"),
        (taken(CALM, said(2 * HOUR, 1.5)), FAST, False, "Rows above its limit, outside alarms"),
        (taken(CALM, said(2 * HOUR, 0.001)), FAST, False, "Median score over limit"),
        (taken(CALM, CALM), Costs(100.0, 900.0), False, "CPU time a row, median"),
        (taken(CALM, CALM), Costs(), False, "CPU time a row, median"),
        (taken(CALM, CALM), FAST, True, "No alarm stands"),
    ],
)  # fmt: skip
def test_each_clause_can_keep_a_model_out(
    figures: Figures, costs: Costs, alarmed: bool, name: str
) -> None:
    assert name in unmet(figures, costs, alarmed=alarmed)


def test_a_clause_says_what_its_hours_can_prove() -> None:
    told = clauses(taken(CALM, CALM), Terms(), FAST, alarmed=False)
    alarms = next(one for one in told if one.name.startswith("Alarms that only it"))
    assert alarms.demand == "0 at most at 1 a week; 2 h without one prove 252 a week"


def test_alarms_within_a_minute_are_one_and_the_same() -> None:
    figures = taken(said(900, 0.3, raised=(100, 400)), said(900, 0.3, raised=(130, 700)))
    assert (figures.shared, figures.own(IN_FORCE), figures.own(BESIDE)) == (1, 1, 1)


def test_one_that_waits_for_its_like_is_not_counted_yet() -> None:
    figures = taken(said(100, 0.3), said(100, 0.3, raised=(90,)))
    assert figures.own(BESIDE) == 0


def test_row_by_row_counts_as_all_at_once() -> None:
    chance = np.random.default_rng(4)
    pair = said(400, 0.3, raised=(100,)), said(400, 0.3, raised=(130, 300))
    for one in pair:
        one.score[:] = np.exp2(chance.integers(-8, 9, 400) / 4)
        one.anomalous[:] = one.score > 1
        one.judged[::7] = False
    mode = chance.integers(0, 3, 400)
    at_once, by_row = Figures(), Figures()
    at_once.take(pair[0].at, mode, pair, standing=False)
    for row in range(400):
        own, other = (one_row(one, row) for one in pair)
        by_row.take(own.at, mode[row : row + 1], (own, other), standing=False)
    by_row.modes = dict(sorted(by_row.modes.items()))
    for name, array in at_once.state().items():
        np.testing.assert_array_equal(array, by_row.state()[name], err_msg=name)


def one_row(whole: Judgement, row: int) -> Judgement:
    only = slice(row, row + 1)
    return Judgement(
        at=whole.at[only],
        score=whole.score[only],
        threshold=whole.threshold[only],
        judged=whole.judged[only],
        anomalous=whole.anomalous[only],
        transitions=tuple(told for told in whole.transitions if told.at == whole.at[row]),
    )


def test_figures_go_on_from_their_state_to_the_bit() -> None:
    figures = taken(said(900, 0.3, raised=(850,)), said(900, 1.2, raised=(130, 700)), mode=4)
    again = Figures.restore({name: array.copy() for name, array in figures.state().items()})
    for one in (figures, again):
        one.take(
            np.array([900 * SECOND]), np.array([4]), (said(1, 0.1), said(1, 2.0)), standing=False
        )
    for name, array in figures.state().items():
        np.testing.assert_array_equal(array, again.state()[name])


@pytest.mark.parametrize(
    ("alarms", "budget", "back"), [((500, 1500), 1.0, True), ((500,), 1.0, False),
                                   ((500, 1500), 100.0, False)],
)  # fmt: skip
def test_more_alarms_than_the_budget_explains_take_a_model_back(
    alarms: tuple[int, ...], budget: float, back: bool
) -> None:
    figures = taken(said(2 * HOUR, 0.3, raised=alarms), CALM)
    assert bool(too_many(figures, Terms(budget=budget), IN_FORCE)) is back


def test_alarms_that_the_former_raised_too_take_nothing_back() -> None:
    both = said(2 * HOUR, 0.3, raised=(500, 1500, 3000))
    assert too_many(taken(both, both), Terms(), IN_FORCE) == ""


@pytest.mark.parametrize(("ratio", "shown", "back"), [(1.5, 0.0, True), (0.9, 0.0, False)])
def test_rows_beyond_its_limit_that_its_shadow_did_not_show_take_it_back(
    ratio: float, shown: float, back: bool
) -> None:
    assert bool(strays(taken(said(400, ratio), said(400, 0.3)), shown)) is back


def test_latency_takes_back_what_is_slow_beside_the_one_before() -> None:
    assert late(Costs(5000.0, 100.0)) == "latency: 5000 µs a row, more than 1000"
    assert late(Costs(900.0, 100.0)) == late(Costs(5000.0, None)) == ""


def test_the_stopwatch_gives_medians_once_they_mean_something() -> None:
    ticks = iter(range(0, 10**9, 50_000))
    watch = Stopwatch(lambda: next(ticks))
    for _ in range(LEAST):
        watch.run(IN_FORCE, 2, lambda: None)
    assert watch.costs() == Costs(25.0, None)


def test_tails_are_those_of_poisson() -> None:
    assert tail(3, 1.0) == pytest.approx(1 - np.exp(-1) * 2.5)
    assert [allowed(mean) for mean in (0.0, 0.01, 1.0)] == [0, 0, 3]


class Ordered:
    """What was ordered, done by the pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    async def __call__(self, kind: str, body: Any) -> None:
        assert kind == "model"
        self.pipeline.order(replace(order("", 0), body=body))


def desk_of(pipeline: Pipeline, terms: Terms) -> ModelDesk:
    shelf: Any = None
    book = pipeline.book
    return ModelDesk(pipeline.assets, terms, shelf, book.open, Ordered(pipeline))


@pytest.fixture
def shadowed(line: Line) -> Pipeline:
    pipeline = line.pipeline()
    fed(pipeline, line.batches(0, signals(150, 3)))
    pipeline.order(order("shadow", 1))
    fed(pipeline, line.batches(150, signals(120, 4)))
    return pipeline


def test_a_person_may_promote_against_the_rule_and_that_is_said(shadowed: Pipeline) -> None:
    desk = desk_of(shadowed, Terms())
    row = asyncio.run(desk.promote("pump-2", 1, "ana, engineer", "the bearing is new"))
    assert row["in_force"]["version"] == 1
    assert row["in_force"]["actor"] == "ana, engineer"
    assert row["in_force"]["why"].startswith(
        "the bearing is new (against the rule: Time beside the one in force: 0.0 h, demanded: 24 h"
    )


def test_by_rule_nothing_happens_before_every_clause_is_met(shadowed: Pipeline) -> None:
    assert list(desk_of(shadowed, Terms(by_rule=True)).due()) == []


def test_by_rule_it_is_promoted_when_every_clause_is_met(
    shadowed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state,) = shadowed.assets
    assert state.models.beside is not None
    state.models.beside.figures = taken(CALM, CALM)
    monkeypatch.setattr(Stopwatch, "costs", lambda _: FAST)
    monkeypatch.setattr(shadowed.book, "open", lambda _: None)
    by_person = desk_of(shadowed, Terms(shadow_h=1.0))
    (body,) = desk_of(shadowed, Terms(shadow_h=1.0, by_rule=True)).due()
    assert list(by_person.due()) == []
    assert (body["action"], body["version"], body["actor"]) == ("promote", 1, "rule")
    assert shadowed.order(replace(order("", 0), body=body))


def test_what_drift_proposed_no_rule_puts_into_force(
    shadowed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state,) = shadowed.assets
    beside = state.models.beside
    assert beside is not None
    beside.figures = taken(CALM, CALM)
    beside.tenure = replace(beside.tenure, person="trained because of drift")
    monkeypatch.setattr(Stopwatch, "costs", lambda _: FAST)
    monkeypatch.setattr(shadowed.book, "open", lambda _: None)
    desk = desk_of(shadowed, Terms(shadow_h=1.0, by_rule=True))
    assert list(desk.due()) == []
    row = asyncio.run(desk.promote("pump-2", 1, "ana", "a new impeller"))
    assert row["in_force"]["why"] == (
        "a new impeller (against the rule: What it was trained for: trained because of drift, "
        "demanded: what could be a fault a person decides)"
    )


def test_one_that_is_late_on_probation_is_returned_by_the_clock(
    shadowed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadowed.order(order("promote", 1))
    monkeypatch.setattr(Stopwatch, "costs", lambda _: Costs(5000.0, 100.0))
    (body,) = desk_of(shadowed, Terms()).due()
    assert body["action"] == "return"
    shadowed.order(replace(order("", 0), body=body))
    (state,) = shadowed.assets
    assert state.models.tenure.version == 0
    assert state.models.blocked[1].startswith("latency")


def test_orders_that_fit_nothing_say_so(shadowed: Pipeline) -> None:
    desk = desk_of(shadowed, Terms())
    told = ("ana", "because")
    for call, words in (
        (desk.promote("pump-2", 3, *told), "model 3 is not tried, 1 is"),
        (desk.take_back(PUMP, None, *told), "no model before what the gateway learnt by itself"),
        (desk.take_back(PUMP, 4, *told), "model 4 is not in force"),
    ):
        with pytest.raises(Rejected, match=words):
            asyncio.run(call)
    with pytest.raises(KeyError):
        asyncio.run(desk.discard("pump-9", None, *told))
    asyncio.run(desk.discard("pump-2", 1, *told))
    with pytest.raises(Rejected, match="no model is tried"):
        asyncio.run(desk.discard("pump-2", 1, *told))


def incident(onset: int, ended: int | None, label: Label | None) -> Alarm:
    """Give an alarm of the pump from second to second."""
    said = None if label is None else Feedback(label, "", "kim", 0)
    return Alarm(
        id=1, asset=PUMP, priority=3, state=AlarmState.NORMAL, beneath=AlarmState.NORMAL,
        onset=onset * SECOND, raised=onset * SECOND, changed=0, occurrences=1,
        reason=Reason(6.0, 3.0, ()), ended=None if ended is None else ended * SECOND,
        feedback=said,
    )  # fmt: skip


FAULTS = "Faults that people confirmed and it saw"


@pytest.mark.parametrize(
    ("raised", "fault", "met"),
    [
        ((), None, True),
        ((), (3000, 3600, None), True),
        ((), (3000, 3600, Label.FALSE), True),
        ((), (3000, 3600, Label.EXPECTED), True),
        ((), (3000, 3600, Label.REAL), False),
        ((), (3000, None, Label.REAL), False),
        ((3050,), (3000, 3600, Label.REAL), True),
        ((2960,), (3000, 3600, Label.REAL), True),
        ((3700,), (3000, 3600, Label.REAL), False),
        ((), (-900, -600, Label.REAL), True),
    ],
)
def test_no_rule_promotes_what_was_deaf_to_a_fault_that_people_confirmed(
    shadowed: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    raised: tuple[int, ...],
    fault: Any,
    met: bool,
) -> None:
    (state,) = shadowed.assets
    assert state.models.beside is not None
    cleared = tuple(
        Transition((at + 20) * SECOND, at * SECOND, AlarmAction.CLEAR, Reason(0.3, 1.0, ()))
        for at in raised
    )
    alarms = said(2 * HOUR, 0.3, raised=raised)
    beside = replace(alarms, transitions=(*alarms.transitions, *cleared))
    figures = taken(said(2 * HOUR, 0.3, raised=raised), beside)
    state.models.beside.figures = Figures.restore(figures.state())
    monkeypatch.setattr(Stopwatch, "costs", lambda _: FAST)
    book, incidents = shadowed.book, [] if fault is None else [incident(*fault)]
    terms, shelf = Terms(shadow_h=1.0, by_rule=True, budget=400.0), cast("Any", None)
    monkeypatch.setattr(book, "open", lambda _: None)
    desk = ModelDesk(
        shadowed.assets, terms, shelf, book.open, Ordered(shadowed), incidents=lambda: incidents
    )
    assert bool(list(desk.due())) is met
    tried = desk.row(state)["tried"]
    assert tried is not None
    (clause,) = [one for one in tried["clauses"] if one["name"] == FAULTS]
    assert clause["met"] is met


def test_the_page_tells_what_is_in_force_tried_blocked_and_changed(shadowed: Pipeline) -> None:
    shelf: Any = type("Shelf", (), {"trusts": True})()
    desk = ModelDesk(shadowed.assets, Terms(), shelf, shadowed.book.open, Ordered(shadowed))
    (row,) = desk.rows()["assets"]
    assert row["in_force"]["version"] == 0
    assert row["tried"] is not None
    assert (row["tried"]["role"], row["tried"]["model"]["version"]) == ("shadow", 1)
    assert len(row["tried"]["clauses"]) == 11
    assert [change["action"] for change in row["history"]] == ["shadow"]
    assert [moved["mode"] for moved in row["drift"]] == [""]
