"""P25: a write that failed for its caller, over cut cables and hung controllers."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from itertools import product

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave
from connectors.opcua.refusals import FAILURES
from connectors.opcua.values import words_value
from connectors.setpoint_words import pair
from connectors.simulated.setpoint_opcua import SPACE
from tests.faults.rows import Row
from tests.faults.setpoints.controller import Controller, Writer, late, through, writer
from tests.faults.wire import Wire, wired

HOLES_S = (8, 30, 60)
EACH, EACH_FULL = 5, 20
"""Writes of each protocol into each kind of setpoint over each hole."""
SETTLE = 1.0
"""Behind a hole as long again, and some: TCP doubles its wait from try to try."""
MORE_S = 15.0


def writers_of(controller: Controller, each: int) -> list[Writer]:
    """Give `each` writers of both protocols into plain setpoints and blocks."""
    loops = {"modbus": range(1, each + 1), "opcua": range(each + 1, 2 * each + 1)}
    return [
        writer(controller, protocol, place, loop)
        for protocol, place in product(loops, ("plain", "block"))
        for loop in loops[protocol]
    ]


def told(row: Row, parts: Sequence[tuple[Controller, Sequence[Writer]]], place: str) -> int:
    """Note the figures of one kind of setpoint; give how many came late."""
    own = [(controller, [w for w in all_ if w.place == place]) for controller, all_ in parts]
    writers = [one for _, some in own for one in some]
    came = sum(late(controller, some, "written") for controller, some in own)
    applied = sum(late(controller, some) for controller, some in own)
    doubtful = sum(one.outcome == "doubtful" for one in writers)
    row.measured(
        **{
            f"{place}_in_doubt": f"{doubtful} of {len(writers)}",
            f"{place}_late_frames": came,
            f"{place}_late_applied": applied,
        }
    )
    assert doubtful == len(writers), {one.outcome for one in writers}
    return applied


async def over_a_hole(wire: Wire, hole_s: int, each: int) -> tuple[Controller, list[Writer]]:
    """Lose every packet for a while, from right before the writes leave."""
    async with Controller(2 * each, wire.far, wire.inside) as controller:
        writers = writers_of(controller, each)
        began = [0.0]

        def cut() -> None:
            wire.lose()
            began[0] = time.monotonic()

        await through(writers, cut)
        await asyncio.sleep(max(0.0, began[0] + hole_s - time.monotonic()))
        wire.mend()
        await asyncio.sleep(SETTLE * hole_s + MORE_S)
        for one in writers:
            await one.read_back()
            await one.leave()
    return controller, writers


@pytest.mark.pain(
    "P25",
    "cable loses everything for 8, 30 and 60 s as a setpoint is written, side by side",
    "a controller in a network namespace, Modbus and OPC UA",
    "0 late, 0 twice, each in doubt and then read back as it was",
)
def test_p25_cut_cable(row: Row, full: bool) -> None:
    async def run() -> list[tuple[Controller, list[Writer]]]:
        with contextlib.ExitStack() as wires:
            laid = [wires.enter_context(wired()) for _ in HOLES_S]
            each = EACH_FULL if full else EACH
            holes = zip(laid, HOLES_S, strict=True)
            return await asyncio.gather(*(over_a_hole(one, s, each) for one, s in holes))

    parts = asyncio.run(run())
    applied = sum(told(row, parts, place) for place in ("plain", "block"))
    changed = sum(one.changed for _, writers in parts for one in writers)
    row.measured(read_back_changed=changed)
    assert not applied
    assert not changed


async def hung(hang_s: int, each: int) -> tuple[Controller, list[Writer]]:
    """Stop the controller in its tracks for a while, from right before the writes leave."""
    async with Controller(2 * each) as controller:
        writers = writers_of(controller, each)
        await through(writers, controller.freeze)
        await asyncio.sleep(hang_s)
        controller.thaw()
        await asyncio.sleep(MORE_S)
        for one in writers:
            await one.read_back()
            await one.leave()
    return controller, writers


@pytest.mark.pain(
    "P25",
    "controller stopped in its tracks for 8, 30 and 60 s as a setpoint is written, side by side",
    "a controller that the system takes bytes for, Modbus and OPC UA",
    "block: 0 late, 0 twice; plain register: nobody can prevent it, each late one shows in "
    "reading back",
)
def test_p25_hung_controller(row: Row, full: bool) -> None:
    async def run() -> list[tuple[Controller, list[Writer]]]:
        each = EACH_FULL if full else EACH
        return await asyncio.gather(*(hung(seconds, each) for seconds in HOLES_S))

    parts = asyncio.run(run())
    plain = told(row, parts, "plain")
    block = told(row, parts, "block")
    seen = sum(one.changed for _, writers in parts for one in writers if one.place == "plain")
    twice = sum(
        len(controller.of("applied", one.loop, one.place)) > 1
        for controller, writers in parts
        for one in writers
    )
    row.measured(plain_late_seen_in_reading_back=f"{seen} of {plain}", applied_twice=twice)
    assert not block
    assert not twice
    assert seen == plain


@contextlib.asynccontextmanager
async def left_to_pymodbus(controller: Controller) -> AsyncIterator[None]:
    """Write as a program does that knows nothing of this, while the body cuts the cable."""
    client = AsyncModbusTcpClient(controller.host, port=controller.ports["modbus"], timeout=1)
    await client.connect()
    yield
    with contextlib.suppress(ModbusException, OSError):
        await client.write_registers(0, list(pair(1030)), device_id=1)
    client.close()


@contextlib.asynccontextmanager
async def left_to_asyncua(controller: Controller) -> AsyncIterator[None]:
    """Write as a program does that knows nothing of this, while the body cuts the cable."""
    url = f"opc.tcp://{controller.host}:{controller.ports['opcua']}/"
    client = await connect_secure(OpcUaConfig(name="plc", url=url, security="none", timeout_s=2.0))
    space = await client.get_namespace_index(SPACE)
    node = client.get_node(f"ns={space};s=Loop2.Block.Request")
    yield
    with contextlib.suppress(*FAILURES):
        await node.write_value(words_value([0] * 8 + [1]))
    await leave(client)


@pytest.mark.pain(
    "P25",
    "the same cable for 8 s, written by pymodbus and asyncua as they come: the judge is judged",
    "a controller in a network namespace, Modbus and OPC UA",
    "late writes are seen, for they are there",
)
def test_p25_the_libraries_alone(row: Row) -> None:
    async def run() -> tuple[int, int]:
        with wired() as wire:
            async with (
                Controller(2, wire.far, wire.inside) as controller,
                AsyncExitStack() as stack,
            ):
                await stack.enter_async_context(left_to_pymodbus(controller))
                await stack.enter_async_context(left_to_asyncua(controller))
                mending = asyncio.create_task(mend(wire))
                wire.lose()
                await stack.aclose()
                await mending
                await asyncio.sleep(MORE_S)
            return (
                len(controller.of("written", 1, "plain")),
                len(controller.of("written", 2, "block")),
            )

    async def mend(wire: Wire) -> None:
        await asyncio.sleep(HOLES_S[0])
        wire.mend()

    modbus, opcua = asyncio.run(run())
    row.measured(pymodbus_late=modbus, asyncua_late=opcua)
    assert modbus
    assert opcua


KILLED_AFTER_S = 0.5


async def killed(controller: Controller, wire: Wire, how: Sequence[str]) -> list[int]:
    """Kill a writer for each word of `how` in the middle of its write; give what came of each."""
    own = await asyncio.gather(
        *(
            asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.faults.setpoints.killed_writer"),
                *(word, controller.host, str(controller.ports["modbus"]), str(loop)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            for loop, word in enumerate(how, 1)
        )
    )
    for process in own:
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"
    wire.lose()
    for process in own:
        assert process.stdin
        process.stdin.write(b"go\n")
        await process.stdin.drain()
    await asyncio.sleep(KILLED_AFTER_S)
    for process in own:
        process.kill()
        await process.wait()
    await asyncio.sleep(HOLES_S[0])
    wire.mend()
    await asyncio.sleep(HOLES_S[0] + MORE_S)
    return [len(controller.of("written", loop, "plain")) for loop, _ in enumerate(how, 1)]


@pytest.mark.pain(
    "P25",
    "the writing process killed with -9 in the middle of its write, over a cable cut for 8 s",
    "a controller in a network namespace, Modbus",
    "0 late of ours; those of a program that knows nothing of this are seen",
)
def test_p25_killed_writer(row: Row, full: bool) -> None:
    ours = EACH_FULL if full else EACH

    async def run() -> list[int]:
        with wired() as wire:
            async with Controller(ours + 2, wire.far, wire.inside, ("modbus",)) as controller:
                return await killed(controller, wire, ("ours",) * ours + ("plain",) * 2)

    came = asyncio.run(run())
    row.measured(
        late_of_ours=f"{sum(came[:ours])} of {ours}", late_of_plain=f"{sum(came[ours:])} of 2"
    )
    assert not sum(came[:ours])
    assert sum(came[ours:]) == 2
