"""The SQLite file of a journal: its format, who may write, and its row statements.

WAL with ``synchronous=FULL``: a commit is on disk when it returns.
"""

import fcntl
import json
import os
import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from plant.database import MOVE, primary, told
from plant.errors import Misconfigured, PlantError

APPLICATION = 0x57544A4C
"""SQLite's application_id, "WTJL": tells a journal from anybody else's database."""

_NO_WRITE = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})

VERSION = 2
"""1 had no counts, no floors and no second copy of names and tags; it is brought up to 2."""

_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE subject (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE tag (
    handle INTEGER NOT NULL, valid_from INTEGER NOT NULL, name TEXT NOT NULL,
    source TEXT NOT NULL, address TEXT NOT NULL, unit TEXT NOT NULL,
    scale REAL NOT NULL, offset REAL NOT NULL);
CREATE TABLE delivery (
    handle INTEGER NOT NULL, subject INTEGER NOT NULL, PRIMARY KEY (handle, subject))
    WITHOUT ROWID;
CREATE TABLE record (
    position INTEGER PRIMARY KEY, kind INTEGER NOT NULL, subject INTEGER NOT NULL,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, samples INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX record_by_time ON record (kind, subject, last_at, first_at, samples);
CREATE TABLE cursor (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, position INTEGER NOT NULL, body BLOB NOT NULL);
"""
_SECOND = (
    # What is held of each kind, what was evicted, and what of that no cursor had passed.
    """CREATE TABLE total (
    kind INTEGER PRIMARY KEY, records INTEGER NOT NULL, samples INTEGER NOT NULL,
    bytes INTEGER NOT NULL, evicted_records INTEGER NOT NULL, evicted_samples INTEGER NOT NULL,
    unsent_records INTEGER NOT NULL, unsent_samples INTEGER NOT NULL)""",
    # Up to which position a level was evicted, and the bytes of pinned samples passed over.
    """CREATE TABLE floor (
    level INTEGER PRIMARY KEY, position INTEGER NOT NULL, passed INTEGER NOT NULL)""",
    # The last position at a time, ns since 1970 UTC.
    "CREATE TABLE mark (position INTEGER PRIMARY KEY, at INTEGER NOT NULL)",
    # The journal's own events that no record holds yet.
    "CREATE TABLE untold "
    "(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL)",
    # A second copy, in pages of its own: without names and tags a record says nothing.
    "CREATE INDEX tag_again ON tag "
    "(handle, valid_from, name, source, address, unit, scale, offset)",
    "CREATE INDEX about_again ON about (value, key)",
)
SEALED = ("tag", "cursor", "floor")
_COUNTED = """
INSERT INTO total SELECT kind, count(*), sum(samples), sum(length(body)), 0, 0, 0, 0
FROM record GROUP BY kind ORDER BY kind
ON CONFLICT (kind) DO UPDATE SET
    records = excluded.records, samples = excluded.samples, bytes = excluded.bytes
"""


_NO_TEXT = "Could not decode to UTF-8"
"""Python's own error about a text whose bytes were changed; SQLite has no objection to it."""
_MAGIC, _HEAD, _NEWEST_SCHEMA = b"SQLite format 3\0", 100, 4

MEND = f"a gateway that starts with it keeps what can still be read; if it does not start, {MOVE}"


class Damaged(Misconfigured):
    """The file is a journal, and not as it was written."""


class Held(Misconfigured):
    """Another process has the journal."""


def translate(path: Path, error: sqlite3.Error) -> PlantError:
    """Say SQLite's error in the words of `plant.errors`; damage is a case of its own here."""
    if is_damage(error):
        return Damaged(f"journal {path}: {error}; {MEND}")
    return told(f"journal {path}", error)


def is_full(error: sqlite3.Error) -> bool:
    """Tell whether the disk has no room; a quota and a limit of the process count as well."""
    if primary(error) == sqlite3.SQLITE_FULL:
        return True
    return getattr(error, "sqlite_errorcode", 0) in _NO_WRITE


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether the file is not as SQLite wrote it."""
    if str(error).startswith(_NO_TEXT):
        return True
    return primary(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into the product's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(path, error) from error
    except UnicodeDecodeError as error:
        # what SQLite says of a damaged name, with the name in it
        raise Damaged(f"journal {path}: holds a text that is none; {MEND}") from error


def lock(path: Path) -> IO[str]:
    """Become the only writer of the journal at `path` until the returned file is closed.

    Raises
    ------
    Misconfigured
        Another process has it, or its folder cannot be written.
    """
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = beside.open("a+", encoding="ascii")
    except OSError as error:
        raise Misconfigured(
            f"journal {path}: {error.strerror}; name a folder that this user may write"
        ) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        owner = held.read().strip() or "unknown"
        held.close()
        raise Held(
            f"journal {path} is in use by another gateway (process {owner}): stop that one, "
            "or give this one a data folder of its own"
        ) from None
    # The lock holds without a number in it: a full disk must not keep a gateway from starting.
    with suppress(OSError):
        os.ftruncate(held.fileno(), 0)
        os.write(held.fileno(), str(os.getpid()).encode())
    return held


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the journal at `path` for writing; make it if there is none.

    Raises
    ------
    Misconfigured
        Not a database, not a journal, or of a format that this release does not write.
    """
    _hold_head(path)
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        with ExitStack() as undo:
            undo.callback(connection.close)
            _adopt(connection, path)
            undo.pop_all()
        return connection


def _hold_head(path: Path) -> None:
    """Hold the head of a journal to what this release writes.

    Of two of its fields SQLite believes a flipped bit: that the file may only be read, or is of a
    format of the future (its file format, 1.3.3 and 1.3.9).
    """
    if not path.is_file():
        return
    head = _head(path)
    log = path.with_name(path.name + "-wal")
    if not head and log.exists() and log.stat().st_size:
        # SQLite would take it for a new file, and throw the log away.
        raise Damaged(f"journal {path}: is empty, and its log is not; {MEND}")
    ours = _is_headed(head)
    known = len(head) == _HEAD and {head[18], head[19]} <= {1, 2}
    if ours and not (known and 1 <= int.from_bytes(head[44:48]) <= _NEWEST_SCHEMA):
        raise Damaged(f"journal {path}: the head of the file is damaged; {MEND}")


def is_journal(path: Path) -> bool:
    """Tell whether a file may be taken for a journal by its head, whatever stands behind it.

    One that begins with zeros was cut by a loss of power: no other file of anybody's begins so.
    """
    head = _head(path)
    return _is_headed(head) or not any(head)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _is_headed(head: bytes) -> bool:
    return head.startswith(_MAGIC) and int.from_bytes(head[68:72]) == APPLICATION


def _adopt(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if objects == 0 and application == 0:
        _create(connection)
    elif _is_ours(connection) and (application != APPLICATION or version != VERSION):
        raise Damaged(f"journal {path}: the head of the file is damaged; {MEND}")
    elif application != APPLICATION:
        raise Misconfigured(f"{path} is a database, but not a journal: name another file")
    elif version not in (1, VERSION):
        raise Misconfigured(
            f"journal {path} has format {version}, this release writes format {VERSION}: "
            "use the release that made it, or name another file to start a new one"
        )
    elif version == VERSION and not _made() <= _objects(connection):
        raise Damaged(f"journal {path}: its tables are not as they were made; {MEND}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # Debian's SQLite overwrites what is deleted: a gigabyte evicted would be a gigabyte written.
    connection.execute("PRAGMA secure_delete = OFF")
    if version == 1:
        with transaction(connection):
            _extend(connection)


def _objects(connection: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    """Give kind, name, table and statement of everything in the schema."""
    query = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master"
    return frozenset(connection.execute(query).fetchall())


@cache
def _made() -> frozenset[tuple[str, ...]]:
    """Give what a journal of this format has: a flipped bit in a statement renames a column."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_SCHEMA + ";".join(_SECOND))
        return _objects(connection)


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Tell whether a database says of itself, beside its head, that it is a journal of today."""
    (known,) = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name IN ('about', 'record', 'untold')"
    ).fetchone()
    if known < 3:
        return False
    query = "SELECT count(*) FROM about WHERE key = 'format' AND value = ?"
    (same,) = connection.execute(query, (str(VERSION),)).fetchone()
    return bool(same)


def _extend(connection: sqlite3.Connection) -> None:
    """Bring format 1 to format 2."""
    for statement in _SECOND:
        connection.execute(statement)
    recount(connection)
    seal(connection, *SEALED)
    connection.execute("REPLACE INTO about VALUES ('format', ?)", (str(VERSION),))
    connection.execute(f"PRAGMA user_version = {VERSION}")


def seal(connection: sqlite3.Connection, *tables: str) -> None:
    """Keep a checksum of small tables that nothing else would hold against what was written."""
    for table in tables:
        told = f"seal-{table}", str(_checksum(connection, table))
        connection.execute("REPLACE INTO about VALUES (?, ?)", told)


def is_sealed(connection: sqlite3.Connection, table: str) -> bool:
    """Tell whether a table is as it was written."""
    query = "SELECT count(*) FROM about WHERE key = ? AND value = ?"
    told = f"seal-{table}", str(_checksum(connection, table))
    return bool(connection.execute(query, told).fetchone()[0])


def _checksum(connection: sqlite3.Connection, table: str) -> int:
    # NOT INDEXED: what an index says of a table is another copy.
    rows = connection.execute(f"SELECT * FROM {table} NOT INDEXED").fetchall()  # noqa: S608 - ours
    return checksum(rows)


def checksum(rows: Iterable[tuple[Any, ...]]) -> int:
    """CRC-32 of rows, in whichever order."""
    return zlib.crc32("\n".join(sorted(map(repr, rows))).encode("utf-8", "surrogatepass"))


def recount(connection: sqlite3.Connection) -> None:
    """Count anew what is held of each kind; inside a transaction."""
    connection.execute("UPDATE total SET records = 0, samples = 0, bytes = 0")
    connection.execute(_COUNTED)


def _create(connection: sqlite3.Connection) -> None:
    # Bodies of some kilobytes spill over pages: small ones waste least (measured, 7 to 17 B).
    connection.execute("PRAGMA page_size = 2048")
    # Only so can a file become smaller when its limit is lowered; 5 to 8 % of its processor time.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION};")
    _extend(connection)
    connection.execute("INSERT INTO about VALUES ('gateway', ?)", (str(uuid.uuid4()),))
    connection.execute("COMMIT")


@contextmanager
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection that cannot write; errors come as the product's."""
    with translated(path):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
            yield connection


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a reader for which the file stands still: what is found is not evicted meanwhile."""
    with reader(path) as connection:
        connection.execute("BEGIN")
        yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block, on disk when it ends, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def leave_word(connection: sqlite3.Connection, kind: str, at: int, body: Mapping[str, Any]) -> None:
    """Leave an event of the journal's own for the next commit; inside a transaction."""
    query = "INSERT INTO untold (kind, at, body) VALUES (?, ?, ?)"
    connection.execute(query, (kind, at, json.dumps(body, separators=(",", ":"))))
