"""Rows that are laid out of windows say what the windows said, and look like those they came of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.training.layout import Stretch, Texture, lay_out, resolution, slow_course
from tests.analytics.training.courses import course
from tests.mill import rows

FINE = np.zeros(2)


def noisy(seed: int, seconds: int, memory: float, correlation: float) -> NDArray[np.float64]:
    """Give two signals (n, 2) that wander, with noise that has a memory and goes together."""
    random = np.random.default_rng(seed)
    drawn = random.standard_normal((seconds, 2))
    drawn[:, 1] = correlation * drawn[:, 0] + np.sqrt(1 - correlation**2) * drawn[:, 1]
    noise = np.empty_like(drawn)
    noise[0] = drawn[0]
    for at in range(1, seconds):
        noise[at] = memory * noise[at - 1] + np.sqrt(1 - memory**2) * drawn[at]
    slow = np.sin(np.arange(seconds) / 300)[:, None]
    return np.asarray(20 + 5 * slow + noise, np.float64)


def stretch(values: NDArray[np.float64], count: int) -> Stretch:
    piece = values.reshape(-1, count, values.shape[1])
    return Stretch(
        piece.mean(axis=1), piece.std(axis=1), piece.min(axis=1), piece.max(axis=1),
        piece[:, 0], piece[:, -1],
    )  # fmt: skip


def laid(values: NDArray[np.float64], count: int, seed: int = 0) -> NDArray[np.float64]:
    one = stretch(values, count)
    random = np.random.default_rng(seed)
    return lay_out(one, count, Texture.of([one], count), FINE, random)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), count=st.sampled_from([10, 60]),
    memory=st.floats(0, 0.9), correlation=st.floats(-0.9, 0.9),
)  # fmt: skip
def test_every_window_keeps_first_last_mean_deviation_and_extremes(
    seed: int, count: int, memory: float, correlation: float
) -> None:
    values = noisy(seed, 30 * count, memory, correlation)
    one, again = stretch(values, count), stretch(laid(values, count, seed), count)
    np.testing.assert_array_equal(again.first, one.first)
    np.testing.assert_array_equal(again.last, one.last)
    assert np.abs(again.mean - one.mean).max() <= 0.2 * one.std.max()
    assert abs(float(np.mean(again.mean - one.mean))) <= 0.01 * one.std.mean()
    assert 0.9 <= float(np.mean(again.std) / np.mean(one.std)) <= 1.02
    assert (again.low >= one.low - 1e-9).all()
    assert (again.high <= one.high + 1e-9).all()


@pytest.mark.parametrize("count", [10, 60])
@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.8])
def test_what_signals_do_together_stays(count: int, correlation: float) -> None:
    values = noisy(3, 300 * count, 0.5, correlation)
    fast = np.diff(laid(values, count), axis=0)
    assert np.corrcoef(fast.T)[0, 1] == pytest.approx(correlation, abs=0.15)


@pytest.mark.parametrize("memory", [0.0, 0.4, 0.8])
def test_a_row_hands_as_much_of_its_noise_to_the_next(memory: float) -> None:
    values = noisy(4, 9000, memory, 0.0)
    sizes = [float(np.diff(each, axis=0).std()) for each in (values, laid(values, 10))]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.15)


def test_the_same_windows_give_the_same_rows() -> None:
    values = noisy(5, 3000, 0.4, 0.5)
    np.testing.assert_array_equal(laid(values, 10), laid(values, 10))


def test_what_stood_still_stands_still() -> None:
    values = np.full((600, 2), 7.25)
    np.testing.assert_array_equal(laid(values, 10), values)


def test_the_course_through_means_keeps_them() -> None:
    mean = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(slow_course(mean, 10).mean(axis=1), mean, atol=1e-12)


def test_rows_keep_the_resolution_of_the_sensor() -> None:
    values = np.rint(noisy(6, 6000, 0.4, 0.5) / 0.25) * 0.25
    one = stretch(values, 10)
    step = resolution([one])
    np.testing.assert_array_equal(step, [0.25, 0.25])
    texture = Texture.of([one], 10)
    told = lay_out(one, 10, texture, step, np.random.default_rng(0)) / 0.25
    np.testing.assert_allclose(told, np.rint(told), atol=1e-9)


def test_a_signal_that_is_silent_stays_silent() -> None:
    values = rows(600)
    values[:, 1] = np.nan
    one = course(values).stretch(0, 60, 4)
    told = lay_out(one, 10, Texture.of([one], 10), np.zeros(4), np.random.default_rng(0))
    assert np.isnan(told[:, 1]).all()
    assert np.isfinite(told[:, [0, 2, 3]]).all()
