"""Each check just inside, just outside, and with every way in which a reading can be no good."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.guard.checks import (
    CHECKS,
    NS,
    Moment,
    Past,
    Situation,
    Write,
    decide,
    flaw,
)
from plant.setpoints import Basis, Code, Mode, Reading, Request
from tests.gateway.guard.rig import (
    ALARM,
    LIMITS,
    LOOP,
    NAN,
    RECIPE,
    RUN,
    SPEED,
    SWITCH,
    TEMP,
    WALL,
    policy_of,
)

NOW = Moment(WALL, 5000.0, "boot")
FRESH = {SPEED: 50.0, RUN: 1.0, TEMP: 60.0, ALARM: 0.0, LOOP: 1.0, SWITCH: 1.0, RECIPE: 50.0}
BLOCK = LIMITS.replace('mode = "approve"', 'mode = "auto"\nblock = "unit 1, holding 100"')
WITH_RECIPE = LIMITS.replace("band = 6", f'band = 6\nrecipe = "{RECIPE}"')
WITHOUT_SWITCH = LIMITS.replace(f'key_switch = "{SWITCH}"', "")


def reading(tag: str, value: float, **said: Any) -> Reading:
    made = Reading(tag, value, 0, WALL, NOW.mono)
    return replace(made, **said)


def request(**said: Any) -> Request:
    made = Request(
        id="r", tag=SPEED, value=51.0, unit="1/min", proposer="speeds", reason="why",
        not_after=WALL + 20 * NS, key="k", model="speeds", version="1",
        based_on=(Basis(TEMP, WALL, 0),),
    )  # fmt: skip
    return replace(made, **said)


def situation(text: str = LIMITS, **said: Any) -> Situation:
    made = Situation(
        request=request(), policy=policy_of(text), mode=Mode.AUTO, stopped=False, known=True,
        person=False, flooding=False, models=("speeds@1",), tags=(SPEED,), per_hour=10, tokens=0,
        readings={tag: reading(tag, value) for tag, value in FRESH.items()},
        past=Past(known=50.0, baseline=50.0), received=NOW, now=NOW, anchor=NOW,
    )  # fmt: skip
    return replace(made, **said)


def with_readings(*changed: Reading, without: str = "", **said: Any) -> Situation:
    made = situation(**said)
    kept = {tag: one for tag, one in made.readings.items() if tag != without}
    return replace(made, readings=kept | {one.tag: one for one in changed})


def ago(seconds: float) -> Moment:
    return Moment(NOW.wall - int(seconds * NS), NOW.mono - seconds, "boot")


def written(seconds: float, before: float, value: float) -> Write:
    return Write(ago(seconds), before, value, "speeds@1")


def past(*writes: Write, **said: Any) -> Past:
    return replace(Past(known=50.0, baseline=50.0, writes=writes), **said)


PASSES = {
    "as it should be": situation(),
    "advice is a mode too": situation(mode=Mode.ADVISORY),
    "no key switch": with_readings(text=WITHOUT_SWITCH, without=SWITCH),
    "at the low limit": with_readings(
        reading(SPEED, 41.0), request=request(value=40.0), past=past(known=41.0, baseline=41.0)
    ),
    "at the high limit": with_readings(
        reading(SPEED, 59.0), request=request(value=60.0), past=past(known=59.0, baseline=59.0)
    ),
    "at the end of the band": with_readings(
        reading(SPEED, 55.0), request=request(value=56.0), past=past(known=55.0)
    ),
    "no baseline yet": situation(past=Past()),
    "a recipe in the middle": with_readings(
        reading(RECIPE, 57.0), text=WITH_RECIPE, request=request(value=51.0)
    ),
    "a whole step": situation(request=request(value=52.0)),
    "a whole step down": situation(request=request(value=48.0)),
    "the whole slope": situation(
        request=request(value=51.0), past=past(written(59.9, 48.0, 50.0)), back=True
    ),
    "beyond the minute the slope is free": situation(
        request=request(value=52.0), past=past(written(60.0, 48.0, 50.0))
    ),
    "the whole drift of an hour": situation(
        request=request(value=52.0), past=past(written(3599.0, 48.0, 50.0))
    ),
    "an hour ago does not count": situation(
        request=request(value=51.0), past=past(written(3600.0, 46.0, 50.0))
    ),
    "the whole drift of a day": with_readings(
        reading(SPEED, 53.0),
        request=request(value=54.0),
        past=past(written(86_399.0, 46.0, 53.0), known=53.0),
    ),
    "a day ago does not count": situation(
        request=request(value=51.0), past=past(written(86_400.0, 40.0, 50.0))
    ),
    "the interval is over": situation(past=past(written(60.0, 49.0, 50.0))),
    "one token left": situation(tokens=9),
    "just beyond the deadband": situation(request=request(value=50.5)),
    "a basis just fresh": situation(request=request(based_on=(Basis(TEMP, WALL - 2 * NS, 0),))),
    "a basis that waited with its request": situation(
        received=ago(10), request=request(based_on=(Basis(TEMP, WALL - 12 * NS, 0),))
    ),
    "a person rests on nothing": situation(request=request(based_on=()), person=True),
    "a clock just believed": situation(anchor=Moment(WALL - 2 * NS, NOW.mono, "boot")),
    "a clock at what is past for certain": situation(earliest=WALL),
    "a source's clock just believed": with_readings(
        reading(TEMP, 60.0, at=WALL - 4 * NS),
        request=request(based_on=(Basis(TEMP, WALL - 4 * NS, 0),)),
    ),
    "a basis just newer than what is read": situation(
        request=request(based_on=(Basis(TEMP, WALL + 2 * NS, 0),))
    ),
    "a reading just fresh": with_readings(reading(RUN, 1.0, age_basis=NOW.mono - 2.0)),
    "good with a sub-code": with_readings(reading(RUN, 1.0, status=0x00960000)),
    "the other interlock": with_readings(reading(RUN, 2.0), reading(TEMP, 90.0)),
    "just below the interlock": with_readings(reading(TEMP, 79.999)),
    "the operator's peace is over": situation(past=past(operator=ago(600))),
    "known at the end of the tolerance": with_readings(
        reading(SPEED, 50.25), text=LIMITS.replace("tolerance = 0.05", "tolerance = 0.25")
    ),
    "known within the tolerance": with_readings(reading(SPEED, 50.0499)),
    "a person's own model": situation(person=True, models=(), request=request(healthy=False)),
    "at the last moment": situation(request=request(not_after=WALL)),
    "the way back is not bound by the band": with_readings(
        reading(SPEED, 58.0), request=request(value=57.0), back=True,
        past=past(known=58.0, baseline=50.0),
    ),
    "the way back is not bound by interval, tokens, deadband, basis, operator, model": situation(
        request=request(value=50.2, based_on=(), model=""), back=True, tokens=10,
        past=past(written(1.0, 49.5, 50.0), operator=ago(1)),
    ),
    "the way back is not bound by the drift": situation(
        request=request(value=51.0), back=True, past=past(written(100.0, 44.0, 50.0))
    ),
}  # fmt: skip

BAD = {
    "missing": None,
    "bad quality": {"status": 0x80000000},
    "uncertain": {"status": 0x40000000},
    "stale": {"age_basis": NOW.mono - 2.001},
    "read in the future": {"age_basis": NOW.mono + 0.001},
    "no number": {"value": NAN},
    "infinite": {"value": float("inf")},
}
"""Ways in which a reading is no good."""
NEEDS = {
    SWITCH: (1, Code.LOCAL), RECIPE: (4, Code.STALE), SPEED: (5, Code.STALE),
    TEMP: (8, Code.STALE), RUN: (9, Code.INTERLOCK), ALARM: (10, Code.ALARM),
    LOOP: (10, Code.WRONG_MODE),
}  # fmt: skip


def without(tag: str, how: str) -> Situation:
    said = BAD[how]
    value = FRESH[tag]
    changed = [] if said is None else [replace(reading(tag, value), **said)]
    return with_readings(*changed, without=tag, text=WITH_RECIPE)


FAILS: dict[str, tuple[Situation, int, Code]] = {
    "off here": (situation(mode=Mode.OFF), 1, Code.OFF),
    "off in the limits": (
        situation(LIMITS.replace('mode = "auto"', 'mode = "off"')), 1, Code.OFF,
    ),
    "off for the tag": (situation(LIMITS.replace('"approve"', '"off"')), 1, Code.OFF),
    "expired limits": (
        situation(now=Moment(situation().policy.expires, NOW.mono, "boot")), 1, Code.OFF,
    ),
    "key switch at local": (with_readings(reading(SWITCH, 0.0)), 1, Code.LOCAL),
    "key switch at neither": (with_readings(reading(SWITCH, 2.0)), 1, Code.LOCAL),
    "a stranger": (situation(known=False), 2, Code.STRANGER),
    "a flood": (situation(flooding=True), 2, Code.FLOODING),
    "a tag of no list": (situation(request=request(tag=TEMP)), 3, Code.NOT_ALLOWED),
    "a tag that is not his": (situation(tags=()), 3, Code.NOT_ALLOWED),
    "a lie about the unit": (situation(request=request(unit="Hz")), 3, Code.WRONG_UNIT),
    "no number": (situation(request=request(value=NAN)), 4, Code.NO_NUMBER),
    "infinite": (situation(request=request(value=float("-inf"))), 4, Code.NO_NUMBER),
    "below": (situation(request=request(value=39.999)), 4, Code.OUTSIDE_LIMITS),
    "above": (situation(request=request(value=60.001)), 4, Code.OUTSIDE_LIMITS),
    "beyond the band": (
        with_readings(
            reading(SPEED, 55.0), request=request(value=56.001), past=past(known=55.0)
        ), 4, Code.OUTSIDE_BAND,
    ),
    "below the band": (
        with_readings(
            reading(SPEED, 45.0), request=request(value=43.999), past=past(known=45.0)
        ), 4, Code.OUTSIDE_BAND,
    ),
    "beyond the recipe's band": (
        with_readings(reading(RECIPE, 57.001), text=WITH_RECIPE, request=request(value=51.0)),
        4, Code.OUTSIDE_BAND,
    ),
    "a step too far": (situation(request=request(value=52.001)), 5, Code.STEP),
    "a step too far down": (situation(request=request(value=47.999)), 5, Code.STEP),
    "the way back too": (situation(request=request(value=52.001), back=True), 5, Code.STEP),
    "too steep": (
        situation(request=request(value=51.001), past=past(written(59.9, 48.0, 50.0))),
        5, Code.SLOPE,
    ),
    "too steep there and back": (
        situation(request=request(value=48.5), past=past(written(59.9, 48.0, 50.0)), back=True),
        5, Code.SLOPE,
    ),
    "too far in an hour": (
        situation(request=request(value=52.0), past=past(written(3599.0, 47.999, 50.0))),
        5, Code.DRIFT,
    ),
    "too far in a day": (
        with_readings(
            reading(SPEED, 53.0), request=request(value=54.0),
            past=past(written(86_399.0, 45.999, 53.0), known=53.0),
        ), 5, Code.DRIFT,
    ),
    "too far from the operator's value": (
        with_readings(
            reading(SPEED, 55.0), reading(RECIPE, 55.0), text=WITH_RECIPE,
            request=request(value=56.001), past=past(known=55.0, baseline=48.0),
        ), 5, Code.DRIFT,
    ),
    "too soon": (situation(past=past(written(59.999, 49.0, 50.0))), 6, Code.TOO_SOON),
    "too soon by a clock that went back": (
        situation(past=past(Write(Moment(WALL + NS, 1.0, "another"), 49.0, 50.0, "m"))),
        6, Code.TOO_SOON,
    ),
    "no tokens": (situation(tokens=10), 6, Code.NO_TOKENS),
    "within the deadband": (situation(request=request(value=50.499)), 7, Code.DEADBAND),
    "the clock stepped": (
        situation(anchor=Moment(WALL - int(2.001 * NS), NOW.mono, "boot")), 8, Code.CLOCK,
    ),
    "the clock stepped back": (
        situation(anchor=Moment(WALL + int(2.001 * NS), NOW.mono, "boot")), 8, Code.CLOCK,
    ),
    "another start of the machine": (
        situation(anchor=Moment(WALL, NOW.mono, "another")), 8, Code.CLOCK,
    ),
    "a clock behind what is past for certain": (situation(earliest=WALL + 1), 8, Code.CLOCK),
    "rests on nothing": (situation(request=request(based_on=())), 8, Code.STALE),
    "rests on what is not read": (
        situation(request=request(based_on=(Basis("l/other", WALL, 0),))), 8, Code.STALE,
    ),
    "rests on bad quality": (
        situation(request=request(based_on=(Basis(TEMP, WALL, 0x40000000),))), 8, Code.STALE,
    ),
    "rests on what is old": (
        situation(request=request(based_on=(Basis(TEMP, WALL - int(2.001 * NS), 0),))),
        8, Code.STALE,
    ),
    "one of two is old": (
        situation(
            request=request(based_on=(Basis(RUN, WALL, 0), Basis(TEMP, WALL - 9 * NS, 0)))
        ), 8, Code.STALE,
    ),
    "rests on the future": (
        situation(request=request(based_on=(Basis(TEMP, WALL + int(2.001 * NS), 0),))),
        8, Code.CLOCK,
    ),
    "the source's clock is behind": (
        with_readings(
            reading(TEMP, 60.0, at=WALL - int(4.001 * NS)),
            request=request(based_on=(Basis(TEMP, WALL - int(4.001 * NS), 0),)),
        ), 8, Code.CLOCK,
    ),
    "the source's clock is ahead": (
        with_readings(
            reading(TEMP, 60.0, at=WALL + int(4.001 * NS)),
            request=request(based_on=(Basis(TEMP, WALL + int(4.001 * NS), 0),)),
        ), 8, Code.CLOCK,
    ),
    "the interlock is open": (with_readings(reading(RUN, 0.0)), 9, Code.INTERLOCK),
    "at the interlock": (with_readings(reading(TEMP, 80.0)), 9, Code.INTERLOCK),
    "the way back has interlocks": (
        replace(with_readings(reading(RUN, 0.0)), back=True), 9, Code.INTERLOCK,
    ),
    "an alarm stands": (with_readings(reading(ALARM, 1.0)), 10, Code.ALARM),
    "the wrong mode": (with_readings(reading(LOOP, 0.0)), 10, Code.WRONG_MODE),
    "an operator had his hand on it": (
        situation(past=past(operator=ago(599.999))), 10, Code.OPERATOR,
    ),
    "locked": (situation(past=past(locked="unknown: timed out")), 11, Code.LOCKED),
    "the way back is locked as well": (
        situation(past=past(locked="unknown: timed out"), back=True), 11, Code.LOCKED,
    ),
    "a second writer": (with_readings(reading(SPEED, 50.051)), 11, Code.SECOND_WRITER),
    "a second writer downwards": (with_readings(reading(SPEED, 49.949)), 11, Code.SECOND_WRITER),
    "another model": (situation(request=request(model="others")), 12, Code.MODEL),
    "another version": (situation(request=request(version="2")), 12, Code.MODEL),
    "a model that is not sure": (situation(request=request(healthy=False)), 12, Code.MODEL),
    "void": (situation(request=request(not_after=WALL - 1)), 13, Code.EXPIRED),
    **{
        f"{tag} {how}": (without(tag, how), *NEEDS[tag]) for tag in NEEDS for how in BAD
    },
}  # fmt: skip


@pytest.mark.parametrize("case", PASSES.values(), ids=PASSES)
def test_just_inside_passes(case: Situation) -> None:
    verdict = decide(case)
    assert verdict.code is None
    assert [one.check for one in verdict.findings] == list(range(1, len(CHECKS) + 1))


@pytest.mark.parametrize(("case", "number", "code"), FAILS.values(), ids=FAILS)
def test_just_outside_is_rejected_by_its_own_check(
    case: Situation, number: int, code: Code
) -> None:
    verdict = decide(case)
    assert (verdict.findings[-1].check, verdict.code) == (number, code)
    assert verdict.findings[-1].seen
    assert [one.code for one in verdict.findings[:-1]] == [None] * (number - 1)
    assert (verdict.mode, verdict.asks) == (Mode.OFF, 0)


def test_there_are_thirteen() -> None:
    assert len(CHECKS) == 13


PROVEN = past(proven=(7.0, 0.95))


@pytest.mark.parametrize(
    ("case", "mode", "asks"),
    [
        (situation(), Mode.APPROVE, 1),
        (situation(approvals=1), Mode.APPROVE, 0),
        (situation(LIMITS.replace("persons = 1", "persons = 2")), Mode.APPROVE, 2),
        (situation(LIMITS.replace("persons = 1", "persons = 2"), approvals=1), Mode.APPROVE, 1),
        (situation(mode=Mode.ADVISORY), Mode.ADVISORY, 0),
        (situation(request=request(mode=Mode.ADVISORY)), Mode.ADVISORY, 0),
        (situation(LIMITS.replace('"auto"', '"advisory"')), Mode.ADVISORY, 0),
        (situation(LIMITS.replace('"approve"', '"advisory"')), Mode.ADVISORY, 0),
        (situation(stopped=True), Mode.ADVISORY, 0),
        (situation(stopped=True, approvals=1), Mode.ADVISORY, 0),
        (situation(BLOCK), Mode.APPROVE, 1),
        (situation(BLOCK, past=PROVEN), Mode.AUTO, 0),
        (situation(BLOCK, past=PROVEN, stopped=True), Mode.ADVISORY, 0),
        (situation(BLOCK, past=past(proven=(6.999, 0.95))), Mode.APPROVE, 1),
        (situation(BLOCK, past=past(proven=(7.0, 0.9499))), Mode.APPROVE, 1),
        (situation(BLOCK, past=PROVEN, mode=Mode.APPROVE), Mode.APPROVE, 1),
        (situation(past=PROVEN), Mode.APPROVE, 1),
        (situation(back=True), Mode.APPROVE, 0),
    ],
)
def test_how_far_it_may_go(case: Situation, mode: Mode, asks: int) -> None:
    verdict = decide(case)
    assert (verdict.code, verdict.mode, verdict.asks) == (None, mode, asks)


@pytest.mark.parametrize(
    ("then", "least", "most"),
    [
        (ago(5), 5, 5),
        (Moment(WALL - 7 * NS, NOW.mono - 5, "boot"), 5, 5),
        (Moment(WALL + NS, NOW.mono + 1, "boot"), 0, 0),
        (Moment(WALL - 7 * NS, NOW.mono + 100, "another"), 7, NOW.mono),
        (Moment(WALL + 7 * NS, 0.0, "another"), 0, NOW.mono),
        (Moment(WALL - 9000 * NS, 0.0, "another"), NOW.mono, 9000),
    ],
)
def test_time_since(then: Moment, least: float, most: float) -> None:
    assert (NOW.since(then), NOW.since_at_most(then)) == (least, most)


def test_what_lies_in_the_future_of_another_start_is_now() -> None:
    later, same = Moment(WALL + 1, 1.0, "another"), Moment(WALL, 1.0, "another")
    assert later.no_later_than(NOW) is NOW
    assert same.no_later_than(NOW) is same
    own = Moment(WALL + 1, NOW.mono + 1, "boot")
    assert own.no_later_than(NOW) is own


def test_what_is_wrong_with_a_reading() -> None:
    assert flaw(None, 2.0, NOW) == "missing"
    assert flaw(reading(RUN, 1.0), 2.0, NOW) == ""
    assert flaw(reading(RUN, 1.0, status=0x3FFFFFFF), 2.0, NOW) == ""


def test_what_was_seen_is_said() -> None:
    seen = {one.check: one.seen for one in decide(situation(tokens=3)).findings}
    assert (seen[3], seen[4], seen[5], seen[6], seen[7]) == (
        "1/min", "51", "from 50 by 1", "3 of 10 in an hour", "1",
    )  # fmt: skip
    assert (seen[8], seen[12]) == ("1 tags", "speeds@1")


@pytest.mark.parametrize(
    ("case", "number", "seen"),
    [
        (with_readings(reading(SWITCH, 0.0)), 1, "key switch not REMOTE"),
        (without(SWITCH, "stale"), 1, "key switch stale"),
        (situation(person=True), 12, "a person"),
        (situation(back=True), 12, "on the way back"),
        (situation(request=request(not_after=WALL - NS)), 13, "1.0 s ago"),
        (situation(request=request(value=60.5)), 4, "60.5 in 40 … 60"),
        (situation(tokens=10), 6, "10 of 10 in an hour"),
        (
            with_readings(reading(TEMP, 60.0, at=WALL - 5 * NS)),
            8,
            f"{TEMP} -5.0 s off",
        ),
        (situation(earliest=WALL + 3 * NS), 8, "3 s behind what is past for certain"),
        (
            situation(anchor=Moment(WALL - 3 * NS, NOW.mono, "boot")),
            8,
            "stepped by 3.0 s",
        ),
        (situation(), 9, "holds"),
        (with_readings(reading(ALARM, 1.0)), 10, f"{ALARM} stands"),
        (without(ALARM, "stale"), 10, f"{ALARM} stale"),
    ],
)
def test_the_words_for_what_was_seen(case: Situation, number: int, seen: str) -> None:
    assert {one.check: one.seen for one in decide(case).findings}[number] == seen


def test_of_a_setpoint_of_which_nothing_is_known_nothing_is_proven() -> None:
    assert Past() == Past(None, None, None, "", (), (0.0, 0.0))
    assert decide(situation(BLOCK, past=Past())).asks == 1
    assert decide(situation(mode=Mode.ADVISORY)).asks == 0
    assert flaw(reading(RUN, 1.0, age_basis=NOW.mono - 2.1), 2.0, NOW) == "stale"
