"""Fewer digits, and how far from the number they may lie."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.influx.digits import ULPS, plain, within_spread

ANY = st.floats(allow_nan=True, allow_infinity=True)
SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def one(value: float) -> float:
    (found,) = plain(np.array([value], np.float64)).tolist()
    return float(found)


@given(ANY)
def test_what_is_written_means_the_same(value: float) -> None:
    found = one(value)
    near = abs(found - value) <= ULPS * math.ulp(value)
    assert repr(found) == repr(value) or near or np.float32(found) == np.float32(value)


@given(SINGLE)
def test_a_32_bit_float_is_the_same_32_bit_float(value: float) -> None:
    found = one(value)
    assert np.float32(found) == np.float32(value)
    assert len(repr(found)) <= len(repr(value))


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers_stay(value: int) -> None:
    assert one(float(value)) == value


@given(st.integers(-32_768, 65_535), st.sampled_from([0.1, 0.01, 0.001, 0.02, 0.05, 0.5]))
def test_a_register_times_a_scale_is_a_short_decimal(register: int, scale: float) -> None:
    assert len(repr(one(register * scale)).lstrip("-")) <= 7


@given(st.decimals(-1000, 1000, places=3, allow_nan=False))
def test_what_a_32_bit_sensor_shows_takes_few_digits(shown: object) -> None:
    sensor = np.float32(str(shown))
    written = one(float(sensor))
    assert np.float32(written) == sensor
    assert written in (float(str(shown)), float(sensor))
    assert len(repr(written).lstrip("-")) <= 13


@pytest.mark.parametrize("value", [1 / 3, 2**0.5, 1e-300, 1e300, 5e-324, -0.0, 1234567890.1234567])
def test_a_number_with_all_its_digits_stays_to_the_bit(value: float) -> None:
    assert repr(one(value)) == repr(value)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60), st.sampled_from([1e-3, 1.0, 1e6, 1e12])
)
def test_mean_and_deviation_lie_within_the_spread(values: list[float], scale: float) -> None:
    samples = np.array(values) * scale
    low, high = plain(np.array([samples.min()])), plain(np.array([samples.max()]))
    mean, std = np.array([samples.mean()]), np.array([samples.std()])

    middle, spread = within_spread(mean, std, low, high)

    rounding = 4 * np.spacing(np.abs(samples).max()) * len(samples)
    assert low <= middle <= high
    assert abs(middle - mean) <= 5e-5 * std + rounding
    assert abs(spread - std) <= 5e-5 * std + rounding


def test_where_all_are_one_so_is_the_mean() -> None:
    value = np.array([0.1, 7.0])
    mean, std = within_spread(value + np.spacing(value), np.array([1e-17, 0.0]), value, value)
    assert (mean.tolist(), std.tolist()) == ([0.1, 7.0], [0.0, 0.0])


def test_where_nothing_is_known_nothing_is_said() -> None:
    nothing = np.array([np.nan])
    mean, std = within_spread(nothing, nothing, nothing, nothing)
    assert np.isnan(mean).all()
    assert np.isnan(std).all()
