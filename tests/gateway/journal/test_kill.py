"""kill -9 at any moment: all that was acknowledged is there, nothing is invented, in order."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from gateway.journal import Journal

KILLS = 24

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


def _run_and_kill(path: Path, commits: int, delay: float) -> int:
    """Return the last position that the writer said is on disk."""
    command = [sys.executable, "-c", WRITER, str(path)]
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
