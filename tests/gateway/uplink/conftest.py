"""A journal, a store that is a file, and the courier between them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.journal import EventRecord, Journal, SampleRecord, ScoreRecord, SummaryRecord
from gateway.uplink import courier as rules
from gateway.uplink.courier import Courier, Errand
from gateway.uplink.pins import Pins
from gateway.uplink.quarantine import Quarantine
from plant.samples import Batch
from plant.tags import Tag
from tests.gateway.uplink.filesink import FileSink

TAGS = (
    Tag(name="a/p/x", source="plc", address=""),
    Tag(name="a/p/y", source="plc", address=""),
    Tag(name="a/q/z", source="plc", address=""),
)
S = 1_000_000_000
KINDS = (SummaryRecord, ScoreRecord, EventRecord)


def numbered(*numbers: int, kind: str = "n") -> list[EventRecord]:
    """Events that bear a number."""
    return [EventRecord(kind, number, {"n": number}) for number in numbers]


def samples(at: int, tags: int = 3) -> SampleRecord:
    """One sample of each tag at a time, its handle as its value."""
    handles = np.arange(1, tags + 1, dtype=np.int32)
    batch = Batch(
        source="plc",
        tag=handles,
        at=np.full(tags, at, np.int64),
        value=handles.astype(np.float64),
        status=np.zeros(tags, np.uint32),
        upto=at,
        received=at,
        heard=at,
    )
    return SampleRecord(batch, np.zeros(tags, np.uint8))


def windows(start: int, tags: int = 3, every: int = 10 * S) -> SummaryRecord:
    """One window of each tag."""
    handles = np.arange(1, tags + 1, dtype=np.int32)
    value = np.full(tags, start / S)
    count = np.full(tags, 10, np.uint32)
    return SummaryRecord(
        "plc", every, handles, np.full(tags, start, np.int64), count, count,
        value, value, value, value, value, value,
    )  # fmt: skip


def scores(start: int, rows: int = 10) -> ScoreRecord:
    """Scores of one asset, a row a second."""
    at = start + S * np.arange(rows, dtype=np.int64)
    return ScoreRecord("a/p", at, at / S, np.ones(rows), np.zeros(rows, np.uint8))


def until(holds: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.005)


class Road:
    """One journal, one file, one courier at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal.open(folder / "journal.db")
        self.handles = self.journal.register(TAGS, 1)
        self.sink = FileSink(folder / "store.jsonl")
        self.raw = False
        self.most_per_s = 1e9
        self.calm_s = 0.0
        self.files: tuple[Path, ...] = ()

    def put(self, *records: Any) -> int:
        self.journal.append(*records)
        return self.journal.commit_now()

    def courier(self) -> Courier:
        errand = Errand(
            name="file",
            make=lambda: self.sink,
            kinds=(*KINDS, SampleRecord) if self.raw else KINDS,
            pinned=not self.raw,
            most_per_s=lambda: self.most_per_s,
            calm_s=self.calm_s,
            files=self.files,
        )
        return Courier(
            errand,
            self.journal,
            Quarantine(self.folder, "file"),
            Pins(self.journal, self.handles),
        )

    def cursor(self) -> int:
        return self.journal.cursor("sink:file")


@pytest.fixture
def road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    monkeypatch.setattr(rules, "GATHER_S", 0.01)
    made = Road(tmp_path)
    yield made
    made.journal.close()
