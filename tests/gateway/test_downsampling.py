"""What a gateway makes of its journal equals what anybody reckons from the same samples."""

import math
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.summaries import merged, summarise
from gateway import downsampling
from gateway.downsampling import CURSORS, Downsampler
from gateway.journal import (
    EventRecord,
    Journal,
    Kind,
    Limits,
    SampleRecord,
    SummaryRecord,
    index,
    room,
)
from plant.records import joined
from plant.samples import Batch, Recovery
from plant.summaries import HOUR, LENGTHS, MINUTE, TEN_SECONDS
from tests.patience import FULL

SECOND = 10**9
START = 1_700_000_000 * SECOND // HOUR * HOUR
Sample = tuple[int, int, float, int]


def record(rows: list[Sample], source: str = "line", upto: int = 0) -> SampleRecord:
    """Make a record of tag, tenth of a second after START, value, status."""
    tag, at, value, status = zip(*rows, strict=True) if rows else ((), (), (), ())
    times = START + np.array(at, np.int64) * (SECOND // 10)
    batch = Batch(
        source,
        np.array(tag, np.int32),
        times,
        np.array(value, np.float64),
        np.array(status, np.uint32),
        upto=upto or int(times.max(initial=START)),
        received=1,
        heard=1,
    )
    return SampleRecord(batch, np.zeros(len(rows), np.uint8))


@dataclass
class Bench:
    """A journal, a downsampler over it, and a clock that is moved by hand."""

    journal: Journal
    now: float = 0.0
    steps: int = 0
    maker: Downsampler = field(init=False)

    def __post_init__(self) -> None:
        # Nobody cuts the power here, and a test of many commits waits for the disk for minutes.
        self.journal._writer.execute("PRAGMA synchronous = OFF")
        self.restart()

    def restart(self) -> None:
        """Forget everything that was only in memory."""
        self.maker = Downsampler(self.journal, lambda: self.now)

    def keep(self, *records: Any) -> None:
        self.journal.append(*records)
        self.journal.commit_now()

    def step(self, after: float = 1.0) -> list[SummaryRecord]:
        self.now += after
        made = self.maker.step()
        self.keep(*made.records)
        for name, position in made.cursors.items():
            self.journal.advance(name, position)
        self.journal.commit_now()
        self.steps += 1
        return made.records

    def lost_step(self) -> None:
        """Make, and be killed before anything of it is on disk."""
        self.now += 1
        self.maker.step()
        self.restart()

    def half_kept_step(self) -> None:
        """Make, and be killed after the records and before the cursors are on disk."""
        self.now += 1
        self.keep(*self.maker.step().records)
        self.restart()

    def settle(self) -> None:
        """Let time pass until nothing more is made."""
        for _ in range(7):
            self.step(700.0)

    def said(self) -> dict[tuple[str, int], list[bytes]]:
        """What the journal says of each source and length, as it was said last."""
        found: dict[tuple[str, int], list[SummaryRecord]] = {}
        for _, entry in self.journal.read(kinds={SummaryRecord}):
            assert isinstance(entry, SummaryRecord)
            found.setdefault((entry.source, entry.every), []).append(entry)
        return {key: bits(joined(records).latest()) for key, records in found.items()}


def bits(one: SummaryRecord) -> list[bytes]:
    return [column.tobytes() for _, column, _ in one.columns()]


def offline(records: list[SampleRecord]) -> dict[tuple[str, int], list[bytes]]:
    """Reckon everything at once from all samples."""
    found = {}
    for source in {one.batch.source for one in records if len(one.batch)}:
        batches = [one.batch for one in records if one.batch.source == source]
        names = ("tag", "at", "value", "status")
        columns = [np.concatenate([getattr(batch, n) for batch in batches]) for n in names]
        tens = summarise(source, TEN_SECONDS, *columns)
        minutes = merged(tens, MINUTE)
        for made in (tens, minutes, merged(minutes, HOUR)):
            found[source, made.every] = bits(made)
    return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    journal = Journal.open(tmp_path / "journal.db")
    yield Bench(journal)
    journal.close()


def second(number: int, tags: int = 3) -> SampleRecord:
    """One scan a second, as a plant sends it."""
    return record([(tag, number * 10, number + tag / 7, 0) for tag in range(tags)])


def test_windows_are_made_once_each_as_time_passes(bench: Bench) -> None:
    made = []
    for number in range(0, 3700, 10):
        bench.keep(*map(second, range(number, number + 10)))
        made += bench.step(10.0)
    counted = {every: sum(one.every == every for one in made) for every in LENGTHS}

    assert counted == {TEN_SECONDS: 369, MINUTE: 61, HOUR: 1}
    assert all(len(set(one.start.tolist())) == 1 for one in made)


def test_a_window_waits_for_the_watermark_and_a_grace(bench: Bench) -> None:
    bench.keep(second(0), second(9))
    assert bench.step() == []
    bench.keep(second(11))
    assert bench.step(11.0) == []
    bench.keep(second(12))
    assert [one.every for one in bench.step()] == [TEN_SECONDS]


def test_a_source_that_falls_silent_is_not_waited_for(bench: Bench) -> None:
    bench.keep(second(3))
    assert bench.step() == []
    bench.settle()

    assert bench.said() == offline([second(3)])


def test_late_data_make_the_window_anew(bench: Bench) -> None:
    records = [second(number) for number in range(130)]
    bench.keep(*records)
    bench.settle()
    late = record([(0, 55, 99.0, 0), (2, 61, math.nan, 0x80000000)])
    bench.keep(late)
    bench.settle()

    assert bench.said() == offline([*records, late])


def test_what_fills_a_gap_counts(bench: Bench) -> None:
    records = [second(number) for number in (*range(30), *range(90, 120))]
    bench.keep(*records)
    bench.settle()
    batch = record([(0, number * 10, 1.0, 0) for number in range(30, 90)]).batch
    fields = {name: getattr(batch, name) for name in ("tag", "at", "value", "status", "upto")}
    filled = Batch("line", **fields, received=1, heard=1, replayed=True, recovered=Recovery.HISTORY)
    fill = SampleRecord(filled, np.zeros(60, np.uint8))
    bench.keep(fill)
    bench.settle()

    assert bench.said() == offline([*records, fill])


def test_a_record_that_spans_hours_touches_only_the_windows_it_holds(bench: Bench) -> None:
    wide = record([(0, -900_000, 1.0, 0), (1, -5, 2.0, 0), (2, 900_000, 4.0, 0)])
    near = [second(number) for number in range(40)]
    bench.keep(*near)
    bench.step()
    bench.keep(wide)
    bench.settle()

    assert bench.said() == offline([wide, *near])


def test_a_wide_record_is_found_again_after_a_restart(bench: Bench) -> None:
    wide = record([(0, 5, 1.0, 0), (1, 90_000, 2.0, 0)])
    bench.keep(wide)
    bench.settle()
    bench.restart()
    late = record([(2, 7, 3.0, 0)])
    bench.keep(late)
    bench.settle()

    assert bench.said() == offline([wide, late])


def test_a_clock_that_ran_ahead_does_not_make_windows_again_and_again(bench: Bench) -> None:
    ahead = record([(9, 36_000_000, 1.0, 0)])
    records = [second(number) for number in range(60)]
    made = []
    for one in records:
        bench.keep(one, ahead)
        made += bench.step()
    tens = [one for one in made if one.every == TEN_SECONDS and one.start[0] < START + HOUR]

    assert len(tens) <= 12
    bench.settle()
    assert bench.said() == offline([*records, ahead])


def test_small_budgets_change_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downsampling, "BUDGET", 20)
    monkeypatch.setattr(downsampling, "ROWS", 7)
    monkeypatch.setattr(downsampling, "DUE", 3)
    records = [second(number) for number in range(200)]
    bench.keep(*records)
    for _ in range(300):
        bench.step(20.0)

    assert bench.said() == offline(records)


def test_texts_and_events_are_passed_over(bench: Bench) -> None:
    bench.keep(EventRecord("context", START, {"tag": 1, "text": "A"}), second(1))
    bench.settle()

    assert bench.said() == offline([second(1)])
    assert {bench.journal.cursor(name) for name in CURSORS.values()} == {bench.journal.committed}


def unread(stop: int, at: int) -> EventRecord:
    what = {"records": 1, "samples": 1, "start": 0, "stop": stop}
    body: dict[str, Any] = {"why": "too old", "evicted": {}, "unsent": {"summaries": what}}
    return EventRecord("evicted", at, body)


def gone(bench: Bench, kind: Kind, stop: int) -> None:
    """Say what the journal says when it has evicted something up to this source time."""
    with bench.journal._writer as connection:
        told = index.GONE.format(int(kind)), str(stop)
        connection.execute("REPLACE INTO about VALUES (?, ?)", told)


def test_what_comes_late_where_samples_were_evicted_is_counted_and_changes_nothing(
    bench: Bench,
) -> None:
    records = [second(number) for number in range(130)]
    bench.keep(*records)
    bench.settle()
    before = bench.said()
    gone(bench, Kind.SAMPLES, START + 60 * SECOND)
    bench.keep(record([(0, 55, 99.0, 0)]))
    bench.settle()

    assert bench.said() == before
    assert bench.maker.counts.evicted == 1


def test_what_comes_late_is_no_window_of_its_own_although_nobody_missed_what_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AGED_S", 0.0)
    journal = Journal.open(tmp_path / "journal.db", Limits(max_age_ns=HOUR))
    bench = Bench(journal)
    bench.keep(*[second(number) for number in range(130)])
    bench.settle()
    before = bench.said()
    later = journal._room.marks.now() + 2 * HOUR
    monkeypatch.setattr(journal._room.marks, "now", lambda: later)
    bench.keep(record([(0, 55, 99.0, 0)]))
    bench.settle()

    assert journal.holds(Kind.SAMPLES).evicted_records == 130
    assert not [one for _, one in journal.read(kinds={EventRecord}) if one.kind == "evicted"]  # type: ignore[union-attr]
    assert bench.said() == before
    assert bench.maker.counts.evicted == 1
    journal.close()


def test_a_backlog_that_turns_the_watermark_back_is_late_to_its_end(bench: Bench) -> None:
    bench.keep(*map(second, range(300)))
    bench.settle()
    before = bench.said()
    gone(bench, Kind.SAMPLES, START + 100 * SECOND)
    for number in range(1, 60, 2):
        bench.keep(record([(0, number * 10 + 5, 99.0, 0)]))
        bench.step(20.0)
    bench.settle()

    assert bench.said() == before
    assert bench.maker.counts.evicted >= 6


def test_an_evicted_time_that_runs_ahead_stops_nothing(bench: Bench) -> None:
    records = [second(number) for number in range(130)]
    bench.keep(unread(2**62, START - HOUR), *records)
    bench.settle()

    assert bench.said() == offline(records)


def test_what_was_evicted_before_it_was_read_is_not_summarised_by_halves(bench: Bench) -> None:
    bench.keep(unread(START + 30 * SECOND, START + HOUR))
    bench.keep(*[second(number) for number in range(28, 130)])
    bench.settle()
    starts = {
        start
        for _, one in bench.journal.read(kinds={SummaryRecord})
        for start in one.start.tolist()  # type: ignore[union-attr]
        if one.every == TEN_SECONDS  # type: ignore[union-attr]
    }

    assert min(starts) == START + 40 * SECOND
    assert bench.maker.counts.evicted == 2


def test_damage_is_counted_and_the_rest_is_made(bench: Bench) -> None:
    bench.keep(second(1), second(2))
    with bench.journal._writer as connection:
        connection.execute("UPDATE record SET body = zeroblob(40) WHERE position = 1")
    bench.settle()

    assert bench.said() == offline([second(2)])
    assert bench.maker.counts.damaged == 1


rows = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(st.integers(0, 1400), st.integers(0, 40_000)),
        st.floats(-1e6, 1e6),
        st.sampled_from([0, 0, 0, 0x40900000, 0x80050000]),
    ),
    min_size=0,
    max_size=25,
)
Action = Callable[[Bench], object]
actions = st.sampled_from(
    [Bench.step, Bench.step, Bench.restart, Bench.lost_step, Bench.half_kept_step]
)
story = st.lists(
    st.tuples(rows, st.sampled_from(["line", "press"]), st.lists(actions, max_size=3)),
    min_size=1,
    max_size=10,
)


@settings(max_examples=40, deadline=None)
@given(story, st.floats(0.5, 90.0))
def test_any_order_repetition_and_restart_give_what_offline_gives(
    story: list[tuple[list[Sample], str, list[Action]]], pace: float
) -> None:
    with TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder) / "journal.db")
        bench = Bench(journal)
        records = [record(one, source) for one, source, _ in story]
        for number, (_, _, doings) in enumerate(story):
            bench.keep(records[number], records[number // 2])
            bench.now += pace
            for do in doings:
                do(bench)
        bench.settle()
        found = bench.said()
        journal.close()

    assert found == offline(records)


KILLS = 10 if FULL else 4
GATEWAY = """
import itertools, sys
from pathlib import Path
import numpy as np
from gateway.downsampling import Downsampler
from gateway.journal import Journal, SampleRecord
from plant.samples import Batch

journal = Journal.open(Path(sys.argv[1]))
clock = itertools.count()
maker = Downsampler(journal, lambda: 20.0 * next(clock))
number = journal.committed
rng = np.random.default_rng(number)
print("ready", flush=True)
while True:
    for _ in range(5):
        number += 1
        # A second later each, some of them late; the number of the record says when.
        at = np.full(3, (number - number % 7 * 9) * 10**9 + int(sys.argv[2]), np.int64)
        tag = np.arange(3, dtype=np.int32)
        status = np.zeros(3, np.uint32)
        batch = Batch("line", tag, at, rng.normal(size=3), status, int(at[0]), number, 0)
        journal.append(SampleRecord(batch, np.zeros(3, np.uint8)))
    made = maker.step()
    journal.append(*made.records)
    for name, position in made.cursors.items():
        journal.advance(name, position)
    print(journal.commit_now(), flush=True)
"""


def test_killed_at_any_moment_is_never_stopped(tmp_path: Path) -> None:
    path, moments = tmp_path / "journal.db", random.Random(4)
    for _ in range(KILLS):
        command = [sys.executable, "-c", GATEWAY, str(path), str(START)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(1 + moments.randrange(8)):
                process.stdout.readline()
            time.sleep(moments.uniform(0, 0.03))  # the random moment is the test
            process.kill()
    journal = Journal.open(path)
    bench = Bench(journal)
    bench.settle()
    records = [one for _, one in journal.read(kinds={SampleRecord})]
    found = bench.said()
    journal.close()

    assert len(records) >= 5 * KILLS
    assert found == offline(records)  # type: ignore[arg-type]
