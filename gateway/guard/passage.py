"""The way of a request: checked, then to advice, to the people, or to the device."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from gateway.accounts.roles import Right
from gateway.guard.audit import NoAudit
from gateway.guard.checks import HOUR_S, Moment, Situation, Verdict, decide, flaw
from gateway.guard.clock import Clock
from gateway.guard.desk import Desk
from gateway.guard.devices import Devices
from gateway.guard.hand import Hand
from gateway.guard.lifecycle import OVER, Event, after
from gateway.guard.policy import Limits, Policy
from gateway.guard.store import Record, Store
from gateway.guard.tickets import Book, Ticket
from plant.setpoints import Code, Mode, Reading, State

MOST_PENDING = 20
"""Requests of one proposer that wait for people."""
STEPS = (
    (2, Event.KNOWN), (2, Event.FORMED), (3, Event.ALLOWED), (7, Event.BOUNDED),
    (12, Event.PERMITTED),
)  # fmt: skip
"""After which check a request has come how far."""


class Passage:
    """Carries requests as far as they go for now.

    Parameters
    ----------
    policy, mode
        What may be done, and the most that is allowed at all.
    devices, store, book, desk, hand, clock
        What it reads, remembers, writes down, believes, writes with, and tells the time by.
    stopped, heed
        Says why all is advice, empty when it is not; takes what the stop tag says.
    now
        Tells the moment.
    """

    def __init__(
        self,
        policy: Policy,
        mode: Mode,
        devices: Devices,
        store: Store,
        book: Book,
        desk: Desk,
        hand: Hand,
        clock: Clock,
        stopped: Callable[[], str],
        heed: Callable[[Reading | None], None],
        now: Callable[[], Moment],
    ) -> None:
        self._policy, self._mode, self._book = policy, mode, book
        self._devices, self._store, self._desk, self._hand = devices, store, desk, hand
        self._clock, self._stopped, self._heed, self._now = clock, stopped, heed, now
        self._switch = (policy.key_switch,) if policy.key_switch else ()
        self._told: dict[str, str] = {}

    async def carry(self, ticket: Ticket, *, flooding: bool = False) -> None:
        """Check a request, and move it on: to advice, to the people, or to the device."""
        limits = self._policy.limits.get(ticket.request.tag)
        try:
            if limits is None or self._mode is Mode.OFF:
                self._judge(ticket, {}, flooding)
                return
            if not ticket.actor.known:
                # He comes no further than the second check: no device is kept from others for him.
                self._judge(ticket, await self._devices.read(self._switch), flooding)
                return
            async with self._devices.lock(limits.tag):
                await self._carry_alone(ticket, limits, flooding)
        except NoAudit as error:
            # One that was rejected already stays so: what was learnt from it could not be kept.
            if ticket.state not in OVER:
                self._book.reject(ticket, Code.NO_AUDIT, str(error))

    async def _carry_alone(self, ticket: Ticket, limits: Limits, flooding: bool) -> None:
        basis = tuple(one.tag for one in ticket.request.based_on)
        halt = (self._policy.stop_tag,) if self._policy.stop_tag else ()
        readings = await self._devices.read((*limits.reads(), *self._switch, *basis, *halt))
        if halt:
            self._heed(readings.get(self._policy.stop_tag))
        if ticket.state not in (State.RECEIVED, State.PENDING):
            return  # decided upon while this waited for the device
        record = self._store.of(limits.tag)
        self._hand.apart(limits, record)
        if ticket.back and (record.returning is None or record.known != ticket.before):
            return  # this step was taken, or is not wanted any more
        seen, found = self._now(), readings.get(limits.tag)
        if not ticket.back and found is not None and not flaw(found, limits.fresh_s, seen):
            ticket.before = found.value
        verdict = self._judge(ticket, readings, flooding)
        if verdict.code is not None:
            self._learn(limits, verdict, readings)
        elif verdict.asks:
            self._ask_people(ticket, limits)
        elif verdict.mode in (Mode.APPROVE, Mode.AUTO):
            needed = limits.persons if verdict.mode is Mode.APPROVE and not ticket.back else 0
            live = readings[limits.tag].value
            await self._hand.send(
                ticket, limits, live, seen, lambda: self._approvals(ticket) >= needed
            )
        else:
            self._advise(ticket)

    def _judge(self, ticket: Ticket, readings: Mapping[str, Reading], flooding: bool) -> Verdict:
        """Have a request checked, write down what was seen, and move it as far as it came."""
        approvals = self._approvals(ticket)
        request, actor, moment = ticket.request, ticket.actor, self._now()
        record = self._store.records.get(request.tag, Record())
        verdict = decide(
            Situation(
                request=request, policy=self._policy, mode=self._mode,
                stopped=bool(self._stopped()), known=actor.known, person=actor.person,
                flooding=flooding, models=actor.models,
                tags=actor.tags, per_hour=actor.per_hour, tokens=self._tokens(ticket, moment),
                readings=readings, past=record.past(moment), received=ticket.received, now=moment,
                anchor=self._clock.anchor, back=ticket.back, approvals=approvals,
                earliest=self._clock.earliest,
            )
        )  # fmt: skip
        failed = verdict.code
        # A way back that waits for its interlock is tried every second, and told once.
        if not ticket.back or str(failed) != self._told.get(request.tag):
            checks = [[one.check, str(one.code or ""), one.seen] for one in verdict.findings]
            self._book.note("guard", "checked", request=request.id, tag=request.tag, checks=checks)
        if ticket.back:
            self._told[request.tag] = str(failed)
        passed = len(verdict.findings) - (failed is not None)
        if ticket.state is State.RECEIVED:
            for number, event in STEPS:
                if passed >= number:
                    ticket.state = after(ticket.state, event)
        if failed is not None:
            last = verdict.findings[-1]
            self._book.reject(ticket, failed, f"check {last.check}: {last.seen}", quiet=ticket.back)
        return verdict

    def _learn(self, limits: Limits, verdict: Verdict, readings: Mapping[str, Reading]) -> None:
        """Take from a rejected request what it says of the plant, and of the proposer."""
        record, live = self._store.of(limits.tag), readings.get(limits.tag)
        if verdict.code is Code.SECOND_WRITER and live is not None:
            self._hand.second_writer(limits, record, live.value)
        elif verdict.code is Code.DEADBAND and record.renewed is not None:
            record.renewed = self._now()

    def _advise(self, ticket: Ticket) -> None:
        if ticket.state is State.PENDING:
            self._book.reject(ticket, Code.STOPPED, "advice only, since it was asked for")
        else:
            self._book.move(ticket, Event.ADVISE, before=ticket.before)

    def _ask_people(self, ticket: Ticket, limits: Limits) -> None:
        request = ticket.request
        if ticket.state is State.PENDING:
            # It waits for the next: with this record what was seen is on disk as well.
            facts = {"request": request.id, "tag": request.tag, "approved": len(ticket.approvals)}
            self._book.note("guard", str(State.PENDING), **facts)
            return
        name, who = ticket.actor.name, ticket.actor.key
        waiting = sum(one.actor.key == who for one in self._book.tickets(State.PENDING))
        if waiting >= MOST_PENDING:
            self._book.reject(ticket, Code.FLOODING, f"{waiting} of {name} wait")
            return
        record = self._store.of(limits.tag)
        self._book.move(ticket, Event.ASK, before=ticket.before)
        record.asked += 1
        self._store.keep()

    def _tokens(self, ticket: Ticket, moment: Moment) -> int:
        """Count the writes of the last hour that a model has brought about."""
        return sum(
            one.model == ticket.model and moment.since(one.at) < HOUR_S
            for record in self._store.records.values()
            for one in record.writes
        )

    def _approvals(self, ticket: Ticket) -> int:
        """Count the approvals of those who may approve still; those of others are struck out."""
        for name in list(ticket.approvals):
            if not self._desk.stands(name, Right.APPROVE):
                ticket.approvals.remove(name)
                with suppress(NoAudit):
                    self._book.note("guard", "approval void", request=ticket.request.id, by=name)
        return len(ticket.approvals)
