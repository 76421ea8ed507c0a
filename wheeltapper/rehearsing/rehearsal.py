"""The real guard on a recorded plant and a simulated clock; only paper and hands are others.

Its checks, its life cycle, its fallback and its way back are those that run in the plant. What the
guard writes holds in the rehearsal until the recorded operator changes the setpoint.
"""

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from connectors.contract import Cells
from gateway.accounts.passwords import Cost
from gateway.accounts.roles import Right, Role
from gateway.guard.audit import Audit
from gateway.guard.checks import Moment
from gateway.guard.desk import Desk
from gateway.guard.devices import Devices
from gateway.guard.policy import Limits, Policy
from gateway.guard.process import Guard
from gateway.guard.store import Store
from plant.quality import Status
from plant.setpoints import Code, Mode, Readback, Reading, Setpoint, State
from wheeltapper.rehearsing.recorded import Recorded
from wheeltapper.rehearsing.requests import Asked

NS = 10**9
LOOK_NS = NS
"""After a change the guard looks within a second."""
STEP_NS, REST_NS = 5 * NS, 80 * NS
"""On a way back it is looked at so often; while nothing moves there, more and more seldom."""
NEAR = 0.05
"""Share of the range that counts as near a limit."""
DEVICE = "recording"


@dataclass
class Clock:
    """Both clocks, moved by hand and never back."""

    wall: int

    def __call__(self) -> Moment:
        """Tell the moment."""
        return Moment(self.wall, self.wall / NS, "rehearsal")

    def to(self, wall: int) -> None:
        """Move on."""
        self.wall = max(self.wall, wall)

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.wall += round(seconds * NS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: when, for what, from which value, and why not."""

    at: int
    tag: str
    value: float
    before: float | None
    state: State
    code: Code | None
    check: int
    why: str


@dataclass(frozen=True, slots=True)
class Move:
    """A write: when (ns), and to which value; `back` for one on the way back."""

    at: int
    value: float
    back: bool


@dataclass(slots=True)
class Hands:
    """An actuator of the recorded plant; it keeps what was written until the operator moves."""

    recorded: Recorded
    clock: Clock
    changes: dict[str, list[int]]
    moves: dict[str, list[Move]]
    name: str = DEVICE
    places: Mapping[str, Cells] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        """Connect."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""

    async def read(self, tags: Sequence[str]) -> Sequence[Reading]:
        """Read tags as they were recorded, and setpoints as they are here."""
        return [found for tag in tags if (found := self.reading(tag)) is not None]

    async def write(self, setpoint: Setpoint, last_look: Callable[[], None] = lambda: None) -> None:
        """Take a value."""
        last_look()
        self.moves[setpoint.tag].append(Move(self.clock.wall, setpoint.value, back=False))

    async def read_back(self, tag: str) -> Readback:
        """Give what is kept."""
        found = self.reading(tag)
        missing = Reading(tag, float("nan"), int(Status.BAD), self.clock.wall, self.clock().mono)
        return Readback(found or missing)

    def ours(self, tag: str) -> Move | None:
        """Give the write that is in force; None while the operator's value is."""
        moves = self.moves.get(tag)
        if not moves:
            return None
        last, changes = moves[-1], self.changes[tag]
        place = bisect.bisect_right(changes, last.at)
        over = place < len(changes) and changes[place] <= self.clock.wall
        return None if over else last

    def reading(self, tag: str) -> Reading | None:
        """Give a tag now."""
        found, own = self.recorded.reading(tag, self.clock.wall, self.clock().mono), self.ours(tag)
        return found if found is None or own is None else replace(found, value=own.value)


class Unwritten(Audit):
    """Keeps nothing: a rehearsal is no record."""

    def __init__(self) -> None:
        self.count, self.trouble, self.torn = 0, "", 0

    def note(self, at: Moment, actor: str, event: str, **facts: Any) -> int:
        """Count."""
        del at, actor, event, facts
        self.count += 1
        return self.count

    def tick(self, at: Moment) -> None:
        """Do nothing."""

    def checkpoint(self, at: Moment) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Forgetful(Store):
    """Knows what it knows while it runs."""

    def keep(self) -> None:
        """Keep nothing."""


class Consenting(Desk):
    """Stands for people who approve everything at once: what the guard lets through is the most."""

    async def person(self, name: str, password: str, may: Right | frozenset[Role]) -> Role:
        """Believe anybody."""
        del name, password, may
        return Role.APPROVER

    def stands(self, name: str, right: Right) -> bool:
        """Believe it still."""
        del name, right
        return True


@dataclass(slots=True)
class Walk:
    """What a rehearsal did to one setpoint.

    Parameters
    ----------
    limits
        Of the setpoint.
    at, operator, force
        Times (n,), ns; the value as the operator had it, and as it would have been, (n,).
    outcomes, moves
        Of the requests, and the writes.
    """

    limits: Limits
    at: NDArray[np.int64]
    operator: NDArray[np.float64]
    force: NDArray[np.float64]
    outcomes: list[Outcome]
    moves: list[Move]

    @property
    def farthest(self) -> float:
        """Give the largest distance from the operator's value."""
        apart = np.abs(self.force - self.operator)
        return float(np.nanmax(apart)) if np.isfinite(apart).any() else 0.0

    def hours(self, where: NDArray[np.bool_]) -> float:
        """Give for how long something was so, h; a hole in the recording counts for nothing."""
        if len(self.at) < 2:
            return 0.0
        gap = np.diff(self.at)
        gap = np.where(gap <= 10 * max(float(np.median(gap)), NS), gap, 0)
        return float(gap[where[:-1]].sum()) / NS / 3600

    @property
    def near_h(self) -> float:
        """Give for how long it would have been near a limit, h."""
        room = NEAR * (self.limits.high - self.limits.low)
        near = (self.force <= self.limits.low + room) | (self.force >= self.limits.high - room)
        return self.hours(near)

    @property
    def ours_h(self) -> float:
        """Give for how long a value of the guard would have been in force, h."""
        return self.hours(np.abs(self.force - self.operator) > self.limits.tolerance)


@dataclass
class Rehearsal:
    """Runs requests through a guard.

    Parameters
    ----------
    policy
        The limits; how far they let a request go is replaced by `mode`.
    recorded
        The plant.
    mode
        ``approve``: people approve everything at once; ``advisory``: nothing is written.
    """

    policy: Policy
    recorded: Recorded
    mode: Mode
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = {
            tag: replace(one, mode=self.mode, block="", active="")
            for tag, one in self.policy.limits.items()
        }
        # When it was signed says nothing of a month before.
        self.policy = replace(self.policy, mode=self.mode, limits=limits, signed_at=0)
        self._clock = Clock(self.recorded.begin)
        self._changes = {
            tag: self.recorded.courses[tag].changes().tolist()
            for tag in limits
            if tag in self.recorded.courses
        }
        self.moves: dict[str, list[Move]] = {tag: [] for tag in limits}
        self._rest = dict.fromkeys(limits, STEP_NS)
        self._hands = Hands(self.recorded, self._clock, self._changes, self.moves)

    async def run(self, asked: Sequence[Asked], moved: Callable[[int], None]) -> list[Walk]:
        """Run all requests, oldest first; `moved` is told of each that is done."""
        with TemporaryDirectory() as folder:
            self._guard = self._guarded(Path(folder))
            for one in asked:
                await self._until(one.at)
                await self._ask(one)
                moved(1)
            await self._until(self.recorded.end)
        return [self._walk(one) for one in self.policy.limits.values()]

    def _guarded(self, folder: Path) -> Guard:
        tags = {*self.recorded.courses, *self.policy.limits, self.policy.stop_tag}
        tags |= {tag for one in self.policy.limits.values() for tag in one.reads()}
        tags |= {self.policy.key_switch}
        self._store = Forgetful(folder / "store.json")
        return Guard(
            self.policy, self.mode, folder,
            Devices({DEVICE: lambda: self._hands}, dict.fromkeys(tags, DEVICE)),
            Unwritten(), self._store,
            Consenting(folder / "accounts.toml", Cost(memory=64, passes=1, lanes=1)),
            self._clock, self._clock.sleep,
        )  # fmt: skip

    async def _ask(self, one: Asked) -> None:
        waited = self._clock.wall - one.at
        request = replace(one.request, not_after=one.request.not_after + max(0, waited))
        ticket = await self._guard.ask(request, one.actor)
        while ticket.state is State.PENDING:
            name = f"approver {len(ticket.approvals) + 1}"
            ticket = await self._guard.approve(request.id, name, "")
        found = ticket.why.removeprefix("check ").partition(":")[0]
        check = int(found) if found.isdecimal() else 0
        self.outcomes.append(
            Outcome(one.at, request.tag, request.value, ticket.before, ticket.state, ticket.code,
                    check, ticket.why)
        )  # fmt: skip

    async def _until(self, to: int) -> None:
        """Let the guard look at the plant whenever there may be something to see."""
        while (moment := self._next(to)) is not None:
            await self._look(moment)
        if to - LOOK_NS > self._clock.wall:
            await self._look(to - LOOK_NS)
        self._clock.to(to)

    async def _look(self, moment: int) -> None:
        self._clock.to(moment)
        writes = {tag: len(moves) for tag, moves in self.moves.items()}
        await self._guard.tick()
        for tag, count in writes.items():
            steps = [replace(one, back=True) for one in self.moves[tag][count:]]
            self.moves[tag][count:] = steps
            self._rest[tag] = STEP_NS if steps else min(2 * self._rest[tag], REST_NS)
        stop = self.policy.stop_tag
        if stop and self._guard.stopped():
            # A person who has seen that the stop is gone starts again.
            found = self._hands.reading(stop)
            if found is not None and found.value == 0.0:
                await self._guard.start("approver 1", "")

    def _next(self, to: int) -> int | None:
        """Give when to look next, before `to`; None: nothing happens until then."""
        now = self._clock.wall
        due = [moment for tag in self.policy.limits for moment in self._due(tag, now, to)]
        return min((moment for moment in due if now < moment <= to), default=None)

    def _due(self, tag: str, now: int, to: int) -> list[int]:
        changes, record = self._changes.get(tag, []), self._store.of(tag)
        if self._hands.ours(tag) is None:
            # Of many changes by hand the last one counts.
            last = bisect.bisect_right(changes, to - LOOK_NS) - 1
            return [changes[last] + LOOK_NS] if last >= 0 else []
        due = []
        following = bisect.bisect_right(changes, now - LOOK_NS)
        if following < len(changes):
            due.append(changes[following] + LOOK_NS)
        hold = self.policy.limits[tag].hold_s
        if record.renewed is not None and hold and record.returning is None:
            due.append(record.renewed.wall + round(hold * NS) + LOOK_NS)
        if record.returning is not None:
            due.append(now + self._rest[tag])
        return due

    def _walk(self, limits: Limits) -> Walk:
        course = self.recorded.courses.get(limits.tag)
        outcomes = [one for one in self.outcomes if one.tag == limits.tag]
        moves = self.moves[limits.tag]
        if course is None:
            nothing = np.zeros(0)
            return Walk(limits, nothing.astype(np.int64), nothing, nothing, outcomes, moves)
        operator = np.where(course.status < Status.UNCERTAIN, course.value, np.nan)
        force, changes = operator.copy(), self._changes[limits.tag]
        for place, move in enumerate(moves):
            after = bisect.bisect_right(changes, move.at)
            ends = [changes[after]] if after < len(changes) else []
            ends += [moves[place + 1].at] if place + 1 < len(moves) else []
            first = int(course.at.searchsorted(move.at))
            last = int(course.at.searchsorted(min(ends))) if ends else len(force)
            force[first:last] = np.where(np.isnan(operator[first:last]), np.nan, move.value)
        return Walk(limits, course.at, operator, force, outcomes, moves)
