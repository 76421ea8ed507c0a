"""Cells → numbers and instants."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.replay.cells import clock, has_zone, number, numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.5", 1.5),
        (" -2e-3 ", -0.002),
        (".5", 0.5),
        ("7.", 7.0),
        ("TRUE", 1.0),
        ("false", 0.0),
        ("9007199254740992", 2.0**53),
        ("1e300", 1e300),
    ],
)
def test_numbers_are_read(cell: str, value: float) -> None:
    assert number(cell) == value
    assert numbers([cell])[0].tolist() == [value]


@pytest.mark.parametrize("cell", ["", " ", "NaN", "nan", "NA", "n/a", "NULL", "None"])
def test_no_value_is_nan(cell: str) -> None:
    assert math.isnan(number(cell))
    values, wrong = numbers(["1", cell])
    assert math.isnan(values[1])
    assert wrong is None


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1,5", "is not a number"),
        ("1_000", "is not a number"),
        ("0x10", "is not a number"),
        ("inf", "is not a number"),
        ("١", "is not a number"),
        ("12 bar", "is not a number"),
        ("1e999", "too large"),
        ("9007199254740993", "too long a number to be kept exactly"),
    ],
)
def test_what_is_no_number_is_refused(cell: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        number(cell)
    assert numbers(["1", cell, "2", cell])[1] == 1


def test_a_decimal_comma_is_read_where_it_is_one() -> None:
    values, wrong = numbers(["1,25", "-0,5", "3"], decimal_comma=True)
    assert values.tolist() == [1.25, -0.5, 3.0]
    assert wrong is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_every_float_comes_back_exactly(wanted: list[float]) -> None:
    # A whole number beyond 2^53 is written with its exponent, as every writer of floats does.
    assert numbers([f"{value:.17e}" for value in wanted])[0].tolist() == wanted


@pytest.mark.parametrize(
    ("cell", "instant"),
    [
        ("1970-01-01 00:00:01", 10**9),
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01 01:00:01+01:00", 10**9),
        ("1970-01-01T00:00:00.000000001", 1),
        ("1970-01-01 00:00:00,5", 5 * 10**8),
        ("1970-01-02", 86_400 * 10**9),
        ("1969-12-31 23:59:59.9", -(10**8)),
        ("0", 0),
        ("1583077446", 1583077446 * 10**9),
        ("1583077446.000000001", 1583077446 * 10**9 + 1),
        ("1583077446123", 1583077446123 * 10**6),
        ("1583077446123456", 1583077446123456 * 10**3),
        ("1583077446123456789", 1583077446123456789),
    ],
)
def test_times_are_read_to_the_nanosecond(cell: str, instant: int) -> None:
    assert clock(cell)(cell) == instant


@given(st.integers(-(2**53), 2**53))
def test_naive_times_are_utc(microseconds: int) -> None:
    then = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    cell = then.replace(tzinfo=None).isoformat(" ")
    assert clock(cell)(cell) == microseconds * 1000
    assert not has_zone(cell)


@pytest.mark.parametrize(
    ("first", "cell"),
    [
        ("2020-01-01", "01.03.2020 15:44"),
        ("2020-01-01", "2020-02-30"),
        ("2020-01-01", "1583077446"),
        ("2020-01-01", "2300-01-01"),
        ("2020-01-01", ""),
        ("0", "2020-01-01"),
        ("0", "nan"),
        ("0", "inf"),
        ("0", "1e12"),
        ("", ""),
    ],
)
def test_what_is_no_time_is_refused(first: str, cell: str) -> None:
    with pytest.raises(ValueError, match=r"is not? "):
        clock(first)(cell)
