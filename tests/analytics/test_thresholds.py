"""Limits: out of sample, robust against a fault in the history, no label."""

import numpy as np
import pytest

from analytics.detectors.two_statistic import TwoStatistic
from analytics.thresholds import LOWEST, calibrated_limit, cross_fitted


def test_each_row_is_scored_by_the_others_in_order() -> None:
    rows = np.arange(10.0)[:, None]
    told = cross_fitted(
        rows, lambda learnt, judged: judged[:, 0] + 100 * np.isin(judged, learnt)[:, 0]
    )
    assert told.tolist() == rows[:, 0].tolist()


def test_cross_fitted_scores_are_higher_than_in_sample_ones() -> None:
    rows = np.random.default_rng(0).normal(size=(120, 30))
    detector = TwoStatistic([f"s{i}" for i in range(30)])
    healthy = detector.fit(rows, np.full(30, 1e-9), 120)
    assert np.median(healthy) > np.median(detector.score_rows(rows))


@pytest.mark.parametrize("signals", [2, 8, 40])
def test_healthy_rows_stay_below_the_limit_whatever_the_number_of_signals(signals: int) -> None:
    random = np.random.default_rng(signals)
    mixing = random.normal(size=(3, signals))
    rows = random.normal(size=(12000, 3)) @ mixing + random.normal(size=(12000, signals))
    detector = TwoStatistic([f"s{i}" for i in range(signals)])
    limit = calibrated_limit(detector.fit(rows[:2000], np.full(signals, 1e-9), 2000))
    assert (detector.score_rows(rows[2000:]) > limit).mean() < 1e-3


def test_more_margin_is_a_higher_limit() -> None:
    scores = np.random.default_rng(0).gamma(4, 0.5, 5000)
    assert calibrated_limit(scores, 2.0) > calibrated_limit(scores, 1.0) > scores.max()


def test_short_fault_in_the_history_hardly_moves_the_limit() -> None:
    scores = np.random.default_rng(0).gamma(4, 0.25, 5000)
    clean = calibrated_limit(scores)
    scores[100:108] = 500.0
    assert calibrated_limit(scores) == pytest.approx(clean, rel=0.1)


def test_limit_has_a_floor_and_passes_over_rows_without_a_score() -> None:
    assert calibrated_limit(np.array([0.5, np.nan, 0.5, 0.5])) == LOWEST
