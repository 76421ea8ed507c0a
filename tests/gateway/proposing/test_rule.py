"""A rule: once an alarm, again and again, and back when it is over."""

from dataclasses import replace

import pytest

from gateway.proposing.contract import Outcome, Standing
from gateway.proposing.requests import flaw_of
from gateway.proposing.rule import AGAIN_S, Rule
from plant.quality import Status
from plant.setpoints import Code, State
from tests.gateway.proposing.scenes import (
    ALARM,
    LINE,
    LOAD,
    RUN,
    SETPOINT,
    SPEED,
    VIB,
    alarmed,
    asked,
    look,
    on_condition,
    rule,
)

HELD, ADVISED = Outcome(State.HELD), Outcome(State.ADVISED)
DENIED = Outcome(State.REJECTED, str(Code.DENIED))
TOO_SOON = Outcome(State.REJECTED, str(Code.TOO_SOON))
STEP = Outcome(State.REJECTED, str(Code.STEP))
EXPIRED = Outcome(State.EXPIRED)


def test_speed_less_five_per_cent_while_the_alarm_stands() -> None:
    made = rule()

    (request,) = asked(made, look(0.0), alarmed(1.0), alarmed(2.0))

    assert (request.tag, request.value, request.unit) == (SPEED, 47.5, "1/min")
    assert request.reason == ("alarm 7 P2 of conveyor stands by vibration: speed 50 → 47.5 1/min")
    assert [basis.tag for basis in request.based_on] == [VIB, SPEED]
    assert request.model == "bearing"
    assert len(request.version) == 8


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ({"change_percent": None, "change": -2.5}, 47.5),
        ({"change_percent": None, "value": 46.0}, 46.0),
        ({"change_percent": -3.33}, 48.35),
        ({"change_percent": 4.0}, 52.0),
    ],
)
def test_what_it_asks_for_is_what_the_device_can_count(
    said: dict[str, float | None], value: float
) -> None:
    assert [one.value for one in asked(rule(**said), alarmed())] == [value]


OTHERS = {
    "less urgent": replace(ALARM, priority=3),
    "another machine": replace(ALARM, asset="n/l/press"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_alarm_is_none_of_its_business(other: str) -> None:
    made = rule()

    assert asked(made, look(0.0, OTHERS[other])) == []
    assert made.why == "no such alarm of conveyor stands"


def test_it_can_wait_for_a_culprit() -> None:
    made = rule(culprit=LOAD)

    assert asked(made, look(0.0, replace(ALARM, culprits=(VIB,)))) == []
    (request,) = asked(made, alarmed(1.0))
    assert [basis.tag for basis in request.based_on] == [LOAD, SPEED]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"vibration": 4.9}, "vibration 4.9, not > 5"),
        ({"running": 0.0}, "running 0, not == 1"),
        ({}, ""),
    ],
)
def test_a_condition_says_what_it_lacks(values: dict[str, float], why: str) -> None:
    made = on_condition()
    made.propose(look(**values))

    assert made.why == why


def test_of_two_ways_one_is_enough_and_only_that_is_what_it_rests_on() -> None:
    made = on_condition(f"{VIB} > 9 or {RUN} == 1 and {LOAD} < 70")

    (request,) = asked(made, look(spoilt={VIB: int(Status.BAD)}))

    assert [basis.tag for basis in request.based_on] == [RUN, LOAD, SPEED]


def test_what_nobody_can_see_neither_applies_nor_is_over() -> None:
    made = on_condition(f"{VIB} > 5", back=True)
    asked(made, look())
    made.heard(HELD)

    assert asked(made, look(100.0, spoilt={VIB: int(Status.BAD)}, speed=48.0)) == []
    assert made.why == f"{VIB} has bad quality"
    assert [one.value for one in asked(made, look(200.0, vibration=3.0, speed=48.0))] == [50.0]


def test_it_has_to_apply_for_a_while() -> None:
    made = on_condition(for_s=10.0)

    flickers = [look(5.0 * n, vibration=5.5 - n % 2) for n in range(10)]
    assert asked(made, *flickers) == []
    assert asked(made, *(look(100.0 + n) for n in range(10))) == []
    assert len(asked(made, look(110.0))) == 1


@pytest.mark.parametrize("outcome", [HELD, ADVISED, DENIED, STEP, Outcome(State.UNKNOWN)])
def test_once_an_alarm_is_once(outcome: Outcome) -> None:
    made = rule()
    asked(made, alarmed())
    made.heard(outcome)

    assert asked(made, *(alarmed(AGAIN_S * n) for n in range(1, 100))) == []
    assert made.why.startswith("has asked: alarm 7")
    assert len(asked(made, look(9000.0, replace(ALARM, id=8)))) == 1


@pytest.mark.parametrize("outcome", [TOO_SOON, EXPIRED, Outcome(State.REJECTED, "unreachable")])
def test_what_may_pass_is_asked_again_after_a_while(outcome: Outcome) -> None:
    made = rule()
    asked(made, alarmed())
    made.heard(outcome)

    assert asked(made, alarmed(AGAIN_S - 1)) == []
    assert made.why.startswith("asks again in 1 s")
    (again,) = asked(made, alarmed(AGAIN_S))
    assert again.value == 47.5


def test_again_and_again_goes_from_where_it_is_until_somebody_says_no() -> None:
    made = rule(repeat_s=120.0)
    values = [one.value for one in asked(made, alarmed())]
    made.heard(HELD)
    values += [one.value for one in asked(made, alarmed(119.0, speed=47.5))]
    values += [one.value for one in asked(made, alarmed(120.0, speed=47.5))]
    made.heard(DENIED)

    assert values == [47.5, 45.1]
    assert asked(made, alarmed(500.0, speed=47.5)) == []


def test_back_when_it_has_gone() -> None:
    made = rule(back=True)
    asked(made, alarmed())
    made.heard(HELD)

    (back,) = asked(made, alarmed(60.0, speed=47.5), look(61.0, speed=47.5))
    made.heard(HELD)

    assert (back.value, back.reason) == (
        50.0, "no such alarm of conveyor stands: speed 47.5 → 50 1/min, as it was before",
    )  # fmt: skip
    assert asked(made, look(62.0), look(500.0)) == []
    assert [one.value for one in asked(made, alarmed(600.0))] == [47.5]


def test_a_way_back_that_may_pass_later_is_asked_for_again() -> None:
    made = rule(back=True)
    asked(made, alarmed())
    made.heard(HELD)
    asked(made, look(61.0, speed=47.5))
    made.heard(TOO_SOON)

    assert asked(made, look(62.0, speed=47.5)) == []
    assert [one.value for one in asked(made, look(61.0 + AGAIN_S, speed=47.5))] == [50.0]
    made.heard(DENIED)
    assert asked(made, look(900.0, speed=47.5)) == []


@pytest.mark.parametrize("speed", [50.0, 46.0])
def test_there_is_no_way_back_from_what_is_not_in_force(speed: float) -> None:
    made = rule(back=True)
    asked(made, alarmed())
    made.heard(EXPIRED)

    assert asked(made, look(61.0, speed=speed), look(500.0, speed=speed)) == []


def test_over_two_alarms_in_a_row_it_goes_back_to_before_the_first() -> None:
    made = rule(back=True)
    asked(made, alarmed())
    made.heard(HELD)
    second = Standing(8, LINE, 1, (VIB,), 0)
    asked(made, look(60.0, second, speed=47.5))
    made.heard(HELD)

    assert [one.value for one in asked(made, look(200.0, speed=45.1))] == [50.0]


@pytest.mark.parametrize("outcome", [EXPIRED, Outcome(State.REJECTED, str(Code.UNREACHABLE))])
def test_what_was_written_though_nobody_heard_of_it_is_not_asked_for_twice(
    outcome: Outcome,
) -> None:
    made = rule(back=True)
    asked(made, alarmed())
    # The guard has written it and ended before it could say so.
    made.heard(outcome)

    assert asked(made, *(alarmed(t, speed=47.5) for t in (1.0, AGAIN_S + 2, 1000.0))) == []
    assert made.why.startswith("has asked")
    assert [one.value for one in asked(made, look(1001.0, speed=47.5))] == [50.0]


def test_what_was_written_while_the_gateway_was_away_is_not_asked_for_twice() -> None:
    made = rule()
    asked(made, alarmed())
    again = rule()
    again.recall(made.memory())

    assert asked(again, *(alarmed(t, speed=47.5) for t in (10.0, AGAIN_S + 20, 1000.0))) == []


def test_the_value_it_wants_already_is_not_asked_for() -> None:
    made = on_condition()

    assert asked(made, look(speed=48.0)) == []
    assert made.why.startswith("speed is 48 already")


def test_the_way_back_is_known_after_a_restart() -> None:
    first, second = rule(back=True), rule(back=True)
    asked(first, alarmed())
    second.recall(first.memory())

    assert asked(second, look(1.0, speed=47.5)) == []
    assert [one.value for one in asked(second, look(1.0 + AGAIN_S, speed=47.5))] == [50.0]


@pytest.mark.parametrize("nanoseconds", range(40))
def test_a_request_of_thirty_seconds_is_one_at_any_moment(nanoseconds: int) -> None:
    made, seen = rule(), alarmed(nanoseconds * 7e-9)

    (request,) = asked(made, seen)

    assert flaw_of(request, made, "1/min", seen) == ""


def test_another_rule_is_another_version() -> None:
    versions = {
        one.version
        for one in (rule(), rule(change_percent=-4.0), rule(priority=1), on_condition(),
                    on_condition(f"{VIB} > 6"), rule(back=True))
    }  # fmt: skip

    assert len(versions) == 6
    assert Rule(replace(rule().plan, name="b"), SETPOINT).version == rule().version
