"""What is done to one server of the tests is not seen by the next one, though both are copies."""

import asyncio

from asyncua import Server, ua

BUILD = ua.NodeId(ua.ObjectIds.Server_ServerStatus_BuildInfo_ProductName)


async def told(server: Server) -> tuple[object, list[str], int]:
    children = await server.nodes.objects.get_children()
    names = [(await child.read_browse_name()).Name for child in children]
    product = await server.get_node(BUILD).read_value()
    return product, names, len(server.iserver.aspace.keys())


def test_servers_share_no_node() -> None:
    async def story() -> list[tuple[object, list[str], int]]:
        first, second = Server(), Server()
        await first.init()
        before = await told(first)
        await first.nodes.objects.add_object(ua.NodeId("X", 1), "1:X")
        await first.get_node(BUILD).write_value("changed")
        changed = await told(first)
        await second.init()
        return [before, changed, await told(second)]

    before, changed, after = asyncio.run(story())
    assert (changed[0], changed[1][-1], changed[2]) == ("changed", "X", before[2] + 1)
    assert after == before
