"""Windows of samples: equal to exact arithmetic, whatever order the samples come in."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.savings import Savings, worst_errors
from analytics.summaries import merged, summarise
from plant.errors import Rejected
from plant.records import SummaryRecord, joined
from plant.summaries import HOUR, MINUTE, TEN_SECONDS

GOOD, UNCERTAIN, BAD = 0, 0x40900000, 0x80050000
Sample = tuple[int, int, float, int]

numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9).map(float))
samples = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(-50, 50),
        st.one_of(numbers, st.just(math.nan)),
        st.sampled_from([GOOD, GOOD, GOOD, UNCERTAIN, BAD]),
    ),
    max_size=60,
)


def columns(rows: list[Sample]) -> tuple[NDArray[Any], ...]:
    tag, at, value, status = zip(*rows, strict=True) if rows else ((), (), (), ())
    return (
        np.array(tag, np.int32),
        np.array(at, np.int64),
        np.array(value, np.float64),
        np.array(status, np.uint32),
    )


def made(rows: list[Sample], every: int = 10) -> SummaryRecord:
    return summarise("line", every, *columns(rows))


def bits(record: SummaryRecord) -> list[bytes]:
    return [column.tobytes() for _, column, _ in record.columns()]


@given(samples, st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_bit(rows: list[Sample], random: Any) -> None:
    again = rows + rows[: len(rows) // 2]
    random.shuffle(again)

    assert bits(made(again)) == bits(made(rows))


def exact(values: list[float]) -> tuple[Fraction, Fraction]:
    parts = [Fraction(value) for value in values]
    mean = sum(parts) / len(parts)
    return mean, sum((part - mean) ** 2 for part in parts) / len(parts)


@given(st.lists(numbers, min_size=1, max_size=40))
def test_statistics_equal_exact_arithmetic(values: list[float]) -> None:
    window = made([(1, place, value, GOOD) for place, value in enumerate(values)], 100)
    mean, variance = exact(values)
    largest = Fraction(max(map(abs, values)))

    assert (window.low[0], window.high[0]) == (min(values), max(values))
    assert (window.first[0], window.last[0]) == (values[0], values[-1])
    assert abs(Fraction(window.mean[0]) - mean) <= largest * Fraction(2) ** -50 + Fraction(5e-324)
    spread = Fraction(max(values)) - Fraction(min(values))
    found = Fraction(window.std[0])
    assert abs(found**2 - variance) <= (spread**2 + largest**2 * Fraction(2) ** -48) * Fraction(
        2
    ) ** -44 + Fraction(5e-324) * (found + 1)


def test_a_small_deviation_on_a_large_mean_is_kept() -> None:
    rows = [(1, place, 1e9 + (-1) ** place * 1e-3, GOOD) for place in range(1000)]

    assert made(rows, 1000).std[0] == pytest.approx(1e-3, rel=1e-4)


@pytest.mark.parametrize("value", [0.1, 1.7976931348623157e308, 5e-324, -3.3e-200, 0.0])
def test_a_constant_has_no_deviation_and_is_its_own_mean(value: float) -> None:
    window = made([(1, place, value, GOOD) for place in range(9)])

    assert (window.mean[0], window.std[0]) == (value, 0.0)


def test_extremes_of_both_signs_do_not_overflow() -> None:
    most = 1.7976931348623157e308
    window = made([(1, 0, most, GOOD), (1, 1, -most, GOOD)])

    assert (window.mean[0], window.std[0]) == (0.0, most)


@pytest.mark.parametrize(
    ("pair", "kept"),
    [
        ([(5.0, BAD), (1.0, UNCERTAIN), (3.0, GOOD)], (1, 3.0)),
        ([(5.0, GOOD), (3.0, GOOD)], (1, 3.0)),
        ([(5.0, UNCERTAIN), (3.0, BAD)], (0, math.nan)),
        ([(-0.0, GOOD), (0.0, GOOD)], (1, 0.0)),
        ([(7.0, 0x00300000), (9.0, GOOD)], (1, 9.0)),
    ],
)
@pytest.mark.parametrize("backwards", [1, -1])
def test_of_two_samples_of_one_time_the_better_counts(
    pair: list[tuple[float, int]], kept: tuple[int, float], backwards: int
) -> None:
    window = made([(1, 4, value, status) for value, status in pair][::backwards])

    assert window.count.tolist() == [1]
    assert window.good.tolist() == [kept[0]]
    assert window.mean.tolist() == pytest.approx([kept[1]], nan_ok=True)


def test_good_without_a_number_is_not_good() -> None:
    window = made([(1, 0, math.nan, GOOD), (1, 1, math.inf, GOOD), (1, 2, 4.0, GOOD)])

    assert (window.count[0], window.good[0], window.high[0]) == (3, 1, 4.0)


def test_windows_begin_at_multiples_also_before_1970() -> None:
    window = made([(1, at, 1.0, GOOD) for at in (-11, -10, -1, 0, 9, 10)])

    assert window.start.tolist() == [-20, -10, 0, 10]
    assert window.count.tolist() == [1, 2, 2, 1]


def test_tags_far_apart_in_time_are_sorted_all_the_same() -> None:
    rows = [(tag, at, 1.0, GOOD) for tag in (2**31 - 1, 0) for at in (2**62, -(2**62))]
    window = made(rows)

    assert window.tag.tolist() == [0, 0, 2**31 - 1, 2**31 - 1]
    assert (window.start[::2] < window.start[1::2]).all()


@given(samples, st.randoms(use_true_random=False))
def test_merged_windows_say_what_the_samples_said(rows: list[Sample], random: Any) -> None:
    short = made(rows)
    order = list(range(len(short)))
    random.shuffle(order)
    long, whole = merged(short.take(np.array(order, np.intp)), 40), made(rows, 40)

    assert bits(long) == bits(merged(short, 40))
    for name in ("tag", "start", "count", "good", "low", "high", "first", "last"):
        assert getattr(long, name).tobytes() == getattr(whole, name).tobytes()
    largest = np.maximum(np.abs(whole.low), np.abs(whole.high))
    both = np.isfinite(largest)
    assert (np.abs(long.mean - whole.mean)[both] <= largest[both] * 1e-14 + 5e-324).all()
    # A deviation that is nothing beside the values is lost in their rounding.
    assert (np.abs(long.std - whole.std)[both] <= largest[both] * 1e-7).all()


def test_an_hour_of_minutes_of_ten_seconds_equals_the_hour() -> None:
    rng = np.random.default_rng(5)
    rows = 3600
    at = np.arange(rows, dtype=np.int64) * 10**9
    value = 1e6 + rng.normal(0, 0.01, rows)
    args = np.ones(rows, np.int32), at, value, np.zeros(rows, np.uint32)
    hour = merged(merged(summarise("s", TEN_SECONDS, *args), MINUTE), HOUR)

    assert hour.count.tolist() == [rows]
    assert hour.mean[0] == pytest.approx(value.mean(), rel=1e-15)
    assert hour.std[0] == pytest.approx(value.std(), rel=1e-9)


@pytest.mark.parametrize("every", [0, -1, 15, 5])
def test_only_whole_multiples_are_merged(every: int) -> None:
    with pytest.raises(Rejected, match="cannot be made from such of 10 ns"):
        merged(made([(1, 0, 1.0, GOOD)]), every)


def test_windows_without_length_are_refused() -> None:
    with pytest.raises(Rejected, match="has to be positive"):
        made([(1, 0, 1.0, GOOD)], 0)


@given(st.lists(numbers, min_size=1, max_size=30))
def test_no_sample_is_farther_from_the_mean_than_told(values: list[float]) -> None:
    window = made([(1, place, value, GOOD) for place, value in enumerate(values)], 100)
    bound = worst_errors(window)[0]

    with np.errstate(over="ignore"):
        farthest = max(abs(np.float64(value) - window.mean[0]) for value in values)
    assert farthest == bound


def test_savings_count_each_sample_once() -> None:
    savings = Savings(TEN_SECONDS)
    tens = [second * TEN_SECONDS for second in range(6)]
    rows = [(tag, ten + n, float(n), GOOD) for tag in (0, 2) for ten in tens for n in range(10)]
    short = made(rows, TEN_SECONDS)
    savings.take(short)
    savings.take(short.take(np.array([0, 5], np.intp)))
    savings.take(merged(short, MINUTE))

    assert savings.samples.tolist() == [60, 0, 60]
    assert savings.raw_bytes.tolist() == [1440, 0, 1440]
    assert savings.windows.tolist() == [9, 0, 7]
    assert savings.summary_bytes.tolist() == [9 * 68, 0, 7 * 68]
    # a live array would be given again, and the journal writes it while more is counted
    taken, again = savings.state(), savings.state()
    assert [name for name in taken if np.may_share_memory(taken[name], again[name])] == []
    assert savings.worst.tolist() == pytest.approx([4.5, math.nan, 4.5], nan_ok=True)


def test_savings_go_on_where_they_were() -> None:
    tens = [second * TEN_SECONDS for second in range(6)]
    parts = [made([(2, ten + n, float(n), GOOD) for n in range(10)], TEN_SECONDS) for ten in tens]
    whole, before = Savings(TEN_SECONDS, 5), Savings(TEN_SECONDS, 5)
    for part in parts:
        whole.take(part)
    for part in parts[:3]:
        before.take(part)
    after = Savings(TEN_SECONDS, 99)
    after.restore(before.state())
    for part in parts[2:]:
        after.take(part)
    whole.take(parts[2])

    assert after.since == 5
    for name, column in whole.state().items():
        np.testing.assert_array_equal(after.state()[name], column)


def test_said_again_is_once_and_the_last_holds() -> None:
    first, second = made([(1, 0, 1.0, GOOD), (2, 0, 5.0, GOOD)]), made([(1, 3, 2.0, GOOD)])
    latest = joined([first, second]).latest()

    assert (latest.tag.tolist(), latest.mean.tolist()) == ([1, 2], [2.0, 5.0])


def test_apart_gives_a_record_for_each_start() -> None:
    apart = made([(1, 25, 1.0, GOOD), (1, 3, 2.0, GOOD), (2, 4, 3.0, GOOD)]).apart()

    assert [(one.start.tolist(), one.tag.tolist()) for one in apart] == [
        ([0, 0], [1, 2]),
        ([20], [1]),
    ]


def test_nothing_gives_nothing() -> None:
    nothing = made([])

    assert (len(nothing), len(merged(nothing, 20)), len(nothing.latest())) == (0, 0, 0)
    assert nothing.apart() == []
