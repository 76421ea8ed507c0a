"""Windows over a history: the last moment agrees with every moment, lengths follow the life."""

import numpy as np
import pytest

from analytics.prognostics.traces import BLOCKS, Windows, blocks, filled
from plant.errors import Rejected

WINDOWS = Windows.of_life(90)
DIRECTIONS = np.array([[2.0, 0.0], [0.0, 2.0], [0.3, -0.1]])


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 30, 89, 90, 91, 250])
def test_last_moment_agrees_with_every_moment(rows: int) -> None:
    x = np.random.default_rng(0).normal(size=(250, 3))
    every = WINDOWS.every(x, DIRECTIONS, np.arange(250) + 1.0)
    last = WINDOWS.last(x[:rows], DIRECTIONS, float(rows))
    assert np.abs(last - every[rows - 1]).max() < 1e-10


def test_what_comes_later_changes_nothing_before() -> None:
    x = np.random.default_rng(0).normal(size=(250, 3))
    whole = WINDOWS.every(x, DIRECTIONS, np.arange(250.0))
    cut = WINDOWS.every(x[:100], DIRECTIONS, np.arange(100.0))
    assert whole[:100].tobytes() == cut.tobytes()


def test_each_feature_has_a_name() -> None:
    x = np.zeros((4, 3))
    names = WINDOWS.names(["a", "b", "c"], 2)
    assert len(names) == WINDOWS.every(x, DIRECTIONS, np.zeros(4)).shape[1]
    assert ("mean of b over 4 rows", 1) in names
    assert names[-1] == ("age", -1)


def test_slope_is_the_slope() -> None:
    x = np.arange(60.0)[:, None] * 0.25
    last = WINDOWS.last(x, np.ones((1, 1)), 60.0)
    names = [name for name, _ in WINDOWS.names(["a"], 1)]
    slopes = [value for name, value in zip(names, last, strict=True) if name.startswith("slope")]
    assert slopes == pytest.approx([0.25] * len(slopes))


def test_long_lives_are_looked_at_in_blocks() -> None:
    windows = Windows.of_life(40_000)
    assert windows.pace == 40
    assert windows.wear[-1] == BLOCKS


def test_blocks_count_back_from_the_last_row_and_leave_holes_out() -> None:
    rows = np.array([[1.0], [2.0], [np.nan], [4.0], [6.0]])
    assert blocks(rows, 2)[:, 0].tolist() == [1.0, 2.0, 5.0]
    assert np.isnan(blocks(np.full((2, 1), np.nan), 2)).all()


def test_hole_is_filled_with_what_was_known_before_and_never_after() -> None:
    rows = np.array([[np.nan, 1.0], [5.0, np.nan], [np.inf, 3.0]])
    assert filled(rows, np.array([9.0, 9.0])).tolist() == [[9.0, 1.0], [5.0, 1.0], [5.0, 3.0]]


def test_restored_windows_are_the_same() -> None:
    assert Windows.restore(WINDOWS.state()) == WINDOWS


@pytest.mark.parametrize("lengths", [[0, 4], [1, 0], [1, 1 << 40], [1]])
def test_senseless_lengths_are_refused(lengths: list[int]) -> None:
    state = WINDOWS.state() | {"lengths": np.array(lengths)}
    with pytest.raises(Rejected):
        Windows.restore(state)
