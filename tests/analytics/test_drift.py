"""Drift of the score is told once, later than noise and without an alarm."""

import numpy as np
from numpy.typing import NDArray

from analytics.drift import BLOCK, LONGEST, ScoreDrift


def scores(rows: int, level: float, seed: int) -> NDArray[np.float64]:
    return level * np.exp(0.3 * np.random.default_rng(seed).normal(size=rows))


def times(rows: int) -> NDArray[np.int64]:
    return np.arange(rows, dtype=np.int64) * 10**9


def moved() -> NDArray[np.float64]:
    return np.concatenate((scores(200 * BLOCK, 1.0, 0), scores(100 * BLOCK, 1.6, 1)))


def test_moved_score_is_told_with_before_and_after() -> None:
    (drift,) = ScoreDrift().update(times(300 * BLOCK), moved())
    assert 200 * BLOCK <= drift.at / 10**9 <= 230 * BLOCK
    assert abs(drift.before - 1.0) < 0.1
    assert drift.after > 1.3


def test_steady_score_is_not_drift() -> None:
    assert ScoreDrift().update(times(300 * BLOCK), scores(300 * BLOCK, 1.0, 0)) == ()


def test_rows_that_were_not_judged_are_passed_over() -> None:
    gappy, watch = moved(), ScoreDrift()
    gappy[::2] = np.nan
    plain = ScoreDrift().update(times(300 * BLOCK)[1::2], gappy[1::2])
    assert watch.update(times(300 * BLOCK), gappy) == plain
    assert plain


def test_pieces_and_restarts_change_nothing() -> None:
    whole = ScoreDrift().update(times(300 * BLOCK), moved())
    drift, told = ScoreDrift(), []
    for at, score in zip(
        np.array_split(times(300 * BLOCK), 37), np.array_split(moved(), 37), strict=True
    ):
        again = ScoreDrift()
        again.restore(drift.state())
        told += again.update(at, score)
        drift = again
    assert tuple(told) == whole


def test_memory_is_bounded() -> None:
    drift = ScoreDrift()
    drift.update(times((LONGEST + 10) * BLOCK), np.ones((LONGEST + 10) * BLOCK))
    assert len(drift.state()["means"]) <= LONGEST
