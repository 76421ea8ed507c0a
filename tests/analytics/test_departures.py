"""Since when signals are away: quick marks say what a look at every row says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from analytics.departures import FALLS, IN_BAND, OUT_OF_BAND, Departures

Columns = NDArray[np.float64]
INSIDE = np.iinfo(np.int64).max
ROWS = arrays(np.float64, (30, 3), elements=st.floats(0, 20) | st.sampled_from([2.5, 3.0]))


def looked_at(scales: Columns, alarmed: bool) -> list[list[int]]:
    """Look at every signal in every row, by the words of the definition."""
    left, highest = np.full(scales.shape[1], INSIDE, np.int64), np.zeros(scales.shape[1])
    told = []
    for at, row in enumerate(scales):
        back = (row < IN_BAND) | ((row < FALLS * highest) & (not alarmed))
        left[back] = INSIDE
        fresh = (row > OUT_OF_BAND) & (left == INSIDE)
        left[fresh] = at
        highest = np.where(fresh, row, np.maximum(highest, row))
        told.append(left.tolist())
    return told


@given(ROWS, st.booleans())
def test_marks_say_what_a_look_at_every_signal_says(scales: Columns, alarmed: bool) -> None:
    departures, told = Departures(3), []
    for at, row in enumerate(scales):
        departures.note(at, row, alarmed)
        told.append(departures.left.tolist())
    assert told == looked_at(scales, alarmed)


@given(ROWS, st.integers(0, 30))
def test_many_rows_are_each_after_the_other(scales: Columns, cut: int) -> None:
    one, many = Departures(3), Departures(3)
    for at, row in enumerate(scales):
        one.note(at, row, False)
    at = np.arange(30)
    many.note_many(at[:cut], scales[:cut])
    many.note_many(at[cut:], scales[cut:])
    assert many.any is one.any
    assert {name: value.tolist() for name, value in many.state().items()} == {
        name: value.tolist() for name, value in one.state().items()
    }


@given(ROWS, st.integers(1, 29), st.booleans())
def test_restored_they_go_on(scales: Columns, cut: int, alarmed: bool) -> None:
    whole, again = Departures(3), Departures(3)
    for at, row in enumerate(scales[:cut]):
        whole.note(at, row, alarmed)
    again.restore(whole.state())
    for at, row in enumerate(scales[cut:]):
        whole.note(cut + at, row, alarmed)
        again.note(cut + at, row, alarmed)
    assert again.left.tolist() == whole.left.tolist()


@pytest.mark.parametrize(("alarmed", "left"), [(False, 2), (True, 0)])
def test_a_signal_on_its_way_back_leaves_anew_unless_the_alarm_stands(
    alarmed: bool, left: int
) -> None:
    departures = Departures(1)
    for at, scale in enumerate([12.0, 7.0, 5.0]):
        departures.note(at, np.array([scale]), alarmed)
    assert departures.left.tolist() == [left]
