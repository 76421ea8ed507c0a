"""P14: every type in every order, read and written, against a device that is not ours."""

import asyncio
import struct
from itertools import product
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from connectors.modbus.address import address_of
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connection import Connection
from connectors.modbus.lines import line_of
from connectors.modbus.writing import request_of
from plant.quality import Status
from plant.tags import Tag, ValueType
from tests.connectors.conftest import libmodbus_program, start_device  # noqa: F401 -- fixtures
from tests.faults.modbus_witness import stage_of
from tests.faults.rows import Row

FORMATS = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip
VALUES = {
    "int16": (-12345, -1), "uint16": (54321, 0), "int32": (-1234567890, 1 << 30),
    "uint32": (3456789012, 0xFFFF_FFFF), "int64": (-(2**53), 1), "uint64": (2**53, 0),
    "float32": (3.25, -1.5e-30), "float64": (-1.2345678901234567e-200, 1e300),
}  # fmt: skip
ORDERS = ("abcd", "cdab", "badc", "dcba")
SHORT = {"abcd": "ab", "badc": "ba"}


def _wire(kind: str, order: str, value: float) -> list[int]:
    """Give the registers, by the words of the standard and nothing of ours."""
    raw = struct.pack(FORMATS[kind], value)
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order in ("cdab", "dcba"):
        words.reverse()
    if order in ("badc", "dcba"):
        words = [word[::-1] for word in words]
    return [int.from_bytes(word, "big") for word in words]


def _held(kind: str, value: float) -> float:
    """Give what is left of the value in so many bits."""
    return float(struct.unpack(FORMATS[kind], struct.pack(FORMATS[kind], value))[0])


def _cases() -> list[tuple[str, str, float]]:
    both = [(kind, order) for kind, order in product(FORMATS, ORDERS)]
    fitting = [(kind, order) for kind, order in both if "16" not in kind or order in SHORT]
    return [(kind, order, value) for kind, order in fitting for value in VALUES[kind]]


@pytest.mark.pain(
    "P14",
    "8 types in 4 orders (16 bits: 2), two values each, read through a gateway and written",
    "libmodbus",
    "all exact",
)
def test_p14_orders(row: Row, tmp_path: Path, start_device: object) -> None:  # noqa: F811
    device = start_device()  # type: ignore[operator]
    cases = _cases()
    registers = [_wire(*case) for case in cases]
    starts = [sum(len(one) for one in registers[:i]) for i in range(len(cases))]
    tags = [
        Tag(
            name=f"site/plc/{i}",
            source="plc",
            address=f"unit 1, holding {start}, {kind} {SHORT[order] if '16' in kind else order}",
            type=ValueType(kind),
        )
        for i, ((kind, order, _), start) in enumerate(zip(cases, starts, strict=True))
    ]
    with ModbusTcpClient("127.0.0.1", port=device.port) as client:
        for start, words in zip(starts, registers, strict=True):
            assert not client.write_registers(start, words, device_id=1).isError()
    config = ModbusConfig(name="plc", host="127.0.0.1", port=device.port, scan_ms=100)
    written = asyncio.run(_read_and_write(tmp_path, config, tags, cases))
    evidence = stage_of(tmp_path, [config], tags).evidence()
    read = [
        bool(len(live.value)) and set(live.value) == {_held(kind, value)}
        for live, (kind, _, value) in (
            (evidence.of(tag.name).live_good(), case) for tag, case in zip(tags, cases, strict=True)
        )
    ]
    with ModbusTcpClient("127.0.0.1", port=device.port) as client:
        found = [
            client.read_holding_registers(5000 + start, count=len(words), device_id=1).registers
            for start, words in zip(starts, registers, strict=True)
        ]
    row.measured(
        read_exact=f"{sum(read)} of {len(cases)}",
        written_exact=f"{sum(a == b for a, b in zip(found, registers, strict=True))} of {written}",
    )
    assert all(read)
    assert found == registers


async def _read_and_write(
    folder: Path, config: ModbusConfig, tags: list[Tag], cases: list[tuple[str, str, float]]
) -> int:
    async with stage_of(folder, [config], tags).running():
        await asyncio.sleep(1.5)
    line = Connection(line_of(config))
    written = 0
    for tag, (_, _, value) in zip(tags, cases, strict=True):
        unit, table, rest = tag.address.split(",")
        place = int(table.split()[1]) + 5000
        moved = Tag(name=tag.name, source="plc", address=f"{unit}, holding {place},{rest}")
        answer = await line.write(request_of(address_of(moved), value))
        written += answer.status is Status.GOOD
    line.reset()
    return written
