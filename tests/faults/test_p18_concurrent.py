"""P18: whoever asks at the same time on one line gets his own answer."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.modbus.address import Table
from connectors.modbus.connection import Connection
from connectors.modbus.lines import line_of
from connectors.modbus.wire import write_registers
from connectors.simulated.hostile.modbus import Behaviour, HostileModbus
from connectors.simulated.hostile.modbus_frames import Framing, told
from plant.quality import Status
from tests.faults.modbus_witness import config_of, judge, stage_of, tag_of
from tests.faults.rows import Row

UNITS = (1, 2, 3, 4, 5)
PLACES = (("holding", 0), ("holding", 200), ("input", 8))
ASKERS = 50
SECONDS = 10.0
LINES: dict[str, Callable[[], HostileModbus]] = {
    "tcp": lambda: HostileModbus(Behaviour(pace_s=0.001)),
    "rtu-over-tcp": lambda: HostileModbus(Behaviour(pace_s=0.001), framing=Framing.RTU),
    "rtu": lambda: HostileModbus(Behaviour(pace_s=0.001), serial=True),
}


async def _ask(line: Connection, number: int, until: float, seen: Counter[str]) -> None:
    unit = UNITS[number % len(UNITS)]
    table, start = (Table.HOLDING if number % 2 else Table.INPUT), 1000 + 4 * number
    while time.monotonic() < until:
        if number % 5 == 0:
            answer = await line.write(write_registers(unit, number, [number]))
            seen["written" if answer.status is Status.GOOD else "failed"] += 1
            continue
        answer = await line.ask(unit, table, start, 4)
        if answer.status is not Status.GOOD:
            seen["failed"] += 1
            continue
        place = told(int.from_bytes(answer.payload, "big"))[:3]
        function = 3 if table is Table.HOLDING else 4
        seen["right" if place == (unit, function, start) else "swapped"] += 1


@pytest.mark.pain(
    "P18",
    "50 tasks read and write on one line of 5 units at once; beside that a gateway polls 5 units "
    "at 10 ms through a second connection (of a serial line: through a line of its own)",
    "hostile Modbus TCP, RTU over TCP and RTU on a pseudo terminal",
    "0 errors, 0 swapped",
)
@pytest.mark.parametrize("kind", list(LINES))
def test_p18_concurrent(kind: str, row: Row, tmp_path: Path) -> None:
    row.server = f"hostile Modbus {kind}"
    seen: Counter[str] = Counter()

    async def story() -> None:
        shared = LINES[kind]()
        polled = LINES[kind]() if kind == "rtu" else shared
        tags = [tag_of("line", unit, *place) for unit in UNITS for place in PLACES]
        async with AsyncExitStack() as stack:
            for device in {shared, polled}:
                await stack.enter_async_context(device)
            source = config_of(polled, "line", scan_ms=10.0)
            stage = stage_of(tmp_path, [source], tags)
            await stack.enter_async_context(stage.running())
            line = Connection(line_of(config_of(shared, "beside")))
            stack.callback(line.reset)
            until = time.monotonic() + SECONDS
            async with asyncio.TaskGroup() as group:
                for number in range(ASKERS):
                    group.create_task(_ask(line, number, until, seen))
        evidence = stage.evidence()
        verdict = judge(polled, tags, evidence)
        bad = sum(int((evidence.of(tag.name).status != Status.GOOD).sum()) for tag in tags)
        row.measured(
            read=seen["right"],
            written=seen["written"],
            polled=verdict.good,
            errors=seen["failed"] + bad,
            swapped=seen["swapped"] + verdict.wrong + verdict.stale,
        )
        assert verdict.good > 100
        assert seen["right"] > 100
        assert (seen["failed"], bad, seen["swapped"]) == (0, 0, 0)
        assert (verdict.wrong, verdict.stale) == (0, 0)

    asyncio.run(story())
