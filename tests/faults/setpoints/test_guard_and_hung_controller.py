"""P25: the whole guard before a controller that hangs: doubt, lock, alarm, and then the truth."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts.passwords import hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Role
from gateway.guard.audit import Audit
from gateway.guard.checks import Moment
from gateway.guard.desk import Desk
from gateway.guard.devices import Devices
from gateway.guard.limits import read_policy, sign
from gateway.guard.policy import Known
from gateway.guard.process import Guard
from gateway.guard.store import Store
from gateway.guard.tickets import Ticket
from gateway.guard.words import new_id
from plant.setpoints import Basis, Mode, Request, State
from tests.faults.rows import Row
from tests.faults.setpoints.controller import FIRST, Controller, Gate, Writer, writer
from tests.gateway.guard.rig import CHEAP, KEY, TOKEN, WORD

LIMITS = """\
serial = 1
expires = 2099-12-31
mode = "approve"
settle_s = {settle_s}

[[proposer]]
name = "speeds"
token_sha256 = "{token}"
tags = ["{tag}"]
models = ["speeds@1"]
per_hour = 10

[[setpoint]]
tag = "{tag}"
unit = "/min"
low = 50
high = 150
band = 20
max_step = 10
slope_per_min = 10
drift_1h = 20
drift_24h = 40
deadband = 0.5
tolerance = 0.1
mode = "approve"
fresh_s = 30
{block}
"""
HANG_S, SETTLE_S, GENEROUS_S = 8, 15, 90.0
EACH, EACH_FULL = 5, 25


def now() -> Moment:
    return Moment(time.time_ns(), time.monotonic(), "boot")


class Guarded:
    """A guard of one setpoint, whose write stops at a gate right before its bytes leave."""

    def __init__(self, folder: Path, controller: Controller, place: str, loop: int) -> None:
        folder.mkdir()
        self.place, self.loop = place, loop
        self.tag = writer(controller, "modbus", place, loop).tag
        self.gate: Gate | None = None
        self._made: Callable[[], Writer] = lambda: writer(controller, "modbus", place, loop)
        text = LIMITS.format(
            tag=self.tag,
            token=hashlib.sha256(TOKEN.encode()).hexdigest(),
            settle_s=SETTLE_S,
            block=f'block = "unit {loop}, holding 100"' if place == "block" else "",
        )
        known = {self.tag: Known("/min", "plc", "127.0.0.1")}
        signed = sign(text.encode(), KEY)
        policy = read_policy(signed, "limits.toml", [KEY.public_key()], known, time.time_ns())
        people = {"ana": Account(name="ana", role=Role.APPROVER, password=hashed(WORD, CHEAP))}
        write_accounts(folder / "accounts.toml", Accounts(people))
        self.store = Store(folder / "store.json")
        devices = Devices({"plc": self._actuator}, {self.tag: "plc"})
        desk = Desk(folder / "accounts.toml", CHEAP, time.monotonic)
        audit = Audit(folder / "audit.jsonl", KEY)
        self.guard = Guard(
            policy, Mode.APPROVE, folder, devices, audit, self.store, desk, now, asyncio.sleep
        )

    def _actuator(self) -> Any:
        made = self._made()
        if self.gate is not None:
            made.gated(self.gate)
        return made.actuator

    async def pending(self) -> Ticket:
        """Look at the plant, and ask for more speed."""
        await self.guard.tick()
        at = time.time_ns()
        request = Request(
            id=new_id(at), tag=self.tag, value=103.0, unit="/min", proposer="speeds",
            reason="trial", not_after=at + 25 * 10**9, key=new_id(at), model="speeds",
            version="1", based_on=(Basis(self.tag, at, 0),),
        )  # fmt: skip
        self.ticket = await self.guard.ask(request, self.guard.program("speeds", TOKEN))
        return self.ticket

    async def settled(self) -> None:
        """Go on until nothing is unknown."""
        async with asyncio.timeout(GENEROUS_S):
            while self.ticket.state is State.UNKNOWN:
                await self.guard.tick()
                await asyncio.sleep(1.0)


@pytest.mark.pain(
    "P25",
    "controller stopped in its tracks for 8 s as the guard writes what a person has approved",
    "the guard with a controller that the system takes bytes for, Modbus",
    "each unknown, locked and alarmed at once; then what is found is what the controller did; "
    "block: 0 late",
)
def test_p25_guard_and_hung_controller(row: Row, full: bool, tmp_path: Path) -> None:
    each = EACH_FULL if full else EACH

    async def run() -> tuple[list[Guarded], list[bool], Controller]:
        async with contextlib.AsyncExitStack() as stack:
            controller = await stack.enter_async_context(Controller(each, fronts=("modbus",)))
            guards = [
                Guarded(tmp_path / f"{place}-{loop}", controller, place, loop)
                for place in ("plain", "block")
                for loop in range(1, each + 1)
            ]
            gate = Gate(len(guards))
            for one in guards:
                one.gate = gate
                ticket = await one.pending()
                assert ticket.state is State.PENDING, ticket
            approvals = [
                asyncio.create_task(one.guard.approve(one.ticket.request.id, "ana", WORD))
                for one in guards
            ]
            await gate.arrived()
            controller.freeze()
            gate.open()
            await asyncio.gather(*approvals)
            doubted = [
                one.ticket.state is State.UNKNOWN
                and bool(one.store.of(one.tag).locked)
                and one.tag in one.guard.book.alarms
                for one in guards
            ]
            await asyncio.sleep(HANG_S)
            controller.thaw()
            await asyncio.gather(*(one.settled() for one in guards))
            for one in guards:
                await one.guard.close()
        return guards, doubted, controller

    guards, doubted, controller = asyncio.run(run())
    applied = {one: len(controller.of("applied", one.loop, one.place)) for one in guards}
    late = {
        place: sum(n for one, n in applied.items() if one.place == place)
        for place in ("plain", "block")
    }
    told = sum((one.store.of(one.tag).known != FIRST) == bool(applied[one]) for one in guards)
    row.measured(
        unknown_locked_alarmed=f"{sum(doubted)} of {len(guards)}",
        plain_late=late["plain"],
        block_late=late["block"],
        truth_found=f"{told} of {len(guards)}",
    )
    assert all(doubted)
    assert not late["block"]
    assert told == len(guards)
    assert max(applied.values()) <= 1
