"""The demo as a person starts it: the simulator's process, real sockets, one explained alarm."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from gateway.journal import Journal, SampleRecord
from tests.patience import FULL
from tests.ports import free_port
from tests.terminal import answering

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]  # demos with a fault go on beside each
STOP_S, SHARED = 5.0, 3.0
"""What is promised on a machine of its own, and how much longer a shared one may take."""
PATIENCE_S = 60.0
ALL = {28: ("--hours", "1"), 36: (), 16: ("--hours", "1")}
"""A fault of each machine, press-1, pump-1 and pump-2, that begins early; one learns by default."""
SEEDS = ALL if FULL else {28: ALL[28]}
SHORT = ("--fault", "none", "--hours", "0.1")
HEALTHY = ("--fault", "none", "--hours", "0.5")


class Demo:
    """A running ``wheeltapper demo``."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "wheeltapper", "demo", "--headless", *arguments]
        self._folder = TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            # What one leaves that is killed goes with it.
            env={**os.environ, "TMPDIR": self._folder.name},
        )
        assert self.process.stdout
        self._lines = self.process.stdout

    def lines(self) -> Iterator[str]:
        """Give what it says, line by line, until it ends."""
        yield from self._lines

    def stages(self) -> Iterator[dict[str, Any]]:
        """Give the stages it tells."""
        yield from map(json.loads, self._lines)

    def until(self, stage: str) -> dict[str, Any]:
        """Wait for a stage."""
        return next(row for row in self.stages() if row["stage"] == stage)

    def stop(self, number: signal.Signals) -> float:
        """Ask it to end; give how long it took, s."""
        begun = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(2 * SHARED * STOP_S)
        return time.monotonic() - begun

    def close(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        self.process.wait()
        self._lines.close()
        self._folder.cleanup()


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    """Collect demos that must not outlive a test."""
    started: list[Demo] = []
    yield started
    for demo in started:
        demo.close()


def start(demos: list[Demo], *arguments: str) -> Demo:
    demo = Demo(*arguments)
    demos.append(demo)
    return demo


def children(process: int) -> list[int]:
    """List the child processes of a process."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text("utf-8")
    return [int(number) for number in listed.split()]


def queued_s(process: int) -> float:
    """Time that its threads were ready to run and another one had the core, s (proc(5), schedstat).

    Of each thread, for the first one waits for the others: the server builds its nodes in one.
    """
    told = [one.read_text("utf-8") for one in Path(f"/proc/{process}/task").glob("*/schedstat")]
    return sum(int(one.split()[1]) for one in told) / 1e9


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[dict[int, Demo]]:
    """Demos with a fault, side by side, by seed: they go on while others are tried."""
    arguments = ("--port", "0", "--until-alarm", "--timeout", "400", "--json")
    begun = {seed: Demo("--seed", str(seed), *arguments, *more) for seed, more in SEEDS.items()}
    yield begun
    for demo in begun.values():
        demo.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stops_in_time_amid_the_history_and_leaves_nothing(
    demos: list[Demo], number: signal.Signals
) -> None:
    with answering(number, signal.SIG_DFL):
        demo = start(demos, "--hours", "24", "--port", "0", "--json")
    demo.until("ready")
    assert [each.name[:12] for each in demo.folder.iterdir()] == ["wheeltapper-"]
    assert demo.stop(number) < SHARED * STOP_S
    assert [row["stage"] for row in demo.stages()] == []
    assert [*demo.folder.iterdir()] == []


def test_port_in_use_moves_on_and_the_simulator_dies_with_a_killed_demo(
    demos: list[Demo],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start(demos, *SHORT, "--port", str(port))
        said = demo.lines()
        assert next(said) == f"port {port} is in use; the page took the next free one\n"
        page = re.fullmatch(r"page  http://127\.0\.0\.1:(\d+)\n", next(said))
    assert page
    assert int(page[1]) > port
    (simulator,) = children(demo.process.pid)
    watch = os.pidfd_open(simulator)
    demo.process.kill()
    demo.process.wait()
    gone, _, _ = select.select([watch], [], [], PATIENCE_S)
    os.close(watch)
    assert gone == [watch]


def test_the_page_is_where_the_configuration_says(demos: list[Demo], tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "box.toml"
    config.write_text(f'version = 1\n[gateway]\nname = "box"\n[console]\nport = {port}\n')
    demo = start(demos, *SHORT, "--config", str(config))
    assert next(demo.lines()) == f"page  http://127.0.0.1:{port}\n"


def test_no_fault_and_no_alarm_is_right(demos: list[Demo]) -> None:
    demo = start(demos, *HEALTHY, "--port", "0", "--json", "--until-alarm", "--timeout", "8")
    *_, last = demo.stages()
    assert last == {"stage": "silence", "injected": None}
    assert demo.process.wait(PATIENCE_S) == 0


def test_fault_without_alarm_in_time_is_wrong(demos: list[Demo]) -> None:
    demo = start(
        demos, "--hours", "0.5", "--port", "0", "--json", "--until-alarm", "--timeout", "8"
    )
    *_, last = demo.stages()
    assert (last["stage"], last["injected"]["kind"]) == ("silence", "bearing_wear")
    assert demo.process.wait(PATIENCE_S) == 1


def test_recording_is_served_and_read_over_a_socket(demos: list[Demo], tmp_path: Path) -> None:
    path = tmp_path / "pump.csv"
    rows = "".join(f"2024-03-01T00:{row // 60:02}:{row % 60:02}Z,{row},0\n" for row in range(300))
    path.write_text(f"time,flow,anomaly\n{rows}", encoding="utf-8")
    demo = start(demos, "--recording", str(path), "--labels", "anomaly", "--port", "0", "--json")
    ready = demo.until("ready")
    assert (ready["signals"], ready["modbus"]) == (1, None)
    assert demo.until("first_value")["tag"] == "recording/file/pump/flow"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_values_are_read_within_seconds_and_committed_when_it_stops(
    demos: list[Demo], tmp_path: Path, number: signal.Signals
) -> None:
    data = tmp_path / "data"
    begun = time.monotonic()
    demo = start(demos, *SHORT, "--port", "0", "--json", "--data", str(data))
    url = demo.until("ready")["url"]
    first = {demo.until("first_value")["source"] for _ in range(2)}
    took = time.monotonic() - begun
    (simulator,) = children(demo.process.pid)
    # ten on a machine of its own
    assert took - queued_s(demo.process.pid) - queued_s(simulator) < SHARED * 10.0
    assert first == {"line-opcua", "line-modbus"}
    with urllib.request.urlopen(f"{url}/api/line", timeout=PATIENCE_S) as answer:
        line = json.load(answer)
    assert line["gateway"]["simulated"] is True
    assert len(line["assets"]) == 3
    assert demo.stop(number) < SHARED * STOP_S
    assert demo.process.returncode == 0
    assert not (data / "gateway.json").exists()
    assert not Path(f"/proc/{simulator}").exists()
    journal = Journal.open(data / "journal.db")
    live = [
        entry
        for _, entry in journal.read(kinds=(SampleRecord,))
        if isinstance(entry, SampleRecord) and not entry.batch.replayed
    ]
    journal.close()
    assert live


@pytest.mark.timeout(480)
@pytest.mark.parametrize("seed", SEEDS)
def test_first_alarm_is_the_injected_one_and_explained(told: dict[int, Demo], seed: int) -> None:
    code, stages = told[seed].process.wait(460), list(told[seed].stages())
    last = stages[-1]
    assert code == 0
    assert [row["stage"] for row in stages].count("alarm") == 1
    assert stages[0]["stage"] == "ready"
    assert (stages[0]["assets"], stages[0]["signals"]) == (3, 42)
    assert last["asset"] == last["injected"]["asset"]
    assert last["contributors"][0]["tag"] in last["injected"]["culprits"]
    assert last["raised"] >= last["injected"]["onset"]
    assert re.match(r"[\w-]+: .+; \d+ %( / \d+ %)*$", last["sentence"])
