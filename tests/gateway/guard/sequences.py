"""Random sequences of everything that can happen to a guard; the PLC's own log is the judge.

What may be written is worked out anew here from what the world did, not from the guard's code.
``python -m tests.gateway.guard.sequences 1000000`` tells every ten thousand how it stands.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gateway.guard import passage, process, tickets
from gateway.guard.audit import Audit
from gateway.guard.checks import NS
from gateway.guard.desk import Actor, Desk
from gateway.guard.lifecycle import Event, after
from gateway.guard.process import Guard
from gateway.guard.store import Store
from plant.errors import PlantError
from plant.setpoints import Basis, Mode, Request, Setpoint, State
from tests.gateway.guard.rig import (
    ALARM,
    HALT,
    LIMITS,
    LOOP,
    RUN,
    SPEED,
    SWITCH,
    TEMP,
    TOKEN,
    Plc,
    Rig,
)

CLOSE = 1e-6
FIRST, STEPS, CHUNK = 10**6, 12, 10_000
"""First seed of the many, things that happen in each, and after how many of them it is told."""
MEMORY = Path("/dev/shm")


class Remembered(Audit):
    """An audit that keeps its last records in memory: a million sequences wear out no disk."""

    def __init__(self, file: Path, key: Any) -> None:
        del file, key
        self.count, self.trouble, self.torn = 0, "", 0
        self.armed: list[tuple[str, float]] = []
        self.rejecting = Counter[int]()

    def note(self, at: Any, actor: str, event: str, **facts: Any) -> int:
        self.count += 1
        if event == "armed":
            self.armed.append((facts["request"], facts["value"]))
        elif event == "checked":
            number, code, _ = facts["checks"][-1]
            self.rejecting.update([number] if code else [])
        return self.count

    def tick(self, at: Any) -> None:
        return None

    def checkpoint(self, at: Any) -> None:
        return None


class Forgetful(Store):
    """A store that is neither read nor written."""

    def __init__(self, file: Path) -> None:
        self.serial, self.off, self.records = 0, {}, {}

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
        self.judged = self.asked = 0

    async def run(self, steps: int) -> None:
        """Do so many things, and judge after each."""
        for _ in range(steps):
            await self.step()
            self.judge()

    async def step(self) -> None:  # noqa: C901
        draw, plc, rig = self.draw, self.plc, self.rig
        kind = draw.choices(KINDS, cum_weights=UP_TO)[0]
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
        value = draw.choice(VALUES)(draw, live)
        age = draw.choice((0, 0, 0, 1, 3)) * NS
        said = {
            "based_on": (Basis(TEMP, rig.clock.wall - age, 0),),
            "healthy": draw.random() > 0.05,
            "unit": draw.choice(("1/min",) * 12 + ("Hz",)),
            "version": draw.choice(("1",) * 12 + ("2",)),
            "not_after": rig.clock.wall + draw.choice(VOID_S) * NS,
        }
        who, token = draw.choice(ASKING)
        actor = rig.guard.program(who, token) if token else Actor(who, person=True)
        self.asked += 1
        key = f"request-{self.asked}"
        request = Request(
            id=key, key=key, tag=SPEED, value=value, proposer="speeds", reason="why",
            model="speeds", **said,
        )  # fmt: skip
        ticket = await rig.guard.ask(request, actor)
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
UP_TO = tuple(accumulate(WEIGHTS))
VALUES: tuple[Callable[[random.Random, float], float], ...] = (
    *(lambda draw, live: live + draw.uniform(-2.2, 2.2),) * 6,
    *(lambda draw, live: live + draw.choice((-2, -1, -0.6, 0.6, 1, 2, 0.5, 0.4)),) * 6,
    *(lambda draw, _live: draw.uniform(30, 70),) * 2,
    lambda _draw, _live: 40.0,
    lambda _draw, _live: 60.0,
    lambda draw, _live: draw.choice((float("nan"), float("inf"))),
)
VOID_S = (-1, 1, 5, 10, 20, 20, 25, 29, 30, 31)
ASKING = (("speeds", TOKEN),) * 8 + (("eve", ""),) * 3 + (("speeds", "a guess"),)
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
    rejecting: Counter[int] = field(default_factory=Counter)
    """How often each check was the one that rejected."""
    reached: Counter[State] = field(default_factory=Counter)
    """How often a request came into each state."""

    def add(self, other: "Outcome") -> None:
        """Count others in."""
        self.sequences += other.sequences
        self.steps += other.steps
        self.writes += other.writes
        self.broken += other.broken
        for mine, theirs in (
            (self.seen, other.seen), (self.rejecting, other.rejecting),
            (self.reached, other.reached),
        ):  # fmt: skip
            mine.update(theirs)  # type: ignore[arg-type]

    def words(self) -> str:
        """Say what it came to."""
        checks = ", ".join(f"{number}: {self.rejecting[number]:,}" for number in range(1, 14))
        states = ", ".join(f"{state}: {self.reached[state]:,}" for state in State)
        return (
            f"{self.sequences:,} sequences of {self.steps:,} steps, {self.writes:,} writes, "
            f"{len(self.broken)} outside what was signed; rejected by check {checks}; "
            f"reached {states}"
        )


def many(sequences: int, text: str, first: int = 0, steps: int = 6) -> Outcome:
    """Run sequences, each on a guard in its first minute, and judge all writes."""
    outcome = Outcome()

    async def story(rig: Rig) -> None:
        for seed in range(first, first + sequences):
            renewed(rig)
            one = Sequence(rig, seed)
            await one.run(steps)
            outcome.sequences += 1
            outcome.steps += steps
            outcome.writes += len(one.plc.log)
            outcome.seen.update(one.seen)
            outcome.rejecting.update(rig.audit.rejecting)  # type: ignore[attr-defined]
            outcome.reached[State.RECEIVED] += one.asked
            outcome.broken += [f"seed {seed}: {words}" for words in one.broken]

    def watched(state: State, event: Event) -> State:
        moved = after(state, event)
        outcome.reached[moved] += 1
        return moved

    with (
        off_disk() as folder,
        patch.object(passage, "after", watched),
        patch.object(tickets, "after", watched),
    ):
        asyncio.run(story(Rig(folder, text, audit=Remembered, store=Forgetful, plc=JudgingPlc)))
    return outcome


@contextmanager
def off_disk() -> Iterator[Path]:
    """Give a folder in memory where the machine has one: the kill switch is pulled often."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def renewed(rig: Rig) -> None:
    """Make all anew but for the files."""
    rig.clock.wall, rig.clock.mono = 1_800_000_000 * NS, 1000.0
    rig.plc = JudgingPlc(rig.clock)
    rig.store = Forgetful(rig.folder)
    rig.audit = Remembered(rig.folder, None)
    if rig.guard.stopped():
        (rig.folder / process.STOP).unlink(missing_ok=True)
    desk = Anybody.__new__(Anybody)
    rig.devices = rig.fresh_devices()
    rig.guard = Guard(
        rig.policy, Mode.AUTO, rig.folder, rig.devices, rig.audit, rig.store, desk, rig.clock,
        rig.clock.sleep,
    )  # fmt: skip


def main() -> None:
    """Run as many sequences as are asked for, and say after each ten thousand what came of them."""
    whole, begun = Outcome(), time.monotonic()
    last = FIRST + int(sys.argv[1])
    for first in range(FIRST, last, CHUNK):
        whole.add(many(min(CHUNK, last - first), LIMITS, first=first, steps=STEPS))
        sys.stdout.write(f"{whole.words()}; {time.monotonic() - begun:,.0f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
