"""Append, commit, read: what went in comes out, in order, and a failed commit loses nothing."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.journal import (
    EventRecord,
    Journal,
    Record,
    SampleRecord,
    ScoreRecord,
    SummaryRecord,
    space,
)
from plant.errors import Rejected, Unreachable
from plant.samples import NO_TIME, Batch, ContextEvent, Recovery

Samples = Callable[..., SampleRecord]
SCORES = ScoreRecord(
    "site/a/l/pump-2",
    np.array([5, 6]),
    np.array([0.1, np.nan]),
    np.array([1.0, 1.0]),
    np.array([0, 3], np.uint8),
)
EVENT = EventRecord("alarm", 7, {"action": "raise", "share": 0.71, "note": "Ventil schließt"})


def _fields(batch: Batch) -> dict[str, Any]:
    return {
        name: value.tobytes() if isinstance(value, np.ndarray) else value
        for name, value in asdict(batch).items()
    }


@pytest.mark.parametrize("recovered", list(Recovery))
@pytest.mark.parametrize(
    "served",
    [None, np.array([-5, NO_TIME, 2**62 + 7]), np.array([NO_TIME] * 3)],
    ids=["no such time", "some", "none given"],
)
def test_a_batch_comes_back_whole(
    journal: Journal, recovered: Recovery, served: NDArray[np.int64] | None
) -> None:
    batch = Batch(
        source="presse",
        tag=np.array([3, 1, 3], np.int32),
        at=np.array([-5, 7, 2**62]),
        value=np.array([np.nan, -0.0, 5e-324]),
        status=np.array([0x80050000, 0, 0x40900000], np.uint32),
        upto=2**62,
        received=12,
        heard=34,
        stamped=True,
        replayed=True,
        recovered=recovered,
        served=served,
        context=(ContextEvent(9, 11, "Rezept „Ä“ \ud800", 2),),
    )
    verdict = np.array([64, 0, 255], np.uint8)
    journal.append(SampleRecord(batch, verdict))
    journal.commit_now()
    [(position, back)] = journal.read()
    assert position == 1
    assert _fields(back.batch) == _fields(batch)
    assert back.verdict.tolist() == verdict.tolist()


def test_a_batch_without_samples_keeps_its_watermark(journal: Journal, samples: Samples) -> None:
    journal.append(samples(4, n=1))
    empty = samples(4, n=1).batch
    quiet = Batch("line", empty.tag[:0], empty.at[:0], empty.value[:0], empty.status[:0], 9, 8, 7)
    journal.append(SampleRecord(quiet, np.empty(0, np.uint8)))
    journal.commit_now()
    [(_, back)] = journal.read(after=1)
    assert (len(back.batch), back.batch.upto, back.batch.heard) == (0, 9, 7)


def test_scores_and_events_come_back(journal: Journal) -> None:
    journal.append(SCORES)
    journal.append(EVENT)
    journal.commit_now()
    (_, scores), (_, event) = journal.read()
    assert scores.asset == SCORES.asset
    assert scores.at.tolist() == [5, 6]
    assert scores.score.tobytes() == SCORES.score.tobytes()
    assert scores.threshold.tolist() == [1.0, 1.0]
    assert scores.flags.tolist() == [0, 3]
    assert event == EVENT


def summaries(n: int = 2) -> SummaryRecord:
    counts = np.arange(n, dtype=np.uint32)
    values = [np.full(n, value) for value in (-0.0, np.inf, 0.1, np.nan, 5e-324, -1.5)]
    starts = np.arange(n) * 60 * 10**9
    return SummaryRecord(
        "plc", 60 * 10**9, np.arange(n, dtype=np.int32), starts, counts, counts, *values
    )


@pytest.mark.parametrize("n", [1, 3])
def test_summaries_come_back_to_the_bit(journal: Journal, n: int) -> None:
    journal.append(summaries(n))
    journal.commit_now()
    [(_, back)] = journal.read(kinds=[SummaryRecord])
    assert (back.source, back.every, len(back)) == ("plc", 60 * 10**9, n)
    for (_, ours, _), (_, theirs, _) in zip(summaries(n).columns(), back.columns(), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert journal.samples == 0


def test_reading_selects_by_position_and_kind(journal: Journal, samples: Samples) -> None:
    for record in (samples(1), EVENT, SCORES, samples(2), EVENT):
        journal.append(record)
    journal.commit_now()
    assert [p for p, _ in journal.read(after=1, upto=4)] == [2, 3, 4]
    assert [p for p, _ in journal.read(kinds=[EventRecord])] == [2, 5]
    assert [p for p, _ in journal.read(kinds=[SampleRecord, ScoreRecord], after=1)] == [3, 4]
    assert list(journal.read(kinds=[])) == []


def test_a_long_journal_is_read_in_pages(journal: Journal, samples: Samples) -> None:
    for number in range(1, 701):
        journal.append(samples(number, n=1))
    journal.commit_now()
    values = [round(record.batch.value[0] - 0.01) for _, record in journal.read()]
    assert values == list(range(1, 701))


def test_only_committed_records_are_read(journal: Journal, samples: Samples) -> None:
    assert journal.append(samples(1)) == 1
    assert list(journal.read()) == []
    assert (journal.pending, journal.committed, journal.samples) == (5, 0, 0)
    assert journal.commit_now() == 1
    assert (journal.pending, journal.committed, journal.samples) == (0, 1, 5)
    assert len(list(journal.read())) == 1


def test_appends_during_a_commit_go_with_the_next(journal: Journal, samples: Samples) -> None:
    async def story() -> tuple[list[int], int]:
        journal.append(samples(1))
        first = asyncio.ensure_future(journal.commit())
        positions = [journal.append(samples(number)) for number in range(2, 50)]
        await first
        return positions, await journal.commit()

    positions, committed = asyncio.run(story())
    assert positions == list(range(2, 50))
    assert committed == 49
    assert [record.batch.received for _, record in journal.read()] == list(range(1, 50))


def test_commits_at_once_do_not_mix(journal: Journal, samples: Samples) -> None:
    async def story() -> int:
        commits = []
        for number in range(1, 30):
            journal.append(samples(number))
            commits.append(asyncio.ensure_future(journal.commit()))
        return max(await asyncio.gather(*commits))

    assert asyncio.run(story()) == 29
    assert [record.batch.received for _, record in journal.read()] == list(range(1, 30))


def test_a_full_disk_loses_nothing(
    journal: Journal, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "LOOK_S", 0.0)
    journal.append(samples(1))
    journal.commit_now()
    (pages,) = journal._writer.execute("PRAGMA page_count").fetchone()
    journal._writer.execute(f"PRAGMA max_page_count = {pages}")
    noise = np.random.default_rng(0).normal(size=2000)
    tag = np.arange(2000, dtype=np.int32)
    batch = Batch("new", tag, np.arange(2000), noise, np.zeros(2000, np.uint32), 2000, 2, 2)
    journal.append(SampleRecord(batch, np.zeros(2000, np.uint8)))
    journal.advance("sink", 1)
    with pytest.raises(Unreachable, match="the disk is full"):
        journal.commit_now()
    assert journal.append(samples(3)) == 4, "between them stands the event that tells of it"
    assert (journal.pending, journal.committed) == (2005, 1)
    journal._writer.execute("PRAGMA max_page_count = 1000000")
    assert journal.commit_now() >= 4
    kept = [record.batch.source for _, record in journal.read(kinds=[SampleRecord])]
    assert kept == ["line", "new", "line"]
    assert [event.body["full"] for event in journal.news()] == [True, False]
    assert len(journal.trend(1999, 0, 10_000, 10).at) == 1


def test_what_a_commit_could_not_keep_stays_before_what_came_meanwhile(
    journal: Journal, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_records: object) -> None:
        journal.append(samples(2))
        raise Unreachable("the disk does not answer")

    journal.append(samples(1))
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(journal, "_insert", failing)
        with pytest.raises(Unreachable):
            journal.commit_now()
    assert journal.commit_now() == 2
    assert [record.batch.received for _, record in journal.read()] == [1, 2]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (EventRecord("note", 1, {"at": object()}), "text of note is not JSON"),
        (EventRecord("note", 1, {"text": "x" * 1_100_000}), "at most 1048576"),
    ],
)
def test_what_cannot_be_encoded_is_refused_at_once(
    journal: Journal, record: Record, message: str
) -> None:
    with pytest.raises(Rejected, match=message):
        journal.append(record)
    journal.append(EVENT)
    assert journal.commit_now() == 1


def test_columns_that_do_not_fit_are_refused(samples: Samples) -> None:
    with pytest.raises(Rejected, match="column verdict is uint8"):
        SampleRecord(samples(1).batch, np.zeros(4, np.uint8))
    with pytest.raises(Rejected, match="scores of p: column score"):
        ScoreRecord("p", SCORES.at, SCORES.score[:1], SCORES.threshold, SCORES.flags)
    with pytest.raises(Rejected, match="summaries of plc: column mean"):
        replace(summaries(), mean=np.zeros(3))


def test_a_reopened_journal_goes_on(path: Path, samples: Samples) -> None:
    journal = Journal.open(path)
    own = journal.gateway_id
    journal.append(samples(1))
    journal.close()
    journal.close()
    again = Journal.open(path)
    assert again.gateway_id == own
    assert (again.committed, again.samples) == (1, 5)
    assert again.append(samples(2)) == 2
    again.close()
    assert path.stat().st_size > 0


def test_a_cursor_only_moves_forward_and_is_kept(path: Path, samples: Samples) -> None:
    journal = Journal.open(path)
    assert journal.cursor("influx") == 0
    for number in (1, 2, 3):
        journal.append(samples(number))
    journal.commit_now()
    journal.advance("influx", 2)
    journal.advance("influx", 2)
    with pytest.raises(Rejected, match="from 2 to 1"):
        journal.advance("influx", 1)
    with pytest.raises(Rejected, match="last committed record is 3"):
        journal.advance("influx", 4)
    journal.close()
    again = Journal.open(path)
    assert again.cursor("influx") == 2
    again.close()


def test_the_newest_snapshot_is_given(path: Path, samples: Samples) -> None:
    journal = Journal.open(path)
    assert journal.load_snapshot("watch") is None
    for number in (1, 2, 3):
        position = journal.append(samples(number))
        journal.save_snapshot("watch", position, {"mean": np.full(3, float(number))})
        journal.commit_now()
    journal.close()
    again = Journal.open(path)
    position, arrays = again.load_snapshot("watch")
    assert (position, arrays["mean"].tolist()) == (3, [3, 3, 3])
    again.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT position FROM snapshot").fetchall() == [(2,), (3,)]
    connection.close()


def test_a_snapshot_ahead_of_the_log_is_refused(journal: Journal) -> None:
    with pytest.raises(Rejected, match="position 1, the last is 0"):
        journal.save_snapshot("watch", 1, {})


def test_a_snapshot_is_durable_only_with_its_records(journal: Journal, samples: Samples) -> None:
    position = journal.append(samples(1))
    journal.save_snapshot("watch", position, {"n": np.array(1)})
    assert journal.load_snapshot("watch") is None
    journal.commit_now()
    assert journal.load_snapshot("watch")[0] == 1


def test_its_size_is_told(journal: Journal, samples: Samples) -> None:
    journal.append(samples(1, n=1000))
    before = journal.size_bytes
    journal.commit_now()
    assert journal.size_bytes > before


def test_records_that_belong_together_go_with_one_commit_or_not_at_all(
    journal: Journal, samples: Samples
) -> None:
    assert journal.append(samples(1), SCORES, EVENT) == 3
    with pytest.raises(Rejected, match="at most"):
        journal.append(samples(2), EventRecord("context", 1, {"text": "x" * (1 << 20)}))
    assert (journal.commit_now(), journal.pending) == (3, 0)


def test_snapshots_do_not_pile_up_while_the_disk_is_full(
    journal: Journal, samples: Samples
) -> None:
    journal.append(samples(1))
    for number in range(50):
        journal.save_snapshot("watch", 1, {"n": np.array(number)})
    assert len(journal._snapshots) == 2
    journal.commit_now()
    found = journal.load_snapshot("watch")
    assert found is not None
    assert int(found[1]["n"]) == 49


def test_a_disk_that_stays_full_to_the_end_says_what_is_lost(path: Path, samples: Samples) -> None:
    journal = Journal.open(path)
    journal.append(samples(1))
    journal.commit_now()
    (pages,) = journal._writer.execute("PRAGMA page_count").fetchone()
    journal._writer.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(100):
        journal.append(samples(number, n=50))
    with pytest.raises(Unreachable, match=r"ended with 5000 samples that are not on disk: .*full"):
        journal.close()
    again = Journal.open(path)
    assert (again.committed, again.samples) == (1, 5)
    again.close()
