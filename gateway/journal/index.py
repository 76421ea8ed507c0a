"""What the index columns of a journal tell without decoding, and bodies by their position."""

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.journal.bodies import Kind, Row, decode
from gateway.journal.damage import DamagedRecord, Entry
from plant.errors import Rejected
from plant.records import EventRecord
from plant.samples import NO_TIME

_BEHIND = """
SELECT position, subject, first_at, last_at, samples FROM record
WHERE position > ? AND position <= ? AND kind = ? ORDER BY position LIMIT ?
"""
_OVERLAPPING = """
SELECT position, subject, first_at, last_at, samples FROM record INDEXED BY record_by_time
WHERE kind = ? AND subject = ? AND last_at >= ? AND last_at < ? AND first_at < ? AND samples > 0
"""
_WIDE = """
SELECT position, subject, first_at, last_at, samples FROM record INDEXED BY record_by_time
WHERE kind = ? AND last_at - first_at > ? AND position <= ?
"""
_BODY = """
SELECT position, kind, subject, first_at, last_at, samples, body, name
FROM record LEFT JOIN subject ON subject.id = record.subject WHERE position = ?
"""
_NEWEST = """
SELECT subject, max(last_at) FROM record INDEXED BY record_by_time
WHERE kind = ? AND position <= ? GROUP BY subject
"""
_EVENTS = """
SELECT position FROM record INDEXED BY record_by_time
WHERE kind = ? AND subject = (SELECT id FROM subject WHERE name = ?) AND position > ?
ORDER BY position LIMIT ?
"""
_TOUCHING = """
SELECT position FROM record INDEXED BY record_by_time
WHERE kind = ? AND last_at >= ? AND first_at < ? {} ORDER BY position
"""
_OF_SOURCE = "AND subject = (SELECT id FROM subject WHERE name = ?)"
GONE = "gone-{}"
"""Where the file tells of each kind up to which source time, ns, something of it was evicted."""
NO_LIMIT = -1
"""To SQLite a limit below nothing is none."""
LAST = 2**63 - 1

Rows = NDArray[np.int64]
"""Index columns, int64 (n, 5): position, subject, first_at, last_at, samples."""
POSITION, SUBJECT, FIRST_AT, LAST_AT, SAMPLES = range(5)


def _rows(found: Sequence[tuple[int, ...]]) -> Rows:
    return np.array(found, np.int64).reshape(-1, 5)


def behind(connection: sqlite3.Connection, kind: Kind, after: int, upto: int, most: int) -> Rows:
    """Give the first `most` records of a kind with ``after < position <= upto``, in order."""
    return _rows(connection.execute(_BEHIND, (after, upto, int(kind), most)).fetchall())


def overlapping(
    connection: sqlite3.Connection, kind: Kind, subject: int, start: int, stop: int, widest: int
) -> Rows:
    """Give the records that may hold source times [start, stop), in no order.

    Only those that span at most `widest` ns: the index finds them by their last time.
    """
    until = min(stop + widest, LAST)
    bound = (int(kind), subject, start, until, stop)
    return _rows(connection.execute(_OVERLAPPING, bound).fetchall())


def wide(connection: sqlite3.Connection, kind: Kind, widest: int, upto: int) -> Rows:
    """Give the records of a kind that span more than `widest` ns; looks at the whole index."""
    return _rows(connection.execute(_WIDE, (int(kind), widest, upto)).fetchall())


def newest(connection: sqlite3.Connection, kind: Kind, upto: int) -> dict[int, int]:
    """Give the last source time, ns, of each subject of a kind; looks at the whole index."""
    return dict(connection.execute(_NEWEST, (int(kind), upto)).fetchall())


def touching(connection: sqlite3.Connection, start: int, stop: int, source: str = "") -> list[int]:
    """Give the positions of samples that may be of [start, stop), ns, in order; of all sources."""
    query = _TOUCHING.format(_OF_SOURCE if source else "")
    bound = (int(Kind.SAMPLES), start, stop, *((source,) if source else ()))
    return [position for (position,) in connection.execute(query, bound)]


def events(
    connection: sqlite3.Connection, kind: str, after: int, most: int = NO_LIMIT
) -> Iterator[tuple[int, EventRecord]]:
    """Give the events of one kind behind position `after` that can be read, with their places.

    The first `most` of them are looked at.
    """
    bound = (int(Kind.EVENT), kind, after, most)
    for (position,) in connection.execute(_EVENTS, bound).fetchall():
        entry = record_at(connection, position)
        if isinstance(entry, EventRecord):
            yield position, entry


def gone(connection: sqlite3.Connection, kind: Kind) -> int:
    """Give the source time, ns, up to which records of a kind were evicted; `NO_TIME`: never."""
    query = "SELECT value FROM about WHERE key = ?"
    found = connection.execute(query, (GONE.format(int(kind)),)).fetchone()
    return int(found[0]) if found else NO_TIME


def subjects(connection: sqlite3.Connection) -> dict[int, str]:
    """Give the names that records are filed under, by their number."""
    return dict(connection.execute("SELECT id, name FROM subject").fetchall())


def record_at(connection: sqlite3.Connection, position: int) -> Entry | None:
    """Decode the record at a position; None where it is gone."""
    row = connection.execute(_BODY, (position,)).fetchone()
    if row is None:
        return None
    *index, body, name = row
    try:
        return decode(Row(*index), str(name), body)
    except Rejected as error:
        return DamagedRecord(position, str(error))
