"""Rows are the last Good value at each tick, whatever the cut of the batches."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.stages.align import Alignment
from plant.quality import Status
from plant.samples import Batch
from plant.tags import Tag, TagHandle

SECOND = 1_000_000_000
TAGS = [TagHandle(i, Tag(name=f"a/b/{i}", source="plc", address="")) for i in (3, 5, 9)]
HANDLE = np.array([3, 5, 9], np.int32)


def batch(
    column: list[int],
    at_s: list[float],
    value: list[float],
    *,
    upto_s: float,
    source: str = "plc",
    bad: tuple[int, ...] = (),
    received_s: float | None = None,
    replayed: bool = False,
) -> Batch:
    status = np.zeros(len(column), np.uint32)
    status[list(bad)] = Status.BAD_SENSOR_FAILURE
    return Batch(
        source=source,
        tag=HANDLE[column] if column else np.empty(0, np.int32),
        at=np.round(np.array(at_s, float) * SECOND).astype(np.int64),
        value=np.array(value, float),
        status=status,
        upto=round(upto_s * SECOND),
        received=round((upto_s if received_s is None else received_s) * SECOND),
        heard=0,
        replayed=replayed,
    )


def alignment(stale_s: float = 5.0) -> Alignment:
    return Alignment(TAGS, {"plc": round(stale_s * SECOND)}, SECOND)


def test_a_value_is_held_until_the_next_one() -> None:
    rows = alignment().add(batch([0, 1, 2, 0], [1, 1, 1.5, 2.5], [10, 20, 30, 11], upto_s=4))
    assert rows is not None
    assert (rows.at // SECOND).tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(
        rows.value, [[10, 20, np.nan], [10, 20, 30], [11, 20, 30], [11, 20, 30]]
    )


def test_a_bad_sample_is_a_hole_in_the_row_until_a_good_one() -> None:
    rows = alignment().add(
        batch([0, 1, 2, 0, 0], [1, 1, 1, 2, 3], [1, 2, 3, 7, 8], upto_s=3, bad=(3,))
    )
    assert rows is not None
    np.testing.assert_array_equal(rows.value[:, 0], [1, np.nan, 8])


def test_a_keep_alive_moves_time_on() -> None:
    line = alignment()
    line.add(batch([0, 1, 2], [1, 1, 1], [1, 2, 3], upto_s=1))
    assert line.add(batch([], [], [], upto_s=1.9)) is None
    rows = line.add(batch([], [], [], upto_s=3))
    assert rows is not None
    np.testing.assert_array_equal(rows.value, [[1, 2, 3], [1, 2, 3]])


def test_a_silence_longer_than_the_limit_is_not_held() -> None:
    line = alignment(stale_s=5)
    line.add(batch([0, 1, 2], [1, 1, 1], [1, 2, 3], upto_s=1))
    rows = line.add(batch([1], [100_000], [9], upto_s=100_000))
    assert rows is not None
    known = ~np.isnan(rows.value[:, 0])
    assert (rows.at[known] // SECOND).max() < 6
    np.testing.assert_array_equal(rows.value[-1], [np.nan, 9, np.nan])
    assert len(rows.at) < 10_000, "a long silence makes no rows"


def test_a_recorded_sample_that_comes_late_does_not_undo_a_newer_one() -> None:
    line = alignment()
    line.add(batch([0, 1, 2], [1, 1, 1], [1, 2, 3], upto_s=1, replayed=True))
    line.add(batch([0], [3], [7], upto_s=3, replayed=True))
    rows = line.add(batch([0, 1], [2.5, 2.5], [6, 8], upto_s=4, replayed=True))
    assert rows is not None
    np.testing.assert_array_equal(rows.value, [[7, 8, 3]])


def test_two_sources_wait_for_each_other() -> None:
    tags = [*TAGS[:2], TagHandle(9, Tag(name="a/b/9", source="other", address=""))]
    line = Alignment(tags, {"plc": 5 * SECOND, "other": 5 * SECOND}, SECOND)
    assert line.add(batch([0, 1], [1, 1], [1, 2], upto_s=3)) is None
    rows = line.add(batch([2], [2], [3], upto_s=2, source="other"))
    assert rows is not None
    np.testing.assert_array_equal(rows.value, [[1, 2, np.nan], [1, 2, 3]])


def known_rows(line: Alignment, batches: list[Batch]) -> NDArray[np.float64]:
    found = [rows.value for one in batches if (rows := line.add(one)) is not None]
    rows = np.concatenate(found)
    known: NDArray[np.float64] = rows[~np.isnan(rows).any(axis=1)]
    return known


def lost(at_s: float) -> Batch:
    return batch([0, 1, 2], [at_s] * 3, [np.nan] * 3, upto_s=at_s, bad=(0, 1, 2))


def test_the_first_values_of_a_connection_count_from_now_however_old_their_stamps() -> None:
    line = alignment()
    rows = line.add(batch([0, 1, 2], [100_000, 99_999.5, 3], [1, 2, 3], upto_s=100_000))
    assert rows is not None
    assert len(rows.at) <= 6, "the grid does not begin days ago"
    np.testing.assert_array_equal(rows.value[-1], [1, 2, 3])


def test_a_value_that_has_not_changed_during_a_loss_is_known_again_after_it() -> None:
    line = alignment()
    line.add(batch([0, 1, 2], [1, 1, 1], [1, 2, 3], upto_s=1))
    line.add(lost(4.5))
    line.reconnected("plc")
    rows = line.add(batch([0, 1, 2], [7, 0.2, -9000], [1, 2, 3], upto_s=7))
    assert rows is not None
    np.testing.assert_array_equal(rows.value[-1], [1, 2, 3])


def test_nothing_is_held_over_the_time_that_the_gateway_was_off() -> None:
    line = alignment(stale_s=5)
    line.add(batch([0, 1, 2], [1, 1, 1], [1, 2, 3], upto_s=1))
    line.reconnected("plc")
    rows = line.add(batch([0, 1, 2], [3600, 4, 0.5], [7, 8, 9], upto_s=3600))
    assert rows is not None
    known = rows.at[~np.isnan(rows.value).all(axis=1)] // SECOND
    assert known.tolist() == [2, 3, 4, 5, 3600], "held as long as the limit says, then unknown"


def test_a_source_with_a_clock_behind_that_was_off_at_first_is_watched_at_once() -> None:
    line = alignment()
    line.add(lost(100_000))
    line.reconnected("plc")
    live = [batch([0, 1, 2], [n] * 3, [1, 2, n], upto_s=n) for n in range(60_000, 60_020)]
    assert len(known_rows(line, live)) >= 19


@pytest.mark.parametrize("step_s", [-3600, -3, 3600, 10_000_000])
def test_a_clock_that_is_set_leaves_nobody_unwatched(step_s: int) -> None:
    line = alignment()
    times = [*range(10_000, 10_020), *range(10_020 + step_s, 10_040 + step_s)]
    live = [batch([0, 1, 2], [n] * 3, [1, 2, n], upto_s=n) for n in times]
    known = known_rows(line, live)
    assert 36 <= len(known) <= 46, "held for five seconds at the most"
    assert (np.diff(known[:, 2]) != 0).sum() >= 34


def test_a_clock_set_forward_within_a_batch_makes_no_rows_of_the_years_between() -> None:
    line = alignment(stale_s=5)
    line.add(batch([0, 1, 2], [1, 1, 1], [1, 2, 3], upto_s=1))
    rows = line.add(batch([0], [1.1], [9], upto_s=1e9))
    assert rows is not None
    assert len(rows.at) < 10_000
    assert not np.isnan(rows.value[3]).any()
    assert np.isnan(rows.value[-1]).all()


def test_a_tag_with_a_clock_of_its_own_counts_from_its_arrival() -> None:
    line = alignment()
    ahead_behind = [3600.0, -3600.0]
    live = [
        batch([0, 1, 2], [n, *(n + off for off in ahead_behind)], [n, n, n], upto_s=n)
        for n in range(10_000, 10_010)
    ]
    known = known_rows(line, live)[-9:]
    np.testing.assert_array_equal(known[:, 1:] - known[:, :1] > -2, True)


def test_the_gateway_clock_may_be_set_under_two_sources() -> None:
    tags = [*TAGS[:2], TagHandle(9, Tag(name="a/b/9", source="stamped", address=""))]
    line = Alignment(tags, {"plc": 5 * SECOND, "stamped": 5 * SECOND}, SECOND)
    live = [
        part
        for n in range(100)
        for wall in [n + 86_400 * (n > 50)]
        for part in (
            batch([0, 1], [n, n], [n, n], upto_s=n, received_s=wall),
            batch([2], [wall], [n], upto_s=wall, source="stamped", received_s=wall),
        )
    ]
    known = known_rows(line, live)
    assert known[-1].tolist() == [99, 99, 99]
    assert len(known) >= 90


def test_a_clock_an_hour_off_is_aligned_by_its_distance() -> None:
    tags = [*TAGS[:2], TagHandle(9, Tag(name="a/b/9", source="other", address=""))]
    line = Alignment(tags, {"plc": 5 * SECOND, "other": 5 * SECOND}, SECOND)
    line.add(batch([0, 1], [1, 1], [1, 2], upto_s=2))
    rows = line.add(batch([2], [3601], [3], upto_s=3602, source="other", received_s=2))
    assert rows is not None
    np.testing.assert_array_equal(rows.value[-1], [1, 2, 3])


@st.composite
def recordings(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.intp], list[int]]:
    n = draw(st.integers(1, 60))
    steps = draw(st.lists(st.integers(1, 3000), min_size=n, max_size=n))
    columns = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    cuts = draw(st.lists(st.integers(0, n), max_size=6))
    at = np.cumsum(np.array(steps, np.int64)) * 1_000_000 + SECOND
    return at, np.array(columns, np.intp), sorted({0, n, *cuts})


def feed(
    line: Alignment, at: NDArray[np.int64], column: NDArray[np.intp], cuts: list[int]
) -> tuple[list[int], NDArray[np.float64]]:
    ticks: list[int] = []
    rows: list[NDArray[np.float64]] = []
    for first, last in pairwise(cuts):
        part = batch(
            column[first:last].tolist(),
            (at[first:last] / SECOND).tolist(),
            np.arange(first, last, dtype=float).tolist(),
            upto_s=float(at[last - 1]) / SECOND,
        )
        line.restore(line.state())
        found = line.add(part)
        ticks += found.at.tolist() if found else []
        rows += [found.value] if found else []
    return ticks, np.concatenate(rows) if rows else np.empty((0, 3))


@settings(max_examples=80, deadline=None)
@given(recordings())
def test_any_cut_with_a_restart_at_each_gives_the_same_rows(
    recording: tuple[NDArray[np.int64], NDArray[np.intp], list[int]],
) -> None:
    at, column, cuts = recording
    ticks, rows = feed(alignment(stale_s=1e6), at, column, cuts)
    oracle = np.full((len(ticks), 3), np.nan)
    for row, tick in enumerate(ticks):
        for one in range(3):
            seen = np.flatnonzero((column == one) & (at <= tick))
            oracle[row, one] = seen[-1] if len(seen) else np.nan
    np.testing.assert_array_equal(rows, oracle)
    first = -(-int(at[0]) // SECOND) * SECOND
    assert ticks == list(range(first, int(at[-1]) + 1, SECOND))


def test_a_foreign_tag_is_left_alone() -> None:
    line = alignment()
    strange = replace(batch([0], [1], [1], upto_s=1), tag=np.array([77], np.int32))
    assert line.add(strange) is None, "nothing is known of the group's own tags"


@pytest.mark.parametrize("late_s", [0.2, 0.9])
def test_a_late_sample_never_rewrites_a_row_but_is_kept(late_s: float) -> None:
    line = alignment()
    line.add(batch([0, 1, 2], [1, 1, 1], [1, 2, 3], upto_s=3))
    rows = line.add(batch([0], [1 + late_s], [5], upto_s=4))
    assert rows is not None
    assert (rows.at // SECOND).tolist() == [4]
    np.testing.assert_array_equal(rows.value, [[5, 2, 3]])
