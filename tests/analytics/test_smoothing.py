"""Smoothing: plain mean first, gaps held, state exact."""

import numpy as np
import pytest

from analytics.smoothing import Smoother


def smoothed(smoother: Smoother, rows: np.ndarray, mean: int = 0) -> np.ndarray:
    """Give one mean (n, p) of rows (n, p)."""
    return np.array([smoother.smooth(row, bool(np.isfinite(row).all()))[mean] for row in rows])


def test_it_starts_as_the_plain_mean() -> None:
    rows = np.array([[1.0], [3.0], [5.0]])
    assert smoothed(Smoother(1, (50,)), rows)[:, 0].tolist() == [1.0, 2.0, 3.0]


def test_step_is_half_there_after_the_half_life() -> None:
    rows = np.concatenate((np.zeros((400, 1)), np.ones((7, 1))))
    assert smoothed(Smoother(1, (7,)), rows)[-1, 0] == pytest.approx(0.5)


def test_missing_value_is_missing_now_and_forgotten_later() -> None:
    rows = np.full((60, 2), 4.0)
    rows[20:25, 0] = np.nan
    told = smoothed(Smoother(2, (7,)), rows)
    assert np.isnan(told[20:25, 0]).all()
    assert told[25:, 0].tolist() == [4.0] * 35
    assert told[:, 1].tolist() == [4.0] * 60


def test_signal_that_appears_late_starts_at_its_value() -> None:
    rows = np.full((30, 1), np.nan)
    rows[20:] = 9.0
    assert smoothed(Smoother(1, (7,)), rows)[20:, 0].tolist() == [9.0] * 10


@pytest.mark.parametrize("cut", [0, 1, 22, 40])
def test_restored_smoother_goes_on_bit_equal(cut: int) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    rows[20:25, 1] = np.nan
    whole = smoothed(Smoother(3, (7, 20)), rows)
    first, again = Smoother(3, (7, 20)), Smoother(3, (7, 20))
    smoothed(first, rows[:cut])
    again.restore(first.state())
    assert np.array_equal(smoothed(again, rows[cut:]), whole[cut:], equal_nan=True)


def test_starting_again_forgets() -> None:
    smoother = Smoother(1, (7,))
    smoothed(smoother, np.full((50, 1), 100.0))
    smoother.start_again()
    assert smoothed(smoother, np.ones((1, 1)))[0, 0] == 1.0


def test_each_mean_has_its_own_half_life() -> None:
    rows = np.concatenate((np.zeros((400, 1)), np.ones((20, 1))))
    assert smoothed(Smoother(1, (7, 20)), rows, 1)[-1, 0] == pytest.approx(0.5, abs=1e-4)
    assert smoothed(Smoother(1, (7, 20)), rows, 0)[-1, 0] == pytest.approx(1 - 0.5 ** (20 / 7))


def test_one_mean_goes_on_from_another() -> None:
    smoother = Smoother(1, (7, 20))
    smoothed(smoother, np.concatenate((np.zeros((100, 1)), np.ones((30, 1)))))
    smoother.start_from(1, 0)
    quick, slow = smoother.state()["mean"]
    assert slow == quick > 0.9


def test_ripe_means_weigh_each_row_by_its_half_life_alone() -> None:
    rows = np.random.default_rng(1).normal(size=(300, 3))
    smoother, lengths = Smoother(3, (7, 20)), np.array([[7.0], [20.0]])
    smoothed(smoother, rows[:100])
    expected = smoother.state()["mean"]
    smoothed(smoother, rows[100:])
    for row in rows[100:]:
        expected += (1 - 0.5 ** (1 / lengths)) * (row - expected)
    np.testing.assert_allclose(smoother.mean, expected, rtol=1e-12)


def test_ripe_means_of_a_signal_that_stands_still_stand_still() -> None:
    smoother = Smoother(2, (7, 60))
    told = smoothed(smoother, np.full((2000, 2), [1e6 / 3, -7e-5]), 1)
    assert told[100:].tolist() == [[1e6 / 3, -7e-5]] * 1900


def test_means_of_rows_to_come_are_those_that_come() -> None:
    rows = np.random.default_rng(2).normal(size=(160, 5))
    smoother = Smoother(5, (7, 20))
    smoothed(smoother, rows[:100])
    ahead = smoother.ahead(rows[100:])
    assert ahead[0].tolist() == smoother.mean.tolist()
    for row, told in zip(rows[100:], ahead[1:], strict=True):
        assert smoother.smooth(row, True).tolist() == told.tolist()
