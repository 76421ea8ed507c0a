"""The clock of a source, told on the time of the grid, which never runs backwards.

A server sends the present value of every tag at each new connection, stamped with the moment of
its last change, perhaps days ago; devices behind one server have clocks of their own; and any
clock may be set while the gateway runs. So a live sample counts from its own time only within
what its batch newly covers, and from the edge of that where its time lies outside.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plant.samples import Batch

NEVER = -(2**62)
SKEW_NS = 2_000_000_000
"""Clocks closer together than this are taken as equal."""
STEP_NS = 60_000_000_000
"""A distance between two clocks that changes by more than this: one of them was set."""


@dataclass(slots=True)
class SourceClock:
    """How far a source has delivered, on the grid's time.

    Parameters
    ----------
    stale
        Longest silence, ns, after which its last values no longer count.
    alone
        No other source feeds the group: its own clock is the grid's, as long as it goes forward.
    upto
        Watermark, ns on the grid's time; `NEVER` at first.
    shift
        What is added to its time, ns.
    lag
        Distance of its clock from the gateway's when that was last measured, ns.
    fresh
        The next live batch is the first one of a connection.
    """

    stale: int
    alone: bool
    upto: int = NEVER
    shift: int = 0
    lag: int = 0
    fresh: bool = True

    def take(self, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Move on with a batch; give when its samples take effect, and when silences began.

        Returns
        -------
        tuple[NDArray[np.int64], NDArray[np.int64]]
            Grid time of each sample (n,), and each grid time (k,) from which on the values that
            stood so far are too old to be held.
        """
        return self._recorded(batch) if batch.replayed else self._live(batch)

    def _recorded(self, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        before, self.upto = self.upto, max(self.upto, batch.upto)
        start = int(batch.at.min()) if len(batch) else batch.upto
        return batch.at, self._silences(before, np.array([start], np.int64))

    def _live(self, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        fresh = self.fresh
        self._measure(batch)
        before, self.upto = self.upto, max(self.upto, batch.upto + self.shift)
        first = self.upto - self.stale if before == NEVER else self.upto if fresh else before
        at = np.clip(batch.at + self.shift, first, self.upto)
        if before == NEVER or self.upto - before <= self.stale:
            return at, np.empty(0, np.int64)
        newly = np.append(at[at > before], self.upto)
        return at, self._silences(before, np.unique(newly))

    def _silences(self, before: int, heard: NDArray[np.int64]) -> NDArray[np.int64]:
        if before == NEVER:
            return np.empty(0, np.int64)
        words = np.concatenate([np.array([before], np.int64), heard])
        return words[:-1][np.diff(words) > self.stale] + self.stale

    def _measure(self, batch: Batch) -> None:
        lag = batch.received - batch.upto
        stepped = not self.alone and abs(lag - self.lag) > STEP_NS
        if self.fresh or stepped:
            self.lag = lag
            self.shift = 0 if self.alone or abs(lag) <= SKEW_NS else lag
        elif self.alone and batch.upto >= self.upto:
            self.shift = 0
        if self.upto - batch.upto - self.shift > SKEW_NS:
            # A clock was set back. Time goes on from where it stood: to wait for the clock would
            # leave the machine unwatched for as long.
            self.shift = self.upto - batch.upto
        self.fresh = False
