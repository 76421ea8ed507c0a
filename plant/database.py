"""SQLite's errors in the four words of `plant.errors`."""

import sqlite3

from plant.errors import Misconfigured, PlantError, Unreachable

MOVE = "move it away (with its -wal and -shm files) to start a new one, or restore it from a copy"
_LATER = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR)
_NOT_LET = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def primary(error: sqlite3.Error) -> int:
    """Give the primary result code of an error; 0 where it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def told(what: str, error: sqlite3.Error) -> PlantError:
    """Say an error of SQLite's in our words.

    Parameters
    ----------
    what
        What the file is, and where: ``journal data/journal.db``.
    error
        SQLite's.
    """
    code = primary(error)
    if code == sqlite3.SQLITE_FULL:
        return Unreachable(f"{what}: the disk is full; free some space, nothing is lost")
    if code in _LATER:
        return Unreachable(f"{what}: {error}; it is tried again")
    if code in _NOT_LET:
        return Misconfigured(f"{what}: {error}; let this user read and write it, and its folder")
    return Misconfigured(f"{what}: {error}; {MOVE}")
