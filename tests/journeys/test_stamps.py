"""A value that changed days ago is known at once, and known again after a loss (real sockets)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Server, ua

from connectors.opcua.config import OpcUaConfig
from gateway.config.plan import DetectionPlan, Plan
from gateway.journal import Journal, SampleRecord
from gateway.pipeline import Pipeline
from gateway.runtime import Gateway
from plant.assets import asset_of
from plant.quality import is_good
from plant.tags import Role, Tag, ValueType
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(120)]
URI = "urn:old-stamps"
MODE = 3
TAGS = (
    Tag(name="a/p/flow", source="plc", address=f"nsu={URI};s=flow", type=ValueType.FLOAT64),
    Tag(
        name="a/p/mode",
        source="plc",
        address=f"nsu={URI};s=mode",
        type=ValueType.INT16,
        role=Role.MODE,
    ),
)


@asynccontextmanager
async def served(port: int) -> AsyncIterator[None]:
    """Serve a flow that changes all the time and a mode that was set three days ago."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(URI)
    root = server.nodes.objects
    flow = await root.add_variable(ua.NodeId("flow", index), "flow", 1.0)
    mode = await root.add_variable(ua.NodeId("mode", index), "mode", MODE, ua.VariantType.Int16)
    then = datetime.now(UTC) - timedelta(days=3)
    await mode.write_value(ua.DataValue(ua.Variant(MODE, ua.VariantType.Int16),
                                        SourceTimestamp=then))  # fmt: skip

    async def flows() -> None:
        for number in range(100_000):
            await flow.write_value(1.0 + number % 7)
            await asyncio.sleep(0.1)

    async with server:
        flowing = asyncio.create_task(flows())
        try:
            yield
        finally:
            flowing.cancel()
            await asyncio.gather(flowing, return_exceptions=True)


def plain(_name: str, call: Callable[[], Any]) -> Any:
    return call()


def test_a_mode_set_days_ago_is_known_at_once_and_after_a_loss(tmp_path: Path) -> None:
    port = free_port()
    source = OpcUaConfig(name="plc", url=f"opc.tcp://127.0.0.1:{port}", security="none")
    plan = Plan(
        name="t",
        data=tmp_path,
        sources=(source,),
        tags=TAGS,
        assets=(asset_of("a/p", TAGS),),
        detection=DetectionPlan(grid_s=0.2, learn_s=60),
    )

    async def story() -> None:
        changed: asyncio.Queue[str] = asyncio.Queue()

        def hear(kind: str, row: dict[str, Any]) -> None:
            if kind == "source":
                changed.put_nowait(row["state"])

        async def until(state: str) -> None:
            while await changed.get() != state:
                pass

        stop = asyncio.Event()
        running = asyncio.create_task(Gateway(plan, on_event=hear, listen=False).run(stop))
        for _ in range(2):
            async with served(port):
                await until("up")
                await asyncio.sleep(1.5)
            await until("down")
        stop.set()
        await running

    asyncio.run(story())
    journal = Journal.open(tmp_path / "journal.db")
    handles = journal.register(TAGS, 0)
    pipeline = Pipeline(plan, handles, plain)
    (watched,) = pipeline.assets
    modes: list[int] = []
    for position, entry in journal.read():
        pipeline.replay([(position, entry)])
        live = isinstance(entry, SampleRecord) and is_good(entry.batch.status).any()
        modes += [watched.mode_now] if live else []
    journal.close()
    rows = pipeline.assets[0].watch.progress * watched.watch.settings.learn_rows
    assert rows < 100, "no rows of the three days before"
    assert modes[-1] == MODE, "known again after the loss"
