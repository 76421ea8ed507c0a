"""The journal's tag table: it only grows, and a handle never changes its name."""

import sqlite3
from collections.abc import Sequence

from gateway.journal import file
from plant.tags import Tag, TagHandle

_LATEST = "SELECT handle, name, source, address, unit, scale, offset FROM tag ORDER BY rowid"


def register(connection: sqlite3.Connection, tags: Sequence[Tag], at: int) -> list[TagHandle]:
    """Give each tag its handle, new names the next free one; runs inside a transaction.

    A known name with another source, address, unit or scaling gets a version row valid from `at`,
    so that old samples can still be read in the unit they were written in.
    """
    known = {row[1]: row for row in connection.execute(_LATEST)}
    free = 1 + max((row[0] for row in known.values()), default=0)
    handles = []
    for tag in tags:
        meaning = (tag.name, tag.source, tag.address, tag.unit, tag.scale, tag.offset)
        row = known.get(tag.name)
        handle = free if row is None else int(row[0])
        if row is None or row[1:] != meaning:
            known[tag.name] = (handle, *meaning)
            connection.execute(
                "INSERT INTO tag (handle, valid_from, name, source, address, unit, scale, offset)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (handle, at, *meaning),
            )
        free = max(free, handle + 1)
        handles.append(TagHandle(handle, tag))
    file.seal(connection, "tag")
    return handles


def retired(connection: sqlite3.Connection, configured: Sequence[TagHandle]) -> list[TagHandle]:
    """Give every other tag that was ever registered, as it was when it was last."""
    known = {row[0]: row[1:] for row in connection.execute(_LATEST)}
    present = {one.handle for one in configured}
    names = ("name", "source", "address", "unit", "scale", "offset")
    return [
        TagHandle(handle, Tag(**dict(zip(names, row, strict=True))), retired=True)
        for handle, row in known.items()
        if handle not in present
    ]
