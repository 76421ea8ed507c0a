"""Requests and answers as bytes: the only module that knows pymodbus.

pymodbus builds what is sent. What comes back is read here instead, because pymodbus does not
compare an answer with its request: it takes another function or length for a success, lets an
answer with transaction 0 through, looks for an RTU frame at any place in garbage, and reads TLS
records as if each were one answer.
"""

import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from typing import Protocol

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from connectors.modbus.address import Table
from plant.errors import Misconfigured
from plant.quality import Status

EXCEPTIONS = {
    1: Status.BAD_CONFIGURATION_ERROR,
    2: Status.BAD_NODE_ID_UNKNOWN,
    3: Status.BAD_OUT_OF_RANGE,
    4: Status.BAD_DEVICE_FAILURE,
    5: Status.BAD_OUT_OF_SERVICE,
    6: Status.BAD_OUT_OF_SERVICE,
    8: Status.BAD_DEVICE_FAILURE,
    10: Status.BAD_NO_COMMUNICATION,
    11: Status.BAD_NO_COMMUNICATION,
}
"""Nearest StatusCode of each exception code (Modbus Application Protocol V1.1b3 §7)."""
TRANSACTIONS = 65_000
"""Transaction numbers go round from 1 to here; 0 is never used."""
STRANGERS = 16
"""Most answers to others (older requests, other units) that one request looks past."""
_READERS: dict[Table, type[ModbusPDU]] = {
    Table.COIL: ReadCoilsRequest,
    Table.DISCRETE: ReadDiscreteInputsRequest,
    Table.HOLDING: ReadHoldingRegistersRequest,
    Table.INPUT: ReadInputRegistersRequest,
}
_REFUSED = 0x80
_LONGEST_ADU = 254
"""Unit, function and data behind the length field of TCP (V1.1b3 §4.1: 253 bytes and the unit)."""
_SOCKET = FramerSocket(DecodePDU(False))
_RTU = FramerRTU(DecodePDU(False))


class Doubtful(Exception):
    """What came in cannot be an answer; `status` says why, and nothing after it can be trusted."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request: bytes when the status is Good, else why there are none."""

    status: Status
    payload: bytes = b""
    frame: bytes = field(default=b"", compare=False, repr=False)
    """All of it as it came, where answers carry the number of their request."""

    def doubled(self, rest: bytes) -> bool:
        """Tell whether `rest` is nothing but this answer again, as some devices send it."""
        times, more = divmod(len(rest), len(self.frame) or len(rest) + 1)
        return not more and rest == self.frame * times

    @property
    def heard(self) -> bool:
        """Whether something came back that is Modbus."""
        return not self.silent and self.status is not Status.BAD_DECODING_ERROR

    @property
    def silent(self) -> bool:
        """Whether nothing came back at all."""
        return self.status in (Status.BAD_TIMEOUT, Status.BAD_COMMUNICATION_ERROR)

    @property
    def dead(self) -> bool:
        """Whether the unit itself said nothing, though a gateway before it may have."""
        return self.silent or self.status is Status.BAD_NO_COMMUNICATION

    @property
    def exception(self) -> int:
        """The exception code of an answer that carries the number of its request; 0 without."""
        head, code = self.frame[7:8], self.frame[8:9]
        return code[0] if head and head[0] & _REFUSED else 0

    @property
    def refused(self) -> bool:
        """Whether the unit will not have these addresses, or not so many of them."""
        return self.status in (Status.BAD_NODE_ID_UNKNOWN, Status.BAD_OUT_OF_RANGE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what exactly its answer has to look like.

    Parameters
    ----------
    message
        pymodbus' request.
    size
        Bytes of data that a read wants; None for a write.
    """

    message: ModbusPDU
    size: int | None

    @property
    def unit(self) -> int:
        """Number of the unit that is asked."""
        return self.message.dev_id

    @property
    def length(self) -> int:
        """Bytes of the answer behind its function code."""
        return 4 if self.size is None else self.size + 1

    def check(self, function: int, body: bytes) -> Answer:
        """Compare function code and body of an answer with this request."""
        if function == self.message.function_code | _REFUSED and len(body) == 1:
            return Answer(EXCEPTIONS.get(body[0], Status.BAD_UNKNOWN_RESPONSE))
        if function != self.message.function_code or len(body) != self.length:
            return Answer(Status.BAD_UNKNOWN_RESPONSE)
        if self.size is None:
            # V1.1b3 §6.5, §6.6, §6.11, §6.12: address and value, or quantity, come back.
            echoed = body == self.message.encode()[:4]
            return Answer(Status.GOOD if echoed else Status.BAD_UNKNOWN_RESPONSE)
        if body[0] != self.size:
            return Answer(Status.BAD_UNKNOWN_RESPONSE)
        return Answer(Status.GOOD, body[1:])


def read(unit: int, table: Table, start: int, count: int) -> Request:
    """Ask for `count` registers or bits from `start` on; functions 1 to 4."""
    size = (count + 7) // 8 if table.of_bits else 2 * count
    return Request(_READERS[table](dev_id=unit, address=start, count=count), size)


def write_registers(unit: int, start: int, registers: Sequence[int]) -> Request:
    """Set holding registers from `start` on; function 6 for one, 16 for more."""
    numbers = [int(register) for register in registers]
    kind = WriteSingleRegisterRequest if len(numbers) == 1 else WriteMultipleRegistersRequest
    return Request(kind(dev_id=unit, address=start, registers=numbers), None)


def write_coils(unit: int, start: int, bits: Sequence[bool]) -> Request:
    """Set coils from `start` on; function 5 for one, 15 for more."""
    states = [bool(bit) for bit in bits]
    kind = WriteSingleCoilRequest if len(states) == 1 else WriteMultipleCoilsRequest
    return Request(kind(dev_id=unit, address=start, bits=states), None)


Exactly = Callable[[int], Awaitable[bytes]]
"""Waits for that many bytes and gives them."""


class Framing(Protocol):
    """How requests and answers lie in the stream."""

    numbered: bool
    """Whether answers carry the number of their request."""

    def frame(self, request: Request, transaction: int) -> bytes:
        """Give the bytes to send."""
        ...

    async def answer(self, exactly: Exactly, request: Request, transaction: int) -> Answer:
        """Read the answer; raises `Doubtful` for what is none."""
        ...


class TcpFraming:
    """Frames with a header (Modbus Messaging on TCP/IP V1.0b §3.1.3); also within TLS.

    Parameters
    ----------
    strangers
        Frames that are looked at for one answer.
    """

    numbered = True

    def __init__(self, strangers: int = STRANGERS) -> None:
        self._strangers = strangers

    def frame(self, request: Request, transaction: int) -> bytes:
        """Give the bytes to send."""
        request.message.transaction_id = transaction
        return _SOCKET.buildFrame(request.message)

    async def answer(self, exactly: Exactly, request: Request, transaction: int) -> Answer:
        """Read up to the answer of this transaction, past late ones of older transactions."""
        for _ in range(self._strangers):
            header = await exactly(7)
            number, protocol, length, unit = struct.unpack(">HHHB", header)
            if protocol or not 2 < length <= _LONGEST_ADU:
                raise Doubtful(Status.BAD_DECODING_ERROR)
            function, *_ = body = await exactly(length - 1)
            if not number:
                raise Doubtful(Status.BAD_UNKNOWN_RESPONSE)
            if (number, unit) == (transaction, request.message.dev_id):
                return replace(request.check(function, body[1:]), frame=header + body)
        raise Doubtful(Status.BAD_UNKNOWN_RESPONSE)


class RtuFraming:
    """Frames with a checksum and no number (Modbus over Serial Line V1.02 §2.5.1)."""

    numbered = False

    def frame(self, request: Request, transaction: int) -> bytes:  # noqa: ARG002 -- has none
        """Give the bytes to send."""
        return _RTU.buildFrame(request.message)

    async def answer(self, exactly: Exactly, request: Request, transaction: int) -> Answer:  # noqa: ARG002
        """Read the one answer that may come; its length follows from the request."""
        head = await exactly(3)
        unit, function, first = head
        if unit != request.message.dev_id:
            raise Doubtful(Status.BAD_UNKNOWN_RESPONSE)
        if function == request.message.function_code | _REFUSED:
            frame = head + await exactly(2)
        elif function != request.message.function_code or request.size not in (None, first):
            raise Doubtful(Status.BAD_UNKNOWN_RESPONSE)
        else:
            frame = head + await exactly(request.length + 1)
        if FramerRTU.compute_CRC(frame[:-2]) != int.from_bytes(frame[-2:], "big"):
            raise Doubtful(Status.BAD_DECODING_ERROR)
        return request.check(function, frame[2:-2])


_GOLDEN: tuple[tuple[Callable[[], Request], str], ...] = (
    (lambda: read(17, Table.COIL, 19, 37), "1101001300250e84"),
    (lambda: read(17, Table.DISCRETE, 196, 22), "110200c40016baa9"),
    (lambda: read(17, Table.HOLDING, 107, 3), "1103006b00037687"),
    (lambda: read(17, Table.INPUT, 8, 1), "110400080001b298"),
    (lambda: write_coils(17, 172, [True]), "110500acff004e8b"),
    (lambda: write_registers(17, 1, [3]), "1106000100039a9b"),
    (
        lambda: write_coils(17, 19, [c == "1" for c in "1011001110"]),
        "110f0013000a02cd01bf0b",
    ),
    (lambda: write_registers(17, 1, [10, 258]), "11100001000204000a0102c6f0"),
)
"""The examples of V1.1b3 §6, for unit 17, with their checksums."""


@cache
def prove() -> None:
    """See that this pymodbus writes what the standard says, once a process.

    Raises
    ------
    Misconfigured
        When it does not: it is another version than this connector was made for.
    """
    try:
        for make, known in _GOLDEN:
            _compare(make(), bytes.fromhex(known))
    except (ModbusException, TypeError, AttributeError, ValueError) as error:
        raise Misconfigured(
            f"pymodbus {version('pymodbus')} does not write Modbus as this connector needs it "
            f"({error}); install the version that requirements.lock names"
        ) from error


def _compare(request: Request, rtu: bytes) -> None:
    header = struct.pack(">HHHB", 258, 0, len(rtu) - 2, rtu[0])
    for framing, known in ((RtuFraming(), rtu), (TcpFraming(), header + rtu[1:-2])):
        made = framing.frame(request, 258)
        if made != known:
            raise ValueError(f"{made.hex(' ')} instead of {known.hex(' ')}")
