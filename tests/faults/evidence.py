"""What a gateway left behind in its journal, held against what the witness made."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analytics.findings import Finding
from gateway.journal import EventRecord, Journal, SampleRecord, ScoreRecord
from plant.quality import Quality, is_good, quality
from plant.samples import Recovery
from plant.tags import Tag
from tests.faults.plc import Witness

UNJUDGED = Finding.NOT_GOOD | Finding.UNSCORED
LIVE = np.uint8(Recovery.NONE)


@dataclass(frozen=True)
class Samples:
    """Every sample of one tag, in the order of the journal."""

    at: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    received: NDArray[np.int64]
    recovered: NDArray[np.uint8]

    @property
    def good(self) -> NDArray[np.bool_]:
        return is_good(self.status)

    def live_good(self) -> "Samples":
        return self.where(self.good & (self.recovered == LIVE))

    def where(self, mask: NDArray[np.bool_]) -> "Samples":
        return Samples(*(getattr(self, name)[mask] for name in self.__annotations__))


@dataclass(frozen=True)
class Evidence:
    """The journal of one run."""

    samples: dict[str, Samples]
    events: tuple[EventRecord, ...]
    scores: tuple[ScoreRecord, ...]
    judged_not_good: int
    """Samples that are not Good and yet have a verdict on the plant."""

    def of(self, tag: str) -> Samples:
        return self.samples[tag]

    def events_of(self, kind: str) -> list[EventRecord]:
        return [event for event in self.events if event.kind == kind]

    def scored(self, start: int, stop: int) -> int:
        """Rows with a score of that source time, ns."""
        times = [row.at[np.isfinite(row.score)] for row in self.scores]
        return sum(int(np.count_nonzero((at >= start) & (at < stop))) for at in times)

    def lost(self, source: str) -> int:
        """Samples that the gap ledger gives for lost: the last word on each gap counts."""
        last = {row.body["id"]: row.body for row in self.events_of("gap")}
        mine = (body for body in last.values() if body["source"] == source)
        return sum(int(body["lost"] or 0) for body in mine)

    def gaps(self, source: str) -> int:
        """Gaps in the ledger."""
        return len(
            {row.body["id"] for row in self.events_of("gap") if row.body["source"] == source}
        )


def read(data: Path, tags: Iterable[Tag]) -> Evidence:
    """Read the journal in `data` as it lies on disk."""
    journal = Journal.open(data / "journal.db")
    try:
        names = {h.handle: h.tag.name for h in journal.register(list(tags), 0)}
        entries = [entry for _, entry in journal.read()]
    finally:
        journal.close()
    records = [entry for entry in entries if isinstance(entry, SampleRecord)]
    batches = [record.batch for record in records]
    tag = _joined([b.tag for b in batches], np.int32)
    columns = Samples(
        _joined([b.at for b in batches], np.int64),
        _joined([b.value for b in batches], np.float64),
        _joined([b.status for b in batches], np.uint32),
        _joined([np.full(len(b), b.received) for b in batches], np.int64),
        _joined([np.full(len(b), b.recovered) for b in batches], np.uint8),
    )
    return Evidence(
        {name: columns.where(tag == handle) for handle, name in names.items()},
        tuple(entry for entry in entries if isinstance(entry, EventRecord)),
        tuple(entry for entry in entries if isinstance(entry, ScoreRecord)),
        sum(_judged_not_good(record) for record in records),
    )


def _judged_not_good(record: SampleRecord) -> int:
    judged = (record.verdict & np.uint8(UNJUDGED)) == 0
    return int(np.count_nonzero(judged & ~is_good(record.batch.status)))


def _joined(columns: list[NDArray[np.generic]], dtype: type) -> NDArray[np.generic]:
    return np.concatenate([*columns, np.empty(0, dtype)]).astype(dtype)


def seconds_to_first_good(
    samples: Samples, returned: Iterable[int], until: Iterable[int]
) -> list[float]:
    """For each return, the time to the first live Good value made after it; inf if none came.

    Parameters
    ----------
    returned, until
        When the source could be reached again, and when it was cut the next time, wall clock, ns.
    """
    live = samples.live_good()
    waited = []
    for back, stop in zip(returned, until, strict=True):
        fresh = live.received[(live.at >= back) & (live.received < stop)]
        waited.append((int(fresh.min()) - back) / 1e9 if len(fresh) else float("inf"))
    return waited


def bad_after_s(samples: Samples, since: int) -> float:
    """Seconds from `since` to the first Bad value in hand."""
    bad = samples.received[(quality(samples.status) == Quality.BAD) & (samples.received >= since)]
    return (int(bad.min()) - since) / 1e9 if len(bad) else float("inf")


def missing(samples: Samples, witness: Witness, index: int) -> NDArray[np.int64]:
    """Ticks made between the first and last journalled one that the journal lacks."""
    have = _ticks(samples.where(samples.good), witness.period, index)
    made = np.unique(np.asarray(witness.ticks, np.int64))
    if not len(have):
        return made
    return np.setdiff1d(made[(made >= have.min()) & (made <= have.max())], have)


def wrong(samples: Samples, witness: Witness, index: int, skew_ms: int = 0) -> int:
    """Good values that the witness never made at that source time."""
    good = samples.where(samples.good)
    ticks = (good.at - skew_ms * 1_000_000) / (witness.period * 1_000_000)
    made = np.isin(np.round(ticks).astype(np.int64), np.asarray(witness.ticks, np.int64))
    right = (ticks == np.round(ticks)) & (good.value == 1000 * np.round(ticks) + index) & made
    return int(np.count_nonzero(~right))


def doubled(samples: Samples, witness: Witness, index: int) -> int:
    """Good values that the journal holds more than once."""
    ticks = _ticks(samples.where(samples.good), witness.period, index)
    return len(ticks) - len(np.unique(ticks))


def _ticks(good: Samples, period: int, index: int) -> NDArray[np.int64]:
    return np.round((good.value - index) / 1000).astype(np.int64)
