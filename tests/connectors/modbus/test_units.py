"""Units that are silent, and lines that are: what they cost the others, and when they are told."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from connectors.modbus.config import ModbusConfig
from connectors.modbus.probing import Probing
from connectors.modbus.source import ModbusSource
from connectors.modbus.unit import Unit
from plant.errors import Unreachable
from plant.quality import Status
from plant.samples import Batch
from plant.tags import TagHandle

UNITS, DEAD = 30, (4, 11, 27)
HEALTHY = [i for i in range(UNITS) if i + 1 not in DEAD]


def config(port: int, **more: Any) -> ModbusConfig:
    """A timeout longer than a busy machine stands still, where the test is not of silence."""
    settings = {"scan_ms": 100, "timeout_ms": 10_000, **more}
    return ModbusConfig(name="plc", host="127.0.0.1", port=port, **settings)


def of_units(tagged: Any) -> list[TagHandle]:
    tags: list[TagHandle] = tagged(*(f"unit {i + 1}, input 5, uint16" for i in range(UNITS)))
    return tags


def good_after(batches: Sequence[Batch]) -> np.ndarray:
    """Count the Good values of each unit."""
    counts = np.zeros(UNITS, int)
    for batch in batches:
        np.add.at(counts, batch.tag - 10, batch.status == Status.GOOD)
    return counts


async def read_for(source: ModbusSource, seconds: float) -> list[Batch]:
    ends, batches = time.monotonic() + seconds, []
    while time.monotonic() < ends:
        batches.append(await source.read())
    return batches


@pytest.mark.journey
@pytest.mark.parametrize(
    ("story", "slow_ms", "timeout_ms"),
    [
        pytest.param("time to spare", 0, 120, marks=pytest.mark.faults),
        ("a busy line", 4, 150),
    ],
)
def test_three_dead_units_of_thirty_leave_the_others_their_rate(
    start_device: Any, tagged: Any, story: str, slow_ms: int, timeout_ms: int
) -> None:
    """Rate of the healthy units, with the first three timeouts already paid.

    The best of several spans: a machine that is busy with other things takes scans from all.
    """
    slow = [f"slow={i + 1},{slow_ms}" for i in range(UNITS)]
    device = start_device(*slow, *(f"silent={number}" for number in DEAD))
    seconds, spans = 2.0, 8

    async def run() -> np.ndarray:
        settings = config(device.port, scan_ms=200, timeout_ms=timeout_ms)
        counts, left = np.zeros(UNITS, int), spans
        async with ModbusSource(settings, of_units(tagged)) as source:
            await read_for(source, 0.8)
            while left and counts[HEALTHY].min() < 0.9 * seconds / 0.2:
                counts, left = good_after(await read_for(source, seconds)), left - 1
        return counts

    counts = asyncio.run(run())
    assert counts[HEALTHY].min() >= 0.9 * seconds / 0.2
    assert not np.delete(counts, HEALTHY).any()


@pytest.mark.journey
def test_a_hung_device_is_told_after_two_timeouts(start_plc: Any, tagged: Any) -> None:
    hung: list[bool] = []
    in_vain: list[int] = []

    def reply(asked: Any) -> Any:
        in_vain.extend([asked.unit] * len(hung))
        return b"" if hung else asked.registers()

    async def run() -> None:
        async with (
            start_plc(reply) as port,
            ModbusSource(config(port, timeout_ms=500), of_units(tagged)) as source,
        ):
            assert not (await source.read()).status.any()
            hung.append(True)
            with pytest.raises(Unreachable, match="unit 30, which answered before, is silent too"):
                await source.read()

    asyncio.run(run())
    assert in_vain == [1, 30], "each was waited for one timeout, and no other was asked"


@pytest.mark.journey
def test_a_cut_part_of_the_units_is_not_taken_for_a_hung_device(
    start_plc: Any, tagged: Any
) -> None:
    off: list[bool] = []

    def reply(asked: Any) -> Any:
        return b"" if off and asked.unit <= 5 else asked.registers()

    async def run() -> Batch:
        async with (
            start_plc(reply) as port,
            ModbusSource(config(port, scan_ms=3200, timeout_ms=400), of_units(tagged)) as source,
        ):
            await source.read()
            off.append(True)
            return await source.read()

    status = asyncio.run(run()).status
    assert np.flatnonzero(status).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.journey
@pytest.mark.parametrize("seconds", [1.0, pytest.param(8.0, marks=pytest.mark.faults)])
def test_first_good_value_within_five_seconds_after_a_swallowed_link(
    start_device: Any, tagged: Any, seconds: float
) -> None:
    """For some seconds whatever is sent vanishes, on old connections and on new ones."""
    device = start_device()
    swallowing: list[bool] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                writer.write(b"" if swallowing else data)
        writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", device.port)
        await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))

    async def good_value(port: int) -> bool:
        """Do as the supervisor does: leave, wait a moment, enter a fresh source."""
        try:
            async with ModbusSource(
                config(port, timeout_ms=1000), tagged("unit 1, input 5, uint16")
            ) as source:
                return not (await source.read()).status.any()
        except Unreachable:
            await asyncio.sleep(0.5)
            return False

    async def run() -> float:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
            port = proxy.sockets[0].getsockname()[1]
            assert await good_value(port)
            swallowing.append(True)
            assert not await good_value(port)
            asyncio.get_running_loop().call_later(seconds, swallowing.clear)
            while swallowing:
                await good_value(port)
            healed = time.monotonic()
            while not await good_value(port):
                pass
            took = time.monotonic() - healed
        await asyncio.sleep(0.05)
        return took

    assert asyncio.run(run()) < 15  # three times what is promised


class Silent:
    """As much of a unit as choosing one needs."""

    dead = True

    def __init__(self, retry_at: float, *, missed: bool = False) -> None:
        self.retry_at, self.missed = retry_at, missed


def choose(probing: Probing, units: list[Any], now: float, idle: float) -> Unit | None:
    return probing.choose(units, now, idle)


def test_waiting_for_silent_units_has_a_budget() -> None:
    probing = Probing(1.0)
    units = [Silent(0.0)]
    spent = 0.0
    for tenth in range(10_000):
        now = tenth / 10
        if choose(probing, units, now, idle=0.5):
            spent += 1.0
            probing.spent(now, 1.0, 1.0)
    assert 0.055 <= spent / 1000 <= 0.062


def test_time_that_nobody_needs_is_free() -> None:
    probing = Probing(1.0)
    unit = Silent(0.0)
    probing.spent(0.0, 1.0, 1.0)
    assert choose(probing, [unit], 1.0, idle=0.9) is None
    assert choose(probing, [unit], 1.0, idle=1.0) is unit


def test_a_probe_that_takes_nothing_from_the_others_is_free() -> None:
    probing = Probing(1.0)
    unit = Silent(0.0)
    probing.spent(0.0, 1.0, 0.0)
    assert choose(probing, [unit], 1.0, idle=0.5) is unit


def test_a_probe_that_took_longer_than_was_thought_is_not_free_the_next_time() -> None:
    probing = Probing(1.0)
    unit = Silent(0.0)
    probing.spent(0.0, 1.2, 1.0)
    assert choose(probing, [unit], 1.0, idle=1.1) is None
    assert choose(probing, [unit], 1.0, idle=1.2) is unit


def test_many_silent_units_at_the_start_do_not_stop_the_probing_for_long() -> None:
    probing = Probing(1.0)
    unit = Silent(0.0)
    for second in range(20):
        probing.spent(float(second), 1.0, 1.0)
    assert choose(probing, [unit], 70.0, idle=0.5) is None
    assert choose(probing, [unit], 80.0, idle=0.5) is unit


def test_the_unit_that_has_waited_longest_comes_first() -> None:
    early, late, not_yet = Silent(3.0), Silent(4.0), Silent(6.0)
    assert choose(Probing(0.1), [late, not_yet, early], 5.0, idle=1.0) is early
    assert choose(Probing(0.1), [not_yet], 5.0, idle=1.0) is None


def test_a_unit_that_was_just_lost_does_not_wait_for_what_dead_ones_cost() -> None:
    probing = Probing(1.0)
    dead, lost = Silent(0.0), Silent(0.5, missed=True)
    probing.spent(0.0, 1.0, 1.0)
    assert choose(probing, [dead, lost], 1.0, idle=0.1) is lost
    assert choose(probing, [dead], 1.0, idle=0.1) is None


@pytest.mark.journey
def test_a_link_that_flaps_twice_under_one_unit_does_not_make_it_wait(
    start_plc: Any, tagged: Any
) -> None:
    """Its first probe fails as well; the other was asked in between and is well."""
    off: list[bool] = []

    def reply(asked: Any) -> Any:
        return b"" if off and asked.unit == 7 else asked.registers()

    async def story() -> float:
        tags = tagged("unit 3, input 5, uint16", "unit 7, input 5, uint16")
        async with (
            start_plc(reply) as port,
            ModbusSource(config(port, timeout_ms=400), tags) as source,
        ):
            await source.read()
            off.append(True)
            await read_for(source, 0.9)
            off.clear()
            back = time.monotonic()
            while (await source.read()).status.any():
                pass
            return time.monotonic() - back

    assert asyncio.run(story()) < 4.0  # as one of the dead it would wait 6.7 s


@pytest.mark.journey
def test_facts_of_a_line(start_device: Any, tagged: Any) -> None:
    device = start_device("hole=1,3,40,41", "silent=2")
    tags = tagged(*(f"unit 1, holding {i}, uint16" for i in range(60)), "unit 2, holding 0, uint16")

    async def run() -> ModbusSource:
        async with ModbusSource(config(device.port, timeout_ms=600), tags) as source:
            await source.read()
            await source.read()
            return source

    begun = time.monotonic()
    facts = asyncio.run(run()).facts()
    whole_ms = 1000 * (time.monotonic() - begun)
    assert facts.endpoint == f"modbus tcp 127.0.0.1:{device.port}"
    assert (facts.security, facts.secured, facts.certificate_days) == ("none", False, None)
    assert facts.round_trip_ms
    assert 0.001 < facts.round_trip_ms < whole_ms
    requests, dead, *rest = sorted(facts.notes)
    assert requests == "2 requests a scan"
    assert dead == "unit 1 refuses 2 of its addresses: holding 40, holding 41"
    assert [note[:30] for note in rest] == ["unit 2 does not answer since 2"]


@pytest.mark.parametrize(
    ("settings", "endpoint", "security", "secured"),
    [
        (
            {"transport": "rtu", "device": "/dev/ttyUSB0"},
            "modbus rtu /dev/ttyUSB0 19200 8E1",
            "serial line",
            True,
        ),
        (
            {"transport": "rtu-over-tcp", "host": "10.0.0.5"},
            "modbus rtu over tcp 10.0.0.5:502",
            "none",
            False,
        ),
        (
            {"transport": "tls", "host": "plc", "ca": "a", "certificate": "b", "key": "c"},
            "modbus tls plc:802",
            "TLS",
            True,
        ),
    ],
)
def test_facts_before_the_first_answer(
    tagged: Callable[..., Any], settings: dict[str, Any], endpoint: str, security: str, secured: Any
) -> None:
    source = ModbusSource(ModbusConfig(name="x", **settings), tagged("unit 1, holding 0, uint16"))
    facts = source.facts()
    assert (facts.endpoint, facts.security, facts.secured) == (endpoint, security, secured)
    assert facts.round_trip_ms is None


@pytest.mark.journey
def test_what_was_learnt_goes_over_to_the_next_connection(start_plc: Any, tagged: Any) -> None:
    asked_in: list[list[int]] = []

    def reply(asked: Any) -> bytes:
        asked_in[-1].append(asked.start)
        in_hole = asked.start <= 33 < asked.start + asked.count
        answer: bytes = asked.answer(b"\x02", function=0x83) if in_hole else asked.registers()
        return answer

    tags = tagged(*(f"unit 1, holding {i}, uint16" for i in range(64)))

    async def run() -> None:
        async with start_plc(reply) as port:
            asked_in.append([])
            async with ModbusSource(config(port), tags) as first:
                await first.read()
            asked_in.append([])
            second = ModbusSource(config(port), tags)
            second.resume(first.ticket())
            async with second:
                await second.read()

    asyncio.run(run())
    assert [len(asked) for asked in asked_in] == [13, 2]


def test_a_ticket_of_other_tags_is_ignored(tagged: Any) -> None:
    first = ModbusSource(config(502), tagged("unit 1, holding 0, uint16"))
    second = ModbusSource(config(502), tagged("unit 2, holding 0, uint16"))
    second.resume(first.ticket())
    assert second.facts().notes == ("0 requests a scan",)
