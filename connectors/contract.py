"""What a connector offers to the gateway.

A door is an async context manager. Entering connects once and raises `Unreachable` or
`Misconfigured`; leaving is idempotent and never raises. Back-off, re-entry and time limits live in
the gateway's supervisor, never in a connector.
"""

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from plant.samples import Batch


@runtime_checkable
class Source(Protocol):
    """Delivers samples; polled and pushed sources look alike.

    Called by the supervisor: enter, then `read` over and over from one task, then leave. `read`
    raises `Unreachable` when the link is lost (the supervisor leaves and enters a fresh source),
    `Exhausted` when a finite source has ended, `Rejected` when one answer cannot be used and the
    next may be.
    """

    name: str

    async def __aenter__(self) -> Self:
        """Connect and subscribe; nothing is left open when it raises."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect, within 2 s, whatever the state."""
        ...

    async def read(self) -> Batch:
        """Wait for the next scan, publish or keep-alive; cancelling leaves nothing half read.

        Bad quality is passed on as samples, not dropped and not raised. A batch without samples
        says that the source is alive.
        """
        ...


@runtime_checkable
class Acknowledging(Protocol):
    """A source that lets its server forget samples only when they are safe here."""

    async def acknowledge(self, batch: Batch) -> None:
        """Take note that `batch`, as returned by `read`, is on disk. Must not wait for the net."""
        ...
