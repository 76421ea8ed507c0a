"""What is opened as a journal, what is refused, and who may write."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.journal import Journal, SampleRecord
from gateway.journal.file import translate
from plant.errors import Misconfigured, Unreachable

Samples = Callable[..., SampleRecord]


def test_a_second_gateway_is_refused_and_told_who_has_it(journal: Journal, path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"in use by another gateway \(process \d+\)"):
        Journal.open(path)


def test_a_closed_journal_is_free_again(path: Path) -> None:
    for _ in range(3):
        Journal.open(path).close()


def test_a_refused_open_leaves_nothing_locked(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look like one" * 99)
    for _ in range(2):
        with pytest.raises(Misconfigured, match=r"file is not a database.*move it away"):
            Journal.open(path)


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipe (name TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match="not a journal: name another file"):
        Journal.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, 3])
def test_another_format_is_refused(path: Path, version: int) -> None:
    Journal.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("UPDATE about SET value = ? WHERE key = 'format'", (version,))
    connection.commit()
    connection.close()
    with pytest.raises(Misconfigured, match=f"format {version}, this release writes format 2"):
        Journal.open(path)


def test_a_torn_file_is_refused(path: Path, samples: Samples) -> None:
    journal = Journal.open(path)
    for number in range(1, 40):
        journal.append(samples(number, n=500))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:1000] + bytes(len(whole) - 1000))
    with pytest.raises(Misconfigured, match="malformed"):
        Journal.open(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file")
    with pytest.raises(Misconfigured, match="name a folder"):
        Journal.open(tmp_path / "plain" / "journal.db")


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.touch()
    journal = Journal.open(path)
    assert len(journal.gateway_id) == 36
    journal.close()


def test_every_commit_is_synced(journal: Journal) -> None:
    mode = journal._writer.execute("PRAGMA journal_mode").fetchone()
    level = journal._writer.execute("PRAGMA synchronous").fetchone()
    assert (mode, level) == (("wal",), (2,))


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_READONLY, Misconfigured, "let this user read and write it"),
        (sqlite3.SQLITE_CANTOPEN, Misconfigured, "let this user read and write it"),
        (sqlite3.SQLITE_CORRUPT, Misconfigured, "move it away"),
        (sqlite3.SQLITE_FULL, Unreachable, "the disk is full"),
    ],
)
def test_what_the_database_says_is_told_with_its_mend(
    path: Path, code: int, kind: type[Exception], words: str
) -> None:
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code
    told = translate(path, error)
    assert isinstance(told, kind)
    assert words in str(told)
