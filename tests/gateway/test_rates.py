"""False alarms of each asset, counted against the time for which it was judged."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.alarms import alarm_body
from gateway.journal import EventRecord, Journal, ScoreRecord
from gateway.rates import Rate, read_rates
from plant.alarms import Alarm, AlarmState, Feedback, Label
from plant.reasons import Reason

S = 1_000_000_000
WEEK = 7 * 24 * 3600 * S
DAY = 24 * 3600 * S


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal.open(tmp_path / "journal.db")
    yield made
    made.close()


def scores(asset: str, start: int, stop: int, judged: int = 1) -> ScoreRecord:
    at = np.arange(start, stop, 60 * S, np.int64)
    n = len(at)
    return ScoreRecord(asset, at, np.ones(n), np.full(n, 3.0), np.full(n, judged, np.uint8))


def alarm(number: int, asset: str, at: int, label: Label | None = None) -> EventRecord:
    one = Alarm(
        id=number,
        asset=asset,
        priority=3,
        state=AlarmState.UNACKNOWLEDGED,
        beneath=AlarmState.UNACKNOWLEDGED,
        onset=at,
        raised=at,
        changed=at,
        occurrences=1,
        reason=Reason(9.0, 3.0, ()),
        annunciated=at,
    )
    if label is not None:
        one = replace(one, feedback=Feedback(label, "", "Ay", at))
    return EventRecord("alarm", at, alarm_body(one))


def test_nothing_judged_is_nothing_counted(journal: Journal) -> None:
    assert read_rates(journal, WEEK) == {}


def test_an_alarm_that_nobody_called_real_counts(journal: Journal) -> None:
    for day in range(7):
        journal.append(scores("a/p", day * DAY, (day + 1) * DAY))
        journal.append(scores("a/q", day * DAY, (day + 1) * DAY, judged=int(day > 3)))
    journal.append(alarm(1, "a/p", DAY), alarm(2, "a/p", 2 * DAY, Label.FALSE))
    journal.append(alarm(3, "a/p", 3 * DAY, Label.REAL), alarm(4, "a/q", 5 * DAY))
    journal.commit_now()
    found = read_rates(journal, WEEK)
    assert {asset: one.alarms for asset, one in found.items()} == {"a/p": 2, "a/q": 1}
    assert found["a/p"].weeks == pytest.approx(1.0, rel=0.01)
    assert found["a/q"].weeks == pytest.approx(3 / 7, rel=0.03)


def test_only_the_last_four_weeks_count(journal: Journal) -> None:
    for day in range(42):
        journal.append(scores("a/p", day * DAY, (day + 1) * DAY))
    journal.append(alarm(1, "a/p", DAY), alarm(2, "a/p", 30 * DAY))
    journal.commit_now()
    (rate,) = read_rates(journal, 42 * DAY).values()
    assert rate.alarms == 1
    assert rate.weeks == pytest.approx(4.0, rel=0.01)


def test_the_interval_stands_beside_the_rate() -> None:
    event = Rate(3, 2.0).event("a/p", 7, 1.0)
    assert (event.kind, event.at) == ("rate", 7)
    assert event.body == {
        "asset": "a/p",
        "budget": 1.0,
        "not_real": 3,
        "judged_weeks": 2.0,
        "realised": 1.5,
        "realised_low": 0.3093,
        "realised_high": 4.3836,
    }
