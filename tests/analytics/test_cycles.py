"""Features of a cycle are what its signals did, whatever the rate at which they were read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.cycles import MEASURES, Cycle, feature_count, feature_of, features
from plant.parts import Measure

SECOND = 1_000_000_000


def cycle(held: list[float], samples: list[tuple[int, float, float]], seconds: float) -> Cycle:
    """Build one from (signal, s after the start, value)."""
    return Cycle(
        start=7 * SECOND,
        stop=7 * SECOND + round(seconds * 1e9),
        held=np.array(held),
        column=np.array([s[0] for s in samples], np.intp),
        at=np.array([7 * SECOND + round(s[1] * 1e9) for s in samples], np.int64),
        value=np.array([s[2] for s in samples]),
    )


def told(row: np.ndarray, signal: int) -> dict[Measure, float]:
    table = row[1:].reshape(-1, len(MEASURES))
    return dict(zip(MEASURES, table[signal].tolist(), strict=True))


def test_a_value_counts_for_the_time_it_stood() -> None:
    row = features(cycle([1.0], [(0, 1.0, 3.0), (0, 3.0, 7.0)], 4.0))
    assert row[0] == 4.0
    assert told(row, 0) == {
        Measure.MEAN: (1 + 3 + 3 + 7) / 4,
        Measure.LEAST: 1.0,
        Measure.GREATEST: 7.0,
        Measure.SPREAD: pytest.approx(np.std([1, 3, 3, 7])),
        Measure.FIRST_QUARTER: 1.0,
        Measure.SECOND_QUARTER: 3.0,
        Measure.THIRD_QUARTER: 3.0,
        Measure.LAST_QUARTER: 7.0,
    }


def test_a_sample_at_the_start_takes_the_place_of_what_was_held() -> None:
    row = features(cycle([np.nan], [(0, 0.0, 5.0)], 1.0))
    assert told(row, 0)[Measure.MEAN] == 5.0
    assert told(row, 0)[Measure.SPREAD] == 0.0


def test_a_signal_without_samples_shows_what_it_held() -> None:
    row = features(cycle([4.0, 2.0], [(0, 0.5, 6.0)], 1.0))
    assert told(row, 0)[Measure.MEAN] == 5.0
    assert told(row, 1)[Measure.LAST_QUARTER] == 2.0


@pytest.mark.parametrize("at", [0.0, 0.4, 0.999])
def test_a_signal_that_was_not_good_for_a_moment_has_no_features_and_the_others_have(
    at: float,
) -> None:
    row = features(cycle([1.0, 2.0], [(0, at, np.nan), (0, at + 0.0005, 1.0)], 1.0))
    table = row[1:].reshape(2, -1)
    assert np.isnan(table[0]).all()
    assert (table[1] == [2, 2, 2, 0, 2, 2, 2, 2]).all()


def test_what_is_held_and_not_good_spoils_its_signal() -> None:
    row = features(cycle([np.nan], [(0, 0.2, 5.0)], 1.0))
    assert np.isnan(row[1:]).all()


def test_features_are_named_in_their_order() -> None:
    named = [feature_of(place) for place in range(feature_count(2))]
    assert named[0] == (None, Measure.DURATION)
    assert named[1:] == [(signal, measure) for signal in (0, 1) for measure in MEASURES]


@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12),
    data=st.data(),
)
def test_saying_a_value_again_changes_nothing(values: list[float], data: st.DataObject) -> None:
    times = sorted(
        data.draw(
            st.lists(
                st.integers(1, 999_999),
                min_size=len(values),
                max_size=len(values),
                unique=True,
            )
        )
    )
    samples = [(0, at / 1e6, value) for at, value in zip(times, values, strict=True)]
    again = data.draw(st.integers(times[0], 999_999))
    shown = [value for at, value in zip(times, values, strict=True) if at <= again][-1]
    plain = features(cycle([3.0], samples, 1.0))
    more = features(cycle([3.0], [*samples, (0, again / 1e6, shown)], 1.0))
    np.testing.assert_allclose(more, plain, rtol=1e-9, atol=1e-6)


@given(st.integers(4, 10**6), st.integers(1, 5))
def test_quarters_of_any_length_are_filled(span: int, signals: int) -> None:
    empty = np.empty(0)
    short = Cycle(
        0, span, np.arange(signals) * 1.0, empty.astype(np.intp), empty.astype(int), empty
    )
    table = features(short)[1:].reshape(signals, -1)
    np.testing.assert_allclose(table[:, 4:], np.arange(signals)[:, None] * np.ones(4))
