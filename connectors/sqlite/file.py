"""The SQLite file of a history: its format, how it is opened, and its errors in our words.

Windows come in for all tags at a time and are read of one tag over a long time. So they lie first
as they came, in `fresh`, a row for 64 tags, and are folded into `block` later: one tag's windows
of a stretch of time, 120 of them when it is full. What lies in `fresh` was said later than what
lies in `block`, and of two rows in `fresh` the one with the greater number was said later.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from plant.database import told
from plant.errors import Misconfigured, Unreachable

APPLICATION = 0x57544849
"""SQLite's application_id, "WTHI": tells a history from anybody else's database."""
VERSION = 1
TOGETHER = 64
"""Tags whose windows lie in one row of `fresh`: their numbers divided by it are equal."""
WINDOWS = 120
"""Windows in a full block."""
BUSY_S = 2.0
"""Longest wait for another process that writes."""

_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tag (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT NOT NULL);
CREATE TABLE fresh (
    seq INTEGER PRIMARY KEY, every INTEGER NOT NULL, part INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, windows INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX fresh_by_time ON fresh (every, part, first, last, windows);
CREATE TABLE block (
    every INTEGER NOT NULL, tag INTEGER NOT NULL, start INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (every, tag, start));
CREATE TABLE damaged (every INTEGER, tag INTEGER, start INTEGER, body BLOB);
"""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into the product's."""
    try:
        yield
    except sqlite3.Error as error:
        raise told(f"history {path}", error) from error


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the history at `path` for writing; make it if there is none.

    Raises
    ------
    Misconfigured
        Not a history, of another format, or in a folder that cannot be written.
    Unreachable
        Another process writes to it just now.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"history {path}: {error.strerror}; name a folder that this user may write"
        ) from None
    with translated(path), ExitStack() as undo:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_S
        )
        undo.callback(connection.close)
        if not _told(connection, path):
            connection.execute("PRAGMA journal_mode = WAL")
            with transaction(connection):
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        undo.pop_all()
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the history at `path`, which has to be there, so that nothing can be written.

    Raises
    ------
    Misconfigured
        There is none, it is none, or it may not be read.
    Unreachable
        A gateway is about to make it, or was stopped while it did.
    """
    if not path.exists():
        raise Misconfigured(
            f"history {path}: no such file; name the history.db in the data folder of a gateway"
        )
    with translated(path), ExitStack() as undo:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_S,
        )
        undo.callback(connection.close)
        if not _told(connection, path):
            raise Unreachable(
                f"history {path}: nothing is kept in it yet; its gateway fills it from its first "
                "minute on"
            )
        undo.pop_all()
    return connection


def _told(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell whether the file is a history, or empty; raise where it is anything else."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if objects == 0 and application == 0:
        return False
    if application != APPLICATION:
        raise Misconfigured(f"{path} is a database, but not a history: name another file")
    if version != VERSION:
        raise Misconfigured(
            f"history {path} has format {version}, this release knows format {VERSION}: "
            "use the release that made it, or name another file to start a new one"
        )
    return True


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block, on disk when it ends, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


@contextmanager
def view(connection: sqlite3.Connection) -> Iterator[None]:
    """Read in the block what was there when it began."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")
