"""Measures how soon somebody sees something: the pages of a plant with many signals and alarms.

A gateway in a process of its own has read a quarter of an hour of 500 signals, keeps 1,000 alarms
and reads on, once a second; then Chromium opens its pages, each time in a window of its own that
has kept nothing. A page counts as drawn with the first frame after its content stands: all tiles
of the line, the first rows of the alarms and then all of them, the charts of a machine. Bytes are
those on the wire until then, bodies and heads.

    python -m bench.firstview [--signals 500] [--alarms 1000] [--goes 5]
"""

import argparse
import asyncio
import csv
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from bench.machine import machine
from bench.upstream import run
from connectors.replay.config import ReplayConfig
from connectors.replay.source import ReplaySource
from gateway.config.plan import ConsolePlan, DetectionPlan, Plan
from gateway.journal import Journal
from gateway.pipeline import Pipeline
from gateway.runtime import SNAPSHOT, Gateway
from plant.alarms import Alarm, AlarmState
from plant.assets import asset_of
from plant.reasons import Contribution, Precedent, Reason, Trend
from plant.tags import Tag

S = 10**9
PAST_S, LEARN_S, LIVE_S = 900, 600, 1800
EACH = 8
"""Signals of a machine."""
NAMES = ("flow", "pressure", "vibration", "current", "speed", "level", "torque", "temperature")
UNITS = ("m3/h", "bar", "mm/s", "A", "{rpm}", "%", "N.m", "Cel")
CHROMIUM = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
PATIENCE_S = 120.0
DRAWN = """
window.drawn = new Promise((done) => {
  const look = () => {
    if (document.querySelector("main") && (%s)) setTimeout(() => done(performance.now()));
    else requestAnimationFrame(look);
  };
  look();
});
"""
"""Settles after the frame in which the content stood, with ms since the navigation began."""


def tags(count: int) -> tuple[Tag, ...]:
    """Make the signals of a line, `EACH` a machine."""
    return tuple(
        Tag(
            name=f"works/hall-{number // EACH // 16 + 1}/line-1/pump-{number // EACH + 1:02}/"
            f"{NAMES[number % EACH]}",
            source="line",
            address=f"s{number}",
            unit=UNITS[number % EACH],
        )
        for number in range(count)
    )


def record(file: Path, count: int, start: int, seconds: int, seed: int) -> None:
    """Write a recording of signals that wander and tremble, one row a second."""
    rng = np.random.default_rng(seed)
    level = 50 + np.cumsum(rng.normal(0, 0.02, (seconds, count)), axis=0)
    value = np.round(level + rng.normal(0, 0.5, level.shape), 3)
    with file.open("w", newline="", encoding="utf-8") as written:
        writer = csv.writer(written)
        writer.writerow(["time", *(f"s{number}" for number in range(count))])
        for row in range(seconds):
            at = np.datetime64(start + row * S, "ns").astype("datetime64[ms]")
            writer.writerow([f"{at}Z", *value[row].tolist()])


def alarm(number: int, asset: str, signals: Sequence[Tag], at: int, state: AlarmState) -> Alarm:
    """Make an alarm as large as they are, with six contributions and one like it before."""
    parts = tuple(
        Contribution(
            signal=tag.name,
            share=round(0.5 / (place + 1), 3),
            actual=57.123,
            expected=50.456,
            low=48.1,
            high=52.9,
            unit=tag.unit,
            since=at - 60 * S,
            trend=Trend.RISING,
        )
        for place, tag in enumerate(signals[:6])
    )
    like = Precedent(max(number - 1, 1), 0.93, at - 3600 * S, "real", "bearing greased", "Meier")
    return Alarm(
        id=number,
        asset=asset,
        priority=1 + number % 4,
        state=state,
        beneath=state,
        onset=at - 60 * S,
        raised=at,
        changed=at + 60 * S,
        occurrences=1 + number % 3,
        reason=Reason(9.412, 3.05, parts, (like,)),
        peak=3.1,
        annunciated=at,
        ended=at + 60 * S,
        actor="" if state is AlarmState.RETURNED else "Meier",
        note="" if state is AlarmState.RETURNED else "bearing looked at",
    )


def alarms(plan: Plan, count: int, now: int) -> list[Alarm]:
    """Make so many alarms over the last days; of half the machines the last waits for a person."""
    made, assets = [], plan.assets
    for number in range(1, count + 1):
        place = number % len(assets)
        own = [tag for tag in plan.tags if tag.name.rpartition("/")[0] == assets[place].path]
        waits = number > count - len(assets) // 2
        state = AlarmState.RETURNED if waits else AlarmState.NORMAL
        made.append(alarm(number, assets[place].path, own, now - (count - number) * 300 * S, state))
    return made


def keep(plan: Plan, kept: Sequence[Alarm]) -> None:
    """Put alarms into the state from which the gateway will begin."""
    journal = Journal.open(plan.data / "journal.db")
    handles = journal.register(plan.tags, time.time_ns())
    pipeline = Pipeline(plan, handles, lambda _name, call: call())
    pipeline.replay(journal.read(after=0))
    pipeline.book.recall(kept)
    journal.save_snapshot(SNAPSHOT, journal.committed, pipeline.state())
    journal.commit_now()
    journal.close()


def serve(folder: Path, count: int, alarmed: int) -> None:
    """Make the plant in `folder`, run its gateway and print where, until SIGTERM."""
    start = (time.time_ns() // S - PAST_S) * S
    past, live = folder / "past.csv", folder / "live.csv"
    record(past, count, start, PAST_S, seed=1)
    known = tags(count)
    paths = dict.fromkeys(tag.name.rpartition("/")[0] for tag in known)
    plan = Plan(
        name="line-1",
        data=folder / "data",
        console=ConsolePlan(port=0),
        sources=(ReplayConfig(name="line", file=live),),
        tags=known,
        assets=tuple(asset_of(path, known) for path in paths),
        detection=DetectionPlan(learn_s=LEARN_S),
    )
    run(plan, [partial(ReplaySource, ReplayConfig(name="line", file=past, speed=0))])
    keep(plan, alarms(plan, alarmed, time.time_ns()))
    record(live, count, time.time_ns() // S * S, LIVE_S, seed=2)

    async def story() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

        def hear(kind: str, _row: dict[str, Any]) -> None:
            if kind == "live":
                print(json.dumps({"url": gateway.url}), flush=True)

        gateway = Gateway(plan, on_event=hear)
        await gateway.run(stop)

    asyncio.run(story())


def reads(url: str) -> bool:
    """Tell whether a gateway reads its source."""
    with urlopen(f"{url}/api/line", timeout=PATIENCE_S) as page:
        return bool(json.load(page)["sources"][0]["connected"])


@contextmanager
def served(folder: Path, count: int, alarmed: int) -> Iterator[str]:
    """Run `serve` in a process of its own; give the address of the console."""
    words = ("--serve", str(folder), "--signals", str(count), "--alarms", str(alarmed))
    command = [sys.executable, "-m", "bench.firstview", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the gateway did not start; its words are above")
            url = str(json.loads(line)["url"])
            until = time.monotonic() + PATIENCE_S
            while not reads(url) and time.monotonic() < until:
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def opened(browser: Browser, url: str, stands: str) -> dict[str, float]:
    """Open a page in a new window; give ms until it is drawn, and bytes until then."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    found = {"bytes": 0, "requests": 0}

    def count(name: str, amount: int) -> None:
        found[name] += amount

    wire.on("Network.dataReceived", lambda row: count("bytes", int(row["encodedDataLength"])))
    wire.on("Network.responseReceived", lambda _: count("requests", 1))
    page.add_init_script(DRAWN % stands)
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(url, wait_until="commit")
    drawn = float(page.evaluate("window.drawn"))
    context.close()
    return {"drawn_ms": round(drawn), **found}


def asked(url: str) -> dict[str, float]:
    """Ask the gateway itself: ms of the best of three, and bytes on the wire."""
    took, length = [], 0
    for _ in range(3):
        begun = time.perf_counter()
        with urlopen(Request(url, headers={"Accept-Encoding": "gzip"}), timeout=60) as page:
            length = len(page.read())
        took.append(time.perf_counter() - begun)
    return {"ms": round(1000 * min(took), 1), "bytes": length}


def pages(count: int, alarmed: int) -> dict[str, tuple[str, str]]:
    """Give each page with the condition under which its content stands."""
    machines = -(-count // EACH)
    path = quote(tags(1)[0].name.rpartition("/")[0])
    rows = "document.querySelectorAll('main tbody tr').length"
    return {
        "line": ("/", f"document.querySelectorAll('li.tile').length >= {machines}"),
        "alarms, first rows": ("/alarms", f"{rows} >= 20"),
        "alarms, all": ("/alarms", f"{rows} >= {alarmed}"),
        "asset": (
            f"/asset?path={path}",
            f"document.querySelectorAll('.chart canvas').length >= 3 && {rows} >= {EACH}",
        ),
    }


def measured(count: int, alarmed: int, goes: int) -> dict[str, Any]:
    """Measure everything."""
    told: dict[str, Any] = {"machine": machine(), "signals": count, "alarms": alarmed}
    chromium = next(filter(Path.exists, CHROMIUM), None)
    if chromium is None:
        raise SystemExit("no Chromium here; apt-get install -y chromium-headless-shell")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), count, alarmed) as url,
        sync_playwright() as playwright,
    ):
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=str(chromium), args=flags)
        for name, (path, stands) in pages(count, alarmed).items():
            found = [opened(browser, url + path, stands) for _ in range(goes)]
            told[name] = {
                key: {"median": statistics.median(each), "most": max(each)}
                for key in found[0]
                for each in [[one[key] for one in found]]
            }
        browser.close()
        told["answers"] = {name: asked(url + name) for name in ("/api/line", "/api/alarms")}
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--signals", type=int, default=500)
    parser.add_argument("--alarms", type=int, default=1000)
    parser.add_argument("--goes", type=int, default=5)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.serve is not None:
        serve(told.serve, told.signals, told.alarms)
        return
    print(json.dumps(measured(told.signals, told.alarms, told.goes), indent=2))


if __name__ == "__main__":
    main()
