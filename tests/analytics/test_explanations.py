"""Reasons: largest share first, nothing invented."""

import numpy as np
import pytest

from analytics.explanations import MOST, Evidence, explain
from plant.reasons import Trend, sentence

NAMES = tuple(f"s/a/l/pump/signal_{letter}" for letter in "abcdefg")
UNITS = ("bar",) * 7


def evidence(parts: list[float]) -> Evidence:
    p = len(parts)
    return Evidence(
        parts=np.array(parts),
        actual=np.arange(p) + 10.0,
        past=np.full(p, 12.0),
        expected=np.full(p, 3.0),
        low=np.full(p, 2.0),
        high=np.full(p, 4.0),
        scale=np.ones(p),
        left=np.arange(p) * 10**9,
    )


def test_largest_share_comes_first_and_small_ones_are_left_out() -> None:
    reason = explain(9.0, 3.0, evidence([1.0, 60.0, 0.0, 39.0, 0.5]), NAMES, UNITS)
    assert [part.signal[-1] for part in reason.contributions] == ["b", "d"]
    assert [part.share for part in reason.contributions] == pytest.approx([60 / 100.5, 39 / 100.5])
    assert (reason.score, reason.threshold) == (9.0, 3.0)


def test_reason_is_bounded() -> None:
    reason = explain(9.0, 3.0, evidence([1.0] * 7), NAMES, UNITS)
    assert len(reason.contributions) == MOST
    assert sum(part.share for part in reason.contributions) <= 1


def test_no_part_is_no_contributor() -> None:
    assert explain(0.0, 3.0, evidence([0.0, 0.0]), NAMES, UNITS).contributions == ()


def test_contribution_tells_value_band_time_and_direction() -> None:
    (part,) = explain(9.0, 3.0, evidence([0.0, 0.0, 0.0, 7.0]), NAMES, UNITS).contributions
    assert (part.actual, part.expected, part.low, part.high) == (13.0, 3.0, 2.0, 4.0)
    assert (part.unit, part.since, part.trend) == ("bar", 3 * 10**9, Trend.RISING)
    assert sentence("s/a/l/pump", explain(9.0, 3.0, evidence([1.0]), NAMES, UNITS)) == (
        "pump: signal a 3.3× its normal; 100 %"
    )


def test_a_signal_that_deviates_alone_may_be_its_sensor() -> None:
    alone, two, single = (
        sentence("s/a/l/pump", explain(9.0, 3.0, evidence(parts), NAMES, UNITS))
        for parts in ([1.0, 99.0], [4.0, 96.0], [96.0])
    )
    assert alone.endswith("; 99 %; no other signal shows it: check the sensor, too")
    assert (two[-10:], single[-5:]) == ("96 % / 4 %", "100 %")


@pytest.mark.parametrize(
    ("index", "expected"), [(0, Trend.FALLING), (2, Trend.STEADY), (4, Trend.RISING)]
)
def test_trend_compares_with_the_recent_past(index: int, expected: Trend) -> None:
    parts = [0.0] * 5
    parts[index] = 1.0
    (part,) = explain(9.0, 3.0, evidence(parts), NAMES, UNITS).contributions
    assert part.trend is expected
