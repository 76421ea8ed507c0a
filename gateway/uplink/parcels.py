"""What goes to a sink in one call: records in the journal's order, bounded in number and bytes."""

import json
from collections.abc import Collection, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import cast

from gateway.journal import (
    DamagedRecord,
    Entry,
    EventRecord,
    Journal,
    Record,
    SampleRecord,
    ScoreRecord,
    SummaryRecord,
)

MOST_RECORDS = 1_000
MOST_POINTS = 5_000
"""Rows in one call: what InfluxDB's makers advise for one request."""
MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Parcel:
    """Records for one call.

    Parameters
    ----------
    records
        In the journal's order.
    upto
        Position with which the sink is done once it has them.
    points
        Rows that they hold.
    whole
        Nothing is left behind `upto` for now.
    damaged
        Records among them that could not be read.
    """

    records: tuple[Record, ...]
    upto: int
    points: int
    whole: bool
    damaged: int = 0


def gather(
    journal: Journal, after: int, kinds: Collection[type], most: int = MOST_RECORDS
) -> Parcel:
    """Read what comes next behind position `after`; a record larger than a parcel goes alone."""
    end = journal.committed
    records: list[Record] = []
    upto, points, weight, damaged = after, 0, 0, 0

    def parcel(upto: int, *, whole: bool) -> Parcel:
        return Parcel(tuple(records), upto, points, whole, damaged)

    reading = cast("Generator[tuple[int, Entry]]", journal.read(after, kinds, end))
    with closing(reading) as entries:
        for position, entry in entries:
            if isinstance(entry, DamagedRecord):
                damaged += 1
                upto = position
                continue
            rows = rows_of(entry)
            size = _weight(entry, rows)
            full = points + rows > MOST_POINTS or weight + size > MOST_BYTES
            if records and (full or len(records) >= most):
                return parcel(upto, whole=False)
            records.append(entry)
            upto, points, weight = position, points + rows, weight + size
    return parcel(max(end, after), whole=True)


def rows_of(record: Record) -> int:
    """Count the rows of a record."""
    match record:
        case SampleRecord():
            return len(record.batch)
        case ScoreRecord():
            return len(record.at)
        case SummaryRecord():
            return len(record)
        case EventRecord():
            return 1


def _weight(record: Record, rows: int) -> int:
    """Give about how many bytes a record holds in memory."""
    match record:
        case SummaryRecord():
            return 68 * rows
        case EventRecord():
            return len(json.dumps(record.body))
        case _:
            return 25 * rows
