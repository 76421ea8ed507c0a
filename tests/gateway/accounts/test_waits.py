"""Who fails too often waits, each time longer; nobody else does."""

from types import SimpleNamespace

import pytest

from gateway.accounts import waits
from gateway.accounts.waits import Waits

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
