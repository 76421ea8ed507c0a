"""Quantiles of scores from counts in buckets that grow by a constant factor; merging is adding.

The idea of DDSketch (Masson, Rim & Lee 2019, VLDB 12) in one integer array: a quantile is right
within `ERROR` of its value. The error is relative to zero, so it fits scores and nothing that has
an offset.
"""

from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from analytics.federation.refusals import Refused, Why

Columns = NDArray[np.float64]
Counts = NDArray[np.int64]

ERROR = 0.01
LEAST, MOST = 1e-4, 1e8
"""Scores below and above count as these."""
_STEP = log((1 + ERROR) / (1 - ERROR))
_FIRST = ceil(log(LEAST) / _STEP)
BUCKETS = ceil(log(MOST) / _STEP) - _FIRST + 1
MOST_COUNT = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """How many scores lie in each bucket (BUCKETS,)."""

    counts: Counts

    @classmethod
    def of(cls, scores: Columns) -> "Sketch":
        """Count scores (n,), finite and not negative."""
        held = np.clip(scores, LEAST, MOST)
        place = np.ceil(np.log(held) / _STEP).astype(np.int64) - _FIRST
        counts = np.bincount(np.clip(place, 0, BUCKETS - 1), minlength=BUCKETS)
        return cls(counts.astype(np.int64))

    def __add__(self, other: "Sketch") -> "Sketch":
        """Give the sketch of both scores."""
        return Sketch(self.counts + other.counts)

    @property
    def n(self) -> int:
        """Number of scores."""
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """Give the score that `share` of all do not exceed, within `ERROR` of it.

        Examples
        --------
        >>> sketch = Sketch.of(np.arange(1.0, 1001.0))
        >>> abs(sketch.quantile(0.99) / 990 - 1) < 0.0101
        True
        """
        if not self.n:
            raise Refused(Why.NO_DATA, "there is no score to take a quantile of")
        rank = max(ceil(share * self.n), 1)
        place = int(np.searchsorted(np.cumsum(self.counts), rank))
        # The middle of the bucket by which both ends are equally far off.
        return float(2 * np.exp((place + _FIRST) * _STEP) / (1 + np.exp(_STEP)))

    def narrowed(self) -> tuple[int, Counts]:
        """Give the first bucket that is not empty, and the counts from there to the last one."""
        used = np.flatnonzero(self.counts)
        if not len(used):
            return 0, self.counts[:0]
        return int(used[0]), self.counts[used[0] : used[-1] + 1]

    @classmethod
    def widened(cls, first: int, counts: Counts) -> "Sketch":
        """Build a sketch of what `narrowed` gave.

        Raises
        ------
        Refused
            Counts that are negative, or lie where no bucket is.
        """
        if counts.ndim != 1 or not 0 <= first <= BUCKETS - len(counts):
            raise Refused(Why.MALFORMED, f"{counts.shape} counts from bucket {first} do not fit")
        if len(counts) and (counts.min() < 0 or counts.max() > MOST_COUNT):
            raise Refused(Why.IMPOSSIBLE, "a bucket holds a number of scores that cannot be")
        whole = np.zeros(BUCKETS, np.int64)
        whole[first : first + len(counts)] = counts
        return cls(whole)
