"""What a proposer of setpoints is given and what it gives: one look at the plant, one request.

A proposer decides nothing. The guard judges each request as if it came from a stranger's program,
and the PLC has the last word.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gateway.guard.words import MOST_BASIS, new_id
from plant.quality import Status
from plant.setpoints import LONGEST_S, Basis, Code, Request, State
from plant.tags import Tag

NS = 10**9
PASSING = frozenset({
    Code.STOPPED, Code.LOCAL, Code.FLOODING, Code.SLOPE, Code.TOO_SOON, Code.NO_TOKENS, Code.STALE,
    Code.CLOCK, Code.INTERLOCK, Code.ALARM, Code.WRONG_MODE, Code.OPERATOR, Code.SECOND_WRITER,
    Code.LOCKED, Code.EXPIRED, Code.NO_AUDIT, Code.UNREACHABLE,
})  # fmt: skip
"""Reasons that may be gone in a while; the others stand until somebody changes something."""
DECIMALS = 6
"""Of a value that no device counts in steps: significant digits."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One value of a look: `at` is source time in ns, `age` in s."""

    tag: str
    value: float
    status: int
    at: int
    age: float

    @property
    def basis(self) -> Basis:
        """Give it as what a request rests on."""
        return Basis(self.tag, self.at, self.status)


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that stands and is told.

    Parameters
    ----------
    id
        Its number.
    asset
        Path of the asset.
    priority
        1 (most urgent) to 4.
    culprits
        Tags that make up its score, the largest share first.
    since
        Source time of its onset, ns.
    """

    id: int
    asset: str
    priority: int
    culprits: tuple[str, ...]
    since: int


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The plant at one moment, in columns; nobody changes it.

    Parameters
    ----------
    now
        Wall clock, ns.
    mono
        Monotonic clock, s.
    places
        Where each tag stands in the columns, by its name.
    value
        In the unit of the tag, float64 (n,); NaN where there is none.
    status
        OPC UA StatusCode, uint32 (n,); of a lost source it is Bad.
    at
        Source time up to which the value is known to hold, ns, int64 (n,): its own stamp, or the
        watermark of its source where that has said since that nothing has changed.
    age
        By the monotonic clock, s, float64 (n,); infinite where nothing was ever heard.
    alarms
        Those that stand.
    """

    now: int
    mono: float
    places: Mapping[str, int]
    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    at: NDArray[np.int64]
    age: NDArray[np.float64]
    alarms: tuple[Standing, ...] = ()

    def __post_init__(self) -> None:
        """Keep everybody from writing into the columns."""
        for column in (self.value, self.status, self.at, self.age):
            column.flags.writeable = False

    def of(self, tag: str) -> Seen:
        """Give one value; of a tag that is not looked at nothing is known."""
        place = self.places.get(tag)
        if place is None:
            return Seen(tag, math.nan, Status.BAD_NODE_ID_UNKNOWN, 0, math.inf)
        return Seen(
            tag,
            float(self.value[place]),
            int(self.status[place]),
            int(self.at[place]),
            float(self.age[place]),
        )

    def flaw(self, tag: str, fresh_s: float) -> str:
        """Say why a value is not to be gone by; empty when it is."""
        seen = self.of(tag)
        if seen.status >= Status.UNCERTAIN:
            return f"{tag} has bad quality"
        if not math.isfinite(seen.value):
            return f"{tag} is no number"
        if not 0.0 <= seen.age <= fresh_s:
            return f"{tag} is {seen.age:.1f} s old"
        if not 0 < seen.at < 2**63:
            return f"{tag} has no source time"
        return ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: where it stands for good, and the guard's code where it says no."""

    state: State
    code: str = ""

    @property
    def passing(self) -> bool:
        """Whether asking again later may end otherwise."""
        if self.state is State.EXPIRED:
            return True
        return self.state is State.REJECTED and self.code in {str(code) for code in PASSING}

    def __str__(self) -> str:
        """Give it in words."""
        return f"{self.state}: {self.code}" if self.code else str(self.state)


@runtime_checkable
class Proposer(Protocol):
    """Something that may ask for one setpoint.

    Called from a thread of its own, one call at a time, once a second at most; a call that takes
    longer than `service.BUDGET_S`, raises, or gives what is no request counts against it, and after
    a few in a row it is switched off.
    """

    name: str
    """As the guard's signed limits know it."""
    tag: str
    """Its setpoint."""
    model: str
    version: str
    why: str
    """Why the last call gave nothing, in words; empty when it gave a request."""

    def reads(self) -> Sequence[str]:
        """Give the tags that it goes by; a look holds these and the setpoint."""
        ...

    def propose(self, look: Look) -> Request | None:
        """Ask for a setpoint, or for nothing.

        A request rests on values that are good, finite and fresh, and names them with their source
        times and status. The same is not asked for twice while nothing has changed. It is void
        after `plant.setpoints.LONGEST_S` at the latest. Bad, stale, missing values and NaN are no
        reason to raise.
        """
        ...

    def heard(self, outcome: Outcome) -> None:
        """Take in what became of the last request; called once for each, before it asks again."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A proposer that has to know after a restart what it had asked for before."""

    def memory(self) -> dict[str, Any]:
        """Give what it needs, as JSON."""
        ...

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Take that up again; what does not fit is left."""
        ...


def fitting(tag: Tag, value: float) -> float:
    """Give the nearest value that the device of a setpoint can count.

    Examples
    --------
    >>> fitting(Tag(name="l/c/speed", source="plc", address="", scale=0.05), 48.7333)
    48.75
    >>> fitting(Tag(name="l/c/speed", source="plc", address=""), 48.7333333333)
    48.7333
    """
    if not math.isfinite(value):
        return value
    if tag.scale != 1.0:
        return float(f"{round((value - tag.offset) / tag.scale) * tag.scale + tag.offset:.12g}")
    return float(f"{value:.{DECIMALS}g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a proposer wants, in its own words; see `plant.setpoints.Request`."""

    value: float
    reason: str
    effect: str
    rests_on: Sequence[str]


def request_of(proposer: Proposer, look: Look, unit: str, wish: Wish, valid_s: float) -> Request:
    """Make the request of a wish; each is a new one, with an id and a key of its own."""
    key = new_id(look.now)
    named = tuple(dict.fromkeys((*wish.rests_on, proposer.tag)))[:MOST_BASIS]
    return Request(
        id=key,
        key=key,
        tag=proposer.tag,
        value=wish.value,
        unit=unit,
        proposer=proposer.name,
        reason=wish.reason,
        effect=wish.effect,
        not_after=look.now + int(min(valid_s, LONGEST_S) * NS),
        model=proposer.model,
        version=proposer.version,
        based_on=tuple(look.of(tag).basis for tag in named),
    )


def is_number(value: object) -> bool:
    """Tell whether something that was kept is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
