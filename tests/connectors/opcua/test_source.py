"""The source against asyncua's server: quick, without security."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua

from connectors.checks import ALL_CHECKS, Check, SourceUnderTest, check_reconnects
from connectors.opcua import batches
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from plant.errors import Misconfigured, Rejected, Unreachable
from plant.quality import Status
from plant.samples import Batch
from plant.tags import Tag, TagHandle, ValueType
from tests.connectors.opcua.reading import all_of, anything, last_of, texts, until

pytestmark = pytest.mark.journey


def test_values_types_statuses_and_times(line: Any, tags_of: Any) -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)

    async def story() -> None:
        tags = tags_of(["s=Line1.Level", "/Line1/Count", "Line1/Running", "s=Line1.Recipe"])
        async with OpcUaSource(line.config(), tags) as source:
            first = await all_of(source, 10, 11, 12, 13)
            assert last_of(first) == {10: 0.0, 11: 7.0, 12: 1.0}
            assert texts(first) == [(13, "none")]
            uncertain = ua.DataValue(ua.Variant(2.5), ua.StatusCode(0x40900000), when)
            await line.put("Level", uncertain)
            last = await until(source, anything)
            assert last.value.tolist() == [2.5]
            assert last.status.tolist() == [0x40900000]
            assert last.at.tolist() == [1_767_323_045_678_901_000]
            assert last.upto >= first[-1].upto

    asyncio.run(story())


def test_refused_tags_are_bad_at_once_and_listed(line: Any, tags_of: Any) -> None:
    async def story() -> None:
        tags = tags_of(["s=Line1.Flow", "s=Line1.Gone", "Line1/Gone", "i=9999"])
        async with OpcUaSource(line.config(), tags) as source:
            read = [await source.read()]
            assert {11, 12, 13} <= set(read[0].tag.tolist())
            read += await all_of(source, *{10}.difference(read[0].tag.tolist()))
            assert {one.tag.handle: one.status for one in source.refused} == {
                11: Status.BAD_NODE_ID_UNKNOWN,
                12: 0x806F0000,
                13: Status.BAD_NODE_ID_UNKNOWN,
            }
            assert last_of(read, "status") == {
                10: 0,
                11: Status.BAD_NODE_ID_UNKNOWN,
                12: 0x806F0000,
                13: Status.BAD_NODE_ID_UNKNOWN,
            }
            await line.set("Flow", 3.5)
            later = await until(source, anything)
            assert later.tag.tolist() == [10]

    asyncio.run(story())


def test_an_unknown_namespace_refuses_its_tags(line: Any, tags_of: Any) -> None:
    async def story() -> None:
        stray = Tag(name="a/b", source="plc", address="nsu=urn:other;s=Line1.Flow")
        async with OpcUaSource(line.config(), [TagHandle(10, stray)]) as source:
            assert (await source.read()).status.tolist() == [Status.BAD_NODE_ID_UNKNOWN]

    asyncio.run(story())


def test_declared_types(line: Any, tags_of: Any) -> None:
    """A number wanted as text keeps its digits; a text where a number was declared is Bad."""

    async def story() -> None:
        tags = [
            *tags_of(["s=Line1.Serial"], type=ValueType.TEXT),
            *tags_of(["s=none", "s=Line1.Recipe"], type=ValueType.FLOAT64)[1:],
        ]
        async with OpcUaSource(line.config(), tags) as source:
            read = await all_of(source, *(tag.handle for tag in tags))
            assert [text for _, text in texts(read)] == [str(2**63 + 1)]
            assert list(last_of(read, "status").values()) == [Status.BAD_TYPE_MISMATCH]

    asyncio.run(story())


def test_a_quiet_server_stays_alive_by_its_keep_alives(line: Any, tags_of: Any) -> None:
    async def story() -> None:
        async with OpcUaSource(line.config(), tags_of(["s=Line1.Count"])) as source:
            first, alive = await until(source, anything), await until(source, lambda _: True)
            assert (len(first), len(alive)) == (1, 0)
            assert first.upto < alive.upto

    asyncio.run(story())


def test_small_calls_give_the_same(line: Any, tags_of: Any) -> None:
    async def story() -> None:
        tags = tags_of([f"Line1/T{i}" for i in range(25)])
        async with OpcUaSource(line.config(items_per_call=7), tags) as source:
            read = await all_of(source, *range(10, 35))
            told = [value for batch in read for value in batch.value.tolist()]
            assert sorted(told) == [float(i) for i in range(25)]

    asyncio.run(story())


def test_a_tag_twice_in_one_publish_stands_in_time_order(line: Any, tags_of: Any) -> None:
    async def story() -> None:
        tags = tags_of(["s=Line1.Flow", "s=Line1.Level"])
        async with OpcUaSource(line.config(publishing_ms=500.0), tags) as source:
            await all_of(source, 10, 11)
            # Nothing is published between them, however slow the machine is.
            await line.set_in_one_go(("Flow", "Level"), (11.0, 12.0, 13.0))
            batch = await until(source, anything)
            assert batch.value[batch.tag == 10].tolist() == [11.0, 12.0, 13.0]
            assert batch.value[batch.tag == 11].tolist() == [11.0, 12.0, 13.0]

    asyncio.run(story())


def test_the_comparison_path_gives_the_same(line: Any, tags_of: Any) -> None:
    async def story() -> None:
        tags = tags_of(["s=Line1.Flow", "s=Line1.Gone", "s=Line1.Recipe"])
        async with OpcUaSource(line.config(decode="handler"), tags) as source:
            first = await all_of(source, 10, 12)
            assert [one.tag.handle for one in source.refused] == [11]
            await line.set("Flow", 42.5)
            later = await until(source, anything)
            assert later.value.tolist() == [42.5]
            assert texts(first) == [(12, "none")]

    asyncio.run(story())


async def heard(source: OpcUaSource) -> Batch:
    """Read until a value comes, and acknowledge nothing."""
    async with asyncio.timeout(60):
        while not len(batch := await source.read()):
            pass
        return batch


def test_unacknowledged_messages_stay_at_the_server(line: Any, tags_of: Any) -> None:
    async def story() -> None:
        config = line.config(publish_requests=1)
        async with OpcUaSource(config, tags_of(["s=Line1.Flow"])) as source:
            read = [await heard(source)]
            for value in (21.0, 22.0, 23.0):
                await line.set("Flow", value)
                read.append(await heard(source))
            assert len(await line.kept()) == 4
            for batch in read:
                await source.acknowledge(batch)
            assert len(await line.kept()) == 4
            await line.set("Flow", 24.0)
            await heard(source)
            # The newest that is stored shows another process where we stood.
            assert len(await line.kept()) == 2

    asyncio.run(story())


def test_values_that_are_set_aside_are_missing(
    line: Any, tags_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with OpcUaSource(line.config(), tags_of(["s=Line1.Flow"])) as source:
            with monkeypatch.context() as patched:
                patched.setattr(batches, "MAX_ROWS", 0)
                with pytest.raises(Rejected, match="at most 0"):
                    await until(source, anything)
            await line.put("Flow", ua.DataValue(ua.Variant(11.0)))
            assert (await until(source, anything)).value.tolist() == [11.0]
            assert source.gaps == 1

    asyncio.run(story())


def test_a_false_address_is_told_before_connecting(line: Any) -> None:
    wrong = Tag(name="a/b", source="plc", address="ns=2;s=Flow")
    with pytest.raises(Misconfigured, match="nsu=<uri>;s=Flow"):
        OpcUaSource(line.config(), [TagHandle(10, wrong)])


def test_a_silent_server_is_given_up_in_time(tags_of: Any) -> None:
    """It takes the connection and never says a word."""
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        gone.set()

    async def story() -> float:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        config = OpcUaConfig(
            name="plc", url=f"opc.tcp://127.0.0.1:{port}", security="none", timeout_s=0.3
        )
        source = OpcUaSource(config, tags_of(["s=a"]))
        started = time.monotonic()
        async with server:
            with pytest.raises(Unreachable, match="no answer in time"):
                await source.__aenter__()
            await asyncio.wait_for(gone.wait(), 60)
        return time.monotonic() - started

    assert asyncio.run(story()) < 30  # a hundred times the timeout


@asynccontextmanager
async def changing(line: Any) -> AsyncIterator[None]:
    """Let Flow change every 50 ms; Level stays Uncertain."""

    async def change() -> None:
        for value in itertools.count(100.0):
            await line.set("Flow", value)
            await asyncio.sleep(0.05)

    await line.put("Level", ua.DataValue(ua.Variant(1.0), ua.StatusCode(0x40900000)))
    task = asyncio.create_task(change())
    yield
    task.cancel()
    await asyncio.wait([task])


# A restart is told with the PLC, which has a process of its own.
@pytest.mark.parametrize("check", [one for one in ALL_CHECKS if one is not check_reconnects])
def test_contract(check: Check, line: Any, tags_of: Any) -> None:
    tags = tags_of(["s=Line1.Flow", "s=Line1.Level"])

    async def make() -> OpcUaSource:
        return OpcUaSource(line.config(), tags)

    async def unreachable() -> OpcUaSource:
        return OpcUaSource(line.config(url="opc.tcp://127.0.0.1:1"), tags)

    async def story() -> None:
        async with changing(line):
            handles = [tag.handle for tag in tags]
            await check(SourceUnderTest(make, handles, unreachable=unreachable, spoiled=make))

    asyncio.run(story())
