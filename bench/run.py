"""Measures the whole gateway under load and prints one JSON document.

Three runs, one after the other, each a gateway of its own with load sources in their own
processes: the headline (5,000 OPC UA tags at 10 Hz, 50 Modbus units of 100 registers at 1 Hz), the
same with asyncua's handler in place of the columnar decoder, and a small plant (1,000 tags at 1 Hz)
for the share of a core that the gateway takes when there is little to do.

    python -m bench.run [headline] [handler] [idle]
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import meter, proof
from bench.loads.formula import MODBUS_REGISTERS, MODBUS_UNITS
from bench.machine import machine
from bench.scenario import Scenario
from gateway.config.loader import load
from gateway.journal import Journal

ROOT = Path(__file__).parents[1]
MODBUS_SOURCE = ROOT / "bench" / "loads" / "modbus_load.c"
START_S = 60.0
LEARNT_S = 150.0
"""All assets learn at once and have done so by now; what a fit costs is not part of every day."""
STOP_S = 15.0
SETTLE_S = 1.0
LEAST_RATIO, MOST_US, MOST_RSS_MB, MOST_IDLE = 5.0, 2.5, 200.0, 0.05

SCENARIOS = (
    Scenario(
        name="headline",
        tags=5_000,
        period_ms=100,
        units=MODBUS_UNITS,
        decode="columns",
        warm_s=LEARNT_S,
        measure_s=30.0,
    ),
    Scenario(
        name="handler",
        tags=5_000,
        period_ms=100,
        units=MODBUS_UNITS,
        decode="handler",
        warm_s=30.0,
        measure_s=20.0,
    ),
    Scenario(
        name="idle",
        tags=1_000,
        period_ms=1_000,
        units=0,
        decode="columns",
        warm_s=20.0,
        measure_s=30.0,
    ),
)


@dataclass(slots=True)
class Load:
    """A load source: its port, and what it sent once it has ended."""

    port: int
    sent: dict[str, Any]


@contextmanager
def load_source(command: list[str]) -> Iterator[Load]:
    """Run a load source; it says its port at first and what it sent at last."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        load_ = Load(json.loads(process.stdout.readline())["port"], {})
        try:
            yield load_
        finally:
            process.send_signal(signal.SIGTERM)
            load_.sent = json.loads(process.stdout.readline() or "{}")


@contextmanager
def gateway(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a gateway in its own process; stop it in order."""
    command = [str(Path(sys.executable).with_name("wheeltapper")), "run", str(config), "--json"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_values(log: Path, sources: int, process: subprocess.Popen[bytes]) -> str:
    """Wait for the first value of every source and give the address of the console."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        rows = [json.loads(line) for line in lines if line[:1] == "{" and line[-1:] == "\n"]
        stages = [row["stage"] for row in rows]
        if stages.count("first_value") >= sources:
            return str(next(row["url"] for row in rows if row["stage"] == "console"))
        time.sleep(0.2)
    raise SystemExit(f"the gateway ended or gave no value in {START_S:g} s:\n{log.read_text()}")


def build_modbus(folder: Path) -> str:
    """Compile the Modbus load source."""
    if shutil.which("gcc") is None or shutil.which("pkg-config") is None:
        raise SystemExit("bench needs a C compiler: apt install gcc pkg-config libmodbus-dev")
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libmodbus"], capture_output=True, text=True
    )
    if flags.returncode:
        raise SystemExit("bench needs libmodbus: apt install libmodbus-dev")
    program = folder / "modbus_load"
    source = ["gcc", "-O2", str(MODBUS_SOURCE), "-o", str(program), *flags.stdout.split()]
    subprocess.run(source, check=True)
    return str(program)


def numbers(journal: Journal, config: Path) -> NDArray[np.int64]:
    """Give the load's number of each tag by its handle."""
    handles = journal.register(load(config).tags, time.time_ns())
    found = np.full(1 + max(each.handle for each in handles), -1, np.int64)
    for each in handles:
        asset, signal_name = each.tag.asset, each.tag.signal
        base = 0
        if each.tag.source == "modbus":
            base = MODBUS_REGISTERS * int(asset.rpartition("unit-")[2].partition("-")[0])
        found[each.handle] = base + int(signal_name[1:])
    return found


def measure(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Run one scenario and give its figures."""
    opcua = [sys.executable, "-m", "bench.loads.opcua_load", "--tags", str(scenario.tags)]
    with ExitStack() as loads:
        first = loads.enter_context(load_source([*opcua, "--period-ms", str(scenario.period_ms)]))
        modbus_port = 0
        if scenario.units:
            program = build_modbus(folder)
            modbus_port = loads.enter_context(load_source([program, "0"])).port
        config = scenario.write(folder, first.port, modbus_port)
        log = folder / "gateway.log"
        with gateway(config, log) as process:
            url = wait_for_values(log, 2 if scenario.units else 1, process)
            time.sleep(scenario.warm_s)
            before = meter.read(process.pid, url)
            time.sleep(scenario.measure_s)
            after = meter.read(process.pid, url)
            time.sleep(SETTLE_S)
    return figures(scenario, config, before, after) | {"opcua_load": first.sent}


def figures(
    scenario: Scenario, config: Path, before: meter.Reading, after: meter.Reading
) -> dict[str, Any]:
    """Put the readings and the journal together."""
    path = config.parent / "data" / "journal.db"
    journal = Journal.open(path)
    try:
        number = numbers(journal, config)
        held = proof.columns(journal, "opcua")
        found = {"opcua": proof.prove_opcua(held, number, scenario.signals, before.at, after.at)}
        total = len(held.tag)
        if scenario.units:
            held = proof.columns(journal, "modbus")
            found["modbus"] = proof.prove_modbus(held, number, before.at, after.at)
            total += len(held.tag)
    finally:
        journal.close()
    seconds = (after.at - before.at) / 1e9
    samples = after.samples - before.samples
    cpu_s = after.cpu_s - before.cpu_s
    return {
        "seconds": round(seconds, 2),
        "samples_per_s": round(samples / seconds),
        "cpu_us_per_sample": round(1e6 * cpu_s / max(samples, 1), 3),
        "core_share": round(cpu_s / seconds, 4),
        "verdict_p50_ms": meter.quantile_ms(before, after, 0.50),
        "verdict_p99_ms": meter.quantile_ms(before, after, 0.99),
        "rss_mb": round(max(before.rss, after.rss) / 2**20, 1),
        "journal_bytes_per_sample": round(path.stat().st_size / total, 2),
        "proof": {source: part.report() for source, part in found.items()},
    }


def verdicts(runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Hold the runs that were made against the bars."""
    held: dict[str, Any] = {}
    headline = runs.get("headline")
    if headline:
        held["keeps_up"] = all(part["proved"] for part in headline["proof"].values())
        held["cpu"] = headline["cpu_us_per_sample"] <= MOST_US
        held["rss"] = headline["rss_mb"] <= MOST_RSS_MB
    if headline and "handler" in runs:
        ratio = runs["handler"]["cpu_us_per_sample"] / headline["cpu_us_per_sample"]
        held["times_cheaper_than_handler"] = round(ratio, 2)
        held["cheaper_than_handler"] = ratio >= LEAST_RATIO
    if "idle" in runs:
        held["idle"] = runs["idle"]["core_share"] < MOST_IDLE
    return held


def main() -> None:
    """Run the chosen scenarios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("scenario", nargs="*", metavar="|".join(names), help="all unless named")
    chosen = parser.parse_args().scenario or names
    if unknown := set(chosen) - set(names):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    runs: dict[str, dict[str, Any]] = {}
    for scenario in SCENARIOS:
        if scenario.name in chosen:
            print(f"{scenario.name} …", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="wheeltapper-bench-") as folder:
                runs[scenario.name] = measure(scenario, Path(folder))
    held = verdicts(runs)
    print(json.dumps({"machine": machine(), **runs, "bars": held}, indent=2))
    sys.exit(0 if all(held.values()) else 1)


if __name__ == "__main__":
    main()
