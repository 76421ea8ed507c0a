"""Which windows are learnt from, and why the others are not."""

import numpy as np
import pytest

from analytics.training.rows import rows_of
from analytics.training.sampling import sample
from analytics.training.selection import (
    ALARM,
    BAD,
    CHANGE,
    FAULT,
    GAP,
    UNCERTAIN_MODE,
    Event,
    select,
)
from plant.summaries import MINUTE
from tests.analytics.training.courses import MACHINE, course, instant
from tests.mill import IDLE, RUN, SECOND, rows

HOUR = 3600
NONE = dict.fromkeys((FAULT, ALARM, GAP, BAD, UNCERTAIN_MODE, CHANGE), 0)


def test_a_healthy_hour_is_all_learnt_from() -> None:
    chosen = select(course(rows(HOUR)), MACHINE, [])
    assert chosen.healthy.all()
    assert chosen.dropped == NONE


@pytest.mark.parametrize(("labelled", "why"), [(True, FAULT), (False, ALARM)])
def test_an_event_goes_with_its_margin(labelled: bool, why: str) -> None:
    event = Event(instant(1200), instant(1500), labelled=labelled)
    chosen = select(course(rows(HOUR)), MACHINE, [event], margin=60 * SECOND)
    assert chosen.dropped == NONE | {why: 42}
    assert np.flatnonzero(~chosen.healthy).tolist() == list(range(114, 156))


def test_bad_samples_take_their_window_with_them() -> None:
    bad = np.zeros((HOUR, 5), np.bool_)
    bad[905, 2] = bad[2000:2020, 0] = True
    chosen = select(course(rows(HOUR), bad=bad), MACHINE, [])
    assert chosen.dropped == NONE | {BAD: 3}
    assert np.flatnonzero(~chosen.healthy).tolist() == [90, 200, 201]


def test_a_gap_is_a_gap() -> None:
    values = rows(HOUR)
    values[600:1200] = np.nan
    chosen = select(course(values), MACHINE, [])
    assert chosen.dropped == NONE | {GAP: 60}


def test_a_mode_that_is_not_known_is_none() -> None:
    bad = np.zeros((HOUR, 5), np.bool_)
    bad[100:110, 4] = True
    chosen = select(course(rows(HOUR), bad=bad), MACHINE, [])
    assert chosen.dropped == NONE | {UNCERTAIN_MODE: 1}


def test_each_window_is_left_out_for_one_reason() -> None:
    values, bad = rows(HOUR), np.zeros((HOUR, 5), np.bool_)
    bad[1000:1400] = True
    event = Event(instant(1200), instant(1500))
    chosen = select(course(values, bad=bad), MACHINE, [event], margin=0)
    assert chosen.dropped[FAULT] == 30
    assert sum(chosen.dropped.values()) == int((~chosen.healthy).sum())


def test_a_signal_that_is_hardly_there_is_left_out_and_no_reason() -> None:
    values = rows(HOUR)
    values[50:, 3] = np.nan
    chosen = select(course(values), MACHINE, [])
    # its source goes on, so its last value holds: a tag that is sent on change
    assert not chosen.silent.any()
    bad = np.zeros((HOUR, 5), np.bool_)
    bad[50:, 3] = True
    chosen = select(course(rows(HOUR), bad=bad), MACHINE, [])
    assert chosen.silent.tolist() == [False, False, False, True]
    assert chosen.healthy.all()


def test_a_time_before_the_history_begins_makes_no_signal_silent() -> None:
    """The trainer looks back for thirty days, also on the first."""
    values = rows(HOUR)
    values[: HOUR - 400] = np.nan
    chosen = select(course(values), MACHINE, [])
    assert not chosen.silent.any()
    assert chosen.dropped == NONE | {GAP: (HOUR - 400) // 10}
    assert np.flatnonzero(chosen.healthy).tolist() == list(range(320, 360))
    # of what is there, each signal has to be Good in a fifth
    values[HOUR - 350 :, 3] = np.nan
    bad = np.zeros((HOUR, 5), np.bool_)
    bad[HOUR - 350 :, 3] = True
    chosen = select(course(rows(HOUR), bad=bad), MACHINE, [])
    assert not chosen.silent.any()


def test_a_tag_that_is_sent_on_change_keeps_its_value_while_its_source_delivers() -> None:
    values = rows(HOUR)
    values[1:1500, 4] = np.nan  # run at second 0, idle at 1500
    values[1501:1800, 4] = np.nan
    values[1801:, 4] = np.nan
    chosen = select(course(values), MACHINE, [])
    assert chosen.mode[[10, 149, 150, 179, 180]].tolist() == [RUN, RUN, IDLE, IDLE, RUN]
    alone = course(values, sources=("plc",) * 4 + ("other",))
    assert select(alone, MACHINE, []).dropped[UNCERTAIN_MODE] == 360 - 3


def test_the_moment_of_a_change_is_told_by_the_mean_of_the_mode() -> None:
    values = rows(HOUR)
    values[:1504, 4], values[1504:, 4] = RUN, IDLE
    whole = course(values)
    chosen = select(whole, MACHINE, [])
    assert chosen.dropped == NONE | {CHANGE: 1}
    assert chosen.entered[150] == instant(1504)
    pieces = chosen.pieces(chosen.healthy, 0, len(whole))
    assert pieces == [(0, 150), (151, 360)]
    told = rows_of(whole, chosen, pieces, 4, SECOND)
    entry = int(np.searchsorted(told.at, instant(1504)))
    assert told.at[entry] == instant(1504)
    assert told.mode[entry] == IDLE
    assert np.isnan(told.value[entry]).all()
    assert told.at[entry + 1] == instant(1510)


@pytest.mark.parametrize("runs", [3, 40])
def test_of_a_long_time_pieces_are_taken_from_begin_to_end(runs: int) -> None:
    length = 40_000 // runs
    pieces = [(n * (length + 10), n * (length + 10) + length) for n in range(runs)]
    taken = sample(pieces, 60)
    rows_taken = 60 * sum(end - begin for begin, end in taken)
    assert 36_000 <= rows_taken <= 50_000
    assert taken[0][0] == 0
    assert taken[-1][1] >= pieces[-1][1] - 200 or taken[-1][0] >= pieces[-1][0]
    assert len(taken) >= 8


def test_windows_of_a_minute_are_cut_where_the_mode_changes() -> None:
    chosen = select(course(rows(HOUR), MINUTE), MACHINE, [])
    assert chosen.dropped == NONE
    values = rows(HOUR)
    values[:1530, 4], values[1530:, 4] = RUN, IDLE
    chosen = select(course(values, MINUTE), MACHINE, [])
    assert chosen.dropped == NONE | {CHANGE: 1}
    assert chosen.entered[25] == instant(1530)
