"""Reads windows back from the embedded history."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from connectors.sqlite import file
from connectors.sqlite.bodies import decode
from connectors.sqlite.file import TOGETHER, WINDOWS
from plant.errors import Rejected, Unreachable
from plant.records import SummaryRecord, joined
from plant.summaries import LENGTHS, Windows

BLOCKS = 64
"""Blocks in one piece: at most 7,680 windows, and what is fresh."""
BEFORE_ALL, AFTER_ALL = -(2**62), 2**63 - 1

_BLOCKS = """
SELECT start, body FROM block
WHERE every = ? AND tag = ? AND start > ? AND start < ? ORDER BY start LIMIT ?
"""
_FRESH = """
SELECT body FROM fresh WHERE every = ? AND part = ? AND last >= ? AND first < ? ORDER BY seq
"""


class SqliteHistory:
    """The windows that a gateway keeps in one file, also while it writes them.

    Parameters
    ----------
    path
        The file: ``history.db`` in the data folder of a gateway.

    Attributes
    ----------
    damaged : int
        Rows that could not be read so far: their windows are missing.

    Examples
    --------
    ::

        with SqliteHistory("data/history.db") as history:
            for piece in history.read(["site/area/line/pump/flow"], start, stop, HOUR):
                ...
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self.damaged = 0

    def __enter__(self) -> Self:
        """Open the file."""
        self._connection = file.open_reader(self._path)
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

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Unreachable(f"history {self._path} is not open")
        return self._connection

    def tags(self) -> dict[str, str]:
        """List the tags of which anything is kept, with their units."""
        with file.translated(self._path):
            return dict(self._open().execute("SELECT name, unit FROM tag ORDER BY name"))

    def lengths(self) -> tuple[int, ...]:
        """List the lengths of the windows that are kept, ns, ascending."""
        return LENGTHS

    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        """Stream the windows of ``start <= at < stop``, ns, of one kept length, tag by tag."""
        if every not in LENGTHS:
            kept = ", ".join(f"{length // 10**9} s" for length in LENGTHS)
            raise Rejected(f"windows of {every / 1e9:g} s are not kept; there are those of {kept}")
        connection = self._open()
        for place, name in enumerate(tags):
            with file.translated(self._path):
                query = "SELECT id FROM tag WHERE name = ?"
                found = connection.execute(query, (name,)).fetchone()
            if found is not None:
                for windows in self._pieces(found[0], start, stop, every):
                    yield _placed(windows, place)

    def _pieces(self, tag: int, start: int, stop: int, every: int) -> Iterator[SummaryRecord]:
        span = every * WINDOWS
        at, stop = max(start, BEFORE_ALL), min(stop, AFTER_ALL)
        while at < stop:
            connection = self._open()
            with file.translated(self._path), file.view(connection):
                wanted = every, tag, at - span, stop, BLOCKS + 1
                blocks = connection.execute(_BLOCKS, wanted).fetchall()
                until: int = blocks[-1][0] if len(blocks) > BLOCKS else stop
                newer = every, tag // TOGETHER, at, until
                fresh = connection.execute(_FRESH, newer).fetchall()
            bodies = [body for _, body in blocks[:BLOCKS]] + [body for (body,) in fresh]
            held = [one for body in bodies if (one := self._decoded(body, every)) is not None]
            if held:
                whole = joined(held)
                mine = (whole.tag == tag) & (whole.start >= at) & (whole.start < until)
                if mine.any():
                    yield whole.take(np.flatnonzero(mine)).latest()
            at = until

    def _decoded(self, body: bytes, every: int) -> SummaryRecord | None:
        try:
            return decode(body, every)
        except Rejected:
            self.damaged += 1
            return None


def _placed(windows: SummaryRecord, place: int) -> Windows:
    return Windows(
        np.full(len(windows), place, np.int32),
        windows.start,
        windows.count.astype(np.int64),
        windows.good.astype(np.int64),
        windows.low,
        windows.high,
        windows.mean,
        windows.std,
        windows.first,
        windows.last,
    )
