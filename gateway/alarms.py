"""The alarms of this gateway: one incident an asset at a time, in the states of ISA-18.2."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.watch import Transition
from plant.alarms import Alarm, AlarmAction, AlarmState, next_state
from plant.errors import Rejected
from plant.reasons import Contribution, Reason, Trend

PRIORITY = 2
"""Priority of an anomaly alarm: look at it this shift (ISA-18.2 §6.5, second of four)."""
KEPT = 1000
"""Closed alarms kept in memory; the journal keeps them all."""


def alarm_body(alarm: Alarm) -> dict[str, Any]:
    """Write an alarm as plain data."""
    return asdict(alarm)


def alarm_from(body: Mapping[str, Any]) -> Alarm:
    """Read an alarm back from plain data."""
    reason = body["reason"]
    parts = tuple(
        Contribution(**{**part, "trend": Trend(part["trend"])}) for part in reason["contributions"]
    )
    return Alarm(
        **{
            **body,
            "state": AlarmState(body["state"]),
            "reason": Reason(reason["score"], reason["threshold"], parts),
        }
    )


class AlarmBook:
    """Every alarm, newest last. A fold over transitions and acknowledgements, without a clock."""

    def __init__(self) -> None:
        self._alarms: dict[int, Alarm] = {}
        self._last = 0

    def alarms(self) -> list[Alarm]:
        """List all alarms kept, oldest first."""
        return list(self._alarms.values())

    def open(self, asset: str) -> Alarm | None:
        """Give the alarm of `asset` that is not both normal and acknowledged, if any."""
        for alarm in reversed(self._alarms.values()):
            if alarm.asset == asset and alarm.state is not AlarmState.NORMAL:
                return alarm
        return None

    def apply(self, asset: str, transition: Transition) -> Alarm | None:
        """Take a transition of an asset's watch; give the alarm if it changed."""
        alarm = self.open(asset)
        if transition.action is AlarmAction.RAISE:
            if alarm is None:
                return self._begin(asset, transition)
            if alarm.state is AlarmState.RETURNED:
                alarm = replace(alarm, occurrences=alarm.occurrences + 1, reason=transition.reason)
        if alarm is None:
            return None
        if transition.action is AlarmAction.WORSEN:
            alarm = replace(alarm, reason=transition.reason)
        return self._move(alarm, transition.action, transition.at)

    def acknowledge(self, number: int, at: int, actor: str, note: str) -> Alarm:
        """Acknowledge alarm `number`; KeyError if there is none, Rejected if it was already."""
        alarm = self._alarms[number]
        if alarm.state not in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED):
            raise Rejected(f"alarm {number} is already acknowledged, by {alarm.actor}")
        noted = replace(alarm, actor=actor, note=note)
        return self._move(noted, AlarmAction.ACKNOWLEDGE, at)

    def get(self, number: int) -> Alarm:
        """Give alarm `number`; KeyError if there is none."""
        return self._alarms[number]

    def _begin(self, asset: str, transition: Transition) -> Alarm:
        self._last += 1
        alarm = Alarm(
            id=self._last,
            asset=asset,
            priority=PRIORITY,
            state=next_state(AlarmState.NORMAL, AlarmAction.RAISE),
            onset=transition.onset,
            raised=transition.at,
            changed=transition.at,
            occurrences=1,
            reason=transition.reason,
        )
        self._keep(alarm)
        return alarm

    def _move(self, alarm: Alarm, action: AlarmAction, at: int) -> Alarm:
        state = next_state(alarm.state, action)
        moved = replace(alarm, state=state, changed=at if state != alarm.state else alarm.changed)
        self._keep(moved)
        return moved

    def _keep(self, alarm: Alarm) -> None:
        self._alarms[alarm.id] = alarm
        closed = [a.id for a in self._alarms.values() if a.state is AlarmState.NORMAL]
        for number in closed[: max(0, len(closed) - KEPT)]:
            del self._alarms[number]

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the book as arrays (JSON bytes)."""
        text = json.dumps({"last": self._last, "alarms": [alarm_body(a) for a in self.alarms()]})
        return {"book": np.frombuffer(text.encode(), np.uint8)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state."""
        body = json.loads(state["book"].tobytes())
        self._last = body["last"]
        self._alarms = {alarm["id"]: alarm_from(alarm) for alarm in body["alarms"]}
