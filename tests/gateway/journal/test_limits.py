"""What goes when a journal is as large or as old as it may be, in which order, and what is told."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from gateway.journal import (
    DamagedRecord,
    EventRecord,
    Journal,
    Kind,
    Limits,
    Record,
    SampleRecord,
    ScoreRecord,
    SummaryRecord,
    file,
)
from gateway.journal import room as room_module
from plant.samples import Batch
from plant.tags import Tag

SECOND = 10**9
MB = 1_000_000
LIMIT = 3 * MB
TOGETHER = 5
"""Records of one commit: each costs the disk a flush."""
ASSET = "site/hall/line/pump-2"
TAG = Tag(name=f"{ASSET}/vibration", source="line", address="")

Opened = Callable[..., Journal]


def noise(number: int, n: int = 2000, source: str = "line") -> SampleRecord:
    """One record of about 18 kB, at second `number`."""
    value = np.random.default_rng(number).normal(size=n)
    tag = np.arange(1, n + 1, dtype=np.int32)
    at = np.full(n, number * SECOND, np.int64)
    batch = Batch(source, tag, at, value, np.zeros(n, np.uint32), number, number * SECOND, 0)
    return SampleRecord(batch, np.zeros(n, np.uint8))


def scores(number: int, n: int = 2000) -> ScoreRecord:
    value = np.random.default_rng(number).normal(size=n)
    at = np.full(n, number * SECOND, np.int64)
    return ScoreRecord(ASSET, at, value, value, np.zeros(n, np.uint8))


def summaries(number: int, n: int = 400) -> SummaryRecord:
    value = np.random.default_rng(number).normal(size=(6, n))
    tag, count = np.arange(n, dtype=np.int32), np.full(n, 600, np.uint32)
    start = np.full(n, number * SECOND, np.int64)
    return SummaryRecord("line", SECOND, tag, start, count, count, *value)


def event(number: int, size: int = 10) -> EventRecord:
    noise = np.random.default_rng(number).integers(97, 122, size).astype(np.uint8)
    return EventRecord("note", number * SECOND, {"n": number, "text": noise.tobytes().decode()})


@pytest.fixture
def opened(path: Path) -> Iterator[Opened]:
    """Open the journal with limits, as often as wanted; the last one is closed at the end."""
    journals: list[Journal] = []

    def again(**limits: int) -> Journal:
        for journal in journals:
            journal.close()
        journals.append(Journal.open(path, Limits(**{"max_bytes": LIMIT, **limits})))
        return journals[-1]

    yield again
    journals[-1].close()


def fill(journal: Journal, count: int, start: int = 1) -> None:
    put(journal, [noise(number) for number in range(start, start + count)])


def put(journal: Journal, records: Sequence[Record]) -> None:
    for place in range(0, len(records), TOGETHER):
        journal.append(*records[place : place + TOGETHER])
        journal.commit_now()


def seconds(journal: Journal, kind: type = SampleRecord) -> list[int]:
    """Second of each record of a kind that is left."""
    names = {SampleRecord: "batch", ScoreRecord: "at", SummaryRecord: "start", EventRecord: "at"}
    found = []
    for _, record in journal.read(kinds=[kind]):
        held = getattr(record, names[kind])
        found.append(int(np.min(getattr(held, "at", held))) // SECOND)
    return found


def test_the_size_stays_under_the_limit(opened: Opened) -> None:
    journal = opened()
    sizes = []
    for number in range(1, 400, 4):
        fill(journal, 4, number)
        sizes.append(journal.size_bytes)
    assert max(sizes) <= LIMIT
    assert max(sizes) > 0.85 * LIMIT, "room is left unused"
    left = seconds(journal)
    assert left == list(range(left[0], 401)), "the oldest go first"
    assert left[0] > 1


def test_what_was_evicted_is_no_damage(opened: Opened) -> None:
    journal = opened()
    journal.append(event(0))
    fill(journal, 300)
    assert journal.floor > 50
    assert [e for _, e in journal.read() if isinstance(e, DamagedRecord)] == []
    assert [e.body["n"] for _, e in journal.read(kinds=[EventRecord])] == [0]


def test_what_is_lost_beyond_the_floor_is_damage_all_the_same(opened: Opened, path: Path) -> None:
    journal = opened()
    fill(journal, 300)
    lost = journal.committed - 5
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM record WHERE position = ?", (lost,))
    connection.close()
    damaged = [e for _, e in journal.read() if isinstance(e, DamagedRecord)]
    assert damaged == [DamagedRecord(lost, f"positions {lost} to {lost} are missing")]


def test_raw_goes_before_scores_before_summaries_before_events(opened: Opened) -> None:
    journal = opened()
    for make in (scores, summaries, noise):
        put(journal, [make(number) for number in range(60)])
    put(journal, [event(number, 18_000) for number in range(60)])
    held = {kind: journal.holds(kind) for kind in Kind}
    evicted = [held[kind].evicted_records for kind in Kind]
    assert evicted[0] == 60
    assert 0 < evicted[1] < 60
    assert evicted[2:] == [0, 0]
    put(journal, [event(number, 18_000) for number in range(60, 260)])
    held = {kind: journal.holds(kind) for kind in Kind}
    assert [held[kind].records for kind in (Kind.SAMPLES, Kind.SCORES, Kind.SUMMARIES)] == [0, 0, 0]
    assert held[Kind.EVENT].evicted_records > 0
    assert journal.size_bytes <= LIMIT


def test_counts_are_those_of_the_file(opened: Opened) -> None:
    journal = opened()
    for number in range(0, 160, 2):
        both = number, number + 1
        journal.append(*(make(one) for one in both for make in (noise, scores, event)))
        journal.commit_now()
    entries = [entry for _, entry in journal.read()]
    samples = [entry for entry in entries if isinstance(entry, SampleRecord)]
    held = journal.holds(Kind.SAMPLES)
    assert held.records == len(samples)
    assert held.samples == journal.samples == sum(len(record.batch) for record in samples)
    assert held.records + held.evicted_records == 160
    assert held.evicted_samples == 2000 * held.evicted_records > 0
    assert journal.holds(Kind.EVENT).records == 160
    again = opened()
    assert [again.holds(kind) for kind in Kind] == [journal.holds(kind) for kind in Kind]


def test_nothing_is_told_of_what_every_reader_had(opened: Opened) -> None:
    journal = opened()
    for number in range(1, 250, 5):
        fill(journal, 5, number)
        journal.advance("influx", journal.committed)
    assert journal.holds(Kind.SAMPLES).evicted_records > 0
    assert journal.holds(Kind.SAMPLES).unsent_records == 0
    assert list(journal.read(kinds=[EventRecord])) == []


def test_what_goes_unsent_is_counted_and_told(opened: Opened) -> None:
    journal = opened()
    fill(journal, 50)
    journal.advance("influx", 50)
    journal.advance("live", 30)
    fill(journal, 250, 51)
    journal.append(event(1))
    journal.commit_now()
    told = [e.body for _, e in journal.read(kinds=[EventRecord]) if e.kind == "evicted"]
    held = journal.holds(Kind.SAMPLES)
    assert told == [event.body for event in journal.news()]
    assert {body["why"] for body in told} == {"the journal is as large as it may be"}
    lost = [body["unsent"] for body in told]
    influx = [one["influx"] for one in lost if "influx" in one]
    assert sum(one["samples"] for one in influx) == 2000 * (held.evicted_records - 50)
    assert sum(one["live"]["records"] for one in lost) == held.evicted_records - 30
    assert held.unsent_records == held.evicted_records - 30
    assert influx[0]["start"] == 51 * SECOND
    assert influx[-1]["stop"] == (seconds(journal)[0] - 1) * SECOND
    assert len(told) < 50, "told in stretches, not at each commit"


def test_evictions_that_no_event_told_yet_are_told_after_a_kill(opened: Opened, path: Path) -> None:
    journal = opened()
    journal.append(noise(1))
    journal.commit_now()
    journal.advance("influx", 1)
    number = 1
    while not journal.holds(Kind.SAMPLES).unsent_records:
        number += 5
        fill(journal, 5, number)
    lost = journal.holds(Kind.SAMPLES).unsent_samples
    assert list(journal.read(kinds=[EventRecord])) == []
    again = opened()
    again.append(event(2))
    again.commit_now()
    [(_, told), _] = sorted(again.read(kinds=[EventRecord]), key=lambda one: one[1].kind)
    assert told.body["unsent"]["influx"]["samples"] == lost
    assert list(map(str, again._writer.execute("SELECT * FROM untold"))) == []


def pinned(journal: Journal, start: int, stop: int) -> None:
    body = {"asset": ASSET, "start": start * SECOND, "stop": stop * SECOND}
    journal.append(EventRecord("pin", stop * SECOND, body))
    journal.commit_now()


@pytest.mark.parametrize("reopened", [False, True])
def test_pinned_windows_stay_while_the_rest_goes(opened: Opened, reopened: bool) -> None:
    journal = opened()
    journal.register([TAG], 0)
    fill(journal, 20)
    pinned(journal, 5, 9)
    pinned(journal, 8, 12)
    for number in range(5, 9):
        journal.append(noise(number, source="elsewhere"))
    journal = opened() if reopened else journal
    fill(journal, 250, 21)
    assert seconds(journal)[:8] == list(range(5, 13))
    assert seconds(journal)[8] > 50
    assert [e for _, e in journal.read() if isinstance(e, DamagedRecord)] == []


def test_pins_go_before_events_when_nothing_else_is_left(opened: Opened) -> None:
    journal = opened()
    journal.register([TAG], 0)
    fill(journal, 20)
    pinned(journal, 1, 20)
    put(journal, [event(number, 18_000) for number in range(1000, 1200)])
    assert seconds(journal) == []
    assert journal.holds(Kind.SAMPLES).evicted_records == 20
    assert journal.holds(Kind.EVENT).evicted_records > 0
    assert journal.size_bytes <= LIMIT


def test_pins_hold_no_more_than_half(opened: Opened) -> None:
    journal = opened()
    journal.register([TAG], 0)
    fill(journal, 1)
    pinned(journal, 0, 10_000)
    fill(journal, 300, 2)
    left = seconds(journal)
    assert left[-1] == 301
    kept = np.diff(left) == 1
    assert kept.all(), "the oldest pins went, and only they"
    assert journal.size_bytes <= LIMIT


def test_what_a_fold_still_needs_stays(opened: Opened) -> None:
    journal = opened()
    fill(journal, 10)
    journal.save_snapshot("fold-1", 10, {"n": np.array(10)})
    fill(journal, 250, 11)
    assert seconds(journal) == list(range(11, 261)), "the limit waits, not the fold"
    assert journal.cramped
    for _ in range(2):
        journal.save_snapshot("fold-1", journal.committed, {"n": np.array(260)})
        fill(journal, 2, 261)
    fill(journal, 2, 265)
    assert not journal.cramped
    assert journal.holds(Kind.SAMPLES).evicted_records > 50


def test_a_snapshot_of_an_older_format_does_not_hold_up_eviction(opened: Opened) -> None:
    journal = opened()
    fill(journal, 10)
    journal.save_snapshot("fold-1", 5, {"n": np.array(5)})
    journal.save_snapshot("other", 10, {"n": np.array(10)})
    journal.commit_now()
    for _ in range(2):
        journal.save_snapshot("fold-2", 10, {"n": np.array(10)})
    journal.commit_now()
    assert journal.load_snapshot("fold-1") is None
    assert journal.load_snapshot("other") is not None


def test_a_snapshot_that_nobody_keeps_up_holds_for_a_while_only(
    opened: Opened,
) -> None:
    journal = opened()
    fill(journal, 10)
    journal.save_snapshot("gone", 5, {"n": np.array(5)})
    journal.commit_now()
    again = opened()
    for _ in range(2):
        again.save_snapshot("fold-1", 10, {"n": np.array(10)})
    fill(again, 200, 11)
    assert seconds(again)[0] == 6
    again._opened -= 2000
    fill(again, 1, 211)
    assert seconds(again)[0] == 11


def test_a_lower_limit_is_reached_in_steps(opened: Opened) -> None:
    journal = opened(max_bytes=10 * MB)
    fill(journal, 450)
    assert journal.size_bytes > 7 * MB
    again = opened()
    held = again.holds(Kind.SAMPLES).bytes
    fill(again, 10, 451)
    assert again.holds(Kind.SAMPLES).bytes < LIMIT < held
    larger = again.size_bytes
    fill(again, 150, 461)
    assert again.size_bytes < larger - MB, "the disk gets it back"
    assert seconds(again)[-100:] == list(range(511, 611))


@pytest.mark.parametrize(("hours", "left"), [(2, 4), (3, 6), (100, 10)])
def test_raw_samples_and_scores_go_by_age(
    opened: Opened, hours: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000 * SECOND
    monkeypatch.setattr(room_module, "AGED_S", 0.0)
    journal = opened(max_bytes=100 * MB, max_age_ns=hours * 3600 * SECOND)
    monkeypatch.setattr(journal._room.marks, "now", lambda: now)
    for number in range(10):
        now += 1800 * SECOND
        journal.append(noise(number, 10), scores(number, 10), event(number), summaries(number, 9))
        journal.commit_now()
    assert seconds(journal) == seconds(journal, ScoreRecord) == list(range(10))[-left:]
    assert len(seconds(journal, EventRecord)) == len(seconds(journal, SummaryRecord)) == 10


def test_a_clock_that_is_set_makes_nothing_old(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "AGED_S", 0.0)
    journal = opened(max_age_ns=3600 * SECOND)
    fill(journal, 3)
    monkeypatch.setattr("time.time_ns", lambda: 4_000_000_000 * SECOND)
    fill(journal, 3, 4)
    assert seconds(journal) == [1, 2, 3, 4, 5, 6]


def test_positions_are_never_used_again(opened: Opened) -> None:
    journal = opened()
    fill(journal, 3)
    big = [event(number, 900_000) for number in range(8)]
    for one in big:
        journal.append(one)
        journal.commit_now()
    last = journal.committed
    journal._writer.execute("DELETE FROM record")
    journal._writer.execute("DELETE FROM floor")
    journal._writer.execute("UPDATE total SET records = 0, samples = 0, bytes = 0")
    journal._writer.execute("INSERT INTO floor VALUES (1, ?, 0)", (last,))
    file.seal(journal._writer, "floor")
    assert opened().committed == last


def test_a_reader_that_is_no_more_is_forgotten(opened: Opened) -> None:
    journal = opened()
    fill(journal, 10)
    journal.advance("influx", 5)
    journal.advance("gone", 3)
    journal.commit_now()
    journal.advance("gone", 4)
    journal.forget("gone")
    fill(journal, 200, 11)
    told = [e.body["unsent"] for _, e in journal.read(kinds=[EventRecord]) if e.kind == "evicted"]
    assert {name for unsent in told for name in unsent} == {"influx"}
    again = opened()
    assert (again.cursor("gone"), again.cursor("influx")) == (0, 5)


def test_a_journal_of_format_1_is_brought_up(path: Path) -> None:
    Journal.open(path).close()
    connection = sqlite3.connect(path)
    for table in ("total", "floor", "mark", "untold"):
        connection.execute(f"DROP TABLE {table}")
    for name in ("tag_again", "about_again"):
        connection.execute(f"DROP INDEX {name}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    journal = Journal.open(path)
    fill(journal, 4)
    journal.close()
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TABLE total; DROP TABLE floor; DROP TABLE mark; DROP TABLE untold;"
        "DROP INDEX tag_again; DROP INDEX about_again; PRAGMA user_version = 1;"
    )
    (size,) = connection.execute("SELECT sum(length(body)) FROM record").fetchone()
    connection.close()
    journal = Journal.open(path, Limits(max_bytes=LIMIT))
    held = journal.holds(Kind.SAMPLES)
    assert (held.records, held.samples, held.bytes) == (4, 8000, size)
    assert seconds(journal) == [1, 2, 3, 4]
    journal.close()
