"""The quickest rows of the fault campaign: a whole gateway before a hostile OPC UA server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.simulated.hostile.opcua import HostileOpcua, Manners
from connectors.simulated.hostile.proxy import ChaosProxy
from plant.quality import Quality, quality
from tests.faults.evidence import Evidence, Samples
from tests.faults.plc import tags_of
from tests.faults.stage import STOP_S, Stage, opcua
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(120)]
NAMES = [f"T{i}" for i in range(10)]
TICK_S = 0.05
HEARD_S = 30.0


class Line:
    """A hostile server whose variables count up, and a gateway that reads it."""

    def __init__(self, folder: Path, manners: Manners, names: Sequence[str] = NAMES) -> None:
        self.server = HostileOpcua(names, manners, port=free_port())
        source = opcua("plc", self.server.url, publishing_ms=50.0)
        self.stage = Stage(folder, [source], tags_of("plc", len(names)))
        self.gateway: Any = None
        self.n = 0
        self._names = names

    async def run(self, seconds: float, names: Sequence[str] | None = None, least: int = 1) -> None:
        """Set the variables for a while, and `least` times; each Ti to 1000 n + i."""
        until, last = time.monotonic() + seconds, self.n + least
        while time.monotonic() < until or self.n < last:
            self.n += 1
            chosen = self._names if names is None else names
            await self.server.put({name: 1000 * self.n + int(name[1:]) for name in chosen})
            await asyncio.sleep(TICK_S)

    async def told(self, *names: str) -> None:
        """Wait until the gateway has what the server set last."""
        latest, sent = self.gateway._pipeline.latest, self.server.log.sent
        async with asyncio.timeout(HEARD_S):
            while any(latest.at[1 + NAMES.index(name)] != sent[name][-1][0] for name in names):
                await asyncio.sleep(0.01)

    def invented(self, evidence: Evidence) -> int:
        """Good samples that the server never sent at that time."""
        sent = self.server.log.sent
        return sum(len(_pairs(self.of(evidence, tag)) - set(sent[tag])) for tag in sent)

    def of(self, evidence: Evidence, tag: str) -> Samples:
        return evidence.of(f"site/plc/{tag}")


def _pairs(samples: Samples) -> set[tuple[int, float]]:
    good = samples.where(samples.good)
    return set(zip(good.at.tolist(), good.value.tolist(), strict=True))


def play(line: Line, story: Callable[[Line], Awaitable[None]], **start: Sequence[str]) -> Evidence:
    """Start the server, then the gateway, and see what it leaves behind."""

    async def go() -> None:
        await line.server.start(**start)
        try:
            async with line.stage.running() as line.gateway:
                await story(line)
        finally:
            await line.server.stop()

    asyncio.run(go())
    return line.stage.evidence()


def test_p02_one_of_ten_nodes_is_gone_and_nine_flow(tmp_path: Path) -> None:
    async def story(line: Line) -> None:
        await line.stage.until("plc", "up")
        await line.run(0.5, least=12)

    line = Line(tmp_path, Manners())
    evidence = play(line, story, missing=["T4"])
    counts = [len(line.of(evidence, tag).live_good().at) for tag in NAMES]
    assert counts[4] == 0
    assert min(counts[:4] + counts[5:]) > 5
    assert Quality.BAD in quality(line.of(evidence, "T4").status)
    assert line.invented(evidence) == 0


def test_p03_a_flapping_server_sees_one_session(tmp_path: Path) -> None:
    async def story(line: Line) -> None:
        await line.stage.until("plc", "up")
        for _ in range(2):
            await line.run(0.2)
            cut = time.time_ns()
            line.server.drop()
            await line.stage.until("plc", "up", since=cut)
        await line.run(0.2)

    line = Line(tmp_path, Manners(sessions=2))
    evidence = play(line, story)
    assert line.server.log.live_at_most == 1
    assert line.invented(evidence) == 0


def test_p04_silence_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async def go() -> Stage:
        async with ChaosProxy(free_port()) as proxy:
            await proxy.blackhole()
            stage = Stage(tmp_path, [opcua("plc", proxy.url)], tags_of("plc", 1))
            async with stage.running():
                await asyncio.sleep(0.5)
            return stage

    assert asyncio.run(go()).stopping_s < 3 * STOP_S  # three times what is promised


def test_p06_and_p07_off_for_a_while_and_moved_at_the_restart(tmp_path: Path) -> None:
    async def story(line: Line) -> None:
        await line.stage.until("plc", "up")
        await line.run(0.3)
        cut = time.time_ns()
        await line.server.stop()
        await line.stage.until("plc", "down", since=cut)
        await line.server.start(before=("urn:other", "urn:more"))
        await line.stage.until("plc", "up", since=cut)
        await line.run(0.5)
        await line.told(*NAMES)

    line = Line(tmp_path, Manners())
    evidence = play(line, story)
    assert line.invented(evidence) == 0
    for tag in NAMES:
        good = line.of(evidence, tag).live_good()
        assert good.value.max() == 1000 * line.n + int(tag[1:])


def test_p10_and_p11_a_wrong_clock_and_every_quality(tmp_path: Path) -> None:
    async def story(line: Line) -> None:
        await line.stage.until("plc", "up")
        await line.run(0.3, NAMES[:2])
        line.n += 1
        await line.server.put({"T0": 1000.0 * line.n}, status=0x40900000)
        await line.told("T0")
        await line.server.put({"T0": 1000.0 * line.n + 1}, status=0x808C0000)
        await line.told("T0")

    line = Line(tmp_path, Manners(skew_s=-3600.0))
    evidence = play(line, story)
    told = line.of(evidence, "T0")
    assert {0, 0x40900000, 0x808C0000} <= set(told.status.tolist())
    sent = {at for at, _ in line.server.log.sent["T0"]}
    assert sent & set(told.at.tolist())
    assert np.all(np.diff(told.where(told.good).at) > 0)
    assert line.invented(evidence) == 0
    assert evidence.judged_not_good == 0
    still = line.of(evidence, "T9")
    assert Quality.BAD not in quality(still.status), "what does not change stays Good"


def test_p12_ten_items_of_a_server_that_allows_four_a_call(tmp_path: Path) -> None:
    async def story(line: Line) -> None:
        await line.stage.until("plc", "up")
        await line.run(0.5, least=12)

    line = Line(tmp_path, Manners(operations=4, subscriptions=1))
    evidence = play(line, story)
    assert min(len(line.of(evidence, tag).live_good().at) for tag in NAMES) > 5
    assert max(count for what, count in line.server.log.calls if what == "monitor") > 4
    assert line.invented(evidence) == 0
