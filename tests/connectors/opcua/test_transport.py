"""What we lean on in asyncua and is not promised: each of these fails loudly when it changes."""

import asyncio
import importlib.metadata
import inspect
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import repeat

import pytest
from asyncua import ua
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.client.ua_session import UaSession
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from asyncua.ua.uaerrors import UaError

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure
from connectors.opcua.transport import MAX_CHUNK, MAX_CHUNKS, MAX_MESSAGE, BoundedLimits
from plant.errors import Unreachable


def test_asyncua_is_the_minor_that_was_read() -> None:
    assert importlib.metadata.version("asyncua").startswith("2.1.")


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (UASocketProtocol._send_request, ["self", "request", "timeout", "message_type"]),
        (UASocketProtocol.send_hello, ["self", "url", "max_messagesize", "max_chunkcount"]),
        (UASocketProtocol.data_received, ["self", "data"]),
        (UaClient._make_protocol, ["self"]),
        (UaSession._send_request, ["self", "request", "timeout", "message_type"]),
        (TransportLimits.update_client_limits, ["self", "msg"]),
        (SecureConnection.__init__, ["self", "security_policy", "limits"]),
        (SecureConnection.set_channel, ["self", "params", "request_type", "client_nonce"]),
        (ua_binary.variant_from_binary, ["data"]),
    ],
)
def test_private_parts_are_as_they_were(
    function: Callable[..., object], parameters: list[str]
) -> None:
    assert list(inspect.signature(function).parameters) == parameters


def test_a_request_gives_a_future_that_holds_the_body() -> None:
    async def story() -> None:
        protocol = UASocketProtocol()
        written: list[bytes] = []

        class Wire(asyncio.Transport):
            def write(self, data: bytes | bytearray | memoryview) -> None:
                written.append(bytes(data))

        protocol.connection_made(Wire())
        answer = protocol._send_request(ua.PublishRequest(), 0)
        assert isinstance(answer, asyncio.Future)
        assert len(written) == 1
        protocol._call_callback(1, Buffer(b"xbody", 1))
        assert bytes(answer.result()) == b"body"

    asyncio.run(story())


@pytest.mark.parametrize(
    "variant",
    [
        b"\x80" + struct.pack("<i", 2**31 - 1),
        b"\x8b" + struct.pack("<i", -5) + bytes(50),
        b"\xcb" + struct.pack("<iiii", 0, 2, 10_001, 1),
        b"\xcb" + struct.pack("<iiii", 0, 2, 1_000_000, 0),
    ],
    ids=["nulls", "negative", "just too many", "dimensions"],
)
def test_asyncuas_decoder_is_bounded(variant: bytes) -> None:
    started = time.process_time()
    with pytest.raises(UaError):
        ua_binary.variant_from_binary(Buffer(variant))
    assert time.process_time() - started < 0.5


def test_the_server_narrows_what_we_send_and_nothing_else() -> None:
    limits = BoundedLimits(MAX_CHUNK, MAX_CHUNK, MAX_CHUNKS, MAX_MESSAGE)
    limits.update_client_limits(ua.Acknowledge(ReceiveBufferSize=8192))
    assert (limits.max_send_buffer, limits.max_recv_buffer) == (8192, MAX_CHUNK)
    limits.update_client_limits(ua.Acknowledge())
    assert (limits.max_chunk_count, limits.max_message_size) == (MAX_CHUNKS, MAX_MESSAGE)


ACKNOWLEDGE = struct.pack("<4sIIIIII", b"ACKF", 28, 0, 2**31 - 1, 2**31 - 1, 0, 0)
HUGE_HEADER = struct.pack("<4sII", b"MSGF", 0xFFFF_FFF0, 1)


def _huge() -> Iterator[bytes]:
    yield HUGE_HEADER
    yield from repeat(bytes(60_000), 1_200)


def _endless() -> Iterator[bytes]:
    for number in range(1, 1_200):
        yield struct.pack("<4sIIIII", b"MSGC", 24 + 60_000, 0, 0, number, 1) + bytes(60_000)


@pytest.mark.journey
@pytest.mark.parametrize("flood", [_huge, _endless])
def test_a_flood_is_cut_off(flood: Callable[[], Iterator[bytes]]) -> None:
    """The server answers Hello without limits, and the next request with a flood."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(ACKNOWLEDGE)
        await reader.readuntil(b"OPNF")
        with suppress(ConnectionError):
            for piece in flood():
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def story() -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        config = OpcUaConfig(name="plc", url=f"opc.tcp://127.0.0.1:{port}", security="none")
        async with server:
            tracemalloc.start()
            with pytest.raises(Unreachable):
                await asyncio.wait_for(connect_secure(config), 10)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return peak

    assert asyncio.run(story()) < 2.5 * MAX_MESSAGE
