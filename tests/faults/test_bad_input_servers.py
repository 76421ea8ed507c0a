"""Fault 17: servers that attack are cut off and tried again; nobody else notices."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from connectors.simulated.hostile.modbus import Behaviour, HostileModbus
from connectors.simulated.hostile.modbus_moods import MOODS, Mixed
from tests.faults.evidence import read
from tests.faults.modbus_witness import judge, tag_of
from tests.faults.raw_opcua import ATTACKS
from tests.faults.rows import Row

CALM_S, ATTACKED_S = 6.0, 24.0
SCAN_MS = 50.0
DELAY_MS = 100.0
MEMORY_MB = 256
HEAD = """version = 1
tags = "tags.csv"
[gateway]
name = "attacked"
[console]
port = 0
"""
MODBUS = """[[source]]
type = "modbus"
name = "{}"
host = "127.0.0.1"
port = {}
scan_ms = {}
timeout_ms = 200
"""
OPCUA = """[[source]]
type = "opcua"
name = "{}"
url = "opc.tcp://127.0.0.1:{}"
security = "none"
"""


@contextmanager
def _child(*words: str, errors: Path) -> Iterator["subprocess.Popen[str]"]:
    with errors.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def _configure(folder: Path, good: int, hostile: int, ports: dict[str, int]) -> Path:
    tags = [tag_of("good", 1), tag_of("hostile", 1)]
    rows = [f'{tag.name},{tag.source},"{tag.address}"' for tag in tags]
    rows += [f"site/{name}/x,{name},nsu=urn:x;s=x" for name in ports]
    (folder / "tags.csv").write_text("\n".join(["tag,source,address", *rows]) + "\n")
    text = HEAD + MODBUS.format("good", good, SCAN_MS) + MODBUS.format("hostile", hostile, SCAN_MS)
    text += "".join(OPCUA.format(name, port) for name, port in ports.items())
    (folder / "plant.toml").write_text(text)
    return folder / "plant.toml"


def _memory_mb(process: int) -> float:
    words = Path(f"/proc/{process}/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) / 1024


def _longest_ms(at: np.ndarray, start: int, stop: int) -> float:
    own = at[(at >= start) & (at < stop)]
    return float(np.diff(own).max() / 1e6) - SCAN_MS


@pytest.mark.pain(
    "F17",
    f"{len(ATTACKS)} OPC UA servers that attack at once ({', '.join(ATTACKS)}) and a Modbus device "
    "that answers wrongly, beside a good one",
    "raw servers, one gateway process",
    "alive; ≤ 256 MB; each attacker left and tried again; good values ≤ 100 ms late",
)
def test_f17_attacked(row: Row, tmp_path: Path) -> None:
    moods = [mood for name, mood in MOODS.items() if name != "good"]
    good, hostile = HostileModbus(), HostileModbus(Behaviour(Mixed(moods)))
    tags = [tag_of("good", 1), tag_of("hostile", 1)]

    async def story() -> tuple[list[int], float, dict[str, int]]:
        program = str(Path(__file__).with_name("raw_opcua.py"))
        async with good, hostile:
            with _child(program, errors=tmp_path / "attackers.txt") as attackers:
                assert attackers.stdout
                ports = json.loads(attackers.stdout.readline())
                calm = _configure(tmp_path, good.port, hostile.port, {})
                times = [await _run(calm, CALM_S, tmp_path)]
                config = _configure(tmp_path, good.port, hostile.port, ports)
                times.append(await _run(config, ATTACKED_S, tmp_path))
                said, _ = await asyncio.to_thread(attackers.communicate, "")
        return [*times[0][:2], *times[1][:2]], times[1][2], json.loads(said)

    (calm, middle, attacked, end), memory, done = asyncio.run(story())
    evidence = read(tmp_path / "data", tags)
    at = evidence.of(tags[0].name).live_good().at
    verdicts = [judge(good, tags[:1], evidence), judge(hostile, tags[1:], evidence)]
    before, during = _longest_ms(at, calm, middle), _longest_ms(at, attacked, end)
    row.measured(
        late_ms=during,
        without_attackers_ms=before,
        peak_MB=memory,
        attacks=sum(done.values()),
        wrong=sum(verdict.wrong + verdict.stale for verdict in verdicts),
    )
    assert not any(verdict.wrong + verdict.stale for verdict in verdicts)
    assert set(done) == set(ATTACKS)
    assert min(done.values()) >= 2, done
    assert memory <= MEMORY_MB
    assert during <= DELAY_MS


async def _run(config: Path, seconds: float, folder: Path) -> tuple[int, int, float]:
    with _child(
        "-m", "wheeltapper", "run", str(config), "--json", errors=folder / "gateway.txt"
    ) as gateway:
        reading = asyncio.create_task(asyncio.to_thread(gateway.stdout.read))  # type: ignore[union-attr]
        await asyncio.sleep(3.0)  # to start
        start = time.time_ns()
        await asyncio.sleep(seconds)
        stop, memory = time.time_ns(), _memory_mb(gateway.pid)
        assert gateway.poll() is None
        gateway.terminate()
        await asyncio.to_thread(gateway.wait, 10)
        await reading
        return start, stop, memory
