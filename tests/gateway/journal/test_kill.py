"""kill -9 at any moment: all that was acknowledged is there, nothing is invented, in order."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from gateway.journal import DamagedRecord, EventRecord, Journal, Kind, Limits, SampleRecord
from tests.patience import FULL

KILLS = 24 if FULL else 8

WRITER = """
import sys
from pathlib import Path
import numpy as np
from gateway.journal import Journal, SampleRecord
from plant.samples import Batch

journal = Journal.open(Path(sys.argv[1]))
number = journal.committed
print("ready", flush=True)
while True:
    for _ in range(4):
        number += 1
        tag = np.arange(200, dtype=np.int32)
        value = np.random.default_rng(number).normal(size=200)
        at = np.full(200, number, np.int64)
        batch = Batch("line", tag, at, value, np.zeros(200, np.uint32), number, number, 0)
        journal.append(SampleRecord(batch, np.zeros(200, np.uint8)))
    journal.save_snapshot("fold", number, {"number": np.array(number)})
    print(journal.commit_now(), flush=True)
"""


EVICTING = """
import sys
from pathlib import Path
import numpy as np
from gateway.journal import EventRecord, Journal, Limits, SampleRecord
from plant.samples import Batch

journal = Journal.open(Path(sys.argv[1]), Limits(max_bytes=1_500_000))
if not journal.cursor("influx"):
    journal.append(EventRecord("note", 0, {}))
    journal.commit_now()
    journal.advance("influx", 1)
print("ready", flush=True)
while True:
    for _ in range(8):
        tag = np.arange(2000, dtype=np.int32)
        value = np.random.default_rng(7).normal(size=2000)
        batch = Batch("line", tag, np.full(2000, 1), value, np.zeros(2000, np.uint32), 1, 1, 0)
        journal.append(SampleRecord(batch, np.zeros(2000, np.uint8)))
    print(journal.commit_now(), flush=True)
"""


def _run_and_kill(path: Path, commits: int, delay: float, script: str = WRITER) -> int:
    """Return the last position that the writer said is on disk."""
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        writer.stdout.readline()
        said = [writer.stdout.readline() for _ in range(commits)]  # however slow the disk is
        time.sleep(delay)  # the random moment is the test
        writer.kill()
        said += writer.stdout.read().splitlines(keepends=True)
    return max((int(line) for line in said if line.endswith("\n")), default=0)


def test_nothing_acknowledged_is_lost(path: Path) -> None:
    moments = random.Random(1)
    acknowledged = survived = 0
    for _ in range(KILLS):
        last = _run_and_kill(path, moments.randrange(4), moments.uniform(0, 0.03))
        acknowledged = max(acknowledged, last)
        journal = Journal.open(path)
        assert journal.committed >= max(acknowledged, survived)
        assert journal.committed % 4 == 0
        survived = journal.committed
        kept, _ = journal.load_snapshot("fold") or (0, {})
        assert kept == survived
        journal.close()
    journal = Journal.open(path)
    entries = list(journal.read())
    journal.close()
    assert acknowledged >= 4 * KILLS
    assert [position for position, _ in entries] == list(range(1, survived + 1))
    for position, record in entries:
        expected = np.random.default_rng(position).normal(size=200)
        assert record.batch.value.tobytes() == expected.tobytes()


def test_eviction_survives_it(path: Path) -> None:
    moments = random.Random(2)
    acknowledged = 0
    for _ in range(KILLS // 2):
        commits = moments.randrange(2, 12)
        last = _run_and_kill(path, commits, moments.uniform(0, 0.05), EVICTING)
        acknowledged = max(acknowledged, last)
        journal = Journal.open(path, Limits(max_bytes=1_500_000))
        assert journal.committed >= acknowledged
        journal.close()
    journal = Journal.open(path, Limits(max_bytes=1_500_000))
    journal.append(EventRecord("note", 0, {}))
    journal.commit_now()
    entries = list(journal.read())
    held = journal.holds(Kind.SAMPLES)
    events = [entry for _, entry in entries if isinstance(entry, EventRecord)]
    samples = [entry for _, entry in entries if isinstance(entry, SampleRecord)]
    told = [
        event.body["unsent"]["influx"]["samples"] for event in events if event.kind == "evicted"
    ]
    assert [entry for _, entry in entries if isinstance(entry, DamagedRecord)] == []
    assert held.records == len(samples)
    assert held.evicted_records + held.records + len(events) == journal.committed
    assert sum(told) == held.unsent_samples == held.evicted_samples > 0, "told once, all of it"
    assert journal.size_bytes <= 1_500_000
    assert list(path.parent.glob("*.damaged-*")) == []
    journal.close()
