"""Limits: higher for fewer alarms, more signals and faster rows; wider for a shorter history."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.limits import LEAST, WEEK_S, lengthened, limit_of, pool_limit, widened

signals = st.integers(1, 2000)
budget = st.floats(1e-3, 1e3)
row_s = st.floats(1e-3, 3600.0)
more = st.floats(1.0, 100.0)
half_life = st.floats(1.0, 240.0)
rows = st.floats(50.0, 1e7)
visits = st.integers(2, 1000)


@given(signals, budget, row_s, more)
def test_more_alarms_accepted_is_no_higher_limit(p: int, b: float, s: float, k: float) -> None:
    assert limit_of(p, b * k, s) <= limit_of(p, b, s)


@given(signals, budget, row_s, st.integers(0, 500))
def test_more_signals_is_no_lower_limit(p: int, b: float, s: float, k: int) -> None:
    assert limit_of(p + k, b, s) >= limit_of(p, b, s)


@given(signals, budget, row_s, more)
def test_slower_rows_is_no_higher_limit(p: int, b: float, s: float, k: float) -> None:
    assert limit_of(p, b, s * k) <= limit_of(p, b, s)


@given(signals, budget, row_s)
def test_no_limit_is_below_the_least(p: int, b: float, s: float) -> None:
    assert LEAST <= limit_of(p, b, s) < 10


@given(half_life, rows, more)
def test_longer_history_is_no_wider_limit(life: float, n: float, k: float) -> None:
    assert 1.0 < widened(life, n * k) <= widened(life, n)


@given(half_life, rows, more)
def test_longer_mean_is_no_narrower_limit(life: float, n: float, k: float) -> None:
    assert widened(life * k, n) >= widened(life, n)


@given(half_life, rows, visits, st.integers(0, 1000))
def test_more_visits_is_no_wider_limit_of_a_mode_that_comes_in_visits(
    life: float, n: float, v: int, k: int
) -> None:
    assert widened(life, n, v + k) <= widened(life, n, v)
    assert widened(life, n, v) >= widened(life, n)


def test_limit_is_crossed_by_chance_as_often_as_the_budget_says() -> None:
    p, hours = 8, 40
    limit = limit_of(p, WEEK_S / 3600, 1.0)
    gain = 1 - 0.5 ** (1 / 7)
    random = np.random.default_rng(0)
    level, above, crossed = np.zeros(p), np.zeros(p, bool), 0
    for row in random.normal(size=(hours * 3600, p)):
        level += gain * (row - level)
        beyond = np.abs(level) > limit * np.sqrt(gain / (2 - gain))
        crossed += int((beyond & ~above).sum())
        above = beyond
    assert 3 < crossed < 3 * hours, "one alarm an hour is the budget, of all channels"


@given(signals, st.floats(LEAST, 10.0), st.integers(0, 500), more)
def test_limit_of_a_distance_falls_with_signals_and_grows_with_rarity(
    p: int, limit: float, k: int, times: float
) -> None:
    assert 1 < pool_limit(p + k, limit) <= pool_limit(p, limit) <= pool_limit(p, limit * times)


@pytest.mark.parametrize("p", [1, 2, 8, 64])
def test_chance_reaches_the_limit_of_a_distance_as_seldom_as_that_of_one_signal(p: int) -> None:
    square = np.random.default_rng(p).chisquare(p, 400_000)
    beyond = np.mean(np.sqrt(square / p) > pool_limit(p, LEAST))
    assert 0.01 * np.exp(-(LEAST**2) / 2) < beyond <= np.exp(-(LEAST**2) / 2)


@given(half_life, rows, more)
def test_longer_history_is_no_longer_distance(life: float, n: float, k: float) -> None:
    assert 1.0 < lengthened(life, n * k) <= lengthened(life, n)


def test_nothing_learnt_is_a_finite_limit() -> None:
    assert widened(20.0, 0.0) == pytest.approx(1 + 2.8 * 2.9 * 20)
