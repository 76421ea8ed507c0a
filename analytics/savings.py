"""What summaries save, and what they cost in exactness: per tag, in arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.records import SummaryRecord

RAW_BYTES = 24
"""Bytes of one raw sample: tag 4, time 8, value 8, status 4."""
WINDOW_BYTES = 68
"""Bytes of one window in plain columns: tag 4, start 8, count 4, good 4, six numbers of 8."""
_NEVER = -(2**63)


class Savings:
    """Counts samples and the windows that stand for them, as they are made.

    Parameters
    ----------
    every
        Length of the shortest windows, ns: those that are made from samples.
    since
        When the count began, ns since 1970 UTC.

    Notes
    -----
    A reader that puts the mean of a window in the place of each of its samples errs by at most
    ``max(high - mean, mean - low)``, exactly known from the window; `worst` is the largest of it.

    Samples are counted when their window is first made; what comes late into a window that was
    counted before is not counted again, its windows are: they are sent again.
    """

    def __init__(self, every: int, since: int = 0) -> None:
        self._every = every
        self.since = since
        self._newest = np.empty(0, np.int64)
        self.samples = np.empty(0, np.int64)
        """Samples by handle, int64 (n,)."""
        self.windows = np.empty(0, np.int64)
        """Windows of all lengths by handle, int64 (n,)."""
        self.worst = np.empty(0)
        """Worst error by handle, in the tag's unit, float64 (n,); NaN where nothing was Good."""

    def take(self, record: SummaryRecord) -> None:
        """Count the windows of one record, in which each tag and start stands once."""
        if not len(record):
            return
        self._grow(int(record.tag.max()) + 1)
        self.windows += np.bincount(record.tag, minlength=len(self.windows))
        if record.every != self._every:
            return
        fresh = record.start > self._newest[record.tag]
        weight = record.count[fresh].astype(np.float64)
        counted = np.bincount(record.tag[fresh], weight, minlength=len(self.samples))
        self.samples += counted.astype(np.int64)
        np.maximum.at(self._newest, record.tag, record.start)
        np.fmax.at(self.worst, record.tag, worst_errors(record))

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the counts as arrays, so that they go on after a restart."""
        return {
            "since": np.array(self.since, np.int64),
            "newest": self._newest.copy(),
            "samples": self.samples.copy(),
            "windows": self.windows.copy(),
            "worst": self.worst.copy(),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` gave."""
        self.since = int(arrays["since"])
        self._newest = arrays["newest"].copy()
        self.samples = arrays["samples"].copy()
        self.windows = arrays["windows"].copy()
        self.worst = arrays["worst"].copy()

    def _grow(self, size: int) -> None:
        more = size - len(self.samples)
        if more > 0:
            self._newest = np.append(self._newest, np.full(more, _NEVER, np.int64))
            self.samples = np.append(self.samples, np.zeros(more, np.int64))
            self.windows = np.append(self.windows, np.zeros(more, np.int64))
            self.worst = np.append(self.worst, np.full(more, np.nan))

    @property
    def raw_bytes(self) -> NDArray[np.int64]:
        """Bytes of the samples by handle, `RAW_BYTES` each, int64 (n,)."""
        return self.samples * RAW_BYTES

    @property
    def summary_bytes(self) -> NDArray[np.int64]:
        """Bytes of the windows by handle, `WINDOW_BYTES` each, before packing, int64 (n,)."""
        return self.windows * WINDOW_BYTES


def worst_errors(windows: SummaryRecord) -> NDArray[np.float64]:
    """Give how far a sample of each window can lie from its mean, float64 (n,).

    Examples
    --------
    >>> from analytics.summaries import summarise
    >>> tag, at = np.zeros(3, np.int32), np.arange(3)
    >>> made = summarise("s", 10, tag, at, np.array([1.0, 1.0, 4.0]), np.zeros(3, np.uint32))
    >>> worst_errors(made).tolist()
    [2.0]
    """
    with np.errstate(over="ignore"):
        return np.maximum(windows.high - windows.mean, windows.mean - windows.low)
