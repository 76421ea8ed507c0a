"""The bytes of a model file.

::

    8   magic, "WTMODEL" and the format
    4   length of the header, unsigned, little-endian
    n   header, JSON
    64  signature (Ed25519) of all before it
    …   the arrays' bytes in the order of the header, each begun at a multiple of 8

The header holds the SHA-256 of what comes after the signature, so that one signature holds all.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

from analytics.modelfiles.header import FORMAT, Header, dumped, parsed
from analytics.modelfiles.refusals import Cause, ModelRefused
from plant.keys import key_id

MOST_BYTES = 16 * 2**20
MOST_HEADER, MOST_ARRAYS, MOST_DIMENSIONS = 2**18, 8192, 4
LONGEST_TEXT = 1024
"""Characters of one element of an array of texts."""
MAGIC = b"WTMODEL"
_BEGIN = len(MAGIC) + 1 + 4
_SIGNATURE = 64
_EVEN = 8
_NUMBERS = frozenset({"|b1", "|i1", "|u1", "<i2", "<i4", "<i8", "<f4", "<f8"})
_TEXT = re.compile(r"<U([1-9]\d{0,3})")
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_LAST_CHARACTER = 0x10FFFF


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model file that was read.

    Parameters
    ----------
    header
        What is said of it.
    arrays
        What it has learnt, by name; read-only.
    sha256
        Of the whole file, in hexadecimal digits: its name in the journal and in the audit.
    signer
        Key that signed it, see `key_id`.
    """

    header: Header
    arrays: Mapping[str, NDArray[Any]]
    sha256: str
    signer: str


def write_model(
    header: Header, arrays: Mapping[str, NDArray[Any]], key: Ed25519PrivateKey
) -> bytes:
    """Write and sign a model file; the same model gives the same bytes."""
    listed, body = [], bytearray()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        _item_size(name, array.dtype.str)
        if array.dtype.kind == "U":
            array = array.astype(f"<U{max(1, array.dtype.itemsize // 4)}")
        listed.append({"name": name, "dtype": array.dtype.str, "shape": list(arrays[name].shape)})
        body += array.tobytes()
        body += bytes(-len(body) % _EVEN)
    said = header.body() | {"arrays": listed, "sha256": hashlib.sha256(body).hexdigest()}
    text = dumped(said)
    begin = MAGIC + bytes([FORMAT]) + len(text).to_bytes(4, "little") + text
    data = begin + key.sign(begin) + bytes(body)
    read_model(data, [key.public_key()])  # what cannot be read again is never sent
    return data


def read_model(data: bytes, keys: Sequence[Ed25519PublicKey], gateway: str = "") -> Model:
    """Read a model file that one of the keys has signed.

    Parameters
    ----------
    data
        The whole file.
    keys
        Whose models are believed.
    gateway
        Version of the gateway that is to judge by it; empty: of none.

    Raises
    ------
    ModelRefused
        It is too large, cut off, signed by somebody else, malformed, or damaged.
    """
    text, signer, body = _signed(data, keys)
    said = parsed(text)
    header = Header.of(said)
    if gateway and _numbers(gateway) < _numbers(header.min_gateway):
        raise ModelRefused(
            Cause.TOO_NEW, f"needs a gateway of {header.min_gateway} or later, this is {gateway}"
        )
    layout = _layout(said.get("arrays"))
    end = layout[-1].stop if layout else 0
    if end + -end % _EVEN != len(body):
        raise ModelRefused(Cause.CUT_OFF, f"{len(body)} bytes of arrays are not what is listed")
    if hashlib.sha256(body).hexdigest() != said.get("sha256"):
        raise ModelRefused(Cause.BAD_SUM, "the arrays are not those that were signed")
    arrays = {place.name: place.array(body) for place in layout}
    return Model(header, arrays, hashlib.sha256(data).hexdigest(), signer)


def _signed(data: bytes, keys: Sequence[Ed25519PublicKey]) -> tuple[bytes, str, memoryview]:
    """Give the header's text, who signed it, and what comes after the signature."""
    if len(data) > MOST_BYTES:
        raise ModelRefused(Cause.TOO_LARGE, f"{len(data)} bytes, {MOST_BYTES} are the most")
    if not data.startswith(MAGIC):
        raise ModelRefused(Cause.NO_MODEL, "does not begin as model files do")
    if len(data) < _BEGIN:
        raise ModelRefused(Cause.CUT_OFF, f"ends after {len(data)} bytes")
    length = int.from_bytes(data[_BEGIN - 4 : _BEGIN], "little")
    if length > MOST_HEADER:
        raise ModelRefused(Cause.TOO_LARGE, f"a header of {length} bytes, {MOST_HEADER} at most")
    end = _BEGIN + length
    if len(data) < end + _SIGNATURE:
        raise ModelRefused(Cause.CUT_OFF, f"ends after {len(data)} bytes, within its header")
    signature = data[end : end + _SIGNATURE]
    signer = next((key for key in keys if _has_signed(key, signature, data[:end])), None)
    if signer is None:
        named = ", ".join(map(key_id, keys)) or "none"
        raise ModelRefused(Cause.FOREIGN_KEY, f"signed by no key that is believed here ({named})")
    if data[len(MAGIC)] > FORMAT:
        raise ModelRefused(Cause.TOO_NEW, f"format {data[len(MAGIC)]}, known here is {FORMAT}")
    return data[_BEGIN:end], key_id(signer), memoryview(data)[end + _SIGNATURE :]


def _has_signed(key: Ed25519PublicKey, signature: bytes, what: bytes) -> bool:
    try:
        key.verify(signature, what)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an array lies in the body."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    def array(self, body: memoryview) -> NDArray[Any]:
        """Give the array (a view) if its bytes can be one."""
        piece = body[self.start : self.stop]
        if self.dtype == "|b1" and (np.frombuffer(piece, np.uint8) > 1).any():
            raise ModelRefused(Cause.MALFORMED, f"{self.name}: neither true nor false")
        if self.dtype[1] == "U" and (np.frombuffer(piece, "<u4") > _LAST_CHARACTER).any():
            raise ModelRefused(Cause.MALFORMED, f"{self.name}: holds what is no character")
        return np.frombuffer(piece, self.dtype).reshape(self.shape)


def _layout(listed: Any) -> list[_Place]:
    """Lay out the arrays one after the other, before any is made."""
    if not isinstance(listed, list) or len(listed) > MOST_ARRAYS:
        raise ModelRefused(Cause.MALFORMED, f"header: arrays: no list of {MOST_ARRAYS} at most")
    places: dict[str, _Place] = {}
    at = 0
    for each in listed:
        name, dtype, shape = _entry(each)
        if name in places:
            raise ModelRefused(Cause.MALFORMED, f"header: array {name} stands there twice")
        size = _item_size(name, dtype) * prod(shape)
        if size > MOST_BYTES or at + size > MOST_BYTES:
            raise ModelRefused(Cause.TOO_LARGE, f"{name}: {size} bytes, {MOST_BYTES} at most")
        places[name] = _Place(name, dtype, shape, at, at + size)
        at += size + -size % _EVEN
    return list(places.values())


def _entry(each: Any) -> tuple[str, str, tuple[int, ...]]:
    match each:
        case {"name": str(name), "dtype": str(dtype), "shape": list(shape)}:
            numbers = all(type(n) is int and 0 <= n <= MOST_BYTES for n in shape)
            if numbers and len(shape) <= MOST_DIMENSIONS and _NAME.fullmatch(name):
                return name, dtype, tuple(shape)
    raise ModelRefused(Cause.MALFORMED, f"header: arrays: {each!r:.80} describes none")


def _item_size(name: str, dtype: str) -> int:
    text = _TEXT.fullmatch(dtype)
    if dtype not in _NUMBERS and (text is None or int(text[1]) > LONGEST_TEXT):
        raise ModelRefused(Cause.MALFORMED, f"{name}: arrays of {dtype:.20} do not travel")
    return np.dtype(dtype).itemsize


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
