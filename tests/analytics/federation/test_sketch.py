"""Counts of scores: quantiles within their error, merging is adding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.federation.refusals import Refused
from analytics.federation.sketch import BUCKETS, ERROR, LEAST, MOST, Sketch


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    heavy=st.floats(0.1, 2.0),
    share=st.sampled_from([0.5, 0.9, 0.99, 0.999]),
)
def test_quantiles_are_right_within_a_hundredth(seed: int, heavy: float, share: float) -> None:
    scores = np.exp(heavy * np.random.default_rng(seed).standard_normal(5000))
    told = Sketch.of(scores).quantile(share)
    truth = np.quantile(scores, share, method="inverted_cdf")
    assert abs(told / truth - 1) <= ERROR * 1.001


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100), cut=st.integers(0, 3000))
def test_merged_is_pooled_to_the_bit(seed: int, cut: int) -> None:
    scores = np.random.default_rng(seed).gamma(2.0, 1.0, 3000)
    merged = Sketch.of(scores[:cut]) + Sketch.of(scores[cut:])
    assert np.array_equal(merged.counts, Sketch.of(scores).counts)
    assert merged.n == 3000


def test_what_is_beyond_the_buckets_counts_at_their_ends() -> None:
    sketch = Sketch.of(np.array([0.0, LEAST / 2, MOST * 2]))
    assert sketch.counts[0] == 2
    assert sketch.counts[-1] == 1


def test_narrow_and_wide_again() -> None:
    sketch = Sketch.of(np.random.default_rng(1).uniform(0.5, 2.0, 1000))
    first, counts = sketch.narrowed()
    assert len(counts) < 100
    assert np.array_equal(Sketch.widened(first, counts).counts, sketch.counts)
    assert Sketch.widened(*Sketch.of(np.empty(0)).narrowed()).n == 0


@pytest.mark.parametrize(
    ("first", "counts"), [(-1, [1]), (BUCKETS, [1]), (0, [-1]), (0, [2**60]), (BUCKETS - 1, [1, 1])]
)
def test_counts_that_cannot_be_are_refused(first: int, counts: list[int]) -> None:
    with pytest.raises(Refused):
        Sketch.widened(first, np.array(counts, np.int64))


def test_no_scores_have_no_quantile() -> None:
    with pytest.raises(Refused, match="no score"):
        Sketch.of(np.empty(0)).quantile(0.5)
