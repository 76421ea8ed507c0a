"""What one pull brought: the record that ``wheeltapper models pull --json`` prints."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a pull ended, as a whole."""

    OK = "ok"
    """All that the registry has for this gateway was seen."""
    UNREACHABLE = "unreachable"
    """Nobody answers, or the link broke; what was verified until then is in place."""
    REFUSED = "refused"
    """The registry itself is not believed; nothing of it was taken."""
    CLOCK = "clock"
    """The clock of this machine is behind what is known to have been: nothing was asked for."""


class Reason(StrEnum):
    """Why something was refused."""

    EXPIRED = "expired"
    """Its signature was for a time that is over: a frozen mirror, or nobody refreshed it."""
    ROLLED_BACK = "rolled-back"
    """Older than what this gateway has seen."""
    UNSIGNED = "unsigned"
    """Not signed by the key that it has to be signed by."""
    MISMATCH = "mismatch"
    """Other bytes than were signed for: swapped, damaged or cut short."""
    TOO_LARGE = "too-large"
    """More bytes than a model or a list may have."""
    UNREADABLE = "unreadable"
    """No metadata; often a page where the server has to answer 404."""
    INCOMPLETE = "incomplete"
    """The registry names a file that it does not have."""
    UNKNOWN = "unknown"
    """The list names a version that no key of this line has signed for."""
    OLDER = "older"
    """The list asks for an older version than this gateway has held."""
    NO_ROOM = "no-room"
    """The disk has no room for it."""
    NO_LINE = "no-line"
    """The path of the asset has one part: a registry knows assets by their line."""
    CLOCK = "clock"
    """The clock is behind the time at which the registry was signed."""
    HEADER = "header"
    """The model file itself is refused by the rules for model files."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A model that came.

    Parameters
    ----------
    asset, version
        Of the model.
    file
        Where it lies now, below the folder of models.
    size
        Bytes.
    sha256
        Of the file, hexadecimal.
    """

    asset: str
    version: int
    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The newest version of an asset that was here already, and that the registry still names."""

    asset: str
    version: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What was not taken: a model, a line (`asset` is None), or the registry (both are None)."""

    line: str | None
    asset: str | None
    version: int | None
    reason: Reason
    why: str


@dataclass(slots=True)
class Outcome:
    """One pull.

    Parameters
    ----------
    place
        Address or folder of the registry.
    at
        When it was begun, ns since 1970 UTC.
    state, why
        How it ended; `why` is empty when all went well.
    new, kept, refused
        Models.
    fresh_until
        When what is trusted here expires unless a pull succeeds, ns; None before the first one.
    stale_since
        When it has expired, ns; None while updates are fresh. The model in force goes on.
    requests, received, resumed
        Asked for; bytes of bodies that came; bytes that lay here from an interrupted pull.
    """

    place: str
    at: int
    state: State = State.OK
    why: str = ""
    new: list[Brought] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    fresh_until: int | None = None
    stale_since: int | None = None
    requests: int = 0
    received: int = 0
    resumed: int = 0

    def row(self) -> dict[str, Any]:
        """Give it as JSON takes it."""
        return asdict(self)
