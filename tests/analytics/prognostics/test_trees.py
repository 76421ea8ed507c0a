"""Flat trees say what scikit-learn says, explain it, and survive the snapshot; damage does not."""

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeRegressor

from analytics.prognostics.trees import FlatTrees, from_boosting, from_forest, from_tree, together
from plant.errors import Rejected

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(600, 6))
ROWS[RNG.random(ROWS.shape) < 0.08] = np.nan
TARGET = np.nan_to_num(ROWS[:, 0] * ROWS[:, 1]) + RNG.normal(0, 0.3, 600)
SIDE = TARGET > 0


def boosted(seed: int = 0) -> FlatTrees:
    model = HistGradientBoostingRegressor(max_iter=15, random_state=seed, max_features=0.5)
    return from_boosting(model.fit(ROWS, TARGET))


@pytest.mark.parametrize(
    ("model", "flatten", "target", "says"),
    [
        (HistGradientBoostingRegressor(max_iter=30), from_boosting, TARGET, "predict"),
        (HistGradientBoostingClassifier(max_iter=30), from_boosting, SIDE, "decision_function"),
        (RandomForestRegressor(20, random_state=0), from_forest, TARGET, "predict"),
        (ExtraTreesRegressor(20, random_state=0), from_forest, TARGET, "predict"),
        (RandomForestClassifier(20, random_state=0), from_forest, SIDE, "predict_proba"),
    ],
)
def test_flat_trees_say_what_scikit_learn_says(
    model: object, flatten: object, target: object, says: str
) -> None:
    model.fit(ROWS, target)  # type: ignore[attr-defined]
    flat = flatten(model)  # type: ignore[operator]
    wanted = np.reshape(getattr(model, says)(ROWS), (len(ROWS), -1))[:, -1]
    assert np.abs(flat.predict(ROWS) - wanted).max() < 1e-12


def test_tree_as_a_map_to_cells_tells_its_leaves_apart() -> None:
    rows = np.nan_to_num(ROWS)
    model = DecisionTreeRegressor(max_leaf_nodes=7, random_state=0).fit(rows, TARGET)
    cells, leaves = from_tree(model).predict(rows), model.apply(rows)
    assert sorted(set(cells)) == list(range(7))
    assert len(set(zip(cells, leaves, strict=True))) == 7


def test_restored_trees_are_the_same_to_the_bit() -> None:
    flat = boosted()
    again = FlatTrees.restore(flat.state())
    assert again.predict(ROWS).tobytes() == flat.predict(ROWS).tobytes()
    assert {k: v.tobytes() for k, v in again.state().items()} == {
        k: v.tobytes() for k, v in flat.state().items()
    }


def test_contributions_sum_to_the_prediction() -> None:
    flat = boosted()
    for row in ROWS[:20]:
        total = flat.usual + flat.contributions(row).sum()
        assert total == pytest.approx(flat.predict(row[None, :])[0], abs=1e-9)


def test_input_without_influence_contributes_nothing() -> None:
    rows = ROWS.copy()
    rows[:, 4] = 0.0
    flat = from_boosting(HistGradientBoostingRegressor(max_iter=5).fit(rows, TARGET))
    assert flat.contributions(rows[0])[4] == 0.0
    assert flat.used()[4] == 0


def test_joined_ensembles_predict_their_mean() -> None:
    one, other = boosted(0), boosted(1)
    mean = (one.predict(ROWS) + other.predict(ROWS)) / 2
    assert np.abs(together([one, other]).predict(ROWS) - mean).max() < 1e-12


def test_constant_asks_no_input() -> None:
    flat = FlatTrees.restore(FlatTrees.constant(3, 7.5).state())
    assert flat.predict(np.full((2, 3), np.nan)).tolist() == [7.5, 7.5]
    assert flat.contributions(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("feature", 0, 6),
        ("feature", 0, -1),
        ("first", 0, 0),
        ("first", 0, 1 << 30),
        ("first", 3, 1),
        ("roots", 0, -1),
        ("roots", 1, 1 << 30),
        ("threshold", 0, np.nan),
        ("value", 0, np.inf),
        ("missing", 0, 2),
        ("size", 1, 1),
        ("size", 1, 1 << 40),
        ("size", 0, 0),
        ("start", 0, np.nan),
    ],
)
def test_damaged_arrays_are_refused(name: str, place: int, value: float) -> None:
    state = {key: array.copy() for key, array in boosted().state().items()}
    state[name] = state[name].astype(np.float64) if name == "start" else state[name]
    state[name][place] = value
    with pytest.raises(Rejected, match="no trees"):
        FlatTrees.restore(state)


def test_arrays_of_different_lengths_are_refused() -> None:
    state = dict(boosted().state())
    state["value"] = state["value"][:-1]
    with pytest.raises(Rejected, match="one length"):
        FlatTrees.restore(state)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(Rejected, match="6 inputs"):
        boosted().predict(np.zeros((1, 5)))
