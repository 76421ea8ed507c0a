"""Where the way to one sink stands, as a person wants to know it."""

import time
from dataclasses import dataclass, field
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where the way to a sink stands."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    MISCONFIGURED = "misconfigured"


@dataclass(slots=True)
class Delivery:
    """The way to one sink, as it stands now; written by its own thread only.

    Parameters
    ----------
    name
        Name of the sink.
    state, why
        Present state, and the reason when it is not up.
    since
        Since when, ns since 1970 UTC.
    cursor
        Position in the journal that the sink is done with.
    backlog
        Records behind it that are still to be sent; counted now and then.
    catching_up
        The newest records go first, beside the backlog.
    sent
        Rows that the other side has taken since the start, those that came twice included.
    sent_bytes
        Bytes that this took, where the sink counts them.
    refused, damaged
        Rows that the sink refused, and records that could not be read, since the start.
    last
        When it last took something, ns since 1970 UTC; 0 before that.
    calling
        Monotonic time since which it has been in a call, s; 0 while it is not.
    drained
        Rows a second that a backlog is sent with, lately; 0 when there is none.
    """

    name: str
    state: DeliveryState = DeliveryState.CONNECTING
    why: str = ""
    since: int = field(default_factory=time.time_ns)
    cursor: int = 0
    backlog: int = 0
    catching_up: bool = False
    sent: int = 0
    sent_bytes: int | None = None
    refused: int = 0
    damaged: int = 0
    last: int = 0
    calling: float = 0.0
    drained: float = 0.0

    def turn(self, state: DeliveryState, why: str = "") -> None:
        """Take note of a state."""
        if state is not self.state:
            self.since = time.time_ns()
        self.state, self.why = state, why

    def calling_s(self) -> float:
        """Seconds for which it has been in one and the same call."""
        begun = self.calling
        return time.monotonic() - begun if begun else 0.0
