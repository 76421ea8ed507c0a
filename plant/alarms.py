"""Alarms, their states and what holds them back (ANSI/ISA-18.2-2016 §5.5, §6.5, §11)."""

from dataclasses import dataclass
from enum import StrEnum

from plant.reasons import Reason

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
WEEK_NS = 7 * DAY_NS
ADVICE = 4
"""The least urgent priority."""
PERSISTS_NS = HOUR_NS
"""A fault that has lasted so long is one step more urgent than its height alone says."""


class AlarmState(StrEnum):
    """Where an alarm stands in its life; the names are those of the standard but for the last."""

    NORMAL = "NORM"
    UNACKNOWLEDGED = "UNACK"
    ACKNOWLEDGED = "ACKED"
    RETURNED = "RTNUN"
    """Back to normal, but nobody has acknowledged it yet."""
    SHELVED = "SHLVD"
    """Set aside by a person for a time that ends by itself."""
    SUPPRESSED = "DSUPR"
    """Suppressed by design: maintenance, off, changeover."""
    OUT_OF_SERVICE = "OOSRV"
    """Taken out of service by a person until a person takes it back."""
    HELD_BACK = "FSUPR"
    """Like an incident that people called false or expected, or acknowledged a short while ago, or
    over the alarm budget; the standard has no name for it."""


ANNUNCIATED = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED})
"""States that ask for a person; the others but NORMAL are kept and shown, and stay quiet."""
QUIET = (
    AlarmState.SHELVED,
    AlarmState.SUPPRESSED,
    AlarmState.OUT_OF_SERVICE,
    AlarmState.HELD_BACK,
)
"""States in which an incident is kept and shown, and asks nobody."""
WAITING = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED})
"""States in which somebody has still to take note."""


class AlarmAction(StrEnum):
    """What moves an alarm from one state to another."""

    RAISE = "raise"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"
    WORSEN = "worsen"
    """The fault has grown well beyond what was told; the reason is told anew, the state stays."""
    ESCALATE = "escalate"
    """It has become more urgent than what was acknowledged, or its shelf time is over."""


_NEXT = {
    (AlarmState.NORMAL, AlarmAction.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.UNACKNOWLEDGED, AlarmAction.CLEAR): AlarmState.RETURNED,
    (AlarmState.UNACKNOWLEDGED, AlarmAction.ACKNOWLEDGE): AlarmState.ACKNOWLEDGED,
    (AlarmState.ACKNOWLEDGED, AlarmAction.CLEAR): AlarmState.NORMAL,
    (AlarmState.ACKNOWLEDGED, AlarmAction.ESCALATE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.RETURNED, AlarmAction.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.RETURNED, AlarmAction.ACKNOWLEDGE): AlarmState.NORMAL,
}


def next_state(state: AlarmState, action: AlarmAction) -> AlarmState:
    """Give the state after `action`; an action that does not apply changes nothing.

    Examples
    --------
    >>> next_state(AlarmState.UNACKNOWLEDGED, AlarmAction.CLEAR).value
    'RTNUN'
    >>> next_state(AlarmState.NORMAL, AlarmAction.ACKNOWLEDGE).value
    'NORM'
    """
    return _NEXT.get((state, action), state)


class HoldKind(StrEnum):
    """Why the alarms of an asset are kept quiet (ISA-18.2 §11.7 to §11.9)."""

    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out-of-service"

    @property
    def state(self) -> AlarmState:
        """State that an alarm shows meanwhile."""
        return _HELD[self]


_HELD = {
    HoldKind.OUT_OF_SERVICE: AlarmState.OUT_OF_SERVICE,
    HoldKind.SUPPRESSED: AlarmState.SUPPRESSED,
    HoldKind.SHELVED: AlarmState.SHELVED,
}
STRONGEST = tuple(_HELD)
"""The kinds, the one that is shown when several hold the same asset first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The alarms of one asset are kept quiet by a person.

    Parameters
    ----------
    asset
        Path of the asset.
    kind
        Which way.
    since, until
        From and to, ns of the gateway's clock; `until` None: until a person ends it.
    actor, note
        Who did it and why.
    """

    asset: str
    kind: HoldKind
    since: int
    until: int | None
    actor: str
    note: str


class Label(StrEnum):
    """What an alarm turned out to be, as a person says."""

    REAL = "real"
    FALSE = "false"
    EXPECTED = "expected"
    """Something did change, and it was meant to: another product, a repair, a trial."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person called an incident, when (ns of the gateway's clock), and who."""

    label: Label
    note: str
    actor: str
    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """A tag whose own monitor found something while the incident of its asset stood.

    `findings` are `analytics.findings.Finding` bits, `since` is a source time, ns.
    """

    tag: str
    findings: int
    since: int


def priority_of(severity: float, persistence: int, steps: tuple[float, float, float]) -> int:
    """Give the priority, 1 (most urgent) to 4, of a fault.

    Parameters
    ----------
    severity
        Score over limit.
    persistence
        How long its signals have been away from their normal, ns.
    steps
        Severities from which on a fault is of priority 3, 2 and 1. One that persists is a step
        more urgent, but duration alone makes nothing a 1.

    Examples
    --------
    >>> priority_of(1.3, 0, (2, 4, 8)), priority_of(5.0, 0, (2, 4, 8))
    (4, 2)
    >>> priority_of(1.3, HOUR_NS, (2, 4, 8)), priority_of(5.0, HOUR_NS, (2, 4, 8))
    (3, 2)
    """
    priority = ADVICE - sum(severity >= step for step in steps)
    lasts = persistence >= PERSISTS_NS and priority > 2
    return priority - lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One incident of one asset.

    Parameters
    ----------
    id
        Number within this gateway, from 1.
    asset
        Path of the asset.
    priority
        1 (most urgent) to 4.
    state
        What is shown.
    beneath
        The state without what holds it back.
    onset
        Source time at which the signals left their normal, ns.
    raised
        Source time of the first RAISE, ns.
    changed
        Source time of the last change of state, ns (operator actions: the gateway's clock).
    occurrences
        How often it was raised; it is the same alarm until it is acknowledged and normal.
    reason
        Why, as data.
    mode
        Operating mode in which it was raised.
    peak
        Largest severity (score over limit) that was told.
    annunciated
        When people were last told of it, ns of the gateway's clock; None: never.
    asked
        Priority at which they were told and have still to take note; 0: nobody has to.
    ended
        Source time at which the fault was last gone, ns; None while it stands.
    cleared
        Source time of a CLEAR that chattering keeps from being shown, ns; 0: none.
    chattering
        It came and went so often that its comings and goings are no news.
    stale
        It has stood for longer than an alarm is meant to.
    held
        Why it is held back, in words; empty when it never was.
    silenced
        Whether feedback holds it back now.
    members
        Tags of the asset whose own monitors found something meanwhile.
    feedback
        What a person called it.
    actor, note
        Who acknowledged it and what they said.
    withdrawn
        Why it ended though nobody saw the fault go: another model judges; else empty.
    """

    id: int
    asset: str
    priority: int
    state: AlarmState
    beneath: AlarmState
    onset: int
    raised: int
    changed: int
    occurrences: int
    reason: Reason
    mode: int = 0
    peak: float = 0.0
    annunciated: int | None = None
    asked: int = 0
    ended: int | None = None
    cleared: int = 0
    chattering: bool = False
    stale: bool = False
    held: str = ""
    silenced: bool = False
    members: tuple[Member, ...] = ()
    feedback: Feedback | None = None
    actor: str = ""
    note: str = ""
    withdrawn: str = ""

    @property
    def stands(self) -> bool:
        """Whether the fault is there, as far as is shown."""
        return self.beneath in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
