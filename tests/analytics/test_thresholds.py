"""Scores of rows that were not learnt."""

import numpy as np

from analytics.detectors.two_statistic import TwoStatistic
from analytics.thresholds import cross_fitted


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
