"""A device that answers what the test wants it to answer, and real ones on other lines than TCP."""

import asyncio
import os
import re
import shutil
import signal
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pymodbus.framer import FramerRTU

from connectors.checks import SourceUnderTest
from connectors.contract import Source
from connectors.modbus.config import ModbusConfig
from connectors.modbus.source import ModbusSource
from plant.tags import Tag, TagHandle
from tests.lacking import lacking

JS = Path(__file__).parents[2] / "parts" / "modbus-js"
MISSING_JS = "modbus-js — install with: npm ci --prefix tests/parts/modbus-js"
MISSING_SOCAT = "socat — install with: apt-get install -y socat"


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    transaction: int
    unit: int
    function: int
    start: int
    count: int

    def answer(
        self,
        body: bytes,
        *,
        transaction: int | None = None,
        unit: int | None = None,
        function: int | None = None,
    ) -> bytes:
        return (
            struct.pack(
                ">HHHBB",
                self.transaction if transaction is None else transaction,
                0,
                len(body) + 2,
                self.unit if unit is None else unit,
                self.function if function is None else function,
            )
            + body
        )

    def registers(self) -> bytes:
        """The right answer: register i holds i."""
        numbers = range(self.start, self.start + self.count)
        return self.answer(struct.pack(f">B{self.count}H", 2 * self.count, *numbers))


Reply = Callable[[Asked], bytes | None]
"""What to send back; b"" sends nothing, None closes the connection."""
StartPlc = Callable[[Reply], AbstractAsyncContextManager[int]]


@asynccontextmanager
async def _plc(reply: Reply) -> AsyncIterator[int]:
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while frame := await _frame(reader):
            answer = reply(Asked(*struct.unpack(">HxxxxBBHH", frame)))
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readexactly(12)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


@pytest.fixture
def start_plc() -> StartPlc:
    return _plc


@pytest.fixture
def tagged() -> Callable[..., list[TagHandle]]:
    """Give tags with the addresses given, handles from 10 on."""

    def make(*addresses: str) -> list[TagHandle]:
        return [
            TagHandle(10 + i, Tag(name=f"site/area/line/press/t{i}", source="plc", address=address))
            for i, address in enumerate(addresses)
        ]

    return make


def _need(present: object, missing: str) -> None:
    if not present:
        lacking(missing)


@dataclass
class Socat:
    """Processes of socat, which ties sockets and serial lines together."""

    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, until: str) -> str:
        """Start one and wait for the line that matches `until`; give its first group."""
        process = subprocess.Popen(
            ["socat", "-d", "-d", "-t0", *words],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        assert process.stderr
        found = next(filter(None, (re.search(until, line) for line in process.stderr)))
        return found[1]

    def lines(self, folder: Path) -> tuple[str, str]:
        """Tie two serial lines together; give their devices."""
        ends = folder / "ours", folder / "theirs"
        self.start(
            *(f"pty,raw,echo=0,link={end}" for end in ends), until="(starting data transfer loop)"
        )
        return str(ends[0]), str(ends[1])

    def listen(self, way: str, to: str) -> int:
        """Listen, and pass every connection on; give the port."""
        words = f"{way},bind=127.0.0.1,reuseaddr,fork", to
        return int(self.start(*words, until=r"listening on .*:(\d+)"))

    def stop_last(self) -> None:
        """End the one started last, with what it forked for its connections."""
        process = self.running.pop()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
        with suppress(ProcessLookupError):
            # What it forked for TLS now and then survives, and keeps a processor busy for ever.
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stderr
        process.stderr.close()

    def stop(self) -> None:
        while self.running:
            self.stop_last()


@pytest.fixture
def socat() -> Iterator[Socat]:
    _need(shutil.which("socat"), MISSING_SOCAT)
    started = Socat()
    yield started
    started.stop()


@pytest.fixture
def start_js(unused_port: int) -> Iterator[Callable[[str], int]]:
    """Start the server of one maker; give its port."""
    _need(shutil.which("node") and (JS / "node_modules").exists(), MISSING_JS)
    started = []

    def start(maker: str) -> int:
        process = subprocess.Popen(
            ["node", "server.js", maker, str(unused_port)],
            cwd=JS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == f"UP {unused_port}\n"
        return unused_port

    yield start
    for process in started:
        process.communicate(timeout=60)


@pytest.fixture
def contract(
    tagged: Callable[..., list[TagHandle]], unused_port: int
) -> Callable[[ModbusConfig, Any], SourceUnderTest]:
    """Describe a line to libmodbus, which refuses holding 40, for the contract suite."""
    healthy = tagged("unit 1, input 4, float32", "unit 1, coil 3", "unit 1, input 9.1")
    spoiled = tagged("unit 1, input 4, float32", "unit 1, holding 40, uint16")

    def given(config: ModbusConfig, tags: list[TagHandle]) -> Callable[[], Awaitable[Source]]:
        async def make() -> Source:
            return ModbusSource(config, tags)

        return make

    def describe(config: ModbusConfig, device: Any) -> SourceUnderTest:
        async def restart() -> None:
            await asyncio.to_thread(device.stop)
            await asyncio.to_thread(device.start)

        nowhere = {"port": unused_port, "device": "/dev/ttyWheeltapper"}
        return SourceUnderTest(
            make=given(config, healthy),
            handles=[tag.handle for tag in healthy],
            unreachable=given(config.model_copy(update=nowhere), healthy),
            restart=restart,
            spoiled=given(config, spoiled),
        )

    return describe


@dataclass(frozen=True)
class Heard:
    """One request as it came over a serial line."""

    at: float
    unit: int
    function: int
    start: int
    count: int

    def answer(self, body: bytes, *, unit: int | None = None, function: int | None = None) -> bytes:
        head = bytes([unit or self.unit, function or self.function])
        return head + body + FramerRTU.compute_CRC(head + body).to_bytes(2, "big")

    def registers(self) -> bytes:
        """The right answer: register i holds i."""
        numbers = range(self.start, self.start + self.count)
        return self.answer(struct.pack(f">B{self.count}H", 2 * self.count, *numbers))


Steps = Sequence[tuple[float, bytes]]
"""What to send, each after a pause in seconds."""
StartLine = Callable[[Callable[[Heard], Steps]], AbstractAsyncContextManager[int]]


@asynccontextmanager
async def _serial_plc(reply: Callable[[Heard], Steps]) -> AsyncIterator[int]:
    """Serve RTU frames over TCP; whoever is connected hears what comes late, as on a real line."""
    loop = asyncio.get_running_loop()
    writers: list[asyncio.StreamWriter] = []
    speaking: set[asyncio.Task[None]] = set()

    async def speak(steps: Steps) -> None:
        for pause, data in steps:
            await asyncio.sleep(pause)
            if not writers[-1].is_closing():
                writers[-1].write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                asked = struct.unpack(">BBHHxx", await reader.readexactly(8))
                task = loop.create_task(speak(reply(Heard(loop.time(), *asked))))
                speaking.add(task)
                task.add_done_callback(speaking.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in speaking:
            task.cancel()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


@pytest.fixture
def start_serial_plc() -> StartLine:
    return _serial_plc
