"""What a signal answers to setpoints: learnt where the data can tell, refused where it cannot."""

import json
from typing import Any

import numpy as np
import pytest

from analytics.response import Response, learn, read_response, write_response
from plant.errors import Misconfigured, Rejected
from tests.gateway.proposing.scenes import LOAD, SPEED, UNITS, VIB, response, rows

OTHER = "n/l/conveyor/feed"


def learnt(inputs: np.ndarray, effect: np.ndarray, *tags: str, setpoints: int = 1) -> Response:
    return learn(tags or (SPEED, LOAD), setpoints, inputs, effect, VIB, UNITS, 60.0)


def test_it_finds_the_slope_that_was_put_in() -> None:
    found = response(slope=0.2, noise=0.1)

    per = {one.tag: one.coefficient / one.deviation for one in found.columns}
    assert per[SPEED] == pytest.approx(0.2, abs=0.01)
    assert per[LOAD] == pytest.approx(0.02, abs=0.005)
    assert found.noise == pytest.approx(0.1, rel=0.15)
    assert found.held_out > 0.9
    assert [one.power for one in found.columns] == [1, 1]


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(100):
        found = response(seed=seed, count=800, noise=0.2)
        column = found.columns[0]
        # The ridge takes a thousandth of it away: a part of the interval that is asked for here.
        held += abs(column.coefficient / column.deviation - 0.2) <= (
            1.96 * column.error / column.deviation
        )
    assert 88 <= held <= 100


def test_residuals_that_follow_one_another_make_it_less_sure() -> None:
    inputs, effect = rows(noise=0.0)
    random = np.random.default_rng(3)
    white = random.normal(0.0, 0.2, len(effect))
    slow = np.convolve(random.normal(0.0, 0.2, len(effect) + 19), np.ones(20) / 20**0.5, "valid")

    sure, less = learnt(inputs, effect + white), learnt(inputs, effect + slow)

    assert less.columns[0].error > 2 * sure.columns[0].error


def test_a_bend_is_told_where_there_is_one() -> None:
    found = response(slope=0.0, bend=0.05, noise=0.05)

    assert [(one.tag, one.power) for one in found.columns] == [(SPEED, 1), (SPEED, 2), (LOAD, 1)]
    values = {SPEED: 54.0, LOAD: 60.0}
    assert found.expected(values) == pytest.approx(5.8, abs=0.1)


def test_two_setpoints_are_told_apart() -> None:
    inputs, effect = rows()
    feed = np.repeat(np.random.default_rng(9).uniform(1.0, 3.0, 40), 10)
    both = np.column_stack([inputs[:, 0], feed, inputs[:, 1]])

    found = learnt(both, effect - 0.5 * feed, SPEED, OTHER, LOAD, setpoints=2)

    per = {one.tag: one.coefficient / one.deviation for one in found.columns}
    assert per[OTHER] == pytest.approx(-0.5, abs=0.05)
    change, _ = found.change({SPEED: 50.0, OTHER: 2.0, LOAD: 60.0},
                             {SPEED: 48.0, OTHER: 3.0, LOAD: 60.0})  # fmt: skip
    assert change == pytest.approx(-0.9, abs=0.05)


def still(at: float, moved: int = 0) -> tuple[np.ndarray, np.ndarray]:
    inputs, effect = rows()
    inputs[:, 0] = at
    inputs[:moved, 0] += 1.0
    return inputs, effect


def together() -> tuple[np.ndarray, np.ndarray]:
    inputs, effect = rows()
    inputs[:, 1] = inputs[:, 0] * 1.2 + np.random.default_rng(4).normal(0.0, 0.1, len(effect))
    return inputs, effect


def other_by_then() -> tuple[np.ndarray, np.ndarray]:
    inputs, effect = rows()
    effect[300:] = 9.0 - 3.0 * effect[300:]
    return inputs, effect


def unmoved() -> tuple[np.ndarray, np.ndarray]:
    inputs, effect = rows()
    return inputs, effect * 0.0


CANNOT = {
    "too few": (rows(count=40), "40 whole windows"),
    "never moved": (still(50.0), "speed never moved: it was 50 all the time"),
    "moved once": (still(50.0, 100), r"speed moved 1 times \(50 … 51\); 3 are needed"),
    "went along": (together(), r"speed went along with load and others \(R² 1.00\)"),
    "within the noise": (
        rows(slope=0.0), r"the effect of speed is within the noise: .* ± 0.0\d+ mm/s at 95 %",
    ),
    "another plant by then": (other_by_then(), "foretells the last 25% of vibration no better"),
    "no effect": (unmoved(), "the effect never moved: it was 0 all the time"),
}  # fmt: skip


@pytest.mark.parametrize("what", CANNOT)
def test_what_the_data_cannot_tell_is_refused_with_figures(what: str) -> None:
    (inputs, effect), why = CANNOT[what]

    with pytest.raises(Rejected, match=why):
        learnt(inputs, effect)


def test_a_constant_context_is_taken_as_the_only_one_known() -> None:
    inputs, effect = rows()
    inputs[:, 1] = 60.0

    found = learnt(inputs, effect)

    assert [one.tag for one in found.columns] == [SPEED]
    assert "load 61 is outside what was seen, 60 … 60" in found.outside({SPEED: 50.0, LOAD: 61.0})


def test_it_is_the_same_after_it_was_written_and_read() -> None:
    found = response()

    assert read_response(write_response(found), "r.json") == found


BREAKS: dict[str, Any] = {
    "another format": {"format": 2},
    "no setpoint": {"setpoints": []},
    "NaN": {"intercept": float("nan")},
    "a text": {"noise": "little"},
    "a covariance of another size": {"covariance": [[1.0]]},
    "no deviation": {"columns": [{
        "tag": SPEED, "power": 1, "centre": 0.0, "coefficient": 1.0, "standard_error": 1.0,
        "mean": 0.0, "deviation": 0.0,
    }], "covariance": [[1.0]]},
    "an unknown tag": {"setpoints": [OTHER]},
    "nothing seen": {"seen": {}},
    "columns missing": {"columns": None},
    "endless rows": {"rows": float("inf")},
    "a number beyond all": {"noise": 10**400},
    "half a power": {"columns": [{
        "tag": SPEED, "power": 1.5, "centre": 0.0, "coefficient": 1.0, "standard_error": 1.0,
        "mean": 0.0, "deviation": 1.0,
    }], "covariance": [[1.0]]},
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_a_file_that_is_none_is_refused(what: str) -> None:
    said = json.loads(write_response(response())) | BREAKS[what]

    with pytest.raises(Misconfigured, match=r"r\.json: is no learnt response"):
        read_response(json.dumps(said), "r.json")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"format": 1}', "[" * 100_000])
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="is no learnt response"):
        read_response(text, "r.json")
