"""From published columns under client handles to a batch under tag handles."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.decode import Published, Text
from connectors.opcua.nodes import Refused
from connectors.opcua.subscription import Subscription
from plant.errors import Rejected
from plant.quality import Status
from plant.samples import Batch, ContextEvent
from plant.tags import ValueType

MAX_ROWS = 1_000_000
AHEAD_NS = 2_000_000_000
"""A sample may be so much newer than the message that brings it: clocks differ a little."""


@dataclass(slots=True)
class Batcher:
    """Turns messages of one subscription into batches.

    Parameters
    ----------
    source
        Name of the source.
    tags
        Tag handle of each client handle, int32 (m,).
    numeric
        Client handles whose tags were declared as numbers.
    refused
        Tags that the server does not deliver; the first batch says so.
    """

    source: str
    tags: NDArray[np.int32]
    numeric: frozenset[int]
    refused: Sequence[Refused]
    _upto: int = field(default=0, init=False)
    _heard: int = field(default=0, init=False)

    def batch(self, messages: Sequence[Published], received: int, heard: int) -> Batch:
        """Join messages that belong together.

        Parameters
        ----------
        messages
            One, or several of which all but the last announced more.
        received, heard
            The gateway's wall and monotonic clock, ns.

        Raises
        ------
        Rejected
            A message has a client handle that was never given out, or far more values than asked.
        """
        last = messages[-1]
        rows = sum(len(one.handle) + len(one.texts) for one in messages)
        if rows > MAX_ROWS:
            raise Rejected(f"{self.source}: {rows} values at once, at most {MAX_ROWS} are taken")
        texts = [text for message in messages for text in message.texts]
        parts = [(one.handle, one.at, one.value, one.status) for one in messages]
        parts.append(self._mismatched([text for text in texts if text.handle in self.numeric]))
        handle, at, value, status = (np.concatenate(column) for column in zip(*parts, strict=True))
        tag = self._known(handle)
        if self.refused:
            tag, at, value, status = self._with_refused(tag, at, value, status, last.published)
        context = self._context([text for text in texts if text.handle not in self.numeric])
        if not np.all(np.diff(handle.astype(np.int64)) > 0):
            # A tag may be there several times, and a server's queue need not be in time order.
            order = np.argsort(at, kind="stable")
            tag, at, value, status = tag[order], at[order], value[order], status[order]
        self._move_on(last.published, at, context)
        self._heard = max(self._heard + 1, heard)
        return Batch(
            source=self.source,
            tag=tag,
            at=at,
            value=value,
            status=status,
            upto=self._upto,
            received=received,
            heard=self._heard,
            context=context,
        )

    def _move_on(
        self, published: int, at: NDArray[np.int64], context: tuple[ContextEvent, ...]
    ) -> None:
        """Move the watermark to the server's clock, or a little further for its newest sample."""
        times = np.append(at, [published, *(event.at for event in context)])
        # A device whose clock runs far ahead must not take the time of all the others with it.
        newest = int(times[times <= published + AHEAD_NS].max())
        # Only a clock that was set goes back by more.
        set_back = published < self._upto - 2 * AHEAD_NS
        self._upto = newest if set_back else max(self._upto, newest)

    def _known(self, handle: NDArray[np.uint32]) -> NDArray[np.int32]:
        if len(handle) and int(handle.max()) >= len(self.tags):
            raise Rejected(
                f"{self.source}: the server sends client handle {int(handle.max())}, "
                f"only {len(self.tags)} were given out"
            )
        return self.tags[handle]

    def _mismatched(
        self, texts: Sequence[Text]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]:
        n = len(texts)
        return (
            np.fromiter((text.handle for text in texts), np.uint32, n),
            np.fromiter((text.at for text in texts), np.int64, n),
            np.full(n, np.nan),
            np.full(n, Status.BAD_TYPE_MISMATCH, np.uint32),
        )

    def _with_refused(
        self,
        tag: NDArray[np.int32],
        at: NDArray[np.int64],
        value: NDArray[np.float64],
        status: NDArray[np.uint32],
        published: int,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]:
        n = len(self.refused)
        handles = np.fromiter((one.tag.handle for one in self.refused), np.int32, n)
        statuses = np.fromiter((one.status for one in self.refused), np.uint32, n)
        self.refused = ()
        return (
            np.concatenate([handles, tag]),
            np.concatenate([np.full(n, published, np.int64), at]),
            np.concatenate([np.full(n, np.nan), value]),
            np.concatenate([statuses, status]),
        )

    def _context(self, texts: Sequence[Text]) -> tuple[ContextEvent, ...]:
        handles = self._known(np.fromiter((one.handle for one in texts), np.uint32, len(texts)))
        return tuple(
            ContextEvent(tag, one.at, one.text, one.status)
            for tag, one in zip(handles.tolist(), texts, strict=True)
        )


def batcher_of(source: str, subscription: Subscription) -> Batcher:
    """Make the batcher that fits a subscription."""
    items = subscription.items
    return Batcher(
        source=source,
        tags=np.fromiter((item.tag.handle for item in items), np.int32, len(items)),
        numeric=frozenset(
            i for i, item in enumerate(items) if item.tag.tag.type not in (None, ValueType.TEXT)
        ),
        refused=subscription.refused,
    )
