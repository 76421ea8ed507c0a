"""A source may be off at the start, or go away: the gateway stays up, says so, and heals."""

import asyncio
import json
import time
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from gateway.config.loader import load
from gateway.runtime import Gateway
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(120)]
BOUND_S, SHARED = 5.0, 3.0
"""First good value after the source returned, on a machine of its own, and how much longer a shared
one may take."""


class Watched:
    """A gateway in this process, whose page is asked over its socket."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def line(self) -> Any:
        def ask() -> Any:
            with urlopen(f"{self.gateway.url}/api/line", timeout=60) as answer:
                return json.load(answer)

        return await asyncio.to_thread(ask)

    async def until(self, connected: bool, good: float) -> Any:
        """Ask until every source is as wanted."""
        while True:
            line = await self.line()
            sources = line["sources"]
            if all(s["connected"] is connected and s["good_ratio"] == good for s in sources):
                return line
            await asyncio.sleep(0.05)


def test_off_at_start_lost_and_back_without_a_restart(
    plant: Any, serve: Any, tmp_path: Path
) -> None:
    ports = {"opcua": free_port(), "modbus": free_port()}
    config = plant.__class__(plant.line, ports).configure(tmp_path)
    events: list[tuple[str, str, str]] = []

    def tell(kind: str, row: dict[str, Any]) -> None:
        events.extend([(row["name"], row["state"], row["why"])] if kind == "source" else [])

    async def go() -> None:
        stop = asyncio.Event()
        gateway = Gateway(load(config), on_event=tell)
        running = asyncio.create_task(gateway.run(stop))
        watched = Watched(gateway)
        while not gateway.url:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(watched.until(connected=False, good=0.0), 60)
        for _ in range(2):
            start = str((time.time_ns() // 10**9 - 60) * 10**9)
            with serve("--seed", "11", "--fault", "none", "--start", start, **ports):
                back = time.monotonic()
                await asyncio.wait_for(watched.until(connected=True, good=1.0), 60)
                assert time.monotonic() - back <= SHARED * BOUND_S
            line = await asyncio.wait_for(watched.until(connected=False, good=0.0), 60)
            assert {asset["health_name"] for asset in line["assets"]} == {"CANNOT_JUDGE"}
            present = {(row["unread"], row["mode"], row["score"]) for row in line["assets"]}
            assert present == {(True, None, None)}
        stop.set()
        await asyncio.wait_for(running, 60)

    asyncio.run(go())
    told = [state for name, state, _ in events if name == "line-opcua"]
    states = [state for state, _ in groupby(told)]
    assert states[:4] == ["down", "up", "down", "up"]
    assert "127.0.0.1" in events[0][2], "it says what does not answer"
