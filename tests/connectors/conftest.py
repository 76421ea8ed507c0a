"""The libmodbus device of tests/parts/libmodbus: compiled once, started per test."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.lacking import lacking
from tests.ports import free_port

CODE = Path(__file__).parents[1] / "parts" / "libmodbus" / "server.c"
MISSING = "libmodbus — install with: apt-get install -y libmodbus-dev pkg-config gcc"


@dataclass
class Device:
    """A running server; it ends when its input is closed."""

    program: Path
    words: tuple[str, ...]
    port: int | str = field(default_factory=free_port)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.program, str(self.port), *self.words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        word, _, port = self.process.stdout.readline().partition(" ")
        assert word == "UP"
        self.port = int(port)

    def stop(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


def _linked() -> bool:
    tools = shutil.which("gcc") and shutil.which("pkg-config")
    known = tools and subprocess.run(["pkg-config", "--exists", "libmodbus"], check=False)
    return bool(known and known.returncode == 0)


@pytest.fixture(scope="session")
def libmodbus_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not _linked():
        lacking(MISSING)
    program = tmp_path_factory.mktemp("libmodbus") / "server"
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", "libmodbus"], text=True)
    subprocess.run(["gcc", "-O1", str(CODE), "-o", str(program), *flags.split()], check=True)
    return program


@pytest.fixture
def start_device(libmodbus_program: Path) -> Iterator[Callable[..., Device]]:
    """Start a device; words as in server.c, e.g. ``hole=1,3,40,43``."""
    started: list[Device] = []

    def start(*words: str, port: int | str | None = None) -> Device:
        device = Device(libmodbus_program, words, port or free_port())
        device.start()
        started.append(device)
        return device

    yield start
    for device in started:
        device.stop()


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    return free_port()
