"""Getting what was missed: from the server's retransmission queue, then from its history."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

from asyncua.client.client import Client

from connectors.opcua.batches import batcher_of
from connectors.opcua.continuity import Continuity, Running
from connectors.opcua.decode import Published
from connectors.opcua.history import HistoryReader
from connectors.opcua.limits import Limits
from connectors.opcua.nodes import find_nodes
from connectors.opcua.plain import plain
from connectors.opcua.republish import republish
from connectors.opcua.subscription import TEXT
from plant.errors import Rejected
from plant.samples import Batch, Recovery
from plant.tags import TagHandle

LATE_NS = 10_000_000_000
"""So much earlier than a gap the history is read: whoever asks leaves out what it has."""
Deliver = Callable[[Batch], Awaitable[None]]


class Recoverer:
    """Recovers what one source missed, beside its reading.

    Parameters
    ----------
    source
        Name of the source.
    client
        Connected, with an active session.
    limits
        What one call may hold.
    tags
        The tags of the source.
    continuity
        What is known of its session and subscription.

    Attributes
    ----------
    republished : int
        Messages that were asked for again and came.
    refused : str
        Why the latest recovery was given up, if it was.
    """

    def __init__(
        self,
        source: str,
        client: Client,
        limits: Limits,
        tags: Sequence[TagHandle],
        continuity: Continuity,
    ) -> None:
        self.republished = 0
        self.refused = ""
        self._client = client
        self._limits = limits
        self._tags = tuple(tags)
        self._continuity = continuity
        self._batcher = batcher_of(source, self._tags, ())

    async def ask_again(self, running: Running, start: int, deliver: Deliver) -> None:
        """Deliver the messages that were missed and that the server still has.

        Parameters
        ----------
        start
            Up to here everything had been delivered, ns on the server's clock.

        Raises
        ------
        UaError, OSError, TimeoutError
            The server refuses, or the link is lost.
        """
        missed = running.progress.missed
        while missed:
            number = missed[0]
            said = await republish(self._client.uaclient, running.subscription.id, number, TEXT)
            try:
                batch = None if said is None else self._batch([said], Recovery.REPUBLISH)
            except Rejected as error:
                self._client.uaclient.logger.info("message %d is of no use: %s", number, error)
                batch = None
            if batch is None or said is None:
                running.progress.hole = True
            else:
                self.republished += 1
                running.joins(said, start)
                running.delivered(batch, [said], shows=False)
                await deliver(batch)
            # The list may have changed meanwhile: more is missing, and the oldest was given up.
            if missed and missed[0] == number:
                missed.popleft()

    async def look_up(
        self, start: int, stop: int, deliver: Deliver, only: Collection[int] | None = None
    ) -> bool:
        """Deliver the history of ``start < at <= stop``; tell whether it is complete for every tag.

        Parameters
        ----------
        only
            Handles of the tags that it is about; all unless given.

        Raises
        ------
        Rejected, UaError, OSError, TimeoutError
            The server's answer is of no use, or the link is lost.
        """
        without = self._continuity.without
        wanted = [tag for tag in self._tags if only is None or tag.handle in only]
        tags = [tag for tag in wanted if tag.handle not in without]
        if not tags:
            return not wanted
        found, _ = await find_nodes(self._client, tags, self._limits)
        reader = HistoryReader(self._client, self._limits.history, without)
        # What bears an earlier time than the watermark may have been on its way when it was cut.
        start -= LATE_NS

        async def take(values: Published) -> None:
            if len(values.handle) or values.texts:
                await deliver(self._batch([values], Recovery.HISTORY))

        complete = await reader.read(found, start, stop, take)
        return complete and len(found) == len(wanted)

    def give_up(self, error: Exception) -> None:
        """Take note that the server does not let us recover what was missed."""
        self.refused = plain(str(error)) or repr(error)

    def _batch(self, messages: Sequence[Published], how: Recovery) -> Batch:
        batch = self._batcher.batch(messages, time.time_ns(), time.monotonic_ns())
        return replace(batch, replayed=True, recovered=how)
