"""One durable log with many cursors: the only truth that outlives the process."""

import asyncio
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gateway.journal import bodies, file, forward, tagtable, trends
from gateway.journal.bodies import KINDS, Row
from gateway.journal.damage import DamagedRecord, Entry
from gateway.journal.snapshots import pack_arrays, unpack_arrays
from plant.errors import Rejected, Unreachable
from plant.records import EventRecord, Record, SampleRecord
from plant.tags import Tag, TagHandle

SNAPSHOTS_KEPT = 2
"""Of each name: the newest, and the one to fall back on when that is damaged."""

_PAGE = 256
_SELECT = """
SELECT position, kind, subject, first_at, last_at, samples, body, name
FROM record LEFT JOIN subject ON subject.id = record.subject
WHERE position > ? AND position <= ? {} ORDER BY position LIMIT ?
"""
_INSERT = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)"


class Journal:
    """The log of one gateway; `append` from one thread, everything else from any.

    Appended records wait in memory until `commit` or `commit_now` puts them on disk, all of them
    or none. What a commit did not take stays and goes with the next.
    """

    def __init__(self, path: Path, held: IO[str], writer: sqlite3.Connection) -> None:
        self.path = path
        self._held = held
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, "journal")
        self._guard = threading.Lock()
        self._waiting: list[Record] = []
        self._snapshots: list[tuple[str, int, bytes]] = []
        self._moved: dict[str, int] = {}
        self._closed = False
        self._load()

    def _load(self) -> None:
        ask = self._writer.execute
        (self.gateway_id,) = ask("SELECT value FROM about WHERE key = 'gateway'").fetchone()
        (last,) = ask("SELECT coalesce(max(position), 0) FROM record").fetchone()
        self._committed = self._last = int(last)
        (samples,) = ask("SELECT coalesce(sum(samples), 0) FROM record WHERE kind = 1").fetchone()
        self._samples = int(samples)
        self._pending = 0
        self._subjects: dict[str, int] = dict(ask("SELECT name, id FROM subject").fetchall())
        self._delivered: dict[int, NDArray[np.bool_]] = {}
        for handle, subject in ask("SELECT handle, subject FROM delivery"):
            self._mark(subject, np.array([handle]))
        self._cursors: dict[str, int] = dict(ask("SELECT name, position FROM cursor").fetchall())

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open the journal at `path`, make it if there is none, and become its only writer.

        Raises
        ------
        Misconfigured
            Another gateway has it; not a journal; another format; damaged beyond reading.
        """
        with ExitStack() as undo:
            held = undo.enter_context(file.lock(path))
            writer = undo.enter_context(closing(file.open_writer(path)))
            with file.translated(path):
                journal = cls(path, held, writer)
            undo.pop_all()
        return journal

    @property
    def pending(self) -> int:
        """Samples appended and not yet on disk; the caller stops reading when it grows."""
        return self._pending

    @property
    def committed(self) -> int:
        """Position of the last record on disk."""
        return self._committed

    @property
    def samples(self) -> int:
        """Samples on disk."""
        return self._samples

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, with the write-ahead log."""
        beside = self.path.with_name(self.path.name + "-wal")
        return sum(part.stat().st_size for part in (self.path, beside) if part.exists())

    def register(self, tags: Sequence[Tag], at: int) -> list[TagHandle]:
        """Give each tag its handle: the same for the same name, for ever; `at` in ns."""
        return self._thread.submit(self._register, tags, at).result()

    def _register(self, tags: Sequence[Tag], at: int) -> list[TagHandle]:
        with file.translated(self.path), file.transaction(self._writer):
            return tagtable.register(self._writer, tags, at)

    def append(self, *records: Record) -> int:
        """Queue records for one and the same commit and give the position of the last of them.

        Their arrays must not be changed afterwards.

        Raises
        ------
        Rejected
            One of them could never be encoded: too long, or text that is not JSON; none is taken.
        """
        for record in records:
            bodies.check(record)
        with self._guard:
            self._waiting.extend(records)
            self._last += len(records)
            self._pending += sum(len(r.batch) for r in records if isinstance(r, SampleRecord))
            return self._last

    async def commit(self) -> int:
        """Put everything appended so far on disk; the encoding runs beside the event loop.

        Returns
        -------
        int
            Position of the last record on disk.

        Raises
        ------
        Unreachable
            The disk is full or does not answer; nothing is lost, commit again later.
        """
        return await asyncio.wrap_future(self._thread.submit(self._flush))

    def commit_now(self) -> int:
        """Do as `commit` does, and wait for it here."""
        return self._thread.submit(self._flush).result()

    def _flush(self) -> int:
        with self._guard:
            records, self._waiting = self._waiting, []
            snapshots, self._snapshots = self._snapshots, []
            moved, self._moved = self._moved, {}
        if not (records or snapshots or moved):
            return self._committed
        with ExitStack() as undo:
            undo.callback(self._give_back, records, snapshots, moved)
            with file.translated(self.path), file.transaction(self._writer):
                self._insert(records)
                self._keep(snapshots)
                self._writer.executemany("REPLACE INTO cursor VALUES (?, ?)", moved.items())
            undo.pop_all()
        samples = sum(len(r.batch) for r in records if isinstance(r, SampleRecord))
        with self._guard:
            self._committed += len(records)
            self._samples += samples
            self._pending -= samples
        return self._committed

    def _give_back(
        self, records: list[Record], snapshots: list[tuple[str, int, bytes]], moved: dict[str, int]
    ) -> None:
        with self._guard:
            self._waiting = records + self._waiting
            self._snapshots = snapshots + self._snapshots
            self._moved = moved | self._moved
            # Rolled back with the rest: names and deliveries are looked up again.
            self._subjects.clear()
            self._delivered.clear()

    def _insert(self, records: Sequence[Record]) -> None:
        rows = []
        for position, record in enumerate(records, self._committed + 1):
            subject = self._subject(bodies.subject_of(record))
            if isinstance(record, SampleRecord):
                self._deliver(subject, record.batch.tag)
            row = bodies.index(record, position, subject)
            body = bodies.encode(record, row)
            rows.append((position, row.kind, subject, row.first_at, row.last_at, row.samples, body))
        self._writer.executemany(_INSERT, rows)

    def _subject(self, name: str) -> int:
        number = self._subjects.get(name)
        if number is None:
            self._writer.execute("INSERT OR IGNORE INTO subject (name) VALUES (?)", (name,))
            query = "SELECT id FROM subject WHERE name = ?"
            number = int(self._writer.execute(query, (name,)).fetchone()[0])
            self._subjects[name] = number
        return number

    def _deliver(self, subject: int, tag: NDArray[np.int32]) -> None:
        """Remember which source delivers which tags, so that a curve reads only its own."""
        seen = self._delivered.get(subject, np.zeros(0, np.bool_))
        if len(tag) and (int(tag.max()) >= len(seen) or not seen[tag].all()):
            fresh = [(int(handle), subject) for handle in np.unique(tag)]
            self._writer.executemany("INSERT OR IGNORE INTO delivery VALUES (?, ?)", fresh)
            self._mark(subject, tag)

    def _mark(self, subject: int, handles: NDArray[Any]) -> None:
        seen = self._delivered.get(subject, np.zeros(0, np.bool_))
        size = max(len(seen), int(handles.max()) + 1)
        grown = np.zeros(size, np.bool_)
        grown[: len(seen)] = seen
        grown[handles] = True
        self._delivered[subject] = grown

    def _keep(self, snapshots: Sequence[tuple[str, int, bytes]]) -> None:
        for name, position, body in snapshots:
            self._writer.execute(
                "INSERT INTO snapshot (name, position, body) VALUES (?, ?, ?)",
                (name, position, body),
            )
            self._writer.execute(
                "DELETE FROM snapshot WHERE name = ? AND id NOT IN "
                "(SELECT id FROM snapshot WHERE name = ? ORDER BY id DESC LIMIT ?)",
                (name, name, SNAPSHOTS_KEPT),
            )

    def read(
        self, after: int = 0, kinds: Collection[type] | None = None, upto: int | None = None
    ) -> Iterator[tuple[int, Entry]]:
        """Give the committed records in their order, those behind position `after` first.

        A record that cannot be read, and a position that is missing, comes as `DamagedRecord`,
        never as nothing: the reader decides. With `kinds` only these types, and damage among them.
        What is appended meanwhile is seen as far as it is committed when the reader gets there.

        Raises
        ------
        Misconfigured
            The file is damaged so that SQLite cannot go on.
        """
        numbers = ", ".join(str(int(KINDS[kind])) for kind in kinds) if kinds is not None else ""
        known = ", ".join(str(int(kind)) for kind in KINDS.values())
        # A kind that was never written is damage, and nobody can say among which.
        where = f"AND (kind IN ({numbers}) OR kind NOT IN ({known}))" if kinds is not None else ""
        query = _SELECT.format(where)
        with file.reader(self.path) as connection:
            while True:
                limit = self._committed if upto is None else min(upto, self._committed)
                page = connection.execute(query, (after, limit, _PAGE)).fetchall()
                for *index, body, name in page:
                    row = Row(*index)
                    if kinds is None and row.position != after + 1:
                        yield (
                            after + 1,
                            DamagedRecord(
                                after + 1,
                                f"positions {after + 1} to {row.position - 1} are missing",
                            ),
                        )
                    after = row.position
                    yield after, _entry(row, name, body)
                if not page:
                    break
        if kinds is None and after < limit:
            yield limit, DamagedRecord(limit, f"positions {after + 1} to {limit} are missing")

    def save_snapshot(self, name: str, position: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep `arrays`, the state after the record at `position`; on disk with the next commit.

        Raises
        ------
        Rejected
            The position lies ahead of the last record, or an array is not plain.
        """
        if position > self._last:
            raise Rejected(f"snapshot {name} of position {position}, the last is {self._last}")
        body = pack_arrays(arrays)
        with self._guard:
            self._snapshots.append((name, position, body))
            own = [kept for kept in self._snapshots if kept[0] == name]
            if len(own) > SNAPSHOTS_KEPT:
                # They must not pile up while the disk is full.
                self._snapshots.remove(own[0])

    def load_snapshot(self, name: str) -> tuple[int, dict[str, NDArray[Any]]] | None:
        """Give the newest readable snapshot of that name and its position; None if none was kept.

        Raises
        ------
        Rejected
            Every kept one is damaged: only a replay of the whole journal gives the state again.
        """
        query = "SELECT position, body FROM snapshot WHERE name = ? ORDER BY id DESC"
        with file.reader(self.path) as connection:
            kept = connection.execute(query, (name,)).fetchall()
        reasons = []
        for position, body in kept:
            try:
                return int(position), unpack_arrays(body)
            except Rejected as error:
                reasons.append(str(error))
        if reasons:
            raise Rejected(f"journal {self.path}: snapshot {name}: {'; '.join(reasons)}")
        return None

    def cursor(self, name: str) -> int:
        """Give the position that the reader `name` has done with; 0 at first."""
        return self._cursors.get(name, 0)

    def advance(self, name: str, position: int) -> None:
        """Note that the reader `name` is done with all up to `position`; kept by the next commit.

        Raises
        ------
        Rejected
            Backwards, or beyond what is on disk.
        """
        if not self.cursor(name) <= position <= self._committed:
            raise Rejected(
                f"cursor {name} cannot go from {self.cursor(name)} to {position}: "
                f"the last committed record is {self._committed}"
            )
        with self._guard:
            self._cursors[name] = self._moved[name] = position

    def trend(self, handle: int, start: int, stop: int, points: int) -> trends.Trend:
        """Read a tag's curve over source times [start, stop) ns; blocks, so call it in a thread."""
        with file.reader(self.path) as connection:
            return trends.tag_trend(connection, handle, start, stop, points)

    def scores(self, asset: str, start: int, stop: int, points: int) -> trends.ScoreTrend:
        """Read an asset's scores over [start, stop) ns; blocks, so call it in a thread."""
        with file.reader(self.path) as connection:
            return trends.score_trend(connection, asset, start, stop, points)

    def events(self, kind: str) -> tuple[list[EventRecord], int]:
        """Read every event of one kind, and count those that are damaged; blocks."""
        with file.reader(self.path) as connection:
            return trends.events_of(connection, kind)

    def score_span(self) -> tuple[int, int] | None:
        """Give first and last source time, ns, at which anything was scored; blocks."""
        with file.reader(self.path) as connection:
            return trends.score_span(connection)

    def judged(self, start: int, stop: int, step: int) -> dict[str, tuple[int, int]]:
        """Tell for how many steps of `step` ns each asset was judged, of how many; blocks."""
        with file.reader(self.path) as connection:
            return trends.judged_steps(connection, start, stop, step)

    def cursors(self) -> dict[str, int]:
        """Give every reader that is known, and the position that it has done with."""
        return dict(self._cursors)

    def forget(self, name: str) -> None:
        """Forget a reader that will not come back; if it does, it begins anew."""

        def remove() -> None:
            with file.translated(self.path), file.transaction(self._writer):
                self._writer.execute("DELETE FROM cursor WHERE name = ?", (name,))

        self._thread.submit(remove).result()
        with self._guard:
            self._cursors.pop(name, None)
            self._moved.pop(name, None)

    def behind(self, cursor: int, kinds: Collection[type]) -> int:
        """Count the records of these types behind a position; blocks."""
        with file.reader(self.path) as connection:
            return forward.behind(connection, cursor, kinds)

    def newest(self, kinds: Collection[str], cursor: int, most: int) -> list[EventRecord]:
        """Give the newest events of these kinds behind a position, oldest first; blocks."""
        with file.reader(self.path) as connection:
            return forward.newest(connection, kinds, cursor, most)

    def samples_between(self, source: str, start: int, stop: int) -> Iterator[SampleRecord]:
        """Give the batches of a source that reach into source times [start, stop) ns; blocks."""
        with file.reader(self.path) as connection:
            yield from forward.samples_between(connection, source, start, stop)

    def newest_at(self, source: str) -> int:
        """Give the newest source time, ns, of the samples of a source, 0 without any; blocks."""
        with file.reader(self.path) as connection:
            return forward.newest_at(connection, source)

    def told(self, kind: str, cursor: int, most: int) -> list[tuple[int, EventRecord]]:
        """Give the first events of a kind behind a position, each with its own; blocks."""
        with file.reader(self.path) as connection:
            return forward.told(connection, kind, cursor, most)

    def moments(self, kind: str) -> list[tuple[int, int]]:
        """Give position and time, ns, of every event of a kind, in their order; blocks."""
        with file.reader(self.path) as connection:
            return forward.moments(connection, kind)

    def close(self) -> None:
        """Commit what is left and let go of the file; a second call does nothing.

        Raises
        ------
        Unreachable
            That was not possible; the message counts what is lost.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._thread.submit(self._flush).result()
        except Unreachable as error:
            raise Unreachable(
                f"journal {self.path}: ended with {self._pending} samples that are not on disk: "
                f"{error.__cause__}"
            ) from error
        finally:
            self._thread.shutdown()
            self._writer.close()
            self._held.close()


def _entry(row: Row, name: str | None, body: bytes) -> Entry:
    if name is None:
        return DamagedRecord(row.position, f"its subject {row.subject} has no name")
    try:
        return bodies.decode(row, name, body)
    except Rejected as error:
        return DamagedRecord(row.position, str(error))
