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
from asyncua.client import ua_client, ua_session
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.client.ua_session import UaSession
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure
from connectors.opcua.transport import (
    MAX_ABORTED,
    MAX_CHUNK,
    MAX_CHUNKS,
    MAX_MESSAGE,
    BoundedBuffer,
    BoundedLimits,
    BoundedProtocol,
    read_answer,
)
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
    assert time.process_time() - started < 2.0


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
                await asyncio.wait_for(connect_secure(config), 60)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return peak

    assert asyncio.run(story()) < 2.5 * MAX_MESSAGE


class Wire(asyncio.Transport):
    """A transport that notes what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


def heard(*pieces: bytes) -> bool:
    """Whether the connection stands after these bytes."""

    async def story() -> bool:
        wire, protocol = Wire(), BoundedProtocol()
        protocol.connection_made(wire)
        for piece in pieces:
            protocol.data_received(piece)
        return not wire.closed

    return asyncio.run(story())


def error_frame(code: int, length: int, text: bytes = b"") -> bytes:
    return struct.pack("<4sIIi", b"ERRF", 16 + len(text), code, length) + text


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "frame",
    [
        error_frame(0, -16),
        error_frame(0, -2, b"ab"),
        error_frame(0, 2**31 - 1),
        error_frame(0, 1, b"ab"),
        struct.pack("<4sI", b"MSGF", 0) + bytes(100),
        struct.pack("<4sI", b"MSGF", 11) + bytes(100),
        struct.pack("<4sI", b"OPNF", 31) + bytes(100),
        struct.pack("<4sIIIIII", b"ACKF", 60, 0, 0, 0, 0, 0) + error_frame(0, -16) * 2,
        struct.pack("<4sI", b"HELF", 64) + bytes(100),
        struct.pack("<4sI", b"CLOF", 32) + bytes(100),
        struct.pack("<4sI", b"\0\xff\n!", 32) + bytes(100),
        struct.pack("<4sI", b"MSGF", 0xFFFF_FFF0),
    ],
)
def test_a_message_of_a_wrong_size_ends_the_connection_and_nothing_else(frame: bytes) -> None:
    assert not heard(frame)
    assert not heard(frame[:9], frame[9:])


def test_an_answer_that_nobody_waits_for_ends_the_connection() -> None:
    assert not heard(struct.pack("<4sIIIII", b"MSGF", 28, 0, 0, 1, 77) + bytes(4))


def test_a_message_may_be_taken_back_but_not_for_ever() -> None:
    taken_back = [
        struct.pack("<4sIIIIIIi", b"MSGA", 32, 0, 0, number, 1, 0, -1)
        for number in range(1, MAX_ABORTED + 2)
    ]
    assert heard(*taken_back[:-1])
    assert not heard(*taken_back)


def test_a_connection_waits_for_the_rest_of_a_chunk() -> None:
    assert heard(struct.pack("<4sI", b"MSGF", 28), bytes(19))


def test_a_cancelling_that_comes_together_with_the_greeting_is_not_lost() -> None:
    async def story() -> bool:
        protocol = BoundedProtocol()
        protocol.connection_made(Wire())
        greeting = asyncio.create_task(protocol.send_hello("opc.tcp://plc"))
        await asyncio.sleep(0)
        protocol._callbackmap[0].set_result(ua.Acknowledge())
        greeting.cancel()
        await asyncio.wait([greeting])
        return greeting.cancelled()

    assert asyncio.run(story())


RESULTS = ua_binary.struct_to_binary(ua.ReadResponse())[:-8]


@pytest.mark.parametrize(("kind", "noted"), [(b"MSGC", True), (b"MSGF", False), (b"OPNF", False)])
def test_only_a_chunk_whose_message_goes_on_is_the_begin_of_one(
    kind: bytes, noted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "_process_received_data", lambda *_: None)

    async def story() -> bool:
        protocol = BoundedProtocol()
        protocol.connection_made(Wire())
        protocol.begun = 0.0
        protocol.data_received(struct.pack("<4sI", kind, 40) + bytes(32))
        return protocol.begun > 0.0

    assert asyncio.run(story()) is noted


def variants(number: int, kind: int) -> bytes:
    return struct.pack("<iBBi", 1, 1, kind | 0x80, number) + bytes(8 * number)


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<i", 2_000_000) + bytes(2_000_000),
        variants(500_000, 12),
        variants(500_000, 23),
        variants(500_000, 24),
        variants(500_000, 25),
        struct.pack("<i", 0) + struct.pack("<i", 2_000_000) + bytes(2_000_000),
    ],
)
def test_no_message_keeps_the_decoder_busy(body: bytes) -> None:
    begun = time.thread_time()
    with pytest.raises(UaError):
        read_answer(ua.ReadResponse, BoundedBuffer(RESULTS + body))
    # Without the bound it is 7 s and more; a busy machine's processor may be three times slower.
    assert time.thread_time() - begun < 6.0


def test_a_message_that_is_too_much_work_may_be_asked_for_in_parts() -> None:
    """Whoever asks in calls of many halves them at this code, as when the server says it."""
    with pytest.raises(UaStatusCodeError) as caught:
        read_answer(ua.ReadResponse, BoundedBuffer(RESULTS + variants(500_000, 12)))
    assert caught.value.code == ua.StatusCodes.BadResponseTooLarge


@pytest.mark.parametrize(
    "answer",
    [
        ua.BrowseResponse(
            Results=[
                ua.BrowseResult(
                    References=[
                        ua.ReferenceDescription(
                            ReferenceTypeId=ua.NodeId(47),
                            NodeId=ua.ExpandedNodeId("Line1.Flow", 2),
                            BrowseName=ua.QualifiedName("Flow", 2),
                            DisplayName=ua.LocalizedText("Flow", "en"),
                            TypeDefinition=ua.ExpandedNodeId(63),
                        )
                    ]
                    * 1_000
                )
            ]
        ),
        ua.CreateMonitoredItemsResponse(Results=[ua.MonitoredItemCreateResult()] * 1_000),
        ua.ReadResponse(Results=[ua.DataValue(ua.Variant("text"))] * 2_000),
    ],
)
def test_what_we_ask_for_fits(answer: object) -> None:
    kind = type(answer)
    assert read_answer(kind, BoundedBuffer(ua_binary.struct_to_binary(answer))) == answer


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\1\0", RESULTS + struct.pack("<iBB", 1, 1, 0x3E), RESULTS + b"\1\0\0\0\1\x18" * 500],
    ids=["empty", "short", "type", "nested"],
)
def test_what_cannot_be_read_is_one_kind_of_error(damaged: bytes) -> None:
    with pytest.raises(UaError):
        read_answer(ua.ReadResponse, BoundedBuffer(damaged))


def test_our_reading_is_the_one_that_asyncua_calls() -> None:
    assert ua_session.struct_from_binary is read_answer  # type: ignore[attr-defined]
    assert ua_client.struct_from_binary is read_answer  # type: ignore[attr-defined]


def test_a_message_of_the_channel_is_a_bounded_one() -> None:
    async def story() -> object:
        protocol = BoundedProtocol()
        protocol.connection_made(Wire())
        answer = protocol._send_request(ua.PublishRequest(), 0)
        protocol.data_received(struct.pack("<4sIIIII", b"MSGF", 28, 0, 0, 1, 1) + b"body")
        return await answer

    body = asyncio.run(story())
    assert isinstance(body, BoundedBuffer)
    assert bytes(body) == b"body"
