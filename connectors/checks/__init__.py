"""The contract suite of sources: what every implementation has to pass.

A connector's tests describe their peer once as a `SourceUnderTest` and run every check with it; a
check that cannot apply is left out with its reason::

    EXEMPT = {check_reconnects: "a file does not restart"}

    @pytest.mark.parametrize("check", applicable(EXEMPT))
    def test_contract(check, source_under_test):
        asyncio.run(check(source_under_test))
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from connectors.checks.demands import (
    LEAVING_S,
    Hook,
    descriptors,
    given,
    raises,
    require,
    without,
)
from connectors.contract import (
    Acknowledging,
    Described,
    Recovering,
    Resumable,
    Source,
    Ticket,
)
from plant.errors import Exhausted, Misconfigured, PlantError, Unreachable
from plant.quality import is_good
from plant.samples import Batch, Recovery

BATCHES = 5
SILENCE_S = 1.0
UNREAD_SAMPLES = 1_000_000
"""Most samples that may have piled up while nobody read."""
TASKS = 8
"""Most tasks that may be added while nobody reads."""
RETRY_S = 0.1
SETTLING_S = 0.01


@dataclass(frozen=True, slots=True)
class SourceUnderTest:
    """How to get at a source and at what it reads.

    Parameters
    ----------
    make
        Gives a fresh source, not entered, whose peer is up.
    handles
        The tag handles that it may deliver.
    unreachable
        Gives a fresh source whose peer is off or missing.
    restart
        Stops the peer and starts it again at the same place.
    spoiled
        Gives a fresh source of which at least one tag is not Good.
    patience
        Longest wait for one batch and for a reconnect, seconds.
    """

    make: Callable[[], Awaitable[Source]]
    handles: Collection[int]
    unreachable: Callable[[], Awaitable[Source]] | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    spoiled: Callable[[], Awaitable[Source]] | None = None
    patience: float = 10.0


Check = Callable[[SourceUnderTest], Awaitable[None]]


def _hook(hook: Hook | None, name: str) -> Hook:
    return given(hook, "SourceUnderTest", name)


async def _read(source: Source, patience: float) -> Batch:
    try:
        return await asyncio.wait_for(source.read(), patience)
    except TimeoutError:
        raise AssertionError(f"read gave nothing within {patience} s") from None


async def _leave(source: Source) -> None:
    started = time.monotonic()
    await source.__aexit__(None, None, None)
    require(time.monotonic() - started <= LEAVING_S, f"leaving takes at most {LEAVING_S} s")


def _tasks() -> set["asyncio.Task[object]"]:
    return {task for task in asyncio.all_tasks() if not task.done()}


async def _nothing_left(use: Callable[[], Awaitable[None]]) -> None:
    """Run `use` and wait until every task and socket that it opened has gone."""
    tasks, files = _tasks(), descriptors()
    await use()
    for _ in range(round(LEAVING_S / SETTLING_S)):
        if _tasks() <= tasks and descriptors() <= files:
            break
        await asyncio.sleep(SETTLING_S)
    names = sorted(task.get_name() for task in _tasks() - tasks)
    require(not names, f"tasks are left behind: {', '.join(names)}")
    require(descriptors() <= files, "a socket or file is left open")


async def check_fits_protocol(peer: SourceUnderTest) -> None:
    """See that it has the methods of `Source` and a name."""
    source = await peer.make()
    require(isinstance(source, Source), f"{type(source).__name__} is not a Source")
    require(source.name, "a source has a name")


async def check_open_close_twice(peer: SourceUnderTest) -> None:
    """Open and close two sources one after the other; closing again changes nothing."""

    async def use() -> None:
        for _ in range(2):
            source = await peer.make()
            entered = await source.__aenter__()
            await _leave(source)
            await _leave(source)
            require(entered is source, "entering gives the source itself")

    await _nothing_left(use)


async def check_close_without_open(peer: SourceUnderTest) -> None:
    """Leave a source that was never entered: nothing happens."""
    await _leave(await peer.make())


async def check_close_after_failed_open(peer: SourceUnderTest) -> None:
    """Enter while the peer is missing: it raises, nothing stays open, and leaving works."""
    unreachable = _hook(peer.unreachable, "unreachable")

    async def use() -> None:
        source = await unreachable()
        with raises(Unreachable, Misconfigured, when="entering while the peer is missing"):
            await source.__aenter__()
        await _leave(source)

    await _nothing_left(use)


async def check_read_after_close_raises(peer: SourceUnderTest) -> None:
    """Read a source that was left: one of the four errors, and soon."""
    source = await peer.make()
    await source.__aenter__()
    await _leave(source)
    with raises(PlantError, when="read after leaving"):
        await _read(source, peer.patience)


async def check_cancelled_read_leaves_nothing_open(peer: SourceUnderTest) -> None:
    """Cancel a read and leave: no task and no socket stays."""

    async def use() -> None:
        async with await peer.make() as source:
            await _cancelled_read(source)

    await _nothing_left(use)


async def check_reads_on_after_cancel(peer: SourceUnderTest) -> None:
    """Cancel a read: the next one delivers."""
    async with await peer.make() as source:
        await _cancelled_read(source)
        _known(await _read(source, peer.patience), peer.handles)


async def _cancelled_read(source: Source) -> None:
    reading = asyncio.ensure_future(source.read())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    require(
        reading.cancelled() or reading.exception() is None,
        "a cancelled read raises CancelledError and nothing else",
    )


async def _batches(source: Source, patience: float, count: int) -> list[Batch]:
    batches: list[Batch] = []
    try:
        while len(batches) < count:
            batches.append(await _read(source, patience))
    except Exhausted:
        require(batches, "a finite source delivers something before it is exhausted")
    return batches


async def check_batches_fit(peer: SourceUnderTest) -> None:
    """Hold batches to the contract: handles known, times ordered, watermark and ages forward."""
    async with await peer.make() as source:
        batches = await _batches(source, peer.patience, BATCHES)
    require(any(len(batch) for batch in batches), f"{BATCHES} batches hold at least one sample")
    for batch in batches:
        require(batch.source == source.name, f"batch.source is the source's name, {source.name}")
        _known(batch, peer.handles)
        _not_ahead(batch)
    for earlier, later in pairwise(batches):
        require(earlier.upto <= later.upto, "upto never goes back")
        require(earlier.heard <= later.heard, "heard (monotonic) never goes back")
    _in_order(batches)


def _known(batch: Batch, handles: Collection[int]) -> None:
    delivered = {*batch.tag.tolist(), *(event.tag for event in batch.context)}
    strangers = delivered.difference(handles)
    require(not strangers, f"delivers handles that are not its tags: {sorted(strangers)}")


def _not_ahead(batch: Batch) -> None:
    newest = max([*batch.at.tolist(), *(event.at for event in batch.context)], default=batch.upto)
    require(newest <= batch.upto, f"a sample at {newest} is newer than upto {batch.upto}")
    require(batch.heard <= time.monotonic_ns(), "heard is time.monotonic_ns() at the read")
    require(batch.received <= time.time_ns(), "received is time.time_ns() at the read")


def _in_order(batches: Collection[Batch]) -> None:
    tag = np.concatenate([batch.tag for batch in batches])
    at = np.concatenate([batch.at for batch in batches])
    by_tag = np.argsort(tag, kind="stable")
    same = np.diff(tag[by_tag]) == 0
    back = np.flatnonzero(same & (np.diff(at[by_tag]) < 0))
    require(not len(back), f"time of handle {tag[by_tag][back][:1]} goes back")


async def check_good_is_a_number(peer: SourceUnderTest) -> None:
    """Look for Good samples without a value; whatever has none says so in its status."""
    async with await peer.make() as source:
        for batch in await _batches(source, peer.patience, BATCHES):
            empty = is_good(batch.status) & ~np.isfinite(batch.value)
            require(not empty.any(), f"handles {batch.tag[empty][:5]} are Good without a value")


async def check_bad_quality_passed_on(peer: SourceUnderTest) -> None:
    """Await a value that is not Good: it comes as a sample, neither dropped nor raised."""
    spoiled = _hook(peer.spoiled, "spoiled")
    async with await spoiled() as source:
        for batch in await _batches(source, peer.patience, BATCHES):
            if not is_good(batch.status).all():
                return
    raise AssertionError(f"none of {BATCHES} batches holds the value that is not Good")


async def check_unread_is_bounded(peer: SourceUnderTest) -> None:
    """Leave it unread for a while: neither tasks nor samples pile up."""
    async with await peer.make() as source:
        await _read(source, peer.patience)
        tasks = _tasks()
        await asyncio.sleep(SILENCE_S)
        require(len(_tasks() - tasks) <= TASKS, f"more than {TASKS} tasks while nobody reads")
        with suppress(Exhausted):
            unread = len(await _read(source, peer.patience))
            require(unread <= UNREAD_SAMPLES, f"{unread} samples piled up unread")


async def check_acknowledges_without_waiting(peer: SourceUnderTest) -> None:
    """Acknowledge batches, where the source can: it takes note and does not wait."""
    async with await peer.make() as source:
        if not isinstance(source, Acknowledging):
            return
        for batch in await _batches(source, peer.patience, BATCHES):
            await _at_once(source.acknowledge(batch))


async def _at_once(note: Coroutine[Any, Any, None]) -> None:
    try:
        await asyncio.wait_for(note, RETRY_S)
    except TimeoutError:
        raise AssertionError("acknowledge takes note and does not wait") from None


async def check_reconnects(peer: SourceUnderTest) -> None:
    """Restart the peer: the old source reads on or says `Unreachable`, a fresh one reads.

    As the supervisor does it: leave, and enter a fresh source until it delivers.
    """
    restart = _hook(peer.restart, "restart")
    async with await peer.make() as source:
        await _read(source, peer.patience)
        await restart()
        with suppress(Unreachable):
            await _batches(source, peer.patience, BATCHES)
    deadline = time.monotonic() + peer.patience
    while not await _delivers_good(peer):
        require(time.monotonic() < deadline, f"no Good value {peer.patience} s after a restart")
        await asyncio.sleep(RETRY_S)


async def _delivers_good(peer: SourceUnderTest) -> bool:
    try:
        async with await peer.make() as source:
            batches = await _batches(source, peer.patience, BATCHES)
    except Unreachable:
        return False
    return any(is_good(batch.status).any() for batch in batches)


async def check_tells_facts(peer: SourceUnderTest) -> None:
    """Ask for its facts, where it has them: they are there at once and make sense."""
    async with await peer.make() as source:
        if not isinstance(source, Described):
            return
        await _read(source, peer.patience)
        facts = source.facts()
    require(facts.endpoint, "facts name the endpoint")
    require(facts.security, "facts say what protects the connection, or none")
    trip = facts.round_trip_ms
    require(trip is None or 0 < trip < 1000 * peer.patience, f"no round trip takes {trip} ms")
    require(all(note.strip() for note in facts.notes), "a note is a sentence")


async def check_resumes(peer: SourceUnderTest) -> None:
    """Lose a source and take up its connection, where it can; once more from what was written."""
    lost = await peer.make()
    await lost.__aenter__()
    if not isinstance(lost, Resumable):
        await _leave(lost)
        return
    await _read(lost, peer.patience)
    ticket = _ticket(lost)
    await _lose(lost)
    second = await _resumed(peer, ticket)
    ticket = _ticket(second)
    await _lose(second)
    await _leave(await _resumed(peer, Ticket(_written(ticket))))


async def check_stale_ticket_does_no_harm(peer: SourceUnderTest) -> None:
    """Hand over a ticket that nobody gave out, where it takes tickets: it reads all the same."""
    source = await peer.make()
    if isinstance(source, Resumable):
        await _leave(await _resumed(peer, Ticket({"stale": 1, "subscription": 1}, held=object())))
    await _leave(source)


def _ticket(source: Source) -> Ticket:
    ticket = source.ticket() if isinstance(source, Resumable) else None
    if ticket is None:
        raise AssertionError("a source that can be taken up again has a ticket while it is entered")
    return ticket


def _written(ticket: Ticket) -> dict[str, Any]:
    try:
        written: dict[str, Any] = json.loads(json.dumps(dict(ticket.kept)))
    except TypeError as error:
        raise AssertionError(f"what a ticket keeps can be written down: {error}") from None
    return written


async def _lose(source: Source) -> None:
    await source.__aexit__(Unreachable, Unreachable("cut"), None)


async def _resumed(peer: SourceUnderTest, ticket: Ticket) -> Source:
    source = await peer.make()
    require(isinstance(source, Resumable), "a fresh source takes the ticket of another")
    if isinstance(source, Resumable):
        source.resume(ticket)
    await source.__aenter__()
    delivered = await _batches(source, peer.patience, BATCHES)
    require(any(len(batch) for batch in delivered), "a connection taken up delivers samples")
    return source


async def check_recovers(peer: SourceUnderTest) -> None:
    """Let it recover what it can, beside reading: nothing of it passes for the present."""
    recovered: list[Batch] = []

    async def deliver(batch: Batch) -> None:
        recovered.append(batch)

    async with await peer.make() as source:
        if not isinstance(source, Recovering):
            return
        first = await _read(source, peer.patience)
        recovery = asyncio.create_task(source.recover(first.upto - 1, first.upto, deliver))
        await _batches(source, peer.patience, BATCHES)
        complete = await asyncio.wait_for(recovery, peer.patience)
    require(isinstance(complete, bool), "recover tells whether nothing is missing now")
    for batch in recovered:
        require(batch.recovered is not Recovery.NONE, "recovered batches say how they came")
        require(batch.replayed, "recovered batches are replayed")
        _known(batch, peer.handles)


ALL_CHECKS: tuple[Check, ...] = (
    check_fits_protocol,
    check_open_close_twice,
    check_close_without_open,
    check_close_after_failed_open,
    check_read_after_close_raises,
    check_cancelled_read_leaves_nothing_open,
    check_reads_on_after_cancel,
    check_batches_fit,
    check_good_is_a_number,
    check_bad_quality_passed_on,
    check_unread_is_bounded,
    check_acknowledges_without_waiting,
    check_tells_facts,
    check_resumes,
    check_stale_ticket_does_no_harm,
    check_recovers,
    check_reconnects,
)


def applicable(exempt: Mapping[Check, str]) -> list[Check]:
    """Give every check but the exempt ones; each exemption needs its reason in words."""
    return without(ALL_CHECKS, exempt)
