"""What a journal holds, and who has to go when there is no room for what comes."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.journal import file, index
from gateway.journal.bodies import Kind, Row
from gateway.journal.limits import KIND_OF, Evicted, Holding, Level, Limits
from gateway.journal.marks import Marks
from gateway.journal.pins import Pins
from gateway.journal.readers import Reader

ROW_BYTES = 160
"""What a record takes beside its body: index, row head, the rest of its last page."""
AHEAD_BYTES = 16_000_000
AHEAD_SHARE = 64
"""So much more goes than has to (or that part of all), so that it is seldom."""
LOG_BYTES = 4_000_000
LOG_SHARE = 16
"""Room that is left for the write-ahead log (or that part of the limit)."""
PINNED_SHARE = 2
"""Pins hold at most this part of the limit; beyond it the oldest of them go before any other."""
AGED_S = 10.0
SPLIT_PAGES = 64
"""Pages beside those of the bodies that one commit may need: of trees that grow."""
SHRINK_S = 0.02
"""So long a commit may give pages back, s, when a limit was lowered: with gigabytes of free pages
SQLite looks for each of them for milliseconds."""
BATCH = 256
EVICTED = "evicted"
"""Kind of the event that tells what went unsent."""
AHEAD_NS = 60_000_000_000
"""A source time is believed there up to so long before our own, ns: one that runs ahead would make
all that comes look as if its neighbours were gone."""
DISK_FULL = "the disk is full"
TOO_LARGE = "the journal is as large as it may be"
TOO_OLD = "older than it may be"

_SCAN = """
SELECT position, kind, subject, first_at, last_at, samples, length(body) FROM record
WHERE position > ? AND position <= ? ORDER BY position LIMIT ?
"""
_COUNT = """
INSERT INTO total VALUES (?, ?, ?, ?, 0, 0, 0, 0) ON CONFLICT (kind) DO UPDATE SET
    records = records + excluded.records, samples = samples + excluded.samples,
    bytes = bytes + excluded.bytes
"""
_EVICT = """
UPDATE total SET records = records - :records, samples = samples - :samples,
    bytes = bytes - :bytes, evicted_records = evicted_records + :records,
    evicted_samples = evicted_samples + :samples,
    unsent_records = unsent_records + :unsent_records,
    unsent_samples = unsent_samples + :unsent_samples
WHERE kind = :kind
"""
_COUNTED = """
SELECT kind, count(*), sum(samples), max(position) FROM record INDEXED BY record_by_time
GROUP BY kind
"""
_GONE = """
INSERT INTO about VALUES (:key, :upto) ON CONFLICT (key) DO UPDATE SET
    value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))
"""


class Room:
    """The room of one journal; every method runs on the thread that writes.

    Parameters
    ----------
    connection
        The one that writes.
    limits
        What may be taken.
    """

    def __init__(self, connection: sqlite3.Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
        most = limits.max_bytes
        self._log_bytes = LOG_BYTES if most is None else min(LOG_BYTES, most // LOG_SHARE)
        if limits.max_bytes is not None:
            pages = min(1000, self._log_bytes // self._page_bytes)
            connection.execute(f"PRAGMA wal_autocheckpoint = {max(16, pages)}")
            connection.execute(f"PRAGMA journal_size_limit = {self._log_bytes}")
        self.marks = Marks(connection)
        self._aged = 0.0
        self._returned = 16
        self.pins = Pins(connection)
        self.cramped = False
        self.load()

    def load(self) -> None:
        """Take up what the file says; anew after a commit that failed."""
        ask = self._connection.execute
        self.holds = {Kind(kind): Holding(*rest) for kind, *rest in ask("SELECT * FROM total")}
        self._floor = dict.fromkeys(Level, 0)
        self._passed = 0
        for level, position, passed in ask("SELECT * FROM floor"):
            self._floor[Level(level)] = position
            self._passed += passed
        self.pins.forget()

    def check(self, path: Path) -> None:
        """Hold the counts against the records.

        Raises
        ------
        Damaged
            They differ: the file is not as it was written.
        """
        broken = [one for one in file.SEALED if not file.is_sealed(self._connection, one)]
        if broken:
            raise file.Damaged(f"journal {path}: not as it was written: {broken}; {file.MEND}")
        counted = self._connection.execute(_COUNTED).fetchall()
        held = {
            int(kind): (holding.records, holding.samples)
            for kind, holding in self.holds.items()
            if holding.records
        }
        found = {kind: (records, samples) for kind, records, samples, _ in counted}
        (newest,) = self._connection.execute("SELECT max(position) FROM record").fetchone()
        entered = max((position for *_, position in counted), default=None)
        if found != held or newest != entered:
            raise file.Damaged(f"journal {path}: its records are not all there; {file.MEND}")

    @property
    def floor(self) -> int:
        """Position up to which records may have gone; what is missing beyond was lost."""
        return max(self._floor.values())

    def count(self, rows: Sequence[tuple[Row, int]]) -> None:
        """Take note of records that were written, each with the bytes of its body."""
        sums: dict[int, list[int]] = {}
        for row, size in rows:
            of_kind = sums.setdefault(row.kind, [0, 0, 0])
            of_kind[0] += 1
            of_kind[1] += row.samples
            of_kind[2] += size
        self._connection.executemany(_COUNT, [(kind, *sum_) for kind, sum_ in sums.items()])
        if rows:
            self.marks.write(rows[0][0].position - 1, rows[-1][0].position)

    def make(
        self, incoming: int, log: int, upto: int, readers: Mapping[str, Reader], *, full: bool
    ) -> Evicted:
        """Let the oldest go until there is room; runs inside the transaction that needs it.

        Parameters
        ----------
        incoming
            Bytes that are about to be written.
        log
            Bytes of the write-ahead log.
        upto
            Position from which on everything is still needed.
        readers
            Everybody who reads it, by name.
        full
            The disk is full: the file must not grow.
        """
        evicted = Evicted()
        self._by_age(upto, readers, evicted)
        short = self._short(incoming, log, full=full)
        if short > 0:
            ahead = min(AHEAD_BYTES, self._used() // AHEAD_SHARE)
            # A limit that was lowered by gigabytes is reached in steps.
            goal = evicted.bytes + min(short, max(2 * incoming, AHEAD_BYTES)) + ahead
            evicted.why = DISK_FULL if full else TOO_LARGE
            while evicted.bytes < goal and self._some(goal, upto, readers, evicted):
                pass
            short = self._short(incoming, log, full=full) if evicted.bytes < goal else 0
        self.cramped = short > 0
        self._keep(evicted, readers)
        return evicted

    def _short(self, incoming: int, log: int, *, full: bool) -> int:
        """Give the bytes that are missing for `incoming` more."""
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        # Pages are seldom filled to the last byte.
        needed = incoming + incoming // 8 + SPLIT_PAGES * self._page_bytes
        short = needed - free * self._page_bytes if full else 0
        most = self._limits.max_bytes
        if most is not None:
            # A log that a slow reader holds open is no reason to let all records go.
            log = max(min(log + incoming, most // 4), self._log_bytes)
            short = max(short, self._used() + incoming + log + self._limits.reserve_bytes - most)
        return short

    def _used(self) -> int:
        """Give the bytes of the pages that are in use."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        return int(pages - free) * self._page_bytes

    def _by_age(self, upto: int, readers: Mapping[str, Reader], evicted: Evicted) -> None:
        age = self._limits.max_age_ns
        if age is None or time.monotonic() - self._aged < AGED_S:
            return
        old = self.marks.older(age)
        if old is None:
            self._aged = time.monotonic()
            return
        evicted.why = TOO_OLD
        for level in (Level.RAW, Level.SCORES):
            while evicted.bytes < AHEAD_BYTES and self._of(
                level, AHEAD_BYTES, min(upto, old), readers, evicted
            ):
                pass
        if evicted.bytes < AHEAD_BYTES:
            self._aged = time.monotonic()

    def shrink(self, log: int) -> None:
        """Give some pages back to the disk if the file is larger than its limit; after a commit.

        In steady state it is not: what is free is filled again. Files of format 1 stay as they are.
        """
        most = self._limits.max_bytes
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        if most is None or pages * self._page_bytes + log + self._limits.reserve_bytes <= most:
            return
        # Stepped to its end by nothing else in this module of Python's.
        begun = time.monotonic()
        self._connection.executescript(f"PRAGMA incremental_vacuum({self._returned})")
        took = time.monotonic() - begun
        # As many the next time as fit.
        most_pages = self._log_bytes // self._page_bytes
        self._returned = max(1, min(most_pages, round(self._returned * min(2.0, SHRINK_S / took))))

    def _some(self, goal: int, upto: int, readers: Mapping[str, Reader], evicted: Evicted) -> bool:
        """Let some records go, the first in order; tell whether there was anything left to do."""
        order = list(Level)
        most = self._limits.max_bytes
        if most is not None and self._passed > most // PINNED_SHARE:
            order.insert(0, Level.PINNED)
        return any(self._of(level, goal, upto, readers, evicted) for level in order)

    def _of(
        self, level: Level, goal: int, upto: int, readers: Mapping[str, Reader], evicted: Evicted
    ) -> bool:
        """Let the oldest of a level go; tell whether any was looked at."""
        if level is Level.PINNED:
            upto = min(upto, self._floor[Level.RAW])
        found = self._connection.execute(_SCAN, (self._floor[level], upto, BATCH)).fetchall()
        gone = []
        for position, kind, subject, first_at, last_at, samples, size in found:
            self._floor[level] = position
            if kind != KIND_OF[level]:
                continue
            if level is Level.RAW and self.pins.hold(subject, first_at, last_at):
                self._passed += size
                continue
            pin = 0
            if level is Level.PINNED:
                self._passed -= size
                pin = self.pins.last(subject, first_at, last_at)
            gone.append((position,))
            own = (position, first_at, last_at, samples, size + ROW_BYTES)
            evicted.add(level, own, pin, readers)
            if evicted.bytes >= goal:
                break
        self._connection.executemany("DELETE FROM record WHERE position = ?", gone)
        return bool(found)

    def _keep(self, evicted: Evicted, readers: Mapping[str, Reader]) -> None:
        """Write down what went."""
        if not evicted.gone:
            return
        execute = self._connection.execute
        for level, tally in evicted.gone.items():
            lost = evicted.lost.get(KIND_OF[level])
            upto = min(tally.stop + 1, time.time_ns() - AHEAD_NS)
            execute(_GONE, {"key": index.GONE.format(int(KIND_OF[level])), "upto": str(upto)})
            execute(
                _EVICT,
                {
                    "kind": KIND_OF[level],
                    "records": tally.records,
                    "samples": tally.samples,
                    "bytes": tally.bytes - ROW_BYTES * tally.records,
                    "unsent_records": lost.records if lost else 0,
                    "unsent_samples": lost.samples if lost else 0,
                },
            )
        for level, position in self._floor.items():
            passed = self._passed if level is Level.RAW else 0
            execute("REPLACE INTO floor VALUES (?, ?, ?)", (level, position, passed))
        file.seal(self._connection, "floor")
        self.marks.forget(min([self._floor[Level.RAW], *(one.passed for one in readers.values())]))

    def tell(self, evicted: Evicted) -> None:
        """Leave word of what went unsent until an event of the journal has told it."""
        if evicted.unsent:
            file.leave_word(self._connection, EVICTED, time.time_ns(), evicted.body())
