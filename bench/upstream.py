"""What a gateway sends of what it reads: bytes on the wire over bytes of the raw samples.

The simulated line, or recordings, go through a whole gateway at full speed. What its journal then
holds is sent again as it would have been live: what comes within the time for which a courier
gathers goes in one request to each bucket, encoded and compressed by the sink's own code. Requests'
heads are not counted. Of the gateway's own events, which follow its clock and not the source's, one
of each kind is taken for every minute.
"""

import asyncio
import gzip
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np

from analytics.savings import RAW_BYTES, worst_errors
from connectors.catalogue import build
from connectors.contract import Source
from connectors.influx.config import InfluxConfig
from connectors.influx.events import KINDS
from connectors.influx.points import Points
from connectors.influx.schema import SIGNAL, bucket_of
from connectors.influx.server import LEVEL
from connectors.influx.sink import body
from connectors.replay.config import ReplayConfig
from connectors.replay.recording import read_recording
from connectors.simulated.source import SimulatedSource
from gateway.config.plan import DetectionPlan, HistoryPlan, Plan
from gateway.downsampling import Downsampler
from gateway.journal import EventRecord, Journal, SampleRecord, ScoreRecord, SummaryRecord
from gateway.runtime import Gateway
from gateway.uplink.courier import GATHER_S, is_news
from gateway.uplink.pins import Pins, bundled
from gateway.vitals import AGAIN
from plant.assets import asset_of
from plant.records import Record, joined
from plant.summaries import MINUTE
from plant.tags import TagHandle
from wheeltapper.replay import replay_plan
from wheeltapper.scene import simulated_line

SECOND = 10**9
GATHER_NS = round(GATHER_S * SECOND)
AFTER_NS = 12 * SECOND
"""A window is made about so long after its end."""
OWN = ("state", "gateway")
CONFIG = InfluxConfig(name="central", url="http://127.0.0.1:8086", org="bench")
START = 1_790_000_000 * SECOND
Prelude = Callable[[Sequence[TagHandle]], Source]
Timed = tuple[int, Record]


def run(plan: Plan, prelude: Sequence[Prelude]) -> None:
    """Read sources to their end and keep what follows in the journal."""

    async def story() -> None:
        stop = asyncio.Event()

        def hear(kind: str, _row: dict[str, Any]) -> None:
            if kind == "live":
                stop.set()

        gateway = Gateway(replace(plan, sources=()), prelude=prelude, on_event=hear, listen=False)
        await gateway.run(stop)

    asyncio.run(story())


def summarised(journal: Journal) -> None:
    """Make every window that is still due."""
    now = 0.0
    maker = Downsampler(journal, lambda: now)
    for _ in range(100_000):
        now += 700.0
        made = maker.step()
        journal.append(*made.records)
        for name, position in made.cursors.items():
            journal.advance(name, position)
        journal.commit_now()
        if not made.records and not made.more and now > 10_000:
            return


def timed(journal: Journal) -> Iterator[Timed]:
    """Give what would be sent, each with the source time at which it would have gone, ns."""
    own: dict[str, EventRecord] = {}
    spans = []
    for _, entry in journal.read():
        if isinstance(entry, SummaryRecord):
            yield int(entry.start.max()) + entry.every + AFTER_NS, entry
        elif isinstance(entry, ScoreRecord):
            yield from _rows(entry)
        elif isinstance(entry, EventRecord) and entry.kind in OWN:
            own[f"{entry.kind} {entry.body.get('asset')}"] = entry
        elif isinstance(entry, EventRecord) and entry.kind in {*KINDS, "context"}:
            yield entry.at, entry
        elif isinstance(entry, SampleRecord) and len(entry.batch):
            spans += [int(entry.batch.at.min()), int(entry.batch.at.max())]
    for at in range(min(spans), max(spans), MINUTE):
        for event in own.values():
            yield at, replace(event, at=at, body={**event.body, AGAIN: True})


def _rows(entry: ScoreRecord) -> Iterator[Timed]:
    """Give a record for each row, as they come live."""
    for row in range(len(entry.at)):
        one = slice(row, row + 1)
        columns = entry.at[one], entry.score[one], entry.threshold[one], entry.flags[one]
        yield int(entry.at[row]), ScoreRecord(entry.asset, *columns)


def gathered(told: Sequence[Timed], calm_s: float) -> Iterator[list[Record]]:
    """Put together what a courier would send at once: prompt, or when the first has waited."""
    held: list[Record] = []
    since = 0
    ordered = sorted(told, key=lambda one: one[0])
    for second, group in groupby(ordered, lambda one: one[0] // GATHER_NS):
        if held and second - since >= calm_s:
            yield held
            held = []
        since = since if held else second
        records = [record for _, record in group]
        held += records
        if any(isinstance(one, EventRecord) and is_news(one) for one in records):
            yield held
            held = []
    if held:
        yield held


def sent(journal: Journal, handles: Sequence[TagHandle], calm_s: float) -> dict[str, Any]:
    """Encode and compress request by request; give bytes by what they are."""
    points = Points(handles, "edge-1", CONFIG.lengths)
    wire: dict[str, int] = defaultdict(int)
    requests = lines = 0
    first = "\n".join(points.described(START)).encode()
    wire["tag"] += len(gzip.compress(first, LEVEL))
    pins = Pins(journal, handles).ripe(0, journal.committed)
    pinned: Iterator[list[Record]] = ([*one] for _, pieces in pins for one in bundled(pieces))
    for records in chain(gathered(list(timed(journal)), calm_s), pinned):
        made = points.encode(records)
        buckets: dict[str, list[str]] = defaultdict(list)
        for measurement, told in made.lines.items():
            buckets[bucket_of(measurement, CONFIG)] += told
        for told in buckets.values():
            size = len(gzip.compress(body(told), LEVEL))
            requests += 1
            lines += len(told)
            for name in {line.partition(",")[0] for line in told}:
                share = sum(line.startswith(f"{name},") for line in told) / len(told)
                wire[name] += round(size * share)
    return {"requests": requests, "lines": lines, "wire": dict(wire)}


def measured(plan: Plan, prelude: Sequence[Prelude], gathers: Sequence[float]) -> dict[str, Any]:
    """Run a plan and measure what would be sent of it."""
    with tempfile.TemporaryDirectory() as folder:
        plan = replace(plan, data=Path(folder))
        run(plan, prelude)
        journal = Journal.open(Path(folder) / "journal.db")
        try:
            summarised(journal)
            handles = journal.register(plan.tags, START)
            raw = journal.samples * RAW_BYTES
            told = [sent(journal, handles, seconds) for seconds in gathers]
            worst = reconstruction(journal)
        finally:
            journal.close()
    own = told[0]
    total = sum(own["wire"].values())
    return {
        "samples": raw // RAW_BYTES,
        "raw_bytes": raw,
        "sent_bytes": total,
        "sent_of_raw": round(total / raw, 4),
        "pinned_of_raw": round(own["wire"].get(SIGNAL, 0) / raw, 4),
        "requests": own["requests"],
        "by_measurement": own["wire"],
        "worst_error_of_range": worst,
        "sent_of_raw_by_gathering_s": {
            f"{seconds:g}": round(sum(one["wire"].values()) / raw, 4)
            for seconds, one in zip(gathers, told, strict=True)
        },
    }


def reconstruction(journal: Journal) -> dict[str, float]:
    """Give how far samples lie from the means of their minutes, as a share of the tag's range.

    The bound of each window is exact: one of its samples errs by just that.
    """
    found = [one for _, one in journal.read(kinds=(SummaryRecord,))]
    minutes = [one for one in found if isinstance(one, SummaryRecord) and one.every == MINUTE]
    if not minutes:
        return {}
    whole = joined(minutes).latest()
    errors, shares = worst_errors(whole), []
    for tag in np.unique(whole.tag):
        own = (whole.tag == tag) & (whole.good > 0)
        span = whole.high[own].max(initial=-np.inf) - whole.low[own].min(initial=np.inf)
        if np.isfinite(span) and span > 0:
            shares.append(float(errors[own].max() / span))
    return {"median": round(float(np.median(shares)), 3), "most": round(max(shares), 3)}


def line(hours: float, fault: str) -> tuple[Plan, list[Prelude]]:
    """Plan the simulated line for so many hours."""
    seconds = round(3600 * hours)
    made = simulated_line(8, fault, START, 0.75 * seconds, 0)
    paths = dict.fromkeys(tag.asset for tag in made.tags)
    plan = Plan(
        name="edge-1",
        data=Path(),
        tags=made.tags,
        assets=tuple(asset_of(path, made.tags) for path in paths),
        detection=DetectionPlan(learn_s=0.5 * seconds),
    )
    sources = dict.fromkeys(tag.source for tag in made.tags)
    prelude: list[Prelude] = [
        partial(SimulatedSource, made, name=name, rows=range(seconds)) for name in sources
    ]
    return plan, prelude


def recording(path: Path) -> tuple[Plan, list[Prelude]]:
    """Plan the gateway that reads a recording."""
    labels = ("anomaly", "changepoint")
    known = [name for name in labels if name in _columns(path)]
    config = ReplayConfig(
        name="recording", file=path, speed=0, labels=tuple(known), time=_columns(path)[0]
    )
    read = read_recording(path, config.labels, time=config.time)
    return replay_plan(read, config, Path(), None), [partial(build, config)]


def _columns(path: Path) -> list[str]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return re.split("[,;]", text.decode("utf-8-sig").partition("\n")[0].strip())


def report(data: Path | None, hours: float) -> dict[str, Any]:
    """Measure the simulated line and every recording below a folder."""
    gathers = (HistoryPlan().gather_s, 110.0, 50.0, 0.0)
    found: dict[str, Any] = {
        "line_healthy": measured(*line(hours, "none"), gathers),
        "line_with_a_fault": measured(*line(hours, "random"), gathers),
    }
    if data is not None:
        files = sorted(path for path in data.rglob("*.csv*") if path.is_file())
        each = {path.name: measured(*recording(path), gathers) for path in files}
        raw = sum(one["raw_bytes"] for one in each.values())
        total = sum(one["sent_bytes"] for one in each.values())
        found["recordings"] = {
            "files": len(each),
            "samples": raw // RAW_BYTES,
            "sent_of_raw": round(total / raw, 4),
            "pinned_of_raw": round(
                sum(one["pinned_of_raw"] * one["raw_bytes"] / raw for one in each.values()), 4
            ),
            "most": max(one["sent_of_raw"] for one in each.values()),
            "by_gathering_s": {
                name: round(
                    sum(
                        one["sent_of_raw_by_gathering_s"][name] * one["raw_bytes"] / raw
                        for one in each.values()
                    ),
                    4,
                )
                for name in next(iter(each.values()))["sent_of_raw_by_gathering_s"]
            },
            "each": each,
        }
    return found
