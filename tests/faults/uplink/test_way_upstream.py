"""P19 to P24: the way upstream is cut, refused, slowed and killed; a real InfluxDB is asked."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.parts.stores.proxy import Fault, answer

from gateway.config.plan import HistoryPlan
from gateway.runtime import Gateway
from tests.faults.plc import Witness, need_node, tags_of
from tests.faults.rows import Row
from tests.faults.stage import Stage, opcua
from tests.faults.uplink.receiving import Central, central, drained, judged

TAGS = 20
PERIOD_MS = 50
BEFORE_S, FAULT_S = 4.0, 20.0
SERVER = "node-opcua → gateway → proxy → InfluxDB 1.6"
BAR = "acknowledged samples lost 0; invented 0; the backlog is sent within 30 s"


@dataclass
class Scene:
    """A gateway that reads a witness and sends to a central store."""

    central: Central
    witness: Witness
    stage: Stage
    gateway: Gateway
    full: bool

    @property
    def fault_s(self) -> float:
        return 3 * FAULT_S if self.full else FAULT_S

    def sinks(self) -> list[Any]:
        return list(self.gateway._uplinks.rows())

    def worst_loop_s(self) -> float:
        return self._worst

    async def watch(self) -> None:
        """Note for how long the gateway's loop was ever held up."""
        self._worst = 0.0
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            self._worst = max(self._worst, time.monotonic() - begun - 0.01)


Deed = Callable[[Scene], Awaitable[None]]


async def played(folder: Path, full: bool, row: Row, deed: Deed, **more: Any) -> Scene:
    """Let a gateway run, do something to it, and judge it once the backlog is sent."""
    with central(folder) as store:
        settings = {"tags": TAGS, "period": PERIOD_MS}
        async with Witness(folder, settings) as witness:
            tags = tags_of("plc", TAGS)
            source = opcua("plc", witness.url)
            stage = Stage(
                folder, [source], tags, assets=(), sinks=(store.config(),), history=HistoryPlan(),
                **more,
            )  # fmt: skip
            async with stage.running() as gateway:
                scene = Scene(store, witness, stage, gateway, full)
                watching = asyncio.create_task(scene.watch())
                await stage.until("plc", "up")
                await asyncio.sleep(BEFORE_S)
                await deed(scene)
                took = await asyncio.to_thread(drained, scene.sinks)
                await asyncio.sleep(2.0)
                await witness.kill()
                await asyncio.sleep(2.0)
                await asyncio.to_thread(drained, scene.sinks)
                watching.cancel()
            evidence = stage.evidence()
            verdict = judged(witness, tags, evidence, store.points())
            row.measured(
                made=verdict.made,
                acknowledged=verdict.acknowledged,
                lost=verdict.lost,
                invented=verdict.invented,
                sent_twice=max(0, store.lines() - verdict.acknowledged),
                backlog_sent_within=f"{took:.1f} s",
                loop_held_up=f"{1000 * scene.worst_loop_s():.0f} ms at most",
            )
            assert verdict.acknowledged > TAGS * 1000 / PERIOD_MS * BEFORE_S / 2
            assert (verdict.lost, verdict.invented) == (0, 0)
            assert took < 30
            return scene


def pain(number: str, done: str, bar: str = BAR) -> pytest.MarkDecorator:
    return pytest.mark.pain(number, done, SERVER, bar)


async def refused_connections(scene: Scene) -> None:
    scene.central.store.stop()
    await asyncio.sleep(scene.fault_s)
    assert scene.sinks()[0]["state"] == "down"
    scene.central.store.start()


async def cut_answers(scene: Scene) -> None:
    """The store takes what it is sent, and nobody hears that it did."""
    scene.central.proxy.always(Fault(status=204, cut_after=0, delay_s=6.0))
    await asyncio.sleep(scene.fault_s)
    scene.central.proxy.always(None)


async def storm(scene: Scene) -> None:
    scene.central.proxy.always(answer(503, b'{"message":"busy"}', retry_after="3"))
    await asyncio.sleep(scene.fault_s)
    heard = len(scene.central.proxy.heard)
    assert heard < 3 + scene.fault_s, "Retry-After is kept to"
    scene.central.proxy.always(None)


async def slow(scene: Scene) -> None:
    scene.central.proxy.always(Fault(delay_s=1.5))
    await asyncio.sleep(scene.fault_s)
    assert scene.sinks()[0]["state"] == "up"
    scene.central.proxy.always(None)


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(
            refused_connections, id="down", marks=pain("P19", "the store is off for 20 s")
        ),
        pytest.param(
            cut_answers,
            id="cut",
            marks=pain("P24", "the store takes what it is sent, but its answers never arrive"),
        ),
        pytest.param(
            storm, id="503", marks=pain("P24", "503 with Retry-After 3 for 20 s, to every request")
        ),
        pytest.param(
            slow, id="slow", marks=pain("P22", "the store takes 1.5 s for every answer, for 20 s")
        ),
    ],
)
def test_p19_to_p24_outages(deed: Deed, tmp_path: Path, full: bool, row: Row) -> None:
    need_node()
    asyncio.run(played(tmp_path, full, row, deed))
