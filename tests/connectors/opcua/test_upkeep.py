"""What becomes of tags that go and come, told by batches of a server that is played."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua import retries
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.decode import Published, columns
from connectors.opcua.limits import limits_of
from connectors.opcua.nodes import Found, Refused
from connectors.opcua.rows import Rows
from connectors.opcua.subscription import Subscription
from connectors.opcua.upkeep import Upkeep
from plant.errors import Unreachable
from plant.samples import Batch, ContextEvent

GONE, INVALID, BROKEN = 0x80340000, 0x80330400, 0x808C0000
CONFIG = OpcUaConfig(name="plc", url="opc.tcp://h", security="none", publishing_ms=100)
LOG = SimpleNamespace(info=lambda *_: None)


def batch(*rows: tuple[int, int], texts: Sequence[tuple[int, int]] = ()) -> Batch:
    tag, status = zip(*rows, strict=True) if rows else ((), ())
    return Batch(
        source="plc",
        tag=np.array(tag, np.int32),
        at=np.arange(len(rows), dtype=np.int64),
        value=np.zeros(len(rows)),
        status=np.array(status, np.uint32),
        upto=9,
        received=9,
        heard=9,
        context=tuple(ContextEvent(handle, 1, "x", status) for handle, status in texts),
    )


@pytest.fixture
def subscription(tags_of: Any) -> Subscription:
    tags = tuple(tags_of(["s=a", "s=b", "s=c"]))
    made = Subscription(7, 100.0, 2.0, tags, items={tag.handle: 1 for tag in tags})
    made.nodes = {tag.handle: Found(tag, ua.NodeId(tag.handle), "") for tag in tags}
    return made


def upkeep_of(subscription: Subscription, **services: Any) -> Upkeep:
    client: Any = SimpleNamespace(uaclient=SimpleNamespace(logger=LOG, **services), **services)
    return Upkeep("plc", client, CONFIG, limits_of(10), subscription)


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (batch((10, 0), (11, 0)), {}),
        (batch((10, GONE), (11, 0)), {10: GONE}),
        (batch((10, INVALID)), {10: INVALID}),
        (batch((10, BROKEN)), {}),
        (batch((10, GONE), (10, 0)), {}),
        (batch((10, 0), (10, GONE)), {10: GONE}),
        (batch((99, GONE)), {}),
        (batch(texts=[(12, GONE)]), {12: GONE}),
        (batch(texts=[(12, BROKEN)]), {}),
    ],
)
def test_a_tag_is_refused_once_its_node_is_gone(
    said: Batch, refused: dict[int, int], subscription: Subscription
) -> None:
    async def story() -> None:
        ours = upkeep_of(subscription)
        ours.look(said)
        assert {handle: one.status for handle, one in subscription.refused.items()} == refused
        # The server has told it itself.
        assert ours.refusals() == ()
        assert bool(ours.notes()) == bool(refused)
        await ours.close()

    asyncio.run(story())


def test_very_many_nodes_that_are_gone_hold_nobody_else_up(subscription: Subscription) -> None:
    rows, tags = 400_000, 10_000
    flood = replace(
        batch(*[(0, GONE)] * rows), tag=np.arange(rows, dtype=np.int32) % np.int32(tags)
    )

    async def story() -> float:
        ours = upkeep_of(subscription)
        before = time.process_time()
        ours.look(flood)
        took = time.process_time() - before
        await ours.close()
        return took

    assert asyncio.run(story()) < 0.6


@pytest.mark.parametrize(
    ("said", "back"),
    [
        (batch((10, 0)), True),
        (batch((10, 0x40900000)), True),
        (batch((10, 0), (10, BROKEN)), False),
        (batch((10, BROKEN)), False),
        (batch((11, 0)), False),
        (batch(texts=[(10, 0)]), True),
    ],
)
def test_a_server_that_finds_the_node_again_by_itself_is_believed(
    said: Batch, back: bool, subscription: Subscription
) -> None:
    async def story() -> None:
        ours = upkeep_of(subscription)
        ours.look(batch((10, GONE)))
        ours.look(said)
        assert (subscription.refused == {}) == back
        await ours.close()

    asyncio.run(story())


def test_a_tag_without_an_item_is_not_back_by_a_stray_value(subscription: Subscription) -> None:
    async def story() -> None:
        del subscription.items[10]
        subscription.refuse([Refused(subscription.tags[0], GONE)])
        ours = upkeep_of(subscription)
        ours.look(batch((10, 0)))
        assert subscription.refused.keys() == {10}
        await ours.close()

    asyncio.run(story())


def test_a_failure_of_the_server_is_survived_and_tried_again(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading the namespaces fails twice; at the third time the node is unknown as a path."""
    monkeypatch.setattr(retries, "FIRST_S", 0.01)
    monkeypatch.setattr(retries, "LONGEST_S", 0.01)
    monkeypatch.setattr(retries, "_TOGETHER_S", 0.0)
    asked: list[int] = []

    async def namespaces() -> list[str]:
        asked.append(len(asked))
        if len(asked) < 3:
            raise UaStatusCodeError(StatusCodes.BadInternalError)
        return ["http://opcfoundation.org/UA/"]

    async def nothing(_: object, *__: object) -> list[Any]:
        return []

    async def story() -> None:
        ours = upkeep_of(
            subscription, get_namespace_array=namespaces, translate_browsepaths_to_nodeids=nothing
        )
        ours.look(batch((10, INVALID)))
        async with asyncio.timeout(60):
            while not (news := ours.refusals()):
                await asyncio.sleep(0.01)
        # The reason has changed, so it is told.
        assert [(one.tag.handle, one.status) for one in news] == [(10, GONE)]
        async with asyncio.timeout(60):
            while len(asked) < 6:
                await asyncio.sleep(0.01)
        assert ours.refusals() == ()
        await ours.close()

    asyncio.run(story())


def test_a_link_lost_while_polling_is_told_to_the_reader(subscription: Subscription) -> None:
    async def lost(_: object) -> bytes:
        raise ConnectionError("gone")

    class Silent:
        async def next(self) -> Any:
            await asyncio.Event().wait()

    async def story() -> None:
        subscription.unmonitored = {10: subscription.nodes[10]}
        ours = upkeep_of(subscription, session=SimpleNamespace(_send_request=lost))
        with pytest.raises(Unreachable, match="the connection was lost"):
            await asyncio.wait_for(ours.next(Silent()), 60)
        await ours.close()

    asyncio.run(story())


def test_what_was_heard_and_nobody_took_is_given_back(subscription: Subscription) -> None:
    """Beside polled tags a message is waited for in a task: it counts as heard by then."""
    said = columns(0, Rows(0), 1, sequence=5)

    async def heard() -> Published:
        return said

    async def silent() -> Published:
        await asyncio.Event().wait()
        return said

    async def story() -> None:
        ours, other = upkeep_of(subscription), upkeep_of(subscription)
        ours._publishing = asyncio.create_task(heard())
        other._publishing = asyncio.create_task(silent())
        await asyncio.sleep(0)
        assert await ours.close() == [said]
        assert await other.close() == []

    asyncio.run(story())
