"""The simulated line as a source: the same samples as over the sockets, at any speed."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np

from connectors.simulated.encoding import Encoding
from connectors.simulated.feed import Feed
from plant.errors import Exhausted, Misconfigured, Unreachable
from plant.quality import Status
from plant.samples import Batch
from plant.tags import TagHandle


class SimulatedSource:
    """Rows of a feed as batches of history: raw values, tag after tag, each in time order.

    Parameters
    ----------
    line
        Where the rows come from.
    tags
        The tags to deliver, with their handles; only those whose `source` is `name` are.
    name
        Name of the source; the live one's, so that history and present are one series.
    rows
        Rows to deliver.
    rows_per_read
        Rows in a batch.

    Raises
    ------
    Misconfigured
        If the line has no tag of one of the names.
    """

    def __init__(
        self,
        line: Feed,
        tags: Sequence[TagHandle],
        *,
        name: str,
        rows: range,
        rows_per_read: int = 600,
    ) -> None:
        self.name = name
        self._line = line
        self._rows = rows
        self._step = rows_per_read
        self._next = rows.start
        self._open = False
        own = [tag for tag in tags if tag.tag.source == name]
        place = {tag.name: column for column, tag in enumerate(line.tags)}
        strange = [tag.tag.name for tag in own if tag.tag.name not in place]
        if strange:
            raise Misconfigured(f"source {name}: the simulated line has no tag {strange[0]}")
        self._columns = np.array([place[tag.tag.name] for tag in own], np.intp)
        self._handles = np.array([tag.handle for tag in own], np.int32)
        self._encoding = Encoding([tag.tag for tag in own])

    async def __aenter__(self) -> Self:
        """Begin at the first row."""
        self._next = self._rows.start
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop delivering."""
        self._open = False

    async def read(self) -> Batch:
        """Give the next rows; never waits.

        Raises
        ------
        Exhausted
            After the last row.
        Unreachable
            Before entering and after leaving.
        """
        if not self._open:
            raise Unreachable(f"source {self.name} is not open: enter it first")
        await asyncio.sleep(0)  # history must not hold up the live part of the loop
        count = min(self._step, self._rows.stop - self._next)
        values = self._line.values(self._next, count) if count > 0 else np.empty((0, 0))
        if not len(values):
            raise Exhausted(f"source {self.name}: row {self._next} is beyond the last")
        n, first = len(values), self._next
        self._next += n
        raw = self._encoding.raw(values[:, self._columns]).T.ravel()
        at = self._line.start + np.arange(first, first + n, dtype=np.int64) * self._line.period
        status = np.where(np.isnan(raw), np.uint32(Status.BAD), np.uint32(Status.GOOD))
        return Batch(
            source=self.name,
            tag=np.repeat(self._handles, n),
            at=np.tile(at, len(self._handles)),
            value=raw,
            status=status.astype(np.uint32),
            upto=int(at[-1]),
            received=time.time_ns(),
            heard=time.monotonic_ns(),
            replayed=True,
        )
