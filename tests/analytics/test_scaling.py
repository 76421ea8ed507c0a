"""Centre and scale: faults in the history do not carry them away, silence does not break them."""

import numpy as np
import pytest

from analytics.scaling import followed, quantum, robust_centre, robust_scale, scale_floor


def test_scale_of_a_normal_signal_is_a_little_above_its_deviation() -> None:
    away = np.random.default_rng(0).normal(scale=2.0, size=(5000, 1))
    assert robust_scale(away, np.zeros(1))[0] == pytest.approx(2.0, rel=0.1)


def test_a_few_wild_rows_do_not_widen_the_scale() -> None:
    away = np.random.default_rng(0).normal(size=(1000, 1))
    clean = robust_scale(away, np.zeros(1))
    away[:40] = 1e6
    assert robust_scale(away, np.zeros(1)) == pytest.approx(clean, rel=0.15)


def test_missing_rows_count_for_nothing() -> None:
    away = np.random.default_rng(0).normal(size=(400, 2))
    away[200:, 1] = np.nan
    half = robust_scale(away[:200], np.zeros(2))[1]
    assert robust_scale(away, np.zeros(2))[1] == pytest.approx(half)


def test_signal_that_was_never_seen_has_no_centre_and_its_floor() -> None:
    rows = np.full((10, 1), np.nan)
    assert np.isnan(robust_centre(rows)).all()
    assert robust_scale(rows, np.array([0.5])).tolist() == [0.5]


def test_floor_is_a_share_of_the_span_over_all_modes() -> None:
    rows = np.concatenate((np.zeros(500), np.full(500, 60.0)))[:, None]
    assert scale_floor(rows)[0] == pytest.approx(0.18)


def test_level_follows_drift_but_not_a_fault() -> None:
    drift = np.linspace(0, 10, 2000)[:, None] + np.random.default_rng(0).normal(size=(2000, 1))
    away, level = followed(drift, 100)
    assert level[0] == pytest.approx(9.5, abs=1.0)
    assert np.abs(away[500:].mean()) < 1.5
    steady = np.random.default_rng(0).normal(size=(2000, 1))
    steady[1000:1020] = 1e5
    assert followed(steady, 100)[1][0] == pytest.approx(0, abs=0.7)


def test_level_stays_while_a_signal_is_missing() -> None:
    rows = np.ones((100, 1)) + 0.01 * np.random.default_rng(0).normal(size=(100, 1))
    rows[40:] = np.nan
    away, level = followed(rows, 10)
    assert level[0] == pytest.approx(1.0, abs=0.02)
    assert np.isnan(away[40:]).all()


def test_coarse_signals_have_a_step_and_fine_ones_none() -> None:
    fine = np.random.default_rng(0).normal(size=200)
    rows = np.column_stack((np.round(fine * 4) / 4, fine, np.full(200, 7.0)))
    assert quantum(rows).tolist() == [0.25, 0.0, 0.0]
