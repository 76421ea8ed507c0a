"""P16: a Modbus device that returns is read again at once, every time."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import takewhile
from pathlib import Path
from random import Random

import pytest

from connectors.simulated.hostile.modbus import HostileModbus
from connectors.simulated.hostile.modbus_frames import Framing
from connectors.simulated.hostile.proxy import ChaosProxy
from tests.faults.evidence import Evidence, seconds_to_first_good
from tests.faults.modbus_witness import config_of, judge, stage_of, tag_of
from tests.faults.rows import Row

BOUND_S = 5.0
UP_S = 0.5
LATEST_S = 12.0
FRAMINGS = {"tcp": Framing.TCP, "rtu-over-tcp": Framing.RTU}
HANGING = ("tcp-hung", "rtu-hung")
UNITS = (1, 2, 3)
KEPT = 1
"""Requests that a hung way may hold back: there is never more than one under way."""


class Peers:
    """Two devices that go away with their connections, and two that hang behind a proxy."""

    def __init__(self) -> None:
        self.devices = {name: HostileModbus(framing=one) for name, one in FRAMINGS.items()}
        hung = zip(HANGING, FRAMINGS.values(), strict=True)
        self.devices |= {name: HostileModbus(framing=one) for name, one in hung}
        self.proxies: dict[str, ChaosProxy] = {}
        self.tags = {name: [tag_of(name, unit) for unit in UNITS] for name in self.devices}

    async def enter(self, stack: AsyncExitStack) -> None:
        for name, device in self.devices.items():
            await stack.enter_async_context(device)
            proxy = ChaosProxy(device.port)
            self.proxies[name] = await stack.enter_async_context(proxy)

    async def go(self) -> None:
        for name in FRAMINGS:
            await self.devices[name].stop()
            await self.proxies[name].refuse()
        for name in HANGING:
            await self.proxies[name].blackhole()

    async def come(self) -> int:
        for name in FRAMINGS:
            await self.devices[name].start()
            await self.proxies[name].heal()
        for name in HANGING:
            await self.proxies[name].heal()
        return time.time_ns()

    def answered(self, name: str, since: int) -> bool:
        """Whether every unit was asked anew; what a proxy had kept of before comes once more."""
        fresh = takewhile(lambda one: one.asked.at > since, reversed(self.devices[name].log))
        asked = Counter(one.asked.unit for one in fresh)
        return all(asked[unit] > KEPT for unit in UNITS)


@pytest.mark.pain(
    "P16",
    "gone and back 20 times: connections reset and refused for up to 3 s; beside that nothing "
    "answered, not even a request to connect, once for 8 s and once for 60 s",
    "hostile Modbus TCP and RTU over TCP, behind a proxy",
    "first good value ≤ 5 s after each return",
)
def test_p16_returns(row: Row, tmp_path: Path) -> None:
    outages = [*(Random(16).uniform(0.2, 3.0) for _ in range(18)), 8.0, 60.0]
    peers = Peers()

    async def story() -> tuple[list[int], list[int], Evidence]:
        back: list[int] = []
        cut: list[int] = []
        async with AsyncExitStack() as stack:
            await peers.enter(stack)
            sources = [
                config_of(device, name, scan_ms=200.0, timeout_ms=500.0).model_copy(
                    update={"port": peers.proxies[name].port}
                )
                for name, device in peers.devices.items()
            ]
            stage = stage_of(tmp_path, sources, [t for own in peers.tags.values() for t in own])
            await stack.enter_async_context(stage.running())
            await asyncio.sleep(UP_S)
            for outage in outages:
                cut.append(time.time_ns())
                await peers.go()
                await asyncio.sleep(outage)
                back.append(await peers.come())
                await _until_back(peers, back[-1])
        return back, [*cut[1:], time.time_ns()], stage.evidence()

    back, until, evidence = asyncio.run(story())
    for name, device in peers.devices.items():
        waits = _waits(evidence, peers, name, back, until)
        verdict = judge(device, peers.tags[name], evidence)
        row.figures[name] = f"longest {max(waits):.2f} s of {len(waits)}, {verdict.wrong} wrong"
        assert (verdict.wrong, verdict.stale) == (0, 0)
        assert max(waits) <= BOUND_S


async def _until_back(peers: Peers, since: int) -> None:
    """Wait for everybody, longer than the bound so that a late one is seen to be late."""
    latest = time.monotonic() + LATEST_S
    while time.monotonic() < latest:
        if all(peers.answered(name, since) for name in peers.devices):
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(UP_S)


def _waits(
    evidence: Evidence, peers: Peers, name: str, back: Sequence[int], until: Sequence[int]
) -> list[float]:
    """For each return the time until every unit was read again."""
    each = [seconds_to_first_good(evidence.of(tag.name), back, until) for tag in peers.tags[name]]
    return [max(waits) for waits in zip(*each, strict=True)]
