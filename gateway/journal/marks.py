"""When a journal stood where, by this machine's clock: for how long a record has been on disk.

A source time says nothing of it: a recording is years old when it is read, a PLC's clock is an hour
off. One moment of every minute stands in the file; of the time since it was opened every second is
known beside them.
"""

import sqlite3
import threading
import time
from bisect import bisect_right
from pathlib import Path

from gateway.journal import file

MOST = 4_096
"""Moments known by heart; beyond that every second one of the older half goes."""
EVERY_NS = 60_000_000_000
APART_S = 1.0

_FORGET = """
DELETE FROM mark WHERE position < (SELECT max(position) FROM mark WHERE position <= ?)
"""


def latest(path: Path) -> int:
    """Give the last moment that stands in a journal's file, ns since 1970 UTC; 0: there is none.

    This machine's clock cannot be behind it, unless it is wrong.
    """
    if not path.exists():
        return 0
    with file.reader(path) as connection:
        (at,) = connection.execute("SELECT max(at) FROM mark").fetchone()
    return int(at or 0)


class Marks:
    """The moments of one journal; `age_s` from any thread, all else from the one that writes.

    Parameters
    ----------
    connection
        The one that writes.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._guard = threading.Lock()
        self._opened = time.time_ns(), time.monotonic_ns()
        self._positions: list[int] = []
        self._moments: list[float] = []
        self._begun = time.monotonic()
        self._written = 0
        shift = time.monotonic() - time.time()
        for position, at in connection.execute("SELECT position, at FROM mark ORDER BY position"):
            self._positions.append(position)
            self._moments.append(at / 1e9 + shift)
        self._thin()

    def now(self) -> int:
        """Give the time, ns; a clock that is set while we run makes nothing older."""
        wall, monotonic = self._opened
        return wall + time.monotonic_ns() - monotonic

    def write(self, before: int, last: int) -> None:
        """Write down, once a minute, that records up to `last` are on disk; in their transaction.

        At first also that those behind `before` were not until now: who was off for a day must not
        take what comes next for a day old.
        """
        now = self.now()
        if now - self._written < EVERY_NS:
            return
        moments = [(last, now)] if self._written else [(before, now), (last, now)]
        self._connection.executemany("REPLACE INTO mark VALUES (?, ?)", moments)
        self._written = now

    def undone(self) -> None:
        """Take note that a transaction was rolled back."""
        self._written = 0

    def older(self, age_ns: int) -> int | None:
        """Give the last position that has been on disk for so long; None: none has."""
        query = "SELECT max(position) FROM mark WHERE at <= ?"
        (position,) = self._connection.execute(query, (self.now() - age_ns,)).fetchone()
        return None if position is None else int(position)

    def forget(self, upto: int) -> None:
        """Forget the moments before the one that tells of position `upto`; in a transaction."""
        self._connection.execute(_FORGET, (upto,))

    def note(self, position: int) -> None:
        """Take note that the journal stands there now."""
        with self._guard:
            now = time.monotonic()
            if self._positions and position <= self._positions[-1]:
                self._moments[-1] = now
            elif not self._moments or now - self._moments[-1] >= APART_S:
                self._positions.append(position)
                self._moments.append(now)
                self._thin()

    def age_s(self, cursor: int, committed: int) -> float:
        """Give for how long the first record behind `cursor` has been on disk, s; 0 if none is.

        At most a second too long, or a minute where that was before the last start.
        """
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
