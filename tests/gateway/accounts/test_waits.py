"""Who fails too often waits, each time longer; nobody else does."""

from collections.abc import Iterable
from types import SimpleNamespace

import pytest

from gateway.accounts import waits
from gateway.accounts.waits import (
    DAY_S,
    FAILURES,
    FAILURES_FROM_ADDRESS,
    FAILURES_OF_NAME,
    LONGEST_S,
    MOST_NAME,
    QUARTER_S,
    WIDE_S,
    Lockout,
    Waits,
)

FORGET_S = 86_400.0


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def subject(clock: SimpleNamespace) -> Waits:
    return Waits(3, FORGET_S, lambda: float(clock.now))


def failed(subject: Waits, key: str, times: int) -> int:
    return [subject.failed(key) for _ in range(times)][-1]


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0), (2, 0), (3, 30), (4, 60), (5, 120), (8, 900), (2000, 900)]
)
def test_waits_grow(subject: Waits, failures: int, seconds: int) -> None:
    assert failed(subject, "ana", failures) == seconds
    assert subject.left("ana") == seconds


def test_wait_ends(subject: Waits, clock: SimpleNamespace) -> None:
    failed(subject, "ana", 3)

    clock.now += 29.5
    assert subject.left("ana") == 1
    clock.now += 0.5
    assert subject.left("ana") == 0


def test_next_failure_after_a_wait_waits_longer(subject: Waits, clock: SimpleNamespace) -> None:
    failed(subject, "ana", 3)
    clock.now += 30

    assert subject.failed("ana") == 60


def test_others_do_not_wait(subject: Waits) -> None:
    failed(subject, "ana", 5)

    assert subject.left("ben") == 0


def test_a_day_without_failures_begins_anew(subject: Waits, clock: SimpleNamespace) -> None:
    failed(subject, "ana", 3)
    clock.now += FORGET_S + 1

    assert subject.failed("ana") == 0


def test_right_password_begins_anew(subject: Waits) -> None:
    failed(subject, "ana", 4)
    subject.forget("ana")

    assert failed(subject, "ana", 2) == 0


def test_made_up_names_fill_no_memory(subject: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "MOST", 10)
    failed(subject, "ana", 3)

    for number in range(20):
        subject.failed(f"made-up-{number}")

    assert subject.left("ana") == 0
    assert subject.failed("made-up-19") == 0
    assert subject.failed("made-up-19") == 30


HOME, AWAY = "10.0.0.5", "203.0.113.9"


@pytest.fixture
def lockout(clock: SimpleNamespace) -> Lockout:
    return Lockout(lambda: float(clock.now))


def guessed(lockout: Lockout, pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Fail once with each, and give what has to wait after the last."""
    return [lockout.failed(name, address) for name, address in pairs][-1]


def elsewhere(number: int) -> str:
    return f"198.51.100.{number}"


def test_an_account_waits_where_it_failed_and_nowhere_else(lockout: Lockout) -> None:
    assert guessed(lockout, [("ana", AWAY)] * (FAILURES - 1)) == {}
    assert lockout.left("ana", AWAY) == 0
    assert guessed(lockout, [("ana", AWAY)]) == {"name from this address": 30}
    assert (lockout.left("ana", AWAY), lockout.left("ana", HOME)) == (30, 0)


def test_others_behind_the_same_address_do_not_wait(lockout: Lockout) -> None:
    guessed(lockout, [("ana", HOME)] * 20)
    assert (lockout.left("ana", HOME), lockout.left("ben", HOME)) == (int(LONGEST_S), 0)


def test_guesses_from_everywhere_wait_a_minute_at_most(
    lockout: Lockout, clock: SimpleNamespace
) -> None:
    before = guessed(lockout, (("ana", elsewhere(n)) for n in range(FAILURES_OF_NAME - 1)))
    assert before == {}
    assert guessed(lockout, [("ana", elsewhere(60))]) == {"name": 30}
    assert (lockout.left("ana", HOME), lockout.left("ben", HOME)) == (30, 0)
    clock.now += 30
    assert lockout.left("ana", HOME) == 0
    assert guessed(lockout, (("ana", elsewhere(n)) for n in range(70, 170))) == {"name": WIDE_S}
    assert lockout.left("ana", HOME) == WIDE_S


def test_guesses_at_everybody_wait_a_minute_at_most(
    lockout: Lockout, clock: SimpleNamespace
) -> None:
    names = ((f"guess-{n}", HOME) for n in range(FAILURES_FROM_ADDRESS - 1))
    assert guessed(lockout, names) == {}
    assert guessed(lockout, [("guess", HOME)]) == {"address": 30}
    assert (lockout.left("ana", HOME), lockout.left("ana", AWAY)) == (30, 0)
    assert guessed(lockout, ((f"more-{n}", HOME) for n in range(50))) == {"address": WIDE_S}
    clock.now += QUARTER_S + 1
    assert guessed(lockout, [("guess", HOME)]) == {}


def test_no_stranger_shuts_out_who_was_let_in_where_he_is(lockout: Lockout) -> None:
    lockout.passed("ana", HOME)
    guessed(lockout, (("ana", elsewhere(n)) for n in range(200)))
    guessed(lockout, ((f"guess-{n}", HOME) for n in range(200)))
    assert lockout.left("ana", HOME) == 0
    assert (lockout.left("ana", AWAY), lockout.left("ben", HOME)) == (WIDE_S, WIDE_S)


def test_who_was_let_in_waits_for_failures_of_his_own_place(lockout: Lockout) -> None:
    lockout.passed("ana", HOME)
    guessed(lockout, [("ana", HOME)] * FAILURES)
    assert lockout.left("ana", HOME) == 30


def test_the_right_password_begins_anew_at_its_address_alone(lockout: Lockout) -> None:
    guessed(lockout, [("ana", HOME), ("ana", AWAY)] * (FAILURES - 1))
    lockout.passed("ana", HOME)
    assert guessed(lockout, [("ana", HOME)]) == {}
    assert guessed(lockout, [("ana", AWAY)]) == {"name from this address": 30}


def test_an_administrator_ends_it_everywhere(lockout: Lockout) -> None:
    guessed(lockout, (("ana", elsewhere(n)) for n in range(FAILURES_OF_NAME)))
    guessed(lockout, [("ana", AWAY), ("ben", AWAY)] * FAILURES)
    lockout.ended("ana")
    assert (lockout.left("ana", AWAY), lockout.left("ana", HOME)) == (0, 0)
    assert lockout.left("ben", AWAY) == 30


def test_a_day_without_a_failure_forgets_it(lockout: Lockout, clock: SimpleNamespace) -> None:
    guessed(lockout, [("ana", HOME)] * (FAILURES - 1))
    clock.now += DAY_S + 1
    assert guessed(lockout, [("ana", HOME)]) == {}


def test_of_ipv6_the_network_counts(lockout: Lockout) -> None:
    guessed(lockout, (("ana", f"2001:db8::{n}") for n in range(1, FAILURES + 1)))
    assert (lockout.left("ana", "2001:db8::99"), lockout.left("ana", "2001:db8:1::1")) == (30, 0)


def test_nothing_that_is_made_up_fills_memory(
    lockout: Lockout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "MOST", 10)
    for number in range(50):
        lockout.failed(f"{number} " * 1000, f"{number} " * 1000)
        lockout.passed(f"{number}", HOME)
    kept = [
        *lockout._pairs.counted(),
        *((name,) for name in lockout._names.counted()),
        *((address,) for address in lockout._addresses.counted()),
        *lockout._usual,
    ]
    assert len(kept) == 40
    assert max(len(part) for one in kept for part in one) == MOST_NAME
