"""What a source has delivered so far, and how fast: the measure of what a gap has cost."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.samples import Batch

USUAL_S = 300.0
"""Over about so long the usual rate of a source is reckoned, s."""
SKIPPED_PERIODS = 2.5
SKIPPED_S = 1.0
"""A scan counts as missed after both: one that is merely late is not."""
LATE_NS = 2_000_000_000
"""A first batch older than this is the oldest of a queue: the link came back only now."""
_LONGEST = 3_600_000_000_000
"""A silence before an overflow counts for an hour at most: nothing is known of a longer one."""
_OVERFLOW = np.uint32(0x480)
"""InfoType DataValue and the bit Overflow of a StatusCode (OPC 10000-4 §7.39.1)."""


@dataclass(slots=True)
class Delivery:
    """The deliveries of one source, on its own clock; a fold over its live batches and its link.

    Parameters
    ----------
    period
        Period of its scans, ns; 0 where it sends what changes.
    upto
        Watermark last delivered, ns; 0 before the first batch.
    lag
        Distance of the gateway's clock from that watermark when it came, ns.
    up
        The link is up: what comes was delivered by the source.
    fresh
        The next batch is the first one of a connection and no measure of the rate.
    samples, seconds
        What came lately, and in what time; both fade.
    missed
        Samples that are known to be missing though the link was up, not yet in the ledger.
    missed_from, missed_upto
        Where they are missing, ns.
    """

    period: int
    upto: int = 0
    lag: int = 0
    up: bool = False
    fresh: bool = True
    samples: float = 0.0
    seconds: float = 0.0
    missed: int = 0
    missed_from: int = 0
    missed_upto: int = 0

    @property
    def rate(self) -> float:
        """Usual samples a second."""
        return self.samples / self.seconds if self.seconds else 0.0

    def linked(self, *, up: bool) -> None:
        """Take note that the link came up or went down."""
        self.fresh |= not up
        self.up = up

    def take(self, batch: Batch, tags: int, dropped: int) -> None:
        """Move on with a live batch.

        Parameters
        ----------
        tags
            How many of the source's tags deliver.
        dropped
            Samples that the server's queues dropped before it, as far as can be told.
        """
        step = batch.upto - self.upto
        fresh, self.fresh = self.fresh, False
        if not fresh and step > 0:
            if not dropped:
                # What an overload lets through is not the usual rate.
                self._measure(len(batch), step / 1e9)
            self._mark(self._skipped(step) * tags, batch.upto)
        self._mark(dropped, batch.upto)
        self.upto = max(self.upto, batch.upto)
        self.lag = batch.received - batch.upto

    def _measure(self, samples: int, seconds: float) -> None:
        fading = math.exp(-seconds / USUAL_S)
        self.samples = self.samples * fading + samples
        self.seconds = self.seconds * fading + seconds

    def _skipped(self, step: int) -> int:
        late = self.period and step >= max(SKIPPED_PERIODS * self.period, SKIPPED_S * 1e9)
        return round(step / self.period) - 1 if late else 0

    def _mark(self, samples: int, upto: int) -> None:
        if not samples:
            return
        if not self.missed:
            self.missed_from = self.upto
        self.missed += samples
        self.missed_upto = upto

    def noted(self) -> None:
        """Take note that the ledger holds what was missed."""
        self.missed = 0

    def resumed_at(self, batch: Batch) -> int:
        """Give the end of a gap on the source's clock, ns: the moment of its first batch.

        What the server had kept in a queue bears the time at which it was put there.
        """
        present = batch.received - self.lag
        return present if self.upto and present - batch.upto > LATE_NS else batch.upto

    def state(self) -> dict[str, Any]:
        """Give everything held, as plain data."""
        return asdict(self)


def overflowed(batch: Batch) -> NDArray[np.bool_]:
    """Tell before which samples (n,) the queue of their item dropped others."""
    flagged: NDArray[np.bool_] = (batch.status & _OVERFLOW) == _OVERFLOW
    return flagged


def dropped(
    batch: Batch, flagged: NDArray[np.bool_], last_at: NDArray[np.int64], rate: float
) -> int:
    """Estimate what was dropped before the samples that say so: one at least, each.

    Parameters
    ----------
    flagged
        Which samples say so, (n,).
    last_at
        Time of each tag's last sample before this batch, ns (size,); long past for a new tag.
    rate
        Usual samples a second of one tag.
    """
    tag, at = batch.tag[flagged], batch.at[flagged]
    known = tag < len(last_at)
    silent = np.zeros(len(tag))
    silent[known] = (at[known] - np.maximum(last_at[tag[known]], at[known] - _LONGEST)) / 1e9
    first = np.unique(tag, return_index=True)[1]
    # A tag's later flags stand within the same silence, and say one more each.
    more = np.maximum(np.rint(silent[first] * rate) - 1, 1).sum()
    return int(more) + len(tag) - len(first)


def newest(last_at: NDArray[np.int64], tag: NDArray[np.int32], at: NDArray[np.int64]) -> None:
    """Raise the last time (size,) of every tag to those of a batch (n,)."""
    known = tag < len(last_at)
    if not known.all():
        tag, at = tag[known], at[known]
    # One tag's samples stand in time order: the last one assigned is its newest.
    last_at[tag] = np.maximum(last_at[tag], at)
