"""Every proposer against every check, and every check against a proposer that breaks it."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gateway.console import asking
from gateway.guard import words
from gateway.proposing import checks
from gateway.proposing.checks import ALL_CHECKS, Check, ProposerUnderTest
from gateway.proposing.contract import Look, Outcome
from gateway.proposing.rule import Rule
from plant.setpoints import Request
from tests.gateway.proposing import scenes
from tests.gateway.proposing.outside import Outside
from tests.gateway.proposing.scenes import LOAD, SPEED, VIB, alarmed, look, on_condition, rule


def as_the_guard_reads_it(body: dict[str, Any]) -> Request:
    """Take a body the way it goes: through the console's door, and as the guard reads it."""
    said = asking.said_of(json.loads(json.dumps(body)), "a token")
    return words.request_of(words.unframed(words.framed(said)[words.LENGTH :])["request"],
                            said["name"])  # fmt: skip


def outside() -> Outside:
    return Outside(scenes.LINE, as_the_guard_reads_it)


CASES = {
    "rule, an alarm": ProposerUnderTest(rule, alarmed, "1/min"),
    "rule, a culprit": ProposerUnderTest(lambda: rule(culprit=VIB, back=True), alarmed, "1/min"),
    "rule, a condition": ProposerUnderTest(on_condition, look, "1/min"),
    "rule, later": ProposerUnderTest(lambda: on_condition(for_s=30.0), look, "1/min", 30.0),
    "rule, again": ProposerUnderTest(lambda: rule(repeat_s=60.0), alarmed, "1/min"),
    "optimiser": ProposerUnderTest(scenes.optimiser, look, "1/min"),
    "optimiser, holding": ProposerUnderTest(
        lambda: scenes.optimiser(aim="hold", target=4.5), look, "1/min"
    ),
    "external": ProposerUnderTest(outside, look, "1/min"),
}


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_contract(case: ProposerUnderTest, check: Check) -> None:
    check(case)


class Broken(Rule):
    """A rule that breaks the contract in one way."""

    def __init__(self, how: str) -> None:
        super().__init__(rule(culprit=VIB).plan, scenes.SETPOINT)
        self.how = how

    def propose(self, seen: Look) -> Request | None:
        made = super().propose(seen)
        return made if made is None else BREAKS[self.how](made)


class Trusting(Rule):
    """Goes by whatever it is shown."""

    def __init__(self) -> None:
        super().__init__(rule(culprit=VIB).plan, scenes.SETPOINT)

    def propose(self, seen: Look) -> Request | None:
        calm = replace(seen, status=seen.status * 0, age=seen.age * 0 + 0.1)
        return super().propose(calm)


class Falling(Rule):
    """Cannot bear that a tag is missing."""

    def __init__(self) -> None:
        super().__init__(rule(culprit=VIB).plan, scenes.SETPOINT)

    def propose(self, seen: Look) -> Request | None:
        assert {tag: seen.places[tag] for tag in (SPEED, VIB, LOAD)}
        return super().propose(seen)


class Silent(Falling):
    """Goes by the load as well, and does not say so."""

    def propose(self, seen: Look) -> Request | None:
        return super().propose(seen) if seen.of(LOAD).value > 0 else None


class Nagging(Rule):
    """Forgets what it has asked for."""

    def __init__(self) -> None:
        super().__init__(rule(culprit=VIB).plan, scenes.SETPOINT)

    def propose(self, seen: Look) -> Request | None:
        super().__init__(self.plan, scenes.SETPOINT)
        return super().propose(seen)

    def heard(self, outcome: Outcome) -> None:
        """Does not listen."""


class Numbered(Nagging):
    """Gives all requests one number."""

    def propose(self, seen: Look) -> Request | None:
        made = super().propose(seen)
        return made and replace(made, id="1", key="1")


class Meddling(Nagging):
    """Changes what it is shown."""

    def propose(self, seen: Look) -> Request | None:
        seen.value.flags.writeable = True
        np.add(seen.value, 1.0, out=seen.value)
        return super().propose(seen)


class Slow(Nagging):
    """Thinks for longer than it may."""

    def propose(self, seen: Look) -> Request | None:
        begun = time.thread_time()
        while time.thread_time() < begun + 0.15:
            pass
        return super().propose(seen)


BREAKS: dict[str, Callable[[Request], Any]] = {
    "not a number": lambda made: replace(made, value=math.nan),
    "a string": lambda made: replace(made, value="50"),
    "another unit": lambda made: replace(made, unit="Hz"),
    "another setpoint": lambda made: replace(made, tag=VIB),
    "another name": lambda made: replace(made, proposer="eve"),
    "no reason": lambda made: replace(made, reason=""),
    "no sentence": lambda made: replace(made, reason="because"),
    "no effect": lambda made: replace(made, effect=""),
    "no version": lambda made: replace(made, version=""),
    "on nothing": lambda made: replace(made, based_on=()),
    "on another time": lambda made: replace(
        made, based_on=tuple(replace(one, at=one.at + 1) for one in made.based_on)
    ),
    "for a minute": lambda made: replace(made, not_after=made.not_after + 60 * 10**9),
    "over already": lambda made: replace(made, not_after=1),
    "no request": lambda made: {"value": made.value},
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_request_that_lacks_something_is_noticed(how: str) -> None:
    with pytest.raises(AssertionError):
        checks.check_asks_with_all_it_needs(
            ProposerUnderTest(lambda: Broken(how), alarmed, "1/min")
        )


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (object, "check_fits_protocol"),
        (Trusting, "check_bad_values_are_no_reason"),
        (Trusting, "check_rests_on_what_it_used"),
        (Silent, "check_rests_on_what_it_used"),
        (Falling, "check_missing_tags_are_no_reason"),
        (Nagging, "check_does_not_ask_twice"),
        (Nagging, "check_remembers"),
        (Numbered, "check_each_request_is_its_own"),
        (Meddling, "check_leaves_the_look_alone"),
        (Slow, "check_is_soon_done"),
    ],
)
def test_each_check_notices_what_it_looks_for(make: Callable[[], Any], check: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        getattr(checks, check)(ProposerUnderTest(make, alarmed, "1/min"))
