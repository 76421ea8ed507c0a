"""Records out of a journal's file, in their order, with what is missing among them."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from gateway.journal import bodies, file
from gateway.journal.bodies import KINDS, Row
from gateway.journal.damage import DamagedRecord, Entry
from plant.errors import Rejected

_PAGE = 256
_SELECT = """
SELECT position, kind, subject, first_at, last_at, samples, body, name
FROM record LEFT JOIN subject ON subject.id = record.subject
WHERE position > ? AND position <= ? {} ORDER BY position LIMIT ?
"""
Place = tuple[int, Entry]


def query_of(kinds: Collection[type] | None) -> str:
    """Give the query that reads some kinds, or all."""
    if kinds is None:
        return _SELECT.format("")
    numbers = ", ".join(str(int(KINDS[kind])) for kind in kinds)
    known = ", ".join(str(int(kind)) for kind in KINDS.values())
    # A kind that was never written is damage, and nobody can say among which.
    return _SELECT.format(f"AND (kind IN ({numbers}) OR kind NOT IN ({known}))")


def page(
    connection: sqlite3.Connection, query: str, after: int, limit: int, *, all_kinds: bool
) -> tuple[list[Place], list[Place]]:
    """Read some records behind a position, and what is missing among them or at the end.

    Raises
    ------
    Damaged
        Their positions do not ascend.
    """
    found = connection.execute(query, (after, limit, _PAGE)).fetchall()
    rows = [(Row(*index), body, name) for *index, body, name in found]
    if any(row.position <= before for row, before in _before(rows, after)):
        raise file.Damaged(f"the records of the journal are out of order; {file.MEND}")
    holes: list[Place] = []
    for row, before in _before(rows, after) if all_kinds else ():
        lost = _lost(connection, before, row.position)
        if lost:
            text = f"positions {lost} to {row.position - 1} are missing"
            holes.append((lost, DamagedRecord(lost, text)))
    lost = _lost(connection, after, limit + 1) if all_kinds and not rows else 0
    if lost:
        holes.append((limit, DamagedRecord(limit, f"positions {lost} to {limit} are missing")))
    return [(row.position, _entry(row, name, body)) for row, body, name in rows], holes


def _lost(connection: sqlite3.Connection, after: int, before: int) -> int:
    """Give the first position between two that is missing and was not evicted; 0: there is none."""
    if after + 1 < before:
        (floor,) = connection.execute("SELECT max(position) FROM floor").fetchone()
        after = max(after, floor or 0)
    return after + 1 if after + 1 < before else 0


def _before(rows: Sequence[tuple[Row, bytes, Any]], after: int) -> Iterator[tuple[Row, int]]:
    """Give each row with the position before it."""
    for row, *_ in rows:
        yield row, after
        after = row.position


def _entry(row: Row, name: str | None, body: bytes) -> Entry:
    if name is None:
        return DamagedRecord(row.position, f"its subject {row.subject} has no name")
    try:
        return bodies.decode(row, name, body)
    except Rejected as error:
        return DamagedRecord(row.position, str(error))
