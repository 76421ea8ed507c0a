"""Keeps sources and detectors alive: the one place that knows back-off, re-entry and last resorts.

It is also the only place that catches every exception: a connector or detector that fails in a way
nobody foresaw is reported with its reason, benched or tried again, and the rest goes on.
"""

import asyncio
import random
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Protocol, runtime_checkable

from connectors.contract import Described, Facts, Recovering, Resumable, Source
from gateway.link import Link, LinkState
from plant.errors import Exhausted, Misconfigured, PlantError, Rejected, Unreachable
from plant.gaps import Gap, GapCause
from plant.quality import Status
from plant.samples import Batch, empty_columns, uniform_batch

BACKOFF_S = (0.5, 1.0, 1.5)
"""Waits between attempts; never longer than the last, or recovery outlasts the fault. With the
jitter an attempt begins within 1.8 s of the source's return: 3 s are left for a busy server."""
JITTER = 0.2
MISCONFIGURED_S = 30.0
"""A person has to mend it; look again this often, so that no restart is needed afterwards."""
HEARTBEAT_S = 1.0
UNUSABLE = 5
"""Answers one after the other that cannot be used: such a link only seems to be up."""
QUEUED_S = 10.0
"""Longest wait for what a server had queued in a gap, before the rest is asked for, s."""
STAMPED_NS, STAMPED_S = 1_000_000_000, 2.0
"""How far behind the end of a gap values must have come, ns of the source's clock, and how long
that is waited for, s: a value that a busy server sends late may bear a time of before it."""
FETCHES = 3
FETCH_AGAIN_S = 10.0
"""A recovery that is cut off while its link stands is tried so often, with this wait, s."""
LET_GO_S = 1.0


@runtime_checkable
class Numbered(Protocol):
    """A source whose messages bear numbers, so that it knows when some are missing."""

    @property
    def gaps(self) -> int:
        """Messages that were lost on this connection."""
        ...


class Intake(Protocol):
    """Where the supervisor delivers."""

    async def take(self, batch: Batch, source: Source | None) -> None:
        """Judge and journal a batch; waits while the journal is behind."""
        ...

    async def fill(self, gap: int, batch: Batch, source: Source) -> None:
        """Journal what fills the gap of that number; waits while live batches need the room."""
        ...

    def link_changed(self, link: Link) -> None:
        """Journal and show that a link came up or was lost."""
        ...

    def ticket_changed(self, link: Link) -> None:
        """Journal what the next connection needs, if it is new."""
        ...

    def missed(self, batch: Batch, why: str) -> None:
        """Enter in the ledger that messages before `batch` are missing."""
        ...

    def unsettled(self, source: str) -> Sequence[Gap]:
        """Give the gaps of a source whose recovery is to be asked for, oldest first."""
        ...

    def settle(self, gap: int, *, complete: bool, why: str) -> None:
        """Enter in the ledger how the recovery of a gap ended."""
        ...

    def shares(self, source: str) -> bool:
        """Tell whether an asset waits for this source and another one."""
        ...


class Supervisor:
    """Runs every source of a gateway.

    Parameters
    ----------
    intake
        Takes what the sources deliver.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.links: dict[str, Link] = {}
        self.benched: dict[str, str] = {}
        self._entered: dict[str, Source] = {}

    def contain(self, name: str, call: Callable[[], Any]) -> Any:
        """Run a detector; one that fails is benched with its reason and gives None from then on."""
        if name in self.benched:
            return None
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the last resort that keeps acquisition running
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.benched[name] = f"{error!r} at {place.filename}:{place.lineno}"
            return None

    def let_off(self, name: str) -> str:
        """Take a detector that is run no more off the bench, and say why it was there."""
        return self.benched.pop(name, "")

    async def keep(self, link: Link, build: Callable[[], Source]) -> None:
        """Enter a source and read it for ever; re-enter after every loss, until it is exhausted."""
        self.links[link.name] = link
        attempt = -1
        while link.state is not LinkState.ENDED:
            why, state = await self._read_until_lost(link, build)
            was_up = bool(link.stood)
            attempt = 0 if link.go_down() else attempt + 1
            await self._lost(link, state, why, was_up=was_up)
            if state is LinkState.ENDED:
                return
            wait = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
            if state is LinkState.MISCONFIGURED:
                wait = MISCONFIGURED_S
            await self._wait(link, wait * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - jitter, no secret

    async def drain(self, link: Link, source: Source) -> None:
        """Read a finite source to its end, without pacing."""
        self.links.setdefault(link.name, link)
        async with source:
            while True:
                try:
                    batch = await source.read()
                except Exhausted:
                    return
                await self._intake.take(batch, source)

    def facts(self, name: str) -> Facts | None:
        """Give what a source says of its connection, or last said; None before its first word."""
        link, source = self.links.get(name), self._entered.get(name)
        if link is None:
            return None
        if isinstance(source, Described):
            try:
                link.facts = source.facts()
            except Exception:  # noqa: BLE001 - what a source says of itself stops nothing
                link.faults += 1
        return link.facts

    async def _read_until_lost(
        self, link: Link, build: Callable[[], Source]
    ) -> tuple[str, LinkState]:
        link.cause = GapCause.LINK
        source, entered = None, False
        try:
            source = build()
            if isinstance(source, Resumable) and link.ticket is not None:
                source.resume(link.ticket)
            async with source:
                entered = True
                await self._read_while_entered(link, source)
        except Unreachable as error:
            if source is not None and not entered:
                # One that was cut while entering may have left something at its server, too.
                self._keep_ticket(link, source)
            return str(error), LinkState.DOWN
        except Misconfigured as error:
            link.cause = GapCause.MISCONFIGURED
            return str(error), LinkState.MISCONFIGURED
        except Exhausted:
            return "the recording has ended", LinkState.ENDED
        except Exception as error:  # noqa: BLE001 - an unforeseen failure of one source stops no other
            return _unforeseen(error), LinkState.DOWN

    async def _read_while_entered(self, link: Link, source: Source) -> NoReturn:
        self._entered[link.name] = source
        self._keep_ticket(link, source)
        numbers = source if isinstance(source, Numbered) else None
        missed = 0
        recovery: asyncio.Task[None] | None = None
        try:
            while True:
                missed = await self._read(link, source, missed, numbers)
                if recovery is not None and recovery.done():
                    recovery = recovery.result()
                if recovery is None and link.stood and self._intake.unsettled(link.name):
                    recovery = asyncio.create_task(self._recover(link, source))
        finally:
            # Shown before the source has let go; what it brought last is no longer the present.
            link.state = LinkState.DOWN
            if numbers and numbers.gaps > missed:
                link.cause = GapCause.MESSAGES
            await _ended(recovery)
            self._keep_ticket(link, source)
            self.facts(link.name)
            del self._entered[link.name]

    async def _read(self, link: Link, source: Source, missed: int, numbers: Numbered | None) -> int:
        """Take one batch; give how many missing messages the ledger knows of now."""
        try:
            batch = await source.read()
        except Rejected as error:
            self._set_aside(link, error)
            return missed
        link.unusable = 0
        link.hear(batch)
        if link.state is not LinkState.UP:
            link.come_up()
            self._intake.link_changed(link)
        known = numbers.gaps if numbers else 0
        if known > missed:
            self._intake.missed(batch, f"{known - missed} messages are missing")
        link.taking = batch.heard
        await self._intake.take(batch, source)
        link.taking = 0
        return known

    def _keep_ticket(self, link: Link, source: Source) -> None:
        if isinstance(source, Resumable):
            try:
                link.ticket = source.ticket()
                self._intake.ticket_changed(link)
            except Exception:  # noqa: BLE001 - without a ticket the next connection begins anew
                link.ticket = None
                link.faults += 1

    async def _recover(self, link: Link, source: Source) -> None:
        """Fetch what was missed, gap by gap."""
        for gap in self._intake.unsettled(link.name):
            await self._drained(link, gap)
            try:
                complete, why = await self._fetch_patiently(link, gap, source), ""
            except Exception as error:  # noqa: BLE001 - recovery never stops reading
                link.faults += 1
                complete, why = False, f"recovery failed: {_reason(error)}"
            self._intake.settle(gap.id, complete=complete, why=why)

    async def _fetch_patiently(self, link: Link, gap: Gap, source: Source) -> bool:
        """Ask again where recovery says that the link is lost; if that is so, this is cancelled."""
        for _ in range(FETCHES - 1):
            try:
                return await self._fetch(gap, source)
            except Unreachable as error:
                link.faults += 1
                link.why = f"recovery: {error}"
            await asyncio.sleep(FETCH_AGAIN_S)
        return await self._fetch(gap, source)

    async def _fetch(self, gap: Gap, source: Source) -> bool:
        if not isinstance(source, Recovering) or gap.stop is None:
            return False

        async def deliver(batch: Batch) -> None:
            await self._intake.fill(gap.id, batch, source)

        return await source.recover(gap.start, gap.stop, deliver)

    async def _drained(self, link: Link, gap: Gap) -> None:
        """Wait until the link has brought what its server had queued: that is not missing."""
        stop = gap.stop or 0
        await _brought(link, stop, QUEUED_S)
        await _brought(link, stop + STAMPED_NS, STAMPED_S)

    def _set_aside(self, link: Link, error: Rejected) -> None:
        link.rejected += 1
        link.unusable += 1
        if link.unusable >= UNUSABLE:
            link.unusable = 0
            raise Unreachable(f"{UNUSABLE} answers running cannot be used: {error}") from error
        why = f"set aside: {error}"
        if link.why != why:
            link.why = why
            self._intake.link_changed(link)

    async def _lost(self, link: Link, state: LinkState, why: str, *, was_up: bool) -> None:
        """Say Bad of every tag of a lost source, once a loss, from where delivery ended.

        Not from now on: in between nobody knows the values, and held ones would be judged.
        """
        why = why.removeprefix(f"{link.name}: ")
        changed = was_up or (link.state, link.why) != (state, why)
        link.state, link.why = state, why
        link.losses += was_up and state is not LinkState.ENDED
        if changed:
            self._intake.link_changed(link)
        if state is LinkState.ENDED or (link.told and not was_up):
            return
        link.told = True
        bad = uniform_batch(
            link.name,
            link.handles,
            Status.BAD_NO_COMMUNICATION,
            at=link.upto + 1 if link.upto else link.now(),
            received=time.time_ns(),
            heard=time.monotonic_ns(),
        )
        await self._intake.take(bad, None)

    async def _wait(self, link: Link, seconds: float) -> None:
        """Wait; meanwhile keep time going for assets that another source feeds as well."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, HEARTBEAT_S))
            if self._intake.shares(link.name):
                await self._intake.take(heartbeat(link), None)


async def _brought(link: Link, upto: int, patience: float) -> None:
    """Wait until a link has delivered up to ns `upto` on its source's clock, at most so long, s."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while link.upto < upto:
                link.delivered.clear()
                await link.delivered.wait()


async def _ended(recovery: asyncio.Task[None] | None) -> None:
    """Stop a recovery; one that does not let go must not keep the link from coming back."""
    if recovery is None:
        return
    recovery.cancel()
    done, _ = await asyncio.wait({recovery}, timeout=LET_GO_S)
    for task in done:
        if not task.cancelled():
            task.exception()  # what went wrong is in the ledger, or went with the link


def failure_of(call: Callable[[], object]) -> PlantError | None:
    """Run what may fail in ways that nobody foresaw; give what went wrong in the product's words.

    What was not foreseen is `Unreachable`: it is tried again.
    """
    try:
        call()
    except PlantError as error:
        return error
    except Exception as error:  # noqa: BLE001 - an unforeseen failure of one sink stops no other
        return Unreachable(_unforeseen(error))
    return None


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, PlantError) else _unforeseen(error)


def _unforeseen(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"unforeseen {error!r} at {place.filename}:{place.lineno}"


def heartbeat(link: Link) -> Batch:
    """Say that nothing new is known of a lost source up to now."""
    tag, at, value, status = empty_columns()
    return Batch(
        source=link.name,
        tag=tag,
        at=at,
        value=value,
        status=status,
        upto=link.now(),
        received=time.time_ns(),
        heard=time.monotonic_ns(),
        stamped=True,
    )
