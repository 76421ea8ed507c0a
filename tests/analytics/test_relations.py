"""Relations: how many causes there are, what is left over, what a missing signal should show."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.relations import Relations, means, number_of_causes, residual_map, without_levels

Columns = NDArray[np.float64]


def plant(rows: int, signals: int, causes: int, seed: int = 0, noise: float = 0.5) -> Columns:
    """Make rows (n, p) that a few common causes move, and a noise of its own for every signal."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(causes, signals))
    common = random.normal(size=(rows, causes)) @ mixing
    made: Columns = common + noise * random.normal(size=(rows, signals))
    return made


def covariance(signals: int, causes: int, seed: int = 0) -> Columns:
    loading = np.random.default_rng(seed).normal(size=(signals, causes))
    made: Columns = loading @ loading.T + np.diag(np.linspace(0.2, 1.0, signals))
    return made


def relations(signals: int, causes: int = 2) -> Relations:
    random = np.random.default_rng(signals)
    centre, unit = random.normal(size=signals) * 10, random.uniform(0.5, 5.0, signals)
    return Relations(centre, unit, covariance(signals, causes))


@pytest.mark.parametrize(("signals", "causes"), [(8, 1), (12, 3), (40, 2), (40, 6), (200, 4)])
@pytest.mark.parametrize("seed", [0, 1])
def test_causes_of_a_plant_are_counted(signals: int, causes: int, seed: int) -> None:
    assert number_of_causes(plant(1500, signals, causes, seed)) == causes


@pytest.mark.parametrize("signals", [1, 2, 10, 100])
def test_signals_that_share_nothing_have_no_common_cause(signals: int) -> None:
    assert number_of_causes(np.random.default_rng(0).normal(size=(1000, signals))) == 0


@pytest.mark.parametrize("signals", [1, 2, 200])
def test_residual_says_nothing_that_the_others_know(signals: int) -> None:
    known = relations(signals)
    random = np.random.default_rng(1)
    away = random.multivariate_normal(np.zeros(signals), known.correlation, 20000)
    left = known.residuals(known.centre + known.unit * away)
    across = left.T @ away / len(away)
    spread = np.sqrt((left**2).mean(axis=0)[:, None] * (away**2).mean(axis=0))
    others = ~np.eye(signals, dtype=bool)
    assert np.abs(across / spread)[others].max(initial=0.0) < 0.05


@pytest.mark.parametrize("signals", [2, 10, 200])
def test_shift_of_one_signal_is_seen_whole_in_its_own_residual(signals: int) -> None:
    known = relations(signals)
    row = known.centre.copy()
    row[1] += 3 * known.unit[1]
    assert known.residuals(row[None])[0, 1] == pytest.approx(3.0)


def test_swing_of_a_cause_is_no_residual_in_a_plant_of_many_signals() -> None:
    correlation = np.ones((200, 200)) + 0.1 * np.eye(200)
    left = Relations(np.zeros(200), np.ones(200), correlation).residuals(np.full((1, 200), 5.0))
    assert np.abs(left).max() < 0.01


def test_lone_signal_is_its_own_residual() -> None:
    known = Relations(np.array([5.0]), np.array([2.0]), np.eye(1))
    assert known.residuals(np.array([[9.0]])).tolist() == [[2.0]]


@pytest.mark.parametrize("signals", [2, 10, 200])
def test_missing_signals_are_filled_with_their_conditional_expectation(signals: int) -> None:
    known = relations(signals)
    present = np.arange(signals) % 3 != 1
    rows = known.centre + known.unit * np.random.default_rng(2).normal(size=(3, signals))
    holed = np.where(present, rows, np.nan)
    filled = known.fill(holed, present)
    scaled = known.correlation * np.outer(known.unit, known.unit)
    told = scaled[np.ix_(~present, present)] @ np.linalg.inv(scaled[np.ix_(present, present)])
    wanted = known.centre[~present] + (rows - known.centre)[:, present] @ told.T
    np.testing.assert_allclose(filled[:, ~present], wanted, rtol=1e-8)
    assert np.array_equal(filled[:, present], rows[:, present])
    assert np.abs(known.residuals(filled)[:, ~present]).max() < 1e-8
    assert np.isnan(holed[:, ~present]).all(), "the rows given stay as they were"


def test_doubted_signal_is_told_by_the_others_around_the_present_level() -> None:
    known = Relations(np.zeros(2), np.ones(2), np.array([[1.0, 0.9], [0.9, 1.0]]))
    centre, doubted = np.array([10.0, 20.0]), np.array([False, True])
    assert known.expected(np.array([11.0, 99.0]), centre, doubted).tolist() == [10.0, 20.9]
    assert known.expected(np.array([np.nan, 99.0]), centre, doubted).tolist() == [10.0, 20.0]
    nobody = np.zeros(2, bool)
    assert known.expected(np.array([11.0, 99.0]), centre, nobody).tolist() == [10.0, 20.0]


@pytest.mark.parametrize("signals", [1, 2, 200])
def test_restored_relations_are_bit_equal(signals: int) -> None:
    known = relations(signals)
    again = Relations.restore({name: value.copy() for name, value in known.state().items()})
    rows = known.centre + np.random.default_rng(3).normal(size=(5, signals))
    present = np.arange(signals) % 2 == 0
    assert np.array_equal(again.residuals(rows), known.residuals(rows))
    assert np.array_equal(again.fill(rows, present), known.fill(rows, present))


def test_residual_map_of_unrelated_signals_changes_nothing() -> None:
    assert residual_map(np.diag([1.0, 4.0, 9.0])).tolist() == np.eye(3).tolist()


def test_means_pass_over_gaps_and_start_as_plain_means() -> None:
    rows = np.array([[1.0], [3.0], [np.nan], [5.0]])
    assert means(rows, 1e9)[:2, 0].tolist() == [1.0, 2.0]
    assert means(rows, 1e9)[2, 0] == 2.0
    assert np.isfinite(means(rows, 7.0)).all()


def test_level_of_each_stretch_is_its_own() -> None:
    blocks: list[Any] = [np.full((50, 2), 3.0), np.full((60, 2), 900.0)]
    assert without_levels(blocks, 20.0).tolist() == np.zeros((110, 2)).tolist()
