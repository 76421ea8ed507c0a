"""A gateway tells systemd, over its real socket, that it is ready, alive and stopping."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]
PATIENCE_S = 120.0
WATCHDOG_US = 400_000
SILENCE_S = 2.0
"""Five times that in which a process without a sign of life would be restarted."""

HANGING = """
import asyncio, os, sys, time
from pathlib import Path
from gateway.config.loader import load
from gateway.journal import Journal
from gateway.runtime import Gateway
from gateway.servicemanager import ServiceManager

async def never(journal):
    await asyncio.Event().wait()

def blocks_the_loop():
    time.sleep(3600)

def silences_the_writer():
    Journal.commit = never

def look():
    if Path(sys.argv[3]).exists():
        print("hangs", flush=True)
        globals()[sys.argv[2]]()
    else:
        asyncio.get_running_loop().call_later(0.05, look)

def hear(kind, row):
    if kind == "first_value":
        look()

gateway = Gateway(load(Path(sys.argv[1])), on_event=hear, manager=ServiceManager(os.environ))
asyncio.run(gateway.run(asyncio.Event()))
"""


class Manager:
    """Stands where systemd does: hears what is sent to its socket."""

    def __init__(self, folder: Path) -> None:
        self._address = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._address))
        self.heard: list[str] = []

    def environment(self) -> dict[str, str]:
        told = {"NOTIFY_SOCKET": str(self._address), "WATCHDOG_USEC": str(WATCHDOG_US)}
        return {**os.environ, **told}

    def hear(self, patience_s: float) -> str:
        self._socket.settimeout(patience_s)
        self.heard.append(self._socket.recv(4096).decode())
        return self.heard[-1]

    def until(self, line: str) -> None:
        while self.hear(PATIENCE_S) != line:
            pass

    def until_silent(self) -> None:
        with suppress(TimeoutError):
            while True:
                self.hear(SILENCE_S)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    yield one
    one.close()


@contextmanager
def started(manager: Manager, *words: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, *words], env=manager.environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_is_ready_alive_and_stopping_in_this_order(
    plant: Any, tmp_path: Path, manager: Manager
) -> None:
    config = plant.configure(tmp_path)
    with started(manager, "-m", "wheeltapper", "run", str(config), "--json") as process:
        manager.until("READY=1")
        manager.until("STATUS=reads 2 of 2 sources; alarms that stand: 0")
        manager.until("WATCHDOG=1")
        manager.until("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert process.wait(PATIENCE_S) == 0
    assert manager.heard[0] == "STATUS=opening the journal"
    assert manager.heard.count("READY=1") == 1


def test_a_plant_that_is_switched_off_keeps_no_gateway_from_starting(
    tmp_path: Path, manager: Manager
) -> None:
    config = tmp_path / "line.toml"
    config.write_text(
        'version = 1\n[gateway]\nname = "t"\n[console]\nport = 0\n[[source]]\ntype = "modbus"\n'
        'name = "m"\nhost = "127.0.0.1"\nport = 1\n[[tag]]\ntag = "a/b/c/d/x"\nsource = "m"\n'
        'address = "unit 1, holding 0, uint16"\n'
    )
    with started(manager, "-m", "wheeltapper", "run", str(config), "--json"):
        manager.until("READY=1")
        manager.until("WATCHDOG=1")
    assert "STATUS=reads 0 of 1 sources; alarms that stand: 0" in manager.heard


@pytest.mark.parametrize("fault", ["blocks_the_loop", "silences_the_writer"])
def test_without_progress_there_is_no_sign_of_life(
    plant: Any, tmp_path: Path, manager: Manager, fault: str
) -> None:
    config = plant.configure(tmp_path)
    now = tmp_path / "now"
    with started(manager, "-c", HANGING, str(config), fault, str(now)) as process:
        manager.until("WATCHDOG=1")
        now.touch()
        assert process.stdout
        assert "hangs\n" in iter(process.stdout.readline, "")
        manager.until_silent()
        assert process.poll() is None
