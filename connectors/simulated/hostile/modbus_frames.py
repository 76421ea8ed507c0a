"""Requests as a hostile Modbus device hears them, and the frames it answers with.

Written from the standard and apart from our client: MBAP as of the TCP/IP Implementation Guide
V1.0b §3.1.3, RTU as of the Serial Line Guide V1.02 §2.5.1.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

LARGEST = 260
"""Longest request that a device may be sent, bytes."""
_WRITES = (15, 16)
_BITS = (1, 2)
_INPUT = 4


class Framing(StrEnum):
    """What surrounds a request on its way."""

    TCP = "tcp"
    RTU = "rtu"


def crc(frame: bytes) -> bytes:
    """Give the check sum of an RTU frame, low byte first.

    Examples
    --------
    >>> crc(bytes.fromhex("010300000001")).hex()
    '840a'
    """
    total = 0xFFFF
    for byte in frame:
        total ^= byte
        for _ in range(8):
            total = total >> 1 ^ (0xA001 if total & 1 else 0)
    return total.to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Parameters
    ----------
    number
        Count of all requests that the device has heard, from 1.
    at
        Wall clock at its arrival, ns since 1970 UTC.
    line
        Count of the connections, from 1.
    framing
        How it came, and how its answer has to go.
    transaction
        Its number in MBAP; 0 in RTU.
    unit, function, start, count
        What is wanted.
    """

    number: int
    at: int
    line: int
    framing: Framing
    transaction: int
    unit: int
    function: int
    start: int
    count: int

    @property
    def of_bits(self) -> bool:
        """Whether coils or discrete inputs are wanted."""
        return self.function in _BITS

    def frame(
        self,
        data: bytes,
        *,
        transaction: int | None = None,
        protocol: int = 0,
        unit: int | None = None,
        function: int | None = None,
        length: int | None = None,
    ) -> bytes:
        """Wrap an answer's data; every field that is not given is the right one."""
        body = bytes((self.unit if unit is None else unit, function or self.function)) + data
        if self.framing is Framing.RTU:
            return body + crc(body)
        number = self.transaction if transaction is None else transaction
        announced = len(body) if length is None else length
        return struct.pack(">HHH", number, protocol, announced) + body

    def refusal(self, code: int) -> bytes:
        """Give the exception answer with this code."""
        return self.frame(bytes([code]), function=self.function | 0x80)


Registers = Callable[[Asked], bytes]
"""The right data of an answer, without its byte count."""


def telling(unit: int, function: int, address: int, number: int) -> int:
    """Give the whole number below 2^53 that says where and when it was read.

    Parameters
    ----------
    unit, function, address
        Where: the address of the first of its four registers.
    number
        When: the number of the request, below 2^28.
    """
    where = unit << 17 | (function == _INPUT) << 16 | address
    return where << 28 | number & 0xFFF_FFFF


def told(value: int) -> tuple[int, int, int, int]:
    """Give (unit, function, address, number) back.

    Examples
    --------
    >>> told(telling(7, 4, 1200, 99))
    (7, 4, 1200, 99)
    """
    where, number = value >> 28, value & 0xFFF_FFFF
    return where >> 17, 4 if where >> 16 & 1 else 3, where & 0xFFFF, number


def telling_words(asked: Asked) -> bytes:
    """Answer with a `telling` number at each address that four divides; big-endian uint64."""
    if asked.of_bits:
        return telling_bits(asked)
    first, skipped = asked.start & ~3, 2 * (asked.start & 3)
    words = b"".join(
        telling(asked.unit, asked.function, address, asked.number).to_bytes(8, "big")
        for address in range(first, asked.start + asked.count, 4)
    )
    return words[skipped : skipped + 2 * asked.count]


def telling_registers(asked: Asked) -> bytes:
    """Answer so that each register holds unit and address: for units < 16, addresses < 4096."""
    if asked.of_bits:
        return telling_bits(asked)
    addresses = range(asked.start, asked.start + asked.count)
    return b"".join((asked.unit << 12 | address).to_bytes(2, "big") for address in addresses)


def telling_bits(asked: Asked) -> bytes:
    """Answer so that bit i of unit u is the parity of the ones in u·65536 + i."""
    bits = 0
    for place in range(asked.count):
        bits |= ((asked.unit << 16 | asked.start + place).bit_count() & 1) << place
    return bits.to_bytes((asked.count + 7) // 8, "little")


def request_length(framing: Framing, heard: bytes) -> int | None:
    """Tell how many bytes the request that `heard` begins with has; None while that is unknown."""
    if framing is Framing.TCP:
        return min(6 + int.from_bytes(heard[4:6], "big"), LARGEST) if len(heard) >= 6 else None
    if len(heard) < 2:
        return None
    if heard[1] not in _WRITES:
        return 8
    return 9 + heard[6] if len(heard) >= 7 else None


def request(frame: bytes, framing: Framing, number: int, at: int, line: int) -> Asked:
    """Read a whole request; what it wants is 0 where it is no reading."""
    transaction = int.from_bytes(frame[:2], "big") if framing is Framing.TCP else 0
    body = frame[6:] if framing is Framing.TCP else frame
    unit, function, start, count = struct.unpack(">BBHH", body[:6].ljust(6, b"\0"))
    return Asked(number, at, line, framing, transaction, unit, function, start, count)
