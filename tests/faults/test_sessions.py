"""P3, P4, P6: sessions, attempts, silence and a start with everything off."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest

from connectors.simulated.hostile.proxy import ChaosProxy
from tests.faults.evidence import bad_after_s, seconds_to_first_good, wrong
from tests.faults.plc import Witness, tags_of
from tests.faults.rows import Row
from tests.faults.stage import STOP_S, Stage, opcua
from tests.faults.wire import Wire, wired
from tests.lacking import need_node_opcua
from tests.ports import free_port

BAR_S = 5.0
SILENT_S = 10.0
"""Three keep-alives of 2 s, and time to say so."""
SOONEST_S = 0.35
"""Shortest wait of the back-off, 0.5 s − 20 %, less what starting the attempt took before."""


@pytest.mark.pain(
    "P3",
    "a server that allows 2 sessions flaps: reset, refused, dropped on arrival, silent, at random",
    "node-opcua",
    "never more than 1 live session of ours; attempts no closer than the back-off; 0 wrong",
)
def test_p03_one_session_on_a_flapping_server(tmp_path: Path, row: Row, full: bool) -> None:
    need_node_opcua()
    seconds, seed = (600, 3) if full else (60, 3)
    chance = random.Random(seed)

    async def flap(proxy: ChaosProxy) -> int:
        flaps, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            flaps += 1
            fault = chance.choice(["reset", "refuse", "drop", "blackhole"])
            if fault == "drop":
                proxy.set(cut_after=0)
                proxy.reset()
            elif fault == "reset":
                proxy.reset()
            else:
                await getattr(proxy, fault)()
            await asyncio.sleep(chance.uniform(0.2, 3.0))
            await proxy.heal()
            await asyncio.sleep(chance.uniform(0.2, 4.0))
        return flaps

    async def go() -> tuple[int, Witness, ChaosProxy, Stage]:
        async with AsyncExitStack() as stack:
            witness = await stack.enter_async_context(
                Witness(tmp_path, {"sessions": 2, "timeout": 20_000})
            )
            proxy = await stack.enter_async_context(ChaosProxy(witness.port))
            stage = Stage(tmp_path, [opcua("plc", f"{proxy.url}/UA/plc")], tags_of("plc", 5))
            async with stage.running():
                await stage.until("plc", "up", 30)
                flaps = await flap(proxy)
                await asyncio.sleep(BAR_S)
        return flaps, witness, proxy, stage

    flaps, witness, proxy, stage = asyncio.run(go())
    evidence = stage.evidence()
    opened = np.array([passage.opened for passage in proxy.passages])
    closest = float(np.diff(opened).min())
    row.measured(
        seconds=seconds,
        flaps=flaps,
        seed=seed,
        attempts=len(opened),
        closest=f"{closest:.2f} s",
        sessions_created=witness.count("created"),
        sessions_at_most=witness.live_at_most,
        wrong=sum(wrong(evidence.of(f"site/plc/T{i}"), witness, i) for i in range(5)),
    )
    assert witness.live_at_most == 1, f"{witness.live_at_most} sessions of ours at once"
    assert closest >= SOONEST_S, f"two attempts within {closest:.2f} s"
    assert row.figures["wrong"] == "0"
    assert not any("TooManySessions" in text for text in stage.why("plc"))


@pytest.mark.pain(
    "P4",
    "a server that never answers a request to connect, from the start",
    "chaos proxy",
    f"it is said within {SILENT_S:.0f} s; stop within {STOP_S:.0f} s",
)
def test_p04_silence_from_the_start(tmp_path: Path, row: Row) -> None:
    async def go() -> tuple[float, Stage]:
        async with ChaosProxy(free_port()) as proxy:
            await proxy.blackhole()
            stage = Stage(tmp_path, [opcua("plc", proxy.url)], tags_of("plc", 3))
            begun = time.time_ns()
            async with stage.running():
                told = await stage.until("plc", "down", 30)
                await asyncio.sleep(1)  # in the midst of the next attempt
            return (told - begun) / 1e9, stage

    told, stage = asyncio.run(go())
    row.measured(said_after=f"{told:.1f} s", stopped_in=f"{stage.stopping_s:.2f} s")
    assert told <= SILENT_S
    assert stage.stopping_s <= STOP_S


@pytest.fixture
def wire() -> Iterator[Wire]:
    with wired() as wire:
        yield wire


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(
            way,
            id=way,
            marks=pytest.mark.pain(
                "P4",
                f"{words} for {seconds} s",
                "node-opcua in a network namespace",
                f"Bad within {SILENT_S:.0f} s; first good value ≤ {BAR_S:.0f} s after; "
                f"stop within {STOP_S:.0f} s in the midst of it; 0 wrong",
            ),
        )
        for way, words, seconds in [
            ("lose", "packets are lost both ways", 15),
            ("unplug", "the carrier is gone", 15),
        ]
    ],
)
def test_p04_packets_lost(way: str, wire: Wire, tmp_path: Path, row: Row) -> None:
    need_node_opcua()

    async def go() -> tuple[int, int, Witness, Stage]:
        settings = {"host": wire.far}
        async with Witness(tmp_path, settings, prefix=wire.inside) as witness:
            stage = Stage(tmp_path, [opcua("plc", witness.url)], tags_of("plc", 3))
            async with stage.running():
                await stage.until("plc", "up", 30)
                await asyncio.sleep(2)
                cut = time.time_ns()
                getattr(wire, way)()
                await asyncio.sleep(15)
                back = time.time_ns()
                wire.mend()
                await asyncio.sleep(7)
                getattr(wire, way)()
                await asyncio.sleep(1)
            wire.mend()
            return cut, back, witness, stage

    cut, back, witness, stage = asyncio.run(go())
    evidence = stage.evidence()
    samples = evidence.of("site/plc/T0")
    (wait,) = seconds_to_first_good(samples, [back], [time.time_ns()])
    bad = bad_after_s(samples, cut)
    row.measured(
        bad_after=f"{bad:.1f} s",
        first_good_value=f"{wait:.1f} s",
        stopped_in=f"{stage.stopping_s:.2f} s",
        sessions_at_most=witness.live_at_most,
        wrong=wrong(samples, witness, 0),
    )
    assert bad <= SILENT_S
    assert wait <= BAR_S
    assert stage.stopping_s <= STOP_S
    assert row.figures["wrong"] == "0"
    assert witness.live_at_most == 1


@pytest.mark.pain(
    "P6",
    "four servers are off when the gateway starts, and come one after the other",
    "node-opcua",
    "health is served meanwhile; each first good value ≤ 5 s after its server; no restart",
)
def test_p06_every_source_off_at_the_start(tmp_path: Path, row: Row) -> None:
    need_node_opcua()
    names = [f"plc{i}" for i in range(4)]

    async def health(url: str) -> dict[str, Any]:
        def ask() -> Any:
            with urlopen(f"{url}/health", timeout=5) as answer:
                return json.load(answer)

        return await asyncio.to_thread(ask)

    async def go() -> tuple[dict[str, int], dict[str, Any], Stage]:
        async with AsyncExitStack() as stack:
            witnesses = {name: Witness(tmp_path / name) for name in names}
            for witness in witnesses.values():
                stack.push_async_callback(witness.kill)
            sources = [opcua(name, witness.url) for name, witness in witnesses.items()]
            tags = [tag for name in names for tag in tags_of(name, 3)]
            stage = Stage(tmp_path, sources, tags)
            async with stage.running(listen=True) as gateway:
                await asyncio.gather(*(stage.until(name, "down", 20) for name in names))
                answered = await health(gateway.url)
                back = {name: await witness.start() for name, witness in witnesses.items()}
                await asyncio.sleep(7)
        return back, answered, stage

    back, answered, stage = asyncio.run(go())
    evidence = stage.evidence()
    waits = [
        seconds_to_first_good(evidence.of(f"site/{name}/T0"), [at], [time.time_ns()])[0]
        for name, at in back.items()
    ]
    row.measured(health="answered", first_good_value=f"{max(waits):.1f} s at most")
    assert answered
    assert max(waits) <= BAR_S
