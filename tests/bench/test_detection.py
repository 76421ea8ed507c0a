"""The bench of detection: verdicts, and that each promise is one of a figure that is measured."""

from pathlib import Path

import numpy as np
import pytest

from analytics.evaluation.yardsticks import DETECTORS
from bench import detection
from bench.detection import PROMISES, Promise, row_times
from bench.speed import Speed, speed


@pytest.mark.parametrize(
    ("promise", "value", "verdict"),
    [
        (Promise(0.8, 0.9, high=True), 0.9, "aim"),
        (Promise(0.8, 0.9, high=True), 0.8, "must"),
        (Promise(0.8, 0.9, high=True), 0.79, "MISSES"),
        (Promise(5, 2), 2, "aim"),
        (Promise(5, 2), 5, "must"),
        (Promise(5, 2), 5.1, "MISSES"),
        (Promise(5, 2), float("nan"), "not measured"),
    ],
)
def test_verdict(promise: Promise, value: float, verdict: str) -> None:
    assert promise.verdict(value) == verdict


def test_an_aim_is_never_easier_than_its_must() -> None:
    assert [
        name for name, p in PROMISES.items() if (p.aim - p.must) * (1 if p.high else -1) < 0
    ] == []


def test_every_promise_is_measured_somewhere() -> None:
    source = Path(detection.__file__).read_text(encoding="utf-8")
    text = source.partition("PROMISES: ")[2].partition("\n}\n")[2]
    named = [name for name in PROMISES if not name.startswith("plants of")]
    written = [name.replace("at 64", "at {features}") for name in named]
    assert [name for name in written if f'"{name}"' not in text] == []


def test_spread_over_seeds() -> None:
    row = detection._row("skab F1", [0.84, 0.8, 0.9])
    assert (row["value"], row["low"], row["median"], row["high"]) == (0.84, 0.8, 0.84, 0.9)
    assert row["verdict"] == "must"


def test_time_with_contributions_is_the_longer_one() -> None:
    bare, explained = row_times(DETECTORS["rolling-z"], 8, 0)
    assert 1 < bare < explained < 20_000


def test_a_detector_without_reasons_has_no_time_for_them() -> None:
    class Silent:
        def learn_one(self, _x: dict[str, float]) -> None: ...

        def score_one(self, _x: dict[str, float]) -> float:
            return 0.0

    assert np.isnan(row_times(lambda _f, _s: Silent(), 4, 0)[1])


def test_rows_that_come_together_cost_less() -> None:
    got = speed(0, signals=8, assets=2, rows=512)
    assert 1 < got.block < got.explained < 20_000
    assert 1 < got.in_turn < 20_000


def test_share_of_a_core() -> None:
    assert Speed(alone=0, explained=0, block=0, in_turn=200).share(500) == pytest.approx(10)
