"""Named arrays ↔ bytes: ``length u32, header JSON, raw arrays, CRC-32``; never pickled."""

import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected

_LENGTH = struct.Struct("<I")
PIECE = 1 << 18
_KINDS = "biufUS"
"""Booleans, numbers and fixed-length text: types whose bytes are their value."""


def _listing(name: str, array: NDArray[Any]) -> list[Any]:
    return [name, array.dtype.str, list(array.shape)]


class Packing:
    """Arrays of any shape under their names, to be written piece by piece.

    A gateway of 500 assets has 33,000 of them, 20 MB: neither is the caller kept waiting until
    they are bytes, nor are they ever bytes all at once.

    Parameters
    ----------
    arrays
        Nobody may change them from now on.

    Raises
    ------
    Rejected
        An array of objects or times.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        for name, array in arrays.items():
            if array.dtype.kind not in _KINDS:
                raise Rejected(f"array {name} of type {array.dtype} cannot be kept in a snapshot")
        self._arrays = arrays

    @cached_property
    def _header(self) -> bytes:
        listing = [_listing(name, array) for name, array in self._arrays.items()]
        return json.dumps(listing).encode()

    @cached_property
    def size(self) -> int:
        """How many bytes there are in all."""
        arrays = sum(array.nbytes for array in self._arrays.values())
        return 2 * _LENGTH.size + len(self._header) + arrays

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes in pieces of about `PIECE` bytes."""
        waiting = [_LENGTH.pack(len(self._header)), self._header]
        length, crc = len(self._header), 0
        for array in self._arrays.values():
            if length >= PIECE:
                piece = b"".join(waiting)
                crc, waiting, length = zlib.crc32(piece, crc), [], 0
                yield piece
            waiting.append(array.tobytes())
            length += array.nbytes
        piece = b"".join(waiting)
        yield piece + _LENGTH.pack(zlib.crc32(piece, crc))


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
    """Decode what `Packing` wrote.

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
