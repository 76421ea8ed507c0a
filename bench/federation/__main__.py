"""Measure what a federation brings and what it sends: `python -m bench.federation`.

``--walk FOLDER`` goes the whole way through the commands instead, and leaves its files there.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.federation import figures, watches
from bench.federation.figures import LOADS, plan_of
from bench.federation.live import Live
from bench.federation.sites import HOUR_NS, LoadedLine, Machine, Struck, keep_history
from bench.federation.walk import Walk, command, when
from bench.machine import machine
from wheeltapper.walks.stage import Stage

FLOWER_IDLE_MB_A_DAY = 35.0
"""Measured of Flower 1.41.0: what a node that only waits polls."""
WEEK_S = 7 * 24 * 3600
LEARNT_H, SCORED_H, JUDGED_H = 10.5, 21.0, 24.0
LIVE_H = 36
"""Hours of recording; the walk ends long before them."""
FAULT = Struck("cavitation", 22.0, 22.5, 0.5)


def bytes_a_week(folder: Path, configs: dict[str, Path]) -> dict[str, Any]:
    """Give what a gateway with one pump sent in one round of each kind, beside its raw values."""
    sent = [len(path.read_bytes()) for path in (folder / "centre").glob("*.wtm")]
    line = LoadedLine(Machine("x", 0, (0.0, 0.0)))
    columns = len(plan_of(line).signals) + 1
    return {
        "messages": sorted(sent),
        "bytes_a_week": round(sum(sent) / len(configs)),
        "raw_bytes_a_week": columns * 8 * WEEK_S,
        "flower_idle_bytes_a_week": round(7 * FLOWER_IDLE_MB_A_DAY * 1e6),
    }


def walked(folder: Path) -> dict[str, Any]:
    """Go the whole way with three gateways."""
    if folder.exists():
        raise SystemExit(f"{folder} is there already: what was told is not told twice")
    folder.mkdir(parents=True)
    folder = folder.resolve()
    start = (time.time_ns() // HOUR_NS - LIVE_H - round(JUDGED_H)) * HOUR_NS
    machines = {
        name: Machine(
            name, seed, load, None, (FAULT,) if name == "middle" else (), start,
            f"{name}/hall-1/line-1/pump-1",
        )
        for seed, (name, load) in enumerate(LOADS.items(), 1)
    }  # fmt: skip
    with Stage(folder) as stage:
        live = Live(stage, machines, round(JUDGED_H))
        configs = live.configure()
        for name, machine in machines.items():
            keep_history(folder / name / "data", machine, round(JUDGED_H))
        live.record(LIVE_H)
        walk = told_together(folder, configs, machines["middle"].path, start)
        lasted = live.tell(walk.model, walk.trust)
    return bytes_a_week(folder, configs) | lasted


def told_together(folder: Path, configs: dict[str, Path], faulty: str, start: int) -> Walk:
    """Make one model of three histories, and compare it."""
    faults = folder / "faults.csv"
    span = f"{when(FAULT.start_h, start)},{when(FAULT.stop_h, start)}"
    faults.write_text(f"gateway,asset,from,to\nmiddle,{faulty},{span}\n", encoding="utf-8")
    first = next(iter(configs))
    walk = Walk(folder, configs, asset=f"{first}/hall-1/line-1/pump-1", start=start)
    walk.agree()
    agreed = ("--plan", walk.plan, "--trust", walk.trust)
    learnt = ("--from", when(0, start), "--to", when(LEARNT_H, start))
    command("federation", "contribute", configs[first], *agreed, *learnt, "--dry-run")
    walk.contribute(0, LEARNT_H)
    walk.merge()
    walk.contribute(LEARNT_H, SCORED_H, "--scores", walk.moments)
    walk.limit()
    walk.compare(JUDGED_H, "--faults", faults)
    command("federation", "log", configs[first])
    return walk


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.federation", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--strength", type=float, default=0.25, help="of the faults")
    parser.add_argument(
        "--watches", action="store_true", help="what gateways raise, row by row (longer)"
    )
    parser.add_argument("--walk", type=Path, metavar="FOLDER")
    wish = parser.parse_args()
    if wish.walk is not None:
        print(json.dumps(walked(wish.walk), indent=1))
        return
    kind: Any = watches if wish.watches else figures
    rows = []
    for seed in range(wish.seeds):
        found = kind.seed_figures(seed, wish.strength)
        rows += found
        sys.stderr.write(f"seed {seed} done: {json.dumps(kind.summary(found))}\n")
    told = kind.summary(rows) | {"strength": wish.strength, "seeds": wish.seeds, "rows": rows}
    print(json.dumps(told | {"machine": machine()}, indent=1))


if __name__ == "__main__":
    main()
