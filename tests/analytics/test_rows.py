"""The bounded stores of rows and of stretches, and the cutting of samples into passes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.passes import occurrence_passes
from analytics.rows import BlockStore, RowStore


def filled(rows: int, most: int) -> RowStore:
    store = RowStore(1, most)
    for number in range(rows):
        store.append(np.array([float(number)]))
    return store


@pytest.mark.parametrize(("rows", "stride"), [(0, 1), (256, 1), (257, 2), (600, 4), (5000, 32)])
def test_store_thins_evenly_and_keeps_the_order(rows: int, stride: int) -> None:
    store = filled(rows, 256)
    assert store.stride == stride
    assert store.rows[:, 0].tolist() == list(range(0, rows, stride))
    assert store.offered == rows


@pytest.mark.parametrize("cut", [0, 3, 64, 256, 300])
def test_restored_store_goes_on(cut: int) -> None:
    store = RowStore(1, 256)
    store.restore(filled(cut, 256).state())
    for number in range(cut, 700):
        store.append(np.array([float(number)]))
    assert np.array_equal(store.rows, filled(700, 256).rows)


@given(st.lists(st.integers(0, 6), max_size=60))
def test_passes_name_each_slot_once_and_keep_its_order(slots: list[int]) -> None:
    slot = np.array(slots, np.intp)
    passes = [part.tolist() for part in occurrence_passes(slot)]
    assert sorted(place for part in passes for place in part) == list(range(len(slots)))
    for part in passes:
        assert len(set(slot[part])) == len(part)
    turns = {place: turn for turn, part in enumerate(passes) for place in part}
    for one in range(7):
        own = [turns[place] for place in np.flatnonzero(slot == one)]
        assert own == list(range(len(own)))


def stretched(rows: int) -> BlockStore:
    store = BlockStore(1, block=16, most=4)
    for number in range(rows):
        store.append(np.array([float(number)]))
    return store


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 64, 65, 80, 500, 5000])
def test_stretches_are_contiguous_in_order_and_end_with_the_newest_row(rows: int) -> None:
    store = stretched(rows)
    blocks = store.blocks()
    for block in blocks:
        assert np.diff(block[:, 0]).tolist() == [1.0] * (len(block) - 1)
    joined = np.concatenate([np.empty((0, 1)), *blocks])[:, 0]
    assert (np.diff(joined) > 0).all()
    assert np.array_equal(joined, store.rows[:, 0])
    assert store.offered == rows
    assert joined[-1:].tolist() == [rows - 1.0] * min(rows, 1)
    assert len(joined) <= 5 * 16


@pytest.mark.parametrize("cut", [0, 5, 16, 64, 200, 333])
def test_restored_store_of_stretches_goes_on(cut: int) -> None:
    store = BlockStore(1, block=16, most=4)
    store.restore({name: value.copy() for name, value in stretched(cut).state().items()})
    for number in range(cut, 700):
        store.append(np.array([float(number)]))
    assert np.array_equal(store.rows, stretched(700).rows)
    assert [len(block) for block in store.blocks()] == [len(b) for b in stretched(700).blocks()]


def test_long_history_is_kept_from_its_begin_to_its_end() -> None:
    kept = stretched(16 * 1000 + 3).rows[:, 0]
    assert kept[0] == 0
    assert kept[-1] == 16 * 1000 + 2
    assert len(kept) >= 2 * 16
