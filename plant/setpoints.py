"""Words of a setpoint: what is asked, what goes to a device, what came back (NAMUR NE 178).

Nothing in here decides or writes: the guard decides, an actuator writes, the PLC has the last word.
"""

from dataclasses import dataclass
from enum import StrEnum

from plant.errors import PlantError

LONGEST_S = 30.0
"""A request may wait no longer than this for its approval and its write, s."""
BLOCK_OK = 0
"""ACK_CODE of a block that has taken a request."""


class Doubtful(PlantError):
    """Nobody knows whether a write was applied; the connection was cut before this is raised.

    The value stays unknown until it is read back over another connection. It is never written
    again to make sure.
    """


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as a device gave it.

    Parameters
    ----------
    tag
        Name of the tag.
    value
        In the unit of the tag; NaN where there is none.
    status
        OPC UA StatusCode.
    at
        Source time, ns since 1970 UTC.
    age_basis
        Monotonic time at which it was read here, s: ages are told by it, never by a clock.
    """

    tag: str
    value: float
    status: int
    at: int
    age_basis: float


@dataclass(frozen=True, slots=True)
class Setpoint:
    """What goes to a device.

    Parameters
    ----------
    tag, value, unit
        Which setpoint, and what it is to be, in the unit of the tag.
    deadline
        After which a device that knows the time takes it no more, ns since 1970 UTC.
    sequence
        Number of the write at this tag, 1 … 65535, then 1 again; a block takes only the next one.
    """

    tag: str
    value: float
    unit: str
    deadline: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Readback:
    """What a device says of a setpoint.

    Parameters
    ----------
    setpoint
        The register or node that was written.
    active
        What the control loop follows; None where the device does not say.
    accepted
        ACK_SEQ of a block: the last sequence number it took; None without a block.
    code
        ACK_CODE of a block: `BLOCK_OK`, or why it refused; None without a block.
    seen
        Number of the request that `code` speaks of; it can be an older one. None without a block.
    clock
        The block's own clock, ms modulo 2^32. It moves only while the block runs: where it stands,
        nothing was looked at. None without a block.
    """

    setpoint: Reading
    active: Reading | None = None
    accepted: int | None = None
    code: int | None = None
    seen: int | None = None
    clock: int | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """One value that a request rests on: its tag, its source time (ns) and its StatusCode."""

    tag: str
    at: int
    status: int


class Mode(StrEnum):
    """How far a request, or a tag, may go."""

    OFF = "off"
    ADVISORY = "advisory"
    """Checked and shown, never written."""
    APPROVE = "approve"
    """Written when one or two people have approved it."""
    AUTO = "auto"


MODES = tuple(Mode)
"""From the least to the most that is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a proposer asks for.

    Parameters
    ----------
    id
        UUIDv7.
    tag, value, unit
        Which setpoint, what it shall be, and the UCUM code of the unit it is meant in.
    proposer
        Who asks, as the guard knows him.
    model, version
        What it was worked out by.
    reason, effect
        Why, and what is expected of it, in words for the person who approves.
    based_on
        The values that it rests on.
    not_after
        After which it is void, ns since 1970 UTC; at most `LONGEST_S` from now.
    key
        Idempotency key: the same key asks for the same thing once.
    mode
        How far it wants to go; never further than the signed limits let it.
    healthy
        Whether the model says of itself that it knows this situation and does not drift.
    """

    id: str
    tag: str
    value: float
    unit: str
    proposer: str
    reason: str
    not_after: int
    key: str
    model: str = ""
    version: str = ""
    effect: str = ""
    based_on: tuple[Basis, ...] = ()
    mode: Mode = Mode.AUTO
    healthy: bool = True


class State(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    AUTHENTICATED = "authenticated"
    WELL_FORMED = "well-formed"
    ALLOWED = "allowed"
    WITHIN_LIMITS = "within limits"
    PERMITTED = "permitted"
    """Interlocks, modes and alarms let it pass."""
    PENDING = "pending"
    """Waits for people."""
    ARMED = "armed"
    WRITTEN = "written"
    READ_BACK = "read back"
    HELD = "held"
    """Read back twice: the device keeps it."""
    ADVISED = "advised"
    """Would have been written, had more than advice been allowed."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """Nobody knows whether it was applied; its tag is locked."""
    REVERTED = "reverted"


class Code(StrEnum):
    """Why a request was rejected: one word for each check, in the order of the checks."""

    # 1 to 13 of the guard's checks.
    OFF = "off"
    STOPPED = "stopped"
    LOCAL = "local"
    """The key switch is not at REMOTE."""
    STRANGER = "stranger"
    FLOODING = "flooding"
    NOT_ALLOWED = "not allowed"
    WRONG_UNIT = "wrong unit"
    NO_NUMBER = "no number"
    OUTSIDE_LIMITS = "outside limits"
    OUTSIDE_BAND = "outside band"
    STEP = "step"
    SLOPE = "slope"
    DRIFT = "drift"
    TOO_SOON = "too soon"
    NO_TOKENS = "no tokens"
    DEADBAND = "deadband"
    STALE = "stale"
    CLOCK = "clock"
    INTERLOCK = "interlock"
    ALARM = "alarm"
    WRONG_MODE = "wrong mode"
    OPERATOR = "operator"
    """An operator changed it a short while ago."""
    SECOND_WRITER = "second writer"
    LOCKED = "locked"
    MODEL = "model"
    NOT_APPROVED = "not approved"
    # Around the checks.
    MALFORMED = "malformed"
    TWICE = "twice"
    EXPIRED = "expired"
    DENIED = "denied"
    """A person said no."""
    NO_AUDIT = "no audit"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """The device said no; nothing was written."""
    NOT_TAKEN = "not taken"
    """The device said yes, and keeps another value."""
    NOT_APPLIED = "not applied"
    """After a doubt: read back, and it was never applied."""
