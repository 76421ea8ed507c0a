"""The judge of the campaign can say no."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.faults.evidence import (
    Samples,
    bad_after_s,
    doubled,
    missing,
    seconds_to_first_good,
    wrong,
)

MS = 1_000_000
BAD = 0x80310000


def witness(*ticks: int) -> Any:
    return SimpleNamespace(ticks=list(ticks), period=100)


def samples(*rows: tuple[int, float, int, int, int]) -> Samples:
    """Rows of time in ms, value, status, received in ms, recovered."""
    at, value, status, received, recovered = zip(*rows, strict=True)
    return Samples(
        np.array(at, np.int64) * MS,
        np.array(value, np.float64),
        np.array(status, np.uint32),
        np.array(received, np.int64) * MS,
        np.array(recovered, np.uint8),
    )


def right(tick: int, *, recovered: int = 0) -> tuple[int, float, int, int, int]:
    """What tag 3 has to be at that tick."""
    return 100 * tick, 1000.0 * tick + 3, 0, 100 * tick + 20, recovered


def test_what_the_journal_lacks_between_first_and_last_is_missing() -> None:
    have = samples(right(2), right(5, recovered=2))
    assert missing(have, witness(1, 2, 3, 4, 5, 6), 3).tolist() == [3, 4]
    assert missing(have, witness(2, 5), 3).tolist() == []


@pytest.mark.parametrize(
    "row",
    [
        pytest.param((200, 2003.5, 0, 210, 0), id="value"),
        pytest.param((201, 2003.0, 0, 210, 0), id="time"),
        pytest.param((300, 3003.0, 0, 310, 0), id="never made"),
        pytest.param((200, 2004.0, 0, 210, 0), id="another tag's"),
    ],
)
def test_what_was_never_made_is_wrong(row: tuple[int, float, int, int, int]) -> None:
    assert wrong(samples(right(1), row), witness(1, 2), 3) == 1
    assert wrong(samples(right(1), right(2)), witness(1, 2), 3) == 0


def test_a_bad_value_is_not_wrong_and_a_wrong_clock_is_reckoned_with() -> None:
    assert wrong(samples((200, float("nan"), BAD, 210, 0)), witness(2), 3) == 0
    assert wrong(samples((1200, 2003.0, 0, 210, 0)), witness(2), 3, skew_ms=1000) == 0


def test_the_same_value_twice_is_doubled() -> None:
    assert doubled(samples(right(1), right(2), right(2, recovered=1)), witness(1, 2), 3) == 1


def test_the_first_good_value_is_live_and_made_after_the_return() -> None:
    old, refilled, fresh = right(10), right(31, recovered=1), right(32)
    waits = seconds_to_first_good(samples(old, refilled, fresh), [3000 * MS], [9000 * MS])
    assert waits == [pytest.approx(0.22)]
    never = seconds_to_first_good(samples(old, refilled, fresh), [3000 * MS], [3200 * MS])
    assert never == [float("inf")]


def test_how_long_it_took_to_say_bad() -> None:
    told = samples(right(1), (4000, float("nan"), BAD, 4100, 0))
    assert bad_after_s(told, 1500 * MS) == pytest.approx(2.6)
    assert bad_after_s(told, 4200 * MS) == float("inf")
