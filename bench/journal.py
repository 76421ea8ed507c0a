"""What the journal costs: processor time and bytes a sample, evicting, starting, salvaging.

Prints JSON. `python -m bench.journal [--gb 1] [--folder DIR]`; the folder has to lie on the disk
that is meant.
"""

import argparse
import json
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import machine
from gateway.journal import Journal, Kind, Limits, SampleRecord
from plant.samples import Batch

TAGS = 5000
RATE = 10
"""Batches a second of source time: each has every tag once."""
SALVAGED_TAGS, SALVAGED_BYTES = (5000, 500, 50), 40_000_000
"""Samples in each record of the journals that are damaged, and bytes of their records."""
COMMIT = 2
"""Batches in one commit."""


class Line:
    """A line of so many tags: slow waves with noise, in steps of a sensor's resolution."""

    def __init__(self, tags: int = TAGS) -> None:
        self._random = np.random.default_rng(1)
        self._tag = np.arange(1, tags + 1, dtype=np.int32)
        self._phase = self._random.uniform(0, 6, tags)
        self._number = 0
        self._good = np.zeros(tags, np.uint32)
        self._fine = np.zeros(tags, np.uint8)

    def record(self) -> SampleRecord:
        """Make the next batch."""
        self._number += 1
        at = 1_700_000_000 * 10**9 + self._number * 10**9 // RATE
        noise = self._random.normal(0, 0.05, len(self._tag))
        value = np.round(20 + np.sin(self._phase + self._number / 300) + noise, 2)
        stamps = np.full(len(self._tag), at, np.int64)
        batch = Batch("line", self._tag, stamps, value, self._good, at, at, self._number)
        return SampleRecord(batch, self._fine)


def filled(path: Path, limits: Limits, upto: int) -> dict[str, Any]:
    """Write until so many bytes of records were written; the records are made beforehand."""
    line = Line()
    ready = [line.record() for _ in range(64)]
    journal = Journal.open(path, limits)
    written = journal.holds(Kind.SAMPLES).bytes
    sizes, samples, longest = [], 0, 0.0
    begun, clock = time.process_time(), time.monotonic()
    while written < upto:
        for _ in range(COMMIT):
            journal.append(ready[samples // TAGS % len(ready)])
            samples += TAGS
        before = time.monotonic()
        journal.commit_now()
        longest = max(longest, time.monotonic() - before)
        held = journal.holds(Kind.SAMPLES)
        written = held.bytes + held.evicted_samples * held.bytes // max(1, held.samples)
        sizes.append(journal.size_bytes + journal.reserve_bytes)
    cpu, wall = time.process_time() - begun, time.monotonic() - clock
    held = journal.holds(Kind.SAMPLES)
    journal.close()
    return {
        "samples": samples,
        "cpu_us_per_sample": round(cpu / samples * 1e6, 3),
        "samples_per_s": round(samples / wall),
        "longest_commit_ms": round(longest * 1e3),
        "body_bytes_per_sample": round(held.bytes / held.samples, 2),
        "file_bytes_per_sample": round(path.stat().st_size / held.samples, 2),
        "largest_mb": round(max(sizes) / 1e6, 1),
        "evicted_samples": held.evicted_samples,
    }


def lowered(path: Path, limit: int) -> dict[str, Any]:
    """Open a full journal under a lower limit and commit until it is kept."""
    line = Line()
    begun, clock = time.process_time(), time.monotonic()
    journal = Journal.open(path, Limits(max_bytes=limit))
    opened = time.monotonic() - clock
    before = journal.holds(Kind.SAMPLES).bytes
    commits, last = 0, before + 1
    longest = 0.0
    while journal.holds(Kind.SAMPLES).bytes < last:
        last = journal.holds(Kind.SAMPLES).bytes
        journal.append(line.record())
        stamp = time.monotonic()
        journal.commit_now()
        longest = max(longest, time.monotonic() - stamp)
        commits += 1
    gone = before - journal.holds(Kind.SAMPLES).bytes
    cpu, wall = time.process_time() - begun, time.monotonic() - clock
    log = path.with_name(path.name + "-wal").stat().st_size
    journal.close()
    return {
        "evicted_mb": round(gone / 1e6, 1),
        "open_s": round(opened, 2),
        "s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "s_per_gb": round(wall / gone * 1e9, 1),
        "commits": commits,
        "longest_commit_ms": round(longest * 1e3),
        "log_mb": round(log / 1e6, 1),
    }


def of_small_records(path: Path, tags: int, upto: int) -> None:
    """Write a file of about so many bytes whose records hold so many samples each."""
    line = Line(tags)
    ready = [line.record() for _ in range(64)]
    journal = Journal.open(path, Limits())
    number = 0
    while journal.holds(Kind.SAMPLES).bytes < upto:
        for _ in range(200):
            journal.append(ready[number % len(ready)])
            number += 1
        journal.commit_now()
    journal.close()


def salvaged(path: Path) -> dict[str, Any]:
    """Zero a page in the middle and the root of the records, and open it."""
    connection = sqlite3.connect(path)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'record'"
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    whole = path.stat().st_size
    with path.open("r+b") as file:
        for place in ((root - 1) * size, whole // 2 // size * size):
            file.seek(place)
            file.write(bytes(size))
    cpu, clock = time.process_time(), time.monotonic()
    journal = Journal.open(path, Limits())
    cpu, wall = time.process_time() - cpu, time.monotonic() - clock
    kept = journal.holds(Kind.SAMPLES).records
    journal.append(Line().record())
    journal.commit_now()
    [told] = [event.body for event in journal.news() if event.kind == "damaged"]
    journal.close()
    return {
        "mb": round(whole / 1e6, 1),
        "s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "cpu_s_per_gb": round(cpu / whole * 1e9, 1),
        "records_kept": kept,
        "records_lost": told["lost_records"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0, help="what is evicted, GB")
    parser.add_argument("--folder", type=Path, help="on the disk that is meant")
    asked = parser.parse_args()
    size = round(asked.gb * 1e9)
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    path = folder / "journal.db"
    try:
        free = filled(path, Limits(), size + size // 5)
        less = lowered(path, size // 5)
        path.unlink()
        limit = size // 5
        steady = filled(path, Limits(max_bytes=limit), size)
        mended = {}
        for tags in SALVAGED_TAGS:
            for old in folder.iterdir():
                old.unlink()
            of_small_records(path, tags, SALVAGED_BYTES)
            mended[f"{tags}_samples_a_record"] = salvaged(path)
    finally:
        shutil.rmtree(folder)
    found = {
        "machine": machine(),
        "without_a_limit": free,
        "evict": less,
        "at_the_limit": {"limit_mb": limit / 1e6, **steady},
        "salvage": mended,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
