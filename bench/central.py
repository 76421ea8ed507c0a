"""Measures what sending to a central store costs and prints one JSON document.

Windows of a simulated line are written as line protocol, ours beside influxdb-client's
`Point.to_line_protocol` in the same run and over the same values, and compressed as they are sent.
Each figure is the best of several goes: what a busy machine adds is not ours.

With ``--upstream`` or ``--data`` it measures instead what share of the bytes of raw samples a
gateway sends, on the simulated line and on every recording (CSV, plain or gzipped) in the folder.

    python -m bench.central [--tags 500] [--windows 20] [--goes 7]
    python -m bench.central --upstream [--hours 2] [--data DIR]
"""

import argparse
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from influxdb_client.client.write.point import Point

from bench import upstream
from bench.machine import machine
from connectors.influx.points import Points, as_written
from connectors.influx.schema import SUMMARIES, places
from connectors.influx.server import LEVEL
from connectors.influx.sink import body
from plant.records import SampleRecord, SummaryRecord
from plant.samples import Batch
from plant.summaries import HOUR, MINUTE, TEN_SECONDS
from plant.tags import Tag, TagHandle

LINES = 5000
RAW_BYTES = 24
"""Of one sample in memory: tag, time, value, status."""
NAMES = ("mean", "min", "max", "std", "first", "last")


def tags(count: int) -> list[TagHandle]:
    """Make tags of a line with eight signals a machine."""
    names = ("flow", "pressure", "vibration", "current", "speed", "level", "torque", "temperature")
    return [
        TagHandle(i, Tag(name=f"works/hall-1/line-3/pump-{i // 8}/{names[i % 8]}", source="line",
                         address=str(i)))
        for i in range(count)
    ]  # fmt: skip


def windows(count: int, number: int, every: int, seed: int = 7) -> SummaryRecord:
    """Make windows of signals that wander and tremble, as a gateway would at 1 Hz."""
    rng = np.random.default_rng(seed)
    seconds = every // 10**9
    shape = (number, count, min(seconds, 60))
    level = 50 + np.cumsum(rng.normal(0, 0.2, shape[:2]), axis=0)[:, :, None]
    # A transmitter has 16 bits or so: values are multiples of a step.
    value = np.round((level + rng.normal(0, 0.5, shape)) / 0.0625) * 0.0625
    start = 1_699_999_200 * 10**9 + np.arange(number, dtype=np.int64) * every
    rows = number * count
    full = np.full(rows, seconds, np.uint32)
    return SummaryRecord(
        source="line",
        every=every,
        tag=np.tile(np.arange(count, dtype=np.int32), number),
        start=np.repeat(start, count),
        count=full,
        good=full,
        low=value.min(axis=2).ravel(),
        high=value.max(axis=2).ravel(),
        mean=value.mean(axis=2).ravel(),
        std=value.std(axis=2).ravel(),
        first=value[:, :, 0].ravel(),
        last=value[:, :, -1].ravel(),
    )


def samples(count: int, number: int) -> SampleRecord:
    """Make raw samples."""
    record = windows(count, number, TEN_SECONDS)
    n = len(record)
    batch = Batch(
        source="line",
        tag=record.tag,
        at=record.start,
        value=record.first,
        status=np.zeros(n, np.uint32),
        upto=int(record.start.max()),
        received=0,
        heard=0,
    )
    return SampleRecord(batch, np.zeros(n, np.uint8))


def best(goes: int, do: Callable[[], Any]) -> float:
    """Give the shortest of several goes, s of processor time."""
    took = []
    for _ in range(goes):
        begun = time.process_time()
        do()
        took.append(time.process_time() - begun)
    return min(took)


def by_the_library(record: SummaryRecord, known: list[TagHandle]) -> list[str]:
    """Write the same points with the library's own class."""
    measurement = SUMMARIES[record.every]
    own = [places(each.tag.name) for each in known]
    values = [
        column.tolist()
        for column in (record.mean, record.low, record.high, record.std, record.first, record.last)
    ]
    lines = []
    for tag, start, n, *rest in zip(
        record.tag.tolist(), record.start.tolist(), record.count.tolist(), *values, strict=True
    ):
        point = Point(measurement).time(start)
        for key, value in own[tag].items():
            point.tag(key, value)
        point.field("n", n).field("good_ratio", 1.0)
        for name, number in zip(NAMES, rest, strict=True):
            point.field(name, number)
        lines.append(point.to_line_protocol())
    return lines


def measured(
    record: SummaryRecord | SampleRecord, known: list[TagHandle], goes: int
) -> dict[str, float]:
    """Measure one record: µs a point to write and to compress, bytes a point before and after."""
    points = Points(known, "edge-1", SUMMARIES)
    (lines,) = points.encode([record]).lines.values()
    bodies = [body(lines[i : i + LINES]) for i in range(0, len(lines), LINES)]
    packed = sum(len(gzip.compress(each, LEVEL)) for each in bodies)
    n = len(lines)
    return {
        "points": n,
        "encode_us": round(best(goes, lambda: points.encode([record])) / n * 1e6, 3),
        "gzip_us": round(
            best(goes, lambda: [gzip.compress(each, LEVEL) for each in bodies]) / n * 1e6, 3
        ),
        "line_bytes": round(sum(map(len, bodies)) / n, 1),
        "wire_bytes": round(packed / n, 1),
    }


def report(count: int, number: int, goes: int) -> dict[str, Any]:
    """Measure windows and samples, ours and the library's."""
    known = tags(count)
    minute = windows(count, number, MINUTE)
    ours = measured(minute, known, goes)
    same = as_written(minute)
    library = best(max(1, goes // 3), lambda: by_the_library(same, known)) / len(minute) * 1e6
    hour = measured(windows(count, number, HOUR), known, goes)
    raw_minute = RAW_BYTES * 60
    return {
        "machine": machine(),
        "tags": count,
        "signal_1m": ours,
        "signal_1h": hour,
        "signal": measured(samples(count, number), known, goes),
        "library_us": round(library, 3),
        "times_cheaper": round(library / ours["encode_us"], 1),
        "sent_of_raw": round((ours["wire_bytes"] + hour["wire_bytes"] / 60) / raw_minute, 4),
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tags", type=int, default=500)
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--goes", type=int, default=7)
    parser.add_argument("--upstream", action="store_true", help="sent bytes over raw bytes")
    parser.add_argument("--hours", type=float, default=2.0, help="of the simulated line")
    parser.add_argument("--data", type=Path, help="a folder of recordings, like SKAB's")
    asked = parser.parse_args()
    if asked.upstream or asked.data:
        found = upstream.report(asked.data, asked.hours)
        print(json.dumps({"machine": machine(), **found}, indent=2))
        return
    print(json.dumps(report(asked.tags, asked.windows, asked.goes), indent=2))


if __name__ == "__main__":
    main()
