"""A simulated line on loopback sockets, and the configuration of a gateway that reads it."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.simulated.line import SimulatedLine

SEED = 11
CONFIG = """\
version = 1
tags = "tags.csv"
[gateway]
name = "journey"
[console]
port = 0
[detection]
learn_s = 120
[[source]]
type = "opcua"
name = "line-opcua"
url = "opc.tcp://127.0.0.1:{opcua}"
security = "none"
[[source]]
type = "modbus"
name = "line-modbus"
host = "127.0.0.1"
port = {modbus}
"""


@dataclass(frozen=True)
class Plant:
    """The line as it is served: what it shows at any time, and where."""

    line: SimulatedLine
    ports: dict[str, int]

    def configure(self, folder: Path) -> Path:
        """Write a configuration that reads every tag of the line."""
        columns = ("tag", "source", "address", "type", "unit", "scale", "offset", "role")
        with (folder / "tags.csv").open("w", newline="", encoding="utf-8") as sheet:
            rows = csv.writer(sheet)
            rows.writerow(columns)
            for tag in self.line.tags:
                scaling = (tag.unit, tag.scale, tag.offset)
                rows.writerow([tag.name, tag.source, tag.address, tag.type, *scaling, tag.role])
        config = folder / "line.toml"
        assets = "".join(f'[[asset]]\npath = "{path}"\n' for path in self.line.asset_paths)
        config.write_text(CONFIG.format(**self.ports) + assets, encoding="utf-8")
        return config


Serve = Callable[..., AbstractContextManager[dict[str, int]]]


@contextmanager
def served(*story: str, opcua: int = 0, modbus: int = 0) -> Iterator[dict[str, int]]:
    """Serve a simulated line in a process of its own; give the ports. It is killed at the end."""
    where = ["--opcua-port", str(opcua), "--modbus-port", str(modbus)]
    process = subprocess.Popen(
        [sys.executable, "-m", "connectors.simulated", *story, *where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait(timeout=60)
        process.stdin.close()
        process.stdout.close()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """The simulated line, as a story to be served."""
    return served


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    """Serve a healthy line for the tests of a module."""
    start = (time.time_ns() // 10**9 - 3600) * 10**9
    story = ("--seed", str(SEED), "--fault", "none", "--start", str(start))
    with served(*story) as ports:
        yield Plant(SimulatedLine(SEED, fault="none", start=start), ports)
