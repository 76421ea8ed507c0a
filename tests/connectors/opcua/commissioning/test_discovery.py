"""What is at an address: an OPC UA server, something else, or nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from connectors.opcua.commissioning.discovery import greet, place_of
from plant.errors import Misconfigured, Unreachable
from tests.plant2000 import Plant2000
from tests.ports import free_port


@pytest.mark.journey
def test_a_server_says_who_it_is(plant2000: Callable[..., Plant2000]) -> None:
    said = asyncio.run(greet(plant2000().url))
    assert said.application == "urn:plant:2000"
    assert [(one.policy, one.mode) for one in said.endpoints] == [
        ("Basic256Sha256", "SignAndEncrypt"),
        ("None", "None"),
    ]
    assert set(said.endpoints[0].users) == {"anonymous", "password", "certificate"}
    assert said.best() == "Basic256Sha256"
    assert said.certificate is not None
    assert said.offset_s is not None
    assert abs(said.offset_s) < 10.0


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(512)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def refused(served: AbstractAsyncContextManager[str]) -> str:
    async def ask() -> str:
        async with served as url:
            with pytest.raises(Unreachable) as failed:
                await greet(url, 1.0)
            return str(failed.value)

    return asyncio.run(ask())


@pytest.mark.journey
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server answers there"),
        (b"\x00\x01\x00\x00\x00\x03\x01\x83\x02", "a Modbus device answers there"),
        (b"\x16\x03\x01\x02\x00garbage" * 40, "does not speak OPC UA"),
        (b"", "does not speak OPC UA"),
    ],
)
def test_something_else_is_called_by_its_name(answer: bytes, words: str) -> None:
    assert words in refused(answering(answer))


@pytest.mark.journey
def test_nobody_is_there() -> None:
    with pytest.raises(Unreachable, match="nobody listens at port"):
        asyncio.run(greet(f"opc.tcp://127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    "url",
    [
        "http://plc",
        "opc.tcp://",
        "opc.tcp://:4840",
        "opc.tcp://plc:port",
        "opc.tcp://plc:99999",
        "opc.tcp://plc\n:4840",
        "opc.tcp://user:secret@plc",
        "plc:4840",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured):
        place_of(url)
