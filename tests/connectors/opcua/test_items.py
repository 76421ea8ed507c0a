"""Tags that the server refuses, loses, limits or has in arrays: against node-opcua."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.opcua import retries
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.source import OpcUaSource
from gateway.journal import Journal, SampleRecord
from plant.errors import Unreachable
from plant.quality import Status
from plant.samples import Batch
from tests.connectors.opcua.reading import all_of, last_of, texts, until

pytestmark = pytest.mark.journey
STAMP_NS = 1_767_323_045_678_000_000
SERVED_NS = 1_767_323_046_789_000_004


def plain(plc: Any, **more: Any) -> OpcUaConfig:
    """Its queues hold more than a busy machine holds a reader up."""
    settings = {"name": "plc", "url": plc.url, "security": "none", "publishing_ms": 50.0}
    return OpcUaConfig.model_validate({**settings, "queue": 1000, **more})


def status_of(tag: int, status: int) -> Callable[[Batch], bool]:
    return lambda batch: bool(((batch.tag == tag) & (batch.status == status)).any())


@pytest.fixture(scope="module")
def plc(start_plc: Any) -> Any:
    return start_plc("many=120", "limits=40", "items=100")


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_S", 0.2)
    monkeypatch.setattr(retries, "LONGEST_S", 0.4)


@pytest.mark.parametrize("form", ["s=Line1.{}", "Line1/{}"], ids=["identifier", "path"])
def test_a_node_deleted_and_put_back_heals_without_touching_the_others(
    form: str, plc: Any, tags_of: Any
) -> None:
    tags = tags_of([form.format(name) for name in ("Loose", "Flow")])

    async def story() -> None:
        read: list[Batch] = []
        async with OpcUaSource(plain(plc, sampling_ms=0), tags) as source:
            await until(source, status_of(10, 0), read)
            await asyncio.to_thread(plc.say, "delete Loose")
            await until(source, lambda batch: (batch.status[batch.tag == 10] >= Status.BAD).any())
            (refused,) = source.refused
            assert refused.tag.handle == 10
            assert "site/line/" in source.facts().notes[-1]
            # Long enough that it has been tried in vain.
            for _ in range(12):
                await until(source, lambda batch: (batch.tag == 11).any(), read)
            await asyncio.to_thread(plc.say, "add Loose")
            back = await until(source, status_of(10, 0), read)
            assert back.value[back.tag == 10].tolist() == [2.0]
            assert source.refused == ()
            assert source.facts().notes == ()
            await asyncio.to_thread(plc.say, "delete Loose")
            await until(source, lambda batch: (batch.status[batch.tag == 10] >= Status.BAD).any())
            await asyncio.to_thread(plc.say, "add Loose")
            await until(source, status_of(10, 0))

    asyncio.run(story())


def test_nothing_of_the_others_is_lost_meanwhile(plc: Any, tags_of: Any) -> None:
    """Flow counts up by one every 50 ms; no step is missing while another node goes and comes."""
    tags = tags_of(["s=Line1.Flow", "s=Line1.Loose", "s=Line1.Never"])

    async def story() -> None:
        read: list[Batch] = []
        async with OpcUaSource(plain(plc, sampling_ms=0), tags) as source:
            await until(source, status_of(11, 0), read)
            await asyncio.to_thread(plc.say, "delete Loose")
            await until(source, lambda b: (b.status[b.tag == 11] >= Status.BAD).any(), read)
            for _ in range(6):
                await until(source, lambda batch: (batch.tag == 10).any(), read)
            await asyncio.to_thread(plc.say, "add Loose")
            await until(source, status_of(11, 0), read)
            assert {one.tag.handle for one in source.refused} == {12}
        flow = np.concatenate([batch.value[batch.tag == 10] for batch in read])
        assert len(flow) > 5
        assert np.all(np.diff(flow) == 1)
        told = [status for batch in read for status in batch.status[batch.tag == 12]]
        assert told == [Status.BAD_NODE_ID_UNKNOWN]

    asyncio.run(story())


def test_what_exceeds_the_servers_monitored_items_is_polled(plc: Any, tags_of: Any) -> None:
    """120 nodes that stand still and one that moves, 100 items, 40 nodes a call."""
    tags = tags_of([*(f"s=Line1.T{i}" for i in range(120)), "s=Line1.Recipe", "s=Line1.Count"])

    async def story() -> None:
        read: list[Batch] = []
        async with OpcUaSource(plain(plc), tags) as source:
            seen: set[int] = set()

            def complete(batch: Batch) -> bool:
                seen.update(batch.tag.tolist(), (event.tag for event in batch.context))
                return len(seen) == 122

            await until(source, complete, read)
            (note,) = source.facts().notes
            assert note == (
                "100 items monitored, 22 polled: the server allows no more "
                "(it says 100 a subscription)"
            )
            first = {
                int(tag): float(value)
                for batch in read
                for tag, value in zip(batch.tag, batch.value, strict=True)
                if tag < 130
            }
            assert first == {10 + i: float(i) for i in range(120)}
            later: list[Batch] = []
            for _ in range(4):
                await until(source, lambda batch: (batch.tag == 131).any(), later)
            # What stands still is told once.
            assert {tag for batch in later for tag in batch.tag.tolist()} == {131}
            counts = np.concatenate([batch.value[batch.tag == 131] for batch in later])
            assert np.all(np.diff(counts) > 0)
            uptos = [batch.upto for batch in read + later]
            assert uptos == sorted(uptos)
            assert uptos[0] > 0

    asyncio.run(story())


@pytest.mark.parametrize(("others", "whole"), [(0, True), (100, False)])
def test_of_what_is_polled_an_interruption_leaves_a_hole(
    others: int, whole: bool, plc: Any, tags_of: Any
) -> None:
    """The subscription goes on without loss; nobody kept what was not polled meanwhile."""
    tags = tags_of(["s=Line1.Flow", *(f"s=Line1.T{i}" for i in range(others))])

    async def keep(_: Batch) -> None:
        return None

    async def story() -> bool:
        first = OpcUaSource(plain(plc, sampling_ms=0), tags)
        await first.__aenter__()
        last = await until(first, lambda batch: (batch.tag == 10).any())
        ticket = first.ticket()
        assert ticket
        await first.__aexit__(Unreachable, Unreachable(""), None)
        second = OpcUaSource(plain(plc, sampling_ms=0), tags)
        second.resume(ticket)
        async with second:
            here = await until(second, lambda batch: (batch.tag == 10).any())
            recovery = asyncio.create_task(second.recover(last.upto, here.upto, keep))
            await until(second, lambda _: recovery.done())
            return await recovery

    assert asyncio.run(story()) == whole


ELEMENTS = {
    "s=Line1.Temps;[1]": 11.5,
    "Line1/Temps;[2]": 12.5,
    "s=Line1.Flags;[1]": 1.0,
    "s=Line1.Grid;[1,2]": 12.0,
}


def test_elements_of_arrays(plc: Any, tags_of: Any) -> None:
    tags = tags_of([*ELEMENTS, "s=Line1.Temps", "s=Line1.Temps;[3]", "s=Line1.Names;[1]"])

    async def story() -> None:
        async with OpcUaSource(plain(plc), tags) as source:
            read = await all_of(source, *range(10, 17))
            values, statuses = last_of(read), last_of(read, "status")
            assert [values[10 + i] for i in range(4)] == list(ELEMENTS.values())
            assert [statuses[10 + i] for i in range(4)] == [0] * 4
            assert statuses[14] == Status.BAD_TYPE_MISMATCH
            assert statuses[15] == 0x80370000
            assert texts(read) == [(16, "two")]

    asyncio.run(story())


# StatusCode with its info bits, and picoseconds, as nodes.js has them.
STATUSES = {
    "Good": (0, 1),
    "Overflow": (0x0480, 2_000),
    "High": (0x0600, 99_000),
    "Interpolated": (0x0402, 0),
    "LocalOverride": (0x00960000, 12300),
    "Uncertain": (0x40000000, 4500),
    "LastUsable": (0x40900500, 6700),
    "SubNormal": (0x40950700, 0),
    "Exceeded": (0x40940480, 100),
    "Sensor": (0x808C0500, 200),
    "Device": (0x808B0000, 300),
}


# A server stamps with its own clock what it is asked for; a notification carries the stored stamp.
@pytest.mark.parametrize(
    ("polled", "served_from", "served_to"),
    [(False, SERVED_NS, SERVED_NS), (True, SERVED_NS + 1, 2**63)],
    ids=["monitored", "polled"],
)
def test_statuses_and_times_are_those_of_the_server_bit_by_bit_in_the_journal(
    polled: bool, served_from: int, served_to: int, plc: Any, tags_of: Any, tmp_path: Path
) -> None:
    others = [f"s=Line1.T{i}" for i in range(100 * polled)]
    wanted = tags_of([*others, *(f"s=Line1.Status{name}" for name in STATUSES)])

    async def story(journal: Journal) -> None:
        tags = journal.register([one.tag for one in wanted], at=0)
        missing = {one.handle for one in tags}
        async with OpcUaSource(plain(plc), tags) as source:
            async with asyncio.timeout(60):
                while missing:
                    batch = await source.read()
                    journal.append(SampleRecord(batch, np.zeros(len(batch), np.uint8)))
                    missing -= set(batch.tag.tolist())
            assert bool(source.facts().notes) == polled
        await journal.commit()

    with closing(Journal.open(tmp_path / "journal")) as journal:
        asyncio.run(story(journal))
    with closing(Journal.open(tmp_path / "journal")) as journal:
        names = {
            one.handle: one.tag.name for one in journal.register([o.tag for o in wanted], at=0)
        }
        kept = [entry for _, entry in journal.read(kinds=[SampleRecord])]
    told = {
        names[tag].rpartition("Status")[2]: (status, at)
        for record in kept
        for tag, status, at, _ in zip(*columns(record), strict=True)
        if "Status" in names[tag]
    }
    assert told == {
        name: (status, STAMP_NS + picoseconds // 1000)
        for name, (status, picoseconds) in STATUSES.items()
    }
    fixed = [
        served
        for record in kept
        for tag, _, _, served in zip(*columns(record), strict=True)
        if "Status" in names[tag]
    ]
    assert served_from <= min(fixed) <= max(fixed) <= served_to


def columns(record: Any) -> tuple[list[int], list[int], list[int], list[int]]:
    batch = record.batch
    return batch.tag.tolist(), batch.status.tolist(), batch.at.tolist(), batch.served.tolist()
