"""An OPC UA server as a source: one subscription, batches as the server publishes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import numpy as np
from asyncua.client.client import Client
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.contract import Facts, Ticket
from connectors.opcua.address import parse_address
from connectors.opcua.batches import Batcher, batcher_of
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave, renew_channel
from connectors.opcua.continuity import Continuity, Running
from connectors.opcua.decode import Published
from connectors.opcua.limits import Limits, read_limits
from connectors.opcua.nodes import Refused, find_nodes
from connectors.opcua.per_value import PerValue
from connectors.opcua.polling import Poller
from connectors.opcua.publish import Publisher
from connectors.opcua.pulse import Pulse
from connectors.opcua.recovery import Recoverer
from connectors.opcua.refusals import FAILURES
from connectors.opcua.security.protection import protection
from connectors.opcua.security.users import user_of
from connectors.opcua.session import close_session
from connectors.opcua.subscription import TEXT, Subscription, client_handle
from connectors.opcua.transport import abort
from connectors.opcua.upkeep import Upkeep
from plant.errors import Rejected, Unreachable
from plant.samples import Batch
from plant.tags import TagHandle

QUIET_KEEP_ALIVES = 1.75
"""Keep-alive periods of silence after which a link is lost; one may be late, two are not."""
QUIET_S = 5.0
SPOKEN_S = 30.0
"""Longest wait of a recovery for the first word; whoever reads gives a silent server up, s."""
_JOINED = 64
"""Messages that make one batch at most, when each announces more."""
_LINK = (OSError, TimeoutError)
_ENDED = {
    StatusCodes.BadSessionIdInvalid,
    StatusCodes.BadSessionClosed,
    StatusCodes.BadSubscriptionIdInvalid,
    StatusCodes.BadConnectionClosed,
    StatusCodes.BadSecureChannelClosed,
    StatusCodes.BadSecureChannelIdInvalid,
    StatusCodes.BadTimeout,
}
"""With these the server ends what there was; with others it refuses one request."""


class OpcUaSource:
    """Delivers the raw values of its tags as one subscription publishes them.

    Source time is the device's where the server passes it on; `Batch.upto` is the server's publish
    time, or the newest sample's where that is later.

    Parameters
    ----------
    config
        The server.
    tags
        What to subscribe.

    A tag that the server refuses is Bad from the first batch on and tried again and again.

    Raises
    ------
    Misconfigured
        An address cannot be parsed.
    """

    def __init__(self, config: OpcUaConfig, tags: Sequence[TagHandle]) -> None:
        for tag in tags:
            parse_address(tag.tag.address, tag.tag.name)
        self.name = config.name
        self._config = config
        self._tags = tuple(tags)
        self._continuity = Continuity(config, tags)
        self._ticketed = False
        self._lost = False
        self._client: Client | None = None
        self._limits: Limits | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._reader: Publisher | PerValue | None = None
        self._subscription: Subscription | None = None
        self._batcher: Batcher | None = None
        self._upkeep: Upkeep | None = None
        self._recoverer: Recoverer | None = None
        self._pulse = Pulse()
        self._held: list[Published] = []
        self._settling = False
        self._interrupted = False
        self._missing = 0

    @property
    def refused(self) -> tuple[Refused, ...]:
        """Tags that the server does not deliver at present, with their StatusCodes."""
        return tuple(self._subscription.refused.values()) if self._subscription else ()

    @property
    def gaps(self) -> int:
        """Notification messages that were lost on this connection."""
        return self._missing

    def ticket(self) -> Ticket | None:
        """Give what takes up the session and the subscription again; None when there are none."""
        continuity = self._continuity
        if isinstance(self._reader, PerValue) or (
            continuity.session.token is None and not continuity.written()
        ):
            return None
        self._ticketed = True
        return Ticket(continuity.written(), continuity)

    def resume(self, ticket: Ticket) -> None:
        """Take up the connection of another source, or what is left of another process."""
        held, mark = ticket.held, self._continuity.mark
        if isinstance(held, Continuity) and held.mark == mark:
            self._continuity = held
            self._ticketed = True
        elif ticket.kept.get("items") == mark:
            self._continuity.kept = ticket.kept

    async def __aenter__(self) -> Self:
        """Connect, and find the subscription again or make one."""
        continuity = self._continuity
        before = continuity.session.token
        client = self._client = await connect_secure(self._config, continuity.session)
        same_session = before is not None and continuity.session.token is before
        try:
            self._start(renew_channel(client), "channel renewal")
            await self._pulse.feel(client)
            self._start(self._pulse.beat(client), "clock")
            limits = self._limits = await read_limits(client, self._config.items_per_call)
            if self._config.decode == "handler":
                await self._compare(client, limits)
            else:
                running, self._settling = await continuity.take_up(
                    client, limits, self._pulse.started, same_session=same_session
                )
                self._interrupted = self._settling
                self._listen(client, limits, running)
        except FAILURES as error:
            self._lost = isinstance(error, _LINK)
            await self.__aexit__(None, None, None)
            raise Unreachable(f"{self.name}: subscribing failed: {error!r}") from error
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye for a moment, then drop the connection.

        A session whose link was lost is left at the server when a ticket to it was given out.
        """
        if self._upkeep is not None:
            # It counts as heard: the next connection begins with it.
            self._held += await self._upkeep.close()
        self._upkeep = self._recoverer = None
        if self._reader is not None:
            self._reader.close()
        for task in self._tasks:
            task.cancel()
        # Gathered, so that a failure of one is not reported as never looked at.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        client, self._client, self._batcher = self._client, None, None
        if client is None:
            return
        lost = self._lost or (kind is not None and issubclass(kind, Unreachable))
        if lost and self._ticketed:
            abort(client.uaclient)
            return
        if await close_session(client, self._continuity.session):
            self._continuity.running = None
        await leave(client)

    async def read(self) -> Batch:
        """Wait for the next publish or keep-alive.

        Raises
        ------
        Unreachable
            The link is lost, the server was silent for almost two keep-alive periods, or has
            forgotten the subscription.
        Rejected
            One message cannot be decoded.
        """
        try:
            return await self._next()
        except Unreachable:
            self._lost = True
            if isinstance(self._reader, Publisher):
                self._missing = self._reader.gaps
                if self._reader.ended:
                    self._continuity.running = None
            raise

    async def acknowledge(self, batch: Batch) -> None:
        """Let the server forget what is in `batch`, with the next publish request."""
        if self._continuity.running is not None:
            self._continuity.running.stored(batch)

    async def recover(
        self, start: int, stop: int, deliver: Callable[[Batch], Awaitable[None]], /
    ) -> bool:
        """Get what was missed: from the retransmission queue, then from the history.

        Raises
        ------
        Unreachable
            The link was lost meanwhile.
        """
        running, recoverer = self._continuity.running, self._recoverer
        if running is None or recoverer is None:
            raise Unreachable(f"{self.name}: not connected")
        heard = await self._heard()
        try:
            await recoverer.ask_again(running, start, deliver)
            # Of what is polled the server has queued nothing.
            polled = running.subscription.unmonitored.keys()
            whole = heard and running.whole(start)
            complete = await recoverer.look_up(start, stop, deliver, polled if whole else None)
            # With polled tags watermarks stand behind what has come: a hole may be later than told.
            return complete and (whole or not polled)
        except Rejected as error:
            recoverer.give_up(error)
        except FAILURES as error:
            if not isinstance(error, UaStatusCodeError) or error.code in _ENDED:
                raise Unreachable(f"{self.name}: recovery was cut off: {error!r}") from error
            recoverer.give_up(error)
        return False

    async def _heard(self) -> bool:
        """Wait for the subscription's first word here; tell whether it has come."""
        if isinstance(self._reader, Publisher):
            with suppress(TimeoutError):
                async with asyncio.timeout(SPOKEN_S):
                    await self._reader.spoken.wait()
            return self._reader.spoken.is_set()
        return False

    def facts(self) -> Facts:
        """Tell how the server is connected."""
        shield = protection(self._client, self._config) if self._client is not None else None
        notes = self._upkeep.notes() if self._upkeep is not None else ()
        return Facts(
            endpoint=self._config.url,
            security=shield.security if shield else self._config.security,
            secured=shield is not None and shield.secured,
            user=user_of(self._config),
            certificate_days=shield.certificate_days if shield else None,
            round_trip_ms=self._pulse.round_trip_ms,
            clock_offset_s=self._pulse.clock_offset_s,
            notes=(*(shield.notes if shield else ()), *notes, *self._losses()),
        )

    def _losses(self) -> Iterator[str]:
        if self._continuity.without:
            yield f"{len(self._continuity.without):,} tags of which the server keeps no history"
        if self.gaps:
            yield f"{self.gaps:,} messages were lost on this connection"
        if self._recoverer is not None and self._recoverer.refused:
            yield f"what was missed could not be recovered: {self._recoverer.refused}"

    def _start(self, work: Coroutine[None, None, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"{self.name}: {name}"))

    async def _compare(self, client: Client, limits: Limits) -> None:
        found, refused = await find_nodes(client, self._tags, limits)
        self._reader = PerValue(self.name, client, QUIET_S)
        self._subscription = await self._reader.subscribe(self._config, found, refused)
        self._batcher = batcher_of(self.name, self._subscription.tags, self.refused)

    def _listen(self, client: Client, limits: Limits, running: Running) -> None:
        subscription = self._subscription = running.subscription
        self._held = running.held
        self._reader = Publisher(
            self.name,
            client.uaclient,
            subscription.id,
            requests=self._config.publish_requests,
            quiet_s=max(1.0, QUIET_KEEP_ALIVES * subscription.keep_alive_s),
            texts_from=TEXT,
            progress=running.progress,
            taken_up=self._settling,
        )
        self._upkeep = Upkeep(self.name, client, self._config, limits, subscription)
        self._batcher = batcher_of(self.name, subscription.tags, self.refused)
        self._recoverer = Recoverer(self.name, client, limits, subscription.tags, self._continuity)

    async def _next(self) -> Batch:
        reader, batcher, upkeep = self._reader, self._batcher, self._upkeep
        if reader is None or batcher is None:
            raise Unreachable(f"{self.name}: not connected")
        if any(task.done() for task in self._tasks):
            raise Unreachable(f"{self.name}: the keys of the secure channel could not be renewed")
        running = self._continuity.running
        if self._settling and running is not None:
            await self._settle(running.subscription)
        await self._gather()
        messages = list(self._held)
        self._held.clear()
        if upkeep is not None:
            batcher.refused += upkeep.refusals()
            batcher.polled_upto = upkeep.upto
        try:
            batch = batcher.batch(messages, time.time_ns(), time.monotonic_ns())
        except Rejected:
            if isinstance(reader, Publisher):
                # Heard and in turn, but of no use: missing like those that did not come.
                reader.give_up(messages)
            raise
        if upkeep is not None:
            upkeep.look(batch)
        if running is not None and isinstance(reader, Publisher):
            self._account(running, reader, batch, messages)
        return batch

    def _account(
        self, running: Running, reader: Publisher, batch: Batch, messages: Sequence[Published]
    ) -> None:
        """Take note of what has come, and of what its numbers and queues say is missing."""
        shows = reader.brought(messages)
        if shows:
            self._missing = reader.gaps
        running.delivered(batch, messages, shows=shows)
        if self._interrupted:
            running.crowded(batch, self._config.queue)
            self._interrupted = not reader.spoken.is_set()

    async def _gather(self) -> None:
        """Wait for a message, and for what belongs to it."""
        reader, upkeep, held = self._reader, self._upkeep, self._held
        # What announces more is held, so that a watermark never stands before older samples.
        while reader and (not held or (held[-1].more and len(held) < _JOINED)):
            held.append(await (upkeep.next(reader) if upkeep else reader.next()))

    async def _settle(self, subscription: Subscription) -> None:
        """Wait for what the server had queued, then read the tags that did not change meanwhile."""
        client, limits, reader = self._client, self._limits, self._reader
        if client is None or limits is None:
            raise Unreachable(f"{self.name}: not connected")
        await self._gather()
        if not isinstance(reader, Publisher) or not reader.caught_up(self._held):
            # What is read before it would be newer than what is still to come.
            return
        came = {int(handle) for said in self._held for handle in np.unique(said.handle)}
        came |= {text.handle for said in self._held for text in said.texts}
        nodes = {
            handle: subscription.nodes[handle]
            for handle in subscription.items
            if client_handle(subscription.nodes[handle].tag) not in came
        }
        if nodes:
            poller = Poller(self.name, client, nodes, limits.read, 0.0)
            self._held.append(await poller.poll())
        self._settling = False
