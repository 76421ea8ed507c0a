"""The ways back: what is done about a value that nobody renews, and steps to an earlier one."""

from collections.abc import Awaitable, Callable

from gateway.guard.checks import MINUTE_S, NS, Moment
from gateway.guard.desk import Actor
from gateway.guard.devices import Devices
from gateway.guard.hand import BACK
from gateway.guard.lifecycle import Event
from gateway.guard.policy import GUARD, Fallback, Limits
from gateway.guard.store import Record, Store
from gateway.guard.tickets import Book, Ticket
from plant.setpoints import LONGEST_S, Request, State

OWN = Actor(GUARD, person=True)
"""Who leads a setpoint back."""


class Returns:
    """Leads setpoints back, each step a request that is checked like any other.

    Parameters
    ----------
    store, book, devices
        The guard's memory, its requests and its devices.
    carry
        Carries a request as far as it goes.
    stopped
        Says why nothing may be written; empty while it may.
    now
        Tells the moment.
    """

    def __init__(
        self,
        store: Store,
        book: Book,
        devices: Devices,
        carry: Callable[[Ticket], Awaitable[None]],
        stopped: Callable[[], str],
        now: Callable[[], Moment],
    ) -> None:
        self._store, self._book, self._devices = store, book, devices
        self._carry, self._stopped, self._now = carry, stopped, now

    async def look(self, limits: Limits, record: Record) -> None:
        """Do what the process engineer has chosen for a value that nobody renews any more."""
        if record.renewed is None or record.returning is not None or self._stopped():
            return
        if not 0 < limits.hold_s < self._now().since_at_most(record.renewed):
            return
        targets = {
            Fallback.RAMP_TO_LAST_GOOD: record.baseline,
            Fallback.RAMP_TO_SAFE_VALUE: limits.safe_value,
        }
        target = targets.get(limits.fallback)
        self._book.note("guard", "fallback", tag=limits.tag, action=limits.fallback, to=target)
        record.renewed = None
        if target is not None:
            record.returning = (target, "fallback")
        self._store.keep()
        if limits.fallback is Fallback.RELEASE:
            await self._let_go(limits, record)

    async def step(self, limits: Limits, record: Record) -> None:
        """Take one step towards the value that a setpoint returns to, within step and slope."""
        if record.returning is None or record.known is None or self._stopped():
            return
        (target, who), moment = record.returning, self._now()
        gap = target - record.known
        if abs(gap) <= limits.tolerance:
            self._book.note("guard", "returned", tag=limits.tag, value=record.known, who=who)
            record.returning = record.renewed = None
            await self._let_go(limits, record)
            for ticket in self._book.tickets(State.HELD):
                if ticket.request.tag == limits.tag and not ticket.back:
                    self._book.move(ticket, Event.REVERT)
            return
        value = record.known + step_back(limits, record, gap, moment)
        if value == record.known:
            return
        key = f"{BACK}{limits.tag}-{moment.wall}"
        request = Request(
            id=key, tag=limits.tag, value=value, unit=limits.unit, proposer=who, key=key,
            reason=f"back to {target:g}", not_after=moment.wall + int(LONGEST_S * NS),
        )  # fmt: skip
        ticket = Ticket(
            request, OWN, moment, moment.mono + LONGEST_S, before=record.known, back=True
        )
        await self._carry(ticket)
        if ticket.state is State.ADVISED:
            # A stop tag that cannot be read for a moment ends no way back.
            if not self._stopped():
                record.returning = None
                self._store.keep()
        elif ticket.state not in (State.REJECTED, State.RECEIVED):
            self._book.put(ticket)

    async def _let_go(self, limits: Limits, record: Record) -> None:
        """Hand the loop back to the operator's setpoint where a block can do so."""
        record.beating = False
        self._store.keep()
        if limits.block:
            await self._devices.beat(limits.tag, enable=False)


def step_back(limits: Limits, record: Record, gap: float, now: Moment) -> float:
    """Give the next step towards a value `gap` away, within step and slope; 0: not yet."""
    recent = [one for one in record.writes if now.since(one.at) < MINUTE_S]
    left = limits.slope_per_min - sum(abs(one.value - one.before) for one in recent)
    # Sums of floats: a hair's breadth is left, or the check would find too much.
    size = min(abs(gap), limits.max_step * (1 - 1e-9), left * (1 - 1e-9))
    if size < min(abs(gap), max(limits.deadband, limits.tolerance)):
        return 0.0
    return size if gap > 0 else -size
