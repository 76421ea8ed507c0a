"""Summaries of what stands in the journal: windows of 10 s, then 1 min, then 1 h.

A window is never kept up to date sample by sample. Each record that comes makes the windows that it
touches due again, and a window that is due is made anew from all that the journal holds of it, so
that it equals what anybody would reckon from the same samples, whatever order they came in. When
it is made decides only how often it is made: once for what comes in time, again for what comes
late. Windows of one minute are made in the same way from the records of 10 s, hours from minutes.

What is due lives in memory. Each length has a cursor that stands before the first record of the
oldest window that is due, so that whoever starts here again finds them all by reading on from it.
"""

import sqlite3
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.summaries import merged, summarise
from gateway.journal import (
    DamagedRecord,
    Journal,
    SampleRecord,
    SummaryRecord,
    Takes,
    file,
    index,
)
from gateway.journal.bodies import Kind
from gateway.journal.index import FIRST_AT, LAST_AT, POSITION, SAMPLES, SUBJECT, Rows
from plant.errors import Unreachable
from plant.records import JSON, joined
from plant.samples import NO_TIME
from plant.summaries import HOUR, LENGTHS, MINUTE, TEN_SECONDS

CURSORS = {TEN_SECONDS: "summaries", MINUTE: "summaries-1m", HOUR: "summaries-1h"}
"""Names of the journal's cursors; of these the second and third read only summaries."""
GRACE_NS = 2_000_000_000
"""The watermark has to be so far beyond a window before it is made."""
REST_S = {TEN_SECONDS: 10.0, MINUTE: 60.0, HOUR: 600.0}
"""A window is made so long after it was first touched at the earliest, s: what comes late in many
pieces makes it anew once, and a clock that runs ahead does not make it anew with every record."""
IDLE_S = 30.0
"""A source that has been silent for so long is not waited for."""
LATE_NS = 60_000_000_000
"""What comes so long after its window had passed may find its neighbours evicted."""
NARROW_NS = 60_000_000_000
"""Records that span more are remembered one by one: no index finds them by a time in between."""
ROWS = 10_000
"""Index rows that are looked at in one step."""
DUE = 20_000
"""Windows that may be due before what comes next has to wait in the journal."""
BUDGET = 400_000
"""Samples, or windows, that are held at a time: some 50 MB while they are sorted."""
EVICTED = "evicted"
"""Kind of the event by which the journal tells what went before a reader had it."""
TAKES = {
    TEN_SECONDS: Takes.of((SampleRecord,)),
    MINUTE: Takes.of((SummaryRecord,), (TEN_SECONDS,)),
    HOUR: Takes.of((SummaryRecord,), (MINUTE,)),
}
"""What is missed when it is evicted before the cursor of that length has passed it."""


def _stop(body: Mapping[str, JSON], latest: int) -> int:
    """Give the source time, ns, up to which an event tells that samples went before we had them."""
    told = body.get("unsent")
    what = told.get(CURSORS[TEN_SECONDS]) if isinstance(told, dict) else None
    stop = what.get("stop") if isinstance(what, dict) else None
    return min(stop + 1, latest) if isinstance(stop, int) else NO_TIME


@dataclass(frozen=True, slots=True)
class _Touched:
    """A window that is due: the first record that made it so, when (s), and whether too late."""

    position: int
    since: float
    late: bool


@dataclass(slots=True)
class _Stream:
    """What is known of one source.

    Attributes
    ----------
    mark
        Newest source time of the last records that were looked at, ns; None: of none yet. It may
        go back, as clocks do.
    reached
        Newest source time of all records, ns.
    heard
        When these were looked at, s.
    due
        By length, the windows to be made, by their number since 1970.
    under_way
        By length, the windows that were made and whose record has not been seen in the journal.
    wide
        Records of samples that span more than `NARROW_NS`.
    """

    heard: float
    mark: int | None = None
    reached: int = NO_TIME
    due: dict[int, dict[int, _Touched]] = field(default_factory=lambda: {e: {} for e in LENGTHS})
    under_way: dict[int, set[int]] = field(default_factory=lambda: {e: set() for e in LENGTHS})
    wide: Rows = field(default_factory=lambda: np.empty((0, 5), np.int64))

    def touch(self, every: int, windows: NDArray[np.int64], position: int, now: float) -> None:
        """Make windows due because of the record at `position`."""
        due = self.due[every]
        for window in windows.tolist():
            if window not in due:
                late = (window + 1) * every + LATE_NS <= self.reached
                due[window] = _Touched(position, now, late)

    def pass_on(self, mark: int) -> None:
        """Take note of the newest source time of what was looked at last."""
        self.mark = mark
        self.reached = max(self.reached, mark)

    def ready(self, every: int, now: float) -> list[int]:
        """Give the windows that can be made now, in their order."""
        idle = now - self.heard >= IDLE_S
        passed = -(2**63) if self.mark is None else self.mark - GRACE_NS
        parts = self._unfinished(every)
        return sorted(
            window
            for window, touched in self.due[every].items()
            if (idle or (window + 1) * every <= passed)
            and (idle or now - touched.since >= REST_S[every])
            and window not in parts
        )

    def _unfinished(self, every: int) -> set[int]:
        """Give the windows of which a part is still to be made, or to reach the journal."""
        if every == LENGTHS[0]:
            return set()
        shorter = LENGTHS[LENGTHS.index(every) - 1]
        ratio = every // shorter
        waiting = self.due[shorter].keys() | self.under_way[shorter]
        return {window // ratio for window in waiting}


@dataclass(slots=True)
class Made:
    """What one step made, and how far each cursor may move once that is appended.

    `more` tells that a further step would find more to do at once.
    """

    records: list[SummaryRecord] = field(default_factory=list)
    cursors: dict[str, int] = field(default_factory=dict)
    more: bool = False


@dataclass(slots=True)
class Counts:
    """What could not be done as it should.

    Attributes
    ----------
    evicted
        Windows that were left as they were because what came late found their samples evicted.
    damaged
        Records that could not be read: their windows are made of the others.
    """

    evicted: int = 0
    damaged: int = 0


class Downsampler:
    """Makes summaries from what is committed; `step` is called from one thread at a time.

    Parameters
    ----------
    journal
        Where samples and summaries stand; beside the names of its cursors nothing is written here.
    clock
        Monotonic seconds.
    """

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.monotonic) -> None:
        self._journal = journal
        self._clock = clock
        self._begun = clock()
        self._streams: dict[int, _Stream] = {}
        self._noted = {every: journal.cursor(name) for every, name in CURSORS.items()}
        self._names: dict[int, str] = {}
        self._held: OrderedDict[int, SampleRecord] = OrderedDict()
        self._held_samples = 0
        self._unread = NO_TIME
        self._evicted_seen = 0
        self._looked_up = False
        self._ending = False
        self.counts = Counts()
        self._told = asdict(self.counts)
        for every, name in CURSORS.items():
            journal.enrol(name, TAKES[every])

    def step(self) -> Made:
        """Look at what is new and make what is ready, up to a bounded amount of work.

        Whoever calls it appends the records to the journal, then moves the cursors. Nothing is lost
        when the process ends before that: what was made and not kept is made again.

        Raises
        ------
        Misconfigured
            The journal is damaged so that SQLite cannot go on.
        """
        made = Made()
        upto = self._journal.committed
        try:
            with file.reader(self._journal.path) as connection:
                # One view of the file: what is evicted meanwhile is there, or is known to be gone.
                connection.execute("BEGIN")
                self._note(connection, upto, made)
                for every in reversed(LENGTHS):
                    self._make(connection, every, made)
        except Unreachable:
            # Busy or out of reach for now; what is still due is made in a later step.
            made.more = False
        self._move(made)
        return made

    def end(self) -> None:
        """Let a step that is under way in another thread come to its end soon."""
        self._ending = True

    def news(self) -> dict[str, int]:
        """Give what of `counts` grew since this was last asked, and by how much."""
        now, before = asdict(self.counts), self._told
        self._told = now
        return {name: count - before[name] for name, count in now.items() if count > before[name]}

    def _note(self, connection: sqlite3.Connection, upto: int, made: Made) -> None:
        """Find out which windows the records that are new touch."""
        now = self._clock()
        if not self._looked_up:
            self._look_back(connection)
        if self._due() < DUE:
            rows = index.behind(connection, Kind.SAMPLES, self._noted[TEN_SECONDS], upto, ROWS)
            self._note_samples(connection, rows, now)
            self._noted[TEN_SECONDS] = self._seen(rows, upto, made)
        after = min(self._noted[MINUTE], self._noted[HOUR])
        rows = index.behind(connection, Kind.SUMMARIES, after, upto, ROWS)
        self._note_summaries(rows, now)
        seen = self._seen(rows, upto, made)
        for every in (MINUTE, HOUR):
            self._noted[every] = max(self._noted[every], seen)

    def _look_back(self, connection: sqlite3.Connection) -> None:
        """Find again what was known of the records before the cursor."""
        before = self._noted[TEN_SECONDS]
        for subject, mark in index.newest(connection, Kind.SAMPLES, before).items():
            self._stream(subject).pass_on(mark)
        self._remember(index.wide(connection, Kind.SAMPLES, NARROW_NS, before))
        self._looked_up = True

    def _due(self) -> int:
        return sum(len(stream.due[TEN_SECONDS]) for stream in self._streams.values())

    def _seen(self, rows: Rows, upto: int, made: Made) -> int:
        if len(rows) < ROWS:
            return upto
        made.more = True
        return int(rows[-1, POSITION])

    def _stream(self, subject: int) -> _Stream:
        return self._streams.setdefault(subject, _Stream(self._begun))

    def _remember(self, wide: Rows) -> None:
        for subject in np.unique(wide[:, SUBJECT]).tolist():
            stream = self._stream(subject)
            stream.wide = np.vstack([stream.wide, wide[wide[:, SUBJECT] == subject]])

    def _note_samples(self, connection: sqlite3.Connection, rows: Rows, now: float) -> None:
        wide = rows[:, LAST_AT] - rows[:, FIRST_AT] > NARROW_NS
        self._remember(rows[wide])
        for (position, subject, first_at, last_at, samples), is_wide in zip(
            rows.tolist(), wide.tolist(), strict=True
        ):
            stream = self._stream(subject)
            stream.heard = now
            if is_wide:
                windows = self._windows_of(connection, position)
            elif samples:
                windows = np.arange(first_at // TEN_SECONDS, last_at // TEN_SECONDS + 1)
            else:
                continue
            stream.touch(TEN_SECONDS, windows, position, now)
        for subject in np.unique(rows[:, SUBJECT]).tolist():
            mine = rows[:, SUBJECT] == subject
            self._streams[subject].pass_on(int(rows[mine, LAST_AT].max()))

    def _windows_of(self, connection: sqlite3.Connection, position: int) -> NDArray[np.int64]:
        """Give the windows that a record touches, which takes decoding."""
        record = self._samples(connection, position)
        if record is None:
            return np.empty(0, np.int64)
        return np.unique(record.batch.at // TEN_SECONDS)

    def _note_summaries(self, rows: Rows, now: float) -> None:
        for position, subject, first_at, last_at, _ in rows.tolist():
            stream = self._stream(subject)
            shorter = last_at - first_at + 1
            if shorter not in LENGTHS[:-1]:
                continue
            stream.under_way[shorter].discard(first_at // shorter)
            every = LENGTHS[LENGTHS.index(shorter) + 1]
            if position > self._noted[every]:
                stream.touch(every, np.array([first_at // every]), position, now)

    def _make(self, connection: sqlite3.Connection, every: int, made: Made) -> None:
        """Make the windows of one length that are ready."""
        now, left = self._clock(), BUDGET
        for subject, stream in list(self._streams.items()):
            ready = self._whole(connection, stream, every, stream.ready(every, now))
            while ready:
                if left <= 0 or self._ending:
                    made.more = True
                    return
                if every == TEN_SECONDS:
                    count, used, records = self._from_samples(connection, subject, ready)
                else:
                    count, used, records = self._from_windows(connection, subject, every, ready[0])
                left -= used + 1
                for record in records:
                    stream.under_way[every].add(int(record.start[0]) // every)
                made.records += records
                for window in ready[:count]:
                    del stream.due[every][window]
                ready = ready[count:]

    def _whole(
        self, connection: sqlite3.Connection, stream: _Stream, every: int, ready: list[int]
    ) -> list[int]:
        """Leave out, and count, the windows that could only be made wrong."""
        if not ready:
            return ready
        due = stream.due[every]
        late, ahead = self._horizons(connection, every)
        gone = {w for w in ready if w * every < (late if due[w].late else ahead)}
        self.counts.evicted += len(gone)
        for window in gone:
            del due[window]
        return [window for window in ready if window not in gone]

    def _horizons(self, connection: sqlite3.Connection, every: int) -> tuple[int, int]:
        """Give the source times, ns, up to which something was evicted that windows are made of.

        The first counts for what comes late, the second for what was evicted before it was
        looked at here.
        """
        if every != TEN_SECONDS:
            gone = index.gone(connection, Kind.SUMMARIES)
            return gone, gone
        for position, event in index.events(connection, EVICTED, self._evicted_seen):
            self._evicted_seen = position
            # A time that runs ahead must not make everything that is made from now on doubtful.
            self._unread = max(self._unread, _stop(event.body, event.at - LATE_NS))
        return index.gone(connection, Kind.SAMPLES), self._unread

    def _from_samples(
        self, connection: sqlite3.Connection, subject: int, ready: list[int]
    ) -> tuple[int, int, list[SummaryRecord]]:
        """Make the first windows of `ready`; give how many, from how many samples, and them."""
        run = _adjacent(ready)
        start = run[0] * TEN_SECONDS
        stop = (run[-1] + 1) * TEN_SECONDS
        rows = self._overlapping(connection, subject, start, stop)
        rows = rows[np.argsort(rows[:, FIRST_AT], kind="stable")]
        ends = (np.array(run) + 1) * TEN_SECONDS
        reached = np.searchsorted(rows[:, FIRST_AT], ends)
        load = np.append(0, np.cumsum(rows[:, SAMPLES]))[reached]
        count = max(1, int(np.searchsorted(load, BUDGET, side="right")))
        rows, stop = rows[: reached[count - 1]], int(ends[count - 1])
        columns = list(self._within(connection, rows, start, stop))
        used = int(load[count - 1])
        if not columns:
            return count, used, []
        tag, at, value, status = (np.concatenate(column) for column in zip(*columns, strict=True))
        name = self._name(connection, subject)
        return count, used, summarise(name, TEN_SECONDS, tag, at, value, status).apart()

    def _overlapping(
        self, connection: sqlite3.Connection, subject: int, start: int, stop: int
    ) -> Rows:
        narrow = index.overlapping(connection, Kind.SAMPLES, subject, start, stop, NARROW_NS)
        wide = self._stream(subject).wide
        wide = wide[(wide[:, LAST_AT] >= start) & (wide[:, FIRST_AT] < stop)]
        narrow = narrow[narrow[:, LAST_AT] - narrow[:, FIRST_AT] <= NARROW_NS]
        return np.vstack([narrow, wide])

    def _within(
        self, connection: sqlite3.Connection, rows: Rows, start: int, stop: int
    ) -> Iterator[tuple[NDArray[Any], ...]]:
        """Give tag, time, value and status of the samples of each record from this interval."""
        for position, _, first_at, last_at, _ in rows.tolist():
            record = self._samples(connection, position)
            if record is None:
                continue
            batch = record.batch
            columns = batch.tag, batch.at, batch.value, batch.status
            if start <= first_at and last_at < stop:
                yield columns
            else:
                inside = (batch.at >= start) & (batch.at < stop)
                yield tuple(column[inside] for column in columns)

    def _samples(self, connection: sqlite3.Connection, position: int) -> SampleRecord | None:
        """Decode a record, or give it once more: one that spans windows is asked for in each."""
        held = self._held.get(position)
        if held is not None:
            return held
        entry = index.record_at(connection, position)
        if isinstance(entry, DamagedRecord):
            self.counts.damaged += 1
        if not isinstance(entry, SampleRecord):
            return None
        self._held[position] = entry
        self._held_samples += len(entry.batch)
        while self._held_samples > BUDGET // 4 and len(self._held) > 1:
            _, dropped = self._held.popitem(last=False)
            self._held_samples -= len(dropped.batch)
        return entry

    def _from_windows(
        self, connection: sqlite3.Connection, subject: int, every: int, window: int
    ) -> tuple[int, int, list[SummaryRecord]]:
        """Make one window from the next shorter ones; give 1, from how many, and it."""
        shorter = LENGTHS[LENGTHS.index(every) - 1]
        start = window * every
        stop = start + every
        rows = index.overlapping(connection, Kind.SUMMARIES, subject, start, stop, every)
        inside = (rows[:, FIRST_AT] >= start) & (rows[:, LAST_AT] < stop)
        parts = rows[inside & (rows[:, LAST_AT] - rows[:, FIRST_AT] + 1 == shorter)]
        places = np.sort(parts[:, POSITION]).tolist()
        used = int(parts[:, SAMPLES].sum())
        slices = -(-used // BUDGET)
        found = [
            merged(held, every)
            for number in range(slices)
            if (held := self._parts(connection, places, shorter, slices, number)) is not None
        ]
        if not found:
            return 1, used, []
        return 1, used, [joined(found).latest()]

    def _parts(
        self,
        connection: sqlite3.Connection,
        places: list[int],
        every: int,
        slices: int,
        number: int,
    ) -> SummaryRecord | None:
        """Read windows of every `slices`-th tag, each tag and start as it was said last."""
        held: list[SummaryRecord] = []
        for position in places:
            entry = index.record_at(connection, position)
            self.counts.damaged += number == 0 and isinstance(entry, DamagedRecord)
            if isinstance(entry, SummaryRecord) and entry.every == every:
                held.append(entry.take(np.flatnonzero(entry.tag % slices == number)))
        return joined(held).latest() if held else None

    def _name(self, connection: sqlite3.Connection, subject: int) -> str:
        if subject not in self._names:
            self._names = index.subjects(connection)
        return self._names[subject]

    def _move(self, made: Made) -> None:
        """Tell how far the cursors may go: up to the first record of what is due."""
        for every, name in CURSORS.items():
            oldest = [
                touched.position - 1
                for stream in self._streams.values()
                for touched in stream.due[every].values()
            ]
            position = min([self._noted[every], *oldest])
            if position > self._journal.cursor(name):
                made.cursors[name] = position


def _adjacent(windows: list[int]) -> list[int]:
    """Give the first windows of a sorted list as far as none is missing in between."""
    end = bisect_left(range(len(windows)), True, key=lambda n: windows[n] - windows[0] != n)
    return windows[:end]
