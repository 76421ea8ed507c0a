"""Intervals hold what they promise on histories they have not seen."""

import numpy as np
import pytest

from analytics.prognostics.intervals import Bands, learn_bands
from plant.errors import Rejected


def errors(seed: int, histories: int, rows: int = 40) -> tuple[np.ndarray, ...]:
    """Predictions whose errors grow with their size and are alike within a history."""
    rng = np.random.default_rng(seed)
    history = np.repeat(np.arange(histories), rows)
    truth = rng.uniform(0, 100, histories * rows)
    own = rng.normal(0, 1, histories)[history] + rng.normal(0, 0.5, len(truth))
    return truth + own * (1 + truth / 10), truth, history


@pytest.mark.parametrize("nominal", [0.8, 0.9, 0.95])
def test_coverage_on_new_histories_is_near_the_nominal_and_near_the_measured(
    nominal: float,
) -> None:
    predicted, truth, history = errors(0, 120)
    bands = learn_bands(predicted, truth, history, history % 5, nominal)
    predicted, truth, _ = errors(1, 400)
    low, high = bands.around(predicted)
    held = np.mean((low <= truth) & (truth <= high))
    assert held == pytest.approx(nominal, abs=0.05)
    assert held == pytest.approx(bands.measured, abs=0.05)


def test_interval_is_narrower_where_errors_are_smaller() -> None:
    bands = learn_bands(*errors(0, 120), np.repeat(np.arange(120), 40) % 5, 0.9)
    low, high = bands.around(np.array([5.0, 90.0]))
    assert (high - low)[0] < 0.5 * (high - low)[1]


@pytest.mark.parametrize(("histories", "proven"), [(6, False), (18, False), (19, True)])
def test_few_histories_prove_nothing(histories: int, proven: bool) -> None:
    predicted, truth, history = errors(0, histories)
    bands = learn_bands(predicted, truth, history, history % 3, 0.9)
    assert bands.proven is proven


def test_restored_bands_are_the_same_to_the_bit() -> None:
    bands = learn_bands(*errors(0, 40), np.repeat(np.arange(40), 40) % 5, 0.9)
    again = Bands.restore(bands.state())
    where = np.linspace(-10, 150, 50)
    assert np.array(again.around(where)).tobytes() == np.array(bands.around(where)).tobytes()
    assert (again.nominal, again.measured) == (bands.nominal, bands.measured)


@pytest.mark.parametrize(
    ("name", "value"),
    [("low", [1.0, 1.0]), ("high", [np.nan, 1.0]), ("size", [2.0, 1.0]), ("size", [1.0])],
)
def test_damaged_bands_are_refused(name: str, value: list[float]) -> None:
    one = np.array([0.0, 1.0])
    state = Bands(one, -one, one, 0.9, 0.9, one, 30).state() | {name: np.array(value)}
    with pytest.raises(Rejected):
        Bands.restore(state)
