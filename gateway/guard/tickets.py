"""Requests on their way, and what is said of them: the audit has each step first."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.guard.audit import Audit, NoAudit
from gateway.guard.checks import Moment
from gateway.guard.desk import Actor
from gateway.guard.lifecycle import Event, after
from plant.errors import Misconfigured
from plant.setpoints import Basis, Code, Request, State

PLACE: ContextVar[str] = ContextVar("place", default="")
"""Where whoever is being served says that he comes from: the console's word, kept with his acts."""
MOST = 2000
"""Requests that are kept in mind; the audit keeps all."""


def boot_clock() -> Callable[[], Moment]:
    """Make what tells the moment, on the clocks of this start of the machine; on Linux alone."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError as error:
        raise Misconfigured("a guard runs on Linux, which says when it was started") from error
    return lambda: Moment(time.time_ns(), time.monotonic(), boot)


def told(request: Request) -> dict[str, Any]:
    """Give all that a request says; `dataclasses.asdict` would copy each text of it."""
    said = {name: getattr(request, name) for name in Request.__slots__}
    rows = [{name: getattr(one, name) for name in Basis.__slots__} for one in request.based_on]
    return {**said, "based_on": rows}


@dataclass(slots=True)
class Ticket:
    """A request on its way.

    Parameters
    ----------
    request, actor, received
        What, who and when.
    state, code, why
        Where it stands, why it was rejected, and the same in words.
    void
        Monotonic time after which it is void, s.
    approvals
        Who has approved.
    before
        The value that it found.
    """

    request: Request
    actor: Actor
    received: Moment
    void: float
    state: State = State.RECEIVED
    code: Code | None = None
    why: str = ""
    approvals: list[str] = field(default_factory=list)
    before: float | None = None
    back: bool = False

    @property
    def model(self) -> str:
        """Name whose tokens it takes: its model's, or its proposer's; of a person his own."""
        request = self.request
        if self.actor.person and not self.back:
            return f"{self.actor.name} (person)"
        return f"{request.model}@{request.version}" if request.model else self.actor.name

    def shown(self) -> dict[str, Any]:
        """Give it as what may be shown."""
        return {
            **told(self.request),
            "proposer": self.actor.name,
            "state": str(self.state),
            "code": str(self.code or ""),
            "why": self.why,
            "approvals": list(self.approvals),
            "before": self.before,
            "received": self.received.wall,
        }


class Book:
    """All requests of this run, what stands, and the audit behind them.

    Parameters
    ----------
    audit
        Where each step is written first.
    now
        Tells the moment.
    """

    def __init__(self, audit: Audit, now: Callable[[], Moment]) -> None:
        self.audit, self._now = audit, now
        self.alarms: dict[str, str] = {}
        """What stands: by setpoint, or by what is amiss."""
        self._passing: dict[str, float] = {}
        self._tickets: OrderedDict[str, Ticket] = OrderedDict()
        self._keys: dict[tuple[Hashable, str], str] = {}

    def get(self, request: str) -> Ticket | None:
        """Find a request by its id."""
        return self._tickets.get(request)

    def twin(self, actor: Actor, key: str) -> Ticket | None:
        """Find the request that somebody has made with this idempotency key."""
        return self._tickets.get(self._keys.get((actor.key, key), ""))

    def put(self, ticket: Ticket) -> None:
        """Keep a request; those that have been there longest make room."""
        self._tickets[ticket.request.id] = ticket
        if ticket.actor.known:
            self._keys[ticket.actor.key, ticket.request.key] = ticket.request.id
        while len(self._tickets) > MOST:
            _, gone = self._tickets.popitem(last=False)
            self._keys.pop((gone.actor.key, gone.request.key), None)

    def tickets(self, *states: State) -> list[Ticket]:
        """Give the requests in some states, or all, oldest first."""
        return [one for one in self._tickets.values() if not states or one.state in states]

    def move(self, ticket: Ticket, event: Event, **facts: Any) -> None:
        """Move a request on, once the audit has it; raises NoAudit, and nothing was moved."""
        state = after(ticket.state, event)
        self.note("guard", str(state), request=ticket.request.id, tag=ticket.request.tag, **facts)
        ticket.state = state

    def reject(self, ticket: Ticket, code: Code, why: str, *, quiet: bool = False) -> Ticket:
        """Reject a request, with an audit or without: to do nothing needs no record."""
        ticket.state, ticket.code, ticket.why = after(ticket.state, Event.REJECT), code, why
        if not quiet:
            with suppress(NoAudit):
                self.note("guard", "rejected", request=ticket.request.id, code=code, why=why)
        return ticket

    def doubt(self, ticket: Ticket, why: str) -> None:
        """Say that nobody knows whether a request was applied, with an audit or without."""
        ticket.state, ticket.why = after(ticket.state, Event.DOUBT), why
        self.alarm(ticket.request.tag, why)
        with suppress(NoAudit):
            self.note("guard", "unknown", request=ticket.request.id, tag=ticket.request.tag)

    def alarm(self, what: str, why: str, for_s: float | None = None) -> None:
        """Have something stand, with an audit or without; for so long, or until it is ended."""
        self.alarms[what] = why
        if for_s is not None:
            self._passing[what] = self._now().mono + for_s
        with suppress(NoAudit):
            self.note("guard", "alarm", what=what, why=why)

    def pass_alarms(self) -> None:
        """End the alarms whose time is over."""
        over = [what for what, until in self._passing.items() if until < self._now().mono]
        for what in over:
            del self._passing[what]
            self.alarms.pop(what, None)

    def note(self, actor: str, event: str, **facts: Any) -> None:
        """Write a record; NoAudit when it is not on disk."""
        if PLACE.get() and actor != "guard":
            facts["place"] = PLACE.get()
        try:
            self.audit.note(self._now(), actor, event, **facts)
        except NoAudit as error:
            self.alarms["audit"] = str(error)
            raise
