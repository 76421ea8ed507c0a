"""Defects on generated parts: the derived column is found, the chance calibrated and explained."""

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from analytics.calibration import expected_calibration_error
from analytics.prognostics.defects import DefectModel
from plant.errors import Rejected

Columns = NDArray[np.float64]
NAMES = ["torque", "heat", "kind", "speed", "still"]


def parts(seed: int, count: int = 500) -> tuple[Columns, NDArray[np.int64]]:
    """Parts that turn out bad where torque × speed is high; a twentieth of those after all not."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack(
        [
            rng.normal(40, 8, count),
            rng.normal(300, 2, count),
            rng.integers(0, 3, count),
            rng.normal(1500, 300, count),
            np.full(count, 3.0),
        ]
    )
    bad = (rows[:, 0] * rows[:, 3] > 78_000) & (rng.random(count) < 0.95)
    return rows, bad.astype(np.int64)


LEARNT, LABELS = parts(0)
NEW, TRUTH = parts(1, 4000)


@pytest.fixture(scope="module")
def model() -> DefectModel:
    return DefectModel.fit(LEARNT, LABELS, NAMES)


def test_new_parts_are_told_apart(model: DefectModel) -> None:
    called = model.predict_proba(NEW)[:, 1] >= model.odds[0].limit
    right = (called & (TRUTH == 1)).sum()
    assert right / TRUTH.sum() > 0.85
    assert right / called.sum() > 0.8


def test_chance_is_calibrated_on_new_parts(model: DefectModel) -> None:
    chance = model.predict_proba(NEW)
    assert chance.sum(axis=1) == pytest.approx(np.ones(len(NEW)))
    assert expected_calibration_error(TRUTH == 1, chance[:, 1]) < 0.03
    assert model.calibration_error < 0.03


def test_product_that_nobody_gave_carries_the_verdict(model: DefectModel) -> None:
    chance = model.predict_proba(NEW)[:, 1]
    worst = np.argsort(-chance)[:20]
    first = [model.reasons(NEW[i])[0][0] for i in worst]
    assert sum(name in {"torque × speed", "speed × torque"} for name in first) >= 15


def test_reasons_sum_to_the_log_odds_and_signals_share_them(model: DefectModel) -> None:
    for row in NEW[:50]:
        reasons = model.reasons(row)
        chance = model.predict_proba(row[None, :])[0, 1]
        total = model.usual_log_odds() + sum(part for _, part in reasons)
        assert total == pytest.approx(np.log(chance / (1 - chance)), abs=1e-6)
        shared = sum(part for _, part in model.signals(reasons))
        assert shared == pytest.approx(sum(part for _, part in reasons), abs=1e-9)


def test_signals_of_the_worst_parts_are_the_two_that_matter(model: DefectModel) -> None:
    worst = NEW[np.argmax(model.predict_proba(NEW)[:, 1])]
    strongest = [name for name, _ in model.signals(model.reasons(worst))[:2]]
    assert set(strongest) == {"torque", "speed"}


@pytest.mark.usefixtures("few_trees")
def test_renamed_and_shuffled_columns_change_nothing() -> None:
    model = DefectModel.fit(LEARNT, LABELS, NAMES)
    order = np.random.default_rng(2).permutation(len(NAMES))
    other = DefectModel.fit(LEARNT[:, order], LABELS, [f"f{j}" for j in order])
    assert np.array_equal(other.predict_proba(NEW[:, order]), model.predict_proba(NEW))


@pytest.mark.usefixtures("few_trees")
def test_same_data_and_seed_give_the_same_bytes_on_any_number_of_cores() -> None:
    model = DefectModel.fit(LEARNT, LABELS, NAMES)
    told: list[tuple[int, int]] = []
    with threadpool_limits(2):
        again = DefectModel.fit(LEARNT, LABELS, NAMES, progress=lambda *at: told.append(at)).state()
    assert told == [(k, 4) for k in range(5)]
    assert {name: array.tobytes() for name, array in model.state().items()} == {
        name: array.tobytes() for name, array in again.items()
    }


def test_restored_model_is_the_same_to_the_bit(model: DefectModel) -> None:
    again = DefectModel.restore(model.state())
    assert np.array_equal(again.predict_proba(NEW), model.predict_proba(NEW))
    assert again.reasons(NEW[0]) == model.reasons(NEW[0])


def test_columns_are_found_by_name(model: DefectModel) -> None:
    given = np.column_stack([NEW[:, ::-1], NEW[:, 0]])
    said = model.predict_proba(given, [*NAMES[::-1], "extra"])
    assert np.array_equal(said, model.predict_proba(NEW))


def test_missing_values_are_judged_and_constant_columns_never_asked(model: DefectModel) -> None:
    rows = NEW[:200].copy()
    rows[:, 4] = np.inf
    rows[::2, 1] = np.nan
    chance = model.predict_proba(rows)
    assert np.isfinite(chance).all()
    assert np.abs(chance - model.predict_proba(NEW[:200])).max() < 0.5
    assert "still" not in " ".join(model.derived.names(NAMES))


@pytest.mark.usefixtures("few_trees")
def test_training_takes_missing_values() -> None:
    rows = LEARNT.copy()
    rows[np.random.default_rng(0).random(rows.shape) < 0.03] = np.nan
    rows[:, 2] = np.nan
    model = DefectModel.fit(rows, LABELS, NAMES)
    called = model.predict_proba(NEW)[:, 1] >= model.odds[0].limit
    assert np.mean(called == (TRUTH == 1)) > 0.95


@pytest.mark.usefixtures("few_trees")
def test_three_classes_have_a_chance_each() -> None:
    rows = LEARNT[:300, :3]
    labels = (rows[:, 0] > 48) + 2 * ((rows[:, 1] > 303) & (rows[:, 0] <= 48))
    model = DefectModel.fit(rows, labels, NAMES[:3])
    chance = model.predict_proba(rows)
    assert model.classes_.tolist() == [0, 1, 2]
    assert chance.sum(axis=1) == pytest.approx(np.ones(len(rows)))
    assert np.mean(model.classes_[chance.argmax(axis=1)] == labels) > 0.97
    hot = rows[np.argmax(chance[:, 2])]
    assert model.signals(model.reasons(hot, label=2))[0][0] == "heat"
    with pytest.raises(Rejected, match="of which class"):
        model.reasons(hot)


@pytest.mark.usefixtures("few_trees")
def test_many_columns_take_pairs_of_the_strong_ones() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(10, 2, (120, 25))
    labels = (rows[:, 7] + rows[:, 20] > 23.5).astype(int)
    model = DefectModel.fit(rows, labels, [f"c{j}" for j in range(25)])
    assert len(model.derived.sign) <= 12 * 11 // 2 * 5
    assert np.mean((model.predict_proba(rows)[:, 1] > 0.5) == labels) > 0.95


def test_ten_rows_with_one_bad_part_give_its_share_and_say_so() -> None:
    labels = np.array([0] * 9 + [1])
    model = DefectModel.fit(LEARNT[:10], labels, NAMES)
    again = DefectModel.restore(model.state())
    assert model.predict_proba(NEW[:3])[:, 1] == pytest.approx(np.full(3, 1.5 / 11))
    assert again.notes == ("1 parts of class 1: too few to tell them",)
    assert again.reasons(NEW[0]) == []


def test_columns_that_never_change_give_the_share_and_say_so() -> None:
    model = DefectModel.fit(np.ones((40, 2)), np.arange(40) % 4 == 0, ["a", "b"])
    assert model.predict_proba(np.ones((1, 2)))[0, 1] == pytest.approx(10.5 / 41)
    assert "no column changes" in model.notes[0]


@pytest.mark.parametrize(
    ("rows", "labels", "names", "says"),
    [
        (LEARNT, np.zeros(len(LEARNT), int), NAMES, "all 500 parts have label 0"),
        (np.zeros((0, 5)), np.zeros(0, int), NAMES, "no part at all"),
        (LEARNT, LABELS[:-1], NAMES, "one whole-numbered label"),
        (LEARNT, LABELS + 0.5, NAMES, "one whole-numbered label"),
        (LEARNT, LABELS, NAMES[:-1], "4 different names"),
        (LEARNT, LABELS, ["a"] * 5, "5 different names"),
        (np.array([["L"], ["M"]]), np.array([0, 1]), ["type"], "have to be numbers"),
    ],
)
def test_parts_that_teach_nothing_are_refused(
    rows: Columns, labels: NDArray[np.int64], names: list[str], says: str
) -> None:
    with pytest.raises(Rejected, match=says):
        DefectModel.fit(rows, labels, names)


def test_part_without_a_column_is_refused(model: DefectModel) -> None:
    with pytest.raises(Rejected, match="lack heat"):
        model.predict_proba(NEW[:, [0, 2, 3, 4]], [NAMES[j] for j in (0, 2, 3, 4)])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", np.array([1])),
        ("classes", np.array([0, 1, 2])),
        ("derived.plain", np.array([9])),
        ("derived.made", np.array([[7], [0], [1]])),
        ("calibration", np.array([[np.nan, 1.0, 0.0, 0.5, 0.0, 0.5]])),
        ("calibration", np.array([[1.0, 1.0, 0.0, 0.5, 0.0, 1.5]])),
        ("boosted0.size", np.array([1, 9, 0])),
    ],
)
def test_damaged_model_is_refused(
    model: DefectModel, name: str, value: NDArray[np.float64]
) -> None:
    with pytest.raises(Rejected):
        DefectModel.restore(model.state() | {name: value})
