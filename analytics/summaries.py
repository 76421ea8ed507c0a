"""Windows of samples: count, good ratio, extremes, mean, deviation, first and last; exact.

Statistics are arithmetic, each sample weighs the same: the mean is what OPC 10000-13 §5.4.3.5 calls
Average, the sum of all Good raw values divided by their number, "not time based", and not its
TimeAverage, which weighs a value by how long it stood. A tag that is sent on change is therefore
not averaged over time. Deviation is that of the population, StandardDeviationPopulation there.

What a window says is a function of the set of its samples, whatever their order and however often
each comes. Of two samples of one tag and time that differ, the one with the lower StatusCode counts
(Good before Uncertain before Bad), then the lesser value.

Sources: mean and deviation by the corrected two-pass algorithm, windows joined by the formula for
combining samples, both from Chan, Golub and LeVeque, "Algorithms for computing the sample variance:
analysis and recommendations", The American Statistician 37(3), 1983, the latter for any number of
parts at once. Values are scaled by powers of two first, so that nothing overflows or vanishes on
the way.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected
from plant.quality import is_good
from plant.records import SummaryRecord

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]

_LARGEST_SHIFT = 1000
"""Powers of two up to this one, and down to it, are numbers whose inverse is one, too."""


@dataclass(slots=True)
class _Statistics:
    """Of groups of values or of windows, float64 (m,) each."""

    low: Floats
    high: Floats
    mean: Floats
    std: Floats


def summarise(
    source: str,
    every: int,
    tag: NDArray[np.int32],
    at: NDArray[np.int64],
    value: Floats,
    status: NDArray[np.uint32],
) -> SummaryRecord:
    """Summarise samples of one source, in any order, in windows of `every` ns.

    Parameters
    ----------
    source
        Name of the source.
    every
        Length of the windows, ns.
    tag, at, value, status
        Columns as in `plant.samples.Batch`, (n,) each. A value that is not finite counts as not
        Good; a negative zero counts as zero.

    Returns
    -------
    SummaryRecord
        One row for each tag and window that holds a sample, by tag, then by time.

    Raises
    ------
    Rejected
        `every` is not positive.
    """
    if every <= 0:
        raise Rejected(f"windows of {every} ns: their length has to be positive")
    tag, at, value, status = _once(tag, at, value, status)
    start = at - at % every
    first = _begins(tag, start)
    count = np.diff(np.append(first, len(tag)))
    good = is_good(status) & np.isfinite(value)
    group = np.repeat(np.arange(len(first)), count)
    if not good.all():
        value, group = value[good], group[good]
    value = value + 0.0  # a negative zero becomes a zero
    held, begin, size = _runs(group)
    found = _of_values(value, begin, size)
    goods = np.zeros(len(first), np.uint32)
    goods[held] = size
    filled = _Filled(len(first), held)
    return SummaryRecord(
        source=source,
        every=every,
        tag=tag[first],
        start=start[first],
        count=count.astype(np.uint32),
        good=goods,
        low=filled(found.low),
        high=filled(found.high),
        mean=filled(found.mean),
        std=filled(found.std),
        first=filled(value[begin]),
        last=filled(value[begin + size - 1]),
    )


def merged(windows: SummaryRecord, every: int) -> SummaryRecord:
    """Make windows of `every` ns from shorter ones, each tag and start once, in any order.

    Raises
    ------
    Rejected
        `every` is not a whole multiple of the length of `windows`.
    """
    if every <= 0 or every % windows.every:
        raise Rejected(f"windows of {every} ns cannot be made from such of {windows.every} ns")
    order = np.lexsort((windows.start, windows.tag))
    tag, start = windows.tag[order], windows.start[order]
    start = start - start % every
    first = _begins(tag, start)
    parts = np.diff(np.append(first, len(tag)))
    group = np.repeat(np.arange(len(first)), parts)
    count, good = windows.count[order].astype(np.int64), windows.good[order].astype(np.int64)
    some = np.flatnonzero(good)
    held, begin, size = _runs(group[some])
    chosen = order[some]
    found = _of_windows(windows, chosen, good[some], begin, size)
    filled = _Filled(len(first), held)
    return SummaryRecord(
        source=windows.source,
        every=every,
        tag=tag[first],
        start=start[first],
        count=_sums(count, first).astype(np.uint32),
        good=_sums(good, first).astype(np.uint32),
        low=filled(found.low),
        high=filled(found.high),
        mean=filled(found.mean),
        std=filled(found.std),
        first=filled(windows.first[chosen[begin]]),
        last=filled(windows.last[chosen[begin + size - 1]]),
    )


@dataclass(slots=True)
class _Filled:
    """Spreads statistics of the groups `held` over all `groups`, with NaN where there is none."""

    groups: int
    held: Places

    def __call__(self, column: Floats) -> Floats:
        full = np.full(self.groups, np.nan)
        full[self.held] = column
        return full


def _begins(tag: NDArray[np.int32], start: NDArray[np.int64]) -> Places:
    """Give the place of the first row of each run of one tag and start."""
    if not len(tag):
        return np.empty(0, np.intp)
    new = (tag[1:] != tag[:-1]) | (start[1:] != start[:-1])
    return np.append(0, np.flatnonzero(new) + 1)


def _runs(group: Places) -> tuple[Places, Places, Places]:
    """Give each number of `group`, ascending (n,), once, where it begins and how often it comes."""
    if not len(group):
        return group, group, group
    begin = np.append(0, np.flatnonzero(group[1:] != group[:-1]) + 1)
    return group[begin], begin, np.diff(np.append(begin, len(group)))


def _sums(column: NDArray[Any], first: Places) -> NDArray[Any]:
    # reduceat refuses an empty column.
    return np.add.reduceat(column, first) if len(first) else column[:0]


def _once(
    tag: NDArray[np.int32],
    at: NDArray[np.int64],
    value: Floats,
    status: NDArray[np.uint32],
) -> tuple[NDArray[np.int32], NDArray[np.int64], Floats, NDArray[np.uint32]]:
    """Give the samples by tag and time, each pair of them once."""
    order = _by_tag_and_time(tag, at)
    tag, at = tag[order], at[order]
    same = (tag[1:] == tag[:-1]) & (at[1:] == at[:-1])
    if not same.any():
        return tag, at, value[order], status[order]
    # Only those that come more than once are put in the order of preference.
    begins = np.append(True, ~same)
    group = np.cumsum(begins) - 1
    often = np.flatnonzero(~begins | np.append(same, False))
    chosen = order[often]
    preferred = np.lexsort((_rank(value[chosen]), status[chosen], group[often]))
    order[often] = chosen[preferred]
    order, kept = order[begins], np.flatnonzero(begins)
    return tag[kept], at[kept], value[order], status[order]


def _by_tag_and_time(tag: NDArray[np.int32], at: NDArray[np.int64]) -> Places:
    if not len(tag):
        return np.empty(0, np.intp)
    lowest, begin = int(tag.min()), int(at.min())
    span = int(at.max()) - begin + 1
    if (int(tag.max()) - lowest + 1) * span < 2**63:
        # One key in the place of two: three times as fast (measured on 550,000 samples).
        return np.argsort((tag.astype(np.int64) - lowest) * span + (at - begin))
    return np.lexsort((at, tag))


def _rank(value: Floats) -> NDArray[np.int64]:
    """Give numbers that order floats as IEEE 754-2008 §5.10 does (totalOrder), each bit pattern."""
    bits = value.view(np.int64)
    return np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits)


def _shift(low: Floats, high: Floats) -> Floats:
    """Give the power of two (m,) by which to scale values between these to about one, exactly."""
    exponent = np.frexp(np.maximum(np.abs(low), np.abs(high)))[1]
    shift: Floats = np.ldexp(1.0, -np.clip(exponent, -_LARGEST_SHIFT, _LARGEST_SHIFT))
    return shift


def _of_values(value: Floats, begin: Places, size: NDArray[np.intp]) -> _Statistics:
    """Give the statistics of groups of finite values that begin at `begin`."""
    if not len(begin):
        return _Statistics(value[:0], value[:0], value[:0], value[:0])
    low, high = np.minimum.reduceat(value, begin), np.maximum.reduceat(value, begin)
    shift = _shift(low, high)
    scaled = value * np.repeat(shift, size)
    mean = np.add.reduceat(scaled, begin) / size
    scaled -= np.repeat(mean, size)
    # The sum of what should sum to zero mends the rounding of the mean.
    mend = np.add.reduceat(scaled, begin) / size
    scaled *= scaled
    square = np.add.reduceat(scaled, begin) / size - mend * mend
    return _unscaled(low, high, mean + mend, square, shift)


def _of_windows(
    windows: SummaryRecord,
    chosen: Places,
    good: NDArray[np.int64],
    begin: Places,
    size: NDArray[np.intp],
) -> _Statistics:
    """Give the statistics of groups of windows, `chosen` rows with `good` samples each."""
    if not len(begin):
        none = np.empty(0)
        return _Statistics(none, none, none, none)
    low = np.minimum.reduceat(windows.low[chosen], begin)
    high = np.maximum.reduceat(windows.high[chosen], begin)
    shift = _shift(low, high)
    spread = np.repeat(shift, size)
    part, within = windows.mean[chosen] * spread, windows.std[chosen] * spread
    total = np.add.reduceat(good, begin)
    weight = good / np.repeat(total, size)
    mean = np.add.reduceat(part * weight, begin)
    apart = part - np.repeat(mean, size)
    mend = np.add.reduceat(apart * weight, begin)
    square = np.add.reduceat((within * within + apart * apart) * weight, begin) - mend * mend
    return _unscaled(low, high, mean + mend, square, shift)


def _unscaled(
    low: Floats, high: Floats, mean: Floats, square: Floats, shift: Floats
) -> _Statistics:
    std = np.sqrt(np.maximum(square, 0.0)) / shift
    std[low == high] = 0.0
    return _Statistics(low, high, np.clip(mean / shift, low, high), std)
