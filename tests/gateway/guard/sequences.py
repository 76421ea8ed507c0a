"""Random sequences of everything that can happen to a guard; the PLC's own log is the judge.

What may be written is worked out anew here from what the world did, not from the guard's code.
"""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.guard.audit import Audit
from gateway.guard.checks import NS
from gateway.guard.desk import Actor, Desk
from gateway.guard.process import Guard
from gateway.guard.store import Store
from plant.errors import PlantError
from plant.setpoints import Basis, Mode, Setpoint, State
from tests.gateway.guard.rig import ALARM, HALT, LOOP, RUN, SPEED, SWITCH, TEMP, Plc, Rig

CLOSE = 1e-6


class Remembered(Audit):
    """An audit that keeps its last records in memory: a million sequences wear out no disk."""

    def __init__(self, file: Path, key: Any) -> None:
        del file, key
        self.count, self.trouble, self.torn = 0, "", 0
        self.armed: list[tuple[str, float]] = []

    def note(self, at: Any, actor: str, event: str, **facts: Any) -> int:
        self.count += 1
        if event == "armed":
            self.armed.append((facts["request"], facts["value"]))
        return self.count

    def tick(self, at: Any) -> None:
        return None

    def checkpoint(self, at: Any) -> None:
        return None


class Forgetful(Store):
    """A store that is not written."""

    def keep(self) -> None:
        return None


class Anybody(Desk):
    """A desk that has looked at the password already: hashing is not what is tested here."""

    async def person(self, name: str, password: str, may: Any) -> Any:
        return None

    def stands(self, name: str, right: Any) -> bool:
        return True


@dataclass
class JudgingPlc(Plc):
    """Writes down with each write how the world was at that moment."""

    worlds: list[dict[str, Any]] = field(default_factory=list)

    def apply(self, setpoint: Setpoint) -> None:
        good = {tag: self.status.get(tag, 0) == 0 for tag in self.values}
        self.worlds.append(
            {"at": self.clock.mono, "wall": self.clock.wall, **self.values, "good": good}
        )
        super().apply(setpoint)


class Sequence:
    """One sequence on one guard, drawn from a seed."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig, self.draw = rig, random.Random(seed)
        self.plc: JudgingPlc = rig.plc  # type: ignore[assignment]
        self.approvals: dict[str, set[str]] = {}
        self.stopped = False
        self.broken: list[str] = []
        self.seen = Counter[str]()
        self.judged = 0

    async def run(self, steps: int) -> None:
        """Do so many things, and judge after each."""
        for _ in range(steps):
            await self.step()
            self.judge()

    async def step(self) -> None:  # noqa: C901
        draw, plc, rig = self.draw, self.plc, self.rig
        kind = draw.choices(KINDS, WEIGHTS)[0]
        if kind == "ask":
            await self.ask()
        elif kind == "approve":
            await self.approve()
        elif kind == "wait":
            rig.clock.move(draw.choice((0.5, 3, 10, 31, 59, 61, 130, 601, 3600)))
        elif kind == "tick":
            await rig.guard.tick()
        elif kind == "flip":
            tag = draw.choice((RUN, TEMP, ALARM, LOOP, SWITCH))
            plc.values[tag] = draw.choice(NORMAL[tag])
        elif kind == "spoil":
            plc.status[draw.choice((RUN, TEMP, ALARM, LOOP, SWITCH, SPEED))] = 0x80000000
        elif kind == "mend":
            plc.status.clear()
            plc.values |= {RUN: 1.0, TEMP: 60.0, ALARM: 0.0, LOOP: 1.0, SWITCH: 1.0, HALT: 0.0}
        elif kind == "operator":
            plc.values[SPEED] = draw.choice((44.0, 50.0, 50.03, 55.0, 59.5))
        elif kind == "device":
            plc.next_write = draw.choice(("refuse", "vanish", "blind", "lie"))
        elif kind == "stop":
            rig.guard.stop("otto")
            self.stopped = True
        elif kind == "start":
            await rig.guard.start("ana", "")
            self.stopped = False
        elif kind == "revert":
            with suppress(PlantError):
                await rig.guard.revert(SPEED, "otto", "")
        elif kind == "clock":
            rig.clock.wall += draw.choice((-3600, -5, 5, 3600)) * NS
        elif kind == "unlock":
            with suppress(PlantError):
                await rig.guard.unlock(SPEED, "ben", "")

    async def ask(self) -> None:
        draw, rig = self.draw, self.rig
        live = rig.plc.values[SPEED]
        value = draw.choice(
            (live + draw.uniform(-2.2, 2.2), live + draw.choice((-2, 2, 0.5)), draw.uniform(30, 70),
             float("nan"), 40.0, 60.0)
        )  # fmt: skip
        age = draw.choice((0, 0, 0, 1, 3)) * NS
        said = {
            "based_on": (Basis(TEMP, rig.clock.wall - age, 0),),
            "healthy": draw.random() > 0.05,
            "unit": draw.choice(("1/min",) * 12 + ("Hz",)),
            "version": draw.choice(("1",) * 12 + ("2",)),
            "not_after": rig.clock.wall + draw.choice((-1, 1, 20, 30, 31)) * NS,
        }
        actor = draw.choice((rig.program, rig.program, Actor("eve", person=True),
                             rig.guard.program("speeds", "guess")))  # fmt: skip
        ticket = await rig.guard.ask(rig.request(value, **said), actor)
        self.seen[str(ticket.code or ticket.state)] += 1

    async def approve(self) -> None:
        waiting = self.rig.guard.book.tickets(State.PENDING)
        if not waiting:
            return
        ticket, name = self.draw.choice(waiting), self.draw.choice(("ana", "ben", "eve"))
        with suppress(PlantError):
            self.approvals.setdefault(ticket.request.id, set())
            before = len(ticket.approvals)
            who = self.approvals[ticket.request.id]
            if name != ticket.actor.name:
                who.add(name)
            await self.rig.guard.approve(ticket.request.id, name, "")
            assert len(ticket.approvals) > before
            self.seen[str(ticket.code or ticket.state)] += 1

    def judge(self) -> None:
        """Look at each new write with the eyes of the plant."""
        for number in range(self.judged, len(self.plc.log)):
            sent, before = self.plc.log[number]
            self.broken += [
                f"{rule}: {sent} from {before} in {self.plc.worlds[number]}"
                for rule, fine in self.rules(number, sent, before).items()
                if not fine
            ]
        self.judged = len(self.plc.log)

    def rules(self, number: int, sent: Setpoint, before: float) -> dict[str, bool]:
        world, log, worlds = self.plc.worlds[number], self.plc.log, self.plc.worlds
        request, value = self.rig.audit.armed[-1]  # type: ignore[attr-defined]
        back = request.startswith("back-")
        earlier = [
            (world["at"] - worlds[n]["at"], abs(log[n][0].value - log[n][1])) for n in range(number)
        ]
        minute = sum(size for age, size in earlier if age < 60 - CLOSE)
        good = world["good"]
        cool = world[RUN] == 1 and world[TEMP] < 80 and good[TEMP]
        return {
            "audit": value == sent.value,
            "limits": 40 <= sent.value <= 60,
            "step": abs(sent.value - before) <= 2 + CLOSE,
            "slope": minute + abs(sent.value - before) <= 3 + CLOSE,
            "interval": back or all(age >= 60 - CLOSE for age, _ in earlier[-1:]),
            "interlock": good[RUN] and (cool or world[RUN] == 2),
            "alarm": good[ALARM] and world[ALARM] == 0,
            "mode": good[LOOP] and world[LOOP] == 1,
            "key switch": good[SWITCH] and world[SWITCH] == 1,
            "stop": not self.stopped,
            "approval": back or len(self.approvals.get(request, ())) >= self.persons(),
            "sequence": all(sent.sequence != one.sequence for one, _ in log[:number]),
        }

    def persons(self) -> int:
        return self.rig.policy.limits[SPEED].persons


KINDS = (
    "ask", "approve", "wait", "tick", "flip", "spoil", "mend", "operator", "device", "stop",
    "start", "revert", "clock", "unlock",
)  # fmt: skip
WEIGHTS = (30, 30, 18, 12, 4, 2, 9, 2, 2, 1, 3, 3, 1, 3)
NORMAL = {
    RUN: (0.0, 1.0, 2.0), TEMP: (60.0, 79.9, 80.0, 95.0), ALARM: (0.0, 1.0), LOOP: (0.0, 1.0),
    SWITCH: (0.0, 1.0),
}  # fmt: skip


@dataclass
class Outcome:
    """What many sequences came to."""

    sequences: int = 0
    steps: int = 0
    writes: int = 0
    broken: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)


def many(folder: Path, sequences: int, text: str, first: int = 0, steps: int = 6) -> Outcome:
    """Run sequences, each on a guard in its first minute, and judge all writes."""
    outcome = Outcome()
    rig = Rig(folder, text, audit=Remembered, store=Forgetful, plc=JudgingPlc)

    async def story() -> None:
        for seed in range(first, first + sequences):
            renewed(rig)
            one = Sequence(rig, seed)
            await one.run(steps)
            outcome.sequences += 1
            outcome.steps += steps
            outcome.writes += len(one.plc.log)
            outcome.seen += one.seen
            outcome.broken += [f"seed {seed}: {words}" for words in one.broken]

    asyncio.run(story())
    return outcome


def renewed(rig: Rig) -> None:
    """Make all anew but for the files."""
    rig.clock.wall, rig.clock.mono = 1_800_000_000 * NS, 1000.0
    rig.plc = JudgingPlc(rig.clock)
    rig.store = Forgetful(rig.folder / "none")
    rig.audit = Remembered(rig.folder / "none", None)
    stop = rig.folder / "stopped"
    stop.unlink(missing_ok=True)
    desk = Anybody.__new__(Anybody)
    rig.devices = rig.fresh_devices()
    rig.guard = Guard(
        rig.policy, Mode.AUTO, rig.folder, rig.devices, rig.audit, rig.store, desk, rig.clock,
        rig.clock.sleep,
    )  # fmt: skip
