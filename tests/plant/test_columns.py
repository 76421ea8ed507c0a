"""Columns ↔ bytes: exact for every bit pattern, and nothing but its own output is accepted."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from plant.columns import MAX_ROWS, pack, unpack
from plant.errors import Rejected

Columns = list[NDArray[Any]]
DTYPES = [np.dtype(name) for name in ("<i4", "<i8", "<u4", "u1", "<f8")]


@st.composite
def blocks(draw: st.DrawFn) -> Columns:
    rows = draw(st.integers(0, 60))
    constant = draw(st.booleans())
    columns = []
    for dtype in DTYPES:
        bits = draw(st.binary(min_size=dtype.itemsize * rows, max_size=dtype.itemsize * rows))
        column = np.frombuffer(bits, dtype)
        columns.append(np.repeat(column[:1], rows) if constant else column)
    return columns


@given(blocks())
def test_every_bit_pattern_comes_back(columns: Columns) -> None:
    back = unpack(pack(columns), DTYPES)
    assert [c.tobytes() for c in back] == [c.tobytes() for c in columns]
    assert [c.dtype for c in back] == DTYPES


@given(hnp.arrays("<i8", st.integers(1, 40), elements=st.integers(-(2**63), 2**63 - 1)))
def test_steps_of_whole_numbers_may_wrap(column: NDArray[np.int64]) -> None:
    (back,) = unpack(pack([column]), [column.dtype])
    assert np.array_equal(back, column)


@given(st.binary(max_size=200))
def test_noise_is_rejected(noise: bytes) -> None:
    with pytest.raises(Rejected):
        unpack(b"\x07" + noise, DTYPES)


@settings(max_examples=60)
@given(blocks(), st.data())
def test_a_truncated_block_is_rejected(columns: Columns, data: st.DataObject) -> None:
    block = pack(columns)
    with pytest.raises(Rejected):
        unpack(block[: data.draw(st.integers(0, len(block) - 1))], DTYPES)


def _outcome(block: bytes) -> list[int] | str:
    try:
        return [len(column) for column in unpack(block, DTYPES)]
    except Rejected:
        return "rejected"


@settings(max_examples=150)
@given(blocks(), st.data())
def test_a_flipped_bit_never_breaks_out(columns: Columns, data: st.DataObject) -> None:
    block = bytearray(pack(columns))
    bit = data.draw(st.integers(0, 8 * len(block) - 1))
    block[bit // 8] ^= 1 << bit % 8
    outcome = _outcome(bytes(block))
    # The checksum of the record tells a changed value; here only the form is promised.
    assert outcome == "rejected" or len(set(outcome)) == 1


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(bytes(50_000_000)) + deflate.flush()
    block = struct.pack("<BBI", 1, 1, 10) + b"\x01" + bomb
    with pytest.raises(Rejected, match="does not end where it should"):
        unpack(block, [np.dtype("<f8")])


def test_a_header_that_claims_too_many_rows_is_refused() -> None:
    block = struct.pack("<BBI", 0, 1, MAX_ROWS + 1) + b"\x00" + bytes(8)
    with pytest.raises(Rejected, match="claims 1 columns of 1048577 rows"):
        unpack(block, [np.dtype("<f8")])


def test_too_many_rows_are_not_packed() -> None:
    with pytest.raises(Rejected, match="split it"):
        pack([np.zeros(MAX_ROWS + 1, np.uint8)])


def test_equal_columns_cost_nothing_a_row() -> None:
    columns = [np.full(1000, 7, dtype) for dtype in DTYPES]
    assert len(pack(columns)) < 50


def test_sensor_steps_take_less_than_two_thirds() -> None:
    values = np.round(np.sin(np.arange(1000)) * 50 + 100, 1)
    assert len(pack([values])) < 0.67 * values.nbytes
