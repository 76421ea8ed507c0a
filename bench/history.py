"""What summaries cost: CPU a sample to make them, bytes to keep them, time to read them back.

Samples of a generated plant are put into a journal as fast as they can be, then summarised from it
as a gateway does; the windows go into an embedded history, which is read as the console reads it.
Nothing else runs in the process. Printed as JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analytics.savings import RAW_BYTES, Savings
from analytics.summaries import merged, summarise
from bench.machine import machine
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.sink import SqliteSink
from gateway.downsampling import Downsampler
from gateway.journal import Journal, SampleRecord, SummaryRecord
from plant.records import joined
from plant.samples import Batch
from plant.summaries import HOUR, MINUTE, TEN_SECONDS
from plant.tags import Tag, TagHandle

SECOND = 10**9
START = 1_700_000_000 * SECOND // HOUR * HOUR
DAY = 24 * HOUR
YEAR = 365 * DAY
Figures = dict[str, Any]


def values(rng: np.random.Generator, steps: int, tags: int) -> np.ndarray[Any, Any]:
    """Make signals as sensors send them: a slow walk with noise, a quarter of them in steps."""
    walk = np.cumsum(rng.normal(0, 0.02, (steps, tags)), axis=0) + rng.normal(0, 0.2, (steps, tags))
    walk += rng.uniform(10, 100, tags)
    walk[:, ::4] = np.round(walk[:, ::4], 1)
    return walk.astype(np.float32).astype(np.float64)


def batches(source: int, tags: int, seconds: int) -> list[SampleRecord]:
    """Make one scan a second of one source."""
    rng = np.random.default_rng(source)
    walk = values(rng, seconds, tags)
    handles = np.arange(source * tags, (source + 1) * tags, dtype=np.int32)
    made = []
    for second in range(seconds):
        at = START + second * SECOND + np.sort(rng.integers(0, SECOND // 10, tags))
        status = np.zeros(tags, np.uint32)
        upto = int(at[-1])
        batch = Batch(f"plc-{source}", handles, at, walk[second], status, upto, upto, upto)
        made.append(SampleRecord(batch, np.zeros(tags, np.uint8)))
    return made


def made_by(folder: Path, sources: int, tags: int, seconds: int) -> Figures:
    """Summarise a plant of `sources` times `tags` values a second."""
    journal = Journal.open(folder / "journal.db")
    plant = [batches(source, tags, seconds) for source in range(sources)]
    for scans in zip(*plant, strict=True):
        journal.append(*scans)
        journal.commit_now()
    raw_bytes = journal.size_bytes
    now = 0.0
    downsampler, savings = Downsampler(journal, lambda: now), Savings(TEN_SECONDS)
    spent, longest, windows = 0.0, 0.0, 0
    for _ in range(10_000):
        now += 11.0
        begun, begun_wall = time.process_time(), time.perf_counter()
        made = downsampler.step()
        spent += time.process_time() - begun
        longest = max(longest, time.perf_counter() - begun_wall)
        windows += sum(map(len, made.records))
        for record in made.records:
            savings.take(record)
        if not made.records and not made.more and now > 1000:
            break
        journal.append(*made.records)
        for name, position in made.cursors.items():
            journal.advance(name, position)
        journal.commit_now()
    samples = sources * tags * seconds
    found = {
        "samples": samples,
        "samples_a_second_of_the_plant": sources * tags,
        "cpu_us_a_sample": round(1e6 * spent / samples, 3),
        "longest_step_ms": round(1e3 * longest, 1),
        "windows": windows,
        "journal_bytes_a_sample": round(raw_bytes / samples, 2),
        "journal_bytes_a_window": round((journal.size_bytes - raw_bytes) / windows, 1),
        "plain_bytes_of_windows_over_raw": round(
            float(savings.summary_bytes.sum() / savings.raw_bytes.sum()), 3
        ),
        "raw_bytes_a_sample": RAW_BYTES,
    }
    journal.close()
    return found


def day_of(handles: Sequence[TagHandle], every: int, count: int, seed: int) -> list[SummaryRecord]:
    """Make windows as they come: one record for each start."""
    rng = np.random.default_rng(seed)
    number = len(handles)
    scans = 10
    tag = np.tile(np.array([one.handle for one in handles], np.int32), scans)
    records = []
    for place in range(count):
        start = START + place * every
        value = values(rng, scans, number).ravel()
        at = start + np.repeat(np.arange(scans) * (every // scans), number)
        records.append(summarise("plc", every, tag, at, value, np.zeros(number * scans, np.uint32)))
    return records


def timed(folder: Path, tag: str, stop: int, every: int) -> Figures:
    """Read all windows of one tag."""
    begun = time.perf_counter()
    with SqliteHistory(folder / "history.db") as history:
        pieces = list(history.read([tag], START, stop, every))
    taken = time.perf_counter() - begun
    return {"windows": sum(map(len, pieces)), "ms": round(1e3 * taken, 1)}


def kept(folder: Path, tags: int, hours: int) -> Figures:
    """Keep a day of minutes and many hours of hours of all tags, then read one of them."""
    handles = [
        TagHandle(n, Tag(name=f"site/area/line/m{n // 20}/s{n}", source="plc", address=str(n)))
        for n in range(tags)
    ]
    found: Figures = {"tags": tags}
    path = folder / "history.db"
    size = 0
    with SqliteSink(SqliteConfig(), handles, "bench", folder) as sink:
        for name, every, count in (
            ("10s", TEN_SECONDS, 720),
            ("1m", MINUTE, 1440),
            ("1h", HOUR, hours),
        ):
            records = day_of(handles, every, count, count)
            begun, begun_wall = time.process_time(), time.perf_counter()
            for record in records:
                sink.write([record])
            windows = tags * count
            spent, taken = time.process_time() - begun, time.perf_counter() - begun_wall
            with SqliteHistory(path):
                grown = sum(part.stat().st_size for part in folder.glob("history.db"))
            found[name] = {
                "windows": windows,
                "bytes_a_window": round((grown - size) / windows, 1),
                "cpu_us_a_window": round(1e6 * spent / windows, 2),
                "ms_a_write": round(1e3 * taken / count, 2),
            }
            size = grown
    one = handles[tags // 2].tag.name
    found["read_day_of_1m"] = timed(folder, one, START + DAY, MINUTE)
    found["read_hours_of_1h"] = timed(folder, one, START + YEAR, HOUR)
    return found


def merging(tags: int) -> Figures:
    """Merge an hour of minutes of all tags at once."""
    handles = [
        TagHandle(n, Tag(name=f"a/b/c/d/{n}", source="plc", address=str(n))) for n in range(tags)
    ]
    whole = joined(day_of(handles, MINUTE, 60, 1))
    begun = time.process_time()
    merged(whole, HOUR)
    spent = time.process_time() - begun
    return {"windows": len(whole), "cpu_us_a_window": round(1e6 * spent / len(whole), 3)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.history", description=__doc__.split("\n")[0])
    parser.add_argument("--sources", type=int, default=11)
    parser.add_argument("--tags", type=int, default=5000, help="tags of each source")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--kept-tags", type=int, default=500)
    parser.add_argument("--hours", type=int, default=8760)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = made_by(Path(folder), wish.sources, wish.tags, wish.seconds)
    with tempfile.TemporaryDirectory() as folder:
        history = kept(Path(folder), wish.kept_tags, wish.hours)
    report = {
        "made": made,
        "merging": merging(wish.tags),
        "history": history,
        "machine": machine(),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
