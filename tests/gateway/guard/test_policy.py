"""What the guard may do, once it is read: conditions, modes, and what is read for a decision."""

import re

import pytest

from gateway.guard.policy import MOST_TERMS, Term, condition, lowest
from plant.setpoints import Mode
from tests.gateway.guard.rig import (
    ALARM,
    HALT,
    LIMITS,
    LOOP,
    RECIPE,
    RUN,
    SPEED,
    SWITCH,
    TEMP,
    policy_of,
)

TERM = f"{RUN} != 0"


def test_a_condition() -> None:
    assert MOST_TERMS == 32
    assert len(condition(" and ".join([TERM] * MOST_TERMS))[0]) == MOST_TERMS
    assert condition(f"{TERM} and {TEMP} < -1.5 or {TERM} or {TERM} and {TERM}") == (
        (Term(RUN, "!=", 0.0), Term(TEMP, "<", -1.5)),
        (Term(RUN, "!=", 0.0),),
        (Term(RUN, "!=", 0.0), Term(RUN, "!=", 0.0)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'is no "tag operator number", joined by and, or; 32 at most'),
        (" and ".join([TERM] * 33), "32 at most"),
        (f"{TERM} and", "joined by and, or"),
        (f"{TERM} {TERM}", "joined by and, or"),
        (f"{TERM} xor {TERM}", '"xor" is neither and nor or'),
        ("a|b == 1", '"a|b" is no tag'),
        ("a = 1", '"=" is none of < <= > >= == !='),
        ("a == one", '"one" is no number'),
        ("a == inf", '"inf" is no number'),
    ],
)
def test_what_is_no_condition(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        condition(text)


@pytest.mark.parametrize(
    ("sign", "below", "at", "above"),
    [
        ("<", True, False, False), ("<=", True, True, False), (">", False, False, True),
        (">=", False, True, True), ("==", False, True, False), ("!=", True, False, True),
    ],
)  # fmt: skip
def test_operators(sign: str, below: bool, at: bool, above: bool) -> None:
    term = Term(RUN, sign, 5.0)
    assert (term.holds(4.9), term.holds(5.0), term.holds(5.1)) == (below, at, above)
    assert not term.holds(float("nan"))
    assert not term.holds(float("inf"))


def test_the_least_of_modes() -> None:
    assert lowest(Mode.AUTO, Mode.APPROVE, Mode.AUTO) is Mode.APPROVE
    assert lowest(Mode.ADVISORY, Mode.OFF) is Mode.OFF


def test_what_is_read_and_what_is_named() -> None:
    text = LIMITS.replace("band = 6", f'band = 6\nrecipe = "{RECIPE}"\nactive = "l/c/loop"')
    limits = policy_of(text.replace(f'alarms = ["{ALARM}"]', f'alarms = ["{ALARM}", "{RUN}"]'))
    (one,) = limits.limits.values()
    assert one.reads() == (SPEED, RECIPE, ALARM, RUN, TEMP, LOOP)
    assert one.named() == (*one.reads(), LOOP)
    assert limits.reads() == (*one.reads(), HALT, SWITCH)
    (bare,) = policy_of().limits.values()
    assert bare.named() == bare.reads() == (SPEED, ALARM, RUN, TEMP, LOOP)
