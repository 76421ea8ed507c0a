"""Correlation: shrunk enough to invert, exact when signals are missing."""

import numpy as np
import pytest

from analytics.covariance import PATTERNS, Precision, shrinkage, shrunk_correlation


def test_more_rows_shrink_less_and_more_signals_more() -> None:
    assert shrinkage(8, 10) > shrinkage(8, 40) > shrinkage(8, 2000)
    assert shrinkage(40, 200) > shrinkage(8, 200)


def test_more_signals_than_rows_can_still_be_inverted() -> None:
    z = np.random.default_rng(0).normal(size=(10, 30))
    correlation = shrunk_correlation(z, 10)
    assert np.diag(correlation) == pytest.approx(np.ones(30))
    assert np.linalg.eigvalsh(correlation).min() > 0.05


def test_constant_signal_is_related_to_nothing() -> None:
    z = np.random.default_rng(0).normal(size=(100, 3))
    z[:, 1] = 0.0
    assert shrunk_correlation(z, 100)[1].tolist() == [0.0, 1.0, 0.0]


def test_one_wild_row_does_not_make_a_relation() -> None:
    z = np.random.default_rng(0).normal(size=(500, 2))
    z[7] = 1e6
    assert abs(shrunk_correlation(z, 500)[0, 1]) < 0.2


def test_missing_signal_equals_its_conditional_expectation() -> None:
    correlation = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.5], [0.3, 0.5, 1.0]])
    present = np.array([True, False, True])
    z = np.array([1.2, -0.7])
    inner, _ = Precision(correlation).of(present)
    guess = correlation[1, [0, 2]] @ np.linalg.inv(correlation[np.ix_([0, 2], [0, 2])]) @ z
    filled = np.array([z[0], guess, z[1]])
    assert z @ inner @ z == pytest.approx(filled @ np.linalg.inv(correlation) @ filled)


def test_remembered_patterns_are_bounded() -> None:
    precision = Precision(np.eye(12))
    for number in range(1, 3 * PATTERNS):
        precision.of(np.array([bool(number >> bit & 1) for bit in range(12)]))
    assert len(precision._known) <= PATTERNS
