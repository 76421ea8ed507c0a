"""The guard at work: what people and programs ask of it, and what it does by itself.

Nothing leaves before the audit and the store are on disk. A write of which nobody knows locks its
setpoint until it was read back over another connection, or a person has looked.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.accounts.roles import Right
from gateway.guard.audit import STARTED_AGAIN, Audit, NoAudit
from gateway.guard.checks import MINUTE_S, NS, Moment, flaw
from gateway.guard.clock import Clock
from gateway.guard.desk import OFF_AFTER, PROPOSE, Actor, Desk, Throttle
from gateway.guard.devices import Devices
from gateway.guard.hand import Hand
from gateway.guard.lifecycle import Event
from gateway.guard.passage import Passage
from gateway.guard.policy import Limits, Policy, lowest
from gateway.guard.proof import begin, serve
from gateway.guard.returns import Returns
from gateway.guard.standing import no_way_back, standing
from gateway.guard.stopping import STOP, Stopped, end, is_ours, marks, pull, stopped
from gateway.guard.store import Record, Store
from gateway.guard.tickets import Book, Ticket, told
from plant.errors import Rejected, Unreachable
from plant.setpoints import LONGEST_S, Code, Mode, Reading, Request, State

AGAIN = "stopped again meanwhile: ask who and why, and start anew"


def same(one: str, other: str) -> bool:
    """Tell whether two names mean one person, however they are written."""
    return one.casefold() == other.casefold()


class Guard:
    """Decides on requests.

    Parameters
    ----------
    policy
        What may be done.
    mode
        The most that the configuration allows.
    folder
        Where the kill switch is.
    devices, audit, store, desk
        Its hands, its memory, and who it believes.
    now, sleep
        Tells the moment; waits.
    """

    def __init__(
        self,
        policy: Policy,
        mode: Mode,
        folder: Path,
        devices: Devices,
        audit: Audit,
        store: Store,
        desk: Desk,
        now: Callable[[], Moment],
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self.policy, self.mode = policy, lowest(mode, policy.mode)
        self._said = {"configuration": mode, "limits": policy.mode}
        self._folder, self._devices, self._store = folder, devices, store
        self._desk, self._now = desk, now
        self.book = Book(audit, now)
        self._hand = Hand(devices, store, self.book, policy.settle_s, self.stopped, now, sleep)
        self._throttle = Throttle(lambda: now().mono)
        self._clock = Clock(policy, self.book, now)
        self._passage = Passage(
            policy, self.mode, devices, store, self.book, desk, self._hand, self._clock,
            self.stopped, self._heed, now,
        )  # fmt: skip
        self._returns = Returns(store, self.book, devices, self._passage.carry, self.stopped, now)
        found = stopped(folder)
        self._pulled, self._blind, self._stops = found is not None, False, 0
        self._served = self._kept = now()
        self.book.note(
            "guard", "started", serial=policy.serial, signer=policy.signer, mode=self.mode
        )
        for tag, record in store.records.items():
            if record.intent is not None and not record.locked:
                record.locked = "unknown: the guard ended between a write and its read-back"
            if record.locked:
                self.book.alarm(tag, record.locked)
            if self._pulled:
                record.returning, record.beating = None, False
        for tag in begin(policy, store):
            self.book.note("guard", "to be proven anew", tag=tag)
        store.serial = max(store.serial, policy.serial)
        store.keep()
        if found is not None and not is_ours(folder):
            self._take_up(found)

    # What people and programs ask.

    async def ask(self, request: Request, actor: Actor) -> Ticket:
        """Take a request, and carry it as far as it goes for now."""
        moment, twin = self._now(), self.book.twin(actor, request.key)
        over = self._throttle.over(actor.key)
        if over > 1 or (not actor.person and actor.name in self._store.off):
            # Not each of a thousand is written down: that would be a flood of its own.
            self._flooding(actor, over)
            code = Code.FLOODING if actor.known else Code.STRANGER
            return self._bounced(request, actor, code)
        if twin is not None and actor.known:
            same = replace(twin.request, id=request.id, not_after=request.not_after) == request
            return twin if same else self._bounced(request, actor, Code.TWICE)
        left = (request.not_after - moment.wall) / NS
        if self.book.get(request.id) is not None:
            return self._bounced(request, actor, Code.TWICE)
        if left > LONGEST_S:
            return self._bounced(request, actor, Code.MALFORMED)
        ticket = Ticket(request, actor, moment, moment.mono + left)
        self.book.put(ticket)
        try:
            self.book.note(actor.name, "received", request=told(request))
        except NoAudit as error:
            return self.book.reject(ticket, Code.NO_AUDIT, str(error))
        await self._passage.carry(ticket, flooding=over > 0)
        return ticket

    def malformed(self, actor: Actor) -> None:
        """Count what was no request at all; the first of a row is written down."""
        over = self._throttle.over(actor.key)
        if over == 0:
            self.book.note(actor.name, "malformed")
        self._flooding(actor, over)

    async def ask_as(self, request: Request, name: str, password: str) -> Ticket:
        """Take a request of a person; raises as `Desk.person` does."""
        await self._desk.person(name, password, PROPOSE)
        return await self.ask(request, Actor(name, person=True))

    async def approve(self, key: str, name: str, password: str) -> Ticket:
        """Approve a request that waits.

        Raises
        ------
        Rejected
            It does not wait, or this person may not.
        """
        await self._desk.person(name, password, Right.APPROVE)
        ticket = self._waiting(key)
        if same(name, ticket.actor.name) or same(name, ticket.request.proposer):
            raise Rejected(f"{name} has asked for it: somebody else has to approve")
        if any(same(name, one) for one in ticket.approvals):
            raise Rejected(f"{name} has approved already: it takes two people")
        self.book.note(name, "approved", request=key)
        ticket.approvals.append(name)
        await self._passage.carry(ticket)
        return ticket

    async def reject(self, key: str, name: str, password: str, why: str = "") -> Ticket:
        """Say no to a request that waits; raises as `approve` does."""
        await self._desk.person(name, password, Right.APPROVE)
        ticket = self._waiting(key)
        self.book.note(name, "denied", request=key, why=why)
        return self.book.reject(ticket, Code.DENIED, f"{name}: {why}" if why else f"by {name}")

    async def revert(self, tag: str, name: str, password: str) -> float:
        """Lead a setpoint back to the value before its last write, and give that value.

        Raises
        ------
        Rejected
            This person may not, or there is nothing to revert.
        """
        await self._desk.person(name, password, Right.ACKNOWLEDGE)
        limits, record = self._limits(tag), self._store.of(tag)
        # A write that is under way would end the way back as soon as it is done.
        async with self._devices.lock(tag):
            why = no_way_back(limits, record, self._now())
            if self._pulled or stopped(self._folder) is not None:
                # Else it would begin to move as soon as somebody starts again.
                why = "stopped: nothing is written until an approver starts again"
            if why:
                raise Rejected(f"{tag}: {why}")
            last = record.writes[-1]
            self.book.note(name, "revert", tag=tag, to=last.before)
            record.returning = (last.before, name)
            self._store.keep()
        await self._returns.step(limits, record)
        return last.before

    async def unlock(self, tag: str, name: str, password: str) -> float:
        """Take a person's word that a locked setpoint was looked at; give the value it has now.

        Raises
        ------
        Rejected
            This person may not, or the setpoint is not locked.
        Unreachable
            It cannot be read.
        """
        await self._desk.person(name, password, Right.APPROVE)
        limits, record = self._limits(tag), self._store.of(tag)
        async with self._devices.lock(tag):
            if not record.locked:
                raise Rejected(f"{tag} is not locked")
            live = await self._hand.live(limits)
            if live is None:
                raise Unreachable(f"{tag} cannot be read")
            if tag in self._devices.twins:
                raise Rejected(f"{tag} is {record.locked}, and start the guard again")
            self.book.note(name, "unlocked", tag=tag, was=record.locked, value=live)
            self._hand.unlock(record, live)
            self.book.alarms.pop(tag, None)
        return live

    def stop(self, who: str) -> None:
        """Pull the kill switch: from now on everything is advice, also after a restart."""
        self._pulled, self._stops = True, self._stops + 1
        try:
            pull(self._folder, who)
        except OSError as error:
            self.book.alarm("stop", f"stopped, but only until the next start: {error.strerror}")
        for ticket in self.book.tickets(State.PENDING):
            self.book.reject(ticket, Code.STOPPED, f"by {who}")
        for record in self._store.records.values():
            # A block hears no heartbeat any more, and does what its engineer has chosen.
            record.returning, record.beating = None, False
        with suppress(NoAudit):
            self.book.note(who, "stopped")
            self._store.keep()

    async def start(self, name: str, password: str) -> None:
        """Push the kill switch back, and take proposers back that were switched off.

        Raises
        ------
        Rejected
            This person may not, or somebody has stopped since it was asked for.
        """
        self._look_at_the_switch()
        before = self._switch()
        await self._desk.person(name, password, Right.APPROVE)
        self._as_before(before)
        self.book.note(name, STARTED_AGAIN, off=sorted(self._store.off))
        for proposer in self._store.off:
            self._throttle.forget(Actor(proposer).key)
            self.book.alarms.pop(f"proposer {proposer}", None)
        self._store.off = {}
        for record in self._store.records.values():
            record.redate(self._now())
        self._store.keep()
        self._as_before(before)
        try:
            if not end(self._folder, before[1]):
                raise Rejected(AGAIN)
        except OSError as error:
            raise Rejected(f"{error.filename}: cannot be taken away: {error.strerror}") from error
        self._pulled = False
        self.book.alarms.pop("stop", None)

    def stopped(self) -> str:
        """Say why everything is advice only; empty when it is not."""
        if self._pulled or stopped(self._folder) is not None:
            return "stopped"
        return "the stop tag cannot be read" if self._blind else ""

    def status(self) -> dict[str, Any]:
        """Give how things stand."""
        return {
            "mode": str(self.mode),
            "stopped": self.stopped(),
            "serial": self.policy.serial,
            "signer": self.policy.signer,
            "expires": self.policy.expires,
            "audit": self.book.audit.count,
            "alarms": dict(self.book.alarms),
            "off": dict(self._store.off),
            "setpoints": {tag: self._standing(one) for tag, one in self.policy.limits.items()},
        }

    def standings(self) -> list[dict[str, Any]]:
        """Give how each setpoint stands, for people; see `standing`."""
        moment, halted = self._now(), bool(self.stopped())
        return [
            standing(one, self._store.records.get(tag, Record()), self._said, halted, moment)
            for tag, one in self.policy.limits.items()
        ]

    def program(self, name: str, token: str) -> Actor:
        """See `Desk.program`."""
        return self._desk.program(self.policy, name, token)

    # What it does by itself, once or twice a second.

    async def tick(self) -> None:
        """Look at the clock, the stop tag, what waits, what is unknown, and what nobody renews.

        Raises
        ------
        NoAudit
            The audit takes no more; nothing is written any more.
        """
        moment = self._now()
        self._clock.look(moment)
        self._serve(moment)
        self.book.pass_alarms()
        for ticket in self.book.tickets(State.PENDING):
            if moment.mono > ticket.void:
                self.book.move(ticket, Event.EXPIRE)
        if self.mode is Mode.OFF:
            return
        await self.look_at_the_stop_tag()
        for tag, limits in self.policy.limits.items():
            if limits.mode is Mode.OFF or self._devices.lock(tag).locked():
                continue
            record = self._store.of(tag)
            async with self._devices.lock(tag):
                await self._look_at(limits, record)
            await self._returns.step(limits, record)
        self.book.audit.tick(self._now())

    async def look_at_the_stop_tag(self) -> None:
        """Stop when the plant or a file says so; while nobody knows the tag, all is advice."""
        self._look_at_the_switch()
        tag = self.policy.stop_tag
        if tag and self.mode is not Mode.OFF:
            self._heed((await self._devices.read([tag])).get(tag))

    def _heed(self, reading: Reading | None) -> None:
        """Take what the stop tag says now."""
        tag = self.policy.stop_tag
        self._blind = bool(flaw(reading, self.policy.clock_s, self._now()))
        if reading is not None and not self._blind and reading.value != 0.0 and not self.stopped():
            self.stop(f"the tag {tag}")

    async def beat(self) -> None:
        """Show the blocks that the guard lives, as long as something of ours is in force."""
        for tag, limits in self.policy.limits.items():
            if self._store.records.get(tag, Record()).beating and limits.block:
                await self._devices.beat(tag)

    async def close(self) -> None:
        """Cut all connections and sign what was written."""
        await self._devices.close()
        with suppress(NoAudit):
            self._store.keep()
        with suppress(NoAudit):
            self.book.audit.checkpoint(self._now())
        self.book.audit.close()

    async def _look_at(self, limits: Limits, record: Record) -> None:
        """Settle what is unknown; see a second writer and a late write; fall back."""
        if record.intent is not None:
            await self._hand.settle(limits, record)
            return
        live = None if record.locked else await self._hand.live(limits)
        self._hand.apart(limits, record)
        if live is None or record.locked:
            return
        if record.known is None:
            await self._hand.begin(limits, record, live)
        elif abs(live - record.known) > limits.tolerance:
            self._hand.second_writer(limits, record, live)
        else:
            await self._returns.look(limits, record)

    # Small things.

    def _look_at_the_switch(self) -> None:
        """Take up what somebody has pulled without our help."""
        found = None if self._pulled else stopped(self._folder)
        if found is not None:
            self._take_up(found)

    def _take_up(self, found: Stopped) -> None:
        """Make it our own: whoever has made the file could take it away again."""
        self.stop(found.who or f"the file {STOP}")

    def _switch(self) -> tuple[int, dict[Path, tuple[int, ...]]]:
        """Give what tells a stop from a newer one: those we were told of, and the files."""
        try:
            return self._stops, marks(self._folder)
        except OSError as error:
            raise Rejected(f"{error.filename}: cannot be looked at: {error.strerror}") from error

    def _as_before(self, before: tuple[int, dict[Path, tuple[int, ...]]]) -> None:
        """Raise Rejected where somebody has stopped since: a start ends no stop that is newer."""
        if before != self._switch():
            raise Rejected(AGAIN)

    def _standing(self, limits: Limits) -> dict[str, Any]:
        record = self._store.records.get(limits.tag, Record())
        return {
            "mode": str(lowest(limits.mode, self.mode)),
            "value": record.known,
            "baseline": record.baseline,
            "locked": record.locked,
            "returning": record.returning is not None,
            "unit": limits.unit,
            "low": limits.low,
            "high": limits.high,
        }

    def _serve(self, moment: Moment) -> None:
        """Count the time in which what is in approve proves itself; kept once a minute."""
        if not self.stopped():
            serve(self.policy, self._store, self.mode, moment.since(self._served))
        self._served = moment
        if moment.since(self._kept) >= MINUTE_S:
            self._kept = moment
            with suppress(NoAudit):
                self._store.keep()

    def _limits(self, tag: str) -> Limits:
        if tag not in self.policy.limits:
            raise Rejected(f"{tag} is no setpoint of the limits in force")
        return self.policy.limits[tag]

    def _waiting(self, key: str) -> Ticket:
        ticket = self.book.get(key)
        if ticket is None or ticket.state is not State.PENDING:
            state = f"is {ticket.state}" if ticket else "is not known"
            raise Rejected(f"{key} {state}: only what is pending can be decided")
        if self._now().mono > ticket.void:
            self.book.move(ticket, Event.EXPIRE)
            raise Rejected(f"{key} has expired")
        return ticket

    def _flooding(self, actor: Actor, over: int) -> None:
        """Switch off a program that never stops, and name it."""
        if over == OFF_AFTER and actor.known and not actor.person:
            self._store.off[actor.name] = f"{over} requests too many"
            self.book.alarm(f"proposer {actor.name}", f"floods: switched off after {over} too many")
            self._store.keep()

    def _bounced(self, request: Request, actor: Actor, code: Code) -> Ticket:
        """Turn a request away that is not even taken up."""
        return Ticket(request, actor, self._now(), 0.0, State.REJECTED, code, str(code))
