"""Entries into a mode: what was seen of them is no news, and what goes beyond is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.arrivals import FIRST, HOME_ROWS, RUNGS, VISITS, Arrivals
from analytics.relations import Relations
from analytics.watch import Judgement, Watch, WatchSettings
from plant.alarms import AlarmAction

SIGNALS = 4
ALONE = Relations(np.zeros(SIGNALS), np.ones(SIGNALS), np.eye(SIGNALS))
LIMITS = np.full(SIGNALS, 0.5)


def entered(levels: list[float], warms: float = 0.0) -> Arrivals:
    """Enter once for each level of signal 0; signal 1 comes from `warms` with a memory of 400."""
    arrivals = Arrivals(SIGNALS)
    for level in levels:
        arrivals.enter()
        for age in range(1, RUNGS[-1] + 1):
            arrivals.look(age, np.array([level, warms * np.exp(-age / 400), 0.0, 0.0]))
    arrivals.fit(ALONE, np.zeros((2, SIGNALS)), LIMITS)
    return arrivals


def residual(first: float, second: float = 0.0) -> NDArray[np.float64]:
    return np.tile([first, second, 0.0, 0.0], (2, 1))


def test_a_level_between_those_seen_is_taken_over() -> None:
    arrivals, base = entered([-2.0, 1.0, 3.0, 0.0] * 2), np.zeros((2, SIGNALS))
    arriving = arrivals.arrive(RUNGS[0], residual(2.5), base)
    assert arriving.all()
    np.testing.assert_allclose(base[:, 0], 2.5)


def test_what_lies_beyond_those_seen_counts() -> None:
    arrivals, base = entered([-2.0, 1.0, 3.0, 0.0] * 2), np.zeros((2, SIGNALS))
    arrivals.arrive(RUNGS[0], residual(50.0), base)
    assert 3.0 <= base[0, 0] <= 10.0
    base = np.zeros((2, SIGNALS))
    arrivals.arrive(RUNGS[0], residual(0.0, 50.0), base)
    assert abs(base[0, 1]) < 1e-9


def test_a_signal_that_warms_up_arrives_late_and_the_others_soon() -> None:
    arrivals = entered([0.0] * 8, warms=-30.0)
    soon = RUNGS[FIRST]
    assert arrivals.settles.tolist()[2:] == [soon, soon]
    assert arrivals.settles[0] == soon
    assert 1200 < arrivals.settles[1] <= 5120
    assert arrivals.lasts == arrivals.settles[1]


def test_on_its_way_a_signal_is_followed_and_then_left_alone() -> None:
    arrivals, base = entered([0.0] * 8, warms=-30.0), np.zeros((2, SIGNALS))
    arrivals.arrive(200, residual(0.0, -18.0), base)
    assert base[0, 1] == pytest.approx(-18.0)
    assert arrivals.arrive(RUNGS[-1] + 1, residual(0.0, -18.0), base).sum() == 0
    assert base[0, 1] == pytest.approx(-18.0)


def test_two_long_entries_do_not_tell_all_that_many_short_ones_did() -> None:
    arrivals = Arrivals(SIGNALS)
    for level, rows in [(-3.0, 640), (0.0, 640), (3.0, 640)] * 3 + [(0.0, 5120)] * 2:
        arrivals.enter()
        for age in range(1, rows + 1):
            arrivals.look(age, np.array([level - 30.0 * np.exp(-age / 400), 0.0, 0.0, 0.0]))
    arrivals.fit(ALONE, np.zeros((2, SIGNALS)), LIMITS)
    base = np.zeros((2, SIGNALS))
    assert arrivals.arrive(RUNGS[-2], residual(-1.0), base)[0]
    np.testing.assert_allclose(base[:, 0], -1.0)


def test_what_a_person_calls_normal_is_and_the_other_levels_stay_so() -> None:
    arrivals = entered([-2.0, 1.0, 3.0, 0.0] * 2, warms=-30.0)
    arrivals.accept(RUNGS[2], residual(20.0, -30.0 * np.exp(-RUNGS[2] / 400)))
    for age, now in [(RUNGS[0], (20.0, -28.0)), (RUNGS[2], (-2.0, -24.0)), (900, (20.0, -3.0))]:
        base = np.zeros((2, SIGNALS))
        arrivals.arrive(age, residual(*now), base)
        np.testing.assert_allclose(base[0, 1], now[1], atol=3.0)
        np.testing.assert_allclose(base[0, 0], now[0] if age <= arrivals.settles[0] else 0.0)
    base = residual(20.0)
    arrivals.stay(base, 8)
    np.testing.assert_allclose(base[:, 0], 20.0)
    base = np.zeros((2, SIGNALS))
    arrivals.arrive(RUNGS[0], residual(40.0), base)
    assert base[0, 0] < 25.0


@pytest.mark.parametrize("levels", [[], [5.0]])
def test_one_entry_tells_nothing(levels: list[float]) -> None:
    assert entered(levels).lasts == 0


def test_of_many_entries_a_bounded_number_is_kept() -> None:
    arrivals = Arrivals(SIGNALS)
    for level in range(1000):
        arrivals.enter()
        arrivals.look(RUNGS[0], np.full(SIGNALS, float(level)))
    seen = arrivals.state()["seen"][:, 0, 0]
    assert len(seen) <= VISITS
    assert {0.0, 999.0} <= set(seen.tolist())


def test_what_crept_to_the_end_of_its_leash_is_measured_from_home() -> None:
    arrivals, base = entered([-2.0, 1.0, 3.0, 0.0] * 2), np.zeros((2, SIGNALS))
    base[:, 0], base[:, 1] = 50.0, 1e-3
    arrivals.stay(base, 8)
    assert 3.0 <= base[0, 0] <= 10.0
    arrivals.go_home(base)
    np.testing.assert_allclose(base[:, 0], 0.5, atol=0.01)


@pytest.mark.parametrize("last", [-2.0, 3.0])
def test_levels_that_were_seen_stay_so_wherever_the_machine_was_when_it_had_learnt(
    last: float,
) -> None:
    levels = [-2.0, 1.0, 3.0, 0.0]
    arrivals = Arrivals(SIGNALS)
    for level in levels * 6:
        arrivals.enter()
        for age in RUNGS:
            arrivals.look(age, np.array([level, 0.0, 0.0, 0.0]))
    arrivals.fit(ALONE, residual(last), LIMITS)
    for level in levels * 50:  # home goes where it will
        arrivals.stay(residual(level), round(HOME_ROWS / 10))
    for level in levels:
        base = residual(level)
        arrivals.stay(base, 8)
        np.testing.assert_allclose(base[:, 0], level)


def test_it_goes_on_from_its_state() -> None:
    one = entered([-2.0, 1.0, 3.0], warms=4.0)
    other = Arrivals.restore(one.state())
    bases = []
    for each in (one, other):
        base = np.zeros((2, SIGNALS))
        each.stay(base + 1.0, 8)
        each.arrive(40, residual(9.0, 3.0), base)
        bases.append(base)
    np.testing.assert_array_equal(*bases)
    assert other.lasts == one.lasts


ON, OFF = 1, 0
VISIT, PAUSE = 1500, 900


def lived(
    random: np.random.Generator, visits: int, fault: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A machine that is switched on and off, with two signals that warm up; a fault in the last."""
    rows, modes, heat = [], [], 0.0
    for visit in range(visits):
        product = random.choice((-3.0, 0.0, 3.0))
        for mode, length in ((ON, VISIT), (OFF, PAUSE)):
            for _ in range(length):
                heat += ((20.0 if mode else 0.0) - heat) / 400
                faulty = fault * (visit == visits - 1) * mode
                base = np.array([heat, heat * 0.8, product * mode, faulty, 0.0, 0.0])
                rows.append(base + random.standard_normal(6) * 0.3)
                modes.append(mode)
    return np.array(rows), np.array(modes)


def raised(judgement: Judgement) -> list[tuple[int, str]]:
    return [
        (one.at, one.reason.contributions[0].signal)
        for one in judgement.transitions
        if one.action is AlarmAction.RAISE
    ]


@pytest.fixture(scope="module")
def watches() -> dict[float, Judgement]:
    names = [f"s{i}" for i in range(6)]
    found = {}
    for fault in (0.0, 12.0):
        rows, modes = lived(np.random.default_rng(5), 12, fault)
        learnt = 8 * (VISIT + PAUSE)
        watch = Watch(names, [""] * 6, WatchSettings(learn_rows=learnt))
        at = np.arange(len(rows), dtype=np.int64) * 10**9
        found[fault] = watch.judge(at, rows, modes)
    return found


def test_a_cold_start_like_those_learnt_is_no_alarm(watches: dict[float, Judgement]) -> None:
    assert raised(watches[0.0]) == []


def test_a_fault_that_comes_in_with_the_machine_is_one(watches: dict[float, Judgement]) -> None:
    last = 11 * (VISIT + PAUSE) * 10**9
    (first, *_) = raised(watches[12.0])
    assert first[0] > last
    assert first[1] == "s3"


def test_a_machine_that_is_well_again_may_make_another_product() -> None:
    rows, modes = lived(np.random.default_rng(5), 12)
    faulty, after = 9 * (VISIT + PAUSE), 10 * (VISIT + PAUSE)
    rows[faulty + 600 : faulty + VISIT, 2] += 9.0  # and then its level is that of a product, -3
    settings = WatchSettings(learn_rows=8 * (VISIT + PAUSE))
    watch = Watch([f"s{i}" for i in range(6)], [""] * 6, settings)
    judgement = watch.judge(np.arange(len(rows), dtype=np.int64) * 10**9, rows, modes)
    ends = [one.at // 10**9 for one in judgement.transitions if one.action is AlarmAction.CLEAR]
    assert len(raised(judgement)) == len(ends) == 1
    assert after < ends[0] < after + 100
