"""Care for the tags that a subscription alone does not bring: refused ones, and polled ones.

A tag that the server refuses, or whose node is deleted while we are connected, is looked up and
subscribed anew from time to time, on the same subscription and without touching the others.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Protocol

import numpy as np
from asyncua.client.client import Client
from asyncua.ua.status_codes import StatusCodes
from numpy.typing import NDArray

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.decode import Published
from connectors.opcua.limits import Limits
from connectors.opcua.nodes import Refused, find_nodes
from connectors.opcua.polling import Poller
from connectors.opcua.refusals import FAILURES
from connectors.opcua.retries import Retries
from connectors.opcua.shortfalls import shortfalls
from connectors.opcua.subscription import Subscription, create_items, delete_items, sampling_ms
from plant.errors import Unreachable
from plant.quality import Status
from plant.samples import Batch

_CODE = 0xFFFF_0000
_GONE = (StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid)
_FASTEST_S = 0.1
_STOPPING_S = 0.1


class Reader(Protocol):
    """Where published messages come from."""

    async def next(self) -> Published:
        """Wait for the next message."""
        ...


class Upkeep:
    """Keeps the tags of one subscription alive while its messages are read.

    Parameters
    ----------
    source
        Name of the source, for messages.
    client
        Connected, with an active session.
    config
        How to subscribe and how often to poll.
    limits
        What one call may hold.
    subscription
        Brought up to date as tags go and come.
    """

    def __init__(
        self,
        source: str,
        client: Client,
        config: OpcUaConfig,
        limits: Limits,
        subscription: Subscription,
    ) -> None:
        self._source = source
        self._client = client
        self._config = config
        self._limits = limits
        self._subscription = subscription
        self._tags = {tag.handle: tag for tag in subscription.tags}
        self._retries = Retries()
        self._added = asyncio.Event()
        self._told = {handle: one.status for handle, one in subscription.refused.items()}
        self._news: list[Refused] = []
        self._more = False
        self._publishing: asyncio.Task[Published] | None = None
        self._taking: asyncio.Task[Published] | None = None
        self._polled_upto: int | None = None
        period = max(_FASTEST_S, (sampling_ms(config) or config.publishing_ms) / 1000)
        self._poller = Poller(
            source, client, subscription.unmonitored, limits.read, period_s=period
        )
        self._tasks = (
            asyncio.create_task(self._mend(), name=f"{source}: refused tags"),
            asyncio.create_task(self._poller.run(), name=f"{source}: polled tags"),
        )
        self._plan(subscription.refused)

    async def close(self) -> list[Published]:
        """Stop everything; requests under way are forgotten.

        Returns
        -------
        list[Published]
            What has been heard and nobody has taken.
        """
        tasks = {task for task in (*self._tasks, self._publishing, self._taking) if task}
        waiting = tasks
        while waiting:
            # An answer that arrives at this very moment makes a request swallow its cancelling.
            for task in waiting:
                task.cancel()
            _, waiting = await asyncio.wait(waiting, timeout=_STOPPING_S)
        # Gathered, so that a failure of one is not reported as never looked at.
        await asyncio.gather(*tasks, return_exceptions=True)
        said, self._publishing = self._publishing, None
        return [said.result()] if said and not said.cancelled() and not said.exception() else []

    @property
    def upto(self) -> int | None:
        """Server time up to which the polled tags were delivered, ns; None if none is polled."""
        return self._polled_upto if self._subscription.unmonitored else None

    async def next(self, reader: Reader) -> Published:
        """Wait for the next message of `reader` or the next poll, whichever comes first.

        Raises
        ------
        Unreachable
            The link is lost.
        Rejected
            One message cannot be read.
        """
        self._check()
        if not self._subscription.unmonitored and self._publishing is None:
            said = await reader.next()
            self._more = said.more
            return said
        if self._polled_upto is None and self._subscription.unmonitored:
            # The watermark may not stand anywhere before the polled tags have been seen once.
            return await self._next_poll()
        if self._publishing is None:
            self._publishing = asyncio.create_task(reader.next())
        if not self._more:
            self._taking = self._taking or asyncio.create_task(self._poller.polled.get())
            await asyncio.wait(
                {self._publishing, self._taking, *self._tasks},
                return_when=asyncio.FIRST_COMPLETED,
            )
            self._check()
            if not self._publishing.done():
                return await self._next_poll()
        return await self._published()

    def refusals(self) -> tuple[Refused, ...]:
        """Give what was refused, or refused for another reason, since the last call."""
        news, self._news = tuple(self._news), []
        return news

    def look(self, batch: Batch) -> None:
        """Find the tags whose nodes are gone, and those that are back."""
        bad = batch.status >= np.uint32(Status.BAD)
        refused = self._subscription.refused
        if bad.any() or any(event.status >= Status.BAD for event in batch.context):
            gone = dict(_last_of_each(batch, _gone(batch.status)))
            gone |= {e.tag: e.status for e in batch.context if e.status & _CODE in _GONE}
            new = [handle for handle in gone if handle not in refused and handle in self._tags]
            for handle in new:
                self._told[handle] = gone[handle]
            self._subscription.refuse(Refused(self._tags[one], gone[one]) for one in new)
            self._plan(new)
        if refused:
            self._welcome(batch)

    def notes(self) -> tuple[str, ...]:
        """Say in plain words what the server does not grant."""
        return tuple(shortfalls(self._config, self._limits, self._subscription))

    async def _published(self) -> Published:
        publishing = self._publishing
        if publishing is None:
            raise Unreachable(f"{self._source}: not connected")
        await asyncio.wait({publishing})
        self._publishing = None
        said = publishing.result()
        self._more = said.more
        return said

    async def _next_poll(self) -> Published:
        self._taking = self._taking or asyncio.create_task(self._poller.polled.get())
        await asyncio.wait({self._taking, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        self._check()
        said = self._taking.result()
        self._taking = None
        self._polled_upto = said.published
        return said

    def _check(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    def _plan(self, handles: Iterable[int]) -> None:
        now = time.monotonic()
        for handle in handles:
            self._retries.add(handle, now)
        self._added.set()

    def _welcome(self, batch: Batch) -> None:
        """Take refused tags off the list of which the server sends values again by itself."""
        refused = self._subscription.refused
        delivered = self._subscription.items.keys() | self._subscription.unmonitored.keys()
        hoped = [one for one in refused if one in delivered]
        back = (batch.status < np.uint32(Status.BAD)) & np.isin(batch.tag, hoped)
        handles = [handle for handle, _ in _last_of_each(batch, back)]
        handles += [e.tag for e in batch.context if e.tag in hoped and e.status < Status.BAD]
        for handle in handles:
            refused.pop(handle, None)
            self._told.pop(handle, None)
            self._retries.drop(handle)

    async def _mend(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._retries.wait(time.monotonic())):
                    await self._added.wait()
            self._added.clear()
            due = self._retries.take(time.monotonic())
            if due:
                await self._try(due)

    async def _try(self, handles: Sequence[int]) -> None:
        subscription = self._subscription
        try:
            tags = [self._tags[handle] for handle in handles]
            found, refused = await find_nodes(self._client, tags, self._limits)
            # An item whose node was deleted is bound to what is no longer there.
            there = [one.tag.handle for one in found]
            await delete_items(self._client, self._limits, subscription, there)
            await create_items(self._client, self._config, self._limits, subscription, found)
            subscription.refuse(refused)
        except FAILURES as error:
            # The tags are Bad already; a link that is lost is noticed by whoever reads.
            self._client.uaclient.logger.info("refused tags could not be tried again: %r", error)
            self._plan(handles)
            return
        still = [handle for handle in handles if handle in subscription.refused]
        for handle in set(handles) - set(still):
            self._told.pop(handle, None)
        for handle in still:
            one = subscription.refused[handle]
            if self._told.get(handle) != one.status:
                self._told[handle] = one.status
                self._news.append(one)
        self._plan(still)


def _gone(status: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return np.isin(status & np.uint32(_CODE), _GONE)


def _last_of_each(batch: Batch, rows: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """Give tag and status of those of the marked rows that are the last of their tag."""
    tags, from_behind = np.unique(batch.tag[::-1], return_index=True)
    last = len(batch) - 1 - from_behind
    marked = rows[last]
    return zip(tags[marked].tolist(), batch.status[last[marked]].tolist(), strict=True)
