"""A controller that writes down what reaches it, a gateway with its console, and a real guard."""

import asyncio
import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from connectors.simulated.setpoint_modbus import SetpointModbus
from connectors.simulated.setpoint_plc import SetpointPlc
from gateway.accounts.passwords import Cost, hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Role
from gateway.config.loader import load
from gateway.guard.keys import make_key
from gateway.guard.words import FOLDER, new_id, tell
from gateway.proposing.starting import seats_of
from gateway.runtime import Gateway
from plant.errors import PlantError
from tests.gateway.guard.sealing import seal
from wheeltapper.running import console_of

T = TypeVar("T")
CONFIG = """\
version = 1
[gateway]
name = "line-1"
[console]
port = 0
[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"
port = {port}
[[tag]]
tag = "north/line-1/conveyor/speed_sp"
source = "plc"
address = "unit 1, holding 0, int32"
unit = "1/min"
scale = 0.05
[[tag]]
tag = "north/line-1/conveyor/running"
source = "plc"
address = "unit 2, holding 0, int32"
"""
GUARDED = """\
[setpoints]
mode = "{mode}"
limits = "limits.toml"
keys = ["engineer.pub"]
"""
LIMITS = """\
serial = 1
expires = 2099-12-31
mode = "approve"
settle_s = 1

[[setpoint]]
tag = "north/line-1/conveyor/speed_sp"
unit = "1/min"
low = 40.0
high = 60.0
band = 6.0
max_step = 2.5
slope_per_min = 6.0
drift_1h = 4.0
drift_24h = 8.0
deadband = 0.5
tolerance = 0.06
mode = "approve"
fresh_s = 10
interval_s = 1
interlock = "north/line-1/conveyor/running >= 1000"
"""
RULE = """[[proposer]]
kind = "rule"
name = "bearing"
token_file = "bearing.token"
tag = "north/line-1/conveyor/speed_sp"
when = "north/line-1/conveyor/running > 1000"
change = -1.0
"""
RULED = """[[proposer]]
name = "bearing"
token_sha256 = "{digest}"
tags = ["north/line-1/conveyor/speed_sp"]
models = ["{model}"]
"""
TOKEN = "0123456789abcdef" * 4
SPEED = "north/line-1/conveyor/speed_sp"
WORD = "four words in a row"
PEOPLE = {
    "ana": Role.APPROVER, "eve": Role.ENGINEER, "otto": Role.OPERATOR, "vic": Role.VIEWER,
}  # fmt: skip
PATIENCE_S = 120.0


def until(met: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Wait until something is so, and give it."""
    deadline = time.monotonic() + patience_s
    while not (found := met()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


class Stage:
    """All of it, in one folder; `mode` is the configuration's, None: no guard is configured."""

    def __init__(self, folder: Path, mode: str | None, rule: str = "") -> None:
        self.folder, self.data, self.mode, self._rule = folder, folder / "data", mode, rule
        self.plc = SetpointPlc(2)
        self.modbus = SetpointModbus(self.plc)
        self.running: subprocess.Popen[str] | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        until(lambda: console_of(self.data))
        return self

    def __exit__(self, *_: object) -> None:
        self.end_guard()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)

    @property
    def url(self) -> str:
        found = console_of(self.data)
        assert found is not None
        return found.url

    @property
    def written(self) -> list[float]:
        """What came into force by a write, in the tag's unit."""
        return [one.value * 0.05 for one in self.plc.applied]

    def start_guard(self) -> None:
        """Start the real process, and wait until it has read the plant."""
        self.running = subprocess.Popen(
            [sys.executable, "-m", "wheeltapper", "guard", str(self.folder / "plant.toml"),
             "--json"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.running.stdout is not None
        assert self.running.stdout.readline()

    def end_guard(self, kill: bool = False) -> None:
        """End it, as a service manager does or without any notice."""
        if self.running is not None:
            with self.running as ending:
                (ending.kill if kill else ending.terminate)()
                ending.wait(PATIENCE_S)
            self.running = None

    def ask(self, value: float, **said: Any) -> dict[str, Any]:
        """Ask for a setpoint as eve does by command."""
        now = time.time_ns()
        key = new_id(now)
        request = {
            "id": key, "key": key, "tag": SPEED, "value": value, "unit": "1/min",
            "reason": "bearing alarm P2 stands", "effect": "vibration -0.8 mm/s",
            "not_after": now + 29 * 10**9, **said,
        }  # fmt: skip
        told = {"op": "request", "name": "eve", "password": WORD, "request": request}
        answer: dict[str, Any] = tell(self.data / FOLDER, told)["request"]
        return answer

    def status(self) -> dict[str, Any]:
        """Ask the guard itself; empty while none answers."""
        try:
            return tell(self.data / FOLDER, {"op": "status"}, 5.0)
        except PlantError:
            return {}

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.plc)
            await stack.enter_async_context(self.modbus)
            self._commission(self.modbus.port)
            self._ready.set()
            await Gateway(load(self.folder / "plant.toml")).run(self._stop)

    def _commission(self, port: int) -> None:
        guarded = "" if self.mode is None else GUARDED.format(mode=self.mode)
        (self.folder / "plant.toml").write_text(CONFIG.format(port=port) + guarded + self._rule)
        (self.folder / "bearing.token").write_text(TOKEN)
        key = make_key(self.folder / "engineer.key")
        (self.folder / "limits.toml").touch()
        plan = load(self.folder / "plant.toml")
        text = LIMITS
        for seat in seats_of(plan):
            digest = hashlib.sha256(TOKEN.encode()).hexdigest()
            model = f"{seat.proposer.model}@{seat.proposer.version}"
            text += RULED.format(digest=digest, model=model)
        seal(self.folder, text, key, time.time_ns())
        self.data.mkdir()
        cheap = Cost(memory=64, passes=1, lanes=1)
        accounts = {
            name: Account(name=name, role=role, password=hashed(WORD, cheap))
            for name, role in PEOPLE.items()
        }
        write_accounts(self.data / "accounts.toml", Accounts(accounts))
