"""The server: loopback only, the next free port, and a stop that does not wait for browsers."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.console import server as subject
from gateway.console.server import ConsoleServer
from gateway.console.tls import own_pair, prepare
from plant.errors import Misconfigured
from tests.gateway.console.guarded import People

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Plant

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "localhost", ""])
def test_any_host_but_loopback_is_refused_with_the_mend(plant: Plant, host: str) -> None:
    with pytest.raises(Misconfigured, match=r"127\.0\.0\.1.*SSH tunnel"):
        ConsoleServer(plant, host=host)


def test_port_in_use_gives_a_later_one(plant: Plant) -> None:
    async def journey() -> int:
        async with ConsoleServer(plant, port=taken) as server:
            assert server.url == f"http://127.0.0.1:{server.port}"
            return server.port

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert taken < asyncio.run(journey()) < taken + subject.PORTS_TRIED


def test_no_free_port_is_told(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "PORTS_TRIED", 1)

    async def journey() -> None:
        async with ConsoleServer(plant, port=taken):
            pass

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(Misconfigured, match=str(taken)):
            asyncio.run(journey())


def test_it_listens_on_loopback_alone(plant: Plant) -> None:
    async def journey() -> None:
        async with ConsoleServer(plant, port=0) as server:
            with pytest.raises(OSError, match=r"refused|Connect call failed"):
                await asyncio.open_connection("127.0.0.2", server.port)

    asyncio.run(journey())


def test_stop_does_not_wait_for_open_pages(plant: Plant) -> None:
    async def journey() -> float:
        async with ConsoleServer(plant, port=0) as server:
            pages = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(8)]
            for reader, writer in pages:
                host = f"127.0.0.1:{server.port}"
                writer.write(f"GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                await reader.readuntil(b"data: ")
            began = time.monotonic()
        for _, writer in pages:
            writer.close()
        return time.monotonic() - began

    assert asyncio.run(journey()) < 10.0


def test_stop_does_not_wait_for_an_unfinished_answer(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def never(*_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(plant, "trend", never)

    async def journey() -> float:
        async with ConsoleServer(plant, port=0) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            host = f"127.0.0.1:{server.port}"
            path = "/api/trend?tag=a&start_ms=0&stop_ms=1"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            await asked.wait()
            began = time.monotonic()
        writer.close()
        return time.monotonic() - began

    assert asyncio.run(journey()) < 10.0


def test_signals_stay_with_the_gateway(plant: Plant) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    async def journey() -> tuple[object, object]:
        async with ConsoleServer(plant, port=0):
            return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    async def unserved() -> tuple[object, object]:
        return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    # asyncio.run itself takes SIGINT, so what counts is that serving changes nothing more.
    served, plain = asyncio.run(journey()), asyncio.run(unserved())
    assert [type(one) for one in served] == [type(one) for one in plain]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_who_connects_and_asks_nothing_is_let_go(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "FIRST_S", 0.1)

    async def journey() -> bytes:
        async with ConsoleServer(plant, port=0) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: half-a-re")
            async with asyncio.timeout(60):
                rest = await ending(reader)
            writer.close()
            return rest

    assert asyncio.run(journey()) == b""


def test_too_many_connections_are_let_go_and_those_there_stay(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "CONNECTIONS", 3)

    async def journey() -> tuple[bytes, bytes]:
        async with ConsoleServer(plant, port=0) as server:
            pairs = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
            reader, writer = pairs[0]
            head = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
            writer.write(head)
            async with asyncio.timeout(60):
                first = await reader.readuntil(b"\r\n")
                pairs.append(await asyncio.open_connection("127.0.0.1", server.port))
                rest = await ending(pairs[-1][0])
            for _, each in pairs:
                each.close()
            return first, rest

    assert asyncio.run(journey()) == (b"HTTP/1.1 200 OK\r\n", b"")


async def ending(reader: asyncio.StreamReader) -> bytes:
    """Read to the end of a connection that may be reset."""
    with suppress(ConnectionResetError):
        return await reader.read()
    return b""


def test_stop_takes_little_with_open_pages_over_tls(plant: Plant, tmp_path: Path) -> None:
    people, pair = People(tmp_path / "accounts.toml"), own_pair(tmp_path)
    prepare(pair, ["127.0.0.1"], [])
    trusting = ssl.create_default_context(cafile=str(pair.certificate))

    async def journey() -> float:
        async with ConsoleServer(plant, port=0, access=people.access, tls=pair) as server:
            place = ("127.0.0.1", server.port)
            pages = [await asyncio.open_connection(*place, ssl=trusting) for _ in range(4)]
            for reader, writer in pages:
                host = f"127.0.0.1:{server.port}"
                writer.write(f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
            began = time.monotonic()
        for _, writer in pages:
            writer.close()
        return time.monotonic() - began

    assert asyncio.run(journey()) < 20.0  # its own limit is one second; the library's is thirty
