"""A rule asks, people approve, the PLC follows, and back; and a program asks over HTTP."""

import asyncio
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.simulated.setpoint_modbus import SetpointModbus
from connectors.simulated.setpoint_plc import SetpointPlc
from gateway.config.loader import load
from gateway.guard.starting import serve
from gateway.proposing import rule, service, starting
from gateway.proposing.starting import seats_of
from gateway.runtime import Gateway
from plant.setpoints import Request
from tests.journeys.test_setpoints import CONFIG, LIMITS, SPEED, by, command, commissioned, guard

pytestmark = pytest.mark.journey

ROOT = Path(__file__).parents[2]
RUNNING = "north/line-1/conveyor/running"
TOKEN = "0123456789abcdef" * 4
RULE = f"""
[console]
port = 0

[[proposer]]
kind = "rule"
name = "speeds"
token_file = "speeds.token"
tag = "{SPEED}"
when = "{RUNNING} >= 1000"
change = -1.0
back = true
"""
KNOWN = """
[[proposer]]
name = "speeds"
token_sha256 = "{digest}"
tags = ["{speed}"]
models = ["{model}", "speeds@1"]
"""
GENEROUS_S = 90.0


@dataclass
class Played:
    """A gateway beside a guard, and what it told."""

    folder: Path
    plc: SetpointPlc
    gateway: Gateway
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def until(self, so: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + GENEROUS_S
        while not (found := so()):
            assert time.monotonic() < deadline, json.dumps([self.told[-5:], self.rows()])
            await asyncio.sleep(0.05)
        return found

    def rows(self) -> list[Any]:
        return list(self.gateway._view.proposers())

    def last(self) -> dict[str, Any]:
        return dict(self.rows()[0]["last"] or {})

    async def waiting(self, value: float) -> str:
        """Wait until a request for that value is pending, and give its id."""
        found = await self.until(
            lambda: (
                (self.last().get("value"), self.last().get("state")) == (value, "pending")
                and self.last()
            )
        )
        return str(found["id"])


@asynccontextmanager
async def guard_within(folder: Path) -> AsyncIterator[None]:
    """Run the guard in this process: what it decides is not what is looked at."""
    ended, begun = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve(load(folder / "plant.toml", {}), ended, lambda _guard: begun.set())
    )
    await asyncio.wait_for(begun.wait(), GENEROUS_S)
    try:
        yield
    finally:
        ended.set()
        await serving


Guarded = Callable[[Path], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def playing(folder: Path, mode: str, guarded: Guarded = guard) -> AsyncIterator[Played]:
    """Run controller, guard and gateway, with the rule signed for."""
    plc = SetpointPlc(2)
    async with plc, SetpointModbus(plc) as server:
        await commissioned(folder, server.port, mode)
        (folder / "speeds.token").write_text(TOKEN)
        (folder / "plant.toml").write_text(CONFIG.format(port=server.port, mode=mode) + RULE)
        (seat,) = seats_of(load(folder / "plant.toml", {}))
        known = KNOWN.format(
            digest=hashlib.sha256(TOKEN.encode()).hexdigest(), speed=SPEED,
            model=f"{seat.proposer.model}@{seat.proposer.version}",
        )  # fmt: skip
        limits = re.sub("interlock.*", "interval_s = 1", LIMITS).format(more=known)
        (folder / "limits.toml").write_text(limits)
        signing = ("setpoints", "sign", str(folder / "limits.toml"), "--json")
        key, config = str(folder / "engineer.key"), str(folder / "plant.toml")
        assert (await command(*signing, "--key", key, "--config", config))[0] == 0
        async with guarded(folder):
            told: list[tuple[str, dict[str, Any]]] = []
            gateway = Gateway(
                load(folder / "plant.toml", {}), on_event=lambda kind, row: told.append((kind, row))
            )
            stop = asyncio.Event()
            running = asyncio.create_task(gateway.run(stop))
            played = Played(folder, plc, gateway, told)
            try:
                await played.until(lambda: running.done() or any(k == "live" for k, _ in told))
                yield played
            finally:
                stop.set()
                await asyncio.wait_for(running, GENEROUS_S)


def test_a_rule_asks_people_approve_and_it_asks_to_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule, "AGAIN_S", 2.0)

    async def story() -> None:
        async with playing(tmp_path, "approve") as played:
            request = await played.waiting(49.0)
            assert played.plc.applied == []
            assert (await by(tmp_path, "approve", request))[1][0]["state"] == "held"
            await played.until(lambda: played.last()["state"] == "held")
            assert played.rows()[0]["why"].startswith(("has asked", "waits", ""))
            assert [one.value for one in played.plc.applied] == [980]

            played.plc.loops[2].plain[:] = [0, 900]
            back = await played.waiting(50.0)
            assert (await by(tmp_path, "approve", back))[1][0]["state"] == "held"
            assert [one.value for one in played.plc.applied] == [980, 1000]
        code, rows, _ = await command("setpoints", "proposers", str(tmp_path / "plant.toml"),
                                      "--json")  # fmt: skip
        assert (code, rows[0]["last"]["id"], rows[0]["problems"]) == (0, back, [])
        data = ["--data", str(tmp_path / "data"), "--json"]
        history = (await command("setpoints", "history", *data))[1]
        assert [(row["proposer"], row["value"], row["approvals"]) for row in history[:2]] == [
            ("speeds", 50.0, ["ana"]), ("speeds", 49.0, ["ana"]),
        ]  # fmt: skip
        assert {one["tag"] for one in history[1]["based_on"]} == {SPEED, RUNNING}

    asyncio.run(story())


def test_in_advisory_mode_it_advises_and_the_plc_sees_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with playing(tmp_path, "advisory") as played:
            await played.until(lambda: played.last().get("state") == "advised")
            assert played.last()["value"] == 49.0
            assert played.plc.written == []
            assert played.gateway._view.health()["proposers"] == {}

    asyncio.run(story())


def example() -> str:
    """Give the program that the documentation shows."""
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "setpoints.md").read_text(), re.DOTALL
    )
    (found,) = blocks
    assert len(found.splitlines()) <= 15
    return str(found)


def test_the_program_of_the_documentation_asks_over_http(tmp_path: Path) -> None:
    async def story() -> None:
        async with playing(tmp_path, "approve", guard_within) as played:
            await played.until(lambda: played.gateway.url)
            own = await played.waiting(49.0)
            await by(tmp_path, "reject", own)
            environment = {**os.environ, "CONSOLE": played.gateway.url, "TOKEN": TOKEN}
            program = await asyncio.create_subprocess_exec(
                sys.executable, "-c", example(), env=environment, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await asyncio.wait_for(program.communicate(), GENEROUS_S)
            said = out.decode().replace("'", '"')
            assert json.loads(said)["state"] == "pending"
            waiting = (await command("setpoints", "pending", "--data", str(tmp_path / "data"),
                                     "--json"))[1]  # fmt: skip
            assert [row["id"] for row in waiting] == [json.loads(said)["id"]]
            assert waiting[0]["proposer"] == "speeds"

    asyncio.run(story())


class Spinning(rule.Rule):
    """Never comes back."""

    def propose(self, look: Any) -> Request | None:
        while True:
            pass


def test_one_that_spins_is_ended_while_the_plant_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "Rule", Spinning)
    monkeypatch.setattr(service, "HUNG_S", 3600.0)

    async def story() -> None:
        async with playing(tmp_path, "approve", guard_within) as played:
            (seat,) = played.gateway._view.proposing.seats  # type: ignore[union-attr]
            await played.until(lambda: seat.worker.busy)
            link = played.gateway._supervisor.links["plc"]
            heard = set()

            def read_on() -> bool:
                heard.add(link.heard)
                return len(heard) > 3 or bool(seat.off)

            await played.until(read_on)
            assert len(heard) > 3
            monkeypatch.setattr(service, "HUNG_S", 3.0)
            await played.until(lambda: seat.off)
            assert "switched off: has not returned" in str(
                played.gateway._view.health()["proposers"]
            )
            assert played.gateway._view.line()["gateway"]["proposers"]
            assert [row["state"] for kind, row in played.told if kind == "proposer"][-1] == "off"
            assert link.losses == 0

    asyncio.run(story())
