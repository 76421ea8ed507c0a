"""Arrays ↔ bytes without pickle."""

import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from gateway.journal.snapshots import Packing, unpack_arrays
from plant.errors import Rejected

ARRAYS = hnp.arrays(
    st.sampled_from(["<f8", "<i8", "<i4", "u1", "?", "<U5", "S3", ">f4"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


def packed(arrays: dict[str, NDArray[Any]]) -> bytes:
    return b"".join(Packing(arrays).pieces())


@given(st.dictionaries(st.text(max_size=8), ARRAYS, max_size=4))
def test_every_array_comes_back_bit_for_bit(arrays: dict[str, NDArray[Any]]) -> None:
    back = unpack_arrays(packed(arrays))
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()


def test_pieces_are_as_long_as_they_say() -> None:
    packing = Packing({f"a{n}": np.arange(n, dtype=np.float64) for n in range(0, 40_000, 2_500)})
    pieces = list(packing.pieces())
    assert len(pieces) > 3
    assert sum(map(len, pieces)) == packing.size


def test_a_column_major_array_keeps_its_places() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    assert np.array_equal(unpack_arrays(packed({"a": array}))["a"], array)


def test_what_comes_back_may_be_changed() -> None:
    back = unpack_arrays(packed({"mean": np.zeros(3)}))
    back["mean"] += 1
    assert back["mean"].tolist() == [1, 1, 1]


def test_objects_are_refused() -> None:
    with pytest.raises(Rejected, match="array model of type object"):
        packed({"model": np.array([object()])})


@settings(max_examples=100)
@given(st.data())
def test_any_flipped_bit_is_found(data: st.DataObject) -> None:
    told = bytearray(packed({"mean": np.arange(5.0), "n": np.array(3)}))
    bit = data.draw(st.integers(0, 8 * len(told) - 1))
    told[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Rejected):
        unpack_arrays(bytes(told))


def _sealed(header: object, rest: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    body = struct.pack("<I", len(text)) + text + rest
    return body + struct.pack("<I", zlib.crc32(body))


@pytest.mark.parametrize(
    "header",
    [
        [["a", "|O", [1]]],
        [["a", "<f8", [1 << 40, 1 << 40]]],
        [["a", "<f8", [-1]]],
        [["a", "nonsense", [1]]],
        [["a", "<f8"]],
        7,
    ],
)
def test_a_forged_header_is_refused(header: object) -> None:
    with pytest.raises(Rejected):
        unpack_arrays(_sealed(header, bytes(8)))


def test_a_short_one_is_refused() -> None:
    with pytest.raises(Rejected, match="too short"):
        unpack_arrays(b"1234")
