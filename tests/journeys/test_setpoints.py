"""Story D by command: limits are signed, a setpoint is asked for, approved, written, taken back."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.simulated.setpoint_modbus import SetpointModbus
from connectors.simulated.setpoint_plc import SetpointPlc
from gateway.accounts.passwords import Cost, hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Role
from plant.errors import PlantError
from wheeltapper.app import app

pytestmark = pytest.mark.journey

CONFIG = """\
version = 1
[gateway]
name = "line-1"

[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"
port = {port}

[[tag]]
tag = "north/line-1/conveyor/speed"
source = "plc"
address = "unit 1, holding 0, int32"
unit = "1/min"
scale = 0.05

[[tag]]
tag = "north/line-1/conveyor/running"
source = "plc"
address = "unit 2, holding 0, int32"

[setpoints]
mode = "{mode}"
limits = "limits.toml"
keys = ["engineer.pub"]
"""
LIMITS = """\
serial = 1
expires = 2099-12-31
mode = "approve"

[[setpoint]]
tag = "north/line-1/conveyor/speed"
unit = "1/min"
low = 40.0
high = 60.0
band = 6.0
max_step = 2.5
slope_per_min = 3.0
drift_1h = 4.0
drift_24h = 8.0
deadband = 0.5
tolerance = 0.06
mode = "approve"
fresh_s = 10
interlock = "north/line-1/conveyor/running == 1000"
{more}
"""
SPEED = "north/line-1/conveyor/speed"
WORD = "four words in a row"
CHEAP = Cost(memory=64, passes=1, lanes=1)
GENEROUS_S = 90


async def command(*words: str) -> tuple[int, list[Any], str]:
    """Run a command; give its code, its JSON lines, and what it said on stderr."""
    return await asyncio.to_thread(_run, words)


def _run(words: tuple[str, ...]) -> tuple[int, list[Any], str]:
    ended = CliRunner().invoke(app, list(words))
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    if isinstance(ended.exception, PlantError):
        return 2, rows, str(ended.exception)
    return ended.exit_code, rows, ended.stderr


@asynccontextmanager
async def guard(folder: Path) -> AsyncIterator[dict[str, Any]]:
    """Run the guard of a folder."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wheeltapper", "guard", str(folder / "plant.toml"), "--json",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    try:
        yield json.loads(await asyncio.wait_for(running.stdout.readline(), GENEROUS_S))
    finally:
        running.terminate()
        assert await asyncio.wait_for(running.wait(), GENEROUS_S) == 0


async def commissioned(folder: Path, port: int, mode: str, more: str = "") -> None:
    """Write the files, make the key, and sign."""
    (folder / "plant.toml").write_text(CONFIG.format(port=port, mode=mode))
    (folder / "limits.toml").write_text(LIMITS.format(more=more))
    (folder / "password").write_text(WORD)
    people = {"ana": Role.APPROVER, "eve": Role.ENGINEER}
    (folder / "data").mkdir()
    write_accounts(
        folder / "data" / "accounts.toml",
        Accounts(
            {
                name: Account(name=name, role=role, password=hashed(WORD, CHEAP))
                for name, role in people.items()
            }
        ),
    )
    key = str(folder / "engineer.key")
    assert (await command("setpoints", "key", key, "--json"))[0] == 0
    config = str(folder / "plant.toml")
    code, _, said = await command(
        "setpoints", "sign", str(folder / "limits.toml"), "--key", key, "--config", config, "--json"
    )
    assert (code, said) == (0, "")


async def asked(folder: Path, value: float) -> tuple[int, Any]:
    code, rows, said = await command(
        "setpoints", "request", SPEED, str(value), "--unit", "1/min", "--reason", "bearing P2",
        "--as", "eve", "--password-file", str(folder / "password"),
        "--data", str(folder / "data"), "--json",
    )  # fmt: skip
    assert rows, said
    return code, rows[0]


async def by(folder: Path, word: str, what: str, who: str = "ana") -> tuple[int, list[Any], str]:
    return await command(
        "setpoints", word, what, "--as", who, "--password-file", str(folder / "password"),
        "--data", str(folder / "data"), "--json",
    )  # fmt: skip


def test_from_signed_limits_to_a_setpoint_that_is_taken_back(tmp_path: Path) -> None:
    async def story() -> None:
        plc = SetpointPlc(2)
        data = ["--data", str(tmp_path / "data"), "--json"]
        async with plc, SetpointModbus(plc) as server:
            await commissioned(tmp_path, server.port, "approve")
            config = str(tmp_path / "plant.toml")
            assert (await command("setpoints", "check", config, "--json"))[1][0]["ok"]
            async with guard(tmp_path) as begun:
                assert begun["mode"] == "approve"
                code, far = await asked(tmp_path, 61.0)
                assert (code, far["code"]) == (1, "outside limits")
                code, request = await asked(tmp_path, 52.0)
                assert (code, request["state"]) == (0, "pending")
                (waiting,) = (await command("setpoints", "pending", *data))[1]
                assert waiting["id"] == request["id"]
                code, _, said = await by(tmp_path, "approve", request["id"], "eve")
                assert (code, "only approver may" in said) == (2, True)
                assert plc.applied == []
                code, (held,), _ = await by(tmp_path, "approve", request["id"][-6:])
                assert (code, held["state"], held["approvals"]) == (0, "held", ["ana"])
                assert [one.value for one in plc.applied] == [1040]

                code, (back,), _ = await by(tmp_path, "revert", SPEED)
                assert (code, back["to"]) == (0, 50.0)
                assert (await command("setpoints", "stop", *data))[0] == 0
                assert (await asked(tmp_path, 51.0))[1]["state"] != "pending"
            # The stop holds over the restart.
            async with guard(tmp_path) as begun:
                assert begun["stopped"] == "stopped"
            before = len(plc.applied)
            assert before <= 2
            verified = await command("setpoints", "audit", "verify", *data)
            assert (verified[0], verified[1][0]["bad"]) == (0, 0)
            shown = (await command("setpoints", "audit", "show", *data))[1]
            assert {"armed", "held", "approved", "stopped"} <= {row["event"] for row in shown}
            history = (await command("setpoints", "history", *data))[1]
            assert history[-1]["code"] == "outside limits"

    asyncio.run(story())


def test_in_advisory_mode_and_with_hooks_off_nothing_reaches_the_plc(tmp_path: Path) -> None:
    async def story() -> None:
        plc = SetpointPlc(2)
        async with plc, SetpointModbus(plc) as server:
            await commissioned(tmp_path, server.port, "advisory")
            async with guard(tmp_path):
                assert (await asked(tmp_path, 52.0))[1]["state"] == "advised"
            (tmp_path / "plant.toml").write_text(CONFIG.format(port=server.port, mode="off"))
            connected = server.connections
            async with guard(tmp_path):
                assert (await asked(tmp_path, 52.0))[1]["code"] == "off"
            assert (plc.written, server.connections) == ([], connected)

    asyncio.run(story())


def test_a_block_takes_a_request_and_the_loop_follows(tmp_path: Path) -> None:
    async def story() -> None:
        plc = SetpointPlc(2)
        async with plc, SetpointModbus(plc) as server:
            more = 'block = "unit 1, holding 100"\nfollow_s = 60'
            await commissioned(tmp_path, server.port, "approve", more)
            async with guard(tmp_path):
                _, request = await asked(tmp_path, 51.0)
                assert request["state"] == "pending"
                code, rows, said = await by(tmp_path, "approve", request["id"])
                assert (code, rows[0]["state"], said) == (0, "held", "")
            assert [(one.place, one.value, one.sequence) for one in plc.applied] == [
                ("block", 1020, 1)
            ]

    asyncio.run(story())
