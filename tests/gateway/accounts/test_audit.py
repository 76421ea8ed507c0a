"""The audit tells what was done, and cannot be filled from outside."""

from types import SimpleNamespace

import pytest

from gateway.accounts import audit as subject
from gateway.accounts.audit import Audit, rows
from gateway.journal import EventRecord


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=0.0)


@pytest.fixture
def told() -> list[EventRecord]:
    return []


@pytest.fixture
def audit(told: list[EventRecord], clock: SimpleNamespace) -> Audit:
    return Audit(told.append, lambda: float(clock.now))


def test_login_is_told_with_who_and_from_where(audit: Audit, told: list[EventRecord]) -> None:
    audit.note("login", "ana", "10.0.0.5", role="operator")

    (row,) = rows(told)
    assert (row["who"], row["role"], row["place"], row["what"]) == (
        *("ana", "operator", "10.0.0.5", "login"),
    )


def test_same_refusal_is_counted_and_told_later(
    audit: Audit, told: list[EventRecord], clock: SimpleNamespace
) -> None:
    for _ in range(5):
        audit.refusal("ana", "10.0.0.5", "ana is viewer", "POST /api/holds")
    assert len(told) == 1

    clock.now += subject.SAME_S
    audit.refusal("ana", "10.0.0.5", "ana is viewer", "POST /api/holds")

    assert told[1].body["times"] == 4
    assert rows(told[1:])[0]["words"] == (
        "POST /api/holds: ana is viewer; 4 more times since it was last told"
    )


def test_flood_is_counted_and_told_with_the_next(
    audit: Audit, told: list[EventRecord], clock: SimpleNamespace
) -> None:
    for number in range(3 * subject.BURST):
        audit.refusal("", f"10.0.0.{number}", "a cookie of no session", "GET /api/line")
    assert len(told) == subject.BURST

    audit.note("login", "ana", "10.0.0.5")

    assert told[-1].body["untold"] == 2 * subject.BURST


def test_after_a_flood_there_is_room_again(
    audit: Audit, told: list[EventRecord], clock: SimpleNamespace
) -> None:
    for number in range(2 * subject.BURST):
        audit.failure("login failed", "", f"10.0.0.{number}")
    clock.now += subject.EACH_S

    audit.failure("login failed", "ana", "10.0.0.5")

    assert told[-1].body["who"] == "ana"


ACTOR = {"actor": "ana", "note": "belt"}


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("acknowledge", {"id": 12}, "alarm 12: belt"),
        (
            "feedback",
            {"id": 12, "label": "expected", "new_normal": True},
            "alarm 12 was expected, learn it as normal: belt",
        ),
        ("hold", {"asset": "l/pump", "kind": "out-of-service"}, "l/pump out of service: belt"),
        ("release", {"asset": "l/pump", "kind": "shelved"}, "l/pump no longer shelved: belt"),
        ("trust", {"tag": "l/pump/flow"}, "l/pump/flow is right: belt"),
        (
            "part-label",
            {"asset": "l/press", "number": "7", "label": "defect"},
            "part 7 of l/press is defect: belt",
        ),
        (
            "part-normal",
            {"asset": "l/press"},
            "l/press: parts are made otherwise from now on: belt",
        ),
    ],
)
def test_what_people_did_is_a_sentence(kind: str, body: dict[str, object], words: str) -> None:
    (row,) = rows([EventRecord(kind, 5_000_000, {**body, **ACTOR})])

    assert (row["at"], row["who"], row["words"]) == (5.0, "ana", words)


def test_newest_stands_first_and_other_events_are_left_out() -> None:
    events = [EventRecord("audit", at, {"what": "login", "who": str(at)}) for at in (1, 3, 2)]

    found = rows([*events, EventRecord("link", 4, {})])

    assert [row["who"] for row in found] == ["3", "2", "1"]
