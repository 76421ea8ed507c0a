"""One OPC UA consumer in a process of its own: what it takes to have each notification in hand.

``columns`` is our source as the gateway uses it, acknowledgements included; ``handler`` and
``iterator`` are the two ways that asyncua offers. Prints one JSON line.

    python -m bench.consumers columns --port 4840 --tags 1000 --period-ms 200
"""

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncua.client.client import Client

from bench.loads.opcua_load import NAMESPACE
from bench.meter import PAGE
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from plant.tags import Tag, TagHandle

QUEUED = 1_000_000
"""Events that the iterator may hold; its own default drops what a large plant sends at once."""
PER_CALL = 500


@dataclass(slots=True)
class Asked:
    """What to measure: port and size of the load, period, and the seconds before and of it."""

    port: int
    tags: int
    period_ms: float
    warm_s: float
    measure_s: float
    trust: Path | None = None
    samples: int = 0

    @property
    def url(self) -> str:
        """Where the load listens."""
        return f"opc.tcp://127.0.0.1:{self.port}"


def resident() -> int:
    """Give the resident memory of this process, bytes."""
    return PAGE * int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


async def columns(asked: Asked, ready: Callable[[], Awaitable[bool]]) -> None:
    """Read our source."""
    secured = asked.trust is not None
    config = OpcUaConfig(
        name="load",
        url=asked.url,
        trust=asked.trust,
        security="Basic256Sha256" if secured else "none",
        publishing_ms=asked.period_ms,
    )
    tags = [
        TagHandle(
            number,
            Tag(
                name=f"bench/T{number:05d}",
                source="load",
                address=f"nsu={NAMESPACE};s=T{number:05d}",
            ),
        )
        for number in range(asked.tags)
    ]
    async with OpcUaSource(config, tags) as source:
        while await ready():
            batch = await source.read()
            asked.samples += len(batch)
            await source.acknowledge(batch)


class Counting:
    """asyncua's callback that does nothing but count."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def datachange_notification(self, _node: Any, _value: Any, _data: Any) -> None:
        """Count one."""
        self._asked.samples += 1


async def _monitor(client: Client, subscription: Any, tags: int) -> None:
    index = await client.get_namespace_index(NAMESPACE)
    nodes = [client.get_node(f"ns={index};s=T{number:05d}") for number in range(tags)]
    for first in range(0, tags, PER_CALL):
        await subscription.subscribe_data_change(nodes[first : first + PER_CALL], queuesize=10)


async def handler(asked: Asked, ready: Callable[[], Awaitable[bool]]) -> None:
    """Take values by asyncua's handler."""
    async with Client(asked.url) as client:
        subscription = await client.create_subscription(asked.period_ms, Counting(asked))
        await _monitor(client, subscription, asked.tags)
        while await ready():
            await client.check_connection()
            await asyncio.sleep(0.1)


async def iterator(asked: Asked, ready: Callable[[], Awaitable[bool]]) -> None:
    """Take values by asyncua's ``async for``."""
    async with Client(asked.url) as client:
        subscription = await client.create_subscription(asked.period_ms, queue_maxsize=QUEUED)
        await _monitor(client, subscription, asked.tags)
        async for _event in subscription:
            asked.samples += 1
            if not asked.samples % asked.tags and not await ready():
                return


CONSUMERS = {"columns": columns, "handler": handler, "iterator": iterator}


@dataclass(slots=True)
class Stopwatch:
    """Waits until the load runs evenly, then measures for a while."""

    asked: Asked
    base: int
    begun: float = 0.0
    cpu_s: float = 0.0
    samples: int = 0
    rss: int = 0

    async def __call__(self) -> bool:
        """Tell whether to go on."""
        now = time.monotonic()
        if not self.begun:
            self.begun = now + self.asked.warm_s
        if now < self.begun:
            self.cpu_s, self.samples = time.process_time(), self.asked.samples
            self.rss = resident()
        return now < self.begun + self.asked.measure_s

    def report(self) -> dict[str, float]:
        """Give the figures."""
        samples = self.asked.samples - self.samples
        cpu_s = time.process_time() - self.cpu_s
        return {
            "samples": samples,
            "us_per_sample": round(1e6 * cpu_s / max(samples, 1), 3),
            "kb_per_item": round((self.rss - self.base) / 1024 / self.asked.tags, 2),
            "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }


def main() -> None:
    """Run one consumer."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("consumer", choices=CONSUMERS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tags", type=int, required=True)
    parser.add_argument("--period-ms", type=float, required=True)
    parser.add_argument("--warm-s", type=float, default=4.0)
    parser.add_argument("--measure-s", type=float, default=8.0)
    parser.add_argument("--trust", type=Path)
    given = parser.parse_args()
    asked = Asked(
        given.port, given.tags, given.period_ms, given.warm_s, given.measure_s, given.trust
    )
    stopwatch = Stopwatch(asked, resident())
    asyncio.run(CONSUMERS[given.consumer](asked, stopwatch))
    print(json.dumps(stopwatch.report()))


if __name__ == "__main__":
    main()
