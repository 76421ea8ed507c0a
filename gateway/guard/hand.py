"""The hand that writes: once, read back twice, and never again to make sure."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from connectors.setpoint_words import CLOCK
from gateway.guard.audit import NoAudit
from gateway.guard.checks import NS, Moment, Write, flaw
from gateway.guard.devices import Devices
from gateway.guard.lifecycle import Event
from gateway.guard.policy import Limits
from gateway.guard.store import Intent, Record, Store
from gateway.guard.tickets import Book, Ticket
from plant.errors import Rejected, Unreachable
from plant.setpoints import BLOCK_OK, Code, Doubtful, Readback, Setpoint, State

TWICE_S = 1.0
"""From the first look at a written value to the second."""
JUDGED_S = 4.0
"""From a write to when a block that runs has judged it."""
OVER_MS = 3000
"""After so long on a block's own clock the deadline of any request of ours is over: what it has not
taken by then it never takes, whatever it says of an older one."""
BACK = "back-"
"""How the ids of steps on the way back begin."""
MOST_DOUBTS = 8


class Withdrawn(Rejected):
    """What was armed may not leave any more: stopped, stale or void, right before the frame."""

    def __init__(self, code: Code) -> None:
        super().__init__(str(code))
        self.code = code


class Hand:
    """Writes to devices, and keeps on disk what it is about to do.

    Parameters
    ----------
    devices, store, book
        What it writes to, and where it says so.
    settle_s
        After a doubt, how long a write that is still on its way may take to arrive, s.
    stopped
        Says why nothing may be written; empty while it may.
    now, sleep
        Tells the moment; waits.
    """

    def __init__(
        self,
        devices: Devices,
        store: Store,
        book: Book,
        settle_s: float,
        stopped: Callable[[], str],
        now: Callable[[], Moment],
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._devices, self._store, self._book, self._settle_s = devices, store, book, settle_s
        self._stopped, self._now, self._sleep = stopped, now, sleep
        self._clocks: dict[str, int] = {}
        """A block's clock as it was first read for a request that is unknown."""

    async def live(self, limits: Limits) -> float | None:
        """Read a setpoint now; None when it cannot be gone by."""
        reading = (await self._devices.read([limits.tag])).get(limits.tag)
        if reading is None or flaw(reading, limits.fresh_s, self._now()):
            return None
        return reading.value

    async def send(
        self,
        ticket: Ticket,
        limits: Limits,
        live: float,
        seen: Moment,
        approved: Callable[[], bool] = lambda: True,
    ) -> None:
        """Write what was granted, and read it back.

        Parameters
        ----------
        ticket, limits
            The request, and what binds it.
        live
            The value that the setpoint has.
        seen
            When all was looked at that the grant rests on.
        approved
            Whether its approvals count, now.
        """
        record = self._store.of(limits.tag)
        sequence = self._armed(ticket, record, live)
        if not sequence:
            return
        left = ticket.void - self._now().mono
        deadline = self._now().wall + int(left * NS)
        setpoint = Setpoint(limits.tag, ticket.request.value, limits.unit, deadline, sequence)
        last_look = partial(self._last_look, ticket, limits, seen, approved)
        try:
            last_look()
            await self._devices.write(setpoint, last_look)
            self._book.move(ticket, Event.SENT)
            back = await self._first_look(limits, setpoint)
            if not self._agrees(ticket, limits, record, setpoint, back):
                return
            self._book.move(ticket, Event.SEEN)
            back = await self._second_look(limits, setpoint)
            if not self._agrees(ticket, limits, record, setpoint, back, followed=True):
                return
            self._book.move(ticket, Event.KEPT)
        except Withdrawn as error:
            self._not_sent(ticket, record, error.code, "after it was armed")
        except Rejected as error:
            self._not_sent(ticket, record, Code.REFUSED, str(error))
        except (Unreachable, Doubtful, NoAudit) as error:
            if isinstance(error, Unreachable) and ticket.state is State.ARMED:
                self._not_sent(ticket, record, Code.UNREACHABLE, str(error))
            else:
                record.locked = f"unknown: {error}"
                self._book.doubt(ticket, record.locked)
                self._kept()
        else:
            record.intent, record.known = None, ticket.request.value
            record.renewed = None if ticket.back else self._now()
            # A stop that came meanwhile holds: the block is not kept from its fallback.
            record.beating = bool(limits.block) and not self._stopped()
            if not ticket.back:
                self._taken_over(limits, record, ticket.actor.name)
            self._kept()

    def apart(self, limits: Limits, record: Record) -> None:
        """Lock a setpoint that is one with another: each would count only half of the writes."""
        twin = self._devices.twins.get(limits.tag)
        if twin is None or record.locked:
            return
        record.locked = f"one with {twin} at the device: leave one of them out of the limits"
        self._book.alarm(limits.tag, record.locked)
        self._kept()

    async def settle(self, limits: Limits, record: Record) -> None:
        """Read back what is unknown, over another connection, once nothing can come late."""
        intent = record.intent
        if intent is None or self._now().since(intent.at) < self._settle_s:
            return
        try:
            back = await self._devices.read_back(limits.tag, anew=True)
        except Unreachable:
            return
        live = back.setpoint.value
        if flaw(back.setpoint, limits.fresh_s, self._now()):
            return
        if back.accepted is not None and back.clock is not None:
            applied = back.accepted == intent.sequence
            # Of a block that has stood still since nobody knows what it will take when it runs.
            if not applied and _gone_ms(self._clocks, intent.request, back.clock) < OVER_MS:
                return
            self._clocks.pop(intent.request, None)
            record.sequence = back.accepted
        else:
            applied = abs(live - intent.value) <= limits.tolerance
        self._book.note(
            "guard", "settled", request=intent.request, tag=limits.tag, applied=applied, value=live
        )
        record.intent, record.locked = None, ""
        if applied:
            record.known, record.renewed = intent.value, self._now()
            if not intent.request.startswith(BACK):
                self._taken_over(limits, record, "what was not known before")
        else:
            self._given_up(record, intent)
            record.known = live
            if abs(live - intent.before) > limits.tolerance:
                self.new_baseline(record, live)
        self._book.alarms.pop(limits.tag, None)
        self._store.keep()
        ticket = self._book.get(intent.request)
        if ticket is not None and ticket.state is State.UNKNOWN:
            self._book.move(ticket, Event.FOUND if applied else Event.MISSED)
            ticket.code = None if applied else Code.NOT_APPLIED

    async def begin(self, limits: Limits, record: Record, live: float) -> None:
        """Take a setpoint as it is found: its value is the operator's, a block's number is ours.

        One that cannot be read is tried again at the next look.
        """
        sequence = record.sequence
        if limits.block:
            try:
                sequence = (await self._devices.read_back(limits.tag)).accepted or 0
            except Unreachable:
                return
        self._book.note("guard", "baseline", tag=limits.tag, value=live)
        record.sequence = sequence
        record.known = record.baseline = live
        self._store.keep()

    def unlock(self, record: Record, live: float) -> None:
        """Go on from what a person has seen."""
        if record.intent is not None:
            self._given_up(record, record.intent)
        record.intent, record.locked = None, ""
        self.new_baseline(record, live)
        self._store.keep()

    def second_writer(self, limits: Limits, record: Record, live: float) -> None:
        """Take note that somebody else wrote; a value of ours that comes late locks."""
        late = [one for one in record.doubts if abs(one - live) <= limits.tolerance]
        was = record.known
        self._taken_over(limits, record, "a late write" if late else "somebody else")
        self.new_baseline(record, live)
        if late:
            record.doubts = [one for one in record.doubts if one not in late]
            record.locked = f"late: {live:g} was applied long after it was given up"
            self._book.alarm(limits.tag, record.locked)
        event = "late write" if late else "second writer"
        for ticket in self._book.tickets(State.PENDING):
            if ticket.request.tag == limits.tag:
                self._book.reject(ticket, Code.SECOND_WRITER, f"{live:g}, was {was}")
        self._book.note("guard", event, tag=limits.tag, value=live, was=was)
        self._store.keep()

    def new_baseline(self, record: Record, live: float) -> None:
        """Take a value that somebody else has set for the operator's."""
        record.known = record.baseline = live
        record.operator = self._now()
        record.renewed = record.returning = None
        record.beating = False

    def _taken_over(self, limits: Limits, record: Record, who: str) -> None:
        """End a way back: whoever has changed the setpoint meanwhile has the last word."""
        if record.returning is None:
            return
        (to, on_behalf), record.returning = record.returning, None
        why = f"the way back to {to:g} (for {on_behalf}) ended: {who} has changed it"
        self._book.alarm(f"{limits.tag} way back", why, max(60.0, 60.0 * limits.operator_min))
        with suppress(NoAudit):
            self._book.note("guard", "way back ended", tag=limits.tag, to=to, by=who)

    def _last_look(
        self, ticket: Ticket, limits: Limits, seen: Moment, approved: Callable[[], bool]
    ) -> None:
        """Raise `Withdrawn` where what was armed may not leave any more."""
        late = self._now().since(seen) > limits.fresh_s
        if self._stopped() or late or ticket.void <= self._now().mono:
            raise Withdrawn(
                Code.STOPPED if self._stopped() else Code.STALE if late else Code.EXPIRED
            )
        if not approved():
            raise Withdrawn(Code.NOT_APPROVED)

    def _armed(self, ticket: Ticket, record: Record, live: float) -> int:
        """Put on disk what is about to be written, and give its number; 0 when it is not there."""
        request, moment = ticket.request, self._now()
        ticket.before = live
        sequence = record.next_sequence()
        record.intent = Intent(request.id, request.value, live, sequence, moment)
        record.writes.append(Write(moment, live, request.value, ticket.model))
        record.granted += bool(ticket.approvals)
        if record.known is None:
            record.known = record.baseline = live
        facts = {"value": request.value, "before": live, "sequence": sequence}
        try:
            self._book.move(ticket, Event.ARM, **facts)
            self._store.keep()
        except NoAudit as error:
            self._not_sent(ticket, record, Code.NO_AUDIT, str(error))
            return 0
        return sequence

    async def _first_look(self, limits: Limits, sent: Setpoint) -> Readback:
        """Read back; a block is given the time in which it may still take the request."""
        begun, clocks = self._now(), dict[str, int]()
        while True:
            back = await self._devices.read_back(limits.tag)
            if back.accepted in (None, sent.sequence) or back.clock is None:
                return back
            if _gone_ms(clocks, limits.tag, back.clock) >= OVER_MS:
                return back
            if self._now().since(begun) > JUDGED_S:
                raise Doubtful("the block stands still: what it says is older than the request")
            await self._sleep(JUDGED_S / 20)

    async def _second_look(self, limits: Limits, sent: Setpoint) -> Readback:
        """Read back once more, until the loop follows or had its time to."""
        begun = self._now()
        while True:
            await self._sleep(TWICE_S)
            back = await self._devices.read_back(limits.tag)
            there = back.active is None or abs(back.active.value - sent.value) <= limits.tolerance
            if there or self._now().since(begun) > limits.follow_s:
                return back

    def _agrees(
        self,
        ticket: Ticket,
        limits: Limits,
        record: Record,
        sent: Setpoint,
        back: Readback,
        *,
        followed: bool = False,
    ) -> bool:
        """Hold what was read back against what was sent; what differs locks, or was refused."""
        seen = [back.setpoint, *([back.active] if back.active is not None and followed else [])]
        bad = [flaw(one, limits.fresh_s, self._now()) for one in seen]
        if any(bad):
            raise Doubtful(f"read back: {', '.join(filter(None, bad))}")
        old = back.accepted == sent.sequence or back.seen != sent.sequence
        if back.code not in (None, BLOCK_OK) and not old:
            record.sequence = back.accepted or 0
            self._not_sent(ticket, record, Code.REFUSED, f"ACK_CODE {back.code}")
            return False
        off = [one.value for one in seen if abs(one.value - sent.value) > limits.tolerance]
        if back.accepted not in (None, sent.sequence):
            off.append(back.setpoint.value)
        if not off:
            return True
        record.intent, record.known = None, back.setpoint.value
        record.locked = f"not taken: {sent.value:g} was written, {off[0]:g} is read back"
        record.doubts = [*record.doubts, sent.value][-MOST_DOUBTS:]
        self._book.alarm(limits.tag, record.locked)
        self._book.reject(ticket, Code.NOT_TAKEN, record.locked)
        self._kept()
        return False

    def _not_sent(self, ticket: Ticket, record: Record, code: Code, why: str) -> None:
        """Take back what was intended: it never left, or the device said no."""
        if record.intent is not None:
            at, record.intent = record.intent.at, None
            record.writes = [one for one in record.writes if one.at != at]
        self._book.reject(ticket, code, why)
        self._kept()

    def _given_up(self, record: Record, intent: Intent) -> None:
        record.doubts = [*record.doubts, intent.value][-MOST_DOUBTS:]
        record.writes = [one for one in record.writes if one.at != intent.at]

    def _kept(self) -> None:
        """Keep what was done. What is on disk errs on the safe side: an intent without its end."""
        with suppress(NoAudit):
            self._store.keep()


def _gone_ms(first: dict[str, int], key: str, clock: int) -> int:
    """Give how far a block's clock has gone since it was first read; 0 where it was set back."""
    gone = (clock - first.setdefault(key, clock)) % CLOCK
    return gone if gone < CLOCK // 2 else 0
