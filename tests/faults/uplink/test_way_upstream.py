"""P19 to P24: the way upstream is cut, refused, slowed and killed; a real InfluxDB is asked."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.runtime import Gateway
from gateway.uplink.quarantine import kept
from tests.faults.plc import Witness, tags_of
from tests.faults.rows import Row
from tests.faults.stage import Stage, opcua
from tests.faults.uplink.receiving import Central, central, drained, judged
from tests.lacking import need_node_opcua
from tests.parts.stores.proxy import Fault, answer

TAGS = 20
PERIOD_MS = 50
BEFORE_S, FAULT_S = 4.0, 20.0
SOON_S = 30.0
SERVER = "node-opcua → gateway → proxy → InfluxDB 1.6"
BAR = "acknowledged samples lost 0; invented 0; the backlog is sent within 30 s of the end of it"


@dataclass
class Scene:
    """A gateway that reads a witness and sends every sample to a central store."""

    central: Central
    stage: Stage
    gateway: Gateway
    fault_s: float
    held_up_s: float = field(default=0.0)

    def sinks(self) -> list[Any]:
        return list(self.gateway._uplinks.rows())

    @property
    def state(self) -> str:
        return str(self.sinks()[0]["state"])

    async def until(self, state: str, seconds: float) -> float:
        """Wait until the sink has a state; give how long that took, s."""
        begun = time.monotonic()
        async with asyncio.timeout(seconds):
            while self.state != state:
                await asyncio.sleep(0.1)
        return time.monotonic() - begun

    async def watch(self) -> None:
        """Note for how long the gateway's loop was ever held up."""
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            self.held_up_s = max(self.held_up_s, time.monotonic() - begun - 0.01)


Deed = Callable[[Scene], Awaitable[None]]


async def played(folder: Path, full: bool, row: Row, deed: Deed, found: str = "") -> None:
    """Let a gateway run, do something to it, and judge it once the backlog is sent.

    The store holds the line `found` before anything comes.
    """
    with central(folder) as store:
        store.write(found)
        async with Witness(folder, {"tags": TAGS, "period": PERIOD_MS}) as witness:
            tags = tags_of("plc", TAGS)
            sinks = (store.config(),)
            source = opcua("plc", witness.url)
            stage = Stage(folder, [source], tags, assets=(), sinks=sinks)
            async with stage.running() as gateway:
                scene = Scene(store, stage, gateway, FAULT_S * (3 if full else 1))
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
            verdict = judged(witness, tags, stage.evidence(), store.points())
            row.measured(
                made=verdict.made,
                acknowledged=verdict.acknowledged,
                lost=verdict.lost,
                invented=verdict.invented,
                sent_again=max(0, store.lines() - verdict.acknowledged),
                backlog_sent_within=f"{took:.1f} s",
                gateway_held_up=f"{1000 * scene.held_up_s:.0f} ms at most",
            )
            assert verdict.acknowledged > TAGS * 1000 / PERIOD_MS * BEFORE_S / 2
            assert (verdict.lost, verdict.invented) == (0, 0)
            assert took < SOON_S


def pain(number: str, done: str, bar: str = BAR) -> pytest.MarkDecorator:
    return pytest.mark.pain(number, done, SERVER, bar)


@pytest.fixture
def play(tmp_path: Path, full: bool, row: Row) -> Callable[..., None]:
    """Do something to a gateway that runs, and judge it."""
    need_node_opcua()
    return lambda deed, found="": asyncio.run(played(tmp_path, full, row, deed, found))


Play = Callable[..., None]


@pain("P19", "the store is off for 20 s")
def test_p19_the_store_is_off(play: Play) -> None:
    async def deed(scene: Scene) -> None:
        scene.central.store.stop()
        await asyncio.sleep(scene.fault_s)
        assert scene.state == "down"
        scene.central.store.start()

    play(deed)


@pain("P24", "for 20 s the store takes what it is sent, but its answers never arrive")
def test_p24_answers_that_never_arrive(play: Play) -> None:
    async def deed(scene: Scene) -> None:
        scene.central.proxy.always(Fault(status=204, delay_s=6.0))
        await asyncio.sleep(scene.fault_s)
        assert scene.state == "down"
        scene.central.proxy.always(None)

    play(deed)


@pain("P24", "for 20 s every request is answered 503, Retry-After 3", f"{BAR}; Retry-After is kept")
def test_p24_a_storm_of_503(play: Play, row: Row) -> None:
    async def deed(scene: Scene) -> None:
        await asyncio.sleep(0)
        before = len(scene.central.proxy.heard)
        scene.central.proxy.always(answer(503, b'{"message":"busy"}', retry_after="3"))
        await asyncio.sleep(scene.fault_s)
        asked = len(scene.central.proxy.heard) - before
        row.measured(asked=f"{asked} times")
        assert asked <= 2 + scene.fault_s / 3
        scene.central.proxy.always(None)

    play(deed)


@pain("P24", "the token is refused (401), then mended", f"{BAR}; told within 5 s; no restart")
def test_p24_a_token_that_is_refused(play: Play, row: Row) -> None:
    async def deed(scene: Scene) -> None:
        refused = answer(401, b'{"code":"unauthorized","message":"unauthorized access"}')
        scene.central.proxy.always(refused)
        told = await scene.until("misconfigured", 10.0)
        assert told < 5
        assert "unauthorized access" in scene.gateway._view.line()["gateway"]["unsent"][0]
        await asyncio.sleep(scene.fault_s)
        scene.central.proxy.always(None)
        mended = await scene.until("up", 70.0)
        row.measured(told_within=f"{told:.1f} s", taken_up_again_after=f"{mended:.0f} s")

    play(deed)


@pain("P22", "for 20 s the store takes 1.5 s for every answer")
def test_p22_a_slow_store(play: Play) -> None:
    async def deed(scene: Scene) -> None:
        scene.central.proxy.always(Fault(delay_s=1.5))
        await asyncio.sleep(scene.fault_s)
        assert scene.state == "up"
        scene.central.proxy.always(None)

    play(deed)


@pain(
    "P23",
    "a field of the store has another type than the gateway's own: its lines are refused for ever",
    f"{BAR}; the line is kept with the store's words, its neighbours arrive",
)
def test_p23_one_line_that_is_refused(play: Play, row: Row) -> None:
    async def deed(scene: Scene) -> None:
        await asyncio.sleep(scene.fault_s)
        (sink,) = scene.sinks()
        refused = list(kept(Path(sink["quarantine"])))
        row.measured(refused=sink["refused"], why=refused[0]["reason"])
        assert sink["refused"] == len(refused) >= 1
        assert all(line["what"].startswith("gateway,") for line in refused)
        assert "field type conflict" in refused[0]["reason"]

    play(deed, found=f'gateway,gateway=faults rss_mb="much" {time.time_ns()}')


@pain("P22", "the store hangs: it accepts the connection and never answers, for 20 s")
def test_p22_a_store_that_hangs(play: Play) -> None:
    async def deed(scene: Scene) -> None:
        scene.central.proxy.always(Fault(forwarded=0, status=204, delay_s=scene.fault_s))
        await asyncio.sleep(scene.fault_s)
        scene.central.proxy.always(None)

    play(deed)


@pain("P10", "the gateway's clock is set 1 h on, then 2 h back")
def test_p10_the_clock_is_set(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, wall_ns = time.time, time.time_ns

    async def deed(scene: Scene) -> None:
        for hours in (1, -1):
            monkeypatch.setattr(time, "time", lambda hours=hours: wall() + 3600 * hours)
            monkeypatch.setattr(
                time, "time_ns", lambda hours=hours: wall_ns() + 3600 * hours * 10**9
            )
            await asyncio.sleep(scene.fault_s / 2)
            assert scene.state == "up"
        monkeypatch.undo()

    play(deed)
