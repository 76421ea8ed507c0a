"""Late data and old certificates are told in time, once, and again when they are over."""

from typing import Any

import pytest

from connectors.contract import Facts
from gateway import notices as rules
from gateway.link import Link, LinkState
from gateway.notices import Notices
from gateway.supervisor import Supervisor


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(rules, "time", made)
    return made


def watched() -> tuple[Notices, Link]:
    intake: Any = None
    supervisor = Supervisor(intake)
    link = Link("plc", (4,), LinkState.UP)
    link.facts = Facts(endpoint="", clock_offset_s=0.0)
    supervisor.links["plc"] = link
    return Notices(supervisor), link


def late(link: Link, seconds: float) -> None:
    link.lag = round(seconds * 1e9)


def test_data_that_stays_late_is_told_once_and_so_is_its_end(clock: Clock) -> None:
    notices, link = watched()
    late(link, 8)
    told = []
    for _ in range(10):
        clock.now += 1
        told += notices.look()
    assert [(kind, body["late"], body["age_s"]) for kind, body in told] == [("overload", True, 8.0)]
    assert "8 s late" in notices.overdue["plc"]
    late(link, 0.1)
    told = []
    for _ in range(10):
        clock.now += 1
        told += notices.look()
    assert [body["late"] for _, body in told] == [False]
    assert notices.overdue == {}


def test_a_moment_is_no_overload(clock: Clock) -> None:
    notices, link = watched()
    for seconds in (8, 0.1, 8, 0.1, 8, 0.1):
        late(link, seconds)
        clock.now += 2
        assert notices.look() == []


def test_of_a_link_that_is_down_nothing_is_late(clock: Clock) -> None:
    notices, link = watched()
    late(link, 8)
    link.state = LinkState.DOWN
    clock.now += 1
    assert notices.look() == []
    clock.now += 10
    assert notices.look() == []


@pytest.mark.parametrize(
    ("days", "words"), [(12.4, "out of date in 12 days"), (-3.2, "has been out of date for 3 days")]
)
def test_a_certificate_is_told_of_once_a_day(clock: Clock, days: float, words: str) -> None:
    notices, link = watched()
    link.facts = Facts(endpoint="", certificate_days=days)
    ((kind, body),) = notices.look()
    assert (kind, body["source"], body["days"]) == ("certificate", "plc", days)
    assert words in notices.expiring["plc"]
    clock.now += 3600
    assert notices.look() == []
    clock.now += rules.DAY_S
    assert len(notices.look()) == 1


def test_a_certificate_that_was_renewed_is_not_told_of_any_more(clock: Clock) -> None:
    notices, link = watched()
    link.facts = Facts(endpoint="", certificate_days=2)
    notices.look()
    link.facts = Facts(endpoint="", certificate_days=360)
    clock.now += rules.DAY_S
    assert notices.look() == []
    assert notices.expiring == {}


@pytest.mark.parametrize(
    ("days", "words"),
    [(12.4, "out of date in 12 days"), (-2.6, "has been out of date for 3 days")],
)
def test_certificate_of_the_console_is_told_once_a_day(
    clock: Clock, days: float, words: str
) -> None:
    notices, _ = watched()
    notices.console_days = lambda: days

    told = [notice for _ in range(100) for notice in notices.look()]

    assert [(kind, body["source"]) for kind, body in told] == [("certificate", rules.CONSOLE)]
    assert words in notices.expiring[rules.CONSOLE]
    clock.now += rules.DAY_S
    assert len(notices.look()) == 1
