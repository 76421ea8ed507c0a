"""The latch: delays on source time, release against the fault, no chatter."""

from itertools import pairwise

import numpy as np
import pytest

from analytics.alarming import AlarmLatch
from plant.alarms import AlarmAction

SECOND = 10**9
LIMIT = 3.0


def latch() -> AlarmLatch:
    return AlarmLatch(2, on_delay=5 * SECOND, off_delay=10 * SECOND)


def play(machine: AlarmLatch, scores: list[float], start: int = 0) -> list[tuple[int, str]]:
    """Feed scores at one row a second, the first signal deviating as much."""
    told = []
    for k, score in enumerate(scores):
        at = (start + k) * SECOND
        action = machine.step(at, 0, score, LIMIT, np.array([score, 1.0]))
        told += [(start + k, str(action))] * (action is not None)
    return told


def test_alarm_comes_after_the_on_delay_and_goes_after_the_off_delay() -> None:
    machine = latch()
    assert play(machine, [1.0] * 5 + [8.0] * 20 + [1.0] * 20) == [(10, "raise"), (35, "clear")]
    assert not machine.alarmed


@pytest.mark.parametrize("high", [1, 4, 5])
def test_shorter_than_the_delay_is_no_alarm(high: int) -> None:
    assert play(latch(), [1.0] * 5 + [8.0] * high + [1.0] * 20) == []


def test_score_around_the_limit_does_not_chatter() -> None:
    wobble = [3.5] * 10 + [2.9, 3.1] * 200
    assert play(latch(), wobble) == [(5, "raise")]


def test_fading_disturbance_is_not_an_alarm() -> None:
    assert play(latch(), [20 * 0.5 ** (k / 7) for k in range(60)]) == []


def test_large_fault_is_gone_when_little_of_it_is_left() -> None:
    told = play(latch(), [100.0] * 70 + [15.0] * 30)
    assert told == [(5, "raise"), (80, "clear")]


def test_trace_of_a_fault_does_not_alarm_again_at_once() -> None:
    told = play(latch(), [100.0] * 70 + [15.0] * 60)
    assert [word for _, word in told] == ["raise", "clear"]


def test_fault_that_comes_back_while_settling_alarms_again() -> None:
    told = play(latch(), [100.0] * 70 + [1.0] * 20 + [90.0] * 20)
    assert [word for _, word in told] == ["raise", "clear", "raise"]


def test_delays_run_on_source_time_not_on_rows() -> None:
    machine, score = latch(), 8.0
    actions = [
        machine.step(k * SECOND // 10, 0, score, LIMIT, np.array([score, 1.0])) for k in range(60)
    ]
    assert [k for k, action in enumerate(actions) if action is not None] == [50]


def test_only_the_mode_that_raised_it_clears_it() -> None:
    machine = latch()
    play(machine, [8.0] * 10)
    quiet = np.array([0.5, 0.5])
    other = [machine.step((10 + k) * SECOND, 1, 0.5, LIMIT, quiet) for k in range(100)]
    assert other == [None] * 100
    same = [machine.step((110 + k) * SECOND, 0, 0.5, LIMIT, quiet) for k in range(12)]
    assert same[10] is AlarmAction.CLEAR


def test_culprit_that_is_missing_keeps_the_alarm() -> None:
    machine = latch()
    play(machine, [8.0] * 10)
    blind = np.array([np.nan, 0.1])
    told = [machine.step((10 + k) * SECOND, 0, 0.5, LIMIT, blind) for k in range(100)]
    assert told == [None] * 100


def test_row_that_cannot_be_judged_starts_the_delay_again() -> None:
    machine = latch()
    play(machine, [8.0] * 5)
    machine.hold()
    assert play(machine, [8.0] * 10, start=5) == [(10, "raise")]


@pytest.mark.parametrize("cut", [3, 8, 40, 78, 95])
def test_restored_latch_goes_on(cut: int) -> None:
    scores = [1.0] * 2 + [60.0] * 68 + [9.0] * 20 + [50.0] * 20
    whole = play(latch(), scores)
    first, again = latch(), latch()
    told = play(first, scores[:cut])
    again.restore(first.state())
    assert told + play(again, scores[cut:], start=cut) == whole
    assert all(before < after for before, after in pairwise(at for at, _ in whole))
