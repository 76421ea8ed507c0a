"""What those who carry the journal on ask of it."""

from pathlib import Path

from gateway.journal import EventRecord, Journal, SampleRecord, Takes, file
from gateway.journal.forward import behind
from tests.gateway.journal.conftest import SECOND, Samples


def event(kind: str, number: int) -> EventRecord:
    return EventRecord(kind, number, {"n": number})


def filled(journal: Journal, samples: Samples) -> None:
    for number in range(1, 5):
        journal.append(samples(number), event("alarm", number), event("link", number))
    journal.commit_now()


def test_what_is_behind_a_cursor_is_counted_by_type(journal: Journal, samples: Samples) -> None:
    filled(journal, samples)
    journal.enrol("events", Takes.of((EventRecord,)))
    journal.enrol("both", Takes.of((EventRecord, SampleRecord)))
    assert (journal.behind("events"), journal.behind("both")) == (8, 12)
    journal.advance("events", 3)
    journal.advance("both", 3)
    assert (journal.behind("events"), journal.behind("both")) == (6, 9)
    journal.advance("both", 12)
    assert journal.behind("both") == 0


def test_counting_looks_at_no_record_before_the_cursor(
    path: Path, journal: Journal, samples: Samples
) -> None:
    filled(journal, samples)
    with file.reader(path) as connection:
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        behind(connection, 3, Takes.of((EventRecord,)))
        plan = connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()
    assert "USING INTEGER PRIMARY KEY (rowid>?)" in plan[0][3]


def test_the_newest_events_come_oldest_first(journal: Journal, samples: Samples) -> None:
    filled(journal, samples)
    found = journal.newest(("alarm", "link", "never"), 5, 3)
    assert [(one.kind, one.at) for one in found] == [("link", 3), ("alarm", 4), ("link", 4)]
    assert journal.newest(("alarm",), 11, 3) == []


def test_events_of_a_kind_are_told_with_their_positions(journal: Journal, samples: Samples) -> None:
    filled(journal, samples)
    found = journal.told("alarm", 2, 2)
    assert [(position, one.at) for position, one in found] == [(5, 2), (8, 3)]
    assert journal.told("never", 0, 2) == []


def test_samples_are_found_by_their_source_and_time(journal: Journal, samples: Samples) -> None:
    filled(journal, samples)
    journal.append(samples(9, source="other", second=3))
    journal.commit_now()
    found = journal.samples_between("line", 2 * SECOND, 4 * SECOND)
    assert [int(one.batch.at[0]) // SECOND for one in found] == [2, 3]
    assert journal.newest_at("line") == 4 * SECOND
    assert journal.newest_at("nobody") == 0


def test_damage_hides_nothing_else(journal: Journal, samples: Samples) -> None:
    filled(journal, samples)
    journal._writer.execute("UPDATE record SET body = x'00' WHERE position IN (4, 5)")
    found = journal.samples_between("line", 0, 9 * SECOND)
    assert [int(one.batch.at[0]) // SECOND for one in found] == [1, 3, 4]
    assert [one.at for one in journal.newest(("alarm",), 0, 9)] == [1, 3, 4]


def test_a_reader_that_is_forgotten_begins_anew(path: Path, journal: Journal) -> None:
    journal.append(event("alarm", 1), event("alarm", 2))
    journal.commit_now()
    journal.advance("gone", 2)
    journal.advance("stays", 1)
    journal.commit_now()
    journal.advance("gone", 2)
    journal.forget("gone")
    assert journal.cursors() == {"stays": 1}
    assert journal.cursor("gone") == 0
    journal.commit_now()
    journal.close()
    again = Journal.open(path)
    assert again.cursors() == {"stays": 1}
    again.close()
