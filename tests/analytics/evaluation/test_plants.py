"""Generated plants and injected faults: what was promised of them, and nothing more, is in them."""

import numpy as np
import pytest

from analytics.evaluation import injections, plants
from analytics.evaluation.injections import FAULTS, Blame, blame, inject, rank_of_culprit
from analytics.evaluation.plants import ONSET, WARMUP, plant
from analytics.evaluation.protocol import Run
from analytics.evaluation.yardsticks import DETECTORS


@pytest.fixture(scope="module")
def healthy() -> np.ndarray:
    return plant(8, 3, "none")[0]


@pytest.mark.parametrize("kind", ["step", "ramp", "variance"])
def test_a_fault_is_in_three_signals_from_its_onset_on(healthy: np.ndarray, kind: str) -> None:
    faulty, culprits = plant(8, 3, kind)  # type: ignore[arg-type]
    away = faulty - healthy
    innocent = np.setdiff1d(np.arange(8), culprits)
    assert not away[:ONSET].any()
    assert not away[:, innocent].any()
    assert (away[ONSET + 10 :, culprits] != 0).all()


def test_size_of_each_fault(healthy: np.ndarray) -> None:
    step, culprits = plant(8, 3, "step")
    scale = healthy[:WARMUP, culprits].std(0)
    assert (step - healthy)[-1, culprits] == pytest.approx(2 * scale)
    ramp = (plant(8, 3, "ramp")[0] - healthy)[:, culprits] / scale
    assert ramp[ONSET + 150] == pytest.approx([1.5] * 3)
    assert ramp[-1] == pytest.approx([3.0] * 3)
    noise = (plant(8, 3, "variance")[0] - healthy)[ONSET:, culprits] / scale
    assert noise.std(0) == pytest.approx([1.5] * 3, rel=0.05)
    assert noise.mean(0) == pytest.approx([0.0] * 3, abs=0.1)


def test_same_seed_same_plant_other_seed_other_plant(healthy: np.ndarray) -> None:
    assert (plant(8, 3, "none")[0] == healthy).all()
    assert (plant(8, 4, "none")[0] != healthy).any()


def test_shares_are_of_the_rows_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        """Alarms by the row alone: rows 1,000 to 1,299 after the warm-up."""

        def __init__(self) -> None:
            self.row = -1

        def learn_one(self, _x: dict[str, float]) -> None: ...

        def score_one(self, _x: dict[str, float]) -> float:
            self.row += 1
            return 0.0

        def alarm_one(self, _score: float, _x: dict[str, float]) -> bool:
            return 1000 <= self.row < 1300

    found = plants.shares_alarmed(lambda _f, _s: Clock(), 8, repeats=1)
    assert found.healthy == pytest.approx(300 / 7000)
    assert (found.step, found.ramp, found.variance, found.standing) == (0.5, 0.5, 0.5, 0.0)


@pytest.mark.parametrize("kind", FAULTS)
def test_an_injected_fault_touches_its_culprit_only(kind: str) -> None:
    made = inject(kind, 6, 11)
    random = np.random.default_rng([11, 6, list(FAULTS).index(kind)])
    healthy = plants.healthy_plant(random, 6, injections.ROWS)
    changed = made.rows != healthy
    assert np.flatnonzero(changed.any(axis=0)).tolist() == [made.culprit]
    assert not changed[: injections.ONSET].any()
    assert np.isfinite(made.rows).all()


@pytest.mark.parametrize("kind", ["decoupling", "swapped", "variance", "oscillation", "gain"])
def test_faults_without_a_shift_keep_the_mean(kind: str) -> None:
    made = inject(kind, 6, 2)
    random = np.random.default_rng([2, 6, list(FAULTS).index(kind)])
    healthy = plants.healthy_plant(random, 6, injections.ROWS)[injections.ONSET :, made.culprit]
    shift = made.rows[injections.ONSET :, made.culprit].mean() - healthy.mean()
    assert abs(shift) < 0.25 * healthy.std()


@pytest.mark.parametrize("kind", ["dropout", "spikes"])
def test_a_plain_detector_blames_the_right_signal_for_a_blunt_fault(kind: str) -> None:
    found = blame(DETECTORS["rolling-z"], kind, 6, range(2))
    assert found == Blame(faults=2, seen=2, first=2, top=2)


def reasons(*alarms: tuple[int, dict[str, float]]) -> Run:
    nothing = np.zeros(1400)
    marks = nothing.astype(bool)
    return Run(("a", "b", "c"), injections.WARMUP, nothing, marks, nothing, ~marks, dict(alarms))


@pytest.mark.parametrize(
    ("done", "rank"),
    [
        (reasons(), None),
        (reasons((499, {"b": 1.0})), None),
        (reasons((499, {"b": 1.0}), (500, {"a": 0.6, "b": 0.4})), 2),
        (reasons((700, {"b": 0.6}), (900, {"a": 1.0})), 1),
        (reasons((700, {"a": 1.0})), 4),
    ],
)
def test_rank_of_the_culprit_in_the_first_reason_after_the_onset(
    done: Run, rank: int | None
) -> None:
    assert rank_of_culprit(done, "b") == rank


def test_pooling_blame() -> None:
    assert Blame.total([Blame(2, 1, 1, 1), Blame(3, 3, 0, 2)]) == Blame(5, 4, 1, 3)
