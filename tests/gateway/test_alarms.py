"""One incident an asset at a time, in the states of ISA-18.2."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.watch import Transition
from gateway.alarms import KEPT, AlarmBook, alarm_body, alarm_from
from gateway.config.plan import AlarmPlan
from plant.alarms import Alarm, AlarmAction, AlarmState, Feedback, Hold, HoldKind, Label
from plant.errors import Rejected
from plant.reasons import Contribution, Reason, Trend

REASON = Reason(
    9.0, 3.0, (Contribution("a/p/vibration", 0.7, 7.0, 2.3, 1.9, 2.7, "mm/s", 40, Trend.RISING),)
)
DAY = 24 * 3600 * 10**9
RAISE, CLEAR, ACK = AlarmAction.RAISE, AlarmAction.CLEAR, AlarmAction.ACKNOWLEDGE


def move(action: AlarmAction, at: int = 50) -> Transition:
    return Transition(at=at, onset=40, action=action, reason=REASON)


def test_a_fault_that_comes_and_goes_is_one_alarm_until_somebody_looked() -> None:
    book = AlarmBook()
    for action in (RAISE, CLEAR, RAISE, CLEAR, RAISE):
        book.apply("a/p", move(action))
    (alarm,) = book.alarms()
    assert (alarm.state, alarm.occurrences) == (AlarmState.UNACKNOWLEDGED, 3)


def gone(book: AlarmBook) -> None:
    book.apply("a/p", move(CLEAR, 60))


def through_a_quiet_mode(book: AlarmBook) -> None:
    book.suppress("a/p", 60, quiet=True)


def on_the_shelf(book: AlarmBook) -> None:
    shelf = {"since": 60, "until": 90, "actor": "kim", "note": ""}
    book.hold(Hold(asset="a/p", kind=HoldKind.SHELVED, **shelf))


def seen(book: AlarmBook) -> None:
    book.acknowledge(1, 60, "kim", "")


def worse(book: AlarmBook) -> None:
    book.suppress("a/p", 60, quiet=True)
    grown = replace(REASON, score=40.0)
    book.apply("a/p", replace(move(AlarmAction.WORSEN, 70), reason=grown))


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [(gone, 5), (through_a_quiet_mode, 5), (on_the_shelf, 100), (seen, 5), (worse, 100)],
)
def test_what_waits_for_somebody_is_asked_for_again_only_when_it_is_more_urgent(
    meanwhile: Callable[[AlarmBook], None], told: int
) -> None:
    book = AlarmBook()
    book.advance(5)
    book.apply("a/p", move(RAISE))
    meanwhile(book)
    book.advance(100)
    book.apply("a/p", move(RAISE, 90))
    book.suppress("a/p", 95, quiet=False)
    (alarm,) = book.alarms()
    assert alarm.stands
    assert alarm.annunciated == told


def test_acknowledged_and_back_to_normal_is_closed_and_the_next_is_new() -> None:
    book = AlarmBook()
    book.apply("a/p", move(RAISE))
    acked = book.acknowledge(1, 60, "kim", "greased")
    assert (acked.state, acked.actor, acked.note) == (AlarmState.ACKNOWLEDGED, "kim", "greased")
    book.apply("a/p", move(CLEAR, 70))
    assert book.open("a/p") is None
    again = book.apply("a/p", move(RAISE, 80))
    assert again is not None
    assert again.id == 2


MANY = 1000.0
"""A budget that is never spent."""


def returned(severity: float, plan: AlarmPlan, before: float = 1.3) -> Alarm:
    """Acknowledge one of a severity, and see it come back."""
    book = AlarmBook(plan, {"a/p": ("a/p/vibration",)})
    mild = replace(REASON, score=3.0 * before)
    book.apply("a/p", replace(move(RAISE), reason=mild))
    book.acknowledge(1, 60, "kim", "looked at it")
    book.apply("a/p", replace(move(CLEAR, 70), reason=mild))
    again = replace(move(RAISE, DAY), onset=DAY, reason=replace(REASON, score=3.0 * severity))
    alarm = book.apply("a/p", again)
    assert alarm is not None
    return alarm


@pytest.mark.parametrize(("before", "now", "needed"), [(1.3, 1.9, "1.93"), (2.5, 3.6, "3.69")])
def test_what_was_acknowledged_and_is_no_worse_is_not_asked_for_again(
    before: float, now: float, needed: str
) -> None:
    alarm = returned(now, AlarmPlan(budget=MANY), before)
    assert alarm.state is AlarmState.HELD_BACK
    assert alarm.held == f"like #1, acknowledged by kim: told from {needed} limits on"


@pytest.mark.parametrize(
    ("before", "severity", "plan"),
    [
        (1.3, 1.96, AlarmPlan(budget=MANY)),
        (3.5, 4.0, AlarmPlan(budget=MANY)),
        (1.3, 1.4, AlarmPlan(budget=MANY, same_h=23.0)),
        (1.3, 1.4, AlarmPlan(priorities={"a/p": 1})),
    ],
    ids=["worse", "urgent", "later", "never advice"],
)
def test_all_else_is(before: float, severity: float, plan: AlarmPlan) -> None:
    alarm = returned(severity, plan, before)
    assert (alarm.state, alarm.held) == (AlarmState.UNACKNOWLEDGED, "")


def other(severity: float, at: int) -> Transition:
    """Raise what looks like nothing that came before."""
    part = replace(REASON.contributions[0], signal="a/p/flow")
    reason = Reason(3.0 * severity, 3.0, (part,))
    return Transition(at=at, onset=at, action=RAISE, reason=reason)


def spent(plan: AlarmPlan | None = None) -> AlarmBook:
    """Ask for one alarm at 50 ns, which is the budget of a week."""
    book = AlarmBook(plan, {"a/p": ("a/p/vibration", "a/p/flow")})
    book.apply("a/p", move(RAISE))
    book.acknowledge(1, 60, "kim", "")
    book.apply("a/p", move(CLEAR, 70))
    return book


def test_advice_over_the_budget_of_the_week_is_held_back_and_says_until_when() -> None:
    book = spent()
    alarm = book.apply("a/p", other(1.2, DAY))
    assert alarm is not None
    assert alarm.state is AlarmState.HELD_BACK
    assert alarm.held == (
        "over its budget of 1 a week: told from 1.42 limits on, or if it still stands in 2.9 days"
    )
    assert book.observe("a/p", DAY + round(2.8 * DAY)) is not None  # it is stale, and still quiet
    assert book.get(2).state is AlarmState.HELD_BACK
    told = book.observe("a/p", DAY + round(2.9 * DAY))
    assert told is not None
    assert told.state is AlarmState.UNACKNOWLEDGED


def grown(book: AlarmBook) -> Alarm | None:
    book.apply("a/p", other(1.2, DAY))
    return book.apply("a/p", replace(other(1.5, DAY + 1), action=AlarmAction.WORSEN))


def real(book: AlarmBook) -> Alarm | None:
    book.label(1, Feedback(Label.REAL, "", "kim", 80))
    return book.apply("a/p", other(1.2, DAY))


def worked_on(book: AlarmBook) -> Alarm | None:
    book.hold(Hold(asset="a/p", kind=HoldKind.SUPPRESSED, since=80, until=90, actor="kim", note=""))
    book.release("a/p", HoldKind.SUPPRESSED, 90)
    return book.apply("a/p", other(1.2, DAY))


def a_week_later(book: AlarmBook) -> Alarm | None:
    return book.apply("a/p", other(1.01, 50 + 7 * DAY))


def severe(book: AlarmBook) -> Alarm | None:
    return book.apply("a/p", other(1.9, 80))


@pytest.mark.parametrize("how", [grown, real, worked_on, a_week_later, severe])
def test_it_is_told_when_it_grows_and_when_the_budget_is_there(
    how: Callable[[AlarmBook], Alarm | None],
) -> None:
    alarm = how(spent())
    assert alarm is not None
    assert alarm.state is AlarmState.UNACKNOWLEDGED


def test_a_machine_of_its_own_priority_has_no_budget() -> None:
    alarm = spent(AlarmPlan(priorities={"a/p": 3})).apply("a/p", other(1.01, DAY))
    assert alarm is not None
    assert alarm.state is AlarmState.UNACKNOWLEDGED


def test_what_the_budget_still_allows_survives_a_restart_and_the_loss_of_what_led_to_it() -> None:
    signals = {"a/p": ("a/p/vibration", "a/p/flow")}
    before = spent()
    again, recalled = AlarmBook(None, signals), AlarmBook(None, signals)
    again.restore(before.state())
    recalled.recall(before.alarms())
    for book in (before, again, recalled):
        alarm = book.apply("a/p", other(1.2, DAY))
        assert alarm is not None
        assert alarm.state is AlarmState.HELD_BACK


def test_after_work_on_the_machine_it_is_news() -> None:
    book = AlarmBook(None, {"a/p": ("a/p/vibration",)})
    book.apply("a/p", move(RAISE))
    book.acknowledge(1, 60, "kim", "")
    book.apply("a/p", move(CLEAR, 70))
    book.hold(Hold(asset="a/p", kind=HoldKind.SUPPRESSED, since=80, until=90, actor="kim", note=""))
    book.release("a/p", HoldKind.SUPPRESSED, 90)
    mild = replace(REASON, score=3.9)
    alarm = book.apply("a/p", replace(move(RAISE, DAY), onset=DAY, reason=mild))
    assert alarm is not None
    assert alarm.state is AlarmState.UNACKNOWLEDGED


def test_acknowledging_twice_is_told() -> None:
    book = AlarmBook()
    book.apply("a/p", move(RAISE))
    book.acknowledge(1, 60, "kim", "seen")
    with pytest.raises(Rejected, match="already acknowledged, by kim"):
        book.acknowledge(1, 61, "ana", "seen too")


def test_an_unknown_alarm_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        AlarmBook().acknowledge(4, 60, "kim", "")


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_grown_fault_is_told_anew_and_keeps_its_state(acknowledged: bool) -> None:
    book = AlarmBook()
    raised = book.apply("a/p", move(RAISE))
    before = [book.acknowledge(1, 60, "kim", "seen")] if acknowledged else [raised]
    grown = replace(move(AlarmAction.WORSEN, 90), reason=replace(REASON, score=11.0))
    after = book.apply("a/p", grown)
    assert after == replace(before[0], reason=grown.reason, peak=11 / 3)


def test_a_fault_that_became_more_urgent_than_what_was_acknowledged_alarms_again() -> None:
    book = AlarmBook()
    book.apply("a/p", move(RAISE))
    acked = book.acknowledge(1, 60, "kim", "seen")
    grown = replace(move(AlarmAction.WORSEN, 90), reason=replace(REASON, score=90.0))
    after = book.apply("a/p", grown)
    assert after is not None
    assert (acked.priority, after.priority) == (3, 1)
    assert (after.id, after.state) == (1, AlarmState.UNACKNOWLEDGED)


def test_alarms_are_taken_over_as_they_were_told() -> None:
    told, fold = AlarmBook(), AlarmBook()
    for asset in ("a/p", "a/q", "a/r"):
        told.apply(asset, move(RAISE))
    told.acknowledge(1, 60, "kim", "seen")
    told.apply("a/r", move(CLEAR, 70))
    fold.apply("a/p", move(RAISE))
    gone = fold.recall(told.alarms())
    assert [(one.id, one.asset, one.state) for one in gone] == [(2, "a/q", AlarmState.RETURNED)]
    assert fold.get(1) == told.get(1), "the fold sees its fault as well"
    assert fold.get(3) == told.get(3)
    again = fold.apply("a/s", move(RAISE, 90))
    assert again is not None
    assert again.id == 4, "a number is used once"


def test_clearing_what_never_was_changes_nothing() -> None:
    book = AlarmBook()
    assert book.apply("a/p", move(CLEAR)) is None
    assert book.alarms() == []


def test_closed_alarms_do_not_grow_without_bound() -> None:
    book = AlarmBook()
    for number in range(1, KEPT + 20):
        book.apply("a/p", move(RAISE, number * DAY))
        book.acknowledge(number, 60, "kim", "seen")
        book.apply("a/p", move(CLEAR, number * DAY + 1))
    assert len(book.alarms()) == KEPT


def test_plain_data_gives_the_alarm_back() -> None:
    alarm = AlarmBook().apply("a/p", move(RAISE))
    assert alarm is not None
    assert alarm_from(json.loads(json.dumps(alarm_body(alarm)))) == alarm


@given(st.lists(st.tuples(st.sampled_from(["a/p", "a/q"]), st.sampled_from([RAISE, CLEAR]))))
def test_at_most_one_alarm_of_an_asset_is_open_and_a_restart_changes_nothing(
    moves: list[tuple[str, AlarmAction]],
) -> None:
    book, restarted = AlarmBook(), AlarmBook()
    for at, (asset, action) in enumerate(moves):
        book.apply(asset, move(action, at))
        fresh = AlarmBook()
        fresh.restore(restarted.state())
        fresh.apply(asset, move(action, at))
        restarted = fresh
    assert restarted.alarms() == book.alarms()
    opened = [alarm.asset for alarm in book.alarms() if alarm.state is not AlarmState.NORMAL]
    assert len(opened) == len(set(opened))
