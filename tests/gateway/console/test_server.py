"""The server: loopback only, the next free port, and a stop that does not wait for browsers."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from gateway.console import server as subject
from gateway.console.server import ConsoleServer
from plant.errors import Misconfigured

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
