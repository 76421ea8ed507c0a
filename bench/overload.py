"""Gives a gateway three times what its processor can take, and prints one JSON document.

The gateway is allowed a third of the processor time that its load needs, for a minute. Memory must
stay bounded, the age of the data must be shown and told, and every hole in the samples of a tag
must end with one whose status says Overflow: that is how a server tells that it dropped some.

    python -m bench.overload
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import meter, proof
from bench.loads.opcua_subscription import OVERFLOW
from bench.machine import machine
from bench.run import gateway, load_source, numbers, wait_for_values
from bench.scenario import Scenario
from bench.throttle import throttled
from gateway.journal import Journal

TIMES = 3.0
CALM_S, OVERLOAD_S, AFTER_S = 20.0, 60.0, 75.0
MOST_RSS_MB = 256.0
SCENARIO = Scenario(
    name="overload",
    tags=5_000,
    period_ms=100,
    units=0,
    decode="columns",
    warm_s=60.0,
    measure_s=OVERLOAD_S,
)


@dataclass(slots=True)
class Watched:
    """What was seen of the gateway from outside while it was overloaded."""

    rss_mb: float = 0.0
    degraded: int = 0
    asked: int = 0
    words: str = ""


def ask(url: str, path: str) -> Any:
    """Ask the console; a throttled gateway is slow to answer."""
    with urllib.request.urlopen(url + path, timeout=60) as answer:
        return json.load(answer)


def watch(pid: int, url: str, seconds: float) -> Watched:
    """Look at memory and health until the time is over."""
    seen = Watched()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        health = ask(url, "/health")
        seen.asked += 1
        seen.degraded += health["status"] == "degraded"
        seen.words = json.dumps(health) if health["status"] == "degraded" else seen.words
        seen.rss_mb = max(seen.rss_mb, meter.usage(pid)[1] / 2**20)
        time.sleep(1.0)
    return seen


def holes(folder: Path, config: Path) -> dict[str, int]:
    """Read the journal: holes in the ticks of a tag, and those that no Overflow tells of."""
    journal = Journal.open(folder / "data" / "journal.db")
    try:
        number = numbers(journal, config)
        held = proof.columns(journal, "opcua")
    finally:
        journal.close()
    tag, tick = number[held.tag], SCENARIO.signals.tick(held.at)
    order = np.lexsort((tick, tag))
    tag, tick, status = tag[order], tick[order], held.status[order]
    same = np.diff(tag) == 0
    missing = np.where(same, np.diff(tick) - 1, 0)
    hole = missing > 0
    told = (status[1:] & OVERFLOW) == OVERFLOW
    return {
        "journalled": len(tag),
        "missing": int(missing[hole].sum()),
        "holes": int(np.count_nonzero(hole)),
        "untold": int(np.count_nonzero(hole & ~told)),
        "twice": int(np.count_nonzero(same & (np.diff(tick) == 0))),
    }


def measure(folder: Path) -> dict[str, Any]:
    """Run the load, calm and then too much."""
    load = [sys.executable, "-m", "bench.loads.opcua_load", "--tags", str(SCENARIO.tags)]
    with load_source([*load, "--period-ms", str(SCENARIO.period_ms)]) as started:
        config = SCENARIO.write(folder, started.port, 0)
        with gateway(config, folder / "gateway.log") as process:
            url = wait_for_values(folder / "gateway.log", 1, process)
            time.sleep(SCENARIO.warm_s)
            before = meter.read(process.pid, url)
            time.sleep(CALM_S)
            after = meter.read(process.pid, url)
            needed = (after.cpu_s - before.cpu_s) / ((after.at - before.at) / 1e9)
            with throttled(process.pid, needed / TIMES):
                seen = watch(process.pid, url, OVERLOAD_S)
            time.sleep(AFTER_S)
            health, gaps = ask(url, "/health"), ask(url, "/api/gaps")["gaps"]
    return {
        "processor_needed": round(needed, 4),
        "processor_given": round(needed / TIMES, 4),
        "rss_mb": round(seen.rss_mb, 1),
        "asked": seen.asked,
        "told_degraded": seen.degraded,
        "words": seen.words,
        "afterwards": health["status"],
        "gaps": [{k: gap[k] for k in ("cause", "lost", "estimated", "why")} for gap in gaps],
        "load": started.sent,
        "journal": holes(folder, config),
    }


def verdicts(found: dict[str, Any]) -> dict[str, bool]:
    """Hold the run against the bars."""
    return {
        "overloaded": found["load"]["dropped"] > 0,
        "memory_bounded": found["rss_mb"] <= MOST_RSS_MB,
        "age_told": found["told_degraded"] > 0,
        "in_the_ledger": any(gap["cause"] == "overload" for gap in found["gaps"]),
        "nothing_lost_silently": found["journal"]["untold"] == 0,
        "back_to_normal": found["afterwards"] == "ok",
    }


def main() -> None:
    """Run the overload."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    with tempfile.TemporaryDirectory(prefix="wheeltapper-bench-") as folder:
        found = measure(Path(folder))
    held = verdicts(found)
    print(json.dumps({"machine": machine(), "overload": found, "bars": held}, indent=2))
    sys.exit(0 if all(held.values()) else 1)


if __name__ == "__main__":
    main()
