"""Connections that are cut, with asyncua's server, which tells neither items nor overflows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.contract import Ticket
from connectors.opcua import recovery
from connectors.opcua.continuity import NEVER_SHOWN, Running, fingerprint
from connectors.opcua.decode import Published, columns
from connectors.opcua.publish import Progress
from connectors.opcua.rows import Rows
from connectors.opcua.subscription import Subscription
from connectors.simulated.hostile.proxy import ChaosProxy
from plant.errors import Rejected, Unreachable
from plant.samples import Batch, Recovery
from tests.connectors.opcua.reading import column
from tests.connectors.opcua.trail import Trail

FLOW, COUNT = 10, 11
END = 100 * 10**9


@asynccontextmanager
async def cuttable(line: Any, tags: Any, **more: object) -> AsyncIterator[tuple[Trail, ChaosProxy]]:
    port = int(line.url.rpartition(":")[2].partition("/")[0])
    async with ChaosProxy(port) as proxy:
        trail = Trail(line.config(url=f"{proxy.url}/line", sampling_ms=0.0, **more), tags)
        yield trail, proxy
        await trail.leave()


async def outage(line: Any, trail: Trail, proxy: ChaosProxy, values: int) -> None:
    """Cut the link, and let Flow change meanwhile."""
    await trail.enter()
    proxy.reset()
    await trail.lose()
    for i in range(values):
        await line.put("Flow", ua.DataValue(ua.Variant(1000.0 + i), None, datetime.now(UTC)))
        # The requests of the lost connection take a publishing period each.
        await asyncio.sleep(0.06)


@pytest.fixture
def two_tags(tags_of: Any) -> Any:
    return tags_of(["s=Line1.Flow", "s=Line1.Count"])


@pytest.mark.journey
def test_what_was_queued_comes_and_what_stood_still_is_read(line: Any, two_tags: Any) -> None:
    async def story() -> None:
        async with cuttable(line, two_tags, queue=20) as (trail, proxy):
            await outage(line, trail, proxy, 5)
            before = len(trail.batches)
            assert await trail.go_on(count=1)
            await trail.until(lambda: trail.values(FLOW)[-1] == 1004.0)
            assert trail.values(FLOW)[-5:] == [1000.0, 1001.0, 1002.0, 1003.0, 1004.0]
            assert column(trail.batches[before:], COUNT).tolist() == [7.0]

    asyncio.run(story())


@pytest.mark.journey
def test_a_full_queue_is_suspect_even_where_no_overflow_is_told(line: Any, two_tags: Any) -> None:
    async def story() -> None:
        async with cuttable(line, two_tags, queue=4) as (trail, proxy):
            await outage(line, trail, proxy, 14)
            assert not await trail.go_on(count=1)
            assert {1000.0 + i for i in range(14)} - set(trail.values(FLOW))

    asyncio.run(story())


@pytest.mark.journey
def test_a_subscription_whose_items_nobody_tells_is_made_anew(line: Any, two_tags: Any) -> None:
    async def story() -> None:
        async with cuttable(line, two_tags) as (trail, proxy):
            await outage(line, trail, proxy, 1)
            assert trail.ticket
            old = trail.ticket.kept["subscription"]
            trail.ticket = Ticket(trail.ticket.kept)
            assert not await trail.go_on(count=1)
            known = line.server.iserver.subscription_service.subscriptions
            assert trail.ticket.kept["subscription"] in known
            assert trail.ticket.kept["subscription"] != old

    asyncio.run(story())


@pytest.mark.journey
@pytest.mark.parametrize(
    "error", [UaStatusCodeError(0x801F0000), Rejected("of no use")], ids=["refused", "unreadable"]
)
def test_a_recovery_that_the_server_refuses_is_incomplete_and_said(
    error: Exception, line: Any, two_tags: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise error

    async def story() -> None:
        async with cuttable(line, two_tags) as (trail, _):
            first = await trail.enter()
            assert not await trail.source.recover(first.upto - 10**9, first.upto, trail.keep)
            notes = " ".join(trail.source.facts().notes)
            assert "what was missed could not be recovered" in notes

    monkeypatch.setattr(recovery, "find_nodes", refuse)
    asyncio.run(story())


@pytest.mark.journey
@pytest.mark.parametrize("error", [ConnectionResetError(), UaStatusCodeError(0x80250000)])
def test_a_recovery_that_is_cut_off_is_asked_for_again(
    error: Exception, line: Any, two_tags: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: object) -> None:
        raise error

    async def story() -> None:
        async with cuttable(line, two_tags) as (trail, _):
            first = await trail.enter()
            with pytest.raises(Unreachable, match="recovery was cut off"):
                await trail.source.recover(first.upto - 10**9, first.upto, trail.keep)

    monkeypatch.setattr(recovery, "find_nodes", cut)
    asyncio.run(story())


def batch(*status: int, upto: int = 100, tags: int = 1) -> Batch:
    n = len(status)
    return Batch(
        source="plc",
        tag=np.arange(n, dtype=np.int32) % tags,
        at=np.full(n, upto, np.int64),
        value=np.zeros(n),
        status=np.array(status, np.uint32),
        upto=upto,
        received=0,
        heard=upto,
    )


def message(sequence: int, *, keep_alive: bool = False) -> Published:
    return columns(0, Rows(0), 0, sequence=sequence, keep_alive=keep_alive)


def running(**more: Any) -> Running:
    return Running(Subscription(7, 100.0, 2.0), 0, **more)


def test_nothing_is_whole_before_the_first_message() -> None:
    one = running()
    assert not one.whole(10**18)
    one.delivered(batch(0, upto=100), ())
    assert one.whole(100)
    assert not one.whole(99)


@pytest.mark.parametrize(
    ("status", "whole"),
    [
        (0x0480, False),
        (0x40900480, False),
        (0x0400, True),
        (0x0500, True),
        (0x0C80, True),
        (0, True),
    ],
)
def test_an_overflow_is_a_hole_before_its_batch(status: int, whole: bool) -> None:
    one = running(whole_from=0)
    one.delivered(batch(0, status, upto=200), ())
    assert one.whole(200) is whole
    assert one.whole(201)


def test_a_message_lost_for_good_is_a_hole_before_the_next() -> None:
    one = running(whole_from=0, progress=Progress(hole=True))
    assert not one.whole(10**18)
    one.delivered(batch(0, upto=200), (), shows=False)
    assert not one.whole(10**18), "it was told behind this batch"
    one.delivered(batch(0, upto=300), ())
    assert one.whole(301)
    assert not one.whole(300), "the watermark need not have moved since"


@pytest.mark.parametrize(
    ("published", "at", "whole"),
    [
        (END, END, True),
        (END - 9, 5, True),
        (END + 9, END, True),
        (END + 9, END + 1, False),
        (END - 9, END + 1, False),
        (END + 9, 5, False),
    ],
    ids=["the last", "one before", "with a new time", "newer", "clock ahead", "clock behind"],
)
def test_what_another_process_stored_has_to_join_what_the_server_still_has(
    published: int, at: int, whole: bool
) -> None:
    one = running(whole_from=0, unshown=NEVER_SHOWN)
    one.delivered(batch(0, upto=END + 100), ())
    assert not one.whole(END)
    assert one.whole(END + 100), "what comes after it was taken over is not in doubt"
    one.joins(replace(message(5), published=published, at=np.array([at])), END)
    assert one.whole(END) is whole


def test_what_may_still_be_republished_is_missing() -> None:
    progress = Progress()
    progress.miss([5])
    assert not running(whole_from=0, progress=progress).whole(100)


@pytest.mark.parametrize(
    ("queue", "shorter", "rows", "whole"),
    [(4, False, 3, True), (4, False, 4, False), (4, True, 1, False), (1, False, 1, False)],
)
def test_a_full_queue_is_suspect(queue: int, shorter: bool, rows: int, whole: bool) -> None:
    one = running(whole_from=0)
    one.subscription.shorter |= {0} if shorter else set()
    one.crowded(batch(*[0] * rows), queue)
    assert one.whole(50) is whole


def test_a_quiet_outage_fills_no_queue() -> None:
    one = running(whole_from=0)
    one.crowded(batch(), 1)
    assert one.whole(50)


def test_messages_are_acknowledged_by_the_batches_that_brought_them() -> None:
    one = running()
    live = batch(0, upto=1)
    again = replace(live, recovered=Recovery.REPUBLISH)
    one.delivered(live, [message(4)])
    one.delivered(again, [message(2), message(3), message(5, keep_alive=True)])
    one.stored(again)
    one.stored(again)
    one.stored(live)
    assert list(one.progress.acknowledgements) == [2, 3]
    newer = replace(live, heard=2)
    one.delivered(newer, [message(6)])
    one.stored(newer)
    assert list(one.progress.acknowledgements) == [2, 3, 4], "the newest shows where we stood"


def test_the_fingerprint_is_of_what_would_be_subscribed(line: Any, two_tags: Any) -> None:
    ours = fingerprint(line.config(), two_tags)
    assert fingerprint(line.config(), two_tags[::-1]) == ours
    assert fingerprint(line.config(timeout_s=9), two_tags) == ours
    assert fingerprint(line.config(queue=9), two_tags) != ours
    assert fingerprint(line.config(), two_tags[:1]) != ours
