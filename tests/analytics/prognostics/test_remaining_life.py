"""Remaining life on generated machines: near the truth, inside its interval, the same when renamed.

The machines of a test are of another seed's draw of lives than those that were learnt from.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from analytics.prognostics.remaining_life import RemainingLife
from plant.errors import Rejected
from tests.analytics.prognostics.lives import loaded_runs, plain_runs, regime_runs

Columns = NDArray[np.float64]
NAMES = ["turns", "a", "b", "c", "d", "e", "still"]
RUNS = plain_runs(0, runs=34, usual=60)
LEARNT, NEW = RUNS[:20], RUNS[20:]


@pytest.fixture(scope="module")
def model() -> RemainingLife:
    return RemainingLife.fit(LEARNT, NAMES)


def cuts(runs: list[Columns]) -> list[tuple[Columns, float]]:
    """Histories cut off at several moments, and the rows that were left."""
    return [
        (run[: len(run) - left], float(left))
        for run in runs
        for left in (0, 4, 8, 15, 25, 40)
        if len(run) - left >= 4
    ]


def capped_error(model: RemainingLife, runs: list[Columns]) -> float:
    judged = [(model.predict(rows).rows, min(left, model.horizon)) for rows, left in cuts(runs)]
    return float(np.sqrt(np.mean([(said - truth) ** 2 for said, truth in judged])))


def test_new_machines_are_judged_as_well_as_promised(model: RemainingLife) -> None:
    spread = np.std([min(left, model.horizon) for _, left in cuts(NEW)])
    assert capped_error(model, NEW) < 0.4 * spread
    assert capped_error(model, NEW) < 1.6 * model.error


def test_interval_holds_the_truth_about_as_often_as_measured(model: RemainingLife) -> None:
    said = [(model.predict(rows), left) for rows, left in cuts(NEW)]
    held = np.mean([each.low <= left <= each.high for each, left in said])
    assert model.bands.measured >= model.bands.nominal - 0.05
    assert held >= model.bands.nominal - 0.07


def test_healthy_machine_has_no_upper_end(model: RemainingLife) -> None:
    estimate = model.predict(NEW[0][:8])
    assert estimate.high == np.inf
    assert estimate.rows <= model.horizon


@pytest.mark.parametrize("made", [regime_runs, loaded_runs])
def test_conditions_that_swamp_the_wear_are_taken_out(
    made: Callable[..., list[Columns]],
) -> None:
    runs = made(1, runs=24, usual=50)
    names = [f"x{j}" for j in range(runs[0].shape[1])]
    model = RemainingLife.fit(runs[:16], names)
    truth = [min(left, model.horizon) for _, left in cuts(runs[16:])]
    assert model.condition_columns in {("x0",), ("x1",)}
    assert capped_error(model, runs[16:]) < 0.4 * np.std(truth)


@pytest.mark.usefixtures("few_trees")
def test_renamed_and_shuffled_columns_change_nothing() -> None:
    model = RemainingLife.fit(LEARNT, NAMES)
    order = np.random.default_rng(1).permutation(len(NAMES))
    other = RemainingLife.fit([run[:, order] for run in LEARNT], [f"f{j}" for j in order])
    for rows, _ in cuts(NEW[:6]):
        assert other.predict(rows[:, order]) == model.predict(rows)


@pytest.mark.usefixtures("few_trees")
def test_same_data_and_seed_give_the_same_bytes_on_any_number_of_cores() -> None:
    model = RemainingLife.fit(LEARNT, NAMES)
    told: list[tuple[int, int]] = []
    with threadpool_limits(2):
        again = RemainingLife.fit(LEARNT, NAMES, progress=lambda *at: told.append(at)).state()
    assert told == [(k, 9) for k in range(10)]
    assert {name: array.tobytes() for name, array in model.state().items()} == {
        name: array.tobytes() for name, array in again.items()
    }


def test_restored_model_is_the_same_to_the_bit(model: RemainingLife) -> None:
    again = RemainingLife.restore(model.state())
    assert [again.predict(rows) for rows, _ in cuts(NEW)] == [
        model.predict(rows) for rows, _ in cuts(NEW)
    ]
    assert again.reasons(NEW[0][:50]) == model.reasons(NEW[0][:50])


def test_columns_are_found_by_name_and_others_ignored(model: RemainingLife) -> None:
    rows = NEW[0][:40]
    wider = np.column_stack([np.full(40, 7.0), rows[:, ::-1]])
    assert model.predict(wider, ["extra", *NAMES[::-1]]) == model.predict(rows)


def test_counter_tells_the_age_of_a_history_without_its_beginning(model: RemainingLife) -> None:
    whole = dict(model.reasons(NEW[0][:40]))["age"]
    part = dict(model.reasons(NEW[0][20:40]))["age"]
    assert model.counter == (0, 1.0, 1.0)
    assert model._seen(NEW[0][20:40], None)[1] == model._seen(NEW[0][:40], None)[1] == 40.0
    assert np.isfinite([whole, part]).all()


def test_reasons_sum_to_the_prediction(model: RemainingLife) -> None:
    rows = NEW[1][:40]
    raw = model.trees.predict(model._features(*model._seen(rows, None))[None, :])[0]
    total = model.trees.usual + sum(part for _, part in model.reasons(rows))
    assert total == pytest.approx(raw, abs=1e-9)


def test_signal_that_went_missing_is_named_and_the_rest_judged(model: RemainingLife) -> None:
    rows = NEW[0][:-3].copy()
    rows[:, 2] = np.nan
    estimate = model.predict(rows)
    assert estimate.missing == ("b",)
    assert 0 <= estimate.rows <= model.horizon


def test_holes_hardly_matter(model: RemainingLife) -> None:
    rows = NEW[0][:-10].copy()
    rows[np.random.default_rng(0).random(rows.shape) < 0.05] = np.nan
    whole = model.predict(NEW[0][:-10]).rows
    assert model.predict(rows).rows == pytest.approx(whole, abs=2 * model.error)


@pytest.mark.usefixtures("few_trees")
def test_long_lives_are_learnt_in_blocks() -> None:
    runs = [np.repeat(run[:, 1:4], 40, axis=0) for run in plain_runs(4, runs=5, usual=36)]
    model = RemainingLife.fit(runs[:4], NAMES[1:4])
    assert model.windows.pace > 1
    assert model.predict(runs[4]).rows < 0.3 * model.horizon
    assert model.predict(runs[4][:240]).rows > 0.5 * model.horizon


@pytest.mark.parametrize(
    ("runs", "names", "says"),
    [
        (LEARNT[:2], NAMES, "at least three"),
        (LEARNT, NAMES[:-1], "7 columns|shape"),
        (LEARNT, ["a"] * 7, "different"),
        ([run[:3] for run in LEARNT], NAMES, "at least 4"),
        ([np.ones((30, 2))] * 4, ["a", "b"], "no column changes"),
        ([np.full((30, 1), np.nan)] * 4, ["a"], "no column changes"),
    ],
)
def test_histories_that_teach_nothing_are_refused(
    runs: list[Columns], names: list[str], says: str
) -> None:
    with pytest.raises(Rejected, match=says):
        RemainingLife.fit(runs, names)


@pytest.mark.parametrize(
    ("rows", "names", "says"),
    [
        (np.zeros((0, 7)), None, "without rows"),
        (np.zeros((5, 6)), None, "7 columns"),
        (np.full((5, 7), np.nan), None, "no signal"),
        (np.zeros((5, 6)), NAMES[:1] + NAMES[2:], "lacks a"),
    ],
)
def test_history_that_cannot_be_judged_is_refused(
    model: RemainingLife, rows: Columns, names: list[str] | None, says: str
) -> None:
    with pytest.raises(Rejected, match=says):
        model.predict(rows, names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", np.array([99])),
        ("usual", np.zeros(2)),
        ("directions", np.zeros((2, 2))),
        ("figures", np.array([np.nan, 0.0, 1.0])),
        ("windows.wear", np.array([2, 3])),
        ("trees.size", np.array([3, 9, 0])),
    ],
)
def test_damaged_model_is_refused(
    model: RemainingLife, name: str, value: NDArray[np.float64]
) -> None:
    with pytest.raises(Rejected):
        RemainingLife.restore(model.state() | {name: value})


def test_model_that_lost_a_part_is_refused(model: RemainingLife) -> None:
    state = model.state()
    del state["trees.value"]
    with pytest.raises(Rejected, match=r"damaged"):
        RemainingLife.restore(state)


def test_edge_needs_numpy_alone(model: RemainingLife, tmp_path: Path) -> None:
    rows = NEW[0][:40]
    np.savez(tmp_path / "model.npz", **model.state(), rows=rows)
    program = f"""
import json, sys
import numpy as np
from analytics.prognostics.defects import DefectModel
from analytics.prognostics.remaining_life import RemainingLife
with np.load({str(tmp_path / "model.npz")!r}, allow_pickle=False) as file:
    state = dict(file)
model = RemainingLife.restore(state)
said = model.predict(state["rows"]).rows
loaded = [m for m in ("sklearn", "scipy", "joblib", "river", "pandas") if m in sys.modules]
print(json.dumps([said, loaded]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(run.stdout) == [model.predict(rows).rows, []]
