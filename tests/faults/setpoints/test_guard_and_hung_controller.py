"""P25: the whole guard before a controller that hangs, and behind a cable that is cut."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import product
from pathlib import Path

import pytest

from plant.setpoints import State
from tests.faults.rows import Row
from tests.faults.setpoints.controller import FIRST, Controller, Gate
from tests.faults.setpoints.guarded import Guarded
from tests.faults.wire import wired
from tests.gateway.guard.rig import WORD

HANG_S = 8
HOLES_S, HOLES_FULL_S = (8,), (8, 30, 60)
EACH, EACH_FULL = 5, 25
CUT, CUT_FULL = 3, 9
"""Of each protocol and kind of setpoint, over each hole."""
ARRIVED_S = 120.0
PLACES = ("plain", "block")


@pytest.mark.pain(
    "P25",
    "controller stopped in its tracks for 8 s as the guard writes what a person has approved",
    "the guard with a controller that the system takes bytes for, Modbus",
    "each unknown, locked and alarmed at once; then what is found is what the controller did; "
    "block: 0 late",
)
def test_p25_guard_and_hung_controller(row: Row, full: bool, tmp_path: Path) -> None:
    each = EACH_FULL if full else EACH

    async def run() -> tuple[list[Guarded], list[bool], Controller]:
        async with Controller(each, fronts=("modbus",)) as controller:

            async def hung() -> None:
                controller.freeze()
                await asyncio.sleep(HANG_S)
                controller.thaw()

            loops = range(1, each + 1)
            guards = [
                Guarded(tmp_path / f"{place}-{loop}", controller, "modbus", place, loop)
                for place, loop in product(PLACES, loops)
            ]
            doubted = await doubting(guards, hung)
        return guards, doubted, controller

    guards, doubted, controller = asyncio.run(run())
    late = judged(row, guards, doubted, [controller] * len(guards))
    assert not late["block"]


async def doubting(guards: Sequence[Guarded], broken: Callable[[], Awaitable[None]]) -> list[bool]:
    """Have all write at once what a person has approved, break the way, and let them find out."""
    gate = Gate(len(guards))
    for one in guards:
        one.gate = gate
        # Connected before: requests wait for half a minute at most.
        await one.guard.tick()
    for ticket in await asyncio.gather(*(one.pending() for one in guards)):
        assert ticket.state is State.PENDING, ticket
    approvals = [
        asyncio.create_task(one.guard.approve(one.ticket.request.id, "ana", WORD)) for one in guards
    ]
    async with asyncio.timeout(ARRIVED_S):
        await gate.arrived()
    breaking = asyncio.create_task(awaited(broken))
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(*approvals)
    doubted = [one.ticket.state is State.UNKNOWN and one.doubted for one in guards]
    await breaking
    await asyncio.gather(*(one.settled() for one in guards))
    for one in guards:
        await one.guard.close()
    return doubted


async def awaited(what: Callable[[], Awaitable[None]]) -> None:
    await what()


def judged(
    row: Row, guards: Sequence[Guarded], doubted: Sequence[bool], by: Sequence[Controller]
) -> dict[str, int]:
    """Hold what the guards found against each controller's log; give what came late, by place."""
    applied = [
        len(controller.of("applied", one.loop, one.place))
        for one, controller in zip(guards, by, strict=True)
    ]
    late = {
        place: sum(n for one, n in zip(guards, applied, strict=True) if one.place == place)
        for place in PLACES
    }
    truths = [
        one.found() == [bool(n)] and (one.store.of(one.tag).known != FIRST) == bool(n)
        for one, n in zip(guards, applied, strict=True)
    ]
    row.measured(
        unknown_locked_alarmed=f"{sum(doubted)} of {len(guards)}",
        plain_late=late["plain"],
        block_late=late["block"],
        truth_found=f"{sum(truths)} of {len(guards)}",
    )
    assert all(doubted)
    assert all(truths)
    assert max(applied) <= 1
    return late


@pytest.mark.pain(
    "P25",
    "cable loses everything as the guard writes what a person has approved, side by side",
    "the guard with a controller in a network namespace, Modbus and OPC UA",
    "each unknown, locked and alarmed at once; 0 late; then what is found is what it did",
)
def test_p25_guard_behind_a_cut_cable(row: Row, full: bool, tmp_path: Path) -> None:
    each, holes = (CUT_FULL, HOLES_FULL_S) if full else (CUT, HOLES_S)

    async def over(hole_s: int) -> tuple[list[Guarded], list[bool], list[Controller]]:
        with wired() as wire:
            async with Controller(2 * each, wire.far, wire.inside) as controller:

                async def cut() -> None:
                    wire.lose()
                    begun = time.monotonic()
                    await asyncio.sleep(begun + hole_s - time.monotonic())
                    wire.mend()

                loops = {"modbus": range(1, each + 1), "opcua": range(each + 1, 2 * each + 1)}
                guards = [
                    Guarded(
                        tmp_path / f"{hole_s}-{place}-{loop}", controller, protocol, place, loop
                    )
                    for protocol, place in product(loops, PLACES)
                    for loop in loops[protocol]
                ]
                doubted = await doubting(guards, cut)
        return guards, doubted, [controller] * len(guards)

    guards, doubted, by = [], [], []
    for hole_s in holes:
        one, unknown, controllers = asyncio.run(over(hole_s))
        guards, doubted, by = guards + one, doubted + unknown, by + controllers
    row.measured(holes_s=", ".join(map(str, holes)))
    late = judged(row, guards, doubted, by)
    assert late == {"plain": 0, "block": 0}
