"""How long after the data of a part's end its verdict stands, over real sockets.

The press of the simulated line, hurried, is served over Modbus by a process of its own; a gateway
in this one reads it, and a browser's stream of events hangs on its console. Printed as JSON:
milliseconds from the source time of the cycle's end to the event of the gateway, and to the frame
that shows it in the console.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.machine import machine
from connectors.modbus.config import ModbusConfig
from connectors.simulated.line import SimulatedLine
from connectors.simulated.signals import MODBUS, MODES
from gateway.config.plan import ConsolePlan, CyclePlan, DetectionPlan, Plan
from gateway.runtime import Gateway
from plant.assets import asset_of

PACE = 20
SCAN_MS = 25


@dataclass
class Delays:
    """When the verdict on each part was told, and shown, ms after its cycle's end."""

    told: dict[int, float] = field(default_factory=dict)
    shown: dict[int, float] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)

    def hear(self, kind: str, row: dict[str, Any]) -> None:
        """Take an event of the gateway."""
        if kind == "part":
            self.told[row["id"]] = time.time() * 1000 - row["stop"]
            self.verdicts.append(row["verdict"])

    def see(self, line: dict[str, Any]) -> None:
        """Take a frame of the console."""
        for asset in line["assets"]:
            last = asset["parts"] and asset["parts"]["last"]
            if last:
                self.shown.setdefault(last["id"], time.time() * 1000 - last["stop"])


@contextmanager
def served(seed: int, pace: int) -> Iterator[int]:
    """Serve the line in a process of its own; give the port of its Modbus server."""
    start = time.time_ns()
    story = ["--seed", str(seed), "--fault", "none", "--start", str(start), "--pace", str(pace)]
    ports = ["--opcua-port", "0", "--modbus-port", "0", "--defect-every", "10"]
    process = subprocess.Popen(
        [sys.executable, "-m", "connectors.simulated", *story, *ports],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield int(json.loads(process.stdout.readline())["modbus"])
    finally:
        process.kill()
        process.wait(timeout=10)
        process.stdin.close()
        process.stdout.close()


def plan_of(seed: int, port: int, data: Path) -> Plan:
    """Plan a gateway that reads the press."""
    line = SimulatedLine(seed, fault="none", start=0)
    tags = tuple(tag for tag in line.tags if tag.source == MODBUS)
    asset = asset_of(tags[0].asset, tags, MODES)
    return Plan(
        name="parts",
        data=data,
        console=ConsolePlan(port=0),
        sources=(ModbusConfig(name=MODBUS, host="127.0.0.1", port=port, scan_ms=SCAN_MS),),
        tags=tags,
        assets=(asset,),
        detection=DetectionPlan(learn_s=120),
        cycles={asset.path: CyclePlan(learn=20, longest_s=10)},
    )


async def watch(url: str, delays: Delays) -> None:
    """Hang on the console's stream of events, as a browser does."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 22)
    try:
        writer.write(f"GET /events HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        while True:
            text = (await reader.readline()).decode()
            if text.startswith("data: "):
                delays.see(json.loads(text.removeprefix("data: ")))
    finally:
        writer.close()


async def nothing(_url: str, _delays: Delays) -> None:
    """Do nothing beside."""


async def measured(
    plan: Plan, seconds: float, beside: Callable[[str, Delays], Awaitable[None]] = nothing
) -> Delays:
    """Run the gateway for a while, and something beside it."""
    delays, stop, listening = Delays(), asyncio.Event(), asyncio.Event()

    def hear(kind: str, row: dict[str, Any]) -> None:
        delays.hear(kind, row)
        if kind == "console":
            listening.set()

    gateway = Gateway(plan, on_event=hear)
    running = asyncio.create_task(gateway.run(stop))
    await listening.wait()
    watching = asyncio.create_task(watch(gateway.url, delays))
    await asyncio.gather(asyncio.sleep(seconds), beside(gateway.url, delays))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    stop.set()
    await running
    return delays


def figures(delays: Delays) -> dict[str, Any]:
    """Give median, 99th percentile and most of both, ms."""
    found: dict[str, Any] = {"parts": len(delays.told)}
    for name, each in (("told", delays.told), ("shown", delays.shown)):
        values = list(each.values())
        found[f"{name}_ms"] = {
            "median": round(float(np.median(values)), 2),
            "p99": round(float(np.quantile(values, 0.99)), 2),
            "most": round(max(values), 2),
        }
    kinds = sorted(set(delays.verdicts))
    return found | {"verdicts": {kind: delays.verdicts.count(kind) for kind in kinds}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.parts", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120.0)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(wish.seed, PACE) as port:
        delays = asyncio.run(measured(plan_of(wish.seed, port, Path(folder)), wish.seconds))
    report = {"pace": PACE, "scan_ms": SCAN_MS, **figures(delays), "machine": machine()}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
