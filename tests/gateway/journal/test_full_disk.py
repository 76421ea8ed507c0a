"""A disk that is really full: a small file system in memory, mounted for the test alone."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.mounts import on_own_disk

DISK = "size=24m"

STORY = """
import json, sys, time
from pathlib import Path
import numpy as np
from gateway.journal import DamagedRecord, EventRecord, Journal, Kind, Limits, SampleRecord, space
from plant.errors import Unreachable
from plant.samples import Batch

space.LOOK_S = 0.05
space.ENOUGH_BYTES = 2_000_000
folder, reserve = Path(sys.argv[1]), int(sys.argv[2])
number, refused, sizes = 0, 0, []

def put(journal, count):
    global number, refused
    for _ in range(count):
        number += 1
        tag = np.arange(2000, dtype=np.int32)
        value = np.random.default_rng(number).normal(size=2000)
        at = np.full(2000, number, np.int64)
        batch = Batch("line", tag, at, value, np.zeros(2000, np.uint32), number, number, 0)
        journal.append(SampleRecord(batch, np.zeros(2000, np.uint8)))
        try:
            journal.commit_now()
        except Unreachable as error:
            refused += 1
    sizes.append(journal.size_bytes)

def ballast():
    with (folder / "ballast").open("ab", buffering=0) as file:
        for size in (100_000, 1000, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass

limits = Limits(reserve_bytes=reserve)
journal = Journal.open(folder / "journal.db", limits)
put(journal, 100)
time.sleep(0.06)
put(journal, 100)
journal.advance("influx", 150)
held = journal._space.held
ballast()
put(journal, 300 if reserve else 40)
told = {"trouble": journal.trouble, "held": held, "pending_full": journal.pending}
told["reserve_full"] = journal._space.held
journal.append(EventRecord("note", 1, {}))
try:
    journal.commit_now()
except Unreachable:
    refused += 1
try:
    journal.close()
except Unreachable:
    told["close"] = "refused"
told["refused"] = refused
journal = Journal.open(folder / "journal.db", limits)
put(journal, 20)
told["trouble_again"] = journal.trouble
(folder / "ballast").unlink()
time.sleep(0.1)
put(journal, 20)
told["trouble_freed"] = journal.trouble
told["reserve_freed"] = journal._space.held
put(journal, 1)
entries = list(journal.read())
samples = [int(e.batch.received) for _, e in entries if isinstance(e, SampleRecord)]
told["samples"] = samples
told["number"] = number
told["damaged"] = [str(e) for _, e in entries if isinstance(e, DamagedRecord)]
events = [e for _, e in entries if isinstance(e, EventRecord)]
told["disk"] = [e.body["full"] for e in events if e.kind == "disk"]
told["unsent"] = sum(e.body["unsent"]["influx"]["records"] for e in events if e.kind == "evicted")
told["evicted"] = journal.holds(Kind.SAMPLES).evicted_records
told["sizes"] = sizes
journal.close()
print(json.dumps(told))
"""


def story(folder: Path, reserve: int) -> dict[str, Any]:
    """Play it on a disk of its own."""
    told: dict[str, Any] = json.loads(
        on_own_disk(folder, DISK, sys.executable, "-c", STORY, folder, reserve)
    )
    return told


def test_a_journal_goes_on_within_what_it_has_and_heals(tmp_path: Path) -> None:
    told = story(tmp_path, 4_000_000)
    assert told["held"] == 4_000_000
    assert told["refused"] == 0, "with a reserve not one commit fails"
    assert "the disk is full" in told["trouble"]
    assert told["reserve_full"] == 0
    assert told["pending_full"] == 0
    assert told["samples"] == list(range(told["samples"][0], told["number"] + 1))
    assert told["evicted"] == told["samples"][0] - 1 > 150
    assert told["unsent"] == told["evicted"] - 150
    assert told["damaged"] == []
    assert "the disk is full" in told["trouble_again"], "it starts on a full disk, too"
    assert told["trouble_freed"] == ""
    assert told["reserve_freed"] == 4_000_000
    assert told["disk"][:1] == [True]
    assert told["disk"][-1:] == [False]


def test_without_a_reserve_nothing_is_lost_but_it_waits(tmp_path: Path) -> None:
    told = story(tmp_path, 0)
    assert told["damaged"] == []
    assert told["trouble_freed"] == ""
    left = told["samples"]
    assert left == sorted(set(left))
    assert left[-21:] == list(range(told["number"] - 20, told["number"] + 1))
