"""Named arrays ↔ bytes: ``length u32, header JSON, raw arrays, CRC-32``; never pickled."""

import json
import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected

_LENGTH = struct.Struct("<I")
_KINDS = "biufUS"
"""Booleans, numbers and fixed-length text: types whose bytes are their value."""


def _listing(name: str, array: NDArray[Any]) -> list[Any]:
    if array.dtype.kind not in _KINDS:
        raise Rejected(f"array {name} of type {array.dtype} cannot be kept in a snapshot")
    return [name, array.dtype.str, list(array.shape)]


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode arrays of any shape under their names; later changes to them have no effect.

    Raises
    ------
    Rejected
        An array of objects or times.
    """
    header = json.dumps([_listing(name, array) for name, array in arrays.items()]).encode()
    parts = [_LENGTH.pack(len(header)), header, *(array.tobytes() for array in arrays.values())]
    data = b"".join(parts)
    return data + _LENGTH.pack(zlib.crc32(data))


def _plan(header: bytes) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    try:
        plan = [
            (str(name), np.dtype(str(dtype)), tuple(int(size) for size in shape))
            for name, dtype, shape in json.loads(header)
        ]
    except (ValueError, TypeError) as error:
        raise Rejected(f"a snapshot's header cannot be read: {error}") from None
    if any(dtype.kind not in _KINDS or min(shape, default=0) < 0 for _, dtype, shape in plan):
        raise Rejected("a snapshot's header names a type or shape that is never written")
    return plan


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Decode the output of `pack_arrays`.

    Raises
    ------
    Rejected
        Anything else; sizes are checked before anything is allocated.
    """
    if len(data) < 2 * _LENGTH.size:
        raise Rejected(f"a snapshot of {len(data)} bytes is too short")
    body = data[: -_LENGTH.size]
    if _LENGTH.unpack(data[-_LENGTH.size :])[0] != zlib.crc32(body):
        raise Rejected("a snapshot's checksum does not fit")
    start = _LENGTH.size + _LENGTH.unpack_from(body)[0]
    plan = _plan(body[_LENGTH.size : start])
    sizes = [dtype.itemsize * math.prod(shape) for _, dtype, shape in plan]
    if start + sum(sizes) != len(body):
        raise Rejected("a snapshot's arrays do not fill it")
    arrays = {}
    for (name, dtype, shape), size in zip(plan, sizes, strict=True):
        arrays[name] = np.ndarray(shape, dtype, body, start).copy()
        start += size
    return arrays
