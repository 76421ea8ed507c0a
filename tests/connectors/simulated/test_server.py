"""The line over real sockets: the same values, with their time, from a process that ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from asyncua import Client, ua
from numpy.typing import NDArray
from pymodbus.client import AsyncModbusTcpClient

from connectors.modbus.address import address_of
from connectors.modbus.registers import Decoder
from connectors.simulated.line import PERIOD, SimulatedLine
from connectors.simulated.modbus_server import ModbusServer
from connectors.simulated.opcua_server import OpcuaServer
from connectors.simulated.ports import HOST, Ports
from connectors.simulated.server import serve
from connectors.simulated.signals import MODBUS, NAMESPACE, OPCUA
from plant.errors import Misconfigured
from plant.tags import Tag

pytestmark = pytest.mark.journey
HOURS = 3600


@dataclass(frozen=True)
class Recording:
    """A recording of one column, the same value in every row."""

    value: float = 1.5
    length: int = 1 << 40
    address: str = "nsu=urn:recording;rig 1/Flow Rate"
    start: int = 0
    period: int = PERIOD

    @property
    def tags(self) -> tuple[Tag, ...]:
        return (Tag(name="r/x", source=OPCUA, address=self.address),)

    def values(self, first: int, count: int) -> NDArray[np.float64]:
        return np.full((max(0, min(count, self.length - first)), 1), self.value)


def now_row(start: int) -> int:
    return (time.time_ns() - start) // PERIOD


@asynccontextmanager
async def served(
    feed: SimulatedLine | Recording, opcua_port: int = 0, modbus_port: int = 0
) -> AsyncIterator[Ports]:
    ready: asyncio.Future[Ports] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(feed, opcua_port=opcua_port, modbus_port=modbus_port, ready=ready.set_result)
    )
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield ready.result() if ready.done() else await_failure(task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def await_failure(task: "asyncio.Task[None]") -> Ports:
    task.result()
    raise AssertionError("the servers ended without a word")


async def read_opcua(port: int, tags: Sequence[Tag]) -> list[ua.DataValue]:
    async with Client(f"opc.tcp://{HOST}:{port}/") as client:
        space = await client.get_namespace_index(NAMESPACE)
        nodes = [
            await client.nodes.objects.get_child(
                [f"{space}:{name}" for name in tag.address.partition(";")[2].split("/")]
            )
            for tag in tags
        ]
        return await client.read_attributes(nodes, ua.AttributeIds.Value)


async def read_modbus(port: int, tags: Sequence[Tag]) -> list[float]:
    client = AsyncModbusTcpClient(HOST, port=port)
    assert await client.connect()
    holding = (await client.read_holding_registers(0, count=24, device_id=1)).registers
    inputs = (await client.read_input_registers(0, count=5, device_id=1)).registers
    bits = (await client.read_discrete_inputs(0, count=1, device_id=1)).bits
    client.close()
    payload = {
        "holding": np.array(holding, ">u2").tobytes(),
        "input": np.array(inputs, ">u2").tobytes(),
        "discrete": bytes([bits[0]]),
    }
    addresses = [address_of(tag) for tag in tags]
    return [
        float(Decoder([address], 0).decode(payload[address.table.value])[0][0])
        for address in addresses
    ]


def test_opcua_shows_the_present_row_with_its_time() -> None:
    start = (time.time_ns() // PERIOD - HOURS) * PERIOD
    line = SimulatedLine(5, start=start)
    tags = [tag for tag in line.tags if tag.source == OPCUA]

    async def read() -> list[ua.DataValue]:
        async with served(line) as ports:
            assert ports.opcua
            return await read_opcua(ports.opcua, tags)

    got = asyncio.run(read())
    columns = [line.tags.index(tag) for tag in tags]
    for tag, column, value in zip(tags, columns, got, strict=True):
        assert value.SourceTimestamp
        assert value.StatusCode is None or value.StatusCode.is_good()
        row = round(value.SourceTimestamp.timestamp()) - start // PERIOD
        assert 0 <= now_row(start) - row <= 60
        assert value.Value
        told = float(value.Value.Value) * tag.scale + tag.offset
        assert told == line.values(row, 1)[0, column], tag.name


def test_modbus_shows_the_present_row() -> None:
    start = (time.time_ns() // PERIOD - HOURS) * PERIOD
    line = SimulatedLine(5, start=start)
    tags = [tag for tag in line.tags if tag.source == MODBUS]

    async def read() -> tuple[int, list[float], int]:
        async with served(line) as ports:
            assert ports.modbus
            before = now_row(start)
            return before, await read_modbus(ports.modbus, tags), now_row(start)

    before, raw, after = asyncio.run(read())
    scaled = [value * tag.scale + tag.offset for value, tag in zip(raw, tags, strict=True)]
    columns = [line.tags.index(tag) for tag in tags]
    rows = line.values(before - 60, after - before + 61)[:, columns]
    assert scaled in rows.tolist()


def test_rows_appear_as_their_time_comes() -> None:
    start = time.time_ns() // PERIOD * PERIOD
    line = SimulatedLine(5, start=start)

    class Listener:
        def __init__(self) -> None:
            self.times: asyncio.Queue[float] = asyncio.Queue()

        def datachange_notification(self, node: object, value: object, data: object) -> None:
            moment = data.monitored_item.Value.SourceTimestamp  # type: ignore[attr-defined]
            self.times.put_nowait(moment.timestamp())

    async def listen() -> list[float]:
        listener = Listener()
        async with (
            served(line) as ports,
            Client(f"opc.tcp://{HOST}:{ports.opcua}/") as client,
        ):
            space = await client.get_namespace_index(NAMESPACE)
            node = await client.nodes.objects.get_child([f"{space}:pump-1", f"{space}:flow"])
            subscription = await client.create_subscription(100, listener)
            await subscription.subscribe_data_change(node, queuesize=10)
            async with asyncio.timeout(60):
                return [await listener.times.get() for _ in range(3)]

    times = asyncio.run(listen())
    gaps = np.diff(times)
    assert (gaps >= 1.0).all(), "each row once, in order"
    assert (np.mod(times, 1.0) == 0).all(), "rows lie on whole seconds, as the line's start does"


@pytest.mark.parametrize("function", ["write_register", "write_coil"])
def test_modbus_clients_cannot_write(function: str) -> None:
    tags = [Tag(name="r/x", source=MODBUS, address="unit 1, holding 0, int16")]

    async def attempt() -> tuple[int, list[int]]:
        async with ModbusServer(tags, 0) as server:
            server.put(np.array([-7.0]))
            client = AsyncModbusTcpClient(HOST, port=server.port)
            assert await client.connect()
            answer = await getattr(client, function)(0, 1, device_id=1)
            kept = await client.read_holding_registers(0, device_id=1)
            client.close()
            return int(answer.exception_code), kept.registers

    assert asyncio.run(attempt()) == (1, [0xFFF9])


def test_opcua_clients_cannot_write() -> None:
    line = SimulatedLine(5, start=time.time_ns() // PERIOD * PERIOD)

    async def attempt() -> None:
        async with served(line) as ports, Client(f"opc.tcp://{HOST}:{ports.opcua}/") as client:
            space = await client.get_namespace_index(NAMESPACE)
            node = client.get_node(f"ns={space};s=pump-1/flow")
            with pytest.raises(ua.UaStatusCodeError, match=r"BadNotWritable|BadUserAccessDenied"):
                await node.write_value(1.0)

    asyncio.run(attempt())


@pytest.fixture
def taken() -> Iterator[list[int]]:
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as other:
        yield [one.getsockname()[1], other.getsockname()[1]]


def test_taken_ports_give_way_and_the_used_ones_are_told(taken: list[int]) -> None:
    line = SimulatedLine(5, start=time.time_ns() // PERIOD * PERIOD)
    tags = [tag for tag in line.tags if tag.signal == "mode"]

    async def read() -> Ports:
        async with served(line, *taken) as ports:
            assert ports.opcua
            assert ports.modbus
            await read_opcua(ports.opcua, tags[:1])
            await read_modbus(ports.modbus, tags[2:])
            return ports

    ports = asyncio.run(read())
    assert ports.opcua
    assert ports.modbus
    assert ports.opcua > taken[0]
    assert ports.modbus > taken[1]


def test_opcua_status_follows_the_gaps_of_a_column() -> None:
    tags = [
        Tag(name=f"r/{name}", source=OPCUA, address=f"nsu=urn:recording;rig 1/{name}")
        for name in ("Flow Rate", "Volume")
    ]

    async def read(port: int) -> list[tuple[int, float | None]]:
        async with Client(f"opc.tcp://{HOST}:{port}/") as client:
            space = await client.get_namespace_index("urn:recording")
            nodes = [client.get_node(f"ns={space};s=rig 1/{tag.signal}") for tag in tags]
            values = await client.read_attributes(nodes, ua.AttributeIds.Value)
            return [
                (one.StatusCode.value if one.StatusCode else 0, one.Value and one.Value.Value)
                for one in values
            ]

    async def story() -> list[list[tuple[int, float | None]]]:
        async with OpcuaServer(tags, 0) as server:
            told = [await read(server.port)]
            for row in ([1.5, np.nan], [np.nan, 2.5]):
                await server.put(np.array(row), PERIOD)
                told.append(await read(server.port))
            return told

    waiting, bad = ua.StatusCodes.BadWaitingForInitialData, ua.StatusCodes.Bad
    before, first, second = asyncio.run(story())
    assert before == [(waiting, None), (waiting, None)]
    assert first == [(0, 1.5), (bad, None)]
    assert second == [(bad, None), (0, 2.5)]


def test_servers_stay_when_a_recording_has_ended() -> None:
    async def connect() -> Ports:
        async with (
            served(Recording(length=3)) as ports,
            Client(f"opc.tcp://{HOST}:{ports.opcua}/") as client,
        ):
            assert await client.get_namespace_index("urn:recording")
            return ports

    assert asyncio.run(connect()).modbus is None


def test_an_address_that_cannot_be_offered_is_refused() -> None:
    feed = Recording(address="ns=2;i=5")

    async def start() -> None:
        async with served(feed):
            pass

    with pytest.raises(Misconfigured, match="tag r/x: the loopback OPC UA server cannot offer"):
        asyncio.run(start())


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    words = ["--start", str(time.time_ns()), "--opcua-port", "0", "--modbus-port", "0"]
    child = subprocess.Popen(
        [sys.executable, "-m", "connectors.simulated", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        yield child
        child.kill()


def ports_of(process: subprocess.Popen[str]) -> Ports:
    assert process.stdout
    return Ports(**json.loads(process.stdout.readline()))


def test_the_process_ends_with_its_parents_pipe(process: subprocess.Popen[str]) -> None:
    ports = ports_of(process)
    assert process.stdin
    socket.create_connection((HOST, ports.modbus or 0)).close()
    process.stdin.close()
    assert process.wait(60) == 0


def test_the_process_leaves_ctrl_c_to_its_parent_and_ends_on_sigterm(
    process: subprocess.Popen[str],
) -> None:
    ports = ports_of(process)
    process.send_signal(signal.SIGINT)
    socket.create_connection((HOST, ports.modbus or 0)).close()
    assert process.poll() is None
    process.terminate()
    assert process.wait(60) == 0


def test_the_process_dies_with_a_killed_parent() -> None:
    script = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-m', 'connectors.simulated', '--start',"
        " str(time.time_ns()), '--opcua-port', '0', '--modbus-port', '0'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
        "sys.stdout.write(child.stdout.readline().decode());"
        "print(child.pid, flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        watch = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()

    async def gone() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(watch, ended.set)
        await asyncio.wait_for(ended.wait(), 60)

    try:
        asyncio.run(gone())
    finally:
        os.close(watch)
