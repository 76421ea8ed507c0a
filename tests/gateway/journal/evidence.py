"""A journal of known content, and what is left of it after it was damaged."""

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gateway.journal import DamagedRecord, EventRecord, Journal, Limits, SampleRecord
from plant.samples import Batch
from plant.tags import Tag

RECORDS = 80
TOGETHER = 4
START_S = 2.0
"""Processor time, s, in which a journal has to be opened: waiting for others does not count."""
SECOND = 10**9
OWN = ("damaged", "gap")
"""Kinds of the events by which a journal tells of its own damage."""
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
    records
        Records of ours that came back.
    strange
        Positions of what was never written.
    untold
        Samples that are missing among the positions of the journal, and that neither a damaged
        record nor its counts tell of.
    seconds
        Time from opening it to the last record.
    """

    records: int = 0
    strange: list[int] = field(default_factory=list)
    untold: int = 0
    seconds: float = 0.0


def look(path: Path) -> Kept:
    """Open a journal that was damaged, read it, and go on with it."""
    kept = Kept()
    begun = time.process_time()
    journal = Journal.open(path, Limits())
    entries = list(journal.read())
    kept.seconds = time.process_time() - begun
    last = journal.committed
    whole, told = set(), set()
    for position, entry in entries:
        if isinstance(entry, DamagedRecord):
            told |= spanned(entry)
        elif same(entry, made(position)):
            whole.add(position)
        elif position <= RECORDS or not (isinstance(entry, EventRecord) and entry.kind in OWN):
            kept.strange.append(position)
    kept.records = len(whole)
    kept.untold = len(set(range(1, min(last, RECORDS) + 1)) - whole - told)
    assert journal.append(EventRecord("note", 1, {"n": -1})) > last
    assert journal.commit_now() > last
    journal.close()
    for part in path.parent.glob("*.damaged-*"):
        part.unlink()
    return kept


def spanned(damage: DamagedRecord) -> set[int]:
    """Give the positions that a damaged record stands for."""
    words = damage.reason.split()
    if words[0] != "positions":
        return {damage.position}
    return set(range(int(words[1]), int(words[3]) + 1))


def same(entry: object, expected: SampleRecord | EventRecord) -> bool:
    """Tell whether a record is what was written."""
    if isinstance(entry, SampleRecord) and isinstance(expected, SampleRecord):
        return entry.batch.value.tobytes() == expected.batch.value.tobytes() and bool(
            (entry.batch.at == expected.batch.at).all()
        )
    return entry == expected
