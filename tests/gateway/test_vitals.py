"""What a gateway says of itself: once a minute, and of an asset when it changes."""

from dataclasses import replace

import pytest

from gateway import vitals as rules
from gateway.metrics import Figures
from gateway.vitals import Standing, Vitals, resident_bytes

PUMP = Standing("a/pump", ne107=0, mode=1, machine=2)
PRESS = Standing("a/press", ne107=5, mode=-1, machine=0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return round(self.now * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(rules, "time", made)
    return made


def told(vitals: Vitals, *standing: Standing) -> list[tuple[str, object]]:
    events = vitals.look(standing, journal_bytes=7, unsent_s=3.21, good=0.75)
    return [(event.kind, event.body.get("asset")) for event in events]


def test_every_asset_and_the_gateway_once_a_minute(clock: Clock) -> None:
    vitals = Vitals(Figures())
    whole = [("state", "a/pump"), ("state", "a/press"), ("gateway", None)]
    assert told(vitals, PUMP, PRESS) == whole
    for _ in range(11):
        clock.now += 5
        assert told(vitals, PUMP, PRESS) == []
    clock.now += 5
    assert told(vitals, PUMP, PRESS) == whole


def test_a_change_is_told_at_once_and_alone(clock: Clock) -> None:
    vitals = Vitals(Figures())
    told(vitals, PUMP, PRESS)
    clock.now += 5
    (event,) = vitals.look([replace(PUMP, ne107=3), PRESS], journal_bytes=7, unsent_s=0.0, good=1.0)
    assert event.at == round(clock.now * 1e9)
    assert event.body == {"asset": "a/pump", "ne107": 3, "mode": 1, "machine": 2}


def test_looking_is_due_every_few_seconds(clock: Clock) -> None:
    vitals = Vitals(Figures())
    assert vitals.due()
    told(vitals)
    assert not vitals.due()
    clock.now += rules.CHANGES_S
    assert vitals.due()


def test_the_gateway_gives_its_figures(clock: Clock) -> None:
    figures = Figures()
    vitals = Vitals(figures)
    for _ in range(95):
        figures.read("plc", 1, 0.0008)
    for _ in range(5):
        figures.read("plc", 1, 0.4)
    (event,) = vitals.look([], journal_bytes=7, unsent_s=3.21, good=0.75)
    figured = {name: value for name, value in event.body.items() if name != "rss_mb"}
    assert figured == {
        "journal_bytes": 7,
        "unsent_s": 3.2,
        "read_p95_ms": 1.0,
        "bad_quality_ratio": 0.25,
    }
    assert event.body["rss_mb"] == pytest.approx(resident_bytes() / 1e6, rel=0.2)
    clock.now += 60
    (event,) = vitals.look([], journal_bytes=7, unsent_s=0.0, good=1.0)
    assert event.body["read_p95_ms"] == 0.0, "nothing was read since"
