"""A plant in memory with a guard before it: the PLC writes down what reaches it and when."""

import asyncio
import hashlib
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.contract import Cells
from gateway.accounts.passwords import Cost, hashed
from gateway.accounts.register import Account, Accounts, write_accounts
from gateway.accounts.roles import Role
from gateway.guard.audit import Audit
from gateway.guard.checks import NS, Moment
from gateway.guard.desk import Desk
from gateway.guard.devices import Devices
from gateway.guard.limits import read_policy, sign
from gateway.guard.policy import Known, Policy
from gateway.guard.process import Guard
from gateway.guard.store import Store
from gateway.guard.words import new_id
from plant.errors import Rejected, Unreachable
from plant.setpoints import Basis, Doubtful, Mode, Readback, Reading, Request, Setpoint

T = TypeVar("T")
SPEED, RUN, TEMP, ALARM, LOOP = "l/c/speed", "l/c/run", "l/c/temp", "l/c/alarm", "l/c/loop"
SWITCH, HALT, RECIPE = "l/remote", "l/halt", "l/c/recipe"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KNOWN = {
    name: Known("1/min" if name in (SPEED, RECIPE) else "", "plc", "10.0.0.7")
    for name in (SPEED, RUN, TEMP, ALARM, LOOP, SWITCH, HALT, RECIPE)
}
WALL = 1_800_000_000 * NS
CHEAP = Cost(memory=64, passes=1, lanes=1)
WORD = "a password of some length"
PEOPLE = {"ana": Role.APPROVER, "ben": Role.APPROVER, "eve": Role.ENGINEER, "otto": Role.OPERATOR}
TOKEN = "a token of the proposer"
NUMBERS = """\
low = 40
high = 60
band = 6
max_step = 2
slope_per_min = 3
drift_1h = 4
drift_24h = 8
deadband = 0.5
tolerance = 0.05
"""
"""What a setpoint has to say of its values, in its own unit."""
LIMITS = f"""\
serial = 3
expires = 2030-01-01
mode = "auto"
stop_tag = "{HALT}"
key_switch = "{SWITCH}"

[[proposer]]
name = "speeds"
token_sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"
tags = ["{SPEED}"]
models = ["speeds@1"]
per_hour = 10

[[setpoint]]
tag = "{SPEED}"
unit = "1/min"
{NUMBERS}mode = "approve"
persons = 1
interval_s = 60
fresh_s = 2
interlock = "{RUN} == 1 and {TEMP} < 80 or {RUN} == 2"
requires = "{LOOP} == 1"
alarms = ["{ALARM}"]
operator_min = 10
fallback = "ramp_to_last_good"
hold_s = 1800
revert_s = 600
"""


@cache
def policy_of(text: str = LIMITS, now: int = WALL) -> Policy:
    return read_policy(sign(text.encode(), KEY), "limits.toml", [KEY.public_key()], KNOWN, now)


@dataclass
class Clock:
    """Both clocks, moved by hand."""

    wall: int = WALL
    mono: float = 1000.0
    boot: str = "boot"

    def __call__(self) -> Moment:
        return Moment(self.wall, self.mono, self.boot)

    def reboot(self, up_s: float, wall_s: float) -> None:
        """Start the machine anew: up for so long, with the wall clock moved by so much."""
        self.boot, self.mono, self.wall = self.boot + "+", up_s, self.wall + int(wall_s * NS)

    def move(self, seconds: float) -> None:
        self.wall += int(seconds * NS)
        self.mono += seconds

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)


@dataclass
class Plc:
    """Values, and the log of what was applied: the judge."""

    clock: Clock
    values: dict[str, float] = field(
        default_factory=lambda: {
            SPEED: 50.0, RUN: 1.0, TEMP: 60.0, ALARM: 0.0, LOOP: 1.0, SWITCH: 1.0, HALT: 0.0,
            RECIPE: 50.0,
        }
    )  # fmt: skip
    status: dict[str, int] = field(default_factory=dict)
    log: list[tuple[Setpoint, float]] = field(default_factory=list)
    attempts: int = 0
    next_write: str = "take"
    """take, refuse, vanish (nobody knows, not applied), blind (nobody knows, applied), lie."""
    reachable: bool = True
    active: float | None = None
    opened: int = 0

    def reading(self, tag: str) -> Reading:
        status = self.status.get(tag, 0)
        return Reading(tag, self.values[tag], status, self.clock.wall, self.clock.mono)

    def apply(self, setpoint: Setpoint) -> None:
        self.log.append((setpoint, self.values[setpoint.tag]))
        self.values[setpoint.tag] = setpoint.value


@dataclass
class InMemory:
    """An actuator of the plant in memory."""

    plc: Plc
    name: str = "plc"
    places: Mapping[str, Cells] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        if not self.plc.reachable:
            raise Unreachable("no route")
        self.plc.opened += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    async def read(self, tags: Sequence[str]) -> Sequence[Reading]:
        self._there()
        return [self.plc.reading(tag) for tag in tags if tag in self.plc.values]

    async def write(self, setpoint: Setpoint, last_look: Callable[[], None] = lambda: None) -> None:
        last_look()
        self.plc.attempts += 1
        how, self.plc.next_write = self.plc.next_write, "take"
        if how == "refuse":
            raise Rejected("no")
        if how in ("take", "blind"):
            self.plc.apply(setpoint)
        if how in ("vanish", "blind"):
            raise Doubtful("timed out")

    async def read_back(self, tag: str) -> Readback:
        self._there()
        active = self.plc.active
        reading = self.plc.reading(tag)
        return Readback(reading, None if active is None else replace(reading, value=active))

    def _there(self) -> None:
        if not self.plc.reachable:
            raise Unreachable("no route")


class Rig:
    """A guard with its folder; `again` starts it anew, as after a kill."""

    def __init__(
        self,
        folder: Path,
        text: str = LIMITS,
        mode: Mode = Mode.AUTO,
        audit: type[Audit] = Audit,
        store: type[Store] = Store,
        plc: type[Plc] = Plc,
    ) -> None:
        self.folder, self.clock = folder, Clock()
        self.plc = plc(self.clock)
        self.policy, self.mode = policy_of(text), mode
        self._audit, self._store = audit, store
        accounts = {
            name: Account(name=name, role=role, password=hashed(WORD, CHEAP))
            for name, role in PEOPLE.items()
        }
        write_accounts(folder / "accounts.toml", Accounts(accounts))
        self.again()

    def again(self) -> Guard:
        self.store = self._store(self.folder / "store.json")
        self.audit = self._audit(self.folder / "audit.jsonl", KEY)
        self.devices = self.fresh_devices()
        self.guard = Guard(
            self.policy, self.mode, self.folder, self.devices, self.audit, self.store,
            Desk(self.folder / "accounts.toml", CHEAP, lambda: self.clock.mono), self.clock,
            self.clock.sleep,
        )  # fmt: skip
        return self.guard

    def fresh_devices(self) -> Devices:
        return Devices(
            {"plc": lambda: InMemory(self.plc)}, {tag: one.device for tag, one in KNOWN.items()}
        )

    def request(self, value: float = 51.0, **said: Any) -> Request:
        now = self.clock.wall
        made = Request(
            id=new_id(now), tag=SPEED, value=value, unit="1/min", proposer="speeds",
            reason="less load on the bearing", not_after=now + 20 * NS, key=new_id(now),
            model="speeds", version="1", based_on=(Basis(TEMP, now, 0),),
        )  # fmt: skip
        return replace(made, **said)

    @property
    def program(self) -> Any:
        return self.guard.program("speeds", TOKEN)

    def events(self, name: str) -> list[dict[str, Any]]:
        from gateway.guard.audit import records_of

        path = self.folder / "audit.jsonl"
        return [one for one in records_of(path) if one["event"] == name]


def ran(what: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(what)


NAN = math.nan
