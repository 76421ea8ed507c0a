"""A gateway that is killed: what it missed stands in the ledger as its server can prove it."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gateway.journal import Journal, SampleRecord
from plant.quality import is_good
from plant.samples import Recovery
from tests.lacking import need_node_opcua
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(120)]

PARTS = Path(__file__).parents[1] / "parts"
TAGS = 3
PERIOD_MS = 100
BEFORE, DOWN = 15, 20
"""Ticks that the server makes before the gateway is killed, and before it is started again."""
WITNESSES = {
    "node-opcua": ["node", str(PARTS / "node-opcua" / "witness.js")],
    "asyncua": [sys.executable, str(PARTS / "asyncua" / "witness.py")],
}
NEEDS = {"node-opcua": need_node_opcua, "asyncua": lambda: None}
CONFIG = """\
version = 1
tags = "tags.csv"
[gateway]
name = "ledger"
[console]
port = 0
[[source]]
type = "opcua"
name = "plc"
url = "opc.tcp://127.0.0.1:{port}/UA/plc"
security = "none"
sampling_ms = 0
queue = {queue}
"""


@dataclass
class Told:
    """A process that writes JSON lines."""

    process: "subprocess.Popen[str]"
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        # Libraries of the servers have something to say in between.
        for line in filter(lambda line: line.startswith("{"), self.process.stdout):
            self.rows.append(json.loads(line))

    def wait(self, wanted: Callable[[dict[str, Any]], object], seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not any(wanted(row) for row in list(self.rows)):
            assert time.monotonic() < until, self.rows[-3:]
            assert self.process.poll() is None, "it ended by itself"
            time.sleep(0.02)

    def moved(self, ticks: int) -> None:
        """Wait until a server has made so many ticks from now on: tick n is of its n-th period."""
        now = time.time_ns() // 1_000_000 // PERIOD_MS
        self.wait(lambda _: sum(row.get("n", 0) > now for row in list(self.rows)) >= ticks)

    def end(self) -> None:
        self.process.wait(timeout=60)
        self._reader.join(timeout=60)
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()


@contextmanager
def told(command: list[str]) -> Iterator[Told]:
    """Run a process that writes JSON lines; it is killed at the end if it still runs."""
    pipe = subprocess.PIPE
    running = Told(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
    try:
        yield running
    finally:
        running.process.kill()
        running.end()


@contextmanager
def witness(kind: str, folder: Path, *, history: bool) -> Iterator[tuple[int, Told]]:
    settings = {"tags": TAGS, "period": PERIOD_MS, "history": history, "pki": str(folder / "pki")}
    NEEDS[kind]()
    port = free_port()
    with told([*WITNESSES[kind], json.dumps({**settings, "port": port})]) as running:
        running.wait(lambda row: "up" in row)
        yield port, running


def configure(folder: Path, port: int, queue: int) -> Path:
    sheet = ["tag,source,address"]
    sheet += [f"a/p/T{i},plc,nsu=urn:plant:line;s=Line1.T{i}" for i in range(TAGS)]
    (folder / "tags.csv").write_text("\n".join(sheet), encoding="utf-8")
    config = folder / "line.toml"
    config.write_text(CONFIG.format(port=port, queue=queue), encoding="utf-8")
    return config


def killed_and_started_again(config: Path, server: Told) -> tuple[dict[str, Any], float, float]:
    """Kill a gateway, start it again; give the settled gap, and the span without a gateway, ms."""
    command = [sys.executable, "-m", "wheeltapper", "run", str(config), "--json"]
    with told(command) as gateway:
        gateway.wait(lambda row: row["stage"] == "first_value")
        server.moved(BEFORE)
        killed = time.time() * 1000
        gateway.process.kill()
    server.moved(DOWN)
    started = time.time() * 1000
    with ExitStack() as stack:
        gateway = stack.enter_context(told(command))
        gateway.wait(lambda row: row["stage"] == "gap" and row["lost"] is not None)
        time.sleep(0.5)
        gateway.process.terminate()
        gateway.process.wait(timeout=60)
    gap = next(row for row in reversed(gateway.rows) if row["stage"] == "gap")
    return gap, killed, started


@dataclass
class Stored:
    """What stands in the journal of one tag: its ticks, by the way they came."""

    live: list[int] = field(default_factory=list)
    recovered: list[int] = field(default_factory=list)


def stored(data: Path) -> list[Stored]:
    tags = [Stored() for _ in range(TAGS)]
    journal = Journal.open(data / "journal.db")
    for _, entry in journal.read(kinds=[SampleRecord]):
        assert isinstance(entry, SampleRecord)
        batch = entry.batch
        way = "live" if batch.recovered is Recovery.NONE else "recovered"
        for value in batch.value[is_good(batch.status)].tolist():
            n, index = divmod(round(value), 1000)
            getattr(tags[index], way).append(n)
    journal.close()
    return tags


def made(running: Told, have: list[int]) -> set[int]:
    """Ticks that the server says it made, from the first to the last that came."""
    said = {row["n"] for row in running.rows if "n" in row}
    return {n for n in said if min(have) <= n <= max(have)}


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize(
    ("kind", "history", "queue"),
    [("node-opcua", True, 4), ("node-opcua", False, 4), ("asyncua", True, 1000)],
)  # fmt: skip
def test_killed_the_ledger_is_right_by_the_record_of_the_server(
    tmp_path: Path, kind: str, *, history: bool, queue: int
) -> None:
    with witness(kind, tmp_path, history=history) as (port, server):
        gap, killed, started = killed_and_started_again(configure(tmp_path, port, queue), server)
        tags = stored(tmp_path / "data")
    assert gap["cause"] == "stopped"
    assert gap["id"] == 1
    assert gap["start"] <= killed < started <= gap["stop"]
    missing = 0
    for tag in tags:
        have = tag.live + tag.recovered
        # The present value is sent again on connecting; that alone may stand there twice.
        assert len(set(tag.live)) >= len(tag.live) - 1
        assert len(set(tag.recovered)) == len(tag.recovered)
        assert not set(tag.live) & set(tag.recovered)
        missing += len(made(server, have) - set(have))
    assert gap["republished"] + gap["history"] == sum(len(tag.recovered) for tag in tags)
    # Reckoned by the rate before; a busy server may have made fewer than its period allows.
    slots = TAGS * (gap["stop"] - gap["start"]) / PERIOD_MS
    least, most = (0, 0) if history else (0.5 * missing - 10, 1.5 * slots + 10)
    assert least <= gap["lost"] <= most
    assert (missing > 0) is (gap["lost"] > 0)
