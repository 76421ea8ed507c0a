"""P8, P9, P29: what other tests hold, run and counted here, and our own servers' exposure."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from connectors.simulated.opcua_server import OpcuaServer
from plant.tags import Tag
from tests.faults.rows import Row
from tests.journeys.conftest import served

ROOT = Path(__file__).parents[2]
TRUST = (
    "tests/connectors/opcua/test_cases_of_trust.py",
    "tests/connectors/opcua/test_trust.py",
    "tests/connectors/opcua/test_identity.py",
    "tests/connectors/opcua/test_refusals.py",
    "tests/connectors/opcua/test_users.py",
    "tests/wheeltapper/test_trust.py",
)
COMMISSIONING = ("tests/journeys/test_commissioning.py",)
LOOPBACK = "0100007F"
"""127.0.0.1 as /proc/net/tcp writes it."""
LISTENING = "0A"


@dataclass(frozen=True)
class Run:
    """What became of other tests."""

    passed: int
    failed: list[str]
    longest_s: float


def run_tests(report: Path, *paths: str) -> Run:
    """Run tests in a process of their own; what is not there is not run."""
    there = [path for path in paths if (ROOT / path).exists()]
    if not there:
        pytest.skip(f"{paths[0]} does not exist")
    options = ("-q", f"--junitxml={report}", "-o", "junit_duration_report=call")
    command = [sys.executable, "-m", "pytest", *options, *there]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    cases = list(ElementTree.parse(report).iter("testcase"))
    bad = [str(case.get("name")) for case in cases if {"failure", "error"} & _parts(case)]
    good = [case for case in cases if not _parts(case) & {"failure", "error", "skipped"}]
    return Run(len(good), bad, max((float(case.get("time", 0)) for case in good), default=0.0))


def _parts(case: ElementTree.Element) -> set[str]:
    return {part.tag for part in case}


@pytest.mark.pain(
    "P8",
    "an unknown server of 2,000 variables becomes a running configuration with units and ranges",
    "node-opcua",
    "< 60 s of machine time",
)
def test_p08_from_a_server_to_a_configuration(tmp_path: Path, row: Row) -> None:
    run = run_tests(tmp_path / "report.xml", *COMMISSIONING)
    row.measured(machine_time=f"{run.longest_s:.1f} s", passed=run.passed)
    assert not run.failed, ", ".join(run.failed)
    assert 0 < run.longest_s < 60


@pytest.mark.pain(
    "P9",
    "certificates: unknown, expired, of another host or URI, weak, revoked, by a forged list; "
    "refused users; our own made, kept and renewed; trust on the command line",
    "node-opcua, asyncua and certificates made for it",
    "each refused with a sentence that says which side has to do what",
)
def test_p09_certificates(tmp_path: Path, row: Row) -> None:
    run = run_tests(tmp_path / "report.xml", *TRUST)
    row.measured(cases=run.passed, failed=len(run.failed))
    assert not run.failed, ", ".join(run.failed)
    assert run.passed >= 12


def listening(process: int) -> set[str]:
    """Addresses on which a process listens, as /proc writes them."""
    inodes = set()
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            inodes.add(link.readlink().name.removeprefix("socket:[").removesuffix("]"))
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {row[1].partition(":")[0] for row in rows if row[3] == LISTENING and row[9] in inodes}


@pytest.fixture
def line_process() -> Iterator[int]:
    start = (time.time_ns() // 10**9 - 60) * 10**9
    before = children()
    with served("--fault", "none", "--start", str(start)):
        (process,) = children() - before
        yield process


def children() -> set[int]:
    """Processes that this one started."""
    own = Path("/proc/self/task")
    return {int(pid) for task in own.iterdir() for pid in (task / "children").read_text().split()}


@pytest.mark.pain(
    "P29",
    "the demo's own servers: who can reach them",
    "the simulated line",
    "127.0.0.1 only",
)
def test_p29_our_own_servers_listen_on_loopback_only(line_process: int, row: Row) -> None:
    addresses = listening(line_process)
    row.measured(listens_on=", ".join(sorted(addresses)).replace(LOOPBACK, "127.0.0.1"))
    assert addresses == {LOOPBACK}


@pytest.mark.pain(
    "P29",
    "the demo's own OPC UA server: 40 connections that never say a word",
    "the simulated line",
    "16 held at most, the others closed at once",
)
def test_p29_our_own_server_has_limits(row: Row) -> None:
    async def go() -> int:
        tag = Tag(name="a/b/c", source="line", address="nsu=urn:plant;b/c")
        async with OpcuaServer([tag], 0) as server:
            wires = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(40)]
            await asyncio.sleep(0.5)
            held = sum(not reader.at_eof() for reader, _ in wires)
            for _, writer in wires:
                writer.transport.abort()
            waiting = (writer.wait_closed() for _, writer in wires)
            await asyncio.gather(*waiting, return_exceptions=True)
            return held

    held = asyncio.run(go())
    row.measured(held=held, of=40)
    assert held == 16
