"""Polls against a server that is played: what it answers to each Read is told beforehand."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua.decode import Published
from connectors.opcua.limits import Allowance
from connectors.opcua.nodes import Found
from connectors.opcua.polling import Poller
from connectors.opcua.subscription import TEXT
from plant.errors import Unreachable
from plant.quality import Status
from plant.tags import ValueType

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NS = 1_767_323_045_000_000_000
SECOND = 10**9


def value(number: object, status: int = 0, after: float = 0.0) -> ua.DataValue:
    return ua.DataValue(ua.Variant(number), ua.StatusCode(status), WHEN + timedelta(seconds=after))


def answer(*values: ua.DataValue, after: float = 0.0) -> bytes:
    whole = ua.ReadResponse()
    whole.ResponseHeader.Timestamp = WHEN + timedelta(seconds=after)
    whole.Results = list(values)
    return struct_to_binary(whole)


@dataclass
class Server:
    """Answers in the order given; an exception is raised. `asked` has the size of each call."""

    answers: Sequence[bytes | Exception]
    asked: list[int] = field(default_factory=list)

    async def _send_request(self, request: Any) -> bytes:
        self.asked.append(len(request.Parameters.NodesToRead))
        said = self.answers[len(self.asked) - 1]
        if isinstance(said, Exception):
            raise said
        return said

    def poller(self, tags: Any, size: int = 10) -> Poller:
        client = SimpleNamespace(uaclient=SimpleNamespace(session=self))
        nodes = {one.handle: Found(one, ua.NodeId(one.handle), "") for one in tags}
        return Poller("plc", cast("Client", client), nodes, Allowance(size), 0.01)


def rows(said: Published) -> list[tuple[int, float, int, int]]:
    return sorted(
        zip(
            said.handle.tolist(),
            said.value.tolist(),
            said.status.tolist(),
            said.at.tolist(),
            strict=True,
        )
    )


def test_an_answer_that_is_slow_to_read_holds_nobody_else_up(tags_of: Any) -> None:
    server = Server([answer(value([""] * 60_000))])
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def story() -> Published:
        counting = asyncio.create_task(count())
        try:
            return await server.poller(tags_of(["s=a"])).poll()
        finally:
            counting.cancel()

    said = asyncio.run(story())
    assert said.status.tolist() == [Status.BAD_TYPE_MISMATCH]
    assert turns > 10, "the loop turned while the answer was read"


def test_only_what_is_new_goes_on(tags_of: Any) -> None:
    server = Server(
        [
            answer(value(1.0), value(2.0), value(3.0)),
            answer(value(1.0), value(2.5), value(3.0), after=1),
            answer(value(1.0, 0x40900000), value(2.5, after=1), value(3.0), after=2),
            answer(value(1.0, 0x40900000), value(2.5, after=1), value(3.0), after=3),
        ]
    )

    async def story() -> None:
        poller = server.poller(tags_of(["s=a", "s=b", "s=c"]))
        polls = [await poller.poll() for _ in range(4)]
        assert [rows(said) for said in polls] == [
            [(10, 1.0, 0, NS), (11, 2.0, 0, NS), (12, 3.0, 0, NS)],
            [(11, 2.5, 0, NS)],
            [(10, 1.0, 0x40900000, NS), (11, 2.5, 0, NS + SECOND)],
            [],
        ]
        assert [said.published for said in polls] == [NS + i * SECOND for i in range(4)]
        assert all(said.keep_alive for said in polls)

    asyncio.run(story())


def test_texts_come_last_in_a_call_and_once(tags_of: Any) -> None:
    server = Server([answer(value(2.0), value("x")), answer(value(2.0), value("y", after=1))])

    async def story() -> None:
        tags = [*tags_of(["s=a"], type=ValueType.TEXT), tags_of(["s=a", "s=b"])[1]]
        poller = server.poller(tags)
        first, second = [await poller.poll() for _ in range(2)]
        assert rows(first) == [(11, 2.0, 0, NS)]
        assert [(text.handle, text.text) for text in first.texts] == [(10 + TEXT, "x")]
        assert rows(second) == []
        assert [text.text for text in second.texts] == ["y"]

    asyncio.run(story())


def test_calls_are_halved_and_that_is_remembered(tags_of: Any) -> None:
    too_many = UaStatusCodeError(StatusCodes.BadTooManyOperations)
    pair = answer(value(1.0), value(2.0))
    server = Server([too_many, pair, pair, pair, pair])

    async def story() -> None:
        poller = server.poller(tags_of(["s=a", "s=b", "s=c", "s=d"]))
        assert len((await poller.poll()).handle) == 4
        assert len((await poller.poll()).handle) == 0
        assert server.asked == [4, 2, 2, 2, 2]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (UaStatusCodeError(StatusCodes.BadUserAccessDenied), StatusCodes.BadUserAccessDenied),
        (UaStatusCodeError(StatusCodes.BadTooManyOperations), StatusCodes.BadTooManyOperations),
        (TimeoutError(), Status.BAD_TIMEOUT),
        (answer(value(1.0), value(2.0)), Status.BAD_DECODING_ERROR),
    ],
    ids=["refused", "one is too many", "silent", "wrong"],
)
def test_a_call_that_fails_makes_its_tags_bad_until_one_succeeds(
    failure: bytes | Exception, status: int, tags_of: Any
) -> None:
    server = Server([answer(value(1.0)), failure, answer(value(1.0), after=1)])

    async def story() -> None:
        poller = server.poller(tags_of(["s=a"]))
        await poller.poll()
        ((handle, number, told, at),) = rows(await poller.poll())
        assert (handle, told) == (10, status)
        assert math.isnan(number)
        # The server's clock goes on from its last answer.
        assert NS < at < NS + SECOND
        assert rows(await poller.poll()) == [(10, 1.0, 0, NS)]

    asyncio.run(story())


def test_before_any_answer_a_failure_has_our_time(tags_of: Any) -> None:
    server = Server([TimeoutError()])
    before = time.time_ns()
    said = asyncio.run(server.poller(tags_of(["s=a"])).poll())
    assert before <= said.at.tolist()[0] <= time.time_ns()


def test_a_lost_link_ends_the_polling(tags_of: Any) -> None:
    async def story() -> None:
        poller = Server([ConnectionError("gone")]).poller(tags_of(["s=a"]))
        with pytest.raises(Unreachable, match="plc: the connection was lost: gone"):
            await poller.run()

    asyncio.run(story())


def test_who_does_not_listen_is_not_polled_for(tags_of: Any) -> None:
    """One poll waits to be taken and one has been made; there is no third."""
    server = Server([answer(value(float(i))) for i in range(9)])

    async def story() -> None:
        poller = server.poller(tags_of(["s=a"]))
        running = asyncio.create_task(poller.run())
        async with asyncio.timeout(60):
            while len(server.asked) < 2:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert len(server.asked) == 2
        assert (await poller.polled.get()).value.tolist() == [0.0]
        assert (await poller.polled.get()).value.tolist() == [1.0]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
