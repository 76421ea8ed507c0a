"""An asyncua server that says what it does: ``witness.py '{"port": 4840, "tags": 3}'``.

As its namesake of node-opcua: tag Ti has the value 1000 n + i from n * period on, which is its
source time to the millisecond. Every tick goes to the output, one JSON a line; it ends with its
input.
"""

import asyncio
import gc
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from asyncua import Server, ua

SPACE = "urn:plant:line"


def tell(row: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def sample(n: int, index: int, period_ms: int) -> ua.DataValue:
    """Give what tag `index` shows from tick `n` on."""
    at = datetime.fromtimestamp(n * period_ms / 1000, UTC)
    value = ua.Variant(1000.0 * n + index, ua.VariantType.Double)
    return ua.DataValue(value, SourceTimestamp=at, ServerTimestamp=at)


async def serve(settings: dict[str, Any]) -> None:
    """Serve until cancelled."""
    server = Server()
    gc.disable()  # to look for garbage among thousands of nodes takes as long as to build them
    await server.init()
    gc.enable()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{settings['port']}/UA/plc")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await server.register_namespace(SPACE)
    line = await server.nodes.objects.add_object(ua.NodeId("Line1", space), f"{space}:Line1")
    period = settings["period"]
    n = int(time.time() * 1000) // period
    nodes = []
    for index in range(settings["tags"]):
        node = ua.NodeId(f"Line1.T{index}", space)
        nodes.append(await line.add_variable(node, f"{space}:T{index}", 0.0))
        await server.write_attribute_value(node, sample(n, index, period))
    async with server:
        if settings["history"]:
            for node in nodes:
                await server.historize_node_data_change(node, period=None, count=10_000)
        tell({"up": settings["port"]})
        while True:
            n = max(n + 1, int(time.time() * 1000) // period)
            await asyncio.sleep(max(0.0, n * period / 1000 - time.time()))
            for index, node in enumerate(nodes):
                await server.write_attribute_value(node.nodeid, sample(n, index, period))
            tell({"n": n})


async def until_told(settings: dict[str, Any]) -> None:
    """Serve until the input ends."""
    serving = asyncio.create_task(serve(settings))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(until_told(json.loads(sys.argv[1])))
