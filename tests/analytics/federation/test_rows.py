"""Joint rows of windows: what is a row, and why another one is none."""

from collections.abc import Sequence

import numpy as np

from analytics.federation.rows import joint_rows
from plant.summaries import Windows
from tests.analytics.federation.agreed import RUN, START, terms

TEN = 10 * 10**9
PLAN = terms(settle_s=20.0)


def windows(tag: int, at: Sequence[int], mean: Sequence[float], good: int = 10) -> Windows:
    n = len(at)
    values = np.array(mean, np.float64)
    count = np.full(n, 10, np.int64)
    return Windows(
        np.full(n, tag, np.int32), START + np.array(at, np.int64) * TEN, count,
        np.full(n, good, np.int64), values, values, values, np.zeros(n), values, values,
    )  # fmt: skip


def line(at: Sequence[int], mode: Sequence[float]) -> list[Windows]:
    """Give windows of three signals, whose values tell where they were, and of their mode."""
    signals = [windows(tag, at, [100 * tag + place for place in at]) for tag in range(3)]
    return [*signals, windows(3, at, mode)]


def places(pieces: Sequence[Windows], **more: object) -> list[int]:
    found = joint_rows(pieces, 3, PLAN, **more)  # type: ignore[arg-type]
    return ((found.at - START) // TEN).tolist()


def test_a_row_is_the_means_of_one_window() -> None:
    found = joint_rows(line(range(6), [RUN] * 6), 3, PLAN)
    assert found.values[0].tolist() == [2, 102, 202]
    assert found.mode.tolist() == [RUN] * 4
    assert len(found.of(RUN)) == 4
    assert len(found.of(0)) == 0


def test_after_a_change_of_mode_it_settles() -> None:
    mode = [0, 0, 0, 0, 1, 1, 1, 1]
    assert places(line(range(8), mode)) == [2, 3, 6, 7]


def test_a_window_in_which_the_mode_changed_is_none() -> None:
    pieces = line(range(9), [1] * 9)
    pieces[3].low[4] = 0
    assert places(pieces) == [2, 3, 7, 8]


def test_after_a_gap_it_settles() -> None:
    assert places(line([0, 1, 2, 3, 7, 8, 9, 10], [1] * 8)) == [2, 3, 9, 10]


def test_a_bad_sample_costs_the_row() -> None:
    pieces = line(range(6), [1] * 6)
    pieces[1].good[4] = 9
    found = joint_rows(pieces, 3, PLAN)
    assert ((found.at - START) // TEN).tolist() == [2, 3, 5]
    assert found.dropped["bad or missing values"] == 1


def test_a_missing_signal_costs_the_row() -> None:
    pieces = line(range(6), [1] * 6)
    pieces[2] = windows(2, [0, 1, 2, 3], [0.0] * 4)
    assert places(pieces) == [2, 3]


def test_modes_that_are_not_in_the_plan_are_left_out() -> None:
    assert places(line(range(6), [7] * 6)) == []


def test_what_touches_a_fault_is_left_out() -> None:
    struck = [(START + 3 * TEN + 1, START + 4 * TEN)]
    assert places(line(range(7), [1] * 7), excluded=struck) == [2, 4, 5, 6]


def test_an_asset_without_a_mode_has_the_plans_first() -> None:
    found = joint_rows(line(range(5), [1] * 5)[:3], 3, PLAN, has_mode=False)
    assert found.mode.tolist() == [0, 0, 0]


def test_nothing_gives_no_rows() -> None:
    assert len(joint_rows([], 3, PLAN).at) == 0
