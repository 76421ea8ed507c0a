"""Bytes of an answer to values and back: pure, and vectorised over all values of a block.

A register travels with its high byte first (Modbus Application Protocol V1.1b3 §4.2); what devices
do with values of two and four registers is theirs, hence `Order`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.modbus.address import REGISTERS, Address, Order
from plant.errors import Rejected
from plant.quality import Status
from plant.tags import ValueType

LARGEST_EXACT = 2**53
"""Beyond it float64 cannot tell whole numbers apart."""
_DTYPES: dict[ValueType, np.dtype[Any]] = {
    ValueType.INT16: np.dtype("<i2"),
    ValueType.UINT16: np.dtype("<u2"),
    ValueType.INT32: np.dtype("<i4"),
    ValueType.UINT32: np.dtype("<u4"),
    ValueType.INT64: np.dtype("<i8"),
    ValueType.UINT64: np.dtype("<u8"),
    ValueType.FLOAT32: np.dtype("<f4"),
    ValueType.FLOAT64: np.dtype("<f8"),
}


def byte_places(registers: int, order: Order) -> NDArray[np.intp]:
    """Tell where on the wire the bytes of a value stand, least significant first, (2·registers,).

    Examples
    --------
    >>> byte_places(2, Order.ABCD).tolist(), byte_places(2, Order.CDAB).tolist()
    ([3, 2, 1, 0], [1, 0, 3, 2])
    """
    places = np.arange(2 * registers, dtype=np.intp).reshape(registers, 2)
    if order.words_reversed:
        places = places[::-1]
    if order.bytes_swapped:
        places = places[:, ::-1]
    return places.ravel()[::-1]


class Decoder:
    """Decodes the answers to one request, again and again.

    Parameters
    ----------
    addresses
        The n values that the request covers.
    start
        Offset that the request begins at.
    """

    def __init__(self, addresses: Sequence[Address], start: int) -> None:
        self._n = len(addresses)
        self._groups: list[tuple[np.dtype[Any], NDArray[np.intp], NDArray[np.intp]]] = []
        for value_type, dtype in _DTYPES.items():
            own = [i for i, address in enumerate(addresses) if address.type is value_type]
            if own:
                places = [
                    byte_places(address.length, address.order) + 2 * (address.offset - start)
                    for address in (addresses[i] for i in own)
                ]
                self._groups.append((dtype, np.concatenate(places), np.array(own, np.intp)))
        bits = [i for i, address in enumerate(addresses) if address.type is ValueType.BOOL]
        places_of_bits = [_bit_place(addresses[i], start) for i in bits]
        self._bits = np.array(bits, np.intp)
        self._bit_bytes = np.array([byte for byte, _ in places_of_bits], np.intp)
        self._bit_shifts = np.array([shift for _, shift in places_of_bits], np.uint8)

    def decode(self, payload: bytes) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
        """Give the values (n,) and their StatusCodes (n,), in the order of the addresses.

        What float64 cannot hold exactly and what is no finite number is NaN with BadOutOfRange;
        texts are NaN and Good here, `text_at` reads them.
        """
        raw = np.frombuffer(payload, np.uint8)
        value = np.full(self._n, np.nan)
        status = np.zeros(self._n, np.uint32)
        for dtype, places, own in self._groups:
            numbers = raw[places].view(dtype)
            value[own] = numbers
            unfit = _unfit(numbers)
            if unfit.any():
                value[own[unfit]] = np.nan
                status[own[unfit]] = Status.BAD_OUT_OF_RANGE
        if len(self._bits):
            value[self._bits] = (raw[self._bit_bytes] >> self._bit_shifts) & 1
        return value, status


def _bit_place(address: Address, start: int) -> tuple[int, int]:
    distance = address.offset - start
    if address.table.of_bits:
        return distance // 8, distance % 8
    return 2 * distance + (address.bit < 8), address.bit % 8


def _unfit(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    unfit = np.zeros(len(numbers), np.bool_)
    if numbers.dtype.kind == "f":
        np.logical_not(np.isfinite(numbers), out=unfit)
    elif numbers.dtype.itemsize == 8:
        np.greater(numbers, LARGEST_EXACT, out=unfit)
        if numbers.dtype.kind == "i":
            unfit |= numbers < -LARGEST_EXACT
    return unfit


def text_at(payload: bytes, address: Address, start: int) -> tuple[str, int]:
    """Read an ASCII text up to its padding of NULs and blanks; give it with its StatusCode."""
    first = 2 * (address.offset - start)
    raw = np.frombuffer(payload, np.uint8)[first : first + 2 * address.length]
    if address.order.bytes_swapped:
        raw = raw.reshape(-1, 2)[:, ::-1].ravel()
    try:
        text = raw.tobytes().rstrip(b"\0 ").decode("ascii")
    except UnicodeDecodeError:
        return "", Status.BAD_DECODING_ERROR
    return text, Status.GOOD


def encode(
    values: Sequence[float] | NDArray[Any],
    value_type: ValueType,
    order: Order = Order.ABCD,
) -> NDArray[np.uint16]:
    """Give the registers (n·length,) that hold `values` (n,) one after the other.

    Raises
    ------
    Rejected
        When a value does not fit the type: out of its range, not whole, not finite.

    Examples
    --------
    >>> [hex(register) for register in encode([3.25], ValueType.FLOAT32, Order.CDAB)]
    ['0x0', '0x4050']
    """
    dtype, length = _DTYPES[value_type], REGISTERS[value_type]
    fitting = _floats if dtype.kind == "f" else _integers
    exact = fitting(values, dtype)
    if exact is None:
        raise Rejected(f"{np.asarray(values).tolist()} does not fit {value_type}")
    wire = np.empty((len(exact), 2 * length), np.uint8)
    wire[:, byte_places(length, order)] = exact.view(np.uint8).reshape(-1, 2 * length)
    return wire.ravel().view(">u2").astype(np.uint16)


def _floats(values: Sequence[float] | NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    with np.errstate(over="ignore"):
        floats = np.asarray(values, np.float64).astype(dtype)
    return floats if np.isfinite(floats).all() else None


def _integers(values: Sequence[float] | NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    limits = np.iinfo(dtype)
    # One by one and in Python's numbers: an array of both signs would pass through float64.
    numbers = np.asarray(values).tolist() if isinstance(values, np.ndarray) else list(values)
    if not all(limits.min <= one <= limits.max and one == int(one) for one in numbers):
        return None
    return np.array([int(one) for one in numbers], dtype)


def encode_text(text: str, length: int, order: Order = Order.ABCD) -> NDArray[np.uint16]:
    """Give the registers (length,) that hold an ASCII text, filled up with NULs.

    Raises
    ------
    Rejected
        When it is longer, not ASCII, or ends in what reading takes for its padding.

    Examples
    --------
    >>> encode_text("MAX", 2).tobytes().hex(), encode_text("MAX", 2, Order.BADC).tobytes().hex()
    ('414d0058', '4d415800')
    """
    raw = text.encode("ascii", "replace")
    if not text.isascii() or len(raw) > 2 * length or raw != raw.rstrip(b"\0 "):
        raise Rejected(
            f"{text!r} does not fit: {2 * length} ASCII characters at most, none of them a blank "
            "or NUL at the end"
        )
    padded = np.frombuffer(raw.ljust(2 * length, b"\0"), ">u2")
    return (padded.byteswap() if order.bytes_swapped else padded).astype(np.uint16)
