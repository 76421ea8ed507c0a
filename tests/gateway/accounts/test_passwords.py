"""What a password has to be, and that a hash tells the right one from any other."""

import pytest

from gateway.accounts.passwords import Cost, cost_of, hashed, matches, objection, unmatched
from plant.errors import Rejected

CHEAP = Cost(memory=64, passes=1, lanes=1)
GOOD = "oil pump by the north door"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "12 characters or more"),
        ("elevenchars", "12 characters or more"),
        ("x" * 257, "256 characters at most"),
        ("b.smith-works", "not the name"),
        ("B.Smith-Works", "not the name"),
        ("b.smith-worksb.smith-works", "not the name"),
        ("aaaaaaaaaaaaaaa", "first that are tried"),
        ("Password1234", "first that are tried"),
        ("oil pump\x00by the door", "control characters"),
    ],
)
def test_password_that_will_not_do(password: str, why: str) -> None:
    assert why in objection(password, "b.smith-works")


@pytest.mark.parametrize(
    "password", [GOOD, "twelve chars", "пароль оператора", "密码密码密码密码密码密码🔧"]
)
def test_password_that_will_do_whatever_its_characters(password: str) -> None:
    assert objection(password, "ana") == ""


def test_only_the_right_password_matches() -> None:
    kept = hashed(GOOD, CHEAP)

    assert matches(GOOD, kept)
    assert not matches(GOOD + " ", kept)
    assert not matches("", kept)


def test_one_password_written_two_ways_is_one() -> None:
    assert matches("schl\u00fcsselloch", hashed("schlu\u0308sselloch", CHEAP))


def test_one_password_gives_another_hash_each_time() -> None:
    assert hashed(GOOD, CHEAP) != hashed(GOOD, CHEAP)


def test_hash_tells_its_cost() -> None:
    assert cost_of(hashed(GOOD, CHEAP)) == CHEAP


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        ("", "no Argon2id hash"),
        (GOOD, "no Argon2id hash"),
        ("$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0", "no Argon2id hash"),
        ("$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0", "asks for 99999999 KiB"),
        ("$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0", "0 passes"),
        ("$argon2id$v=19$m=64,t=1,p=99$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0", "99 lanes"),
    ],
)
def test_what_is_no_hash_of_ours_is_refused(kept: str, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        cost_of(kept)


def test_hash_of_nobody_costs_the_same_and_matches_nothing() -> None:
    nobody = unmatched(CHEAP)

    assert cost_of(nobody) == CHEAP
    assert not matches(GOOD, nobody)


def test_default_cost_is_that_of_rfc_9106() -> None:
    assert cost_of(hashed(GOOD)) == Cost(memory=65_536, passes=3, lanes=4)
