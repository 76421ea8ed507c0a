"""Curves for the page, read back from the journal: extremes of each bucket of time."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateway.journal.bodies import Kind, Row, beside_of, decode
from plant.errors import Rejected
from plant.quality import is_good
from plant.records import JUDGED, EventRecord, SampleRecord, ScoreRecord

BUDGET = 4_000_000
"""Most rows decoded for one curve, newest first: about half a second."""

_IN_RANGE = """
SELECT position, record.samples FROM record INDEXED BY record_by_time
WHERE kind = ? AND subject = ? AND last_at >= ? AND first_at < ?
ORDER BY last_at DESC
"""
_BODY = """
SELECT position, kind, subject, first_at, last_at, samples, body, name
FROM record LEFT JOIN subject ON subject.id = record.subject WHERE position = ?
"""

_NEXT = """
SELECT position, last_at FROM record INDEXED BY record_by_time
WHERE kind = ? AND subject = ? AND last_at >= ? ORDER BY last_at LIMIT 1
"""


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """A tag's values over time, one entry a bucket that holds a sample.

    Parameters
    ----------
    at
        Start of each bucket, source time ns, int64 (m,), ascending.
    low, high
        Extremes of its Good values, float64 (m,); NaN where none was Good.
    good
        Share of its samples that were Good, float64 (m,).
    since
        Source time from which on the curve is complete, ns: `start`, or later when there was more
        than could be read in time.
    damaged
        Records that could not be read.
    """

    at: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    good: NDArray[np.float64]
    since: int
    damaged: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTrend:
    """An asset's scores over time, one entry a bucket that holds a row.

    `score` and `threshold` are the largest of the bucket, `flags` all that were set in it; the
    rest is as in `Trend`.
    """

    at: NDArray[np.int64]
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    flags: NDArray[np.uint8]
    since: int
    damaged: int = 0


@dataclass
class _Reading:
    """Progress over the records of a range: up to where it is complete, what was unreadable."""

    since: int
    damaged: int = 0


def _records(
    connection: sqlite3.Connection, kind: Kind, subject: int, start: int, stop: int, seen: _Reading
) -> Iterator[SampleRecord | ScoreRecord]:
    left = BUDGET
    for position, samples in connection.execute(_IN_RANGE, (kind, subject, start, stop)).fetchall():
        left -= samples
        *index, body, name = connection.execute(_BODY, (position,)).fetchone()
        row = Row(*index)
        if left < 0:
            seen.since = max(seen.since, row.last_at + 1)
            return
        try:
            record = decode(row, str(name), body)
        except Rejected:
            seen.damaged += 1
            continue
        if isinstance(record, SampleRecord | ScoreRecord):
            yield record


def judged_steps(
    connection: sqlite3.Connection, start: int, stop: int, step: int
) -> dict[str, tuple[int, int]]:
    """Tell for how long each asset was judged over source times [start, stop), by a sample a step.

    Returns
    -------
    The number of steps of `step` ns whose first score was a judged one, and of those with a score;
    the former counts an asset that learns, or whose mode has just changed, as not judged. A record
    that spans several steps, as those of a history do, counts in each.
    """
    found: dict[str, tuple[int, int]] = {}
    for subject, name in connection.execute("SELECT id, name FROM subject").fetchall():
        if beside_of(name) is not None:
            continue  # what acts on nothing counts for nothing
        judged = seen = 0
        at = start
        while at < stop:
            row = connection.execute(_NEXT, (int(Kind.SCORES), subject, at)).fetchone()
            if row is None:
                break
            position, last_at = row
            *index, body, _ = connection.execute(_BODY, (position,)).fetchone()
            begin, at = at, start + ((last_at - start) // step + 1) * step
            try:
                record = decode(Row(*index), str(name), body)
            except Rejected:
                continue
            if isinstance(record, ScoreRecord):
                rows = (record.at >= begin) & (record.at < stop)
                places = (record.at[rows] - start) // step
                _, first = np.unique(places, return_index=True)
                seen += len(first)
                judged += int(np.count_nonzero(record.flags[rows][first] & JUDGED))
        if seen:
            found[str(name)] = judged, seen
    return found


def score_span(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """Give first and last source time, ns, at which anything was scored; None: never."""
    ends = "SELECT min(last_at), max(last_at) FROM record INDEXED BY record_by_time WHERE kind = ?"
    end, last = connection.execute(ends, (int(Kind.SCORES),)).fetchone()
    if end is None:
        return None
    # The first record of a history may span hours.
    begin = "SELECT min(first_at) FROM record WHERE kind = ? AND last_at = ?"
    (first,) = connection.execute(begin, (int(Kind.SCORES), end)).fetchone()
    return int(first), int(last)


def events_of(connection: sqlite3.Connection, kind: str) -> tuple[list[EventRecord], int]:
    """Give every event of one kind in the journal's order, and how many could not be read."""
    found = connection.execute("SELECT id FROM subject WHERE name = ?", (kind,)).fetchone()
    if found is None:
        return [], 0
    query = "SELECT position FROM record INDEXED BY record_by_time WHERE kind = ? AND subject = ?"
    places = sorted(connection.execute(query, (int(Kind.EVENT), found[0])).fetchall())
    events, damaged = [], 0
    for (position,) in places:
        *index, body, name = connection.execute(_BODY, (position,)).fetchone()
        try:
            record = decode(Row(*index), str(name), body)
        except Rejected:
            damaged += 1
            continue
        if isinstance(record, EventRecord):
            events.append(record)
    return events, damaged


def _buckets(
    at: NDArray[np.int64], start: int, stop: int, points: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    """Order of the samples (n,), first of each bucket (m,) in that order, its start time (m,)."""
    width = max(1, -(-(stop - start) // points))
    bucket = (at - start) // width
    order = np.argsort(bucket, kind="stable")
    numbers, first = np.unique(bucket[order], return_index=True)
    return order, first, (numbers * width + start).astype(np.int64)


def _samples_of(
    connection: sqlite3.Connection, handle: int, start: int, stop: int, seen: _Reading
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    at, value, good = [np.empty(0, np.int64)], [np.empty(0)], [np.empty(0, np.bool_)]
    query = "SELECT subject FROM delivery WHERE handle = ?"
    for (subject,) in connection.execute(query, (handle,)).fetchall():
        for record in _records(connection, Kind.SAMPLES, subject, start, stop, seen):
            if isinstance(record, SampleRecord):
                batch = record.batch
                mine = np.flatnonzero(batch.tag == handle)
                at.append(batch.at[mine])
                value.append(batch.value[mine])
                good.append(is_good(batch.status[mine]))
    columns = np.concatenate(at), np.concatenate(value), np.concatenate(good)
    within = (columns[0] >= max(start, seen.since)) & (columns[0] < stop)
    return columns[0][within], columns[1][within], columns[2][within]


def tag_trend(
    connection: sqlite3.Connection, handle: int, start: int, stop: int, points: int
) -> Trend:
    """Read the curve of a tag over source times [start, stop), in at most `points` buckets."""
    seen = _Reading(start)
    at, value, good = _samples_of(connection, handle, start, stop, seen)
    order, first, starts = _buckets(at, start, stop, points)
    if len(first) == 0:
        none = np.empty(0)
        return Trend(starts, none, none, none, seen.since, seen.damaged)
    good = good[order]
    value = np.where(good, value[order], np.nan)
    share = np.add.reduceat(good.astype(np.float64), first) / np.diff(np.append(first, len(at)))
    low, high = np.fmin.reduceat(value, first), np.fmax.reduceat(value, first)
    return Trend(starts, low, high, share, seen.since, seen.damaged)


def scores_beside(
    connection: sqlite3.Connection, asset: str, start: int, stop: int, points: int
) -> list[tuple[str, int, ScoreTrend]]:
    """Read what the models beside the one in force said, by role and version."""
    named = connection.execute(
        "SELECT name FROM subject WHERE substr(name, 1, ?) = ? ORDER BY id",
        (len(asset) + 1, f"{asset}@"),
    ).fetchall()
    found = []
    for (name,) in named:
        whose = beside_of(name)
        if whose is not None:
            trend = score_trend(connection, name, start, stop, points)
            found += [(*whose, trend)] if len(trend.at) else []
    return found


def score_trend(
    connection: sqlite3.Connection, asset: str, start: int, stop: int, points: int
) -> ScoreTrend:
    """Read the scores of an asset over source times [start, stop), in at most `points` buckets."""
    seen = _Reading(start)
    none = np.empty(0)
    empty = ScoreTrend(np.empty(0, np.int64), none, none, np.empty(0, np.uint8), start)
    found = connection.execute("SELECT id FROM subject WHERE name = ?", (asset,)).fetchone()
    if found is None:
        return empty
    records = [
        record
        for record in _records(connection, Kind.SCORES, found[0], start, stop, seen)
        if isinstance(record, ScoreRecord)
    ]
    at = np.concatenate([empty.at, *(record.at for record in records)])
    within = (at >= max(start, seen.since)) & (at < stop)
    order, first, starts = _buckets(at[within], start, stop, points)
    if len(first) == 0:
        return replace(empty, since=seen.since, damaged=seen.damaged)
    score = np.concatenate([record.score for record in records])[within][order]
    threshold = np.concatenate([record.threshold for record in records])[within][order]
    flags = np.concatenate([record.flags for record in records])[within][order]
    return ScoreTrend(
        starts,
        np.fmax.reduceat(score, first),
        np.fmax.reduceat(threshold, first),
        np.bitwise_or.reduceat(flags, first),
        seen.since,
        seen.damaged,
    )
