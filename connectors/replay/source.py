"""The recording as a source: its rows as batches, at its own pace or as fast as possible."""

import asyncio
import time
from collections.abc import Sequence
from difflib import get_close_matches
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from connectors.replay.config import ReplayConfig
from connectors.replay.recording import Recording, read_recording
from plant.errors import Exhausted, Misconfigured, Unreachable
from plant.quality import Status
from plant.samples import Batch
from plant.tags import TagHandle

ROWS = 600
"""Most rows in a batch."""
ALIVE_S = 1.0
"""Longest wait before an empty batch says that the recording has not stopped, s."""
GAP = 10
"""A step this many times longer than the usual one means that nothing was recorded."""


class ReplaySource:
    """Delivers the columns that `tags` name by their address, tag after tag, in time order.

    The watermark reaches up to the next row, so that a slow recording holds its values from row to
    row, at any speed alike; over a gap in it (`GAP`) it does not.
    """

    def __init__(self, config: ReplayConfig, tags: Sequence[TagHandle]) -> None:
        self.name = config.name
        self._config = config
        self._tags = tags
        self._handles = np.array([tag.handle for tag in tags], np.int32)
        self._recording: Recording | None = None

    async def __aenter__(self) -> Self:
        """Read the file; raises `Misconfigured` for what is wrong with it."""
        config = self._config
        recording = await asyncio.to_thread(
            read_recording, config.file, config.labels, config.time, config.late_rows
        )
        place = {tag.address: column for column, tag in enumerate(recording.tags)}
        for one in self._tags:
            if one.tag.address not in place:
                near = get_close_matches(one.tag.address, place, 1) or sorted(place)
                raise Misconfigured(
                    f"tag {one.tag.name}: recording {config.file} has no column of numbers called "
                    f"{one.tag.address!r}; did you mean {near[0]!r}?"
                )
        self._columns = np.array([place[one.tag.address] for one in self._tags], np.intp)
        self._at = recording.at
        self._ends = _ends(recording)
        self._next = 0
        self._begun = time.monotonic_ns()
        self._recording = recording
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the rows."""
        self._recording = None

    async def read(self) -> Batch:
        """Wait until a row is due, and give all that are, at most `ROWS`.

        Raises
        ------
        Exhausted
            After the last row.
        Unreachable
            The source is not entered.
        """
        recording = self._recording
        if recording is None:
            raise Unreachable(f"source {self.name} is not open; enter it before reading")
        if self._next == len(recording):
            raise Exhausted(f"source {self.name}: {recording.path} has ended")
        await asyncio.sleep(self._wait())
        first, self._next = self._next, self._due()
        return self._batch(recording, first, self._next)

    def _reached(self) -> int:
        """Source time that the pace has reached."""
        elapsed = time.monotonic_ns() - self._begun
        return int(self._at[0]) + int(elapsed * self._config.speed)

    def _wait(self) -> float:
        if self._config.speed == 0:
            return 0.0
        ahead = int(self._at[self._next]) - self._reached()
        return min(max(ahead / self._config.speed / 1e9, 0.0), ALIVE_S)

    def _due(self) -> int:
        """First row that has to wait for another batch."""
        end = int(self._ends[np.searchsorted(self._ends, self._next, side="right")])
        stop = min(self._next + ROWS, end)
        if self._config.speed == 0:
            return stop
        due = int(np.searchsorted(self._at, self._reached(), side="right"))
        return max(self._next, min(stop, due))

    def _upto(self, stop: int) -> int:
        """Everything up to the next row is delivered, except that nobody knows it over a gap."""
        if stop in self._ends:
            return int(self._at[stop - 1])
        return int(self._at[stop]) - 1

    def _batch(self, recording: Recording, first: int, stop: int) -> Batch:
        value = recording.values[first:stop, self._columns].T.ravel()
        status = np.where(np.isnan(value), np.uint32(Status.BAD), np.uint32(Status.GOOD))
        return Batch(
            source=self.name,
            tag=np.repeat(self._handles, stop - first),
            at=np.tile(self._at[first:stop], len(self._handles)),
            value=value,
            status=status.astype(np.uint32),
            upto=self._upto(stop),
            received=time.time_ns(),
            heard=time.monotonic_ns(),
            replayed=True,
        )


def _ends(recording: Recording) -> NDArray[np.intp]:
    """Rows after which nothing was recorded for a while, and the end."""
    steps = np.diff(recording.at)
    usual = np.median(steps) if len(steps) else 0
    gaps = np.flatnonzero(steps > GAP * usual) + 1 if usual > 0 else np.empty(0, np.intp)
    return np.append(gaps, len(recording)).astype(np.intp)
