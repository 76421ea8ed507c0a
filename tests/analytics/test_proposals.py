"""A new normal is proposed with its evidence; what is small, short or a fault is not."""

from typing import Any

import numpy as np
import pytest

from analytics.proposals import (
    DAY_NS,
    Cause,
    Reason,
    Seen,
    a_person_decides,
    crept,
    reasons,
)
from analytics.settings import WatchSettings
from analytics.watch import Watch

SECOND = 10**9
SIGNALS = ("flow", "pressure", "current", "vibration")
WINDOW = 60
DAYS = 8
COUNT = DAYS * 24 * 60


def pump(rows: int, seed: int, noise: float = 1.0) -> Any:
    random = np.random.default_rng(seed)
    load = np.sin(np.arange(rows) / 47) + 0.5 * np.sin(np.arange(rows) / 11 + 1)
    level, gain = np.array([50.0, 4.0, 20.0, 2.3]), np.array([5.0, 0.3, 2.0, 0.0])
    spread = noise * np.array([0.5, 0.05, 0.3, 0.1])
    return level + gain * load[:, None] + spread * random.normal(size=(rows, 4))


@pytest.fixture(scope="module")
def watch() -> Watch:
    made = Watch(
        SIGNALS, ("m3/h", "bar", "A", "mm/s"),
        WatchSettings(learn_rows=2000, mode_rows=200, find_modes=False),
    )  # fmt: skip
    at = np.arange(2200, dtype=np.int64) * SECOND
    made.judge(at, pump(2200, 0), np.zeros(2200, np.int64))
    return made


def seen(rows: Any, mode: Any = None, healthy: Any = None) -> Seen:
    count = len(rows)
    return Seen(
        np.arange(count, dtype=np.int64) * WINDOW * SECOND,
        rows,
        np.zeros(count, np.int64) if mode is None else mode,
        np.ones(count, np.bool_) if healthy is None else healthy,
    )


def found(watch: Watch, what: Seen, **words: Any) -> list[Any]:
    said = {"trained_until": 0, "now": DAYS * DAY_NS, "oldest_days": 90.0}
    return reasons(watch, what, **(said | words))


def moved(by: float, begin: int = COUNT // 2) -> Any:
    rows = pump(COUNT, 1, noise=0.3)
    rows[begin:, 3] += by
    return rows


def test_a_machine_that_stayed_gives_no_reason(watch: Watch) -> None:
    assert found(watch, seen(pump(COUNT, 1, noise=0.3))) == []


def test_a_signal_that_moved_is_named_with_its_mode_and_day(watch: Watch) -> None:
    told = [one for one in found(watch, seen(moved(0.5))) if one.cause is Cause.DRIFT]

    assert [one.figures["signal"] for one in told] == ["vibration"]
    since = told[0].figures["since"] / (WINDOW * SECOND)
    assert abs(since - COUNT // 2) <= 2 * 120
    assert told[0].figures["after"] > 1.0
    assert abs(told[0].figures["before"]) < 0.5
    assert "vibration has moved up by" in told[0].sentence


def test_a_move_that_no_limit_minds_is_none(watch: Watch) -> None:
    assert found(watch, seen(moved(0.01))) == []


def test_what_lasted_an_hour_is_none(watch: Watch) -> None:
    rows = moved(0.0)
    rows[5000:5060, 3] += 0.5

    assert found(watch, seen(rows)) == []


def test_the_time_of_a_fault_proposes_nothing(watch: Watch) -> None:
    healthy = np.ones(COUNT, np.bool_)
    healthy[COUNT // 2 :] = False

    assert found(watch, seen(moved(0.5), healthy=healthy)) == []


def test_a_mode_that_the_model_does_not_know_is_a_reason(watch: Watch) -> None:
    mode = np.where(np.arange(COUNT) % 1000 < 100, 4, 0)

    (told,) = found(watch, seen(moved(0.0), mode=mode))

    assert told.cause is Cause.MODE
    assert told.figures["mode"] == 4


@pytest.mark.parametrize(("false", "expected", "count"), [(1, 0, 0), (1, 1, 1), (2, 0, 1)])
def test_what_people_said_is_a_reason(watch: Watch, false: int, expected: int, count: int) -> None:
    quiet = seen(moved(0.0)[:10])

    told = found(watch, quiet, called_false=false, called_expected=expected)

    assert [one.cause for one in told] == [Cause.FEEDBACK] * count


@pytest.mark.parametrize(("days", "count"), [(89, 0), (91, 1)])
def test_age_is_a_reason(watch: Watch, days: int, count: int) -> None:
    told = found(watch, seen(moved(0.0)[:10]), now=days * DAY_NS)

    assert [one.cause for one in told] == [Cause.AGE] * count


@pytest.mark.parametrize(
    ("cause", "person"),
    [
        (Cause.DRIFT, True),
        (Cause.SCORE, True),
        (Cause.MODE, True),
        (Cause.UNDECIDED, True),
        (Cause.FEEDBACK, False),
        (Cause.AGE, False),
    ],
)
def test_what_could_be_a_fault_is_for_a_person(cause: Cause, person: bool) -> None:
    assert a_person_decides([Reason(Cause.AGE, ""), Reason(cause, "")]) is person


STEP, STEPS = 0.05, 5


def taught(by: float) -> Watch:
    """Give a watch that was trained when the vibration had crept so far."""
    made = Watch(
        SIGNALS, ("m3/h", "bar", "A", "mm/s"),
        WatchSettings(learn_rows=2000, mode_rows=200, find_modes=False),
    )  # fmt: skip
    at = np.arange(2200, dtype=np.int64) * SECOND
    rows = pump(2200, 0)
    rows[:, 3] += by
    made.judge(at, rows, np.zeros(2200, np.int64))
    return made


def test_a_creep_that_is_learnt_in_steps_is_told_against_the_model_of_a_person(
    watch: Watch,
) -> None:
    newest = watch
    for step in range(1, STEPS + 1):
        now = seen(moved(STEP * step, begin=0))
        assert found(newest, now) == [], f"step {step} alone is no reason"
        newest = taught(STEP * step)

    (told,) = crept(watch, 3, now)
    assert (told.cause, told.figures["signal"], told.figures["model"]) == (
        Cause.CREEP, "vibration", 3,
    )  # fmt: skip
    assert "step by step since model 3" in told.sentence
    assert a_person_decides([told])
    assert crept(newest, 8, now) == []


def test_a_creep_of_which_too_little_was_seen_is_not_told(watch: Watch) -> None:
    assert crept(watch, 3, seen(moved(STEP * STEPS, begin=0)[:300])) == []
