"""How long a record of the journal has waited: by this machine's clock, not by the source's.

A source time says nothing of it: a recording is years old when it is read, a PLC's clock is an hour
off.
"""

import threading
import time
from bisect import bisect_right
from collections.abc import Sequence

MOST = 4_096
"""Marks kept; beyond that every second of the older half goes."""


class Marks:
    """Remembers when the journal stood where.

    Parameters
    ----------
    known
        Positions, ascending, and the wall times at which the journal stood there, ns.
    """

    def __init__(self, known: Sequence[tuple[int, int]] = ()) -> None:
        self._guard = threading.Lock()
        shift = time.monotonic() - time.time()
        self._positions = [position for position, _ in known]
        self._moments = [at / 1e9 + shift for _, at in known]
        self._begun = time.monotonic()
        self._thin()

    def note(self, position: int) -> None:
        """Take note of where the journal stands now."""
        with self._guard:
            if self._positions and position <= self._positions[-1]:
                self._moments[-1] = time.monotonic()
                return
            self._positions.append(position)
            self._moments.append(time.monotonic())
            self._thin()

    def age_s(self, cursor: int, committed: int) -> float:
        """Give for how long the first record behind `cursor` has been on disk, s; 0 if none is."""
        if cursor >= committed:
            return 0.0
        with self._guard:
            before = bisect_right(self._positions, cursor) - 1
            if before >= 0:
                since = self._moments[before]
            else:
                since = min(self._moments[:1], default=self._begun)
        return max(0.0, time.monotonic() - since)

    def _thin(self) -> None:
        while len(self._positions) > MOST:
            half = len(self._positions) // 2
            self._positions[:half] = self._positions[:half:2]
            self._moments[:half] = self._moments[:half:2]
