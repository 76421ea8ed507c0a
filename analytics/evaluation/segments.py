"""Stretches of marked rows, and the events and episodes that are counted instead of rows."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Marks = NDArray[np.bool_]


def stretches(marked: Marks, gap: int = 1) -> list[tuple[int, int]]:
    """Give first and last row of each stretch of marked rows (n,).

    Parameters
    ----------
    marked
        Which rows are marked.
    gap
        Marked rows at most this many rows apart belong together; 1 means neighbours only.

    Examples
    --------
    >>> marked = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1], bool)
    >>> stretches(marked), stretches(marked, 2)
    ([(1, 2), (4, 4), (8, 8)], [(1, 4), (8, 8)])
    """
    rows = np.flatnonzero(marked)
    if not len(rows):
        return []
    apart = np.flatnonzero(np.diff(rows) > max(gap, 1))
    first = rows[np.concatenate(([0], apart + 1))]
    last = rows[np.concatenate((apart, [len(rows) - 1]))]
    return list(zip(first.tolist(), last.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Events:
    """What a maintenance engineer counts: faults seen, how late, and alarms about nothing.

    Parameters
    ----------
    events
        Labelled stretches.
    delays
        Rows from the start of each event that was seen to the first alarm inside it.
    false
        Episodes of alarm that touch no labelled row.
    """

    events: int
    delays: tuple[int, ...]
    false: int

    @property
    def seen(self) -> int:
        """Events with an alarm inside."""
        return len(self.delays)

    @property
    def recall(self) -> float:
        """Share of the events that were seen; NaN when there were none."""
        return self.seen / self.events if self.events else float("nan")

    @property
    def delay(self) -> float:
        """Median delay of the events that were seen, rows; NaN when there were none."""
        return float(np.median(self.delays)) if self.delays else float("nan")

    @classmethod
    def of(cls, truth: Marks, alarm: Marks, gap: int) -> "Events":
        """Count them.

        Alarm rows at most `gap` rows apart are one episode, for an operator sees them as one. An
        episode that overlaps an event nowhere is false. No point adjustment: an event that was
        hit once counts as seen, and its other rows are not called found (Kim et al. 2022,
        "Towards a rigorous evaluation of time-series anomaly detection", AAAI, show what goes
        wrong otherwise).
        """
        delays = []
        for first, last in stretches(truth):
            hits = np.flatnonzero(alarm[first : last + 1])
            if len(hits):
                delays.append(int(hits[0]))
        episodes = stretches(alarm, gap)
        false = sum(not truth[first : last + 1].any() for first, last in episodes)
        return cls(len(stretches(truth)), tuple(delays), false)

    @classmethod
    def total(cls, parts: Iterable["Events"]) -> "Events":
        """Pool the counts of several recordings."""
        kept = list(parts)
        return cls(
            sum(part.events for part in kept),
            tuple(delay for part in kept for delay in part.delays),
            sum(part.false for part in kept),
        )
