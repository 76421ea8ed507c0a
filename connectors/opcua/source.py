"""An OPC UA server as a source: one subscription, batches as the server publishes."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

from connectors.opcua.address import parse_address
from connectors.opcua.batches import Batcher, batcher_of
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave, renew_channel
from connectors.opcua.decode import Published
from connectors.opcua.limits import Limits, read_limits
from connectors.opcua.nodes import Found, Refused, find_nodes
from connectors.opcua.per_value import PerValue
from connectors.opcua.publish import Publisher
from connectors.opcua.subscription import TEXT, Subscription, subscribe
from plant.errors import Unreachable
from plant.samples import Batch
from plant.tags import TagHandle

QUIET_KEEP_ALIVES = 3
QUIET_S = 5.0
_JOINED = 64
"""Messages that make one batch at most, when each announces more."""
_UNACKNOWLEDGED = 1_000
_FAILURES = (OSError, TimeoutError, UaError, AssertionError, AttributeError)


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

    Attributes
    ----------
    refused : tuple[Refused, ...]
        Tags that the server does not deliver, with their StatusCodes; the first batch has a Bad
        sample for each.

    Raises
    ------
    Misconfigured
        An address cannot be parsed.
    """

    def __init__(self, config: OpcUaConfig, tags: Sequence[TagHandle]) -> None:
        for tag in tags:
            parse_address(tag.tag.address, tag.tag.name)
        self.name = config.name
        self.refused: tuple[Refused, ...] = ()
        self._config = config
        self._tags = tuple(tags)
        self._client: Client | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._reader: Publisher | PerValue | None = None
        self._batcher: Batcher | None = None
        self._held: list[Published] = []
        self._unacknowledged: OrderedDict[int, list[int]] = OrderedDict()

    @property
    def gaps(self) -> int:
        """Notification messages that were lost on this connection."""
        return self._reader.gaps if isinstance(self._reader, Publisher) else 0

    async def __aenter__(self) -> Self:
        """Connect, resolve every address and subscribe."""
        client = await connect_secure(self._config)
        self._client = client
        try:
            self._renewing = asyncio.create_task(
                renew_channel(client), name=f"{self.name}: channel renewal"
            )
            limits = await read_limits(client, self._config.items_per_call)
            found, refused = await find_nodes(client, self._tags, limits)
            subscription = await self._subscribe(client, limits, found, refused)
        except _FAILURES as error:
            await self.__aexit__(None, None, None)
            raise Unreachable(f"{self.name}: subscribing failed: {error!r}") from error
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self.refused = tuple(subscription.refused.values())
        self._batcher = batcher_of(self.name, subscription.tags, self.refused)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye for a moment, then drop the connection."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        if self._renewing is not None:
            self._renewing.cancel()
            # Gathered, so that a failure of its own is not reported as never looked at.
            await asyncio.gather(self._renewing, return_exceptions=True)
        self._renewing = None
        client, self._client = self._client, None
        if client is not None:
            await leave(client)

    async def read(self) -> Batch:
        """Wait for the next publish or keep-alive.

        Raises
        ------
        Unreachable
            The link is lost, the server was silent for three keep-alives (at least 5 s), has
            forgotten the subscription, or notifications are missing.
        Rejected
            One message cannot be decoded.
        """
        reader, batcher = self._reader, self._batcher
        if reader is None or batcher is None:
            raise Unreachable(f"{self.name}: not connected")
        if self._renewing is not None and self._renewing.done():
            raise Unreachable(f"{self.name}: the keys of the secure channel could not be renewed")
        # What announces more is held, so that a watermark never stands before older samples.
        while not self._held or (self._held[-1].more and len(self._held) < _JOINED):
            self._held.append(await reader.next())
        messages, self._held = self._held, []
        batch = batcher.batch(messages, time.time_ns(), time.monotonic_ns())
        self._unacknowledged[batch.heard] = [
            said.sequence for said in messages if not said.keep_alive
        ]
        while len(self._unacknowledged) > _UNACKNOWLEDGED:
            self._unacknowledged.popitem(last=False)
        return batch

    async def acknowledge(self, batch: Batch) -> None:
        """Let the server forget what is in `batch`, with the next publish request."""
        if self._reader is not None:
            for sequence in self._unacknowledged.pop(batch.heard, ()):
                self._reader.acknowledge(sequence)

    async def _subscribe(
        self, client: Client, limits: Limits, found: Sequence[Found], refused: Sequence[Refused]
    ) -> Subscription:
        if self._config.decode == "handler":
            comparison = PerValue(self.name, client, QUIET_S)
            self._reader = comparison
            return await comparison.subscribe(self._config, found, refused)
        subscription = await subscribe(client, self._config, limits, found, refused)
        self._reader = Publisher(
            self.name,
            client.uaclient,
            subscription.id,
            requests=self._config.publish_requests,
            quiet_s=max(QUIET_S, QUIET_KEEP_ALIVES * subscription.keep_alive_s),
            texts_from=TEXT,
        )
        return subscription
