"""Every type in every order, written to a device and read back from it, to the bit."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from connectors.modbus.address import Address, parse_address
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connection import Connection
from connectors.modbus.lines import line_of
from connectors.modbus.source import ModbusSource
from connectors.modbus.wire import Answer
from connectors.modbus.writing import request_of
from plant.errors import Rejected
from plant.quality import Status
from plant.samples import Batch

SHORT, LONG = ("ab", "ba"), ("abcd", "cdab", "badc", "dcba")
NUMBERS: dict[str, tuple[Sequence[str], Sequence[float]]] = {
    "int16": (SHORT, (-(2**15), -1, 2**15 - 1)),
    "uint16": (SHORT, (0, 0x1234, 2**16 - 1)),
    "int32": (LONG, (-(2**31), -2, 0x12345678)),
    "uint32": (LONG, (0, 0x12345678, 2**32 - 1)),
    "int64": (LONG, (-(2**53), -3, 2**53)),
    "uint64": (LONG, (0, 0x1234567890ABC, 2**53)),
    "float32": (LONG, (-0.0, 3.25, 3.4028234663852886e38, 1.401298464324817e-45)),
    "float64": (LONG, (0.1, -1.7976931348623157e308, 5e-324)),
}
TEXTS = {"ab": "Rezept 7", "ba": "Charge 12/B"}


def layout() -> list[tuple[str, float | str]]:
    """Give addresses one behind the other, each with a value."""
    found: list[tuple[str, float | str]] = []
    offset = 0
    for kind, (orders, numbers) in NUMBERS.items():
        for order in orders:
            for number in numbers:
                found.append((f"unit 1, holding {offset}, {kind} {order}", number))
                offset += max(1, int(kind[-2:]) // 16)
    for order, text in TEXTS.items():
        found.append((f"unit 1, holding {offset}, text 8 {order}", text))
        offset += 8
    return [*found, *((f"unit 1, coil {100 + i}, bool", float(i % 3 == 0)) for i in range(20))]


LAYOUT = layout()


async def write_all(connection: Connection) -> list[Answer]:
    return [
        await connection.write(request_of(parse_address(address), value))
        for address, value in LAYOUT
    ]


def seen(batch: Batch) -> list[float | str]:
    """Give what was read in the order of `LAYOUT`."""
    assert not batch.status.any()
    numbers = zip(batch.tag.tolist(), batch.value.tolist(), strict=True)
    told = {**dict(numbers), **{event.tag: event.text for event in batch.context}}
    return [told[10 + i] for i in range(len(LAYOUT))]


def exactly(values: Sequence[float | str]) -> list[str]:
    """Tell −0.0 and 0.0 apart too."""
    return [value if isinstance(value, str) else repr(float(value)) for value in values]


def round_trip(config: ModbusConfig, tags: list[Any]) -> Batch:
    async def run() -> Batch:
        connection = Connection(line_of(config))
        answers = await write_all(connection)
        connection.close()
        assert {answer.status for answer in answers} == {Status.GOOD}
        async with ModbusSource(config, tags) as source:
            return await source.read()

    return asyncio.run(run())


@pytest.fixture(params=["libmodbus", "modbus-serial", "jsmodbus"])
def config(request: pytest.FixtureRequest) -> ModbusConfig:
    if request.param == "libmodbus":
        port = request.getfixturevalue("start_device")().port
    else:
        port = request.getfixturevalue("start_js")(request.param)
    return ModbusConfig(name="plc", host="127.0.0.1", port=port, max_registers=100)


@pytest.mark.journey
def test_what_was_written_is_read_over_tcp(config: ModbusConfig, tagged: Any) -> None:
    batch = round_trip(config, tagged(*(address for address, _ in LAYOUT)))
    assert exactly(seen(batch)) == exactly([value for _, value in LAYOUT])


@pytest.mark.journey
def test_what_was_written_is_read_over_rtu(
    socat: Any, start_device: Any, tmp_path: Any, tagged: Any
) -> None:
    ours, theirs = socat.lines(tmp_path)
    start_device(port=theirs)
    config = ModbusConfig(
        name="line", transport="rtu", device=ours, baud=115200, parity="none", silence_ms=0
    )
    batch = round_trip(config, tagged(*(address for address, _ in LAYOUT)))
    assert exactly(seen(batch)) == exactly([value for _, value in LAYOUT])


def write_to(start_plc: Any, reply: Any) -> tuple[Answer, int]:
    """Write one register; give the answer and how often it was asked."""
    seen: list[Any] = []

    def answer(asked: Any) -> Any:
        seen.append(asked)
        return reply(asked)

    async def run() -> Answer:
        async with start_plc(answer) as port:
            config = ModbusConfig(name="plc", host="127.0.0.1", port=port, timeout_ms=1000)
            connection = Connection(line_of(config))
            written = await connection.write(request_of(parse_address(ONE), 7))
            assert (connection.link is None) is (written.status is not Status.GOOD)
            connection.reset()
            return written

    return asyncio.run(run()), len(seen)


ONE = "unit 1, holding 5, uint16"


@pytest.mark.journey
@pytest.mark.parametrize(
    ("story", "reply", "status"),
    [
        ("an exact echo", lambda asked: asked.answer(b"\0\5\0\7"), Status.GOOD),
        ("another value", lambda asked: asked.answer(b"\0\5\0\6"), Status.BAD_UNKNOWN_RESPONSE),
        ("another address", lambda asked: asked.answer(b"\0\4\0\7"), Status.BAD_UNKNOWN_RESPONSE),
        (
            "another function",
            lambda asked: asked.answer(b"\0\5\0\7", function=5),
            Status.BAD_UNKNOWN_RESPONSE,
        ),
        ("silence", lambda asked: b"", Status.BAD_TIMEOUT),
        ("closed", lambda asked: None, Status.BAD_COMMUNICATION_ERROR),
    ],
)
def test_a_write_is_sent_once_and_any_doubt_resets(
    start_plc: Any, story: str, reply: Any, status: Status
) -> None:
    assert write_to(start_plc, reply) == (Answer(status), 1), story


@pytest.mark.parametrize(
    ("address", "value", "why"),
    [
        ("unit 1, input 5, uint16", 7, "can only be read"),
        ("unit 1, discrete 5", 1, "can only be read"),
        ("unit 1, holding 5.3", 1, "write the whole register"),
        ("unit 1, coil 5", 2, "2 is no bool"),
        ("unit 1, holding 5, uint16", 65536, "does not fit uint16"),
        ("unit 1, holding 5, uint16", float("nan"), "does not fit uint16"),
        ("unit 1, holding 5, int32", float("inf"), "does not fit int32"),
        ("unit 1, holding 5, float32", 1e39, "does not fit float32"),
        ("unit 1, holding 5, float64", float("nan"), "does not fit float64"),
        ("unit 1, holding 5, float32", "7", "'7' is no float32"),
        ("unit 1, holding 5, text 4", 7, "7 is no text"),
        ("unit 1, holding 5, text 4", "too long a text", "8 ASCII characters at most"),
        ("unit 1, holding 5, text 4", "für", "8 ASCII characters at most"),
        ("unit 1, holding 5, text 125", "x", "one request writes at most 123 registers"),
    ],
)
def test_what_does_not_fit_is_not_sent(address: str, value: float | str, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        request_of(parse_address(address), value)


def test_an_integer_of_64_bits_is_written_exactly() -> None:
    address: Address = parse_address("unit 1, holding 5, uint64")
    assert request_of(address, 2**64 - 1).message.registers == [0xFFFF] * 4
