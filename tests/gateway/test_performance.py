"""How the alarms did: counted by hand on small courses, the intervals against scipy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gateway.alarms import alarm_body
from gateway.config.plan import AlarmPlan
from gateway.console.view import ReportRow
from gateway.journal import EventRecord, Journal, ScoreRecord
from gateway.performance import FLOOD, WINDOW_NS, Course, poisson, read_report, report, share
from plant.alarms import Alarm, AlarmState, Feedback, Label
from plant.errors import Rejected
from plant.reasons import Reason

SECOND = 10**9
HOUR = 3600 * SECOND
WEEK = 7 * 24 * HOUR
UNACK, ACKED, NORM = AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.NORMAL


def alarm(number: int, at: int, state: AlarmState = UNACK, asset: str = "a/p") -> Alarm:
    return Alarm(
        id=number,
        asset=asset,
        priority=3,
        state=state,
        beneath=state,
        onset=at,
        raised=at,
        changed=at,
        occurrences=1,
        reason=Reason(6.0, 3.0, ()),
        annunciated=at,
    )


def course(*alarms: Alarm) -> Course:
    taken = Course()
    for one in alarms:
        taken.take(one)
    return taken


def reported(*alarms: Alarm, stop: int = HOUR, weeks: tuple[float, ...] = (2.0,)) -> ReportRow:
    return report(course(*alarms), 0, stop, weeks, budget=1.0)


def called(one: Alarm, label: Label) -> Alarm:
    return replace(one, feedback=Feedback(label, "", "kim", one.raised))


def test_a_flood_is_more_than_ten_in_ten_minutes() -> None:
    burst = [alarm(n, n * SECOND) for n in range(1, FLOOD + 2)]
    ten = [alarm(100 + n, WINDOW_NS + n * SECOND) for n in range(FLOOD)]
    row = reported(*burst, *ten)
    assert (row["counts"], row["most"]) == ([FLOOD + 1, FLOOD, 0, 0, 0, 0], FLOOD + 1)
    assert row["flood"] == pytest.approx(1 / 6)
    assert row["mean"] == pytest.approx(21 / 6)


def test_an_alarm_that_is_told_again_counts_again_and_is_one_incident() -> None:
    first = alarm(1, 5)
    again = replace(first, changed=WINDOW_NS + 1, annunciated=WINDOW_NS + 1)
    row = reported(first, replace(first, state=ACKED), again)
    assert (row["incidents"], row["annunciated"], row["counts"][:2]) == (1, 2, [1, 1])


def test_what_waited_all_along_is_not_counted_again() -> None:
    first = replace(alarm(1, 5), annunciated=5)
    quiet = replace(first, state=AlarmState.SUPPRESSED)
    row = reported(first, quiet, replace(first, changed=WINDOW_NS + 1))
    assert (row["incidents"], row["annunciated"]) == (1, 1)


def test_what_only_grew_is_not_counted_again() -> None:
    first = alarm(1, 5)
    assert reported(first, replace(first, peak=4.0))["annunciated"] == 1


def test_time_to_acknowledge_runs_by_the_clock_of_the_gateway() -> None:
    one = replace(alarm(1, 5), annunciated=100 * SECOND)
    two = replace(alarm(2, 6), annunciated=200 * SECOND)
    acked = replace(one, state=ACKED, beneath=ACKED, changed=130 * SECOND)
    closed = replace(two, state=NORM, beneath=NORM, changed=290 * SECOND)
    row = reported(one, two, acked, closed)
    assert row["to_acknowledge"] == pytest.approx([60.0, 84.0])
    assert row["unacknowledged"] == 0


def test_what_went_on_the_shelf_was_not_acknowledged() -> None:
    one = alarm(1, 5)
    row = reported(one, replace(one, state=AlarmState.SHELVED, changed=9))
    assert row["to_acknowledge"] is None
    assert row["kept_quiet"] == {"SHLVD": 1, "DSUPR": 0, "OOSRV": 0, "FSUPR": 0}


def test_standing_stale_and_chattering_are_told_apart() -> None:
    stale = replace(alarm(1, 5), stale=True)
    gone = replace(stale, state=NORM, beneath=NORM, ended=9)
    chattering = replace(alarm(2, 6), chattering=True)
    row = reported(stale, gone, chattering, alarm(3, 7))
    assert (row["standing"], row["stale"], row["chattering"]) == (2, 1, 1)


def test_bad_actors_stand_with_their_share() -> None:
    row = reported(alarm(1, 1), alarm(2, 2), alarm(3, 3, asset="a/q"), alarm(4, 4))
    assert row["actors"] == [
        {"asset": "a/p", "count": 3, "share": 0.75},
        {"asset": "a/q", "count": 1, "share": 0.25},
    ]


def test_precision_is_of_those_that_people_judged() -> None:
    labels = (Label.REAL, Label.REAL, Label.FALSE, Label.EXPECTED)
    judged = [called(alarm(n, n), label) for n, label in enumerate(labels, 1)]
    row = reported(*judged, alarm(9, 9))
    assert row["precision"] is not None
    assert row["precision"][0] == 0.5
    assert row["labels"] == {"real": 2, "false": 1, "expected": 1}
    assert row["not_real"] == 3


def test_false_alarms_a_week_count_all_that_nobody_called_real() -> None:
    row = reported(alarm(1, 1), called(alarm(2, 2), Label.REAL), weeks=(2.0, 2.0))
    assert row["false_week"] == pytest.approx([bound / 4 for bound in poisson(1)])


def test_what_was_held_back_is_no_false_alarm() -> None:
    held = replace(alarm(1, 1, AlarmState.HELD_BACK), beneath=UNACK, annunciated=None)
    row = reported(held)
    assert (row["incidents"], row["annunciated"], row["not_real"]) == (1, 0, 0)


@given(st.integers(0, 3000))
def test_the_interval_of_a_rate_is_garwoods(count: int) -> None:
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * count + 2) / 2
    assert poisson(count) == pytest.approx([count, low, high], rel=1e-6)


@given(st.integers(0, 50), st.integers(1, 50))
def test_the_interval_of_a_share_is_wilsons(hits: int, more: int) -> None:
    interval = stats.binomtest(hits, hits + more).proportion_ci(method="wilson")
    assert share(hits, hits + more) == pytest.approx(
        [hits / (hits + more), interval.low, interval.high], rel=1e-5, abs=1e-9
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path / "journal.db")


def scores(start: int, judged: bool) -> ScoreRecord:
    at = np.arange(start, start + 10 * SECOND, SECOND, np.int64)
    return ScoreRecord("a/p", at, np.ones(10), np.full(10, 3.0), np.full(10, int(judged), np.uint8))


def test_an_asset_is_watched_while_it_is_judged(journal: Journal) -> None:
    for tens in range(360):
        journal.append(scores(tens * 10 * SECOND, judged=tens >= 90))
    journal.append(EventRecord("alarm", 5, alarm_body(alarm(1, 5))))
    journal.commit_now()
    row = read_report(journal, None, None, budget=AlarmPlan().budget)
    journal.close()
    assert row["asset_weeks"] == pytest.approx(2700 * SECOND / WEEK, rel=0.03)
    assert (row["assets"], row["annunciated"], row["damaged"]) == (1, 1, 0)


def test_a_record_of_a_history_counts_for_all_the_time_that_it_spans(journal: Journal) -> None:
    at = np.arange(0, 3600 * SECOND, SECOND, np.int64)
    flags = np.where(at >= 900 * SECOND, 1, 0).astype(np.uint8)
    journal.append(ScoreRecord("a/p", at, np.ones(3600), np.full(3600, 3.0), flags))
    journal.commit_now()
    assert journal.judged(0, 3600 * SECOND, 60 * SECOND) == {"a/p": (45, 60)}
    assert journal.judged(600 * SECOND, 1800 * SECOND, 60 * SECOND) == {"a/p": (15, 20)}
    journal.close()


def test_an_empty_journal_has_nothing_to_report(journal: Journal) -> None:
    with pytest.raises(Rejected, match="nothing was judged yet"):
        read_report(journal, None, None, budget=1.0)
    journal.close()


def test_a_report_that_would_end_before_it_begins_is_refused(journal: Journal) -> None:
    with pytest.raises(Rejected, match="later end"):
        read_report(journal, 9, 3, budget=1.0)
    journal.close()
