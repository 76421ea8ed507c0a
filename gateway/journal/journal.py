"""One durable log with many cursors: the only truth that outlives the process."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gateway.journal import bodies, file, forward, index, reading, salvage, tagtable, trends
from gateway.journal.bodies import Kind, Row
from gateway.journal.damage import Entry
from gateway.journal.limits import Holding, Limits
from gateway.journal.pins import PIN
from gateway.journal.readers import Reader, Takes, takes_from
from gateway.journal.room import ROW_BYTES, Room
from gateway.journal.snapshots import Packing, unpack_arrays
from gateway.journal.space import Space
from plant.errors import Misconfigured, Rejected, Unreachable
from plant.records import EventRecord, Record, SampleRecord
from plant.tags import Tag, TagHandle

SNAPSHOTS_KEPT = 2
"""Of each name: the newest, and the one to fall back on when that is damaged."""

SNAPSHOT_GRACE_S = 1200.0
"""So long after opening, s, a snapshot that nobody keeps up any more still holds up eviction."""
DISK = "disk"
"""Kind of the event that tells that the disk is full, or no longer."""

READER = "reader-"
"""How the name begins under which the file keeps what a reader takes."""

_INSERT = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)"


class Journal:
    """The log of one gateway; `append` from one thread, everything else from any.

    Appended records wait in memory until `commit` or `commit_now` puts them on disk, all of them
    or none. What a commit did not take stays and goes with the next.
    """

    def __init__(self, path: Path, held: IO[str], limits: Limits, space: Space) -> None:
        self.path = path
        self._held = held
        self._limits = limits
        self._space = space
        self._opened = time.monotonic()
        self._guard = threading.Lock()
        self._waiting: list[Record] = []
        self._snapshots: list[tuple[str, int, Packing]] = []
        self._moved: dict[str, int] = {}
        self._takes: dict[str, Takes] = {}
        self._kept_names: set[str] = set()
        self._telling: list[int] = []
        self._mine: list[EventRecord] = []
        self._news: list[EventRecord] = []
        self._pending = 0
        self._closed = False
        self._salvages = 0
        self._kept = False
        self._load()
        self._thread = ThreadPoolExecutor(1, "journal")

    def _load(self) -> None:
        with ExitStack() as undo:
            self._writer = undo.enter_context(closing(file.open_writer(self.path)))
            with file.translated(self.path):
                self._room = Room(self._writer, self._limits)
                self._read_tables()
            undo.pop_all()

    def _read_tables(self) -> None:
        ask = self._writer.execute
        about = dict(ask("SELECT key, value FROM about").fetchall())
        self.gateway_id = about["gateway"]
        (last,) = ask("SELECT coalesce(max(position), 0) FROM record").fetchone()
        self._committed = max(int(last), self._room.floor, int(about.get("last", 0)))
        self._last = self._committed
        self._room.check(self.path)
        self._subjects: dict[str, int] = dict(ask("SELECT name, id FROM subject").fetchall())
        self._delivered: dict[int, NDArray[np.bool_]] = {}
        for handle, subject in ask("SELECT handle, subject FROM delivery"):
            self._mark(subject, np.array([handle]))
        self._cursors: dict[str, int] = dict(ask("SELECT name, position FROM cursor").fetchall())
        kept = {
            key.removeprefix(READER): takes_from(text)
            for key, text in about.items()
            if key.startswith(READER)
        }
        self._takes = kept | self._takes
        self._room.marks.note(self._committed)

    @classmethod
    def open(
        cls,
        path: Path,
        limits: Limits | None = None,
        told: Callable[[str], None] = lambda _words: None,
    ) -> "Journal":
        """Open the journal at `path`, make it if there is none, and become its only writer.

        With `limits` it is kept: what is damaged is salvaged, and a reserve lies beside it.
        Without, it is looked into. A salvage takes its time and is `told` before.

        Raises
        ------
        Misconfigured
            Another gateway has it; not a journal; another format; damaged beyond reading.
        """
        with ExitStack() as undo:
            held = undo.enter_context(file.lock(path))
            space = Space(path, limits.reserve_bytes if limits else None)
            space.prepare()
            salvage.adopt(path)
            try:
                journal = cls(path, held, limits or Limits(), space)
            except file.Damaged as error:
                if limits is None:
                    raise
                _salvaged(path, error, told)
                journal = cls(path, held, limits or Limits(), space)
            journal._kept = limits is not None
            journal._was_full()
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
        return self.holds(Kind.SAMPLES).samples

    def holds(self, kind: Kind) -> Holding:
        """Tell what is on disk of one kind, and what of it was evicted."""
        return self._room.holds.get(kind, Holding())

    @property
    def floor(self) -> int:
        """Position up to which records may have been evicted; 0: none ever was."""
        return self._room.floor

    @property
    def cramped(self) -> bool:
        """A limit cannot be kept because a snapshot is too old: make one, and one more."""
        return self._room.cramped

    @property
    def trouble(self) -> str:
        """What a person has to do something about although nothing has failed; empty if nothing."""
        return self._space.trouble

    def news(self) -> list[EventRecord]:
        """Give the journal's own events that were committed since this was last asked."""
        with self._guard:
            news, self._news = self._news, []
        return news

    def unsent_s(self, cursor: int) -> float:
        """Tell for how long the first record behind a position has been on disk, s; 0 if none."""
        return self._room.marks.age_s(cursor, self._committed)

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, with the write-ahead log."""
        beside = self.path.with_name(self.path.name + "-wal")
        return sum(part.stat().st_size for part in (self.path, beside) if part.exists())

    @property
    def reserve_bytes(self) -> int:
        """Bytes of the reserve beside it; 0 while it is given up."""
        return self._space.held

    def register(self, tags: Sequence[Tag], at: int) -> list[TagHandle]:
        """Give each tag its handle: the same for the same name, for ever; `at` in ns."""
        return self._thread.submit(self._register, tags, at).result()

    def _register(self, tags: Sequence[Tag], at: int) -> list[TagHandle]:
        with file.translated(self.path), file.transaction(self._writer):
            handles = tagtable.register(self._writer, tags, at)
        self._room.pins.forget()
        return handles

    def retired(self, configured: Sequence[TagHandle]) -> list[TagHandle]:
        """Give every tag that was ever registered and is not among these; blocks."""
        with self._still() as connection:
            return tagtable.retired(connection, configured)

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

    def _mend(self, salvages: int) -> None:
        """Put what can still be read into a new file, unless that has been done since."""
        if self._salvages != salvages:
            return
        if not self._kept:
            raise file.Damaged(f"journal {self.path}: {file.MEND}")
        self._writer.close()
        last = self._last
        try:
            salvage.salvage(self.path, self._committed)
        finally:
            self._load()
        self._last = last
        self._salvages += 1

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
        with file.translated(self.path):
            if self._space.look():
                self._note(full=False)
            try:
                committed = self._write_or_mend()
            except sqlite3.Error as error:
                if not file.is_full(error) or not self._space.give_up():
                    raise
                self._note(full=True)
                committed = self._write()
        self._room.marks.note(committed)
        return committed

    def _write_or_mend(self) -> int:
        try:
            return self._write()
        except sqlite3.DatabaseError as error:
            # A position that is taken: a page that says where the journal ends is wrong.
            if not (file.is_damage(error) or isinstance(error, sqlite3.IntegrityError)):
                raise
            self._mend(self._salvages)
            return self._write()

    def _write(self) -> int:
        untold = self._untold()
        with self._guard:
            records, self._waiting = self._waiting + untold, []
            self._last += len(untold)
            snapshots, self._snapshots = self._snapshots, []
            moved, self._moved = self._moved, {}
        if not (records or snapshots or moved):
            return self._committed
        with ExitStack() as undo:
            undo.callback(self._give_back, records, snapshots, moved)
            with file.transaction(self._writer):
                rows = self._encoded(records)
                self._make_room(rows, snapshots)
                self._insert(rows)
                self._keep(snapshots)
                self._move(moved)
                told = [(number,) for number in self._telling]
                self._writer.executemany("DELETE FROM untold WHERE id = ?", told)
            undo.pop_all()
        self._room.load()
        samples = sum(len(r.batch) for r in records if isinstance(r, SampleRecord))
        with self._guard:
            self._telling = []
            self._committed += len(records)
            self._pending -= samples
            self._kept_names.update(name for name, _, _ in snapshots)
            self._news, self._mine = self._news + self._mine, []
        self._room.shrink(self._log_bytes())
        return self._committed

    def _untold(self) -> list[Record]:
        """Give the events of our own that no record holds yet."""
        query = "SELECT id, kind, at, body FROM untold ORDER BY id"
        told = set(self._telling)
        found = [row for row in self._writer.execute(query).fetchall() if row[0] not in told]
        self._telling += [number for number, *_ in found]
        events = [EventRecord(kind, at, json.loads(body)) for _, kind, at, body in found]
        self._mine += events
        return [*events]

    def _was_full(self) -> None:
        """Go on as on a full disk if that is what the last event said; its end is to be told."""
        events, _ = trends.events_of(self._writer, DISK)
        if self._kept and events and events[-1].body["full"]:
            self._space.give_up()

    def _note(self, *, full: bool) -> None:
        """Note that the disk is full, or no longer."""
        event = EventRecord(DISK, time.time_ns(), {"full": full})
        self.append(event)
        self._mine.append(event)

    def _give_back(
        self,
        records: list[Record],
        snapshots: list[tuple[str, int, Packing]],
        moved: dict[str, int],
    ) -> None:
        with self._guard:
            self._waiting = records + self._waiting
            self._snapshots = snapshots + self._snapshots
            self._moved = moved | self._moved
            # Rolled back with the rest: names and deliveries are looked up again.
            self._subjects.clear()
            self._delivered.clear()
        self._room.load()
        self._room.marks.undone()

    def _make_room(
        self, rows: Sequence[tuple[Row, bytes]], snapshots: Sequence[tuple[str, int, Packing]]
    ) -> None:
        incoming = sum(len(body) + ROW_BYTES for _, body in rows)
        incoming += sum(packing.size for _, _, packing in snapshots)
        with self._guard:
            readers = {
                name: Reader(passed, self._takes.get(name, Takes()))
                for name, passed in self._cursors.items()
            }
        evicted = self._room.make(
            incoming,
            self._log_bytes(),
            self._needed(),
            readers,
            full=self._space.full,
        )
        self._room.tell(evicted)

    def _log_bytes(self) -> int:
        beside = self.path.with_name(self.path.name + "-wal")
        return beside.stat().st_size if beside.exists() else 0

    def _needed(self) -> int:
        """Position up to which a fold from a snapshot, even the one before, needs no record."""
        names = self._kept_names
        grace = time.monotonic() - self._opened < SNAPSHOT_GRACE_S
        found = self._writer.execute("SELECT name, position FROM snapshot").fetchall()
        kept = [position for name, position in found if grace or name in names]
        return int(min([self._committed, *kept]))

    def _move(self, moved: Mapping[str, int]) -> None:
        if moved:
            self._writer.executemany("REPLACE INTO cursor VALUES (?, ?)", moved.items())
            file.seal(self._writer, "cursor")

    def _encoded(self, records: Sequence[Record]) -> list[tuple[Row, bytes]]:
        rows = []
        for position, record in enumerate(records, self._committed + 1):
            subject = self._subject(bodies.subject_of(record))
            if isinstance(record, SampleRecord):
                self._deliver(subject, record.batch.tag)
            elif isinstance(record, EventRecord) and record.kind == PIN:
                self._room.pins.add(record.body, position)
            row = bodies.index(record, position, subject)
            rows.append((row, bodies.encode(record, row)))
        return rows

    def _insert(self, rows: Sequence[tuple[Row, bytes]]) -> None:
        self._writer.executemany(_INSERT, [(*row.columns(), body) for row, body in rows])
        self._room.count([(row, len(body)) for row, body in rows])

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

    def _keep(self, snapshots: Sequence[tuple[str, int, Packing]]) -> None:
        for name, position, packing in snapshots:
            # Of another format: nobody reads it any more, and it would hold up eviction for ever.
            stem = name.rpartition("-")[0]
            self._writer.execute(
                "DELETE FROM snapshot WHERE name != ? AND rtrim(name, '0123456789') = ?",
                (name, f"{stem}-"),
            )
            ((row,),) = self._writer.execute(
                "INSERT INTO snapshot (name, position, body) VALUES (?, ?, zeroblob(?)) "
                "RETURNING id",
                (name, position, packing.size),
            ).fetchall()
            with self._writer.blobopen("snapshot", "body", row) as body:
                for piece in packing.pieces():
                    body.write(piece)
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
        never as nothing: the reader decides. What was evicted is passed over; it lies below
        `floor`. With `kinds` only these types, and damage among them.
        What is appended meanwhile is seen as far as it is committed when the reader gets there.

        Raises
        ------
        Misconfigured
            The file is damaged so that SQLite cannot go on.
        """
        query = reading.query_of(kinds)
        more, mended = True, False
        while more:
            salvages = self._salvages
            limit = self._committed if upto is None else min(upto, self._committed)
            try:
                with file.reader(self.path) as connection:
                    rows, holes = reading.page(
                        connection, query, after, limit, all_kinds=kinds is None
                    )
            except file.Damaged:
                if mended or self._closed:
                    raise
                self._thread.submit(self._mend, salvages).result()
                mended = True
                continue
            more = bool(rows)
            for position, entry in sorted([*holes, *rows], key=lambda found: found[0]):
                after = position
                yield position, entry

    def save_snapshot(self, name: str, position: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep `arrays`, the state after the record at `position`; on disk with the next commit.

        Nobody may change them from now on.

        Raises
        ------
        Rejected
            The position lies ahead of the last record, or an array is not plain.
        """
        if position > self._last:
            raise Rejected(f"snapshot {name} of position {position}, the last is {self._last}")
        packing = Packing(arrays)
        with self._guard:
            self._snapshots.append((name, position, packing))
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
        salvages = self._salvages
        try:
            with file.reader(self.path) as connection:
                kept = connection.execute(query, (name,)).fetchall()
        except file.Damaged:
            self._thread.submit(self._mend, salvages).result()
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

    def enrol(self, name: str, takes: Takes) -> None:
        """Make a reader known, and what it takes: only that can it miss; blocks.

        A new one begins at the first record. Of one that never said what it takes all counts.
        """
        self._thread.submit(self._enrol, name, takes).result()

    def _enrol(self, name: str, takes: Takes) -> None:
        with self._guard:
            if name not in self._cursors:
                self._cursors[name] = self._moved[name] = 0
            if self._takes.get(name) == takes:
                return
            self._takes[name] = takes
        # On a full disk it is known until the end of this run, and said again in the next.
        with suppress(Unreachable), file.translated(self.path), file.transaction(self._writer):
            self._writer.execute("REPLACE INTO about VALUES (?, ?)", (READER + name, takes.text()))

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

    @contextmanager
    def _still(self) -> Iterator[sqlite3.Connection]:
        """Read from a file that stands still; mend it beside if it turns out to be damaged."""
        salvages = self._salvages
        try:
            with file.snapshot(self.path) as connection:
                yield connection
        except file.Damaged as error:
            if self._closed or not self._kept:
                raise
            self._thread.submit(self._mend, salvages)
            raise Unreachable(f"{error.__cause__}; it is being mended, ask again") from error

    def forget(self, name: str) -> None:
        """Forget a reader that is no more, so that nothing is kept or counted for it; blocks."""
        self._thread.submit(self._forget, name).result()

    def _forget(self, name: str) -> None:
        with self._guard:
            self._cursors.pop(name, None)
            self._moved.pop(name, None)
            self._takes.pop(name, None)
        with file.translated(self.path), file.transaction(self._writer):
            self._writer.execute("DELETE FROM cursor WHERE name = ?", (name,))
            self._writer.execute("DELETE FROM about WHERE key = ?", (READER + name,))
            file.seal(self._writer, "cursor")

    def trend(self, handle: int, start: int, stop: int, points: int) -> trends.Trend:
        """Read a tag's curve over source times [start, stop) ns; blocks, so call it in a thread."""
        with self._still() as connection:
            return trends.tag_trend(connection, handle, start, stop, points)

    def scores(self, asset: str, start: int, stop: int, points: int) -> trends.ScoreTrend:
        """Read an asset's scores over [start, stop) ns; blocks, so call it in a thread."""
        with self._still() as connection:
            return trends.score_trend(connection, asset, start, stop, points)

    def scores_beside(
        self, asset: str, start: int, stop: int, points: int
    ) -> list[tuple[str, int, trends.ScoreTrend]]:
        """Read the scores of each model that judged beside the one in force, as `scores` does.

        Returns
        -------
        Role, version and scores of each that has any in this time.
        """
        with self._still() as connection:
            return trends.scores_beside(connection, asset, start, stop, points)

    def events(self, kind: str) -> tuple[list[EventRecord], int]:
        """Read every event of one kind, and count those that are damaged; blocks."""
        with self._still() as connection:
            return trends.events_of(connection, kind)

    def score_span(self) -> tuple[int, int] | None:
        """Give first and last source time, ns, at which anything was scored; blocks."""
        with self._still() as connection:
            return trends.score_span(connection)

    def judged(self, start: int, stop: int, step: int) -> dict[str, tuple[int, int]]:
        """Tell for how many steps of `step` ns each asset was judged, of how many; blocks."""
        with self._still() as connection:
            return trends.judged_steps(connection, start, stop, step)

    def cursors(self) -> dict[str, int]:
        """Give every reader that is known, and the position that it has done with."""
        return dict(self._cursors)

    def behind(self, name: str) -> int:
        """Count the records that a reader takes and is not done with; blocks."""
        takes = self._takes.get(name, Takes())
        with self._still() as connection:
            return forward.behind(connection, self.cursor(name), takes)

    def newest(self, kinds: Collection[str], cursor: int, most: int) -> list[EventRecord]:
        """Give the newest events of these kinds behind a position, oldest first; blocks."""
        with self._still() as connection:
            return forward.newest(connection, kinds, cursor, most)

    def samples_between(self, source: str, start: int, stop: int) -> Iterator[SampleRecord]:
        """Give the batches of a source that reach into source times [start, stop) ns; blocks."""
        with self._still() as connection:
            yield from forward.samples_between(connection, source, start, stop)

    def newest_at(self, source: str) -> int:
        """Give the newest source time, ns, of the samples of a source, 0 without any; blocks."""
        with self._still() as connection:
            return forward.newest_at(connection, source)

    def told(self, kind: str, cursor: int, most: int) -> list[tuple[int, EventRecord]]:
        """Give the first events of a kind behind a position, each with its own; blocks."""
        with self._still() as connection:
            return list(index.events(connection, kind, cursor, most))

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


def _salvaged(path: Path, error: file.Damaged, told: Callable[[str], None]) -> None:
    """Salvage a journal that could not be opened; the error itself if there is nothing to find."""
    with file.translated(path):
        try:
            salvage.salvage(path, told=told)
        except Misconfigured:
            raise error from error.__cause__
