"""The latch: delays on source time, release against the fault, no chatter."""

from itertools import pairwise

import numpy as np
import pytest

from analytics.alarming import GATHERS, HOLDS, LONGEST, RISES, AlarmLatch, Standing
from plant.alarms import AlarmAction

SECOND = 10**9


def latch() -> AlarmLatch:
    return AlarmLatch(on_delay=5 * SECOND, off_delay=10 * SECOND)


def step(
    machine: AlarmLatch,
    at: int,
    score: float,
    mode: int = 0,
    slow: float = 0.0,
    share: float = 0.0,
    distance: float = 0.0,
) -> AlarmAction | None:
    """Feed one row in which the first signal deviates as much as the score says."""
    strength = np.array([score, 0.3])
    row = Standing(strength, np.array([slow, 0.0]), slow, distance, share)
    return (
        machine.stand(at, mode, score / machine.bar, row)
        if machine.alarmed
        else machine.watch(at, mode, score / machine.bar, strength)
    )


def play(
    machine: AlarmLatch, scores: list[float], start: int = 0, **row: float
) -> list[tuple[int, str]]:
    """Feed scores, in limits, at one row a second."""
    told = []
    for k, score in enumerate(scores):
        action = step(machine, (start + k) * SECOND, score, 0, **row)
        told += [(start + k, str(action))] * (action is not None)
    return told


def test_alarm_comes_after_the_on_delay_and_goes_after_the_off_delay() -> None:
    machine = latch()
    told = play(machine, [0.3] * 5 + [2.7] * 60 + [0.3] * 20)
    assert told == [(10, "raise"), (75, "clear")]
    assert not machine.alarmed


@pytest.mark.parametrize("high", [1, 4, 5])
def test_shorter_than_the_delay_is_no_alarm(high: int) -> None:
    assert play(latch(), [0.3] * 5 + [2.7] * high + [0.3] * 20) == []


@pytest.mark.parametrize("row_s", [300, 3600])
def test_slow_rows_need_as_many_as_the_latch_asks_for(row_s: int) -> None:
    machine = latch()
    told = [step(machine, k * row_s * SECOND, 2.7) for k in range(10)]
    assert [k for k, action in enumerate(told) if action is not None] == [RISES - 1]


def test_score_around_the_limit_does_not_chatter() -> None:
    wobble = [1.2] * 10 + [0.97, 1.03] * 200
    assert play(latch(), wobble) == [(5, "raise")]


def test_fading_disturbance_is_not_an_alarm() -> None:
    assert play(latch(), [7 * 0.5 ** (k / 7) for k in range(60)]) == []


@pytest.mark.parametrize(("high", "told"), [(5, []), (6, [5]), (8, [5, 6, 7])])
def test_a_fault_is_worse_only_when_it_stays_so(high: int, told: list[int]) -> None:
    machine = latch()
    found = [machine.worse(k * SECOND, k < high) for k in range(10)]
    assert np.flatnonzero(found).tolist() == told


def test_large_fault_is_gone_when_little_of_it_is_left() -> None:
    told = play(latch(), [33.0] * 70 + [5.0] * 30)
    assert told == [(5, "raise"), (80, "clear")]


def test_trace_of_a_fault_does_not_alarm_again_at_once() -> None:
    told = play(latch(), [33.0] * 70 + [5.0] * 60)
    assert [word for _, word in told] == ["raise", "clear"]


def test_fault_that_comes_back_while_settling_alarms_again() -> None:
    told = play(latch(), [33.0] * 70 + [0.3] * 20 + [33.0] * 20)
    assert [word for _, word in told] == ["raise", "clear", "raise"]


def test_asset_settles_until_its_score_is_low_and_no_longer_than_it_may() -> None:
    machine = latch()
    play(machine, [33.0] * 70 + [5.0] * (15 + LONGEST // 2))
    assert machine.phase.name == "SETTLING"
    play(machine, [0.3] * 2, start=300)
    assert machine.phase.name == "HEALTHY"
    other = latch()
    play(other, [33.0] * 70 + [5.0] * (11 + LONGEST))
    assert other.phase.name == "HEALTHY"


def test_small_fault_is_gone_only_when_the_slow_mean_agrees() -> None:
    machine = latch()
    play(machine, [1.5] * 20)
    assert play(machine, [0.3] * 200, start=20, slow=0.9) == []
    assert play(machine, [0.3] * 20, start=220, slow=0.1) == [(230, "clear")]


def test_small_fault_that_still_grows_is_not_gone() -> None:
    machine = latch()
    play(machine, [1.2] * 10, distance=1.0)
    few = np.array([0.4, 0.3])
    rows = [Standing(few, few, 0.4, 1.0 + 0.002 * k, 0.0) for k in range(10, 300)]
    told = [machine.stand(k * SECOND, 0, 0.4, row) for k, row in enumerate(rows, start=10)]
    assert set(told) == {None}


def test_small_fault_that_no_signal_shows_stands_while_most_of_it_is_left() -> None:
    machine = latch()
    play(machine, [1.2] * (GATHERS + 10), share=1.0, distance=1.3)
    assert play(machine, [0.4] * 5000, start=70, share=0.7) == []
    assert play(machine, [0.4] * 20, start=5070, share=0.4) == [(5080, "clear")]


@pytest.mark.parametrize(("height", "distance"), [(9.0, 9.0), (1.2, 0.9)])
def test_fault_that_is_large_or_shows_in_one_signal_is_not_held_by_its_likeness(
    height: float, distance: float
) -> None:
    machine = latch()
    play(machine, [height] * (GATHERS + 10), share=1.0, distance=distance)
    assert play(machine, [0.4] * 20, start=70, share=0.7, distance=0.9) == [(80, "clear")]


def test_slow_channel_alone_holds_a_large_fault_for_its_first_rows_only() -> None:
    machine = latch()
    play(machine, [30.0] * 8)
    assert play(machine, [0.3] * 60, start=8, slow=0.9) == [(5 + HOLDS + 1 + 10, "clear")]


def test_every_alarm_that_went_makes_the_next_one_harder_for_a_while() -> None:
    machine = latch()
    assert machine.bar == 1.0
    play(machine, [33.0] * 70 + [0.3] * 15)
    after = machine.bar
    assert after == pytest.approx(1.5, abs=0.01)
    play(machine, [0.3] * 2000, start=85)
    assert machine.bar == pytest.approx(1.25, abs=0.01)


def test_person_can_let_the_alarm_go() -> None:
    machine = latch()
    play(machine, [8.0] * 10)
    machine.let_go()
    assert machine.phase.name == "SETTLING"
    assert play(machine, [4.0] * 60, start=10) == []


def test_delays_run_on_source_time_not_on_rows() -> None:
    machine = latch()
    actions = [step(machine, k * SECOND // 10, 2.7) for k in range(60)]
    assert [k for k, action in enumerate(actions) if action is not None] == [50]


def test_only_the_mode_that_raised_it_clears_it() -> None:
    machine = latch()
    play(machine, [2.7] * 60)
    other = [step(machine, (60 + k) * SECOND, 0.2, mode=1) for k in range(100)]
    assert other == [None] * 100
    same = [step(machine, (160 + k) * SECOND, 0.2) for k in range(12)]
    assert same[10] is AlarmAction.CLEAR


@pytest.mark.parametrize("standing", [10, 100])
def test_standing_fault_is_never_let_go_by_time(standing: int) -> None:
    machine = latch()
    told = play(machine, [6.0] * standing + [2.0] * 20_000)
    assert [word for _, word in told] == ["raise"]
    assert machine.alarmed


def test_row_that_cannot_be_judged_starts_the_delay_again() -> None:
    machine = latch()
    play(machine, [2.7] * 5)
    machine.hold()
    assert play(machine, [2.7] * 10, start=5) == [(10, "raise")]


@pytest.mark.parametrize("cut", [3, 8, 40, 78, 95])
def test_restored_latch_goes_on(cut: int) -> None:
    scores = [0.3] * 2 + [20.0] * 68 + [3.0] * 20 + [20.0] * 20
    whole = play(latch(), scores)
    first, again = latch(), latch()
    told = play(first, scores[:cut])
    again.restore(first.state())
    assert told + play(again, scores[cut:], start=cut) == whole
    assert [word for _, word in whole] == ["raise", "clear", "raise"]
    assert all(before < after for before, after in pairwise(at for at, _ in whole))
