"""What a hostile OPC UA server can do to a source: waste its time, within bounds."""

import asyncio
import resource
import time

import pytest

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from connectors.simulated.hostile import opcua_frames as frames
from connectors.simulated.hostile.opcua_wire import MOODS, HostileWire
from plant.errors import Misconfigured, Unreachable
from plant.tags import Tag, TagHandle

pytestmark = pytest.mark.journey
PATIENCE_S = 0.6
SLACK_S = 30.0
STALL_S = 1.0
"""Processor time, s: the bar is 0.1 s of delay for other sources, but the server that floods has
its part in it here. What others take of the machine does not count."""
RSS_BYTES = 64 << 20
TAGS = [TagHandle(1, Tag(name="a/b/c", source="plc", address="nsu=urn:plant;s=c"))]


async def longest_stall(until: asyncio.Event) -> float:
    """Give the longest that the loop computed between two turns of this task, s."""
    longest = 0.0
    while not until.is_set():
        begun = time.thread_time()
        await asyncio.sleep(0.01)
        longest = max(longest, time.thread_time() - begun)
    return longest


@pytest.mark.parametrize("mood", MOODS)
def test_a_hostile_server_is_refused_within_bounds(mood: str) -> None:
    async def story() -> tuple[HostileWire, float]:
        done = asyncio.Event()
        watching = asyncio.create_task(longest_stall(done))
        async with HostileWire(mood) as server:
            config = OpcUaConfig(name="plc", url=server.url, security="none", timeout_s=PATIENCE_S)
            with pytest.raises((Unreachable, Misconfigured)):
                async with OpcUaSource(config, TAGS):
                    pass
            done.set()
            return server, await watching

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    server, stall = asyncio.run(story())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert time.monotonic() - begun < 4 * PATIENCE_S + SLACK_S
    assert stall < STALL_S
    assert grown < RSS_BYTES
    assert MOODS[mood][0] in server.ears[0].heard, "it came to what it is here for"


def test_it_speaks_well_until_then() -> None:
    async def story() -> list[int]:
        async with HostileWire("closing") as server:
            config = OpcUaConfig(name="plc", url=server.url, security="none")
            with pytest.raises(Unreachable):
                await OpcUaSource(config, TAGS).__aenter__()
            return server.ears[0].heard

    heard = asyncio.run(story())
    assert heard[:4] == [0, 446, frames.CREATE_SESSION, frames.ACTIVATE_SESSION]
    assert frames.READ in heard


def test_the_bomb_is_small() -> None:
    request = frames.Request(b"MSG", frames.READ, 1, 1)
    assert len(frames.read_answer(request, [frames.dimension_bomb()] * 20)) < 400
