"""What a connector offers to the gateway.

A door is a context manager, async where it reads the plant. Entering connects once and raises
`Unreachable` or `Misconfigured`; leaving is idempotent and never raises. Back-off, re-entry and
time limits live in the gateway, never in a connector.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from plant.records import Record
from plant.samples import Batch
from plant.setpoints import Readback, Reading, Setpoint
from plant.summaries import Windows
from plant.tags import Tag


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a person wants to know about a connection.

    Parameters
    ----------
    endpoint
        Where it leads, in the protocol's own words.
    security
        What protects it, as in ``Basic256Sha256, SignAndEncrypt`` or ``TLS 1.3``; ``none`` if
        nothing does.
    secured
        Whether nobody on the way can read or change what passes. A serial line counts as secured:
        nobody is on the way.
    user
        Who we are to the other side; empty where the protocol knows no users.
    certificate_days
        Days until the first of the certificates in use (ours, the peer's) is out of date; negative
        after that, None without certificates.
    round_trip_ms
        Latest time from a request to its answer, ms; None before the first.
    clock_offset_s
        The source's clock minus this machine's, s; None where the source has no clock.
    notes
        Shortfalls in plain words: refused tags, items polled for want of monitored items, holes.
    """

    endpoint: str
    security: str = "none"
    secured: bool = False
    user: str = ""
    certificate_days: float | None = None
    round_trip_ms: float | None = None
    clock_offset_s: float | None = None
    notes: tuple[str, ...] = ()


@runtime_checkable
class Described(Protocol):
    """A source that can say how it is connected."""

    def facts(self) -> Facts:
        """Tell from memory, at any moment between entering and leaving; never waits."""
        ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the next connection needs to go on where this one was cut.

    Parameters
    ----------
    kept
        JSON that survives the process in the journal; holds no secret.
    held
        What must not be written down (a session's token) and ends with the process.
    """

    kept: Mapping[str, int | float | str | None]
    held: object = field(default=None, repr=False)


@runtime_checkable
class Resumable(Protocol):
    """A source whose server keeps for a while what it could not deliver."""

    def ticket(self) -> Ticket | None:
        """Give what takes up this connection again; None where there is nothing to take up."""
        ...

    def resume(self, ticket: Ticket) -> None:
        """Take up another source's connection when entering; a stale ticket does no harm."""
        ...


@runtime_checkable
class Recovering(Protocol):
    """A source that can fetch what was missed."""

    async def recover(
        self, start: int, stop: int, deliver: Callable[[Batch], Awaitable[None]], /
    ) -> bool:
        """Deliver what the server kept of ``start < at <= stop``, ns on the source's clock.

        Called once after entering, beside `read`, which goes on. Batches have `Batch.recovered`
        set; those of one tag come in time order. What was delivered before may come again; the
        caller sorts it out. Bounded in memory, and never in the way of live values.

        Returns
        -------
        bool
            Whether nothing of the interval is missing now, so far as the server can tell.

        Raises
        ------
        Unreachable
            The link was lost meanwhile; asked again after the next entering.
        """
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the other side will never take, in its own words.

    Parameters
    ----------
    what
        The point as it was sent.
    reason
        The message of the other side.
    """

    what: str
    reason: str


@runtime_checkable
class Sink(Protocol):
    """Keeps records elsewhere: another file, a central store.

    A plain context manager whose calls block: the gateway calls it from a thread of its own, one
    call at a time. Entering connects and raises `Unreachable` or `Misconfigured`.
    """

    name: str

    def __enter__(self) -> Self:
        """Connect; nothing is left open when it raises."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go, within 2 s, whatever the state."""
        ...

    def write(self, records: Sequence[Record]) -> Sequence[Refusal]:
        """Keep all of them, but for what is refused for ever; the same records twice = once.

        Records of a kind that the sink does not keep are passed over. When it returns, everything
        else is safe on the other side; when it raises, the same call is repeated later.

        Returns
        -------
        Sequence[Refusal]
            What the other side refused because of what it is, while its neighbours were taken.

        Raises
        ------
        Unreachable
            The other side does not answer or is busy; `retry_after` says how long it wants.
        Misconfigured
            The other side does not let us: token, bucket, rights. Nothing is lost meanwhile.
        """
        ...


@runtime_checkable
class History(Protocol):
    """Reads back what was kept; blocks, for notebooks, training and threads."""

    def __enter__(self) -> Self:
        """Connect; nothing is left open when it raises `Unreachable` or `Misconfigured`."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go, within 2 s, whatever the state."""
        ...

    def tags(self) -> dict[str, str]:
        """List the tags of which anything is kept, with their units (UCUM; empty if unknown)."""
        ...

    def lengths(self) -> tuple[int, ...]:
        """List the lengths of the windows that are kept, ns, ascending."""
        ...

    def read(self, tags: Sequence[str], start: int, stop: int, every: int) -> Iterator[Windows]:
        """Stream the windows of ``start <= at < stop``, ns, of one kept length.

        Pieces are small against memory. Within a piece and from piece to piece, windows of one tag
        come in time order, and each window once, as it was said last.

        Raises
        ------
        Rejected
            A length that is not kept; the message lists those that are. Tags of which nothing is
            kept have no windows.
        Unreachable, Misconfigured
            The other side does not answer, or does not let us.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """How a setpoint reaches its controller.

    Parameters
    ----------
    tag
        What is set, with its address, unit and scaling. With a block its counts are those of the
        block: engineering value = count · scale + offset.
    block
        Address of the setpoint block (docs/plc/README.md) that takes it; None for a plain register
        or node, which the tag's own address names.
    active
        Where the controller shows the setpoint in force, beside a plain register or node.
    """

    tag: Tag
    block: str | None = None
    active: Tag | None = None


Cells = frozenset[tuple[Hashable, ...]]
"""What a setpoint takes up: bits of a device's registers, or a node of a server."""


@runtime_checkable
class Actuator(Protocol):
    """Writes setpoints, one attempt each; whether to write is not decided here.

    Called by the guard alone, one call at a time. It has a connection of its own, with the
    credentials that may write. Whatever is in doubt ends that connection at once, with a reset, so
    that nothing that is still on its way arrives later; from then on only `read_back` works, which
    goes over a connection of its own. Whoever wants to write again enters a fresh actuator.
    """

    name: str

    @property
    def places(self) -> Mapping[str, Cells]:
        """What each setpoint takes up, as the device showed it once it was read; by tag.

        Two with a cell in common are one, whatever they are called and whichever way leads there.
        """
        ...

    async def __aenter__(self) -> Self:
        """Connect; nothing is left open when it raises `Unreachable` or `Misconfigured`."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect, within 2 s, whatever the state."""
        ...

    async def read(self, tags: Sequence[str]) -> Sequence[Reading]:
        """Read these tags now, from the device, in this order and scaled.

        What the device does not give is a reading with its StatusCode and NaN.

        Raises
        ------
        Unreachable
            The device does not answer; the connection is cut.
        Rejected
            A tag that this actuator was not made for.
        """
        ...

    async def write(self, setpoint: Setpoint, last_look: Callable[[], None] = lambda: None) -> None:
        """Try once; when it returns, the device has said that it took the value.

        That it keeps it, and acts on it, is for `read_back` to find out. `last_look` is called
        right before the frame leaves, with nothing to wait for in between; where it raises
        `Rejected`, nothing was written.

        Raises
        ------
        Rejected
            Nothing was written: the value does not fit the register exactly, the unit is another,
            the deadline is over, or the device said no.
        Unreachable
            Nothing was written: the link was gone before.
        Doubtful
            Nobody knows. The connection was cut before this is raised.
        """
        ...

    async def read_back(self, tag: str) -> Readback:
        """Ask, over a fresh connection, what the device keeps; works after a doubt too.

        Without a doubt the fresh connection takes the place of the old one.

        Raises
        ------
        Unreachable, Misconfigured
            The device does not answer, or does not let us in.
        Rejected
            A tag that is not written here.
        """
        ...


@runtime_checkable
class Beating(Protocol):
    """An actuator of setpoint blocks, which want a sign of life every second."""

    async def beat(self, tag: str, *, enable: bool = True) -> Readback:
        """Show the block of this tag that the guard lives, and read it; harmless when it is late.

        Without it for as long as the block holds (5 s) the controller falls back by itself. With
        ``enable=False`` the loop is handed back to the operator's setpoint.

        Raises
        ------
        Rejected
            The tag has no block, or the device said no.
        Unreachable, Doubtful
            As for `Actuator.write`; the connection is cut.
        """
        ...
