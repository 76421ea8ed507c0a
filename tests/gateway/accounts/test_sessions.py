"""A session ends: by its time, unused, with the account or its password, and for room."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from gateway.accounts.register import Account
from gateway.accounts.roles import Role
from gateway.accounts.sessions import LONGEST_S, MOST_EACH, PANEL_S, Session, Sessions

IDLE_S = 1800.0
ANA = Account(name="ana", role=Role.OPERATOR, password="first")
PANEL = Account(name="panel", role=Role.VIEWER, password="first")


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=0.0)


@pytest.fixture
def subject(clock: SimpleNamespace) -> Sessions:
    return Sessions(IDLE_S, lambda: float(clock.now))


def begun(subject: Sessions, account: Account = ANA) -> Session:
    found = subject.find(subject.begin(account, "10.0.0.5"))
    assert found is not None
    return found


def test_id_is_long_and_another_each_time(subject: Sessions) -> None:
    one, two = subject.begin(ANA, ""), subject.begin(ANA, "")

    assert one != two
    assert len(one) == 43  # 256 bits, six a character


@pytest.mark.parametrize("key", ["", "x", "ü", "\ud800", "a" * 10_000])
def test_made_up_id_is_no_session(subject: Sessions, key: str) -> None:
    begun(subject)

    assert subject.find(key) is None
    assert subject.end(key) is None


@pytest.mark.parametrize(
    ("account", "passed", "why"),
    [
        (ANA, IDLE_S - 1, ""),
        (ANA, IDLE_S, "nobody was at it"),
        (ANA, LONGEST_S, "it has lasted its time"),
        (PANEL, LONGEST_S, ""),
        (PANEL, PANEL_S, "it has lasted its time"),
    ],
)
def test_time_ends_it(
    subject: Sessions, clock: SimpleNamespace, account: Account, passed: float, why: str
) -> None:
    session = begun(subject, account)
    clock.now += passed

    assert subject.over(session, account) == why


def test_a_hand_on_it_keeps_it_but_not_beyond_its_time(
    subject: Sessions, clock: SimpleNamespace
) -> None:
    session = begun(subject)
    while clock.now < LONGEST_S - IDLE_S:
        clock.now += IDLE_S - 1
        assert subject.over(session, ANA) == ""
        subject.touch(session)
    clock.now = LONGEST_S
    subject.touch(session)

    assert subject.over(session, ANA) == "it has lasted its time"


def test_idle_time_of_none_means_never(clock: SimpleNamespace) -> None:
    subject = Sessions(0, lambda: float(clock.now))
    session = begun(subject)
    clock.now = LONGEST_S - 1

    assert subject.over(session, ANA) == ""


@pytest.mark.parametrize(
    ("account", "why"),
    [
        (None, "removed or disabled"),
        (replace(ANA, enabled=False), "removed or disabled"),
        (replace(ANA, password="second"), "password was changed"),
    ],
)
def test_it_ends_with_the_account(subject: Sessions, account: Account | None, why: str) -> None:
    assert why in subject.over(begun(subject), account)


def test_another_role_does_not_end_it(subject: Sessions) -> None:
    assert subject.over(begun(subject), replace(ANA, role=Role.ADMIN)) == ""


def test_one_that_is_unused_for_longest_makes_room(
    subject: Sessions, clock: SimpleNamespace
) -> None:
    keys = []
    for _ in range(MOST_EACH):
        clock.now += 1
        keys.append(subject.begin(ANA, ""))
    other = subject.begin(PANEL, "")

    subject.begin(ANA, "")

    assert [subject.find(key) is None for key in keys] == [True] + [False] * (MOST_EACH - 1)
    assert subject.find(other) is not None


def test_sweep_ends_what_is_over_and_tells_why(subject: Sessions, clock: SimpleNamespace) -> None:
    key = subject.begin(ANA, "10.0.0.5")
    panel = subject.begin(PANEL, "10.0.0.6")
    clock.now = IDLE_S

    (ended,) = subject.sweep({"ana": ANA, "panel": PANEL}.get)

    assert (ended[0].account.name, ended[0].address, ended[1]) == (
        "ana",
        "10.0.0.5",
        "nobody was at it",
    )
    assert subject.find(key) is None
    assert subject.find(panel) is not None
