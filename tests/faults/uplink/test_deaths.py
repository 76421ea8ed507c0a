"""P19 and P20: the gateway is killed again and again while it sends; its disk is full."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.config.loader import load
from tests.faults.evidence import Evidence, missing, read
from tests.faults.plc import Witness, tags_of
from tests.faults.rows import Row
from tests.faults.uplink.receiving import MS, Central, central, drained, judged
from tests.lacking import need_node_opcua
from wheeltapper.running import ask

TAGS, PERIOD_MS = 20, 50
KILLS, KILLS_FULL = 20, 200
START_S = 30.0
SEED = 5
FULL_S = 15.0
SERVER = "node-opcua → gateway → proxy → InfluxDB 1.6"
CONFIG = """\
version = 1
tags = "tags.csv"
[gateway]
name = "faults"
[console]
port = 0
[[source]]
type = "opcua"
name = "plc"
url = "{url}"
security = "none"
publishing_ms = 100
sampling_ms = 0
queue = 1000
[[sink]]
type = "influx"
name = "central"
url = "{central}"
api = "v1"
bucket = "plant"
raw = true
"""


def configured(folder: Path, witness: Witness, store: Central) -> Path:
    """Write a configuration that reads the witness and sends to the store."""
    config = folder / "line.toml"
    config.write_text(CONFIG.format(url=witness.url, central=store.proxy.url), "utf-8")
    rows = [f"{tag.name},plc,{tag.address}" for tag in tags_of("plc", TAGS)]
    (folder / "tags.csv").write_text("\n".join(["tag,source,address", *rows]) + "\n", "utf-8")
    return config


class Running:
    """A gateway in a process of its own."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self.url = ""

    async def __aenter__(self) -> "Running":
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wheeltapper", "run", str(self._config), "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert self._process.stdout
        async with asyncio.timeout(START_S):
            while True:
                said = await self._process.stdout.readline()
                assert said, "the gateway ended by itself"
                told: dict[str, Any] = json.loads(said) if said.startswith(b"{") else {}
                self.url = told.get("url", self.url)
                if told.get("stage") == "first_value":
                    return self

    async def __aexit__(self, *_error: object) -> None:
        """Kill it, without a word."""
        self._process.kill()
        await self._process.communicate()

    def sinks(self) -> list[Any]:
        return list(ask(self.url, "/api/sinks")["sinks"])


def measured(row: Row, witness: Witness, store: Central, config: Path) -> None:
    """Judge what was left behind by gateways that were killed."""
    plan = load(config)
    verdict = judged(witness, plan.tags, read(plan.data, plan.tags), store.points())
    row.measured(
        made=verdict.made,
        acknowledged=verdict.acknowledged,
        lost=verdict.lost,
        invented=verdict.invented,
        sent_again=max(0, store.lines() - verdict.acknowledged),
    )
    assert (verdict.lost, verdict.invented) == (0, 0)


async def drained_and_quiet(witness: Witness, running: Running) -> float:
    """Wait until all is sent, with the source gone in the end; give how long it took, s."""
    took = await asyncio.to_thread(drained, running.sinks)
    await witness.kill()
    await asyncio.sleep(2.0)
    await asyncio.to_thread(drained, running.sinks)
    return took


async def killed(folder: Path, kills: int, row: Row) -> None:
    moments = random.Random(SEED)
    with central(folder) as store:
        async with Witness(folder, {"tags": TAGS, "period": PERIOD_MS}) as witness:
            config = configured(folder, witness, store)
            for _ in range(kills):
                async with Running(config):
                    await asyncio.sleep(moments.uniform(0.2, 2.0))
            async with Running(config) as last:
                took = await drained_and_quiet(witness, last)
        row.measured(kills=kills, backlog_sent_within=f"{took:.1f} s")
        measured(row, witness, store, config)


@pytest.mark.pain(
    "P19",
    f"the gateway is killed with -9 while it sends, {KILLS} times ({KILLS_FULL} with FULL=1)",
    SERVER,
    "acknowledged samples lost 0; invented 0",
)
def test_p19_killed_while_it_sends(tmp_path: Path, full: bool, row: Row) -> None:
    need_node_opcua()
    asyncio.run(killed(tmp_path, KILLS_FULL if full else KILLS, row))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 48 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def filled(place: Path) -> Path:
    """Take all the room that a disk has left."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return ballast


def lacking(store: Central, witness: Witness) -> int:
    """Count the values that were made between the store's first and last and are not in it."""
    made = np.unique(np.asarray(witness.ticks, np.int64)) * witness.period * MS
    absent = 0
    for at, _ in store.points().values():
        due = made[(made >= at.min()) & (made <= at.max())]
        absent += len(np.setdiff1d(due, at))
    return absent


def evicted(evidence: Evidence, reader: str) -> int:
    """Count the samples that the journal says went before a reader had them."""
    told = [event.body["unsent"] for event in evidence.events_of("evicted")]
    return sum(by_reader[reader]["samples"] for by_reader in told if reader in by_reader)


async def full_disk(folder: Path, place: Path, row: Row) -> None:
    with central(folder) as store:
        async with Witness(folder, {"tags": TAGS, "period": PERIOD_MS}) as witness:
            config = configured(place, witness, store)
            async with Running(config) as running:
                await asyncio.sleep(4.0)
                ballast = filled(place)
                await asyncio.sleep(FULL_S)
                said = str(ask(running.url, "/health")["journal"])
                ballast.unlink()
                took = await drained_and_quiet(witness, running)
            row.measured(said=said.partition(": ")[2], backlog_sent_within=f"{took:.1f} s")
            assert "the disk is full" in said
            measured(row, witness, store, config)
            evidence = read(load(config).data, load(config).tags)
            lost = sum(
                len(missing(evidence.of(tag.name), witness, index))
                for index, tag in enumerate(load(config).tags)
            )
            row.measured(never_acknowledged=lost, ledger_says=evidence.lost("plc"))
            assert lost <= evidence.lost("plc")
            absent, told = lacking(store, witness), evicted(evidence, "sink:central")
            row.measured(the_store_lacks=absent, evicted_before_it_and_told=told)
            assert absent <= told + evidence.lost("plc")


@pytest.mark.pain(
    "P20",
    f"the gateway's disk is full for {FULL_S:.0f} s, then freed",
    SERVER,
    "of what the journal still holds lost 0; invented 0; what was never acknowledged stands in the "
    "ledger; what the store lacks was evicted and told",
)
def test_p20_a_disk_that_is_full_and_freed(small_disk: Path, tmp_path: Path, row: Row) -> None:
    need_node_opcua()
    asyncio.run(full_disk(tmp_path, small_disk, row))
