"""Measures the sources alone and prints one JSON document.

Each row is a consumer in a process of its own against a load in another: CPU a notification at
100, 1,000 and 5,000 monitored items, without security and with Basic256Sha256 (SignAndEncrypt),
one data type and four, beside asyncua's own handler and iterator in the same run; then registers
a second over Modbus, and a scattered map beside one request a tag.

    python -m bench.sources [opcua] [modbus]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import machine
from bench.modbus_reader import MAPS
from bench.run import ROOT, build_modbus, load_source

SIZES = (100, 1_000, 5_000)
PERIOD_MS = 200
TIMES_CHEAPER = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    consumer: str
    items: int
    secured: bool = False
    mixed: bool = False

    @property
    def name(self) -> str:
        """Key in the printed JSON."""
        security = "SignAndEncrypt" if self.secured else "None"
        return f"{self.consumer}, {self.items} items, {security}, {4 if self.mixed else 1} type(s)"


def rows() -> list[Row]:
    """Give every measurement, those that are compared side by side in time."""
    found: list[Row] = []
    for items in SIZES:
        found += [
            Row("columns", items, secured=secured, mixed=mixed)
            for secured in (False, True)
            for mixed in (False, True)
        ]
        found += [Row("handler", items), Row("iterator", items)]
    return found


def measure(row: Row, folder: Path) -> dict[str, Any]:
    """Run one consumer against a fresh load."""
    trusted = folder / "trusted/certs"
    trusted.mkdir(parents=True, exist_ok=True)
    load = [sys.executable, "-m", "bench.loads.opcua_load", "--tags", str(row.items)]
    load += ["--period-ms", str(PERIOD_MS)]
    load += [] if row.mixed else ["--doubles"]
    load += ["--certificate", str(trusted / "load.der")] if row.secured else []
    with load_source(load) as started:
        command = [sys.executable, "-m", "bench.consumers", row.consumer, "--port"]
        command += [str(started.port), "--tags", str(row.items), "--period-ms", str(PERIOD_MS)]
        command += ["--trust", str(folder)] if row.secured else []
        return _asked(command)


def measure_opcua() -> dict[str, dict[str, Any]]:
    """Measure every row, each against a load of its own."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows():
        print(f"{row.name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="wheeltapper-bench-") as folder:
            found[row.name] = measure(row, Path(folder))
    return found


def measure_modbus() -> dict[str, dict[str, Any]]:
    """Measure every map."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="wheeltapper-bench-") as folder:
        program = build_modbus(Path(folder))
        for name in MAPS:
            print(f"modbus, {name} …", file=sys.stderr, flush=True)
            with load_source([program, "0"]) as started:
                command = [sys.executable, "-m", "bench.modbus_reader", name, "--port"]
                found[name] = _asked([*command, str(started.port)])
    return found


def _asked(command: list[str]) -> dict[str, Any]:
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def verdicts(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Compare what was measured in this run."""
    ours = found[Row("columns", SIZES[-1]).name]["us_per_sample"]
    sealed = found[Row("columns", SIZES[-1], secured=True).name]["us_per_sample"]
    theirs = found[Row("handler", SIZES[-1]).name]["us_per_sample"]
    return {
        "times_cheaper_than_handler": round(theirs / ours, 1),
        "secured_over_none": round(sealed / ours, 2),
        "cheaper_than_handler": theirs / ours >= TIMES_CHEAPER,
    }


PARTS = {"opcua": measure_opcua, "modbus": measure_modbus}


def main() -> None:
    """Measure the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", nargs="*", metavar="|".join(PARTS), help="both unless named")
    chosen = parser.parse_args().part or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    found = {part: PARTS[part]() for part in chosen}
    held = verdicts(found["opcua"]) if "opcua" in found else {}
    print(json.dumps({"machine": machine(), **found, "bars": held}, indent=2))
    sys.exit(0 if all(held.values()) else 1)


if __name__ == "__main__":
    main()
