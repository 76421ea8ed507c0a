"""A guard of one setpoint before a controller; its write can be stopped before its bytes leave."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.accounts.passwords import hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Role
from gateway.guard.audit import Audit, records_of
from gateway.guard.checks import Moment
from gateway.guard.desk import Desk
from gateway.guard.devices import Devices
from gateway.guard.policy import Known, read_policy, sign
from gateway.guard.process import Guard
from gateway.guard.store import Store
from gateway.guard.tickets import Ticket
from gateway.guard.words import new_id
from plant.setpoints import Basis, Mode, Request
from tests.faults.setpoints.controller import WANTED, Controller, Gate, Writer, writer
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
SETTLE_S, GENEROUS_S = 15, 240.0


def now() -> Moment:
    return Moment(time.time_ns(), time.monotonic(), "boot")


class Guarded:
    """A guard of one setpoint, whose write stops at a gate right before its bytes leave."""

    def __init__(
        self,
        folder: Path,
        controller: Controller,
        protocol: str,
        place: str,
        loop: int,
        settle_s: int = SETTLE_S,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.protocol, self.place, self.loop = protocol, place, loop
        self.tag = writer(controller, protocol, place, loop).tag
        self.gate: Gate | None = None
        self._made: Callable[[], Writer] = lambda: writer(controller, protocol, place, loop)
        text = LIMITS.format(
            tag=self.tag,
            token=hashlib.sha256(TOKEN.encode()).hexdigest(),
            settle_s=settle_s,
            block=f'block = "unit {loop}, holding 100"' if place == "block" else "",
        )
        known = {self.tag: Known("/min", "plc", controller.host)}
        signed = sign(text.encode(), KEY)
        policy = read_policy(signed, "limits.toml", [KEY.public_key()], known, time.time_ns())
        people = {"ana": Account(name="ana", role=Role.APPROVER, password=hashed(WORD, CHEAP))}
        write_accounts(folder / "accounts.toml", Accounts(people))
        self.store = Store(folder / "store.json")
        devices = Devices({"plc": self._actuator}, {self.tag: "plc"})
        desk = Desk(folder / "accounts.toml", CHEAP, time.monotonic)
        self.file = folder / "audit.jsonl"
        audit = Audit(self.file, KEY)
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
            id=new_id(at), tag=self.tag, value=WANTED, unit="/min", proposer="speeds",
            reason="trial", not_after=at + 25 * 10**9, key=new_id(at), model="speeds",
            version="1", based_on=(Basis(self.tag, at, 0),),
        )  # fmt: skip
        self.ticket = await self.guard.ask(request, self.guard.program("speeds", TOKEN))
        return self.ticket

    async def settled(self) -> None:
        """Go on until nothing is unknown."""
        async with asyncio.timeout(GENEROUS_S):
            while self.store.of(self.tag).intent is not None:
                await self.guard.tick()
                await asyncio.sleep(1.0)

    @property
    def doubted(self) -> bool:
        """Whether the setpoint is locked, with an alarm."""
        return bool(self.store.of(self.tag).locked) and self.tag in self.guard.book.alarms

    def found(self) -> list[bool]:
        """Give whether the write was found to be applied, each time that it was settled."""
        return [one["applied"] for one in records_of(self.file) if one["event"] == "settled"]
