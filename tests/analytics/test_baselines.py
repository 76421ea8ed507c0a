"""A row after another moves what is followed by gains that stay, and says what it says afresh."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.baselines import RIPE, ModeBaseline
from analytics.channels import QUICK, SLOW
from analytics.evaluation.plants import healthy_plant
from analytics.smoothing import Smoother
from analytics.watch import Watch, WatchSettings

Columns = NDArray[np.float64]
SIGNALS, LEARNT, ROWS = 6, 600, 1000
SECOND = 10**9


@cache
def rows() -> Columns:
    made = healthy_plant(np.random.default_rng(0), SIGNALS, ROWS)
    made[800, 2] += 500.0  # so wild that it does not count in full
    return made


def baseline(settles: int) -> ModeBaseline:
    """Learn a mode in which signals 0 and 1 have arrived after so many rows, the others at once."""
    watch = Watch(
        [f"s{j}" for j in range(SIGNALS)], [""] * SIGNALS, WatchSettings(learn_rows=LEARNT)
    )
    at = np.arange(LEARNT, dtype=np.int64) * SECOND
    watch.judge(at, rows()[:LEARNT], np.zeros(LEARNT, np.int64))
    prefix = "modes.0."
    state = {
        name.removeprefix(prefix): value
        for name, value in watch.state().items()
        if name.startswith(prefix)
    }
    state["arrivals.settles"][:2] = settles
    state["arrivals.range"][:] = np.array([[-9.0], [9.0]])
    return ModeBaseline.restore(state)


def afresh(known: ModeBaseline) -> ModeBaseline:
    """Give the same, which does not know that it saw the row before."""
    state = known.state()
    state["turn"][2] = 0
    return ModeBaseline.restore(state)


@pytest.mark.parametrize("settles", [0, 320])
def test_a_row_after_another_says_what_it_says_afresh(settles: int) -> None:
    goes_on = baseline(settles)
    means = Smoother(SIGNALS, (QUICK, SLOW, 60.0))
    for row in rows()[LEARNT : LEARNT + RIPE]:
        means.smooth(row, True)
    goes_on.deviation(means.shortest, means.mean, means.rows, None, True)
    for row in rows()[LEARNT + RIPE :]:
        before = afresh(goes_on)
        smooth = means.smooth(row, True)
        told = goes_on.deviation(row, smooth, means.rows, None, True)
        other = before.deviation(row, smooth, means.rows, None, True)
        assert told.score == pytest.approx(other.score, rel=1e-9)
        np.testing.assert_allclose(told.in_limits, other.in_limits, rtol=1e-8, atol=1e-9)
        left, right = goes_on.state(), before.state()
        np.testing.assert_allclose(left["channels.variance"], right["channels.variance"], rtol=1e-9)
        np.testing.assert_allclose(left["left"], right["left"], rtol=1e-9, atol=1e-9)


def test_a_signal_that_arrives_is_not_restless() -> None:
    arriving, arrived = baseline(320), baseline(0)
    before = arriving.state()["channels.variance"][0].copy()
    means = Smoother(SIGNALS, (QUICK, SLOW, 60.0))
    for row in rows()[LEARNT : LEARNT + 150]:
        smooth = means.smooth(row, True)
        arriving.deviation(row, smooth, means.rows, None, True)
        arrived.deviation(row, smooth, means.rows, None, True)
    slow, others = (each.state()["channels.variance"][0] for each in (arriving, arrived))
    np.testing.assert_allclose(slow[:2], before[:2], rtol=1e-12)
    assert (slow[2:] == others[2:]).all()
    assert (slow[2:] != before[2:]).all()


def test_scales_are_what_limits_make_of_the_deviations_in_limits() -> None:
    known, means = baseline(0), Smoother(SIGNALS, (QUICK, SLOW, 60.0))
    for row in rows()[LEARNT : LEARNT + 2]:  # not learnt: limits change between two looks at unrest
        known.deviation(row, means.smooth(row, True), means.rows, None, True)
    for row in rows()[LEARNT + 2 :]:
        smooth = means.smooth(row, True)
        again = ModeBaseline.restore(known.state())
        for each in (known, again):
            told = each.deviation(row, smooth, means.rows, None, True)
            largest = (told.in_limits * told.limits).max(axis=0)
            np.testing.assert_allclose(each.scales(), largest, rtol=1e-12)
        known.learn(smooth[0], means.rows)
