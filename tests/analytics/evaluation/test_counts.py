"""Rows, events and rates, counted by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.evaluation.confusion import Confusion
from analytics.evaluation.rates import WEEK_S, a_week, a_week_at_most
from analytics.evaluation.segments import Events, Marks, stretches

MARKS = st.lists(st.booleans(), min_size=1, max_size=60).map(lambda m: np.array(m, np.bool_))


def marks(text: str) -> Marks:
    return np.array([letter == "x" for letter in text])


@given(MARKS, st.integers(1, 8))
def test_stretches_hold_every_marked_row_and_keep_their_distance(marked: Marks, gap: int) -> None:
    found = stretches(marked, gap)
    covered = np.zeros(len(marked), np.bool_)
    for first, last in found:
        covered[first : last + 1] = True
    assert covered[marked].all()
    assert all(marked[first] and marked[last] for first, last in found)
    assert all(b - a > gap for (_, a), (b, _) in pairwise(found))


@given(MARKS)
def test_neighbours_give_back_the_marks(marked: Marks) -> None:
    again = np.zeros(len(marked), np.bool_)
    for first, last in stretches(marked):
        again[first : last + 1] = True
    assert again.tolist() == marked.tolist()


def test_events_by_hand() -> None:
    truth = marks("...xxxx.....xxx.......xx")
    alarm = marks("x....x..............x.x.")
    found = Events.of(truth, alarm, gap=2)
    assert found == Events(events=3, delays=(2, 0), false=1)
    assert (found.seen, found.recall, found.delay) == (2, 2 / 3, 1.0)


def test_wider_gap_makes_one_episode_of_two() -> None:
    truth, alarm = marks("........"), marks("x..x...x")
    assert [Events.of(truth, alarm, gap).false for gap in (1, 3, 4)] == [3, 2, 1]


def test_nothing_labelled_has_no_recall_and_no_delay() -> None:
    found = Events.of(marks("...."), marks(".x.."), gap=1)
    assert (math.isnan(found.recall), math.isnan(found.delay), found.false) == (True, True, 1)


@given(MARKS, st.randoms())
def test_confusion_counts_every_row_once(truth: Marks, random: object) -> None:
    alarm = np.roll(truth, 1)
    counts = Confusion.of(truth, alarm)
    assert counts.hit + counts.false + counts.missed + counts.quiet == len(truth)
    assert counts.hit + counts.missed == truth.sum()
    assert counts.hit + counts.false == alarm.sum()


def test_pooling_counts_rows_rather_than_files() -> None:
    parts = [Confusion(1, 0, 0, 9), Confusion(0, 30, 10, 60)]
    total = Confusion.total(parts)
    assert total == Confusion(1, 30, 10, 69)
    assert total.f1 == pytest.approx(1 / (1 + 20))
    assert (total.far, total.mar) == (30 / 99, 10 / 11)


@pytest.mark.parametrize(
    ("truth", "alarm", "name"), [("..", "..", "f1"), ("xx", "x.", "far"), ("..", "x.", "mar")]
)
def test_what_has_no_rows_is_not_a_number(truth: str, alarm: str, name: str) -> None:
    assert math.isnan(getattr(Confusion.of(marks(truth), marks(alarm)), name))


def test_no_alarm_in_an_hour_proves_little_about_a_week() -> None:
    assert a_week(0, 3600) == 0
    assert a_week_at_most(0, 3600) == pytest.approx(-math.log(0.05) * WEEK_S / 3600)


@pytest.mark.parametrize("alarms", [0, 1, 7, 400, 1200])
def test_upper_rate_leaves_five_percent(alarms: int) -> None:
    mean = a_week_at_most(alarms, WEEK_S)
    chance = sum(
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(alarms + 1)
    )
    assert chance == pytest.approx(0.05, rel=2e-3)
