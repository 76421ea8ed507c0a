"""What those who carry the journal on ask of its file beside the records in their order."""

import sqlite3
from collections.abc import Collection, Iterator

from gateway.journal.bodies import Kind
from gateway.journal.index import record_at, touching
from gateway.journal.limits import KIND_OF
from gateway.journal.readers import Takes
from plant.records import EventRecord, SampleRecord
from plant.summaries import LENGTHS


def behind(connection: sqlite3.Connection, cursor: int, takes: Takes) -> int:
    """Count the records behind a position that a reader takes."""
    kinds = ", ".join(str(int(KIND_OF[level])) for level in takes.levels)
    # No record spans -1 ns: it keeps the list from being empty.
    others = ", ".join(map(str, {*LENGTHS, -1} - takes.lengths))
    # The plus keeps SQLite from the index by kind, which knows nothing of positions.
    query = (
        f"SELECT count(*) FROM record WHERE position > ? AND +kind IN ({kinds}) "  # noqa: S608
        f"AND NOT (+kind = ? AND last_at - first_at + 1 IN ({others}))"
    )
    return int(connection.execute(query, (cursor, int(Kind.SUMMARIES))).fetchone()[0])


def newest(
    connection: sqlite3.Connection, kinds: Collection[str], cursor: int, most: int
) -> list[EventRecord]:
    """Give the newest events of these kinds behind a position, at most so many, oldest first."""
    places: list[int] = []
    for kind in kinds:
        subject = _subject(connection, kind)
        query = (
            "SELECT position FROM record INDEXED BY record_by_time "
            "WHERE kind = ? AND subject = ? AND position > ? ORDER BY position DESC LIMIT ?"
        )
        asked = (int(Kind.EVENT), subject, cursor, most)
        places += [row[0] for row in connection.execute(query, asked)]
    events = []
    for position in sorted(places)[-most:]:
        record = record_at(connection, position)
        if isinstance(record, EventRecord):
            events.append(record)
    return events


def samples_between(
    connection: sqlite3.Connection, source: str, start: int, stop: int
) -> Iterator[SampleRecord]:
    """Give the batches of a source that reach into source times [start, stop), ns."""
    for position in touching(connection, start, stop, source):
        record = record_at(connection, position)
        if isinstance(record, SampleRecord):
            yield record


def newest_at(connection: sqlite3.Connection, source: str) -> int:
    """Give the newest source time, ns, of which samples of a source stand here; 0: of none."""
    query = (
        "SELECT last_at FROM record INDEXED BY record_by_time "
        "WHERE kind = ? AND subject = ? ORDER BY last_at DESC LIMIT 1"
    )
    found = connection.execute(query, (int(Kind.SAMPLES), _subject(connection, source))).fetchone()
    return int(found[0]) if found else 0


def _subject(connection: sqlite3.Connection, name: str) -> int:
    found = connection.execute("SELECT id FROM subject WHERE name = ?", (name,)).fetchone()
    return int(found[0]) if found else -1
