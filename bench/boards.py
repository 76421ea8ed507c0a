"""Measures how long the queries of each board take, of an InfluxDB 1.6 that keeps a large line.

The store is started here (Debian's `influxdb`) and filled by the product's own sink: a day of 500
signals in windows of a minute, scores of every machine, what is told of each machine and of the
gateway once a minute, what is normal every ten minutes, 1,000 alarms. Each query is asked as
Grafana asks it (variables put in after its documentation) over the time for which its board opens,
of one machine on the boards of one machine, else of all; what is given is the best of several goes.

    python -m bench.boards [--signals 500] [--alarms 1000] [--hours 24] [--goes 3]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np

from bench.central import windows
from bench.firstview import EACH, alarms, tags
from bench.machine import machine
from connectors.influx.config import InfluxConfig
from connectors.influx.sink import InfluxSink
from dashboards.collection import texts
from gateway.alarms import alarm_body
from gateway.config.plan import Plan
from gateway.rates import Rate
from plant.assets import Asset, asset_of
from plant.records import JSON, JUDGED, EventRecord, Record, ScoreRecord
from plant.summaries import MINUTE
from plant.tags import TagHandle
from tests.dashboards.grafana import ALL, Viewer, questions
from tests.parts.stores.servers import fetched, influx1

S = 10**9
DATABASE = "boards"
HOURS = {"h": 1, "d": 24}
SECONDS = {"s": 1, "m": 60, "h": 3600}
POINTS = 500
"""So many steps Grafana asks for over the time that is shown."""
PATIENCE_S = 300.0
PIECE = 60
"""Windows of each tag in one write."""


def told_each_minute(assets: Sequence[Asset], at: int) -> Iterator[EventRecord]:
    """Give what is told of every machine and of the gateway once a minute."""
    for number, asset in enumerate(assets):
        waits = number % 2 == 0
        body: dict[str, JSON] = {
            "asset": asset.path,
            "ne107": 2 if waits else 0,
            "mode": 1,
            "machine": 2,
            "alarm": number if waits else 0,
            "priority": 3 if waits else 0,
            "alarm_state": "RTNUN" if waits else "NORM",
            "reason": "flow 1.1× its normal" if waits else "",
            "waited_s": 300.0 if waits else None,
        }
        yield EventRecord("state", at, body)
    figures: dict[str, JSON] = {
        "journal_bytes": 10**9,
        "unsent_s": 1.0,
        "read_p95_ms": 2.0,
        "bad_quality_ratio": 0.01,
        "rss_mb": 170.0,
        "cpu_ratio": 0.1,
        "certificate_days": 300.0,
    }
    yield EventRecord("gateway", at, figures)


def told_each_ten_minutes(assets: Sequence[Asset], at: int) -> Iterator[EventRecord]:
    """Give what is normal for every machine, and its rate of alarms."""
    for asset in assets:
        body: dict[str, JSON] = {"asset": asset.path, "mode": 1, "signals": [*asset.signals]}
        for name, value in {"low": 48.0, "high": 52.0, "expected": 50.0, "drift": 0.2}.items():
            body[name] = [value] * len(asset.signals)
        yield EventRecord("normal", at, body)
        yield Rate(1, 1.0).event(asset.path, at, 1.0)


def scores(asset: Asset, start: int, minutes: int, seed: int) -> ScoreRecord:
    """Give a score every ten seconds."""
    at = start + np.arange(6 * minutes, dtype=np.int64) * 10 * S
    score = np.abs(np.random.default_rng(seed).normal(1, 0.3, len(at)))
    flags = np.full(len(at), JUDGED, np.uint8)
    return ScoreRecord(asset.path, at, score, np.full(len(at), 3.05), flags)


def records(plan: Plan, alarmed: int, hours: int, now: int) -> Iterator[list[Record]]:
    """Give everything, in pieces as a gateway would send it."""
    start = (now // MINUTE - 60 * hours) * MINUTE
    for minute in range(0, 60 * hours, PIECE):
        at = start + minute * MINUTE
        made = windows(len(plan.tags), PIECE, MINUTE, seed=minute)
        yield [replace(made, start=made.start - made.start.min() + at)]
        every = range(at, at + PIECE * MINUTE, MINUTE)
        yield [event for one in every for event in told_each_minute(plan.assets, one)]
        tenth = range(at, at + PIECE * MINUTE, 10 * MINUTE)
        yield [event for one in tenth for event in told_each_ten_minutes(plan.assets, one)]
        yield [
            scores(asset, at, PIECE, minute + number) for number, asset in enumerate(plan.assets)
        ]
    kept = alarms(plan, alarmed, now)
    yield [EventRecord("alarm", alarm.changed, alarm_body(alarm)) for alarm in kept]


def span_h(board: Mapping[str, Any]) -> int:
    """Give the hours for which a board opens."""
    words = str(board["time"]["from"]).removeprefix("now-")
    return int(words[:-1]) * HOURS[words[-1]]


def steps(board: Mapping[str, Any], hours: int) -> dict[str, int]:
    """Give the step of each panel, s: no shorter than the panel itself allows."""
    shown = max(hours * 3600 // POINTS, 10)
    least = {one["title"]: str(one.get("interval", "1s")) for one in board["panels"]}
    return {
        title: max(shown, int(words[:-1]) * SECONDS[words[-1]]) for title, words in least.items()
    }


def asked(url: str, query: str) -> list[dict[str, Any]]:
    """Ask in InfluxQL, as long as it may take; give the series."""
    form = urlencode({"db": DATABASE, "q": query, "epoch": "ms"}).encode()
    with urlopen(f"{url}/query", form, timeout=PATIENCE_S) as page:
        (result,) = json.load(page)["results"]
    if "error" in result:
        raise SystemExit(f"{query}: {result['error']}")
    series: list[dict[str, Any]] = result.get("series", [])
    return series


def measured(url: str, asset: Asset, now: int, goes: int) -> dict[str, Any]:
    """Ask every query of every board; give the ms of each."""
    found: dict[str, Any] = {}
    for file, text in sorted(texts().items()):
        board = json.loads(text)
        if "panels" not in board:
            continue
        hours = span_h(board)
        chosen = {"site": ALL, "line": ALL, "gateway": ALL, "signal": ALL, "alarm": "1"}
        begins, step = now // 1_000_000 - hours * 3_600_000, steps(board, hours)
        viewer = Viewer({**chosen, "asset": asset.name}, begins, now // 1_000_000)
        took: dict[str, dict[str, float]] = {}
        for title, query in questions(board):
            best, rows = float("inf"), 0
            for _ in range(goes):
                begun = time.perf_counter()
                series = asked(url, replace(viewer, step=f"{step.get(title, 60)}s").asks(query))
                best = min(best, time.perf_counter() - begun)
                rows = sum(len(one["values"]) for one in series)
            took[title if title not in took else f"{title} (2)"] = {
                "ms": round(1000 * best, 1),
                "rows": rows,
            }
        found[file.removesuffix(".json")] = {
            "hours": hours,
            "ms_of_all": round(sum(one["ms"] for one in took.values()), 1),
            "queries": took,
        }
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--signals", type=int, default=500)
    parser.add_argument("--alarms", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--goes", type=int, default=3)
    told = parser.parse_args()
    known = tags(told.signals)
    paths = dict.fromkeys(tag.name.rpartition("/")[0] for tag in known)
    assets = tuple(asset_of(path, known) for path in paths)
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(name="line-1", data=Path(folder), sources=(), tags=known, assets=assets)
        store = influx1(Path(folder))
        store.start()
        try:
            fetched(f"{store.url}/query", {"q": f'CREATE DATABASE "{DATABASE}"'})
            config = InfluxConfig(name="central", url=store.url, api="v1", bucket=DATABASE)
            handles = [TagHandle(number, tag) for number, tag in enumerate(known)]
            now, begun = time.time_ns(), time.perf_counter()
            with InfluxSink(config, handles, "line-1") as sink:
                refused = [
                    one
                    for piece in records(plan, told.alarms, told.hours, now)
                    for one in sink.write(piece)
                ]
                rows, sent = sink.sent_rows, sink.sent_bytes
            took = time.perf_counter() - begun
            if refused:
                raise SystemExit(f"{len(refused)} lines were refused: {refused[0]}")
            result = {
                "machine": machine(),
                "store": {"rows": rows, "wire_bytes": sent, "seconds_to_fill": round(took, 1)},
                "machines": -(-told.signals // EACH),
                "boards": measured(store.url, assets[0], now, told.goes),
            }
        finally:
            store.stop()
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
