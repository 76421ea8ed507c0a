"""What a running gateway takes with its children: processor time, memory, and its own figures."""

import os
import re
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
BUCKET = re.compile(r'^wheeltapper_verdict_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)

SAMPLES = re.compile(r"^wheeltapper_samples_total\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """The gateway at one moment.

    Parameters
    ----------
    at
        Wall clock, ns.
    cpu_s, rss
        Processor time, s, and resident memory, bytes, with all children.
    samples
        Samples taken in so far.
    verdicts
        Samples whose verdict took less than each bound, s.
    """

    at: int
    cpu_s: float
    rss: int
    samples: float
    verdicts: dict[float, float]


def _stat(pid: int) -> tuple[int, float, int]:
    """Give parent, processor time with the reaped children's, s, and resident memory, bytes."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[1]), TICK_S * sum(map(int, fields[11:15])), PAGE * int(fields[21])


def _everybody() -> dict[int, tuple[int, float, int]]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = _stat(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def usage(pid: int) -> tuple[float, int]:
    """Give processor time, s, and resident memory, bytes, of a process and all below it."""
    everybody = _everybody()
    family = {pid}
    grown = True
    while grown:
        more = {child for child, (parent, _, _) in everybody.items() if parent in family}
        grown = bool(more - family)
        family |= more
    members = [everybody[member] for member in family]
    return sum(cpu for _, cpu, _ in members), sum(rss for _, _, rss in members)


def read(pid: int, url: str) -> Reading:
    """Take one reading."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    verdicts = {float(bound): float(count) for bound, count in BUCKET.findall(text)}
    samples = sum(map(float, SAMPLES.findall(text)))
    cpu_s, rss = usage(pid)
    return Reading(time.time_ns(), cpu_s, rss, samples, verdicts)


def quantile_ms(before: Reading, after: Reading, share: float) -> float | None:
    """Estimate a quantile of the delays between two readings, linear within a bucket, ms.

    ``None`` when it lies beyond the last bucket.
    """
    bounds = sorted(after.verdicts)
    counts = np.array([after.verdicts[b] - before.verdicts.get(b, 0.0) for b in bounds])
    wanted = share * counts[-1]
    slot = int(np.searchsorted(counts, wanted))
    low = bounds[slot - 1] if slot else 0.0
    below = counts[slot - 1] if slot else 0.0
    if np.isinf(bounds[slot]):
        return None
    part = (wanted - below) / max(counts[slot] - below, 1.0)
    return round(1000 * float(low + part * (bounds[slot] - low)), 2)
