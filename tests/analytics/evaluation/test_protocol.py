"""The protocol: what a detector is shown, when, and what is made of its answers."""

from collections.abc import Mapping

import numpy as np
import pytest

from analytics.evaluation import detector
from analytics.evaluation.protocol import Factory, healthy_limit, run, shares
from analytics.evaluation.yardsticks import DETECTORS, RollingZ
from plant.errors import Misconfigured

SIGNALS = ("flow", "pressure", "vibration")
WARMUP, ROWS, FAULT = 420, 760, 600


def rows(seed: int = 0) -> np.ndarray:
    """Three signals under one load; from `FAULT` on the last one leaves it."""
    random = np.random.default_rng(seed)
    load = np.convolve(random.normal(size=ROWS + 29), np.ones(30) / 30, "valid")
    made = 10 + load[:, None] * [3.0, 4.0, -2.0] + random.normal(scale=0.05, size=(ROWS, 3))
    made[FAULT:, 2] += 4.0
    return made


class Spy:
    """Writes down what it is asked, and scores the first signal."""

    adaptive = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.seen: list[float] = []

    def learn_one(self, x: dict[str, float]) -> None:
        self.asked.append("learn")
        self.seen.append(x["flow"])

    def end_warmup(self) -> None:
        self.asked.append("end")

    def score_one(self, x: dict[str, float]) -> float:
        assert x["flow"] not in self.seen, "a row was learnt before it was scored"
        self.asked.append("score")
        return x["flow"]


class DecidingSpy(Spy):
    """Alarms above 14, with a reason."""

    threshold = 14.0

    def alarm_one(self, score: float, _x: dict[str, float]) -> bool:
        self.asked.append("alarm")
        return score > self.threshold

    def explain_one(self, _x: dict[str, float]) -> Mapping[str, float]:
        self.asked.append("explain")
        return {"flow": 3.0, "pressure": 1.0, "vibration": 0.0}


def watched(spy: Spy, values: np.ndarray, warmup: int = 8) -> list[str]:
    run(lambda _features, _seed: spy, SIGNALS, values, warmup)
    return spy.asked


COUNTED = np.arange(48.0).reshape(16, 3)


def test_scorer_learns_three_quarters_and_is_calibrated_on_the_rest() -> None:
    asked = watched(Spy(), COUNTED)
    assert asked == [*["learn"] * 6, "end", *["score", "learn"] * (2 + 8)]


def test_decider_learns_the_whole_warmup() -> None:
    asked = watched(DecidingSpy(), COUNTED)
    first = ["score", "alarm", "explain", "learn"]
    assert asked == [*["learn"] * 8, "end", *first, *["score", "alarm", "learn"] * 7]


def test_who_does_not_adapt_learns_nothing_after_the_warmup() -> None:
    spy = DecidingSpy()
    spy.adaptive = False  # type: ignore[misc]
    assert watched(spy, COUNTED).count("learn") == 8


def test_score_of_a_scorer_is_one_at_its_threshold() -> None:
    done = run(lambda _f, _s: Spy(), SIGNALS, COUNTED, 8)
    middle, limit = healthy_limit(np.array([18.0, 21.0]))
    assert done.score.tolist() == pytest.approx((COUNTED[8:, 0] - middle) / (limit - middle))
    assert done.alarm.tolist() == (done.score >= 1).tolist()
    assert set(done.threshold.tolist()) == {1.0}


def test_reason_is_asked_for_when_an_alarm_comes() -> None:
    values = COUNTED.copy()
    values[12:14, 0] = [0.5, 0.25]
    done = run(lambda _f, _s: DecidingSpy(), SIGNALS, values, 8)
    assert done.reasons == {row: {"flow": 0.75, "pressure": 0.25} for row in (0, 6)}


def test_what_cannot_be_judged_is_counted_and_scores_zero() -> None:
    class Learning(Spy):
        def score_one(self, x: dict[str, float]) -> float:
            return float("nan") if x["flow"] < 30 else x["flow"]

    done = run(lambda _f, _s: Learning(), SIGNALS, COUNTED, 8)
    assert done.judged.tolist() == (COUNTED[8:, 0] >= 30).tolist()
    assert not done.alarm.any()


@pytest.mark.parametrize("name", ["default", "two-statistic", "rolling-z"])
def test_what_is_to_come_changes_nothing(name: str) -> None:
    whole = run(DETECTORS[name], SIGNALS, rows(), WARMUP)
    cut = run(DETECTORS[name], SIGNALS, rows()[:650], WARMUP)
    assert cut.score.tolist() == whole.score[: len(cut.score)].tolist()
    assert cut.alarm.tolist() == whole.alarm[: len(cut.alarm)].tolist()


@pytest.mark.parametrize("name", ["default", "two-statistic", "rolling-z"])
def test_fault_is_alarmed_and_its_signal_named(name: str) -> None:
    done = run(DETECTORS[name], SIGNALS, rows(), WARMUP)
    raised = min(row for row in done.reasons if row >= FAULT - WARMUP)
    assert done.alarm[FAULT - WARMUP :].any()
    assert next(iter(done.reasons[raised])) == "vibration"
    assert sum(done.reasons[raised].values()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", DETECTORS)
def test_missing_values_do_not_stop_it(name: str) -> None:
    holed = rows()
    holed[::7, 0] = np.nan
    holed[500:505] = np.nan
    done = run(DETECTORS[name], SIGNALS, holed, WARMUP)
    assert np.isfinite(done.score).all()


@pytest.mark.parametrize("name", ["default", "two-statistic", "rolling-z"])
def test_names_and_order_of_columns_decide_nothing(name: str) -> None:
    order = [2, 0, 1]
    plain = run(DETECTORS[name], SIGNALS, rows(), WARMUP)
    other = run(DETECTORS[name], ("f0", "f1", "f2"), rows()[:, order], WARMUP)
    assert other.alarm.tolist() == plain.alarm.tolist()
    assert other.score == pytest.approx(plain.score, rel=1e-6)


def test_the_exported_detector_is_the_default_one() -> None:
    default: Factory = DETECTORS["default"]
    assert type(detector(["a"], 0)) is type(default(["a"], 0))


def test_rolling_z_by_hand() -> None:
    made = RollingZ(["a", "b"], window=5)
    for a in (1.0, 2.0, 3.0, 4.0, 5.0):
        made.learn_one({"a": a, "b": 0.0})
    assert made.score_one({"a": 6.0, "b": 0.0}) == pytest.approx(3 / 1.4826)
    made.learn_one({"a": 6.0, "b": 0.0})
    assert made.score_one({"a": 4.0, "b": 0.0}) == 0.0
    assert shares(made.explain_one({"a": 7.0, "b": 0.0})) == {"a": 1.0}


@pytest.mark.parametrize(
    ("signals", "values", "warmup", "words"),
    [
        (SIGNALS, COUNTED[:, :2], 8, "3 names for columns of shape"),
        (("a", "a", "b"), COUNTED, 8, "different names"),
        (SIGNALS, COUNTED, 3, "teaches nothing"),
        (SIGNALS, COUNTED, 16, "leave none to judge"),
    ],
)
def test_wrong_input_is_refused_with_words(
    signals: tuple[str, ...], values: np.ndarray, warmup: int, words: str
) -> None:
    with pytest.raises(Misconfigured, match=words):
        run(DETECTORS["rolling-z"], signals, values, warmup)


def test_progress_hears_of_every_row() -> None:
    heard: list[int] = []
    run(DETECTORS["rolling-z"], SIGNALS, rows(), WARMUP, progress=heard.append)
    assert sum(heard) == ROWS
