"""Keeps sources and detectors alive: the one place that knows back-off, re-entry and last resorts.

It is also the only place that catches every exception: a connector or detector that fails in a way
nobody foresaw is reported with its reason, benched or tried again, and the rest goes on.
"""

import asyncio
import random
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from connectors.contract import Source
from plant.errors import Exhausted, Misconfigured, Rejected, Unreachable
from plant.quality import Status
from plant.samples import Batch, empty_columns, uniform_batch

BACKOFF_S = (0.5, 1.0, 2.0, 3.0)
"""Waits between attempts; never longer than the last, or recovery outlasts the fault."""
JITTER = 0.2
MISCONFIGURED_S = 30.0
"""A person has to mend it; look again this often, so that no restart is needed afterwards."""
HEARTBEAT_S = 1.0
UNUSABLE = 5
"""Answers one after the other that cannot be used: such a link only seems to be up."""


class LinkState(StrEnum):
    """Where the connection to a source stands."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    MISCONFIGURED = "misconfigured"
    ENDED = "ended"


@dataclass(slots=True)
class Link:
    """The connection to one source, as it stands now.

    Parameters
    ----------
    name
        Name of the source.
    handles
        Tag handles that it feeds.
    state, why
        Present state, and the reason when it is not up.
    upto
        Watermark last delivered, on the source's clock, ns; 0 before the first batch.
    heard
        Monotonic time of that delivery, ns.
    rejected, unusable
        Batches set aside, in all and since the last one that was not.
    losses
        How often the link was lost.
    """

    name: str
    handles: tuple[int, ...]
    state: LinkState = LinkState.CONNECTING
    why: str = ""
    upto: int = 0
    heard: int = 0
    rejected: int = 0
    unusable: int = 0
    losses: int = 0
    told: bool = field(default=False, repr=False)

    def age_s(self) -> float | None:
        """Seconds since the source was last heard; None if never."""
        return (time.monotonic_ns() - self.heard) / 1e9 if self.heard else None

    def now(self) -> int:
        """Give the present on the source's clock, ns, so far as it can be known."""
        if not self.upto:
            return time.time_ns()
        return self.upto + time.monotonic_ns() - self.heard


class Intake(Protocol):
    """Where the supervisor delivers."""

    async def take(self, batch: Batch, source: Source | None) -> None:
        """Judge and journal a batch; waits while the journal is behind."""
        ...

    def link_changed(self, link: Link) -> None:
        """Journal and show that a link came up or was lost."""
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

    async def keep(self, link: Link, build: Callable[[], Source]) -> None:
        """Enter a source and read it for ever; re-enter after every loss, until it is exhausted."""
        self.links[link.name] = link
        attempt = 0
        while link.state is not LinkState.ENDED:
            before = link.heard
            why, state = await self._read_until_lost(link, build)
            attempt = 0 if link.heard != before else attempt + 1
            await self._lost(link, state, why)
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

    async def _read_until_lost(
        self, link: Link, build: Callable[[], Source]
    ) -> tuple[str, LinkState]:
        try:
            async with build() as source:
                while True:
                    await self._read(link, source)
        except Unreachable as error:
            return str(error), LinkState.DOWN
        except Misconfigured as error:
            return str(error), LinkState.MISCONFIGURED
        except Exhausted:
            return "the recording has ended", LinkState.ENDED
        except Exception as error:  # noqa: BLE001 - an unforeseen failure of one source stops no other
            place = traceback.extract_tb(error.__traceback__)[-1]
            why = f"unforeseen {error!r} at {place.filename}:{place.lineno}"
            return why, LinkState.DOWN

    async def _read(self, link: Link, source: Source) -> None:
        try:
            batch = await source.read()
        except Rejected as error:
            self._set_aside(link, error)
            return
        link.unusable = 0
        link.upto, link.heard = batch.upto, batch.heard
        if link.state is not LinkState.UP:
            link.state, link.why = LinkState.UP, ""
            self._intake.link_changed(link)
        await self._intake.take(batch, source)

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

    async def _lost(self, link: Link, state: LinkState, why: str) -> None:
        """Say Bad of every tag of a lost source, once a loss, on the source's own clock."""
        was_up = link.state is LinkState.UP
        why = why.removeprefix(f"{link.name}: ")
        changed = (link.state, link.why) != (state, why)
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
            at=link.now(),
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
