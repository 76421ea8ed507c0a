"""The alarms of this gateway: one incident an asset at a time, in the states of ISA-18.2.

The book is a fold over what the watches say, what people order and the time that stands in the
records; it has no clock of its own. What holds an alarm back never touches the incident beneath:
it is kept, grows and clears as any other, and is annunciated when the hold ends and it stands.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.allowance import Allowance
from analytics.feedback import Bar, Incidents
from analytics.watch import Transition
from gateway.config.plan import AlarmPlan
from plant.alarms import (
    ADVICE,
    DAY_NS,
    HOUR_NS,
    STRONGEST,
    WAITING,
    Alarm,
    AlarmAction,
    AlarmState,
    Feedback,
    Hold,
    HoldKind,
    Label,
    Member,
    next_state,
    priority_of,
)
from plant.errors import Rejected
from plant.reasons import Contribution, Precedent, Reason, Trend

KEPT = 1000
"""Closed alarms kept in memory, those with a label the longest; the journal keeps them all."""
GIVEN_UP = "unconfirmed"
"""Field of an alarm that older journals hold."""
MEMBERS = 50
"""Tags named in an incident; one that moves a whole machine says no more with the rest."""


def alarm_body(alarm: Alarm) -> dict[str, Any]:
    """Write an alarm as plain data."""
    return asdict(alarm)


def alarm_from(body: Mapping[str, Any]) -> Alarm:
    """Read an alarm back from plain data, also as it was written before there were holds."""
    reason, said = body["reason"], body.get("feedback")
    parts = tuple(
        Contribution(**{**part, "trend": Trend(part["trend"])}) for part in reason["contributions"]
    )
    before = tuple(Precedent(**one) for one in reason.get("precedents", ()))
    alone = reason.get("alone", False)
    return Alarm(
        **{
            **{name: value for name, value in body.items() if name != GIVEN_UP},
            "state": AlarmState(body["state"]),
            "beneath": AlarmState(body.get("beneath", body["state"])),
            "reason": Reason(reason["score"], reason["threshold"], parts, before, alone),
            "members": tuple(Member(**one) for one in body.get("members", ())),
            "feedback": Feedback(**{**said, "label": Label(said["label"])}) if said else None,
        }
    )


def hold_body(hold: Hold) -> dict[str, Any]:
    """Write a hold as plain data."""
    return asdict(hold)


def hold_from(body: Mapping[str, Any]) -> Hold:
    """Read a hold back from plain data; an order of one tells more than the hold."""
    own = {each.name: body[each.name] for each in fields(Hold)}
    return Hold(**{**own, "kind": HoldKind(own["kind"])})


class AlarmBook:
    """Every alarm, newest last, and what is held.

    Parameters
    ----------
    plan
        How alarms are told.
    signals
        Signals of each asset, for the fingerprints of its incidents.
    """

    def __init__(
        self,
        plan: AlarmPlan | None = None,
        signals: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._plan = plan or AlarmPlan()
        self._signals = dict(signals or {})
        self._alarms: dict[int, Alarm] = {}
        self._open: dict[str, int] = {}
        self._holds: dict[tuple[str, HoldKind], Hold] = {}
        self._quiet: set[str] = set()
        self._raises: dict[str, list[int]] = {}
        self._incidents: dict[str, Incidents] = {}
        self._allowances: dict[str, Allowance] = {}
        self._last = 0
        self._now = 0

    def alarms(self) -> list[Alarm]:
        """List all alarms kept, oldest first."""
        return list(self._alarms.values())

    def holds(self) -> list[Hold]:
        """List what people hold back, in the order in which they did."""
        return list(self._holds.values())

    def get(self, number: int) -> Alarm:
        """Give alarm `number`; KeyError if there is none."""
        return self._alarms[number]

    def open(self, asset: str) -> Alarm | None:
        """Give the alarm of `asset` that is not both normal and acknowledged, if any."""
        number = self._open.get(asset)
        return None if number is None else self._alarms[number]

    def held(self, asset: str) -> AlarmState | None:
        """Give the state in which an alarm of `asset` is kept quiet now, if it is."""
        for kind in STRONGEST:
            by_mode = kind is HoldKind.SUPPRESSED and asset in self._quiet
            if by_mode or (asset, kind) in self._holds:
                return kind.state
        return None

    def quiet(self, asset: str) -> bool:
        """Tell whether the mode of `asset` suppresses its alarms."""
        return asset in self._quiet

    # What the watches say.

    def apply(self, asset: str, transition: Transition, mode: int = 0) -> Alarm | None:
        """Take a transition of an asset's watch; give the alarm if it changed."""
        alarm = self.open(asset)
        if transition.action is AlarmAction.RAISE:
            return self._raise(asset, alarm, transition, mode)
        if alarm is None:
            return None
        if transition.action is AlarmAction.CLEAR:
            alarm = replace(alarm, ended=transition.at)
            if alarm.chattering:
                self._alarms[alarm.id] = replace(alarm, cleared=alarm.cleared or transition.at)
                return None
        if transition.action is AlarmAction.WORSEN:
            alarm = self._grown(alarm, transition)
        return self._move(alarm, transition.action, transition.at)

    def _raise(
        self, asset: str, alarm: Alarm | None, transition: Transition, mode: int
    ) -> Alarm | None:
        chattering = self._chatters(asset, transition.at)
        if alarm is None:
            return self._begin(asset, transition, mode, chattering=chattering)
        if alarm.beneath is AlarmState.RETURNED or alarm.cleared:
            again = alarm.occurrences + 1
            alarm = self._grown(replace(alarm, occurrences=again, cleared=0), transition)
        alarm = replace(alarm, chattering=alarm.chattering or chattering, ended=None, withdrawn="")
        return self._move(alarm, AlarmAction.RAISE, transition.at)

    def _chatters(self, asset: str, at: int) -> bool:
        within = round(self._plan.chatter_min * 60e9)
        times = [time for time in self._raises.get(asset, ()) if at - time < within]
        self._raises[asset] = [*times, at][-self._plan.chatter_count :]
        return len(self._raises[asset]) >= self._plan.chatter_count

    def _begin(
        self, asset: str, transition: Transition, mode: int, *, chattering: bool
    ) -> Alarm | None:
        self._last += 1
        reason = transition.reason
        incidents = self._remembered(asset)
        incidents.remember(self._last, transition.at, mode, reason)
        priority = self._priority(asset, transition)
        held = self._held_back(asset, self._last, transition.at, reason.severity)
        alarm = Alarm(
            id=self._last,
            asset=asset,
            priority=priority,
            state=AlarmState.NORMAL,
            beneath=next_state(AlarmState.NORMAL, AlarmAction.RAISE),
            onset=transition.onset,
            raised=transition.at,
            changed=transition.at,
            occurrences=1,
            reason=replace(reason, precedents=self.precedents(asset, self._last)),
            mode=mode,
            peak=reason.severity,
            chattering=chattering,
            silenced=bool(held),
            held=held,
        )
        return self._put(alarm, transition.at)

    def _grown(self, alarm: Alarm, transition: Transition) -> Alarm:
        """Take in a reason told anew; more urgent than what was acknowledged is told again."""
        reason, incidents = transition.reason, self._remembered(alarm.asset)
        incidents.worsen(alarm.id, reason.severity)
        held = alarm.silenced and self._held_back(
            alarm.asset, alarm.id, transition.at, reason.severity
        )
        priority = min(alarm.priority, self._priority(alarm.asset, transition))
        beneath = alarm.beneath
        if priority < alarm.priority:
            beneath = next_state(beneath, AlarmAction.ESCALATE)
        return replace(
            alarm,
            beneath=beneath,
            priority=priority,
            peak=max(alarm.peak, reason.severity),
            reason=replace(reason, precedents=self.precedents(alarm.asset, alarm.id)),
            silenced=bool(held),
            held=held or alarm.held,
        )

    def _held_back(self, asset: str, number: int, at: int, severity: float) -> str:
        """Say why an incident is held back; empty where it is told."""
        urgent = self._plan.priorities.get(asset, ADVICE) < ADVICE  # the plant has said so
        bar = self._remembered(asset).bar(number, at)
        if bar is not None and severity < bar.severity and (bar.label or not urgent):
            return f"{self._words(bar)}: told from {bar.severity:.2f} limits on"
        allowance = self._allowance(asset)
        needed = allowance.bar(at)
        if severity >= needed or urgent:
            return ""
        days = (allowance.due(severity, at) - at) / DAY_NS
        return (
            f"over its budget of {self._plan.budget:g} a week: told from {needed:.2f} limits on, "
            f"or if it still stands in {days:.1f} days"
        )

    def _allowance(self, asset: str) -> Allowance:
        return self._allowances.setdefault(asset, Allowance(self._plan.budget))

    def _priority(self, asset: str, transition: Transition) -> int:
        fixed = self._plan.priorities.get(asset)
        if fixed is not None:
            return fixed
        lasted = transition.at - transition.onset
        return priority_of(transition.reason.severity, lasted, self._plan.priority_at)

    def _remembered(self, asset: str) -> Incidents:
        if asset not in self._incidents:
            _, urgent, ceiling = self._plan.priority_at
            same = round(self._plan.same_h * HOUR_NS)
            self._incidents[asset] = Incidents(self._signals.get(asset, ()), ceiling, urgent, same)
        return self._incidents[asset]

    def precedents(self, asset: str, number: int) -> tuple[Precedent, ...]:
        """Give the earlier incidents of an asset most like incident `number`, nearest first."""
        found = []
        for like in self._remembered(asset).alike(number):
            before = self._alarms.get(like.id)
            said = before.feedback if before else None
            note, actor = (before.note, before.actor) if before else ("", "")
            if said is not None:
                note, actor = said.note, said.actor
            label = str(like.label or "")
            found.append(Precedent(like.id, like.similarity, like.at, label, note, actor))
        return tuple(found)

    def _words(self, bar: Bar) -> str:
        before = self._alarms.get(bar.because)
        if bar.label is None:
            return f"like #{bar.because}, acknowledged by {before.actor if before else 'somebody'}"
        said = before.feedback if before else None
        what = "a false alarm" if bar.label is Label.FALSE else "expected"
        if said is None:
            return f"like #{bar.because}, called {what}"
        note = f" ({said.note})" if said.note else ""
        return f"like #{bar.because}, called {what}{note} by {said.actor}"

    def observe(self, asset: str, at: int) -> Alarm | None:
        """Take note that an asset was looked at; give its alarm if the time has changed it."""
        alarm = self.open(asset)
        if alarm is None:
            return None
        if alarm.cleared and at - alarm.cleared >= self._plan.chatter_min * 60e9:
            calm = replace(alarm, chattering=False, cleared=0)
            return self._move(calm, AlarmAction.CLEAR, at)
        holds = alarm.silenced and alarm.stands and not alarm.cleared
        if holds and not self._held_back(asset, alarm.id, at, alarm.reason.severity):
            return self._put(replace(alarm, silenced=False), at)
        lasts = at - alarm.raised >= self._plan.stale_h * HOUR_NS
        if lasts and alarm.stands and not alarm.stale:
            return self._put(replace(alarm, stale=True), at)
        return None

    def join(self, asset: str, found: Mapping[str, int], at: int) -> Alarm | None:
        """Let findings of single tags (`Finding` bits) join the incident of their asset."""
        alarm = self.open(asset)
        if alarm is None:
            return None
        members = {member.tag: member for member in alarm.members}
        for tag, bits in found.items():
            known = members.get(tag)
            if known is not None and known.findings | bits != known.findings:
                members[tag] = replace(known, findings=known.findings | bits)
            elif known is None and len(members) < MEMBERS:
                members[tag] = Member(tag, bits, at)
        joined = tuple(members.values())
        return None if joined == alarm.members else self._put(replace(alarm, members=joined), at)

    # What people order, and what ends by itself.

    def acknowledge(self, number: int, at: int, actor: str, note: str) -> Alarm:
        """Acknowledge alarm `number`; KeyError if there is none, Rejected if it was already."""
        alarm = self._alarms[number]
        if alarm.beneath not in WAITING:
            raise Rejected(f"alarm {number} is already acknowledged, by {alarm.actor}")
        noted = replace(alarm, actor=actor, note=note)
        self._remembered(alarm.asset).see(number)
        return self._move(noted, AlarmAction.ACKNOWLEDGE, at)

    def label(self, number: int, feedback: Feedback) -> Alarm:
        """Take in what a person calls alarm `number`, which acknowledges it; KeyError if none."""
        alarm = replace(self._alarms[number], feedback=feedback)
        self._called(alarm, feedback.label)
        if feedback.label is Label.REAL:
            alarm = replace(alarm, silenced=False)
        if alarm.beneath not in WAITING:
            return self._put(alarm, feedback.at)
        alarm = replace(alarm, actor=feedback.actor, note=feedback.note or str(feedback.label))
        return self._move(alarm, AlarmAction.ACKNOWLEDGE, feedback.at)

    def _called(self, alarm: Alarm, label: Label) -> None:
        """Remember what an alarm was called: one that was real was none too many."""
        self._remembered(alarm.asset).label(alarm.id, label)
        if label is Label.REAL:
            self._allowance(alarm.asset).renew()

    def hold(self, hold: Hold) -> Alarm | None:
        """Keep the alarms of an asset quiet; give its open alarm.

        Raises
        ------
        Rejected
            It would be shelved for longer than the plan allows, or for no time at all.
        """
        if hold.until is not None and hold.until <= hold.since:
            raise Rejected(f"{hold.asset}: it would end before it begins; give a time after now")
        longest = round(self._plan.shelf_h * HOUR_NS)
        if hold.kind is HoldKind.SHELVED and (
            hold.until is None or hold.until - hold.since > longest
        ):
            raise Rejected(
                f"{hold.asset}: an alarm is shelved for {self._plan.shelf_h:g} h at most; "
                "suppress it or take it out of service for longer"
            )
        self._holds[hold.asset, hold.kind] = hold
        return self._again(hold.asset, hold.since)

    def release(self, asset: str, kind: HoldKind, at: int) -> Alarm | None:
        """End a hold; give the open alarm of the asset. Rejected if there is no such hold."""
        if self._holds.pop((asset, kind), None) is None:
            raise Rejected(f"{asset} is not {kind.replace('-', ' ')}")
        alarm = self.open(asset)
        if kind is not HoldKind.SHELVED:
            self._remembered(asset).work()
            self._allowance(asset).renew()
        if alarm is not None:
            # The time on the shelf was a reminder; who put it there wants to be told.
            reminded = kind is not HoldKind.SUPPRESSED
            beneath = next_state(alarm.beneath, AlarmAction.ESCALATE) if reminded else alarm.beneath
            self._alarms[alarm.id] = replace(alarm, beneath=beneath, asked=0)
        return self._again(asset, at)

    def due(self, now: int) -> bool:
        """Tell whether a hold is over at `now`, ns of the gateway's clock."""
        return any(hold.until is not None and hold.until <= now for hold in self._holds.values())

    def advance(self, now: int) -> list[tuple[Hold, Alarm | None]]:
        """Take the time of a record, ns of the gateway's clock; give the holds that it ends.

        A clock that was set back does not bring back what is over.
        """
        self._now = max(self._now, now)
        ended = [h for h in self._holds.values() if h.until is not None and h.until <= self._now]
        return [(hold, self.release(hold.asset, hold.kind, hold.until or now)) for hold in ended]

    def suppress(self, asset: str, at: int, *, quiet: bool) -> Alarm | None:
        """Take note that the mode of an asset begins or ends to suppress its alarms."""
        if quiet:
            self._quiet.add(asset)
        else:
            self._quiet.discard(asset)
        return self._again(asset, at)

    def withdraw(self, asset: str, at: int, why: str) -> Alarm | None:
        """End the alarm of an asset because the model that raised it no longer judges."""
        alarm = self.open(asset)
        if alarm is None:
            return None
        ended = max(at, alarm.raised)
        gone = replace(alarm, ended=ended, cleared=0, chattering=False, withdrawn=why)
        return self._move(gone, AlarmAction.CLEAR, ended)

    # How it is kept.

    def recall(self, told: Sequence[Alarm]) -> list[Alarm]:
        """Take over the alarms that a journal tells, where it no longer has what they came from.

        What was folded from the rest of it gives way to them, but for what it knows of the
        present: an alarm whose fault it does not see returns to normal.

        Returns
        -------
        list[Alarm]
            Those that did.
        """
        seen = {asset for asset in self._open if self._alarms[self._open[asset]].stands}
        self._alarms = {alarm.id: alarm for alarm in told}
        self._last = max([self._last, *self._alarms])
        self._incidents, self._raises, self._allowances = {}, {}, {}
        for alarm in told:
            if alarm.annunciated is not None:
                self._allowance(alarm.asset).spend(alarm.raised)
            incidents = self._remembered(alarm.asset)
            incidents.remember(alarm.id, alarm.raised, alarm.mode, alarm.reason)
            if alarm.feedback is not None:
                self._called(alarm, alarm.feedback.label)
            elif alarm.actor:
                incidents.see(alarm.id)
        self._open = {a.asset: a.id for a in told if a.state is not AlarmState.NORMAL}
        standing = [self._alarms[number] for number in self._open.values()]
        gone = [alarm for alarm in standing if alarm.stands and alarm.asset not in seen]
        self._forget()
        return [self._move(alarm, AlarmAction.CLEAR, alarm.changed) for alarm in gone]

    def _again(self, asset: str, at: int) -> Alarm | None:
        alarm = self.open(asset)
        return None if alarm is None else self._put(alarm, at)

    def _move(self, alarm: Alarm, action: AlarmAction, at: int) -> Alarm:
        return self._put(replace(alarm, beneath=next_state(alarm.beneath, action)), at)

    def _put(self, alarm: Alarm, at: int) -> Alarm:
        """Keep an alarm, with the state that is shown."""
        unheard = alarm.beneath is AlarmState.RETURNED and alarm.annunciated is None
        if unheard and self.held(alarm.asset) is None:
            # It came and went while it was held back: nobody was told, nobody has to take note.
            alarm = replace(alarm, beneath=AlarmState.NORMAL)
        shown = self._shown(alarm)
        asked = alarm.asked if alarm.beneath in WAITING else 0
        if shown is AlarmState.UNACKNOWLEDGED:
            # What waits for somebody already is asked for again only when it is more urgent.
            if alarm.state is not shown and not 0 < asked <= alarm.priority:
                alarm = replace(alarm, annunciated=self._now)
                self._allowance(alarm.asset).spend(at)
            asked = min(asked or alarm.priority, alarm.priority)
        changed = at if shown != alarm.state else alarm.changed
        alarm = replace(alarm, state=shown, asked=asked, changed=changed)
        self._alarms[alarm.id] = alarm
        if shown is not AlarmState.NORMAL:
            self._open[alarm.asset] = alarm.id
        elif self._open.get(alarm.asset) == alarm.id:
            del self._open[alarm.asset]
            self._forget()
        return alarm

    def _shown(self, alarm: Alarm) -> AlarmState:
        if alarm.beneath is AlarmState.NORMAL:
            return alarm.beneath
        held = self.held(alarm.asset)
        if held is not None:
            return held
        if alarm.silenced and alarm.beneath is AlarmState.UNACKNOWLEDGED:
            return AlarmState.HELD_BACK
        return alarm.beneath

    def _forget(self) -> None:
        closed = [a for a in self._alarms.values() if a.state is AlarmState.NORMAL]
        closed.sort(key=lambda alarm: alarm.feedback is not None)
        for alarm in closed[: max(0, len(closed) - KEPT)]:
            del self._alarms[alarm.id]

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the book as arrays (JSON bytes, and the fingerprints)."""
        body = {
            "last": self._last,
            "now": self._now,
            "alarms": [alarm_body(alarm) for alarm in self.alarms()],
            "holds": [hold_body(hold) for hold in self.holds()],
            "quiet": sorted(self._quiet),
            "raises": self._raises,
            "allowances": {asset: (one.left, one.at) for asset, one in self._allowances.items()},
            "signals": {asset: one.signals for asset, one in self._incidents.items()},
        }
        arrays = {"book": np.frombuffer(json.dumps(body).encode(), np.uint8)}
        for place, incidents in enumerate(self._incidents.values()):
            arrays |= {f"{place}.{name}": array for name, array in incidents.state().items()}
        return arrays

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state; incidents told by other signals than the asset's own are forgotten."""
        body = json.loads(state["book"].tobytes())
        self._last, self._now = body["last"], body["now"]
        self._alarms = {alarm["id"]: alarm_from(alarm) for alarm in body["alarms"]}
        self._open = {
            a.asset: a.id for a in self._alarms.values() if a.state is not AlarmState.NORMAL
        }
        self._holds = {(h.asset, h.kind): h for h in map(hold_from, body["holds"])}
        self._quiet = set(body["quiet"])
        self._raises = body["raises"]
        kept = body.get("allowances", {})  # journals of before there were any have none
        self._allowances = {a: Allowance(self._plan.budget, *one) for a, one in kept.items()}
        self._incidents = {}
        for place, (asset, signals) in enumerate(body["signals"].items()):
            incidents = self._remembered(asset)
            if incidents.signals == tuple(signals):
                names = ("prints", "severity", "facts")
                incidents.restore({name: state[f"{place}.{name}"] for name in names})
