"""Namespace indices that move: a tag stays with its namespace, never with its number."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncua import Server, ua

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from plant.errors import Unreachable
from plant.tags import Tag, TagHandle

pytestmark = pytest.mark.journey
LINES = {"urn:line:a": 1.0, "urn:line:b": 2.0, "urn:line:c": 3.0}
FORMS = ("s=Flow", "Line/Flow")
TAGS = [
    TagHandle(
        10 + 3 * i + j,
        Tag(name=f"{form}/{j}", source="plc", address=f"nsu={uri};{form}"),
    )
    for i, form in enumerate(FORMS)
    for j, uri in enumerate(LINES)
]
RIGHT = {10: 1.0, 11: 2.0, 12: 3.0, 13: 1.0, 14: 2.0, 15: 3.0}
NAMED = {10: 1.0, 11: 2.0, 12: 3.0}
FIRST = list(LINES)
THEN = ["urn:line:c", "urn:line:a", "urn:line:b"]


def node_id(index: int) -> ua.NodeId:
    return ua.StringNodeId(ua.String("Flow"), ua.Int16(index))


@asynccontextmanager
async def served(port: int, order: Sequence[str]) -> AsyncIterator[Server]:
    """A server with the same nodes in each namespace, under indices that go by `order`."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/line")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for uri in order:
        index = await server.register_namespace(uri)
        line = await server.nodes.objects.add_object(index, "Line")
        await line.add_variable(node_id(index), f"{index}:Flow", LINES.get(uri, 99.0))
    async with server:
        yield server


async def values(source: OpcUaSource, of: int = 6) -> dict[int, float]:
    """Read until so many tags have a value; every value that came must be of one tag only."""
    seen: dict[int, float] = {}
    async with asyncio.timeout(60):
        while len(seen) < of:
            batch = await source.read()
            await source.acknowledge(batch)
            seen |= dict(zip(batch.tag.tolist(), batch.value.tolist(), strict=True))
    return seen


def config_of(port: int) -> OpcUaConfig:
    url = f"opc.tcp://127.0.0.1:{port}/line"
    return OpcUaConfig(name="plc", url=url, security="none", publishing_ms=50)


def test_a_restart_with_other_indices_swaps_nothing(unused_port: int) -> None:
    async def story() -> None:
        tickets: list[Any] = []
        for order in (FIRST, ["urn:new", *THEN]):
            async with served(unused_port, order):
                source = OpcUaSource(config_of(unused_port), TAGS)
                for ticket in tickets:
                    source.resume(ticket)
                await source.__aenter__()
                tickets.append(source.ticket())
                assert await values(source) == RIGHT
                assert source.refused == ()
            with pytest.raises(Unreachable):
                await values(source, of=7)
            await source.__aexit__(Unreachable, Unreachable(""), None)

    asyncio.run(story())


def test_a_session_that_outlives_its_indices_is_not_believed(unused_port: int) -> None:
    """The server keeps session and subscription while its namespaces change places."""

    async def story() -> None:
        async with served(unused_port, FIRST) as server:
            first = OpcUaSource(config_of(unused_port), TAGS[:3])
            await first.__aenter__()
            assert await values(first, of=3) == NAMED
            ticket = first.ticket()
            assert ticket
            await first.__aexit__(Unreachable, Unreachable(""), None)

            array = server.get_node(ua.ObjectIds.Server_NamespaceArray)
            uris = await array.read_value()
            await array.write_value([*uris[:-3], *THEN])
            await asyncio.gather(
                *(
                    server.get_node(node_id(len(uris) - 3 + i)).write_value(LINES[uri])
                    for i, uri in enumerate(THEN)
                )
            )
            second = OpcUaSource(config_of(unused_port), TAGS[:3])
            second.resume(ticket)
            async with second:
                assert await values(second, of=3) == NAMED

    asyncio.run(story())
