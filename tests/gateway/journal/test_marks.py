"""For how long a record has been on disk: known to the second, and to the minute after a start."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.journal import EventRecord, Journal, Limits, marks
from gateway.journal.marks import Marks


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def monotonic_ns(self) -> int:
        return round(self.now * 1e9)

    def time(self) -> float:
        return self.now + 1e9

    def time_ns(self) -> int:
        return round(self.time() * 1e9)


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(marks, "time", made)
    return made


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        made.execute("CREATE TABLE mark (position INTEGER PRIMARY KEY, at INTEGER NOT NULL)")
        yield made


def test_a_record_is_as_old_as_the_moment_at_which_it_was_not_yet_there(
    ticking: Clock, connection: sqlite3.Connection
) -> None:
    made = Marks(connection)
    for position in range(10, 20):
        made.note(position)
        ticking.now += 1
    assert made.age_s(19, 19) == 0
    assert made.age_s(14, 19) == pytest.approx(6.0)
    ticking.now += 100
    assert made.age_s(18, 19) == pytest.approx(102.0)


def test_a_quiet_hour_makes_nothing_old(ticking: Clock, connection: sqlite3.Connection) -> None:
    made = Marks(connection)
    made.note(5)
    ticking.now += 3600
    made.note(5)
    ticking.now += 1
    made.note(6)
    assert made.age_s(5, 6) == pytest.approx(1.0)


def test_many_commits_in_a_second_are_one_moment(
    ticking: Clock, connection: sqlite3.Connection
) -> None:
    made = Marks(connection)
    for position in range(1, 101):
        made.note(position)
        ticking.now += 0.1
    assert len(made._positions) <= 11
    assert made.age_s(57, 100) == pytest.approx(4.3, abs=1.1)


def test_marks_of_a_day_are_few_and_still_tell(
    ticking: Clock, connection: sqlite3.Connection
) -> None:
    made = Marks(connection)
    for position in range(86_400):
        made.note(position)
        ticking.now += 1
    assert len(made._positions) <= marks.MOST
    assert made.age_s(100, 86_400) == pytest.approx(86_300, rel=0.02)
    assert made.age_s(86_390, 86_400) == pytest.approx(10, abs=2)


def test_one_moment_a_minute_outlives_the_process(
    ticking: Clock, connection: sqlite3.Connection
) -> None:
    made = Marks(connection)
    for position in range(1, 7201):
        made.write(position - 1, position)
        ticking.now += 1
    assert connection.execute("SELECT count(*) FROM mark").fetchone() == (121,)
    again = Marks(connection)
    assert again.age_s(3000, 7200) == pytest.approx(4200, abs=61)
    assert again.older(3600 * 10**9) == pytest.approx(3600, abs=61)
    assert again.older(86_400 * 10**9) is None
    again.forget(3000)
    assert again.older(3600 * 10**9) == pytest.approx(3600, abs=61)
    assert again.older(7000 * 10**9) is None


def test_who_was_off_for_a_day_takes_nothing_new_for_old(
    ticking: Clock, connection: sqlite3.Connection
) -> None:
    Marks(connection).write(9, 10)
    ticking.now += 86_400
    after = Marks(connection)
    after.note(10)
    after.write(10, 11)
    ticking.now += 5
    for told in (after, Marks(connection)):
        assert told.age_s(10, 11) == pytest.approx(5.0)
        assert told.age_s(9, 11) == pytest.approx(86_405)


def test_a_journal_tells_it_of_its_own_commits(
    path: Path, ticking: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.journal.room.time", SimpleNamespace(time_ns=ticking.time_ns))
    for _ in range(2):
        journal = Journal.open(path, Limits())
        journal.append(EventRecord("note", 1, {}))
        journal.commit_now()
        ticking.now += 100
        assert journal.unsent_s(journal.committed) == 0
        assert journal.unsent_s(journal.committed - 1) == pytest.approx(100, abs=1)
        journal.close()
    assert journal.unsent_s(0) == pytest.approx(200, abs=1)
