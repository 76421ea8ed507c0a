"""The thirteen checks of a request, in their order: pure, and never a change of what was asked.

Everything a decision needs is handed in. The first check that fails rejects; what each check saw
is kept for the audit. Shaped like NAMUR NE 178, verification of request.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.guard.policy import Condition, Policy, lowest
from plant.quality import Status
from plant.setpoints import Code, Mode, Reading, Request

HOUR_S, DAY_S = 3600.0, 86_400.0
MINUTE_S = 60.0
NS = 10**9


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment on both clocks: wall, ns; monotonic, s; and which start of the machine it was in."""

    wall: int
    mono: float
    boot: str = ""

    def since(self, then: "Moment") -> float:
        """Give the seconds from `then` to now, too few rather than too many.

        What was in an earlier start of the machine is no nearer than the beginning of this one (on
        Linux the monotonic clock begins with it), whatever the wall clock says: one that is wrong
        over a start lets nothing by.
        """
        if self.boot == then.boot:
            return max(0.0, self.mono - then.mono)
        return max(0.0, min(self.mono, (self.wall - then.wall) / NS))

    def since_at_most(self, then: "Moment") -> float:
        """Give the same, too many rather than too few."""
        if self.boot == then.boot:
            return self.since(then)
        return max(self.mono, (self.wall - then.wall) / NS)

    def no_later_than(self, now: "Moment") -> "Moment":
        """Give it, or `now` where it was in another start of the machine and lies in the future."""
        return self if self.boot == now.boot or self.wall <= now.wall else now


@dataclass(frozen=True, slots=True)
class Write:
    """A write that left: when, from which value to which, and by which model."""

    at: Moment
    before: float
    value: float
    model: str


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a setpoint.

    Parameters
    ----------
    known
        Its value as the guard last saw or set it; None before it was first read.
    baseline
        The operator's value.
    operator
        When somebody else last changed it.
    locked
        Why nothing is written; empty while something may be.
    writes
        Those of the last 24 h, oldest first.
    proven
        Days in approve, and the share of requests that people approved.
    """

    known: float | None = None
    baseline: float | None = None
    operator: Moment | None = None
    locked: str = ""
    writes: tuple[Write, ...] = ()
    proven: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision rests on.

    Parameters
    ----------
    request, policy
        What is asked, and what is allowed.
    mode
        The most that the configuration allows.
    stopped
        Whether the kill switch is pulled: then everything is advice.
    known
        Whether the proposer has shown who he is.
    person
        Whether he is a person with an account; of programs more is asked.
    flooding
        Whether he asks faster than he may.
    models
        Models that he may use, as ``name@version``; a person's word is his own.
    tags
        Setpoints that he may ask for; None: all.
    per_hour
        Writes that a model may bring about in an hour.
    tokens
        Those it has had in the last hour.
    readings
        Tags read now, at the device.
    past
        What is known of the setpoint.
    received, now
        When the request came, and now.
    anchor
        A moment at which the clock was believed.
    back
        The way back to an earlier value: bound by limits, step, slope and interlocks, and by
        nothing that is there to spare the operator.
    approvals
        How many people have approved.
    earliest
        Wall time, ns, that is past for certain: a clock that is behind it is wrong.
    """

    request: Request
    policy: Policy
    mode: Mode
    stopped: bool
    known: bool
    person: bool
    flooding: bool
    models: tuple[str, ...]
    tags: tuple[str, ...] | None
    per_hour: int
    tokens: int
    readings: Mapping[str, Reading]
    past: Past
    received: Moment
    now: Moment
    anchor: Moment
    back: bool = False
    approvals: int = 0
    earliest: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw: its number, a code where it failed, and the values it went by."""

    check: int
    code: Code | None
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done: `code` says why not; else `mode` says how far it may go."""

    findings: tuple[Finding, ...]
    mode: Mode = Mode.OFF
    asks: int = 0
    """People whose approval is still missing."""

    @property
    def code(self) -> Code | None:
        """Give why it is rejected; None where it is not."""
        return self.findings[-1].code if self.findings else None


Result = tuple[Code | None, str]
PASSED = None


def decide(situation: Situation) -> Verdict:
    """Check a request; the first check that fails ends it."""
    findings = []
    for number, check in enumerate(CHECKS, 1):
        code, seen = check(situation)
        findings.append(Finding(number, code, seen))
        if code is not None:
            return Verdict(tuple(findings))
    mode = granted(situation)
    persons = situation.policy.limits[situation.request.tag].persons
    asks = max(0, persons - situation.approvals) if mode is Mode.APPROVE else 0
    return Verdict(tuple(findings), mode, 0 if situation.back else asks)


def granted(s: Situation) -> Mode:
    """Give how far a request may go that has passed its checks."""
    limits = s.policy.limits[s.request.tag]
    mode = lowest(s.mode, s.policy.mode, limits.mode, s.request.mode)
    if s.stopped:
        return lowest(mode, Mode.ADVISORY)
    days, share = s.past.proven
    proven = days >= limits.proven_days and share >= PROVEN_SHARE
    return mode if proven and limits.block else lowest(mode, Mode.APPROVE)


PROVEN_SHARE = 0.95


def flaw(reading: Reading | None, fresh_s: float, now: Moment) -> str:
    """Say why a reading is not to be gone by; empty when it is."""
    if reading is None:
        return "missing"
    if reading.status >= Status.UNCERTAIN:
        return "bad quality"
    if not math.isfinite(reading.value):
        return "no number"
    if not 0.0 <= now.mono - reading.age_basis <= fresh_s:
        return "stale"
    return ""


def _enabled(s: Situation) -> Result:
    """1: switched on, and the key switch at REMOTE."""
    limits = s.policy.limits.get(s.request.tag)
    mode = lowest(s.mode, s.policy.mode, limits.mode if limits else Mode.AUTO, s.request.mode)
    if mode is Mode.OFF:
        return Code.OFF, "mode off"
    if s.now.wall >= s.policy.expires:
        return Code.OFF, "the limits have expired"
    if s.policy.key_switch:
        reading = s.readings.get(s.policy.key_switch)
        why = flaw(reading, s.policy.clock_s, s.now)
        if reading is None or why or reading.value != 1.0:
            return Code.LOCAL, f"key switch {why or 'not REMOTE'}"
    return PASSED, str(mode)


def _proposer(s: Situation) -> Result:
    """2: somebody known, who asks no faster than he may."""
    if not s.known:
        return Code.STRANGER, s.request.proposer
    if s.flooding:
        return Code.FLOODING, s.request.proposer
    return PASSED, s.request.proposer


def _allowed(s: Situation) -> Result:
    """3: a setpoint of the list, in its own unit."""
    limits = s.policy.limits.get(s.request.tag)
    if limits is None or (s.tags is not None and s.request.tag not in s.tags):
        return Code.NOT_ALLOWED, s.request.tag
    if s.request.unit != limits.unit:
        return Code.WRONG_UNIT, f"{s.request.unit!r} for {limits.unit!r}"
    return PASSED, limits.unit


def _limits(s: Situation) -> Result:
    """4: a finite number within the limits and within the band around the recipe."""
    value, limits = s.request.value, s.policy.limits[s.request.tag]
    if not math.isfinite(value):
        return Code.NO_NUMBER, repr(value)
    if not limits.low <= value <= limits.high:
        return Code.OUTSIDE_LIMITS, f"{value:g} in {limits.low:g} … {limits.high:g}"
    middle = s.past.baseline
    if limits.recipe:
        reading = s.readings.get(limits.recipe)
        why = flaw(reading, limits.fresh_s, s.now)
        if reading is None or why:
            return Code.STALE, f"{limits.recipe} {why}"
        middle = reading.value
    if middle is not None and not s.back and abs(value - middle) > limits.band:
        return Code.OUTSIDE_BAND, f"{value:g} in {middle:g} ± {limits.band:g}"
    return PASSED, f"{value:g}"


def _rate(s: Situation) -> Result:
    """5: step, slope, and how far it has drifted from the operator's value."""
    value, limits = s.request.value, s.policy.limits[s.request.tag]
    live = s.readings.get(limits.tag)
    why = flaw(live, limits.fresh_s, s.now)
    if live is None or why:
        return Code.STALE, f"{limits.tag} {why}"
    step = abs(value - live.value)
    if step > limits.max_step:
        return Code.STEP, f"{step:g} of {limits.max_step:g}"
    recent = [one for one in s.past.writes if s.now.since(one.at) < MINUTE_S]
    moved = step + sum(abs(one.value - one.before) for one in recent)
    if moved > limits.slope_per_min:
        return Code.SLOPE, f"{moved:g} of {limits.slope_per_min:g} a minute"
    if not s.back:
        for drift, most in drifts(s, live.value):
            if drift > most:
                return Code.DRIFT, f"{drift:g} of {most:g}"
    return PASSED, f"from {live.value:g} by {step:g}"


def drifts(s: Situation, live: float) -> list[tuple[float, float]]:
    """Give how far the value asked for is from where it was, and how far it may be."""
    value, limits = s.request.value, s.policy.limits[s.request.tag]
    began = [
        next((one.before for one in s.past.writes if s.now.since(one.at) < span), live)
        for span in (HOUR_S, DAY_S)
    ]
    baseline = live if s.past.baseline is None else s.past.baseline
    return [
        (abs(value - began[0]), limits.drift_1h),
        (abs(value - began[1]), limits.drift_24h),
        (abs(value - baseline), limits.drift_24h),
    ]


def _pace(s: Situation) -> Result:
    """6: not too soon after the last write, nor too many in an hour."""
    limits = s.policy.limits[s.request.tag]
    if s.back:
        return PASSED, "on the way back"
    if s.past.writes:
        gone = s.now.since(s.past.writes[-1].at)
        if gone < limits.interval_s:
            return Code.TOO_SOON, f"{gone:.1f} s of {limits.interval_s:g} s"
    if s.tokens >= s.per_hour:
        return Code.NO_TOKENS, f"{s.tokens} of {s.per_hour} in an hour"
    return PASSED, f"{s.tokens} of {s.per_hour} in an hour"


def _deadband(s: Situation) -> Result:
    """7: more than what does not matter."""
    limits = s.policy.limits[s.request.tag]
    step = abs(s.request.value - s.readings[limits.tag].value)
    if step < limits.deadband and not s.back:
        return Code.DEADBAND, f"{step:g} of {limits.deadband:g}"
    return PASSED, f"{step:g}"


def _clock_flaw(s: Situation) -> str:
    """Say why the clock is not to be gone by; empty when it is."""
    if s.now.boot != s.anchor.boot:
        return "another start of the machine"
    if s.now.wall < s.earliest:
        return f"{(s.earliest - s.now.wall) / NS:.0f} s behind what is past for certain"
    slip = (s.now.wall - s.anchor.wall) / NS - (s.now.mono - s.anchor.mono)
    return f"stepped by {slip:.1f} s" if abs(slip) > s.policy.clock_s else ""


def _fresh(s: Situation) -> Result:
    """8: what it rests on is good and fresh, and the clocks can be believed."""
    policy, limits = s.policy, s.policy.limits[s.request.tag]
    why = _clock_flaw(s)
    if why:
        return Code.CLOCK, why
    if not s.request.based_on and not s.person and not s.back:
        return Code.STALE, "rests on nothing"
    waited = s.now.mono - s.received.mono
    for basis in s.request.based_on:
        reading = s.readings.get(basis.tag)
        why = flaw(reading, limits.fresh_s, s.now)
        if reading is None or why:
            return Code.STALE, f"{basis.tag} {why}"
        if basis.status >= Status.UNCERTAIN:
            return Code.STALE, f"{basis.tag} bad quality"
        if abs(reading.at - s.now.wall) / NS > policy.clock_s + limits.fresh_s:
            return Code.CLOCK, f"{basis.tag} {(reading.at - s.now.wall) / NS:.1f} s off"
        # The source's own clock on both sides: ours has no say in it.
        age = (reading.at - basis.at) / NS - waited
        if age > limits.fresh_s:
            return Code.STALE, f"{basis.tag} {age:.1f} s old"
        if age < -limits.fresh_s - waited:
            return Code.CLOCK, f"{basis.tag} is from the future"
    return PASSED, f"{len(s.request.based_on)} tags"


def unmet(condition: Condition, s: Situation, fresh_s: float) -> str:
    """Say what keeps a condition from holding; empty when it holds."""
    missed = []
    for part in condition:
        why = ""
        for term in part:
            reading = s.readings.get(term.tag)
            why = flaw(reading, fresh_s, s.now)
            if reading is not None and not why and not term.holds(reading.value):
                why = f"{reading.value:g}, not {term.sign} {term.number:g}"
            if why:
                why = f"{term.tag} {why}"
                break
        if not why:
            return ""
        missed.append(why)
    return "; ".join(missed)


def _interlock(s: Situation) -> Result:
    """9: the interlocks, by what their tags say now."""
    limits = s.policy.limits[s.request.tag]
    why = unmet(limits.interlock, s, limits.fresh_s)
    return (Code.INTERLOCK, why) if why else (PASSED, "holds")


def _yields(s: Situation) -> Result:
    """10: no alarm, the right mode, and no hand of an operator on it."""
    limits = s.policy.limits[s.request.tag]
    for tag in limits.alarms:
        reading = s.readings.get(tag)
        why = flaw(reading, limits.fresh_s, s.now)
        if reading is None or why or reading.value != 0.0:
            return Code.ALARM, f"{tag} {why or 'stands'}"
    why = unmet(limits.requires, s, limits.fresh_s)
    if why:
        return Code.WRONG_MODE, why
    if s.past.operator is not None and not s.back:
        gone = s.now.since(s.past.operator)
        if gone < limits.operator_min * MINUTE_S:
            return Code.OPERATOR, f"changed by hand {gone:.0f} s ago"
    return PASSED, ""


def _alone(s: Situation) -> Result:
    """11: the value is still the one that the guard knows: compare and set."""
    limits = s.policy.limits[s.request.tag]
    if s.past.locked:
        return Code.LOCKED, s.past.locked
    live = s.readings[limits.tag].value
    if s.past.known is not None and abs(live - s.past.known) > limits.tolerance:
        return Code.SECOND_WRITER, f"{live:g}, was {s.past.known:g}"
    return PASSED, f"{live:g}"


def _model(s: Situation) -> Result:
    """12: the model knows where it is, and this version of it is approved."""
    if s.person or s.back:
        return PASSED, "a person" if s.person else "on the way back"
    model = f"{s.request.model}@{s.request.version}"
    if model not in s.models:
        return Code.MODEL, f"{model} is not approved"
    if not s.request.healthy:
        return Code.MODEL, f"{model} says it is not sure"
    return PASSED, model


def _approval(s: Situation) -> Result:
    """13: void after its time; how far it may go is `granted`."""
    if s.now.wall > s.request.not_after:
        return Code.EXPIRED, f"{(s.now.wall - s.request.not_after) / NS:.1f} s ago"
    return PASSED, f"{s.approvals} approved, {granted(s)}"


CHECKS: tuple[Callable[[Situation], Result], ...] = (
    _enabled, _proposer, _allowed, _limits, _rate, _pace, _deadband, _fresh, _interlock, _yields,
    _alone, _model, _approval,
)  # fmt: skip
