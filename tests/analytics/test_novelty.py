"""Novelty of a lone signal: told once, armed again, used to what comes every day."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.novelty import Novelty

Columns = NDArray[np.float64]
LEARN, BAR = 1000, 10.0
DAY = 288


def noise(rows: int, seed: int = 0) -> Columns:
    made: Columns = 20 + 0.1 * np.random.default_rng(seed).normal(size=rows)
    return made


def taught(values: Columns, bar: float = BAR) -> Novelty:
    novelty = Novelty(bar)
    for value in values[:LEARN].tolist():
        novelty.learn(value)
    novelty.fit()
    return novelty


def told(novelty: Novelty, values: Columns) -> tuple[Columns, list[int]]:
    """Give surprises (n,) and the rows that were events."""
    seen = [novelty.surprise(value) for value in values.tolist()]
    return np.array([score for score, _ in seen]), [k for k, (_, event) in enumerate(seen) if event]


def test_step_is_one_event() -> None:
    values = noise(4000)
    values[1500:] += 3.0
    _, events = told(taught(values), values[LEARN:])
    assert len(events) == 1
    assert 500 <= events[0] < 506


def test_after_a_step_it_is_armed_again() -> None:
    values = noise(6000)
    values[1500:] += 3.0
    values[4500:] -= 6.0
    _, events = told(taught(values), values[LEARN:])
    assert len(events) == 2
    assert 3500 <= events[1] < 3506


@pytest.mark.parametrize("seed", range(4))
def test_noise_alone_is_no_event(seed: int) -> None:
    values = noise(6000, seed)
    _, events = told(taught(values, bar=17.9), values[LEARN:])
    assert events == []


def daily(height: float, days: int = 20) -> Columns:
    """Make a history, then days with a spike at noon."""
    values = noise(LEARN + days * DAY)
    values[LEARN + DAY // 2 :: DAY] += height
    return values


def test_spike_of_every_day_is_no_news_after_a_while() -> None:
    values = daily(0.5)
    _, events = told(taught(values), values[LEARN:])
    assert events[0] == DAY // 2
    assert len(events) <= 4


def test_large_spike_of_every_day_surprises_less_and_less() -> None:
    values = daily(3.0)
    scores, _ = told(taught(values), values[LEARN:])
    highest = scores.reshape(20, DAY).max(axis=1)
    assert highest[1:].max() < highest[0] / 2
    assert highest[-5:].max() < highest[0] / 3


def test_no_event_follows_at_once() -> None:
    values = noise(2000)
    values[1500:1600] += 3.0 * np.arange(100)
    _, events = told(taught(values), values[LEARN:])
    assert all(later - sooner > LEARN // 5 for sooner, later in pairwise(events))


def test_bar_is_higher_after_an_event_and_comes_down_again() -> None:
    values = noise(4000)
    values[1100] += 5.0
    novelty = taught(values)
    told(novelty, values[LEARN:1101])
    assert novelty.bar == pytest.approx(BAR + 0.5, abs=0.01)
    told(novelty, values[1101:2101])
    assert novelty.bar == pytest.approx(BAR + 0.25, abs=0.01)


@pytest.mark.parametrize("level", [0.0, 20.0, -1e6])
def test_constant_history_is_quiet_until_something_moves(level: float) -> None:
    values = np.full(3000, level)
    values[2000:] += 1.0
    scores, events = told(taught(values), values[LEARN:])
    assert np.isfinite(scores).all()
    assert events[0] == 1000


def test_pooled_strangeness_rises_with_restlessness_and_is_low_while_healthy() -> None:
    values = noise(3000)
    novelty = taught(values)
    told(novelty, values[LEARN:2000])
    healthy = novelty.pooled
    told(novelty, 20 + 20 * (values[2000:2100] - 20))
    assert novelty.pooled > 5 * healthy + 0.1


@pytest.mark.parametrize("cut", [0, 30, 999, 1000, 1501, 1700])
def test_restored_novelty_goes_on_bit_equal(cut: int) -> None:
    values = noise(2500)
    values[1500:] += 3.0
    whole, first, again = Novelty(BAR), Novelty(BAR), Novelty(BAR)
    scores = play(whole, values, 0, 2500)
    before = play(first, values, 0, cut)
    again.restore({name: value.copy() for name, value in first.state().items()})
    assert before + play(again, values, cut, 2500) == scores
    assert (again.pooled, again.bar) == (whole.pooled, whole.bar)


def play(novelty: Novelty, values: Columns, begin: int, end: int) -> list[tuple[float, bool]]:
    """Learn the rows before `LEARN`, judge the others."""
    for value in values[begin : min(end, LEARN)].tolist():
        novelty.learn(value)
    for _ in range(begin < LEARN <= end):
        novelty.fit()
    return [novelty.surprise(value) for value in values[max(begin, LEARN) : end].tolist()]


def test_nothing_learnt_gives_finite_surprises() -> None:
    novelty = Novelty(BAR)
    novelty.fit()
    scores, _ = told(novelty, noise(100))
    assert np.isfinite(scores).all()
