"""Has proposers look once in a while, and carries what they ask to the guard.

They run beside the event loop, over the newest values only: acquisition waits for none of them. One
that raises, takes too long, asks for what is no request or asks too often is throttled, named, and
after a few times in a row switched off until the gateway starts again.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gateway.console.view import ProposedRow, ProposerRow
from gateway.guard.lifecycle import OVER
from gateway.guard.line import GuardLine
from gateway.journal import JSON
from gateway.proposing.contract import Look, Outcome, Proposer, Remembering
from gateway.proposing.requests import flaw_of
from gateway.proposing.worker import Worker
from plant.errors import PlantError, Rejected, Unreachable
from plant.files import put
from plant.setpoints import Code, Request, State

FILE = "proposers.json"
"""What each asked for last, and why not; below the data folder."""
ROUND_S = 1.0
BUDGET_S = 1.0
"""A call that takes longer counts against its proposer."""
HUNG_S = 10.0
"""One that has not returned by then is switched off."""
STRIKES = 5
"""In a row, and it is switched off."""
LONGEST_WAIT_S = 300.0
BURST, PER_S = 5.0, 0.1
"""Requests that a proposer may have at once, and a second in the long run."""
FLOODS = 30
"""Requests above that in a row, and it is switched off."""
POLL_S = 1.0
PATIENCE_S = 45.0
"""Longer than a request waits for people and a write takes."""
AWAY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits between looks for a guard that is not there."""
STATUS_S = 3.0
KEEP_S = 30.0
"""Unless something has happened the file is written anew so often."""
FINAL = OVER | {State.HELD, State.UNKNOWN}
"""States in which a proposer waits no longer."""

Announce = Callable[[str, dict[str, JSON]], None]


@dataclass(slots=True)
class Seat:
    """One proposer and how it behaves.

    Parameters
    ----------
    proposer, token
        Who asks, and what he shows the guard.
    unit
        Of its setpoint.
    every_s
        How often it looks.
    off
        Why it is switched off; empty while it is not.
    throttled
        Why it is asked less often; empty while it is not.
    last
        Its last request and what became of it.
    memory
        What it wants to know after a restart.
    late
        Whether its last look took too long: what it asks for then is passed on to nobody.
    """

    proposer: Proposer
    token: str = field(repr=False)
    unit: str
    every_s: float
    worker: Worker
    off: str = ""
    throttled: str = ""
    strikes: int = 0
    due: float = 0.0
    begun: float = 0.0
    left: float = BURST
    filled: float = field(default_factory=time.monotonic)
    over: int = 0
    last: ProposedRow | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    late: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str:
        """Give what a person has to know of it; empty: nothing."""
        return f"switched off: {self.off}" if self.off else self.throttled


class Proposing:
    """Runs the proposers of a gateway until it is cancelled.

    Parameters
    ----------
    seats
        The proposers.
    look
        Looks at the plant, in the event loop; None when it cannot.
    line
        The way to the guard.
    folder
        Where what was asked for is kept for the next start, and for the commands.
    announce
        Told "proposer" when one is throttled, switched off or right again, and "guard" when there
        is none, and when it is back.
    """

    def __init__(
        self,
        seats: Sequence[Seat],
        look: Callable[[], Look | None],
        line: GuardLine,
        folder: Path,
        announce: Announce,
    ) -> None:
        self.seats = tuple(seats)
        self._look, self._line, self._announce = look, line, announce
        self._file = folder / FILE
        self._away = ""
        self._tries = 0
        self._again = 0.0
        self._unkept = ""
        self._kept_at = 0.0
        self._happened = True

    async def run(self) -> None:
        """Look and ask, round after round."""
        await asyncio.to_thread(self._recall)
        try:
            while True:
                begun = time.monotonic()
                self._end_hung(begun)
                if await self._guarded(begun):
                    self._round(begun)
                await self._keep()
                await asyncio.sleep(max(0.0, ROUND_S - (time.monotonic() - begun)))
        finally:
            tasks = [seat.task for seat in self.seats if seat.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for seat in self.seats:
                seat.worker.abandon()
            self._write()

    def troubles(self) -> dict[str, str]:
        """Give what a person has to know: of each proposer, and of the guard that is not there."""
        found = {seat.proposer.name: seat.trouble for seat in self.seats if seat.trouble}
        more = {"guard": self._away, FILE: self._unkept}
        return {**found, **{name: why for name, why in more.items() if why}}

    def rows(self) -> list[ProposerRow]:
        """Tell of each proposer: what it is, what it asked for last, and why not now."""
        return [
            {
                "name": seat.proposer.name,
                "kind": type(seat.proposer).__name__.lower(),
                "tag": seat.proposer.tag,
                "unit": seat.unit,
                "model": f"{seat.proposer.model}@{seat.proposer.version}",
                "off": seat.off,
                "throttled": seat.throttled,
                "why": self._away or seat.proposer.why[:500],
                "last": seat.last,
            }
            for seat in self.seats
        ]

    # The guard, there or not.

    async def _guarded(self, now: float) -> bool:
        """Tell whether there is a guard to ask; one that was away is looked for now and then."""
        if not self._away:
            return True
        if now < self._again:
            return False
        try:
            await self._line.tell({"op": "status"}, STATUS_S)
        except PlantError as error:
            self._gone(str(error))
            return False
        self._away, self._tries, self._happened = "", 0, True
        self._announce("guard", {"state": "back", "why": ""})
        return True

    def _gone(self, why: str) -> None:
        if not self._away:
            self._announce("guard", {"state": "away", "why": why})
            self._happened = True
        self._away = why
        self._again = time.monotonic() + AWAY_S[min(self._tries, len(AWAY_S) - 1)]
        self._tries += 1

    # One round.

    def _round(self, now: float) -> None:
        """Have those look that are due and idle; the others are let be."""
        look: Look | None = None
        for seat in self.seats:
            if seat.off or seat.worker.busy or now < seat.due or not self._at_rest(seat):
                continue
            look = look or self._look()
            if look is None:
                return  # benched, with its reason
            seat.due, seat.begun = now + seat.every_s, now
            seat.task = asyncio.create_task(self._ask(seat, look))

    def _end_hung(self, now: float) -> None:
        """Switch off whoever does not come back, with a guard or without."""
        for seat in self.seats:
            if not seat.off and seat.worker.busy and now - seat.begun > HUNG_S:
                self._switch_off(seat, f"has not returned for {now - seat.begun:.0f} s")

    def _at_rest(self, seat: Seat) -> bool:
        """Tell whether its last round has ended; a mistake of our own in it counts as well."""
        if seat.task is None:
            return True
        if not seat.task.done():
            return False
        error = None if seat.task.cancelled() else seat.task.exception()
        seat.task = None
        if error is not None:
            self._strike(seat, f"could not be served: {error!r}"[:300])
        return error is None

    async def _ask(self, seat: Seat, look: Look) -> None:
        """Have one proposer look, and carry what it asks for to the guard."""
        proposer = seat.proposer
        if seat.late:
            # What it asked for after its time was passed on to nobody; else it would wait for ever.
            seat.late = False
            await self._hear(seat, Outcome(State.REJECTED, str(Code.EXPIRED)))
        said, request = await self._called(seat, partial(proposer.propose, look))
        if not said:
            seat.late = isinstance(request, TimeoutError)
            return
        if request is None:
            self._behaves(seat)
            return
        flaw = flaw_of(request, proposer, seat.unit, look)
        if flaw:
            self._strike(seat, f"asks for what is no request: {flaw}")
            await self._hear(seat, Outcome(State.REJECTED, str(Code.MALFORMED)))
            return
        if not self._has_left(seat):
            await self._hear(seat, Outcome(State.REJECTED, str(Code.FLOODING)))
            return
        self._behaves(seat)
        seat.last = _asked(request, look)
        await self._remember(seat)
        outcome = await self._carried(seat, request, seat.last)
        seat.last["state"], seat.last["code"] = str(outcome.state), outcome.code
        await self._hear(seat, outcome)
        await self._remember(seat)

    async def _called(self, seat: Seat, call: Callable[[], Any]) -> tuple[bool, Any]:
        """Call a proposer and give whether it went well, and what came; a failure counts."""
        seat.begun = time.monotonic()
        try:
            return True, await seat.worker.run(call, BUDGET_S)
        except TimeoutError as error:
            self._strike(seat, f"took longer than {BUDGET_S:g} s")
            return False, error
        except Exception as error:  # noqa: BLE001 - a proposer that fails stops nothing else
            self._strike(seat, f"raised {error!r}"[:300])
            return False, error

    async def _hear(self, seat: Seat, outcome: Outcome) -> None:
        if not seat.off:
            await self._called(seat, partial(seat.proposer.heard, outcome))

    async def _remember(self, seat: Seat) -> None:
        """Take what a proposer wants to know after a restart."""
        if isinstance(seat.proposer, Remembering) and not seat.off:
            said, memory = await self._called(seat, seat.proposer.memory)
            seat.memory = memory if said else {}
        self._happened = True

    # How a proposer behaves.

    def _behaves(self, seat: Seat) -> None:
        seat.strikes = 0
        if seat.throttled and not seat.over:
            seat.throttled = ""
            self._tell(seat, "ok", "")

    def _strike(self, seat: Seat, why: str) -> None:
        if seat.off:
            return  # what comes of its end is no news
        seat.strikes += 1
        if seat.strikes >= STRIKES:
            self._switch_off(seat, f"{why}, {seat.strikes} times in a row")
            return
        wait = min(LONGEST_WAIT_S, max(seat.every_s, ROUND_S) * 2.0**seat.strikes)
        seat.due = time.monotonic() + wait
        self._throttle(seat, f"{why}; it is asked again in {wait:.0f} s")

    def _has_left(self, seat: Seat) -> bool:
        """Count a request; one too many is not sent, and too many end it."""
        now = time.monotonic()
        seat.left = min(BURST, seat.left + PER_S * (now - seat.filled))
        seat.filled = now
        if seat.left >= 1.0:
            seat.left -= 1.0
            seat.over = 0
            return True
        seat.over += 1
        if seat.over >= FLOODS:
            self._switch_off(seat, f"floods: {seat.over} requests too many")
        else:
            self._throttle(seat, "floods: most of what it asks is not passed on")
        return False

    def _throttle(self, seat: Seat, why: str) -> None:
        if not seat.throttled:
            self._tell(seat, "throttled", why)
        seat.throttled = why

    def _switch_off(self, seat: Seat, why: str) -> None:
        seat.off = why
        seat.worker.abandon()
        self._tell(seat, "off", why)

    def _tell(self, seat: Seat, state: str, why: str) -> None:
        self._happened = True
        self._announce("proposer", {"proposer": seat.proposer.name, "state": state, "why": why})

    # The way of a request.

    async def _carried(self, seat: Seat, request: Request, told: ProposedRow) -> Outcome:
        """Ask the guard, and wait for what becomes of it; `told` follows it."""
        said = {"op": "request", "name": seat.proposer.name, "token": seat.token}
        try:
            answer = await self._line.tell({**said, "request": worded(request)})
        except Unreachable as error:
            self._gone(str(error))
            return Outcome(State.REJECTED, str(Code.UNREACHABLE))
        except Rejected as error:
            told["why"] = str(error)[:500]
            return Outcome(State.REJECTED, str(Code.MALFORMED))
        row = answer["request"]
        told["state"], told["code"] = str(row["state"]), str(row["code"])
        told["why"] = str(row["why"])[:500]
        self._happened = True
        until = time.monotonic() + PATIENCE_S
        state = State(row["state"])
        while state not in FINAL and time.monotonic() < until:
            await asyncio.sleep(POLL_S)
            try:
                row = await self._line.tell({"op": "state", "id": request.id}, STATUS_S)
            except Unreachable as error:
                self._gone(str(error))
                continue
            except Rejected:
                break  # a guard that was started anew knows nothing of it
            state = State(row["state"])
        return Outcome(state if state in FINAL else State.EXPIRED, str(row.get("code", "")))

    # What is kept.

    async def _keep(self) -> None:
        if self._happened or time.monotonic() - self._kept_at > KEEP_S:
            self._happened, self._kept_at = False, time.monotonic()
            await asyncio.to_thread(self._write)

    def _write(self) -> None:
        told = []
        for seat, row in zip(self.seats, self.rows(), strict=True):
            told.append({**row, "memory": seat.memory})
        content = {"at": time.time_ns(), "guard": self._away, "proposers": told}
        try:
            put(self._file, json.dumps(content, indent=1).encode())
        except OSError as error:
            # Without it proposers begin anew after a restart; they ask all the same.
            self._unkept = f"{self._file}: cannot be written: {error.strerror}"
        else:
            self._unkept = ""

    def _recall(self) -> None:
        """Give each proposer its memory; one that is another by now begins anew."""
        kept = read_file(self._file)
        for seat in self.seats:
            row = kept.get(seat.proposer.name)
            version = f"{seat.proposer.model}@{seat.proposer.version}"
            if row is None or row.get("model") != version:
                continue
            seat.last = row.get("last")
            if isinstance(seat.proposer, Remembering) and isinstance(row.get("memory"), dict):
                seat.proposer.recall(row["memory"])


def read_file(file: Path) -> dict[str, Mapping[str, Any]]:
    """Read what a gateway has kept of its proposers, by name; nothing where it cannot be read."""
    try:
        rows = json.loads(file.read_bytes())["proposers"]
        return {str(row["name"]): row for row in rows}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def worded(request: Request) -> dict[str, Any]:
    """Give a request as the guard reads it; who asks is said beside it."""
    said = asdict(request)
    del said["proposer"]
    return {**said, "mode": str(request.mode)}


def _asked(request: Request, look: Look) -> ProposedRow:
    return {
        "id": request.id,
        "at": look.now / 1e6,
        "value": request.value,
        "reason": request.reason,
        "effect": request.effect,
        "state": "asked",
        "code": "",
        "why": "",
    }
