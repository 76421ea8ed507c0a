"""Measures how long the guard takes to decide and prints one JSON document.

A guard in a process of its own is asked over its socket; its devices are simulated in it and answer
at once, so what is measured is the guard: reading the request, thirteen checks, the audit and the
store on disk. Three kinds of decisions, each with its processor time, its wall time, and the part
of it that was spent in fsync:

rejected
    A value outside the limits.
pending
    A value that passes and waits for a person.
sent
    An approval, up to the moment in which the frame leaves. No password is looked at: that takes
    as long as it does on purpose (Argon2id).

    python -m bench.setpoints [--rounds 10] [--setpoints 20] [--folder DIR]
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.machine import machine
from connectors.contract import Cells
from gateway.accounts.roles import Role
from gateway.guard.audit import Audit
from gateway.guard.desk import Actor, Desk
from gateway.guard.devices import Devices
from gateway.guard.limits import read_policy, sign
from gateway.guard.policy import Known
from gateway.guard.process import Guard
from gateway.guard.server import Server
from gateway.guard.store import Store
from gateway.guard.tickets import Ticket, boot_clock
from gateway.guard.words import LENGTH, SOCKET, framed, new_id
from plant.setpoints import Mode, Readback, Reading, Request, Setpoint

TOKEN = "token"
EACH = 15
"""Requests of one proposer: fewer than it takes to be throttled."""
RUN = "line/run"
HEAD = """\
serial = 1
expires = 2099-12-31
mode = "approve"
"""
PROPOSER = """
[[proposer]]
name = "{name}"
token_sha256 = "{token}"
tags = [{tags}]
models = ["model@1"]
per_hour = 3600
"""
SETPOINT = """
[[setpoint]]
tag = "{tag}"
unit = "1/min"
low = 40
high = 60
band = 6
max_step = 2
slope_per_min = 1000
drift_1h = 1000
drift_24h = 1000
deadband = 0.5
tolerance = 0.05
mode = "approve"
interval_s = 1
fresh_s = 30
interlock = "line/run == 1"
"""


class Meter:
    """Counts what fsync takes, and keeps a row for each decision."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.frame = self._begun = self._cpu = 0.0
        self._count, self._spent, self._sync = 0, 0.0, os.fsync
        os.fsync = self._timed  # type: ignore[assignment]

    def _timed(self, handle: Any) -> None:
        begun = time.perf_counter()
        self._sync(handle)
        self._count, self._spent = self._count + 1, self._spent + time.perf_counter() - begun

    def begin(self) -> None:
        """Begin with a decision."""
        self._count, self._spent = 0, 0.0
        self._begun, self._cpu = time.perf_counter(), time.thread_time()

    def end(self, kind: str) -> None:
        """Keep what a decision took so far."""
        self.rows.append({
            "kind": kind,
            "wall_ms": 1e3 * (time.perf_counter() - self._begun),
            "cpu_ms": 1e3 * (time.thread_time() - self._cpu),
            "fsync_ms": 1e3 * self._spent,
            "fsyncs": self._count,
        })  # fmt: skip


class Simulated:
    """A device that answers at once."""

    name = "plc"
    places: Mapping[str, Cells] = {}

    def __init__(self, values: dict[str, float], meter: Meter) -> None:
        self._values, self._meter = values, meter

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read(self, tags: Sequence[str]) -> Sequence[Reading]:
        return [self._reading(tag) for tag in tags]

    async def write(self, setpoint: Setpoint, last_look: Callable[[], None] = lambda: None) -> None:
        last_look()
        self._meter.end("sent")
        self._values[setpoint.tag] = setpoint.value

    async def read_back(self, tag: str) -> Readback:
        return Readback(self._reading(tag))

    def _reading(self, tag: str) -> Reading:
        return Reading(tag, self._values[tag], 0, time.time_ns(), time.monotonic())


class Trusting(Desk):
    """Believes every person, and takes no time for it."""

    async def person(self, *_who: object) -> Role:
        return Role.APPROVER

    def stands(self, *_who: object) -> bool:
        return True


class Metered(Guard):
    """A guard that writes down what its decisions take."""

    meter: Meter

    async def ask(self, request: Request, actor: Actor) -> Ticket:
        self.meter.begin()
        ticket = await super().ask(request, actor)
        self.meter.end(str(ticket.state))
        return ticket

    async def approve(self, key: str, name: str, password: str) -> Ticket:
        self.meter.begin()
        return await super().approve(key, name, password)


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def tags(count: int) -> list[str]:
    """Name the setpoints."""
    return [f"line/speed-{number}" for number in range(count)]


def proposer(number: int) -> str:
    """Name a proposer."""
    return f"program-{number}"


async def serve(folder: Path, setpoints: int, proposers: int) -> None:
    """Run a guard in a folder until SIGTERM, and leave what its decisions took in ``rows.json``."""
    meter, key, now = Meter(), Ed25519PrivateKey.generate(), boot_clock()
    named = ", ".join(f'"{tag}"' for tag in tags(setpoints))
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    text = HEAD + "".join(
        PROPOSER.format(name=proposer(number), token=token, tags=named)
        for number in range(proposers)
    )
    text += "".join(SETPOINT.format(tag=tag) for tag in tags(setpoints))
    known = {tag: Known("1/min", "plc") for tag in tags(setpoints)} | {RUN: Known("", "plc")}
    content = sign(text.encode(), key)
    policy = read_policy(content, "limits", [key.public_key()], known, time.time_ns())
    values = dict.fromkeys(tags(setpoints), 50.0) | {RUN: 1.0}
    guard = Metered(
        policy, Mode.AUTO, folder, Devices({"plc": lambda: Simulated(values, meter)},
        dict.fromkeys(known, "plc")), Audit(folder / "audit.jsonl", key),
        Store(folder / "store.json"), Trusting(folder / "accounts.toml"), now, _no_sleep,
    )  # fmt: skip
    guard.meter = meter
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await Server(guard, folder).run(ended, lambda: (folder / "begun").touch())
    (folder / "rows.json").write_text(json.dumps(meter.rows), encoding="utf-8")


class Line:
    """A line to the guard that stays open."""

    def __init__(self, path: Path) -> None:
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line.settimeout(60)
        self._line.connect(str(path))
        self.walls: dict[str, list[float]] = {}

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def say(self, kind: str, said: dict[str, Any]) -> dict[str, Any]:
        """Say something, note how long the answer took, and give it."""
        frame, begun = framed(said), time.perf_counter()
        self._line.sendall(frame)
        length = int.from_bytes(self._line.recv(LENGTH, socket.MSG_WAITALL), "big")
        answer: dict[str, Any] = json.loads(self._line.recv(length, socket.MSG_WAITALL))
        self.walls.setdefault(kind, []).append(1e3 * (time.perf_counter() - begun))
        if not answer["ok"]:
            raise SystemExit(f"the guard says {answer['why']}")
        return dict(answer["request"])


def request(number: int, tag: str, value: float) -> dict[str, Any]:
    """Make a request of the proposer whose turn it is."""
    now = time.time_ns()
    return {
        "op": "request", "name": proposer(number // EACH), "token": TOKEN,
        "request": {
            "id": new_id(now), "key": new_id(now), "tag": tag, "value": value, "unit": "1/min",
            "reason": "to be measured", "not_after": now + 25 * 10**9, "model": "model",
            "version": "1", "based_on": [{"tag": RUN, "at": now, "status": 0}],
        },
    }  # fmt: skip


def asked(line: Line, rounds: int, setpoints: int) -> None:
    """Ask for every setpoint in each round, once in vain, and have it approved."""
    count, value = 0, 50.0
    for number in range(rounds):
        begun, value = time.monotonic(), 51.0 - number % 2
        for tag in tags(setpoints):
            line.say("rejected", request(count, tag, 99.0))
            waiting = line.say("pending", request(count + 1, tag, value))
            count += 2
            done = line.say("sent", {"op": "approve", "id": waiting["id"], "name": "ana"})
            if done["state"] != "held":
                raise SystemExit(f"{tag} is {done['state']}: {done['why']}")
        time.sleep(max(0.0, 1.1 - (time.monotonic() - begun)))


def told(rows: list[dict[str, Any]], walls: dict[str, list[float]]) -> dict[str, Any]:
    """Give p50 and p99 of each kind."""

    def of(values: list[float]) -> dict[str, float]:
        p50, p99 = np.quantile(values, (0.5, 0.99))
        return {"p50": round(float(p50), 2), "p99": round(float(p99), 2)}

    found = {}
    for kind in ("rejected", "pending", "sent"):
        mine = [row for row in rows if row["kind"] == kind]
        without = [row["wall_ms"] - row["fsync_ms"] for row in mine]
        found[kind] = {
            "decisions": len(mine),
            "fsyncs": of([row["fsyncs"] for row in mine]),
            **{name: of([row[name] for row in mine]) for name in ("cpu_ms", "wall_ms", "fsync_ms")},
            "wall_without_fsync_ms": of(without),
            "over_the_socket_ms": of(walls[kind]),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how long the guard takes to decide.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--setpoints", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="on the disk that is meant")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    proposers = 2 * said.rounds * said.setpoints // EACH + 1
    if said.serve:
        asyncio.run(serve(said.serve, said.setpoints, proposers))
        return
    with tempfile.TemporaryDirectory(dir=said.folder) as name:
        folder = Path(name)
        words = [sys.executable, "-m", "bench.setpoints", "--serve", str(folder)]
        words += ["--rounds", str(said.rounds), "--setpoints", str(said.setpoints)]
        running = subprocess.Popen(words)
        try:
            while not (folder / "begun").exists() and running.poll() is None:
                time.sleep(0.05)
            line = Line(folder / SOCKET)
            asked(line, said.rounds, said.setpoints)
            line.close()
        finally:
            running.terminate()
            running.wait(60)
        rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    document = {
        "machine": machine(),
        "setpoints": said.setpoints,
        **told(rows, line.walls),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
