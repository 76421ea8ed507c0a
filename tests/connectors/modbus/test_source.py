import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from pymodbus.client import ModbusTcpClient

from connectors.modbus import holes
from connectors.modbus.address import Order
from connectors.modbus.config import ModbusConfig
from connectors.modbus.registers import encode
from connectors.modbus.source import ModbusSource
from plant.errors import Misconfigured, Unreachable
from plant.quality import Status
from plant.samples import Batch
from plant.tags import TagHandle, ValueType

pytestmark = pytest.mark.journey

TIMEOUT_MS = 10_000
"""Longer than a busy machine stands still: what is silent on purpose has its own."""


def config(port: int, **more: Any) -> ModbusConfig:
    settings = {"scan_ms": 200, "timeout_ms": TIMEOUT_MS, **more}
    return ModbusConfig(name="plc", host="127.0.0.1", port=port, **settings)


def reading(port: int, tags: list[TagHandle], times: int, **more: Any) -> list[Batch]:
    async def run() -> list[Batch]:
        async with ModbusSource(config(port, **more), tags) as source:
            return [await source.read() for _ in range(times)]

    return asyncio.run(run())


def by_tag(batch: Batch) -> dict[int, tuple[float, int]]:
    columns = zip(batch.tag, batch.value, batch.status, strict=True)
    return {int(tag): (float(value), int(status)) for tag, value, status in columns}


def write(port: int, start: int, registers: list[int]) -> None:
    with ModbusTcpClient("127.0.0.1", port=port) as client:
        assert not client.write_registers(start, registers, device_id=1).isError()


NUMBERS = {
    ValueType.INT16: -12345,
    ValueType.UINT16: 54321,
    ValueType.INT32: -1234567890,
    ValueType.UINT32: 3456789012,
    ValueType.INT64: -(2**53),
    ValueType.UINT64: 2**53,
    ValueType.FLOAT32: 3.25,
    ValueType.FLOAT64: -1.2345678901234567e-200,
}
LAYOUT = [
    (kind, order, NUMBERS[kind])
    for kind in NUMBERS
    for order in ([Order.ABCD, Order.BADC] if "16" in kind else list(Order))
]
SHORT = {Order.ABCD: "ab", Order.BADC: "ba"}


def test_reads_every_type_in_every_order(start_device: Any, tagged: Any) -> None:
    device = start_device()
    registers: list[int] = []
    addresses = []
    for kind, order, number in LAYOUT:
        word = SHORT[order] if "16" in kind else order
        addresses.append(f"unit 1, holding {len(registers)}, {kind} {word}")
        registers.extend(encode([number], kind, order).tolist())
    write(device.port, 0, registers)
    (batch,) = reading(device.port, tagged(*addresses), 1)
    assert batch.value.tolist() == [float(number) for _, _, number in LAYOUT]
    assert not batch.status.any()


def test_reads_all_four_tables_and_bits(start_device: Any, tagged: Any) -> None:
    device = start_device()
    write(device.port, 3, [0b1000])
    tags = tagged(
        "unit 1, input 5, uint16",
        "unit 1, discrete 9",
        "unit 1, discrete 10",
        "unit 1, coil 0",
        "unit 1, holding 3.3",
        "unit 1, holding 3.2",
    )
    (batch,) = reading(device.port, tags, 1)
    values = {tag: value for tag, (value, _) in by_tag(batch).items()}
    assert values == {10: 5 ^ 0xA5A5, 11: 1, 12: 0, 13: 0, 14: 1, 15: 0}


def test_a_batch_is_one_scan_stamped_by_the_gateway(start_device: Any, tagged: Any) -> None:
    before = time.time_ns()
    tags = tagged("unit 1, holding 0, int16", "unit 2, input 0, int16", "unit 2, coil 0")
    batches = reading(start_device().port, tags, 3)
    assert [sorted(batch.tag.tolist()) for batch in batches] == [[10, 11, 12]] * 3
    assert all(batch.stamped and not batch.replayed for batch in batches)
    assert all((before <= batch.at).all() and (batch.at <= batch.upto).all() for batch in batches)


def test_a_text_is_told_when_it_changes(start_device: Any, tagged: Any) -> None:
    device = start_device()
    tags = tagged("unit 1, holding 0, text 4", "unit 1, holding 4, uint16")

    async def run() -> list[Batch]:
        async with ModbusSource(config(device.port), tags) as source:
            batches = [await source.read(), await source.read()]
            await asyncio.to_thread(write, device.port, 0, [0x4D41, 0x584F])
            return [*batches, await source.read()]

    batches = asyncio.run(run())
    told = [[(one.tag, one.text, one.status) for one in batch.context] for batch in batches]
    assert told == [[(10, "", 0)], [], [(10, "MAXO", 0)]]
    assert [batch.tag.tolist() for batch in batches] == [[11]] * 3


def test_a_hole_costs_only_the_tags_in_it(start_device: Any, tagged: Any) -> None:
    device = start_device("hole=1,3,40,41", "hole=1,3,77,77")
    tags = tagged(*(f"unit 1, holding {offset}, uint16" for offset in range(100)))
    for batch in reading(device.port, tags, 3):
        bad = {tag - 10 for tag, (_, status) in by_tag(batch).items() if status != Status.GOOD}
        assert bad == {40, 41, 77}
        assert set(batch.status.tolist()) == {Status.GOOD, Status.BAD_NODE_ID_UNKNOWN}


def test_a_hole_between_two_tags_costs_nothing(start_device: Any, tagged: Any) -> None:
    device = start_device("hole=1,4,5,5")
    tags = tagged("unit 1, input 4, uint16", "unit 1, input 6, uint16")
    (batch,) = reading(device.port, tags, 1)
    assert not batch.status.any()


def requests_per_scan(start_plc: Any, tags: list[TagHandle], hole: int) -> list[int]:
    """Count what is asked in each of three scans of a device with a hole at one register."""
    seen: list[int] = []

    def reply(asked: Any) -> bytes:
        seen.append(asked.start)
        in_hole = asked.start <= hole < asked.start + asked.count
        return asked.answer(b"\x02", function=0x83) if in_hole else asked.registers()

    async def run() -> list[int]:
        counts = []
        async with start_plc(reply) as port, ModbusSource(config(port), tags) as source:
            for _ in range(3):
                await source.read()
                counts.append(len(seen))
                seen.clear()
        return counts

    return asyncio.run(run())


def test_a_hole_is_found_once_and_remembered(start_plc: Any, tagged: Any) -> None:
    tags = tagged(*(f"unit 1, holding {offset}, uint16" for offset in range(64)))
    assert requests_per_scan(start_plc, tags, 33) == [1 + 2 * 6, 2, 2]


def test_a_hole_is_asked_again_in_time(
    start_plc: Any, tagged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holes, "FIRST_WAIT_S", 0.0)
    tags = tagged(*(f"unit 1, holding {offset}, uint16" for offset in range(64)))
    assert requests_per_scan(start_plc, tags, 33) == [13, 3, 3]


def test_a_refusing_unit_is_bad_and_the_others_good(start_device: Any, tagged: Any) -> None:
    device = start_device("refuse=2,6", "refuse=3,11", "refuse=4,1")
    tags = tagged(*(f"unit {number}, holding 0, int16" for number in (1, 2, 3, 4)))
    (batch,) = reading(device.port, tags, 1)
    assert [status for _, status in by_tag(batch).values()] == [
        Status.GOOD,
        Status.BAD_OUT_OF_SERVICE,
        Status.BAD_NO_COMMUNICATION,
        Status.BAD_CONFIGURATION_ERROR,
    ]


SCAN_MS, SILENT_MS = 200, 400


def test_a_silent_unit_leaves_the_others_alone(start_plc: Any, tagged: Any) -> None:
    """It is asked once and not for each of its blocks, then at growing intervals."""
    asked_at: list[float] = []

    def reply(asked: Any) -> bytes:
        if asked.unit != 2:
            return bytes(asked.registers())
        asked_at.append(time.monotonic())
        return b""

    tags = tagged(*(f"unit {number}, holding {i}, int16" for number in (1, 2, 3) for i in (0, 99)))

    async def run() -> list[Batch]:
        async with (
            start_plc(reply) as port,
            ModbusSource(config(port, scan_ms=SCAN_MS, timeout_ms=SILENT_MS), tags) as source,
        ):
            batches = [await source.read()]
            assert len(asked_at) <= 1
            while len(asked_at) < 3:
                batches.append(await source.read())
            return batches

    batches = asyncio.run(run())
    told = [told for batch in batches for told in by_tag(batch).items()]
    assert {status for tag, (_, status) in told if tag in (12, 13)} == {Status.BAD_TIMEOUT}
    assert {status for tag, (_, status) in told if tag not in (12, 13)} == {Status.GOOD}
    for count, waited in enumerate(np.diff(asked_at)):
        # A tenth less: the device may hear of a request later than it was sent.
        assert waited >= 0.9 * (SILENT_MS + SCAN_MS * 2 ** (count + 1)) / 1000


def test_a_unit_that_comes_back_is_read_again(start_plc: Any, tagged: Any) -> None:
    switched_on: list[bool] = []

    def reply(asked: Any) -> bytes:
        return asked.registers() if asked.unit == 1 or switched_on else b""

    async def run() -> list[int]:
        tags = tagged("unit 1, holding 5, int16", "unit 2, holding 5, int16")
        async with (
            start_plc(reply) as port,
            ModbusSource(config(port, timeout_ms=400), tags) as source,
        ):
            silent = by_tag(await source.read())[11][1]
            switched_on.append(True)
            while (back := by_tag(await source.read()))[11][1] != Status.GOOD:
                pass
            return [silent, int(back[11][0])]

    assert asyncio.run(run()) == [Status.BAD_TIMEOUT, 5]


def test_no_unit_answers(start_device: Any, tagged: Any) -> None:
    device = start_device("silent=1", "silent=2")
    tags = tagged("unit 1, holding 0, int16", "unit 2, holding 0, int16")
    with pytest.raises(Unreachable, match="none of its 2 units answers"):
        reading(device.port, tags, 10, scan_ms=20, timeout_ms=100)


def test_an_answer_that_does_not_fit_is_no_value(start_plc: Any, tagged: Any) -> None:
    def reply(asked: Any) -> bytes:
        return asked.answer(b"\x02\x00\x07") if asked.unit == 2 else asked.registers()

    async def run() -> Batch:
        tags = tagged("unit 1, holding 5, int16", "unit 2, holding 5, int32")
        async with start_plc(reply) as port, ModbusSource(config(port), tags) as source:
            return await source.read()

    told = by_tag(asyncio.run(run()))
    assert told[10] == (5, Status.GOOD)
    assert np.isnan(told[11][0])
    assert told[11][1] == Status.BAD_UNKNOWN_RESPONSE


def test_scans_are_a_period_apart(start_device: Any, tagged: Any) -> None:
    started = time.monotonic()
    batches = reading(start_device().port, tagged("unit 1, holding 0, int16"), 4, scan_ms=50)
    assert len(batches) == 4
    assert time.monotonic() - started >= 3 * 0.05


def test_a_scan_longer_than_its_period_comes_in_parts(start_device: Any, tagged: Any) -> None:
    device = start_device(*(f"slow={number},40" for number in (1, 2, 3, 4)))
    tags = tagged(*(f"unit {number}, holding 0, int16" for number in (1, 2, 3, 4)))
    batches = reading(device.port, tags, 4, scan_ms=60, timeout_ms=2000)
    told = [tag for batch in batches for tag in batch.tag.tolist()]
    assert told == ([10, 11, 12, 13] * 4)[: len(told)]
    assert {len(batch) for batch in batches} <= {1, 2}


def after_a_stop(again: Callable[[Any], None], device: Any, tags: Any) -> Awaitable[Batch]:
    async def run() -> Batch:
        async with ModbusSource(config(device.port), tags) as source:
            await source.read()
            device.stop()
            again(device)
            return await source.read()

    return run()


def test_a_restarted_device_is_read_on(start_device: Any, tagged: Any) -> None:
    tags = tagged("unit 1, input 0, uint16")
    batch = asyncio.run(after_a_stop(lambda device: device.start(), start_device(), tags))
    assert by_tag(batch) == {10: (0xA5A5, Status.GOOD)}


def test_a_device_that_is_gone_is_unreachable(start_device: Any, tagged: Any) -> None:
    device = start_device()
    with pytest.raises(Unreachable, match=f"127.0.0.1:{device.port} does not accept"):
        asyncio.run(after_a_stop(lambda device: None, device, tagged("unit 1, input 0, uint16")))


def test_a_wrong_address_names_its_tag(tagged: Any) -> None:
    with pytest.raises(Misconfigured, match="tag site/area/line/press/t0: address"):
        ModbusSource(config(502), tagged("unit 1, input 0, floot32"))
