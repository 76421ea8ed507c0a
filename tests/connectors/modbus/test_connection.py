import asyncio
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from connectors.modbus.address import Table
from connectors.modbus.config import ModbusConfig
from connectors.modbus.connection import Connection
from connectors.modbus.lines import line_of
from connectors.modbus.link import Link, open_tcp
from connectors.modbus.wire import Answer
from plant.errors import Unreachable
from plant.quality import Status

pytestmark = pytest.mark.journey

TIMEOUT = 30.0
"""Longer than a busy machine stands still, s: an answer that is there comes before it."""
SHORT = 0.15
"""For what never answers, s."""


def connection_to(port: int, timeout_s: float = TIMEOUT) -> Connection:
    settings = {"host": "127.0.0.1", "port": port, "timeout_ms": 1000 * timeout_s}
    return Connection(line_of(ModbusConfig(name="plc", **settings)))


def ask_once(
    start_plc: Any,
    reply: Any,
    table: Table = Table.HOLDING,
    count: int = 3,
    timeout_s: float = TIMEOUT,
) -> Answer:
    async def run() -> Answer:
        async with start_plc(reply) as port:
            connection = connection_to(port, timeout_s)
            await connection.open()
            answer = await connection.ask(7, table, 20, count)
            connection.reset()
            return answer

    return asyncio.run(run())


def test_a_right_answer_is_good(start_plc: Any) -> None:
    answer = ask_once(start_plc, lambda asked: asked.registers())
    assert answer == Answer(Status.GOOD, struct.pack(">3H", 20, 21, 22))


def test_bits_come_in_whole_bytes(start_plc: Any) -> None:
    answer = ask_once(start_plc, lambda asked: asked.answer(b"\x02\xff\x01"), Table.COIL, 9)
    assert answer == Answer(Status.GOOD, b"\xff\x01")


@pytest.mark.parametrize(
    ("table", "function"),
    [(Table.COIL, 1), (Table.DISCRETE, 2), (Table.HOLDING, 3), (Table.INPUT, 4)],
)
def test_each_table_has_its_function(start_plc: Any, table: Table, function: int) -> None:
    seen = []
    ask_once(start_plc, lambda asked: seen.append(asked), table)
    assert {(one.function, one.unit, one.start, one.count) for one in seen} == {
        (function, 7, 20, 3)
    }


@pytest.mark.parametrize(
    ("story", "reply"),
    [
        ("another function", lambda asked: asked.answer(b"\x06" + bytes(6), function=4)),
        ("a write's echo", lambda asked: asked.answer(bytes(4), function=6)),
        ("no function known", lambda asked: asked.answer(bytes(4), function=99)),
        ("function 0", lambda asked: asked.answer(bytes(4), function=0)),
        ("exception of another function", lambda asked: asked.answer(b"\x02", function=0x84)),
        ("an unknown exception", lambda asked: asked.answer(b"\x63", function=0x83)),
        ("fewer registers", lambda asked: asked.answer(b"\x04" + bytes(4))),
        ("more registers", lambda asked: asked.answer(b"\x08" + bytes(8))),
        ("no registers", lambda asked: asked.answer(b"\x00")),
        ("count and length disagree", lambda asked: asked.answer(b"\x06" + bytes(4))),
        ("an odd number of bytes", lambda asked: asked.answer(b"\x07" + bytes(7))),
        ("transaction 0", lambda asked: asked.answer(b"\x06" + bytes(6), transaction=0)),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(start_plc: Any, story: str, reply: Any) -> None:
    assert ask_once(start_plc, reply) == Answer(Status.BAD_UNKNOWN_RESPONSE), story


@pytest.mark.parametrize(
    ("story", "reply"),
    [
        ("silence", lambda asked: b""),
        ("another unit", lambda asked: asked.answer(b"\x06" + bytes(6), unit=8)),
        ("another transaction", lambda asked: asked.answer(b"\x06" + bytes(6), transaction=999)),
        ("half an answer", lambda asked: asked.registers()[:-2]),
    ],
)
def test_what_is_no_answer_is_a_timeout(start_plc: Any, story: str, reply: Any) -> None:
    answer = ask_once(start_plc, reply, timeout_s=SHORT)
    assert answer == Answer(Status.BAD_TIMEOUT), story
    assert answer.silent


@pytest.mark.parametrize(
    ("story", "reply", "status"),
    [
        ("zeros", lambda asked: bytes(100), Status.BAD_DECODING_ERROR),
        ("a flood", lambda asked: bytes(100_000), Status.BAD_COMMUNICATION_ERROR),
        ("web", lambda asked: b"HTTP/1.1 400 Bad Request\r\n\r\n", Status.BAD_DECODING_ERROR),
        ("huge length", lambda asked: b"\0\1\0\0\xff\xff\7\3", Status.BAD_DECODING_ERROR),
    ],
)
def test_what_is_not_modbus_is_cut_off_at_once(
    start_plc: Any, story: str, reply: Any, status: Status
) -> None:
    started = time.monotonic()
    answer = ask_once(start_plc, reply)
    assert answer == Answer(status), story
    assert not answer.heard
    assert time.monotonic() - started < TIMEOUT


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (1, Status.BAD_CONFIGURATION_ERROR),
        (2, Status.BAD_NODE_ID_UNKNOWN),
        (3, Status.BAD_OUT_OF_RANGE),
        (4, Status.BAD_DEVICE_FAILURE),
        (6, Status.BAD_OUT_OF_SERVICE),
        (11, Status.BAD_NO_COMMUNICATION),
    ],
)
def test_an_exception_becomes_its_status(start_plc: Any, code: int, status: Status) -> None:
    answer = ask_once(start_plc, lambda asked: asked.answer(bytes([code]), function=0x83))
    assert answer == Answer(status)
    assert not answer.silent


def test_a_closed_connection_is_opened_again_once(start_plc: Any) -> None:
    replies: list[Callable[[Any], bytes | None]] = [
        lambda asked: None,
        lambda asked: asked.registers(),
    ]
    assert ask_once(start_plc, lambda asked: replies.pop(0)(asked)).status is Status.GOOD


def test_a_device_that_always_closes_is_not_asked_for_ever(start_plc: Any) -> None:
    seen = []
    started = time.monotonic()
    answer = ask_once(start_plc, lambda asked: seen.append(asked))
    assert answer == Answer(Status.BAD_COMMUNICATION_ERROR)
    assert len(seen) == 2
    assert time.monotonic() - started < TIMEOUT


def test_a_late_answer_never_answers_the_next_request(start_plc: Any) -> None:
    """The device is slower than the timeout: what it says belongs to the request before."""
    late: list[bytes] = []

    def reply(asked: Any) -> bytes:
        answer = b"".join(late)
        late[:] = [asked.registers()]
        return answer

    async def run() -> list[Answer]:
        async with start_plc(reply) as port:
            connection = connection_to(port, SHORT)
            answers = [await connection.ask(1, Table.HOLDING, start, 1) for start in (5, 6, 7)]
            connection.reset()
            return answers

    assert asyncio.run(run()) == [Answer(Status.BAD_TIMEOUT)] * 3


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Link]:
    """Give the connections made, in their order."""
    links: list[Link] = []

    async def open_noted(*place: Any) -> Link:
        links.append(await open_tcp(*place))
        return links[-1]

    monkeypatch.setattr("connectors.modbus.lines.open_tcp", open_noted)
    return links


def replies_in_turn(*replies: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Give the first reply to the first request, the last to all that come after."""
    left = list(replies)
    return lambda asked: (left.pop(0) if len(left) > 1 else left[0])(asked)


def spliced(asked: Any) -> bytes:
    """A frame that breaks off in its data and goes on with another one."""
    other: bytes = asked.answer(b"\x03\x02\xab\xcd", transaction=asked.transaction - 1)
    return asked.registers()[:-1] + other


def test_a_frame_completed_by_another_one_is_not_believed(start_plc: Any) -> None:
    assert ask_once(start_plc, spliced) == Answer(Status.BAD_DECODING_ERROR)


def test_one_frame_completed_by_another_one_costs_nothing(start_plc: Any) -> None:
    reply = replies_in_turn(spliced, lambda asked: asked.registers())
    assert ask_once(start_plc, reply).status is Status.GOOD


@pytest.mark.parametrize(
    ("story", "reply", "connections"),
    [
        ("one answer each", lambda asked: asked.registers(), 1),
        ("all answers doubled", lambda asked: 2 * asked.registers(), 1),
        ("all answers thrice", lambda asked: 3 * asked.registers(), 1),
        ("an exception doubled", lambda asked: 2 * asked.answer(b"\6", function=0x83), 1),
        ("doubled in part", lambda asked: asked.registers() + asked.registers()[:-1], 6),
        (
            "then another value",
            lambda asked: asked.registers() + asked.answer(b"\x03\x02\xab\xcd"),
            6,
        ),
    ],
)
def test_only_a_whole_copy_may_follow_an_answer(
    start_plc: Any, opened: list[Link], story: str, reply: Any, connections: int
) -> None:
    """Some devices double their answers; whatever else follows one ends the connection."""

    async def run() -> list[Answer]:
        async with start_plc(reply) as port:
            connection = connection_to(port)
            answers = [await connection.ask(1, Table.HOLDING, 5, 1) for _ in range(3)]
            connection.reset()
            return answers

    answers = asyncio.run(run())
    assert len(opened) == connections, story
    believed = [answer.status is not Status.BAD_DECODING_ERROR for answer in answers]
    assert believed == [connections == 1] * 3


@pytest.mark.parametrize(
    ("story", "more", "connections"),
    [
        ("a copy", lambda answer: answer, 1),
        ("half a copy", lambda answer: answer[:-1], 2),
        ("noise", lambda answer: b"\0", 2),
    ],
)
def test_what_comes_unasked_between_two_requests(
    start_plc: Any, opened: list[Link], story: str, more: Any, connections: int
) -> None:
    """Only a copy of the answer before is looked past; all else means a new connection."""
    told: list[bytes] = []

    def reply(asked: Any) -> bytes:
        told.append(asked.registers())
        return told[-1]

    async def run() -> None:
        async with start_plc(reply) as port:
            connection = connection_to(port)
            assert (await connection.ask(1, Table.HOLDING, 5, 1)).status is Status.GOOD
            opened[0].data_received(more(told[0]))
            assert (await connection.ask(1, Table.HOLDING, 5, 1)).status is Status.GOOD
            connection.reset()

    asyncio.run(run())
    assert len(opened) == connections, story


def test_a_timeout_resets_the_connection(start_plc: Any) -> None:
    """Nothing of a doubtful connection is used again, so nothing old can arrive on it."""
    ended: list[BaseException | None] = []

    async def run() -> None:
        over = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readexactly(24)
            except (ConnectionResetError, asyncio.IncompleteReadError) as error:
                ended.append(error)
            writer.close()
            over.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connection = connection_to(port, SHORT)
            await connection.ask(1, Table.HOLDING, 0, 1)
            await asyncio.wait_for(over.wait(), 60)

    asyncio.run(run())
    assert [type(error) for error in ended] == [ConnectionResetError]


def test_nobody_listens(unused_port: int) -> None:
    with pytest.raises(Unreachable, match=f"127.0.0.1:{unused_port} does not accept"):
        asyncio.run(connection_to(unused_port).open())


def test_a_device_that_never_stops_talking_is_cut_off_while_nobody_asks(start_plc: Any) -> None:
    """Whatever comes unasked is neither kept nor read on."""

    async def run() -> None:
        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while True:
                    writer.write(bytes(1000))
                    await writer.drain()
            ended.set()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            connection = connection_to(server.sockets[0].getsockname()[1])
            await connection.open()
            await asyncio.wait_for(ended.wait(), 60)
            assert connection.link
            assert connection.link.lost
            assert connection.link.drain() == b""

    asyncio.run(run())
