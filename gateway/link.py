"""The link to one source: where it stands, since when, and how old what it brings is."""

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum

from connectors.contract import Facts, Ticket
from plant.gaps import GapCause
from plant.samples import Batch

STEADY_S = 5.0
"""A link that stood for less has only seemed to be up: the waits before it grow on."""
DRIFT = 1e-4
"""Two clocks drift apart by less than this share of the time."""


class LinkState(StrEnum):
    """Where the connection to a source stands."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    MISCONFIGURED = "misconfigured"
    ENDED = "ended"


@dataclass(slots=True)
class Link:
    """The connection to one source, as it stands now.

    Parameters
    ----------
    name
        Name of the source.
    handles
        Tag handles that it feeds.
    state, why
        Present state, and the reason when it is not up.
    cause
        What the ledger calls that reason.
    upto
        Watermark last delivered, on the source's clock, ns; 0 before the first batch.
    heard
        Monotonic time of that delivery, ns.
    since, stood
        Since when it is up, ns since 1970 UTC and monotonic s; 0 while it is not.
    taking
        Monotonic time since which its last batch is in work, ns; 0 when it is done with.
    lag, least
        Distance of the gateway's clock from the watermark at the last delivery, and the least of
        this connection, ns.
    rejected, unusable
        Batches set aside, in all and since the last one that was not.
    losses
        How often the link was lost.
    faults
        Failures of the source in what is not reading: recovery, its ticket, its facts.
    ticket
        What the next connection needs to go on where this one was cut.
    facts
        What the source last said of its connection.
    delivered
        Set at each delivery.
    """

    name: str
    handles: tuple[int, ...]
    state: LinkState = LinkState.CONNECTING
    why: str = ""
    cause: GapCause = GapCause.LINK
    upto: int = 0
    heard: int = 0
    since: int = 0
    stood: float = 0.0
    taking: int = 0
    lag: int = 0
    least: int = 0
    rejected: int = 0
    unusable: int = 0
    losses: int = 0
    faults: int = 0
    ticket: Ticket | None = field(default=None, repr=False)
    facts: Facts | None = None
    told: bool = field(default=False, repr=False)
    delivered: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def age_s(self) -> float | None:
        """Seconds that the newest value is old; None if there is none."""
        return (time.monotonic_ns() - self.heard) / 1e9 + self.delay_s() if self.heard else None

    def delay_s(self) -> float:
        """Seconds from the source's clock to ours that the last batch took, its skew left out."""
        offset = self.facts.clock_offset_s if self.facts else None
        if offset is not None:
            return max(0.0, self.lag / 1e9 + offset)
        return max(0.0, (self.lag - self.least) / 1e9)

    def overdue_s(self) -> float:
        """Seconds by which values come late that are there: on their way, or in work here."""
        working = (time.monotonic_ns() - self.taking) / 1e9 if self.taking else 0.0
        return self.delay_s() + working

    def now(self) -> int:
        """Give the present on the source's clock, ns, so far as it can be known."""
        if not self.upto:
            return time.time_ns()
        return self.upto + time.monotonic_ns() - self.heard

    def hear(self, batch: Batch) -> None:
        """Take note of a delivery."""
        lag = batch.received - batch.upto
        drifted = self.least + round((batch.heard - self.heard) * DRIFT)
        self.least = min(lag, drifted) if self.stood else lag
        self.upto, self.heard, self.lag = batch.upto, batch.heard, lag
        self.delivered.set()

    def come_up(self) -> None:
        """Take note that it delivers."""
        self.state, self.why = LinkState.UP, ""
        self.since, self.stood = time.time_ns(), time.monotonic()

    def go_down(self) -> bool:
        """Take note that it does not any more; tell whether it had stood for a while."""
        steady = bool(self.stood) and time.monotonic() - self.stood >= STEADY_S
        self.since, self.stood, self.taking = 0, 0.0, 0
        return steady
