"""The operating condition is found from the data, taken out, and not invented where there is none.

Generated machines: a regime or load moves the signals many times further than wear does.
"""

import numpy as np
import pytest

from analytics.prognostics.conditions import Conditions, find_conditions
from plant.errors import Rejected
from tests.analytics.prognostics.lives import loaded_runs, plain_runs, regime_runs

REGIMES = regime_runs(0)


@pytest.fixture(scope="module")
def in_regimes() -> Conditions:
    return find_conditions(REGIMES, 0)


def wear_seen(found: Conditions, runs: list[np.ndarray]) -> np.ndarray:
    """Give how far each column moved at the end of the lives, in its own spreads."""
    residuals = [found.residuals(run) for run in runs]
    return np.abs(np.mean([r[-3:].mean(axis=0) - r[:20].mean(axis=0) for r in residuals], axis=0))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_discrete_regimes_are_found_and_taken_out(seed: int) -> None:
    runs = regime_runs(seed)
    found = find_conditions(runs, 0)
    assert set(found.columns) <= {0, 1}
    assert len(found.lines) == 6
    assert wear_seen(found, runs)[3:].min() > 2.5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_continuous_load_is_found_and_taken_out(seed: int) -> None:
    runs = loaded_runs(seed)
    found = find_conditions(runs, 0)
    assert found.columns.tolist() == [0]
    assert wear_seen(found, runs)[1:].min() > 2.5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_condition_stays_one(seed: int) -> None:
    runs = [run[:, 1:-1] for run in plain_runs(seed)]
    found = find_conditions(runs, 0)
    assert len(found.columns) == 0
    assert len(found.lines) == 1


def test_new_machines_in_the_same_regimes_are_free_of_them() -> None:
    runs = regime_runs(5, runs=40)
    found = find_conditions(runs[:24], 0)
    early = np.vstack([found.residuals(run[:30]) for run in runs[24:]])
    assert np.abs(early[:, 3:]).mean() < 1.0


def test_restored_conditions_are_the_same_to_the_bit(in_regimes: Conditions) -> None:
    again = Conditions.restore(in_regimes.state())
    assert again.residuals(REGIMES[3]).tobytes() == in_regimes.residuals(REGIMES[3]).tobytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("columns", np.array([99])),
        ("spread", np.zeros((6, 7))),
        ("lines", np.zeros((2, 2, 7))),
        ("scale", np.array([0.0])),
        ("centre", np.array([np.nan])),
    ],
)
def test_damaged_conditions_are_refused(
    in_regimes: Conditions, name: str, value: np.ndarray
) -> None:
    with pytest.raises(Rejected):
        Conditions.restore(in_regimes.state() | {name: value})
