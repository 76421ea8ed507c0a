"""Calm rows of a block are taken together, and nobody can tell from what is said."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.evaluation.plants import healthy_plant
from analytics.watch import Judgement, Watch, WatchSettings

Columns = NDArray[np.float64]
SECOND = 10**9
LEARNT, ROWS, SIGNALS = 700, 2200, 12
NAMES = [f"s{j}" for j in range(SIGNALS)]


class Counted(Watch):
    """A watch that counts the rows which are taken alone."""

    alone = 0

    def _take(self, *words: Any) -> None:
        self.alone += 1
        super()._take(*words)


def plant(seed: int = 0) -> Columns:
    return healthy_plant(np.random.default_rng(seed), SIGNALS, ROWS)


def stepped() -> Columns:
    rows = plant(1)
    rows[1500:1800, 3] += 12.0
    return rows


def rounded() -> Columns:
    rows = np.round(plant(2), 1)
    rows[:, 5] = 3.0
    rows[1700:2100, 2] = rows[1700, 2]
    return rows


def holed() -> Columns:
    rows = plant(3)
    rows[900:905, 1] = np.nan
    rows[1200, 4] = np.inf
    rows[1600:1700, 7] = np.nan
    rows[2000] = np.nan
    return rows


def spiked() -> Columns:
    rows = plant(4)
    rows[[1000, 1100, 1130, 1160, 2000], 6] += 60.0
    return rows


def times(jumps: bool = False) -> NDArray[np.int64]:
    at = np.arange(ROWS, dtype=np.int64) * SECOND
    at[1400:] += 3600 * SECOND * jumps
    at[2000:] -= 5 * SECOND * jumps
    return at


def watch() -> Counted:
    return Counted(NAMES, [""] * SIGNALS, WatchSettings(learn_rows=LEARNT))


def told(parts: list[Judgement]) -> list[object]:
    return [each for part in parts for each in (*part.transitions, *part.diagnoses)]


def same(one: Watch, other: Watch) -> list[str]:
    """Name the arrays in which two watches differ."""
    left, right = one.state(), other.state()
    assert left.keys() == right.keys()
    return [name for name in left if not np.array_equal(left[name], right[name], equal_nan=True)]


@cache
def one_by_one(make: Callable[[], Columns]) -> tuple[Watch, list[Judgement]]:
    rows, at, mode, alone = make(), times(), np.zeros(1, np.int64), watch()
    return alone, [alone.judge(at[k : k + 1], rows[k : k + 1], mode) for k in range(ROWS)]


@pytest.mark.parametrize("block", [64, 7, 500])
@pytest.mark.parametrize("make", [plant, stepped, rounded, holed, spiked])
def test_blocks_say_and_know_what_single_rows_do(make: Callable[[], Columns], block: int) -> None:
    rows, at, mode = make(), times(), np.zeros(ROWS, np.int64)
    (alone, one), together = one_by_one(make), watch()
    many = [
        together.judge(at[k : k + block], rows[k : k + block], mode[k : k + block])
        for k in range(0, ROWS, block)
    ]
    scores = np.concatenate([part.score for part in many])
    assert np.array_equal(scores, np.concatenate([part.score for part in one]), equal_nan=True)
    assert told(many) == told(one)
    assert same(alone, together) == []
    assert alone.explain() == together.explain()


def test_gaps_and_a_clock_that_steps_back_end_a_block() -> None:
    rows, at, mode = plant(), times(jumps=True), np.zeros(ROWS, np.int64)
    mode[2100:] = 1
    alone, together = watch(), watch()
    one = [alone.judge_one(int(at[k]), rows[k], int(mode[k])) for k in range(ROWS)]
    many = together.judge(at, rows, mode)
    judged = [each for each in one if each is not None]
    assert [each is not None for each in one] == many.judged.tolist()
    assert judged == list(zip(many.score[many.judged], many.threshold[many.judged], strict=True))
    assert same(alone, together) == []


@pytest.mark.parametrize(("rows", "most"), [(plant(), 0.06), (rounded(), 0.5), (spiked(), 0.15)])
def test_most_rows_of_a_healthy_machine_are_taken_together(rows: Columns, most: float) -> None:
    made = watch()
    made.judge(times(), rows, np.zeros(ROWS, np.int64))
    steady = LEARNT + 100
    assert made.alone - steady < most * (ROWS - steady)


@pytest.mark.parametrize("rows", [stepped(), holed()])
def test_contributions_of_a_block_are_those_of_its_rows(rows: Columns) -> None:
    at, mode = times(), np.zeros(ROWS, np.int64)
    alone, together = watch(), watch()
    judgement = together.judge(at, rows, mode, explained=True)
    parts = judgement.contributions
    assert parts is not None
    wanted = np.full(parts.shape, np.nan)
    for k in range(ROWS):
        if alone.judge_one(int(at[k]), rows[k], 0) is not None:
            wanted[k] = alone.contributions()
    assert np.array_equal(parts, wanted, equal_nan=True)
    known = parts[judgement.judged]
    assert (known >= 0).all()
    np.testing.assert_allclose(known.sum(axis=1), judgement.score[judgement.judged])


def test_contributions_are_given_only_where_they_are_asked_for() -> None:
    assert watch().judge(times(), plant(), np.zeros(ROWS, np.int64)).contributions is None


@pytest.mark.parametrize("cut", [803, 1530])
def test_restored_between_blocks_it_goes_on_to_the_bit(cut: int) -> None:
    rows, at, mode = stepped(), times(), np.zeros(ROWS, np.int64)
    whole, first, again = watch(), watch(), watch()
    judgement = whole.judge(at, rows, mode)
    first.judge(at[:cut], rows[:cut], mode[:cut])
    again.restore({name: value.copy() for name, value in first.state().items()})
    later = again.judge(at[cut:], rows[cut:], mode[cut:])
    assert np.array_equal(later.score, judgement.score[cut:], equal_nan=True)
    assert same(whole, again) == []
