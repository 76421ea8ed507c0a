"""What goes unsent is counted for whoever would have had it, and for nobody else."""

from pathlib import Path

import pytest

from gateway.journal import (
    PINNED,
    EventRecord,
    Journal,
    Kind,
    Record,
    SampleRecord,
    ScoreRecord,
    SummaryRecord,
    Takes,
    file,
    index,
)
from gateway.journal import room as room_module
from gateway.journal.limits import Level
from gateway.journal.readers import Reader, takes_from
from plant.summaries import HOUR, LENGTHS, MINUTE, TEN_SECONDS
from tests.gateway.journal.test_limits import (
    LIMIT,
    SECOND,
    TAG,
    Opened,
    event,
    fill,
    noise,
    opened,
    pinned,
    put,
    scores,
    summaries,
)

__all__ = ["opened"]
"""A fixture of the limits' own tests."""
INFLUX = Takes.of((SummaryRecord, ScoreRecord, EventRecord), (MINUTE, HOUR))
HISTORY = Takes.of((SummaryRecord,))
EVERYTHING = Takes.of((SummaryRecord, ScoreRecord, EventRecord, SampleRecord))


def missed(journal: Journal) -> dict[str, int]:
    """Records that each reader missed, as the journal's events tell it."""
    journal.append(event(10**6))
    journal.commit_now()
    found: dict[str, int] = {}
    for _, one in journal.read(kinds=[EventRecord]):
        for name, tally in one.body.get("unsent", {}).items():  # type: ignore[union-attr]
            found[name] = found.get(name, 0) + tally["records"]
    return found


@pytest.mark.parametrize("reopened", [False, True])
def test_raw_samples_are_missed_by_those_who_take_them(opened: Opened, reopened: bool) -> None:
    journal = opened()
    journal.enrol("influx", INFLUX)
    journal.enrol("history", HISTORY)
    journal.enrol("pins", PINNED)
    journal.enrol("hours", Takes.of((SummaryRecord,), (MINUTE,)))
    journal.enrol("raw", EVERYTHING)
    journal.enrol("summaries", Takes.of((SampleRecord,)))
    journal = opened() if reopened else journal
    fill(journal, 250)
    evicted = journal.holds(Kind.SAMPLES).evicted_records
    assert missed(journal) == {"raw": evicted, "summaries": evicted}
    assert journal.holds(Kind.SAMPLES).unsent_records == evicted > 0


def test_nobody_misses_what_nobody_takes(opened: Opened) -> None:
    journal = opened()
    journal.enrol("influx", INFLUX)
    journal.enrol("pins", PINNED)
    fill(journal, 250)
    assert missed(journal) == {}
    assert journal.holds(Kind.SAMPLES).evicted_records > 0
    assert journal.holds(Kind.SAMPLES).unsent_records == 0


def test_of_a_reader_that_never_said_what_it_takes_everything_counts(opened: Opened) -> None:
    journal = opened()
    journal.advance("stranger", 0)
    fill(journal, 250)
    assert missed(journal) == {"stranger": journal.holds(Kind.SAMPLES).evicted_records}


def of_length(number: int, every: int) -> SummaryRecord:
    made = summaries(number)
    columns = [column for _, column, _ in made.columns()]
    columns[1] = columns[1] // every * every
    return SummaryRecord("line", every, *columns)


def test_windows_are_missed_by_their_length(opened: Opened) -> None:
    journal = opened()
    journal.enrol("influx", INFLUX)
    journal.enrol("history", HISTORY)
    journal.enrol("summaries-1m", Takes.of((SummaryRecord,), (TEN_SECONDS,)))
    made: list[Record] = [of_length(n, (TEN_SECONDS, MINUTE)[n % 2]) for n in range(300)]
    put(journal, made)
    evicted = journal.holds(Kind.SUMMARIES).evicted_records
    found = missed(journal)
    assert found["history"] == evicted > 10
    assert found["influx"] + found["summaries-1m"] == evicted
    assert found["influx"] == pytest.approx(evicted / 2, abs=1)
    assert journal.behind("history") == 300 - evicted
    assert journal.behind("influx") == 150 - found["influx"] + journal.holds(Kind.EVENT).records


def test_pinned_samples_are_missed_by_who_was_not_past_the_pin(opened: Opened) -> None:
    journal = opened()
    journal.register([TAG], 0)
    journal.enrol("history", HISTORY)
    journal.enrol("pins:had", PINNED)
    journal.enrol("pins:lacks", PINNED)
    fill(journal, 20)
    pinned(journal, 1, 20)
    journal.advance("pins:had", 21)
    # It has looked at all positions, and waits for a pin that comes after the samples.
    journal.advance("pins:lacks", 20)
    put(journal, [event(number, 18_000) for number in range(1000, 1150)])
    assert journal.holds(Kind.SAMPLES).evicted_records == 20
    assert missed(journal) == {"pins:lacks": 20}


def test_what_is_behind_is_what_it_takes(path: Path) -> None:
    journal = Journal.open(path)
    journal.enrol("influx", INFLUX)
    journal.enrol("history", HISTORY)
    journal.append(noise(1), scores(1), event(1))
    journal.append(*(of_length(n, every) for n, every in enumerate(LENGTHS)))
    journal.commit_now()
    assert (journal.behind("influx"), journal.behind("history")) == (4, 3)
    journal.advance("influx", 4)
    assert (journal.behind("influx"), journal.behind("nobody")) == (2, 6)
    journal.close()
    again = Journal.open(path)
    assert (again.behind("influx"), again.behind("history")) == (2, 3)
    again.forget("influx")
    assert again.behind("influx") == 6
    again.close()


def test_who_is_enrolled_once_more_keeps_the_place(path: Path) -> None:
    journal = Journal.open(path)
    journal.append(event(1), event(2))
    journal.commit_now()
    journal.advance("influx", 1)
    journal.enrol("influx", INFLUX)
    journal.enrol("influx", HISTORY)
    assert journal.cursor("influx") == 1
    assert journal.behind("influx") == 0
    journal.close()


@pytest.mark.parametrize("takes", [INFLUX, HISTORY, PINNED, EVERYTHING, Takes()])
def test_what_a_reader_takes_is_read_back(takes: Takes) -> None:
    assert takes_from(takes.text()) == takes


def test_a_record_of_several_windows_counts_for_all() -> None:
    reader = Reader(0, INFLUX)
    assert reader.misses(Level.SUMMARIES, 1, 7 * MINUTE, 0)
    assert not reader.misses(Level.SUMMARIES, 1, TEN_SECONDS, 0)


def test_up_to_when_something_went_is_known_though_everybody_had_it(
    opened: Opened, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened()
    fill(journal, 250)
    assert missed(journal) == {}
    left = next(iter(journal.read(kinds=[SampleRecord])))[1]
    assert isinstance(left, SampleRecord)
    with file.reader(path) as connection:
        gone = index.gone(connection, Kind.SAMPLES)
        never = index.gone(connection, Kind.SUMMARIES)
    assert gone == left.batch.at[0] - SECOND + 1
    assert never < -(2**60)
    monkeypatch.setattr(room_module, "AHEAD_NS", 10**19 // 2)
    fill(journal, 100, 251)
    with file.reader(path) as connection:
        assert index.gone(connection, Kind.SAMPLES) == gone, "a time ahead of ours is not believed"
    assert journal.size_bytes <= LIMIT
