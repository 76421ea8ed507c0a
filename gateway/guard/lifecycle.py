"""The life of a request, as one table; what does not stand in it cannot happen."""

from enum import StrEnum

from plant.errors import PlantError
from plant.setpoints import State


class Event(StrEnum):
    """What moves a request on."""

    KNOWN = "known"
    """Its proposer is who he says, and asks no faster than he may (checks 1 and 2)."""
    FORMED = "formed"
    ALLOWED = "allowed"
    BOUNDED = "bounded"
    PERMITTED = "permitted"
    ADVISE = "advise"
    ASK = "ask"
    ARM = "arm"
    SENT = "sent"
    SEEN = "seen"
    """Read back once, as it was asked for."""
    KEPT = "kept"
    """Read back twice."""
    REJECT = "reject"
    EXPIRE = "expire"
    DOUBT = "doubt"
    FOUND = "found"
    """After a doubt: it was applied."""
    MISSED = "missed"
    """After a doubt: it was not."""
    REVERT = "revert"


class Impossible(PlantError):
    """The event cannot happen to a request in this state; nothing was changed."""


_S, _E = State, Event
_WAY = (
    (_S.RECEIVED, _E.KNOWN, _S.AUTHENTICATED),
    (_S.AUTHENTICATED, _E.FORMED, _S.WELL_FORMED),
    (_S.WELL_FORMED, _E.ALLOWED, _S.ALLOWED),
    (_S.ALLOWED, _E.BOUNDED, _S.WITHIN_LIMITS),
    (_S.WITHIN_LIMITS, _E.PERMITTED, _S.PERMITTED),
    (_S.PERMITTED, _E.ADVISE, _S.ADVISED),
    (_S.PERMITTED, _E.ASK, _S.PENDING),
    (_S.PERMITTED, _E.ARM, _S.ARMED),
    (_S.PENDING, _E.ARM, _S.ARMED),
    (_S.ARMED, _E.SENT, _S.WRITTEN),
    (_S.WRITTEN, _E.SEEN, _S.READ_BACK),
    (_S.READ_BACK, _E.KEPT, _S.HELD),
    (_S.HELD, _E.REVERT, _S.REVERTED),
    (_S.UNKNOWN, _E.FOUND, _S.HELD),
    (_S.UNKNOWN, _E.MISSED, _S.REJECTED),
)
BEFORE = (
    _S.RECEIVED, _S.AUTHENTICATED, _S.WELL_FORMED, _S.ALLOWED, _S.WITHIN_LIMITS, _S.PERMITTED,
    _S.PENDING,
)  # fmt: skip
"""States in which nothing has left."""
DOUBTFUL = (_S.ARMED, _S.WRITTEN, _S.READ_BACK)
"""States in which something may have left."""
NEXT: dict[tuple[State, Event], State] = {
    **{(state, event): after for state, event, after in _WAY},
    **{(state, _E.REJECT): _S.REJECTED for state in (*BEFORE, *DOUBTFUL)},
    **{(state, _E.EXPIRE): _S.EXPIRED for state in BEFORE},
    **{(state, _E.DOUBT): _S.UNKNOWN for state in DOUBTFUL},
}
OVER = frozenset({_S.ADVISED, _S.REJECTED, _S.EXPIRED, _S.REVERTED})
"""States that nothing leaves."""


def after(state: State, event: Event) -> State:
    """Give the state that follows.

    Raises
    ------
    Impossible
        The event cannot happen in this state.
    """
    try:
        return NEXT[state, event]
    except KeyError:
        raise Impossible(f"a request that is {state} cannot be moved by {event}") from None
