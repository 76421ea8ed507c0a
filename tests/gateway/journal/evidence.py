"""A journal of known content, and what is left of it after it was damaged."""

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gateway.journal import DamagedRecord, EventRecord, Journal, SampleRecord
from plant.samples import Batch
from plant.tags import Tag

RECORDS = 80
TOGETHER = 4
START_S = 2.0
SECOND = 10**9
TAGS = [Tag(name=f"a/p/t{number}", source="line", address="") for number in (1, 2, 3)]


def made(number: int) -> SampleRecord | EventRecord:
    """Record `number`: mostly samples, of a size of its own; every tenth an event."""
    if number % 10 == 0:
        return EventRecord("note", number * SECOND, {"n": number, "text": "x" * (number * 7)})
    random = np.random.default_rng(number)
    n = 1 + number * 13
    tag = np.arange(n, dtype=np.int32) % 3 + 1
    at = np.full(n, number * SECOND, np.int64)
    status = np.zeros(n, np.uint32)
    batch = Batch("line", tag, at, random.normal(size=n), status, number, number, number)
    return SampleRecord(batch, np.zeros(n, np.uint8))


def written(path: Path, *, killed: bool = False) -> Path:
    """Write a journal of `RECORDS` records; as a kill leaves it, or closed."""
    source = path.with_name("source.db") if killed else path
    journal = Journal.open(source)
    journal.register(TAGS, 0)
    for number in range(1, RECORDS + 1):
        journal.append(made(number))
        if number % TOGETHER == 0:
            journal.commit_now()
        if number in (20, 40):
            journal.save_snapshot("fold-1", number, {"n": np.array([number])})
        if number == 60:
            journal.advance("influx", 33)
    journal.commit_now()
    if killed:
        for end in ("", "-wal"):
            shutil.copy(f"{source}{end}", f"{path}{end}")
    journal.close()
    return path


@dataclass
class Kept:
    """What a damaged journal gave.

    Attributes
    ----------
    records, lost, lost_samples
        Records of ours that came back, positions that were told as damaged or lost, samples of
        those lost.
    strange
        Positions of what was never written.
    gap_samples
        Samples that its gaps count.
    seconds
        Time from opening it to the last record.
    """

    records: int = 0
    lost: int = 0
    lost_samples: int = 0
    strange: list[int] = field(default_factory=list)
    gap_samples: int = 0
    seconds: float = 0.0


def look(path: Path, *, committed: bool = True) -> Kept:
    """Open a journal that was damaged, read it, go on with it, and read it again."""
    kept = Kept()
    begun = time.monotonic()
    journal = Journal.open(path)
    for position, entry in journal.read(upto=RECORDS):
        if isinstance(entry, DamagedRecord):
            continue
        if same(entry, made(position)):
            kept.records += 1
            continue
        kept.strange.append(position)
    kept.seconds = time.monotonic() - begun
    kept.lost = RECORDS - kept.records
    kept.lost_samples = sum(
        position * 13 + 1 for position in lost_positions(journal) if position % 10
    )
    last = journal.committed
    number = journal.append(EventRecord("note", 1, {"n": -1}))
    assert number > last
    assert journal.commit_now() >= number
    for _, entry in journal.read(kinds=[EventRecord]):
        if isinstance(entry, EventRecord) and entry.kind == "gap":
            kept.gap_samples += int(str(entry.body["lost"]))
    journal.close()
    assert not committed or last >= RECORDS or kept.lost
    for part in path.parent.glob("*.damaged-*"):
        part.unlink()
    return kept


def lost_positions(journal: Journal) -> set[int]:
    """Positions of ours that cannot be read."""
    whole = {
        position
        for position, entry in journal.read(upto=RECORDS)
        if not isinstance(entry, DamagedRecord)
    }
    return set(range(1, RECORDS + 1)) - whole


def same(entry: object, expected: SampleRecord | EventRecord) -> bool:
    """Tell whether a record is what was written."""
    if isinstance(entry, SampleRecord) and isinstance(expected, SampleRecord):
        return entry.batch.value.tobytes() == expected.batch.value.tobytes() and bool(
            (entry.batch.at == expected.batch.at).all()
        )
    return entry == expected
