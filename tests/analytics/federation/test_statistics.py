"""Moments: merged is pooled, whatever the split, the order and the offset."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.federation.refusals import Refused, Why
from analytics.federation.statistics import Statistics, check, merge, packed, unpacked

Columns = NDArray[np.float64]
SPREAD = np.array([1.0, 0.05, 20.0, 1e-3])


def rows_at(offset: float, seed: int, count: int = 400) -> Columns:
    """Make correlated rows whose mean lies so many spreads from zero."""
    random = np.random.default_rng(seed)
    mixed = random.standard_normal((count, 4)) @ random.standard_normal((4, 4))
    return np.asarray((offset + mixed) * SPREAD)


def exact(rows: Columns) -> tuple[Columns, Columns]:
    """Give mean and scatter with more digits than the numbers have."""
    wide = rows.astype(np.longdouble)
    mean = wide.mean(axis=0)
    away = wide - mean
    return mean.astype(np.float64), (away.T @ away).astype(np.float64)


def difference(known: Statistics, mean: Columns, scatter: Columns) -> float:
    """Give the largest difference, in the size of what it is a difference of."""
    size = np.sqrt(np.diag(scatter))
    spread = size / np.sqrt(known.n)
    apart = np.abs(known.scatter - scatter) / np.outer(size, size)
    return float(max(apart.max(), (np.abs(known.mean - mean) / spread).max()))


@settings(max_examples=60, deadline=None)
@given(
    offset=st.sampled_from([0.0, 2e2, -2e4, 2e6]),
    cuts=st.lists(st.integers(1, 399), min_size=1, max_size=9, unique=True),
    apart=st.floats(0.0, 5.0),
    seed=st.integers(0, 1000),
)
def test_merged_is_pooled_to_a_billionth(
    offset: float, cuts: list[int], apart: float, seed: int
) -> None:
    rows = rows_at(offset, seed)
    rows[200:] += apart * SPREAD
    parts = [Statistics.of(part) for part in np.split(rows, sorted(cuts))]
    merged = merge(parts)
    pooled = Statistics.of(rows)
    assert merged.n == len(rows)
    assert difference(merged, pooled.mean, pooled.scatter) < 1e-9
    assert difference(merged, *exact(rows)) < 1e-9


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(6)),
    offset=st.sampled_from([0.0, 2e6]),
    seed=st.integers(0, 100),
)
def test_order_of_the_parts_does_not_change_a_bit(
    order: list[int], offset: float, seed: int
) -> None:
    parts = [Statistics.of(part) for part in np.array_split(rows_at(offset, seed), 6)]
    one, other = merge(parts), merge([parts[place] for place in order])
    assert one.mean.tobytes() == other.mean.tobytes()
    assert one.scatter.tobytes() == other.scatter.tobytes()


def test_merging_what_was_merged_is_merging_all() -> None:
    parts = [Statistics.of(part) for part in np.array_split(rows_at(2e6, 5), 5)]
    steps = merge([merge(parts[:2]), merge(parts[2:])])
    whole = merge(parts)
    assert difference(steps, whole.mean, whole.scatter) < 1e-9


def test_raw_sums_of_squares_would_not_do() -> None:
    """Why it is done as it is: at this offset nothing is left of them."""
    rows = rows_at(2e6, 1)
    raw = rows.T @ rows - len(rows) * np.outer(rows.mean(axis=0), rows.mean(axis=0))
    mean, scatter = exact(rows)
    size = np.sqrt(np.diag(scatter))
    assert (np.abs(raw - scatter) / np.outer(size, size)).max() > 1e-3
    assert difference(Statistics.of(rows), mean, scatter) < 1e-9


def test_no_rows_change_nothing() -> None:
    some = Statistics.of(rows_at(0.0, 2))
    none = Statistics.of(np.empty((0, 4)))
    assert merge([none, none]).n == 0
    assert merge([none, some]).scatter.tobytes() == some.scatter.tobytes()


def test_half_of_a_scatter_is_all_of_it() -> None:
    known = Statistics.of(rows_at(0.0, 3))
    assert len(packed(known.scatter)) == 10
    assert np.array_equal(unpacked(packed(known.scatter), 4), known.scatter)


GOOD = Statistics.of(np.random.default_rng(0).uniform(1.0, 9.0, (2000, 2)))
LOW, HIGH = np.zeros(2), np.full(2, 10.0)


def test_what_rows_can_have_is_taken() -> None:
    check(GOOD, LOW, HIGH)
    check(Statistics.of(np.repeat([[3.0, 4.0]], 1500, axis=0)), LOW, HIGH)


@pytest.mark.parametrize(
    ("n", "mean", "scatter", "said"),
    [
        (0, [5, 5], [[1, 0], [0, 1]], "0 rows"),
        (-7, [5, 5], [[1, 0], [0, 1]], "-7 rows"),
        (2000, [np.nan, 5], [[1, 0], [0, 1]], "finite"),
        (2000, [5, 5], [[np.inf, 0], [0, 1]], "finite"),
        (2000, [50, 5], [[1, 0], [0, 1]], "limits"),
        (2000, [5, 5], [[-1, 0], [0, 1]], "negative"),
        (2000, [5, 5], [[1e9, 0], [0, 1]], "wider"),
        (2000, [5, 5], [[1, 0.2], [0.1, 1]], "symmetric"),
        (2000, [5, 5], [[0, 0.1], [0.1, 1]], "stands still"),
        (2000, [5, 5], [[1, 1.5], [1.5, 1]], "semi-definite"),
    ],
)
def test_what_no_rows_can_have_is_refused(
    n: int, mean: list[float], scatter: list[list[float]], said: str
) -> None:
    known = Statistics(n, np.array(mean, np.float64), np.array(scatter, np.float64))
    with pytest.raises(Refused, match=said) as refused:
        check(known, LOW, HIGH)
    assert refused.value.why is Why.IMPOSSIBLE


def test_other_shapes_are_refused() -> None:
    with pytest.raises(Refused, match="not of 3 signals"):
        check(GOOD, np.zeros(3), np.ones(3))
    with pytest.raises(Refused, match="not"):
        unpacked(np.zeros(4), 2)
