"""What a gateway says of itself: once a minute, and of an asset when it changes."""

from dataclasses import replace

import numpy as np
import pytest

from gateway import vitals as rules
from gateway.metrics import Figures
from gateway.vitals import AGAIN, Normal, Standing, Vitals, resident_bytes
from plant.alarms import AlarmState

PUMP = Standing("a/pump", ne107=0, mode=1, machine=2)
PRESS = Standing("a/press", ne107=5, mode=-1, machine=0)
CALM = {"alarm": 0, "priority": 0, "alarm_state": "NORM", "reason": ""}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now / 4

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


def test_what_stands_as_it_stood_is_marked_as_told_again(clock: Clock) -> None:
    vitals = Vitals(Figures())
    told(vitals, PUMP, PRESS)
    clock.now += 60
    events = vitals.look([replace(PUMP, mode=2), PRESS], journal_bytes=7, unsent_s=0.0, good=1.0)
    assert [event.body.get(AGAIN) for event in events[:2]] == [None, True]


def test_a_change_is_told_at_once_and_alone(clock: Clock) -> None:
    vitals = Vitals(Figures())
    told(vitals, PUMP, PRESS)
    clock.now += 5
    (event,) = vitals.look([replace(PUMP, ne107=3), PRESS], journal_bytes=7, unsent_s=0.0, good=1.0)
    assert event.at == round(clock.now * 1e9)
    assert event.body == {"asset": "a/pump", "ne107": 3, "mode": 1, "machine": 2, **CALM}


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
        "cpu_ratio": 0.0,
    }
    assert event.body["rss_mb"] == pytest.approx(resident_bytes() / 1e6, rel=0.2)
    clock.now += 60
    (event,) = vitals.look([], journal_bytes=7, unsent_s=0.0, good=1.0)
    assert event.body["read_p95_ms"] == 0.0, "nothing was read since"
    assert event.body["cpu_ratio"] == 0.25


def test_an_alarm_is_news_and_how_long_it_waits_is_not(clock: Clock) -> None:
    vitals = Vitals(Figures())
    told(vitals, PUMP)
    raised = replace(
        PUMP,
        alarm=7,
        priority=2,
        state=AlarmState.UNACKNOWLEDGED,
        reason="pump: shakes",
        figures={"waited_s": 1.0},
    )
    (event,) = vitals.look([raised], journal_bytes=7, unsent_s=0.0, good=1.0)
    own = ("alarm", "priority", "alarm_state", "reason", "waited_s")
    assert [event.body[name] for name in own] == [7, 2, "UNACK", "pump: shakes", 1.0]
    assert told(vitals, replace(raised, figures={"waited_s": 6.0})) == []
    assert told(vitals, replace(raised, reason="pump: shakes more")) == [("state", "a/pump")]


def normal(low: float) -> Normal:
    column = np.array([low, np.nan])
    return Normal("a/pump", 1, ("a/pump/x", "a/pump/y"), column, column + 2, column + 1, column / 8)


def test_what_is_normal_is_told_once_it_is_learnt_and_then_seldom(clock: Clock) -> None:
    vitals = Vitals(Figures())

    def look(*normals: Normal) -> list[object]:
        events = vitals.look(
            [], journal_bytes=7, unsent_s=0.0, good=1.0, normals=lambda: list(normals)
        )
        return [event.body for event in events if event.kind == "normal"]

    assert look(normal(np.nan)) == []
    clock.now += 60
    assert look(normal(1.23456789)) == [
        {
            "asset": "a/pump",
            "mode": 1,
            "signals": ["a/pump/x"],
            "low": [1.23457],
            "high": [3.23457],
            "expected": [2.23457],
            "drift": [0.154321],
        }
    ]
    for _ in range(9):
        clock.now += 60
        assert look(normal(2.0)) == []
    clock.now += 60
    assert len(look(normal(2.0))) == 1


def test_certificates_are_told_where_there_are_any(clock: Clock) -> None:
    (event,) = Vitals(Figures()).look(
        [], journal_bytes=7, unsent_s=0.0, good=1.0, certificate_days=lambda: 12.3456
    )
    assert event.body["certificate_days"] == 12.35
