"""From published columns under client handles to a batch under tag handles.

The client handle of an item is the handle of its tag, with `TEXT` set where the tag is wanted as
text: it stays the same over every retry, subscription and restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.decode import Published, Text
from connectors.opcua.nodes import Refused
from connectors.opcua.subscription import TEXT
from plant.errors import Rejected
from plant.quality import Status
from plant.samples import NO_TIME, Batch, ContextEvent
from plant.tags import TagHandle, ValueType

MAX_ROWS = 1_000_000
AHEAD_NS = 2_000_000_000
"""A sample may be so much newer than the message that brings it: clocks differ a little."""
_TAG = np.uint32(TEXT - 1)
_Columns: TypeAlias = tuple[NDArray[Any], ...]
"""Handle, time, value, status and the server's time, each (n,)."""


@dataclass(slots=True)
class Batcher:
    """Turns messages of one subscription into batches.

    Parameters
    ----------
    source
        Name of the source.
    tags
        Handles of the tags in the order in which the server lists them, int32 (m,).
    numeric
        Handles of the tags that were declared as numbers.
    refused
        Tags that the server does not deliver; the next batch says so.
    polled_upto
        The watermark goes no further than this; None when every tag comes with the messages.
    """

    source: str
    tags: NDArray[np.int32]
    numeric: frozenset[int]
    refused: tuple[Refused, ...] = ()
    polled_upto: int | None = None
    _place: NDArray[np.int64] = field(init=False)
    """Place of each handle in `tags`, -1 for handles that stand for no tag."""
    _upto: int = field(default=0, init=False)
    _heard: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Lay out the places."""
        self._place = np.full(int(self.tags.max(initial=-1)) + 2, -1, np.int64)
        self._place[self.tags] = np.arange(len(self.tags))

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
        parts: list[_Columns] = [
            (one.handle, one.at, one.value, one.status, one.served) for one in messages
        ]
        parts.append(_mismatched([text for text in texts if text.handle in self.numeric]))
        handle, *others = (np.concatenate(column) for column in zip(*parts, strict=True))
        tag, place = self._known(handle)
        if self.refused:
            tag, *others = self._with_refused((tag, *others), last.published)
        at, value, status, served = others
        context = self._context([text for text in texts if text.handle not in self.numeric])
        if not np.all(place[1:] > place[:-1]):
            # A tag may be there several times, and a server's queue need not be in time order.
            order = np.argsort(at, kind="stable")
            tag, at, value, status, served = (
                column[order] for column in (tag, at, value, status, served)
            )
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
            served=served,
            context=context,
        )

    def _move_on(
        self, published: int, at: NDArray[np.int64], context: tuple[ContextEvent, ...]
    ) -> None:
        """Move the watermark to the server's clock, or a little further for its newest sample."""
        times = np.append(at, [published, *(event.at for event in context)])
        # A device whose clock runs far ahead must not take the time of all the others with it.
        newest = int(times[times <= published + AHEAD_NS].max())
        if self.polled_upto is not None:
            newest = min(newest, self.polled_upto)
        # Only a clock that was set goes back by more.
        set_back = published < self._upto - 2 * AHEAD_NS
        self._upto = newest if set_back else max(self._upto, newest)

    def _known(self, handle: NDArray[np.uint32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Give tag handles and their places in the server's order."""
        tag = (handle & _TAG).astype(np.int32)
        place: NDArray[np.int64] = self._place.take(tag, mode="clip")
        if len(place) and int(place.min()) < 0:
            stray = int(handle[int(np.argmin(place))])
            raise Rejected(
                f"{self.source}: the server sends client handle {stray}, which was never given out"
            )
        return tag, place

    def _with_refused(self, columns: _Columns, published: int) -> _Columns:
        n = len(self.refused)
        first: _Columns = (
            np.fromiter((one.tag.handle for one in self.refused), np.int32, n),
            np.full(n, published, np.int64),
            np.full(n, np.nan),
            np.fromiter((one.status for one in self.refused), np.uint32, n),
            np.full(n, NO_TIME, np.int64),
        )
        self.refused = ()
        return tuple(np.concatenate(pair) for pair in zip(first, columns, strict=True))

    def _context(self, texts: Sequence[Text]) -> tuple[ContextEvent, ...]:
        handles, _ = self._known(np.fromiter((one.handle for one in texts), np.uint32, len(texts)))
        return tuple(
            ContextEvent(tag, one.at, one.text, one.status)
            for tag, one in zip(handles.tolist(), texts, strict=True)
        )


def _mismatched(texts: Sequence[Text]) -> _Columns:
    n = len(texts)
    return (
        np.fromiter((text.handle for text in texts), np.uint32, n),
        np.fromiter((text.at for text in texts), np.int64, n),
        np.full(n, np.nan),
        np.full(n, Status.BAD_TYPE_MISMATCH, np.uint32),
        np.full(n, NO_TIME, np.int64),
    )


def batcher_of(source: str, items: Sequence[TagHandle], refused: Sequence[Refused]) -> Batcher:
    """Make the batcher for tags in the order of their items."""
    return Batcher(
        source=source,
        tags=np.fromiter((item.handle for item in items), np.int32, len(items)),
        numeric=frozenset(
            item.handle for item in items if item.tag.type not in (None, ValueType.TEXT)
        ),
        refused=tuple(refused),
    )
