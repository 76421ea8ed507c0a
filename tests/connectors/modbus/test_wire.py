import asyncio
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from connectors.modbus import wire
from connectors.modbus.address import Table
from connectors.modbus.wire import Answer, Doubtful, Framing, Request, RtuFraming, TcpFraming
from plant.errors import Misconfigured
from plant.quality import Status

UNIT, TRANSACTION = 7, 258
FRAMINGS = [TcpFraming(), RtuFraming()]


def crc(frame: bytes) -> bytes:
    """Checksum of a frame, as V1.02 §6.2.2 reckons it, lower byte first."""
    register = 0xFFFF
    for byte in frame:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 * (register & 1)
    return struct.pack("<H", register)


def rtu(body: bytes, unit: int = UNIT) -> bytes:
    return bytes([unit]) + body + crc(bytes([unit]) + body)


def tcp(body: bytes, unit: int = UNIT, transaction: int = TRANSACTION) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body


WRAPPED = [(TcpFraming(), tcp), (RtuFraming(), rtu)]


class Ended(Exception):
    """The stream holds no more: a timeout, on a line."""


def answer(framing: Framing, request: Request, stream: bytes) -> tuple[Answer, bytes]:
    """Read one answer; give it with what is left of the stream."""
    left = bytearray(stream)

    async def exactly(count: int) -> bytes:
        if len(left) < count:
            raise Ended
        taken = bytes(left[:count])
        del left[:count]
        return taken

    return asyncio.run(framing.answer(exactly, request, TRANSACTION)), bytes(left)


@pytest.mark.parametrize(("framing", "wrap"), WRAPPED)
def test_a_right_answer_is_good(framing: Framing, wrap: Callable[[bytes], bytes]) -> None:
    request = wire.read(UNIT, Table.HOLDING, 5, 2)
    stream = wrap(b"\x03\x04\0\1\0\2") + b"next"
    assert answer(framing, request, stream) == (Answer(Status.GOOD, b"\0\1\0\2"), b"next")


@pytest.mark.parametrize(("framing", "wrap"), WRAPPED)
def test_an_exception_has_its_status(framing: Framing, wrap: Callable[[bytes], bytes]) -> None:
    request = wire.read(UNIT, Table.COIL, 5, 2)
    found, _ = answer(framing, request, wrap(b"\x81\x02"))
    assert found == Answer(Status.BAD_NODE_ID_UNKNOWN)


def test_answers_to_older_requests_are_passed_over() -> None:
    request = wire.read(UNIT, Table.HOLDING, 5, 1)
    late = tcp(b"\x03\x02\0\1", transaction=TRANSACTION - 1)
    found, _ = answer(TcpFraming(), request, late * 3 + tcp(b"\x03\x02\0\2"))
    assert found == Answer(Status.GOOD, b"\0\2")


def test_a_stream_of_old_answers_is_no_answer() -> None:
    request = wire.read(UNIT, Table.HOLDING, 5, 1)
    late = tcp(b"\x03\x02\0\1", transaction=TRANSACTION - 1)
    with pytest.raises(Doubtful):
        answer(TcpFraming(), request, late * 100)


@pytest.mark.parametrize(
    ("story", "frame"),
    [
        ("another unit", rtu(b"\x03\x02\0\1", unit=8)),
        ("another function", rtu(b"\x04\x02\0\1")),
        ("exception of another function", rtu(b"\x84\x02")),
        ("more registers", rtu(b"\x03\x04\0\1\0\2")),
        ("no registers", rtu(b"\x03\x00")),
        ("garbage before it", b"\0" + rtu(b"\x03\x02\0\1")),
        ("wrong checksum", rtu(b"\x03\x02\0\1")[:-1] + b"\0"),
        ("a swapped checksum", rtu(b"\x03\x02\0\1")[:-2] + rtu(b"\x03\x02\0\1")[:-3:-1]),
    ],
)
def test_rtu_takes_nothing_that_does_not_fit(story: str, frame: bytes) -> None:
    with pytest.raises(Doubtful):
        answer(RtuFraming(), wire.read(UNIT, Table.HOLDING, 5, 1), frame)


@given(st.binary(max_size=300), st.sampled_from([0, 1]))
def test_noise_is_never_a_value(noise: bytes, which: int) -> None:
    request = wire.read(UNIT, Table.HOLDING, 5, 60)
    with pytest.raises((Doubtful, Ended)):
        answer(FRAMINGS[which], request, noise)


@given(st.binary(min_size=8, max_size=8), st.integers(0, 12), st.integers(1, 255))
def test_one_damaged_byte_is_found_by_the_checksum(data: bytes, place: int, flip: int) -> None:
    frame = bytearray(rtu(b"\x03\x08" + data))
    frame[place] ^= flip
    with pytest.raises((Doubtful, Ended)):
        answer(RtuFraming(), wire.read(UNIT, Table.HOLDING, 5, 4), bytes(frame))


@given(st.binary(max_size=260))
def test_pymodbus_reckons_the_checksum_of_the_standard(frame: bytes) -> None:
    assert FramerRTU.compute_CRC(frame).to_bytes(2, "big") == crc(frame)


WRITES = [
    (wire.write_coils(UNIT, 172, [True]), b"\x05\0\xac\xff\0"),
    (wire.write_coils(UNIT, 19, [True, False, True]), b"\x0f\0\x13\0\3"),
    (wire.write_registers(UNIT, 1, [3]), b"\x06\0\1\0\3"),
    (wire.write_registers(UNIT, 1, [3, 4]), b"\x10\0\1\0\2"),
]


@pytest.mark.parametrize(("request_", "echo"), WRITES)
def test_a_write_is_good_when_its_echo_is_exact(request_: Request, echo: bytes) -> None:
    assert answer(RtuFraming(), request_, rtu(echo))[0] == Answer(Status.GOOD)
    assert answer(TcpFraming(), request_, tcp(echo))[0] == Answer(Status.GOOD)


@pytest.mark.parametrize(("request_", "echo"), WRITES)
def test_a_write_with_another_echo_is_not_good(request_: Request, echo: bytes) -> None:
    other = echo[:-1] + bytes([echo[-1] ^ 1])
    unfit = Answer(Status.BAD_UNKNOWN_RESPONSE)
    assert answer(RtuFraming(), request_, rtu(other))[0] == unfit
    assert answer(TcpFraming(), request_, tcp(other))[0] == unfit


def test_this_pymodbus_writes_the_examples_of_the_standard() -> None:
    wire.prove.cache_clear()
    wire.prove()


@pytest.mark.parametrize(
    ("story", "attribute", "other"),
    [
        ("bits in another order", "write_coils", lambda *_: wire.write_registers(17, 172, [255])),
        ("an argument renamed", "read", lambda *_: wire.ReadCoilsRequest(device=1)),
        ("another framer", "_RTU", wire._SOCKET),
    ],
)
def test_another_pymodbus_is_refused_loudly(
    monkeypatch: pytest.MonkeyPatch, story: str, attribute: str, other: object
) -> None:
    wire.prove.cache_clear()
    monkeypatch.setattr(wire, attribute, other)
    with pytest.raises(Misconfigured, match=r"pymodbus 3\..*requirements.lock"):
        wire.prove()
    wire.prove.cache_clear()
