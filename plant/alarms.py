"""Alarms and their states (ANSI/ISA-18.2 §5.5; the shelved and suppressed states come later)."""

from dataclasses import dataclass
from enum import StrEnum

from plant.reasons import Reason


class AlarmState(StrEnum):
    """Where an alarm stands in its life."""

    NORMAL = "NORM"
    UNACKNOWLEDGED = "UNACK"
    ACKNOWLEDGED = "ACKED"
    RETURNED = "RTNUN"
    """Back to normal, but nobody has acknowledged it yet."""


class AlarmAction(StrEnum):
    """What moves an alarm from one state to another."""

    RAISE = "raise"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"
    WORSEN = "worsen"
    """The fault has grown well beyond what was told; the reason is told anew, the state stays."""


_NEXT = {
    (AlarmState.NORMAL, AlarmAction.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.UNACKNOWLEDGED, AlarmAction.CLEAR): AlarmState.RETURNED,
    (AlarmState.UNACKNOWLEDGED, AlarmAction.ACKNOWLEDGE): AlarmState.ACKNOWLEDGED,
    (AlarmState.ACKNOWLEDGED, AlarmAction.CLEAR): AlarmState.NORMAL,
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
        Present state.
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
    actor, note
        Who acknowledged it and what they said.
    """

    id: int
    asset: str
    priority: int
    state: AlarmState
    onset: int
    raised: int
    changed: int
    occurrences: int
    reason: Reason
    actor: str = ""
    note: str = ""
