"""What can still be read of a damaged journal goes into a new one; the damaged one stays beside it.

Every record has its own checksum, over its place and its name as well: so whatever fits is kept, in
whichever page it is found, and nothing else is.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gateway.journal import bodies, file
from gateway.journal.bodies import Kind
from gateway.journal.cells import NUMBERS
from gateway.journal.limits import KIND_OF, Level
from gateway.journal.pages import Cell, Pages, Sheet
from gateway.journal.snapshots import unpack_arrays
from plant import columns as codec
from plant.errors import Misconfigured, Rejected
from plant.gaps import Gap, GapCause

DAMAGED = "damaged"
"""Kind of the event that tells what became of a damaged journal."""
SNAPSHOTS_KEPT = 2
TOGETHER = 200
"""Records that are spread over pages, and are handed to SQLite at once."""
RECORD_VALUES = 7
"""Values of a record; a name has 2, a tag 8 or 9."""
AHEAD = 1 << 14
"""An entry of an index that points farther than this beyond the last record is no entry."""
S_PER_BYTE, S_PER_LEAF = 20e-9, 60e-6
"""Time that a salvage takes, about: by the bytes, and by the pages in which records begin."""
UNKNOWN = "(unknown)"
"""Source of a gap of which nothing tells the name any more."""
SPARED_BYTES = 32_000_000
"""Free space that a salvage leaves."""
_KEPT_AS_IT_IS = ("total", "floor", "mark", "cursor", "untold")
_INSERT = "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_ENTRY = "INSERT OR IGNORE INTO entry VALUES (?, ?, ?, ?, ?, ?)"
_SUBJECT, _SAMPLES = 2, 5
"""Places of columns in a row."""
_ENTRIES = """
CREATE TEMP TABLE entry (
    position INTEGER PRIMARY KEY, kind INTEGER, subject INTEGER, first_at INTEGER,
    last_at INTEGER, samples INTEGER)
"""
_NEWEST = """
SELECT coalesce(max(position), 0) FROM (
    SELECT position FROM record UNION ALL SELECT position FROM cursor
    UNION ALL SELECT position FROM floor)
"""
_ENTERED = "SELECT coalesce(max(position), 0) FROM entry WHERE position <= ?"
_LOST = """
SELECT entry.* FROM entry LEFT JOIN record USING (position)
WHERE record.position IS NULL AND entry.position <= ? ORDER BY entry.position
"""


_Tag: TypeAlias = tuple[Any, ...]


@dataclass
class _Found:
    """What stands beside the records, each with all that claims to be it."""

    names: dict[int, set[str]] = field(default_factory=dict)
    tags: tuple[set[_Tag], set[_Tag]] = field(default_factory=lambda: (set(), set()))
    seals: set[str] = field(default_factory=set)
    gateway: str = ""
    oldest: int = 0
    resolved: dict[int, str] = field(default_factory=dict)

    def add(self, cell: Cell) -> None:
        match cell.values:
            case (None, str(name)) if cell.key is not None:
                self.names.setdefault(cell.key, set()).add(name)
            case (str(name), int(number)) if cell.key is None:
                # The index of the names; or a cursor, whose name fits no record.
                self.names.setdefault(number, set()).add(name)
            case ("gateway", str(value)) | (str(value), "gateway"):
                self.gateway = value
            case ("seal-tag", str(value)) | (str(value), "seal-tag"):
                self.seals.add(value)
            case (int(), int(), str(), str(), str(), str(), int() | float(), int() | float(), *_):
                *words, scale, offset = cell.values[:8]
                tag = *words, float(scale or 0), float(offset or 0)
                self.tags[cell.key is None].add(tag)

    def whole_tags(self) -> set[_Tag]:
        """Give the tags: the copy that is as it was written, or else both."""
        own, again = self.tags
        whole = [one for one in self.tags if str(file.checksum(one)) in self.seals]
        return whole[0] if whole else own | again

    def source(self, subject: int) -> str:
        """Give the name of a source, of which there may be no record left that proves it."""
        if subject in self.resolved:
            return self.resolved[subject]
        known = self.names.get(subject, set())
        return min(known & {tag[3] for tag in self.whole_tags()} or known or {UNKNOWN})

    def records(self, sheet: Sheet) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a sheet whose checksum fits under one of the names."""
        own = sheet.sifted.records
        bounds = zip(own.begin.tolist(), own.end.tolist(), strict=True)
        yield from self._whole(own.numbers, (sheet.data[begin:end] for begin, end in bounds))

    def long_records(self, cells: list[Cell]) -> Iterator[tuple[Any, ...]]:
        """Give the rows in cells, as `records` does."""
        numbers = np.array([(cell.key, *cell.values[1:-1]) for cell in cells], np.int64)
        blobs = (cell.values[-1] for cell in cells)
        yield from self._whole(numbers.reshape(-1, NUMBERS), blobs)

    def _whole(self, numbers: NDArray[np.int64], blobs: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        room = (numbers[:, 0] >= self.oldest) | (numbers[:, _SAMPLES] == 0)
        rows = zip(numbers.tolist(), bodies.packed(numbers), room.tolist(), blobs, strict=True)
        for row, head, has_room, blob in rows:
            subject = row[_SUBJECT]
            name = bodies.owner(head, self.names.get(subject, ()), blob)
            if name is not None and has_room:
                self.resolved[subject] = name
                yield *row, blob


def salvage(
    path: Path, last: int = 0, told: Callable[[str], None] = lambda _words: None
) -> dict[str, Any]:
    """Put a new journal in the place of the damaged one at `path`; nobody may have it open.

    Parameters
    ----------
    path
        The damaged one.
    last
        Position of its last record; 0: found out. No position is used again.
    told
        Told what is going on, and for about how long.

    Returns
    -------
    The body of the event that tells of it.

    Raises
    ------
    Misconfigured
        Nothing tells that it was a journal; it is left as it is.
    sqlite3.Error, OSError
        It cannot be written.
    """
    beside = _beside(path)
    fresh = path.with_name(path.name + ".salvaging")
    for leftover in _files(fresh):
        leftover.unlink(missing_ok=True)
    pages = _pages(path)
    took = S_PER_BYTE * path.stat().st_size + S_PER_LEAF * pages.count()
    told(
        "the journal is damaged: what can still be read is brought into a new file, about "
        f"{max(1, round(took))} s"
    )
    found = _read_names(pages)
    found.oldest = _oldest(pages, path)
    with closing(file.open_writer(fresh)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        with file.transaction(connection):
            outcome = _fill(connection, pages, found, path, last)
            outcome["file"] = beside.name
            _leave_word(connection, outcome)
        # A young one has a single page of records, which may be the one that is lost.
        if not (outcome["records"] or found.seals or file.is_journal(path)):
            raise Misconfigured(f"journal {path}: nothing in it can be read any more")
    _sync(fresh)
    for part, kept in zip(_files(path)[:2], _files(beside)[:2], strict=True):
        if part.exists():
            _keep(part, kept)
    fresh.replace(path.with_name(path.name + ".salvaged"))
    adopt(path)
    return outcome


def adopt(path: Path) -> None:
    """Finish a salvage that was broken off when all but its last step was done."""
    salvaged = path.with_name(path.name + ".salvaged")
    if not salvaged.exists():
        return
    # The old log must be gone before the new file has its name: it would be played into it.
    for part in _files(path)[1:]:
        part.unlink(missing_ok=True)
    salvaged.replace(path)
    _sync(path.parent)


def _beside(path: Path) -> Path:
    """Give a name that is free for the damaged file: two may be damaged within a second."""
    stem = f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    name = path.with_name(stem)
    for number in count(2):
        if not any(part.exists() for part in _files(name)):
            break
        name = path.with_name(f"{stem}-{number}")
    return name


def _keep(part: Path, beside: Path) -> None:
    """Keep a file under a second name."""
    try:
        os.link(part, beside)
    except OSError:
        # A file system without links.
        shutil.copyfile(part, beside)


def _files(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))]


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _pages(path: Path) -> Pages:
    return Pages(path, path.with_name(path.name + "-wal"))


def _read_names(pages: Pages) -> _Found:
    found = _Found()
    for sheet in pages.sheets(whole=False):
        for cell in sheet.rest:
            found.add(cell)
    return found


def _oldest(pages: Pages, path: Path) -> int:
    """Give the position of the oldest record for which there is room on the disk; 0 for all."""
    disk = os.statvfs(path.parent)
    room = max(0, disk.f_bavail * disk.f_frsize - SPARED_BYTES)
    if path.stat().st_size * 11 // 10 < room:
        return 0
    for key, size in sorted(dict(pages.long_rows()).items(), reverse=True):
        room -= size + size // 10
        if room < 0:
            return key + 1
    return 0


def _is_record(cell: Cell) -> bool:
    if cell.key is None or len(cell.values) != RECORD_VALUES:
        return False
    key, *numbers, body = cell.values
    return key is None and {*map(type, numbers)} == {int} and isinstance(body, bytes)


def _is_entry(cell: Cell) -> bool:
    return cell.key is None and [*map(type, cell.values)] == [int] * NUMBERS


def _fill(
    connection: sqlite3.Connection, pages: Pages, found: _Found, path: Path, last: int
) -> dict[str, Any]:
    """Bring everything that can be read into a new journal; give what is told of it."""
    connection.execute(_ENTRIES)
    snapshots: dict[tuple[str, int], bytes] = {}
    for sheet in pages.sheets():
        connection.executemany(_INSERT, found.records(sheet))
        connection.executemany(_INSERT_ENTRY, _entries(sheet.sifted.entries))
        long_ones: list[Cell] = []
        for cell in sheet.rest:
            if _is_record(cell):
                long_ones.append(cell)
            elif _is_entry(cell):
                entries = np.array([cell.values], np.int64)
                connection.executemany(_INSERT_ENTRY, _entries(entries))
            else:
                snapshots |= _snapshot(cell)
            if len(long_ones) >= TOGETHER:
                connection.executemany(_INSERT, found.long_records(long_ones))
                long_ones.clear()
        connection.executemany(_INSERT, found.long_records(long_ones))
    _write_names(connection, found)
    _take_over(connection, path)
    _write_snapshots(connection, snapshots)
    return _count(connection, found, last, [position for _, position in snapshots])


def _entries(numbers: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """Give what can be entries of the index of the records: they tell what a lost one was."""
    kind, subject, last, first, samples, position = numbers.T
    likely = np.isin(kind, list(Kind)) & (samples >= 0) & (samples <= codec.MAX_ROWS)
    likely &= position > 0
    columns = position, kind, subject, first, last, samples
    return zip(*(column[likely].tolist() for column in columns), strict=True)


def _snapshot(cell: Cell) -> dict[tuple[str, int], bytes]:
    match cell.values:
        case (None, str(name), int(position), bytes(body)):
            with suppress(Rejected):
                unpack_arrays(body)
                return {(name, position): body}
    return {}


def _write_snapshots(
    connection: sqlite3.Connection, snapshots: dict[tuple[str, int], bytes]
) -> None:
    for name in {name for name, _ in snapshots}:
        newest = sorted(position for own, position in snapshots if own == name)[-SNAPSHOTS_KEPT:]
        rows = [(name, position, snapshots[name, position]) for position in newest]
        query = "INSERT INTO snapshot (name, position, body) VALUES (?, ?, ?)"
        connection.executemany(query, rows)


def _write_names(connection: sqlite3.Connection, found: _Found) -> None:
    connection.executemany("INSERT INTO subject VALUES (?, ?)", [*found.resolved.items()])
    query = "INSERT INTO tag VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    # In the order in which they were registered, so far as it matters: later meanings come later.
    tags = sorted(found.whole_tags(), key=lambda tag: (tag[1], tag[0]))
    connection.executemany(query, tags)
    file.seal(connection, "tag")
    if found.gateway:
        connection.execute("UPDATE about SET value = ? WHERE key = 'gateway'", (found.gateway,))
    connection.execute(
        "INSERT OR IGNORE INTO delivery "
        "SELECT DISTINCT handle, id FROM tag JOIN subject ON subject.name = source"
    )


def _take_over(connection: sqlite3.Connection, path: Path) -> None:
    """Take over the small tables as far as SQLite can still read them; without them no harm.

    A cursor that is lost begins anew: what was sent is sent again, and twice is once.
    """
    with suppress(sqlite3.Error, Misconfigured), file.reader(path) as damaged:
        for table in _KEPT_AS_IT_IS:
            with suppress(sqlite3.Error):
                if table in file.SEALED and not file.is_sealed(damaged, table):
                    continue
                rows = damaged.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - own names
                marks = ", ".join("?" * len(rows[0])) if rows else "NULL"
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608


def _count(
    connection: sqlite3.Connection, found: _Found, last: int, more: Iterable[int]
) -> dict[str, Any]:
    """Count anew what is there, and what is not."""
    ask = connection.execute
    before = _samples(connection)
    if not last:
        (newest,) = ask(_NEWEST).fetchone()
        likely = max([newest, *more])
        (entered,) = ask(_ENTERED, (likely + AHEAD,)).fetchone()
        last = max(likely, entered)
    ask("UPDATE cursor SET position = min(position, ?)", (last,))
    ask("INSERT OR REPLACE INTO about VALUES ('last', ?)", (str(last),))
    floors = {KIND_OF[Level(level)]: floor for level, floor in _floors(connection)}
    lost = [row for row in ask(_LOST, (last,)) if row[0] > floors.get(Kind(row[1]), 0)]
    file.recount(connection)
    file.seal(connection, *file.SEALED)
    kept = _samples(connection)
    floor = max([0, *floors.values()])
    (records,) = ask("SELECT count(*) FROM record").fetchone()
    (above,) = ask("SELECT count(*) FROM record WHERE position > ?", (floor,)).fetchone()
    return {
        "records": records,
        "samples": kept.get(Kind.SAMPLES, 0),
        "lost_records": max(0, last - floor - above),
        "lost_samples": max(
            sum(row[5] for row in lost if row[1] == Kind.SAMPLES),
            before.get(Kind.SAMPLES, 0) - kept.get(Kind.SAMPLES, 0),
        ),
        "last": last,
        "gaps": list(_gaps(lost, found, last)),
    }


def _samples(connection: sqlite3.Connection) -> dict[int, int]:
    found = connection.execute("SELECT kind, samples FROM total")
    return {int(kind): int(samples) for kind, samples in found}


def _floors(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    query = "SELECT level, position FROM floor WHERE level != ?"
    return connection.execute(query, (int(Level.PINNED),)).fetchall()


def _gaps(lost: list[tuple[int, ...]], found: _Found, last: int) -> Iterator[dict[str, Any]]:
    """Give a gap for each source of which samples are lost, as the ledger keeps it."""
    sources: dict[int, list[tuple[int, ...]]] = {}
    for row in lost:
        if row[1] == Kind.SAMPLES:
            sources.setdefault(row[2], []).append(row)
    for place, (subject, rows) in enumerate(sources.items()):
        gap = Gap(
            # A position is used once, and there are no more gaps than positions.
            id=last + 1 + place,
            source=found.source(subject),
            start=min(row[3] for row in rows),
            stop=max(row[4] for row in rows),
            cause=GapCause.DAMAGED,
            why="the journal was damaged; what could not be read any more is counted here",
            lost=sum(row[5] for row in rows),
        )
        yield asdict(gap)


def _leave_word(connection: sqlite3.Connection, told: dict[str, Any]) -> None:
    now = time.time_ns()
    gaps = told.pop("gaps")
    file.leave_word(connection, DAMAGED, now, told)
    for gap in gaps:
        file.leave_word(connection, "gap", gap["stop"], gap)
