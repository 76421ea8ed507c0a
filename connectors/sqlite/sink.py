"""Writes windows into the embedded history."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from connectors.contract import Refusal
from connectors.sqlite import file
from connectors.sqlite.bodies import decode, encode
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.file import TOGETHER, WINDOWS
from plant.errors import Rejected, Unreachable
from plant.records import SUMMARY_COLUMNS, Record, SummaryRecord, joined
from plant.tags import TagHandle

FRESH = WINDOWS + WINDOWS // 4
"""Windows of each tag that may lie in `fresh`: a full block, and the begin of the next."""
PURGE_S = 3600.0
"""What is older than it is kept is looked for so often, s."""
UNKNOWN = -1


class SqliteSink:
    """Keeps windows in one file; other processes may read it meanwhile.

    Records of other kinds are passed over: they stand in the journal.

    Parameters
    ----------
    config
        Where the file lies and how long windows are kept.
    tags
        Every tag that windows may come of, with its handle.
    gateway
        Name of the gateway, kept in the file for whoever finds it.
    folder
        The gateway's data folder.
    clock
        Wall clock, ns.
    """

    def __init__(
        self,
        config: SqliteConfig,
        tags: Sequence[TagHandle],
        gateway: str,
        folder: Path,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = config.name
        self._kept = config.kept_ns
        self._path = folder / config.file
        self._gateway = gateway
        self._clock = clock
        self._tags = {one.handle: one.tag for one in tags}
        self._number = np.full(max(self._tags, default=-1) + 1, UNKNOWN, np.int32)
        self._purged: dict[int, float] = {}
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open the file, make it if there is none."""
        connection = file.open_writer(self._path)
        with file.translated(self._path):
            connection.execute("REPLACE INTO about VALUES ('gateway', ?)", (self._gateway,))
        self._connection = connection
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        """Keep the windows among `records`, all of them in one transaction."""
        if self._connection is None:
            raise Unreachable(f"history {self._path} is not open")
        windows = [one for one in records if isinstance(one, SummaryRecord) and len(one)]
        if not windows:
            return ()
        refused: list[Refusal] = []
        known = self._number.copy()
        try:
            with file.translated(self._path), file.transaction(self._connection):
                for record in windows:
                    refused += self._keep(self._connection, record)
        except BaseException:
            self._number = known  # the numbers of new tags went with the transaction
            raise
        return refused

    def _keep(self, connection: sqlite3.Connection, record: SummaryRecord) -> Iterator[Refusal]:
        number, refused = self._numbers(connection, record.tag)
        yield from refused
        known = np.flatnonzero(number != UNKNOWN)
        if not len(known):
            return
        mine = replace(record.take(known), tag=number[known])
        parts = mine.tag // TOGETHER
        for part in np.unique(parts).tolist():
            own = mine.take(np.flatnonzero(parts == part))
            connection.execute(
                "INSERT INTO fresh (every, part, first, last, windows, body)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    record.every,
                    part,
                    int(own.start.min()),
                    int(own.start.max()),
                    len(own),
                    encode(own),
                ),
            )
            self._fold(connection, record.every, part, len(np.unique(own.tag)))
        self._purge(connection, record.every, int(mine.start.max()))

    def _numbers(
        self, connection: sqlite3.Connection, handle: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], list[Refusal]]:
        """Give the number of each tag in this file, and refuse those that nobody named."""
        refused = []
        for one in np.unique(handle).tolist():
            tag = self._tags.get(one)
            if tag is None:
                refused.append(
                    Refusal(f"windows of handle {one}", f"no tag with the handle {one} is known")
                )
            elif self._number[one] == UNKNOWN:
                connection.execute(
                    "INSERT INTO tag (name, unit) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET unit = excluded.unit",
                    (tag.name, tag.unit),
                )
                query = "SELECT id FROM tag WHERE name = ?"
                (self._number[one],) = connection.execute(query, (tag.name,)).fetchone()
        named = (handle >= 0) & (handle < len(self._number))
        number = np.full(len(handle), UNKNOWN, np.int32)
        number[named] = self._number[handle[named]]
        return number, refused

    def _fold(self, connection: sqlite3.Connection, every: int, part: int, tags: int) -> None:
        """Fold what lies in `fresh` into blocks, once it has grown, but for the newest block.

        In the order in which it was said: what is left in `fresh` was said later than all of it.
        """
        query = "SELECT sum(windows), max(first) FROM fresh WHERE every = ? AND part = ?"
        held, newest = connection.execute(query, (every, part)).fetchone()
        if held <= FRESH * tags:
            return
        span = every * WINDOWS
        query = "SELECT max(seq) FROM fresh WHERE every = ? AND part = ? AND last < ?"
        bound = every, part, newest // span * span
        (upto,) = connection.execute(query, bound).fetchone()
        if upto is None:
            # All of one block, said again and again.
            query = "SELECT max(seq) FROM fresh WHERE every = ? AND part = ?"
            (upto,) = connection.execute(query, (every, part)).fetchone()
        query = "SELECT body FROM fresh WHERE every = ? AND part = ? AND seq <= ? ORDER BY seq"
        bodies = connection.execute(query, (every, part, upto)).fetchall()
        said = [self._read(connection, body, every, part, 0) for (body,) in bodies]
        connection.execute(
            "DELETE FROM fresh WHERE every = ? AND part = ? AND seq <= ?", (every, part, upto)
        )
        self._into_blocks(connection, joined(said).latest())

    def _into_blocks(self, connection: sqlite3.Connection, windows: SummaryRecord) -> None:
        """Put windows, by tag and time, into the blocks to which they belong."""
        span = windows.every * WINDOWS
        begin = windows.start // span * span
        changes = (np.diff(windows.tag) != 0) | (np.diff(begin) != 0)
        for rows in np.split(np.arange(len(windows)), np.flatnonzero(changes) + 1):
            if not len(rows):
                continue
            own = windows.take(rows)
            key = windows.every, int(own.tag[0]), int(begin[rows[0]])
            query = "SELECT body FROM block WHERE every = ? AND tag = ? AND start = ?"
            before = connection.execute(query, key).fetchone()
            if before is not None:
                own = joined([self._read(connection, before[0], *key), own]).latest()
            connection.execute("REPLACE INTO block VALUES (?, ?, ?, ?)", (*key, encode(own)))

    def _read(
        self, connection: sqlite3.Connection, body: bytes, every: int, tag: int, start: int
    ) -> SummaryRecord:
        """Decode a row; one that is damaged is put aside as it is, and holds nothing more."""
        try:
            return decode(body, every)
        except Rejected:
            connection.execute("INSERT INTO damaged VALUES (?, ?, ?, ?)", (every, tag, start, body))
            none: list[NDArray[Any]] = [np.empty(0, dtype) for dtype in SUMMARY_COLUMNS.values()]
            return SummaryRecord("", every, *none)

    def _purge(self, connection: sqlite3.Connection, every: int, newest: int) -> None:
        """Forget what is older than it is kept.

        By the earlier of two clocks, this machine's and that of the newest window: one that is set
        ahead by mistake empties nothing.
        """
        due = time.monotonic() - self._purged.get(every, -PURGE_S) >= PURGE_S
        if not due or every not in self._kept:
            return
        self._purged[every] = time.monotonic()
        before = min(self._clock(), newest) - self._kept[every]
        span = every * WINDOWS
        connection.execute(
            "DELETE FROM block WHERE every = ? AND start <= ?", (every, before - span)
        )
        connection.execute("DELETE FROM fresh WHERE every = ? AND last < ?", (every, before))
