"""What was called false or expected raises the bar for what looks alike, and never for good."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.feedback import (
    ALIKE,
    FADES_NS,
    KEPT,
    MARGIN,
    SHOWN,
    Incidents,
    deviations,
    fingerprint,
    similarity,
)
from plant.alarms import Label
from plant.reasons import Contribution, Reason, Trend

SIGNALS = ("a/p/x", "a/p/y", "a/p/z")
CEILING = 8.0
RUN, OTHER = 1, 2


def part(signal: str, share: float, actual: float, expected: float = 1.0) -> Contribution:
    return Contribution(signal, share, actual, expected, 0.9, 1.1, "", 0, Trend.STEADY)


def reason(severity: float = 2.0, *parts: Contribution) -> Reason:
    told = parts or (part("a/p/x", 0.64, 2.0), part("a/p/y", 0.36, 0.5))
    return Reason(severity * 3.0, 3.0, told)


def known(*severities: float, mode: int = RUN) -> Incidents:
    incidents = Incidents(SIGNALS, CEILING)
    for number, severity in enumerate(severities, 1):
        incidents.remember(number, 0, mode, reason(severity))
    return incidents


def test_a_fingerprint_is_the_signed_direction_of_what_contributed() -> None:
    found = fingerprint(deviations(reason(), SIGNALS))
    assert found.tolist() == pytest.approx([0.8, -0.6, 0.0])


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=9))
def test_a_fingerprint_is_a_unit_vector_or_nothing(z: list[float]) -> None:
    found = fingerprint(np.array(z))
    assert float(np.linalg.norm(found)) == pytest.approx(float(found.any()))


def test_the_same_in_another_mode_is_no_longer_alike() -> None:
    unit = np.array([0.6, 0.8])
    same, other = similarity(unit, np.stack((unit, unit)), np.array([True, False]))
    assert same == pytest.approx(1.0)
    assert other < ALIKE


@pytest.mark.parametrize("label", [Label.FALSE, Label.EXPECTED])
def test_a_label_asks_more_of_the_next_one_like_it(label: Label) -> None:
    incidents = known(2.0, 2.0)
    assert incidents.bar(2, 0) is None
    incidents.label(1, label)
    bar = incidents.bar(2, 0)
    assert bar is not None
    assert (bar.severity, bar.because, bar.label) == (pytest.approx(MARGIN * 2.0), 1, label)


def test_the_bar_fades_by_half_and_never_falls_below_the_limit() -> None:
    incidents = known(2.0, 2.0)
    incidents.label(1, Label.FALSE)
    bars = [incidents.bar(2, age * FADES_NS) for age in (0, 1, 2, 100)]
    assert [bar.severity for bar in bars if bar] == pytest.approx([3.0, 2.0, 1.5, 1.0])


def test_the_most_urgent_is_never_held_back() -> None:
    incidents = known(100.0, 2.0)
    incidents.label(1, Label.FALSE)
    bar = incidents.bar(2, 0)
    assert bar is not None
    assert bar.severity == CEILING


def test_the_height_to_which_it_grew_counts() -> None:
    incidents = known(2.0, 2.0)
    incidents.worsen(1, 4.0)
    incidents.label(1, Label.EXPECTED)
    bar = incidents.bar(2, 0)
    assert bar is not None
    assert bar.severity == pytest.approx(6.0)


def test_one_that_was_real_takes_the_bar_down() -> None:
    incidents = known(2.0, 2.0, 2.0)
    incidents.label(1, Label.FALSE)
    incidents.label(2, Label.REAL)
    assert incidents.bar(3, 0) is None


URGENT, SAME = 4.0, 1000


def acknowledged(*severities: float) -> Incidents:
    incidents = Incidents(SIGNALS, CEILING, URGENT, SAME)
    for number, severity in enumerate(severities, 1):
        incidents.remember(number, 0, RUN, reason(severity))
    incidents.see(1)
    return incidents


@pytest.mark.parametrize(("before", "asked"), [(1.2, 1.8), (2.4, 3.6), (5.0, 4.0)])
def test_one_that_was_only_acknowledged_asks_little(before: float, asked: float) -> None:
    bar = acknowledged(before, 1.2).bar(2, 0)
    assert bar is not None
    assert (bar.severity, bar.because, bar.label) == (pytest.approx(asked), 1, None)


def test_it_does_so_for_a_while_only_and_not_after_work_on_the_machine() -> None:
    incidents = acknowledged(1.2, 1.2)
    assert incidents.bar(2, SAME) is not None
    assert incidents.bar(2, SAME + 1) is None
    incidents.work()
    assert incidents.bar(2, 0) is None


def test_it_does_so_in_other_modes_and_shares_but_not_the_other_way_round() -> None:
    incidents = acknowledged(1.2)
    incidents.remember(2, 0, OTHER, reason(1.2))
    incidents.remember(3, 0, RUN, reason(1.2, part("a/p/x", 0.3, 2.0), part("a/p/y", 0.7, 0.5)))
    incidents.remember(4, 0, RUN, reason(1.2, part("a/p/x", 0.64, 0.5), part("a/p/y", 0.36, 2)))
    asked = [incidents.bar(number, 0) is not None for number in (2, 3, 4)]
    assert asked == [True, True, False]


def test_what_it_was_called_says_more_than_that_it_was_seen() -> None:
    incidents = acknowledged(1.2, 1.2)
    incidents.label(1, Label.FALSE)
    incidents.see(1)
    bar = incidents.bar(2, 10 * SAME)
    assert bar is not None
    assert bar.label is Label.FALSE
    incidents.label(1, Label.REAL)
    assert incidents.bar(2, 0) is None


def test_one_that_is_not_alike_asks_nothing() -> None:
    incidents = known(2.0)
    incidents.label(1, Label.FALSE)
    incidents.remember(2, 0, RUN, reason(2.0, part("a/p/z", 1.0, 4.0)))
    incidents.remember(3, 0, OTHER, reason(2.0))
    incidents.remember(4, 0, RUN, reason(2.0, part("a/p/x", 0.64, 0.5), part("a/p/y", 0.36, 2.0)))
    assert [incidents.bar(number, 0) for number in (2, 3, 4)] == [None, None, None]


def test_an_incident_without_contributors_is_like_nothing() -> None:
    incidents = known(2.0)
    incidents.label(1, Label.FALSE)
    incidents.remember(2, 0, RUN, Reason(6.0, 3.0, ()))
    assert incidents.bar(2, 0) is None
    assert incidents.alike(2) == ()


def test_those_most_alike_are_given_nearest_first_and_never_later_ones() -> None:
    incidents = known(2.0, 2.0, 2.0, 2.0)
    incidents.remember(5, 0, OTHER, reason())
    found = incidents.alike(5)
    assert [like.id for like in found] == [1, 2, 3]
    assert len(found) == SHOWN
    assert [like.id for like in incidents.alike(2)] == [1]


def test_what_was_labelled_is_kept_longest_and_the_newest_always() -> None:
    incidents = known(2.0)
    incidents.label(1, Label.FALSE)
    for number in range(2, KEPT + 20):
        incidents.remember(number, 0, RUN, reason())
        incidents.label(number, Label.FALSE)
    assert len(incidents.state()["facts"]) == KEPT
    assert incidents.state()["facts"][-1, 0] == KEPT + 19


def test_a_restart_changes_nothing() -> None:
    incidents = known(2.0, 3.0, 2.5)
    incidents.label(2, Label.EXPECTED)
    again = Incidents(SIGNALS, CEILING)
    again.restore(incidents.state())
    assert again.bar(3, 9) == incidents.bar(3, 9)
    assert again.alike(3) == incidents.alike(3)
