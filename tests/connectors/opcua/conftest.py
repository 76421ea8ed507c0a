"""Two servers to read from: node-opcua in a process of its own, and asyncua's in this one."""

import asyncio
import signal
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from asyncua import Server, ua
from asyncua.common.node import Node

from connectors.opcua.config import OpcUaConfig
from plant.tags import Tag, TagHandle
from tests.lacking import NODE_OPCUA, need_node_opcua
from tests.ports import free_port

SPACE = "urn:plant:line"
Answer = TypeVar("Answer")


@dataclass
class Plc:
    """A node-opcua server at one port, with one PKI folder, over any number of starts."""

    port: int
    pki: Path
    words: tuple[str, ...]
    process: subprocess.Popen[str] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/UA/plc"

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["node", "plc.js", str(self.port), str(self.pki), *self.words],
            cwd=NODE_OPCUA,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout
        assert any(line.startswith("UP") for line in self.process.stdout)

    def say(self, line: str) -> None:
        """Tell it to change its nodes, and wait until it has."""
        assert self.process
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert any(answer.startswith("DONE") for answer in self.process.stdout)

    def freeze(self) -> None:
        """Stop it where it stands: its connections stay, nothing moves."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it move again."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it: no goodbye to its clients."""
        assert self.process
        assert self.process.stdin
        assert self.process.stdout
        self.process.kill()
        self.process.wait(timeout=60)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def node_opcua() -> None:
    need_node_opcua()


@pytest.fixture(scope="module")
def start_plc(
    node_opcua: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Plc]]:
    """Start a PLC; the word ``strict`` makes it refuse unknown client certificates."""
    started: list[Plc] = []

    def start(*words: str) -> Plc:
        plc = Plc(free_port(), tmp_path_factory.mktemp("plc") / "pki", words)
        plc.start()
        started.append(plc)
        return plc

    yield start
    for plc in started:
        plc.stop()


@pytest.fixture(scope="module")
def plc(start_plc: Callable[..., Plc]) -> Plc:
    return start_plc()


def make_tags(addresses: Sequence[str], **more: object) -> list[TagHandle]:
    """Tags with handles from 10, named after the last part of their address."""
    return [
        TagHandle(
            10 + i,
            Tag(
                name=f"site/line/{address.rpartition('/')[2].rpartition('=')[2]}",
                source="plc",
                address=f"nsu={SPACE};{address}",
                **more,  # type: ignore[arg-type]
            ),
        )
        for i, address in enumerate(addresses)
    ]


@pytest.fixture
def tags_of() -> Callable[..., list[TagHandle]]:
    return make_tags


@dataclass
class Line:
    """asyncua's server in a thread of its own, with variables below Objects/Line1."""

    server: Server
    url: str
    nodes: dict[str, Node]
    loop: asyncio.AbstractEventLoop

    def config(self, **more: object) -> OpcUaConfig:
        settings = {"name": "plc", "url": self.url, "security": "none", "publishing_ms": 50.0}
        return OpcUaConfig.model_validate({**settings, **more})

    async def set(self, name: str, value: float) -> None:
        await self.put(name, ua.DataValue(ua.Variant(value, ua.VariantType.Double)))

    async def set_in_one_go(self, names: Sequence[str], values: Sequence[float]) -> None:
        """Set variables to one value after the other before the server does anything else."""
        begin = datetime.now(UTC)

        async def all_of_them() -> None:
            for step, value in enumerate(values):
                at = begin + timedelta(milliseconds=step)
                told = ua.DataValue(ua.Variant(value), SourceTimestamp=at, ServerTimestamp=at)
                for name in names:
                    await self.server.write_attribute_value(self.nodes[name].nodeid, told)

        await self._there(all_of_them())

    async def put(self, name: str, value: ua.DataValue) -> None:
        node = self.nodes[name].nodeid
        await self._there(self.server.write_attribute_value(node, value))

    async def kept(self) -> list[int]:
        """Sequence numbers that the one subscription would republish."""

        async def look() -> list[int]:
            (one,) = self.server.iserver.subscription_service.subscriptions.values()
            return list(one._not_acknowledged_results)

        return await self._there(look())

    async def _there(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))


T = ua.VariantType
VARIABLES = {
    "Flow": ua.Variant(1.5, T.Double),
    "Level": ua.Variant(0.0, T.Double),
    "Count": ua.Variant(7, T.UInt32),
    "Running": ua.Variant(True, T.Boolean),
    "Recipe": ua.Variant("none", T.String),
    "Serial": ua.Variant(2**63 + 1, T.UInt64),
    **{f"T{i}": ua.Variant(float(i), T.Double) for i in range(25)},
}


async def _served() -> tuple[Server, str, dict[str, Node]]:
    server = Server()
    await server.init()
    url = f"opc.tcp://127.0.0.1:{free_port()}/line"
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(SPACE)
    objects = server.nodes.objects
    folder = await objects.add_object(ua.StringNodeId("Line1", index), f"{index}:Line1")
    nodes = {
        name: await folder.add_variable(
            ua.StringNodeId(f"Line1.{name}", index), f"{index}:{name}", value
        )
        for name, value in VARIABLES.items()
    }
    await server.start()
    return server, url, nodes


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="asyncua server")
    thread.start()
    served = asyncio.run_coroutine_threadsafe(_served(), loop).result(90)
    yield Line(*served, loop)
    asyncio.run_coroutine_threadsafe(served[0].stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()
