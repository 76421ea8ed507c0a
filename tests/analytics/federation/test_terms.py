"""Plans: what may be agreed on, and that it stays the same on its way."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analytics.federation.messages import read_plan, write_plan
from analytics.federation.refusals import Refused, Why
from analytics.federation.terms import Participant, Terms
from tests.analytics.federation.agreed import CENTRE, KEYS, START, terms


def test_a_plan_comes_back_as_it_was() -> None:
    plan = terms(noise=0.01, least_rows=5000)
    again = Terms.of(json.loads(json.dumps(plan.body())))
    assert again == plan
    assert again.identity == plan.identity
    assert read_plan(write_plan(plan, START, CENTRE), [CENTRE.public_key()]) == plan


def test_whole_limits_are_the_same_plan() -> None:
    assert terms(low=(0, 0, 0), settle_s=20).identity == terms().identity


def test_a_plan_of_a_stranger_is_not_believed() -> None:
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(Refused) as refused:
        read_plan(write_plan(terms(), START, stranger), [CENTRE.public_key()])
    assert refused.value.why is Why.FOREIGN_KEY


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"signals": ("a", "a", "b")}, "twice"),
        ({"signals": ("a",)}, "two signals"),
        ({"units": ("bar",)}, "unit and two limits"),
        ({"low": (0.0, 10.0, 0.0)}, "low must be below high"),
        ({"high": (float("inf"), 1.0, 1.0)}, "low must be below high"),
        ({"modes": ()}, "no mode"),
        ({"modes": ((1, "a"), (1, "b"))}, "mode stands there twice"),
        ({"participants": ()}, "three are the least"),
        ({"participants": (Participant("a b", "0" * 64),) * 1}, "no name"),
        ({"participants": (Participant("a", "xyz"),)}, "its key is none"),
        ({"least_sites": 2}, "three are the least"),
        ({"least_sites": 5}, "as many as least_sites"),
        ({"false_share": 0.0}, "false_share"),
        ({"noise": 2.0}, "noise"),
    ],
)
def test_what_cannot_be_agreed_on_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        terms(**changed)


def test_two_participants_with_one_key_are_one() -> None:
    key = KEYS["north"].public_key().public_bytes_raw().hex()
    with pytest.raises(Refused, match="same key"):
        terms(participants=tuple(Participant(name, key) for name in "abc"))


@pytest.mark.parametrize("body", [{}, {"name": 1}, {"signals": 5}, {"modes": [1]}, {"low": ["x"]}])
def test_what_is_no_plan_is_refused(body: dict[str, Any]) -> None:
    whole = terms().body()
    broken = whole | body if body else {}
    with pytest.raises(Refused):
        Terms.of(broken | {"participants": None})


@pytest.mark.parametrize(
    ("signals", "asked", "rows"), [(3, 5, 1000), (3, 4000, 4000), (150, 5, 1500)]
)
def test_no_plan_lowers_the_floor(signals: int, asked: int, rows: int) -> None:
    plan = terms(
        signals=tuple(f"s{n}" for n in range(signals)),
        units=("",) * signals,
        low=(0.0,) * signals,
        high=(1.0,) * signals,
        least_rows=asked,
        least_h=0.0,
    )
    assert plan.rows == rows
    assert plan.span_ns == 8 * 3600 * 10**9
