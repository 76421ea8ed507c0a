"""Limits told, learnt and noted; servers that fail whole calls are played by asyncua's."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from connectors.opcua import subscription
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave
from connectors.opcua.limits import limits_of, read_limits
from connectors.opcua.nodes import find_nodes
from connectors.opcua.subscription import NO_ROOM, subscribe

ALL_500 = limits_of(500)
Create = Callable[[ua.CreateMonitoredItemsParameters], Awaitable[Sequence[Any]]]


@pytest.mark.parametrize("told", [None, 0])
def test_without_a_limit_of_the_servers_ours_stands(told: int | None) -> None:
    assert limits_of(500, [told] * 6) == ALL_500


@pytest.mark.journey
@pytest.mark.parametrize(
    ("words", "read", "items", "most"),
    [(("limits=40", "items=100"), 40, 40, 100), ((), 500, 500, 100_000)],
)
def test_the_limits_of_a_server(
    words: Sequence[str], read: int, items: int, most: int, start_plc: Any
) -> None:
    plc = start_plc(*words)

    async def story() -> None:
        client = await connect_secure(OpcUaConfig(name="plc", url=plc.url, security="none"))
        limits = await read_limits(client, 500)
        await leave(client)
        assert (limits.read.size, limits.translate.size, limits.browse.size) == (read,) * 3
        assert (limits.items.size, limits.per_subscription) == (items, most)

    asyncio.run(story())


@pytest.mark.journey
def test_a_server_without_limits_is_asked_as_we_like(line: Any) -> None:
    async def story() -> None:
        client = await connect_secure(line.config())
        assert await read_limits(client, 500) == ALL_500
        await leave(client)

    asyncio.run(story())


def granted(publishing_ms: float, count: int) -> ua.CreateSubscriptionResult:
    return ua.CreateSubscriptionResult(
        RevisedPublishingInterval=ua.Duration(publishing_ms),
        RevisedMaxKeepAliveCount=ua.Counter(count),
    )


@pytest.mark.parametrize(
    ("publishing_ms", "count", "silence_s"),
    [
        (200.0, 10, 2.0),
        (1000.0, 10, 10.0),
        (200.0, 2**32 - 1, 60.0),
        (300_000.0, 9, 300.0),
        (200.0, 0, 2.0),
        (0.0, 10, 2.0),
    ],
)
def test_a_server_may_be_silent_for_a_while_but_not_for_ever(
    publishing_ms: float, count: int, silence_s: float
) -> None:
    assert subscription._pace(granted(publishing_ms, count)) == (publishing_ms, silence_s)


@pytest.mark.parametrize("publishing_ms", [math.nan, math.inf, -math.inf, -1.0, 1e300])
def test_a_pace_that_is_none_is_refused(publishing_ms: float) -> None:
    with pytest.raises(UaError, match="would publish every"):
        subscription._pace(granted(publishing_ms, 10))


def full_after(most: int, code: int, create: Create) -> Create:
    """Fail every call that would bring more than `most` items, as a whole."""
    had = 0

    async def creating(parameters: ua.CreateMonitoredItemsParameters) -> Sequence[Any]:
        nonlocal had
        if had + len(parameters.ItemsToCreate) > most:
            raise UaStatusCodeError(code)
        had += len(parameters.ItemsToCreate)
        return await create(parameters)

    return creating


@pytest.mark.journey
@pytest.mark.parametrize("most", [0, 1, 13, 24, 25])
@pytest.mark.parametrize("code", sorted(NO_ROOM))
def test_whole_calls_that_fail_for_want_of_room_leave_the_rest_to_polling(
    most: int, code: int, line: Any, tags_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        client = await connect_secure(line.config())
        create = client.uaclient.create_monitored_items
        monkeypatch.setattr(
            client.uaclient, "create_monitored_items", full_after(most, code, create)
        )
        limits = limits_of(10)
        tags = tags_of([f"Line1/T{i}" for i in range(25)])
        found, refused = await find_nodes(client, tags, limits)
        made = await subscribe(client, line.config(), limits, found, refused)
        await leave(client)
        assert len(made.items) == most
        assert made.items.keys() | made.unmonitored.keys() == {tag.handle for tag in tags}
        assert made.refused == {}
        # A want of room is no want of room in a call.
        assert limits.items.size == 10

    asyncio.run(story())


@pytest.mark.journey
def test_another_failure_of_a_whole_call_is_no_want_of_room(
    line: Any, tags_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        client = await connect_secure(line.config())
        monkeypatch.setattr(
            client.uaclient,
            "create_monitored_items",
            full_after(0, StatusCodes.BadInternalError, client.uaclient.create_monitored_items),
        )
        found, _ = await find_nodes(client, tags_of(["s=Line1.Flow"]), ALL_500)
        with pytest.raises(UaStatusCodeError):
            await subscribe(client, line.config(), ALL_500, found, [])
        await leave(client)

    asyncio.run(story())
