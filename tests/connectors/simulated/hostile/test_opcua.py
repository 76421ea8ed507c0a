"""The hostile OPC UA server keeps its manners, seen by a client that is not ours to mend."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from asyncua import Client, ua
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.simulated.hostile.opcua import SPACE, HostileOpcua, Manners

pytestmark = pytest.mark.journey
NAMES = ("A", "B", "C")
Story = Callable[[HostileOpcua], Awaitable[None]]


def play(story: Story, **manners: object) -> HostileOpcua:
    async def go() -> HostileOpcua:
        async with HostileOpcua(NAMES, Manners(**manners)) as server:  # type: ignore[arg-type]
            await story(server)
            return server

    return asyncio.run(asyncio.wait_for(go(), 60))


async def value(server: HostileOpcua, client: Client, name: str) -> ua.DataValue:
    space = await client.get_namespace_index(SPACE)
    return await client.get_node(f"ns={space};s=Line1.{name}").read_data_value()


def test_values_carry_its_time_and_are_written_down() -> None:
    async def story(server: HostileOpcua) -> None:
        before = time.time_ns()
        at = await server.put({"A": 1.5})
        assert before + 300 * 10**9 <= at <= time.time_ns() + 300 * 10**9
        async with Client(server.url) as client:
            told = await value(server, client, "A")
            assert told.Value.Value == 1.5
            assert abs(told.SourceTimestamp.timestamp() * 1e9 - at) < 1000
        assert [value for _, value in server.log.sent["A"]] == [0.0, 1.5]
        assert server.log.sent["A"][-1][0] == at

    play(story, skew_s=300.0)


def test_one_session_too_many() -> None:
    async def story(server: HostileOpcua) -> None:
        async with Client(server.url):
            with pytest.raises(UaStatusCodeError, match="sessions"):
                await Client(server.url).connect()

    server = play(story, sessions=1)
    assert [what for _, what, _ in server.log.sessions] == ["created", "refused", "closed"]
    assert server.log.live_at_most == 1


def test_one_operation_and_one_item_too_many() -> None:
    async def story(server: HostileOpcua) -> None:
        async with Client(server.url) as client:
            space = await client.get_namespace_index(SPACE)
            nodes = [client.get_node(f"ns={space};s=Line1.{name}") for name in NAMES]
            with pytest.raises(UaStatusCodeError, match="operations"):
                await client.read_values(nodes)
            subscription = await client.create_subscription(100)
            await subscription.subscribe_data_change(nodes[0], queuesize=1)
            with pytest.raises(UaStatusCodeError, match="BadTooManyMonitoredItems"):
                await subscription.subscribe_data_change(nodes[1], queuesize=1)

    play(story, operations=2, items=1)


def test_a_node_goes_and_returns_and_indices_move() -> None:
    async def story(server: HostileOpcua) -> None:
        await server.restart(missing=["B"], before=("urn:other",))
        async with Client(server.url) as client:
            assert await client.get_namespace_index(SPACE) == 3
            with pytest.raises(UaStatusCodeError, match="BadNodeIdUnknown"):
                await value(server, client, "B")
            await server.restore("B")
            assert (await value(server, client, "B")).Value.Value == 0.0
            await server.remove("C")
            with pytest.raises(UaStatusCodeError, match="BadNodeIdUnknown"):
                await value(server, client, "C")

    play(story)


def test_it_thinks_for_a_while() -> None:
    async def story(server: HostileOpcua) -> None:
        async with Client(server.url) as client:
            begun = time.monotonic()
            await client.get_namespace_array()
            assert time.monotonic() - begun >= 0.1

    play(story, delay_s=0.1)
