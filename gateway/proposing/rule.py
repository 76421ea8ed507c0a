"""Proposes by a rule: "speed −5 % while bearing alarm P2 stands", and back when it has gone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateway.config.plan import RulePlan
from gateway.proposing.asker import Asker, signal_of, version_of
from gateway.proposing.contract import Look, Outcome, Standing, Wish, fitting, is_number, request_of
from plant.setpoints import Code, Request, State
from plant.tags import Tag
from plant.units import written

AGAIN_S = 60.0
"""What was turned down for a reason that may be gone is asked for again so much later, s."""
SAME = 1e-6
"""Relative: two values of a setpoint that are one, read from a device of 32 bits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a rule applies now; None: nobody can say. `episode` tells one time from the next."""

    holds: bool | None
    words: str
    episode: str = ""
    rests_on: tuple[str, ...] = ()


@dataclass(slots=True)
class _Episode:
    """One time that the rule applies, from its begin until it was led back.

    Parameters
    ----------
    name
        The alarm, or the moment of its begin.
    before
        The setpoint before the first request; where it is led back to.
    asked
        The value last asked for.
    done
        Nothing more is asked for while it lasts.
    """

    name: str = ""
    before: float | None = None
    asked: float | None = None
    done: bool = False

    def in_force(self, live: float) -> bool:
        """Tell whether the setpoint has the value that was asked for, whoever has set it."""
        return self.asked is not None and _same(live, self.asked)


class Rule(Asker):
    """A `contract.Proposer` with a rule.

    Parameters
    ----------
    plan
        The rule.
    tag
        Its setpoint.
    """

    def __init__(self, plan: RulePlan, tag: Tag) -> None:
        super().__init__(plan, tag, version_of(plan))
        self.plan = plan
        self._episode = _Episode()
        self._returns = False
        self._since: tuple[bool, float] | None = None

    def reads(self) -> Sequence[str]:
        """Give the tags of its condition, its culprit and its setpoint."""
        terms = [term.tag for part in self.plan.when for term in part]
        culprit = [self.plan.culprit] if self.plan.culprit else []
        return tuple(dict.fromkeys((self.tag, *terms, *culprit)))

    def _propose(self, look: Look) -> Request | None:
        """Ask once the rule has applied for long enough, or led back once it no longer does."""
        flaw = look.flaw(self.tag, self.plan.fresh_s)
        if flaw:
            return self._nothing(flaw)
        if self._recalled:
            # Nobody knows for how long the gateway was away: the wait begins anew.
            self._recalled, self._next = False, look.mono + (self.plan.repeat_s or AGAIN_S)
        found = self._looked(look)
        if found.holds is None:
            return self._nothing(found.words)
        lasting = self._lasting(found.holds, look.mono)
        if lasting < self.plan.for_s:
            said = "applies" if found.holds else "no longer applies"
            return self._nothing(f"{said} for {lasting:.0f} s of {self.plan.for_s:g} s")
        return self._begun(look, found) if found.holds else self._gone(look, found)

    def _begun(self, look: Look, found: Finding) -> Request | None:
        live, mono = look.of(self.tag).value, look.mono
        episode = self._episode
        if episode.name != found.episode:
            # Another alarm before the first was led back: the value before is still that one's.
            episode = _Episode(found.episode, episode.before if episode.in_force(live) else None)
            self._episode, self._next = episode, -math.inf
        if not self.plan.repeat_s and episode.in_force(live):
            # It was written, whether anybody heard of that or not.
            episode.done = True
        if episode.done:
            return self._nothing(f"has asked: {found.words}")
        if mono < self._next:
            return self._nothing(f"asks again in {self._next - mono:.0f} s: {found.words}")
        value = fitting(self._setpoint, self._target(live))
        if _same(value, live):
            return self._nothing(f"{signal_of(self.tag)} is {value:g} already: {found.words}")
        if episode.before is None:
            episode.before = live
        episode.asked = value
        self._next, self._returns = mono + (self.plan.repeat_s or AGAIN_S), False
        wish = Wish(
            value=value,
            reason=f"{found.words}: {self._change(live, value)}",
            effect=self.plan.effect or f"{found.words} no longer",
            rests_on=found.rests_on,
        )
        return request_of(self, look, self._setpoint.unit, wish, self.plan.valid_s)

    def _gone(self, look: Look, found: Finding) -> Request | None:
        episode, live, mono = self._episode, look.of(self.tag).value, look.mono
        if not self.plan.back or episode.before is None or not episode.in_force(live):
            self._episode = _Episode()
            return self._nothing(found.words)
        if mono < self._next:
            return self._nothing(f"asks to go back in {self._next - mono:.0f} s")
        self._next, self._returns = mono + AGAIN_S, True
        wish = Wish(
            value=episode.before,
            reason=f"{found.words}: {self._change(live, episode.before)}, as it was before",
            effect="as before",
            rests_on=found.rests_on,
        )
        return request_of(self, look, self._setpoint.unit, wish, self.plan.valid_s)

    def heard(self, outcome: Outcome) -> None:
        """Take in what became of the last request."""
        self._open = None
        episode = self._episode
        if outcome.passing:
            return
        if self._returns:
            self._episode = _Episode()
            return
        once = not self.plan.repeat_s
        refused = outcome.state is State.REJECTED and outcome.code != str(Code.DEADBAND)
        episode.done = once or refused

    def memory(self) -> dict[str, Any]:
        """Give the episode that lasts."""
        return asdict(self._episode)

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Take up the episode that lasted; what was on its way then is void by now."""
        before, asked, name = (kept.get(key) for key in ("before", "asked", "name"))
        if isinstance(name, str) and all(one is None or is_number(one) for one in (before, asked)):
            self._episode = _Episode(name, before, asked, kept.get("done") is True)
            self._recalled = self._episode.asked is not None

    def _looked(self, look: Look) -> Finding:
        """Tell whether the rule applies: its condition, and its alarm."""
        words: list[str] = []
        rests: list[str] = []
        episode = ""
        if self.plan.alarm:
            alarm = self._alarm(look)
            if alarm is None:
                return Finding(False, f"no such alarm of {signal_of(self.plan.alarm)} stands")
            culprits = [self.plan.culprit] if self.plan.culprit else list(alarm.culprits[:1])
            for tag in culprits:
                flaw = look.flaw(tag, self.plan.fresh_s)
                if flaw:
                    return Finding(None, flaw)
            rests += culprits
            by = f" by {signal_of(culprits[0])}" if culprits else ""
            words.append(
                f"alarm {alarm.id} P{alarm.priority} of {signal_of(alarm.asset)} stands{by}"
            )
            episode = f"alarm {alarm.id}"
        if self.plan.when:
            found = self._condition(look)
            if not found.holds:
                return found
            words.append(found.words)
            rests += found.rests_on
        return Finding(True, " and ".join(words), episode or "condition", tuple(rests))

    def _alarm(self, look: Look) -> Standing | None:
        for alarm in look.alarms:
            urgent = alarm.priority <= self.plan.priority
            named = not self.plan.culprit or self.plan.culprit in alarm.culprits
            if alarm.asset == self.plan.alarm and urgent and named:
                return alarm
        return None

    def _condition(self, look: Look) -> Finding:
        """Look at the condition; one flaw in what it takes, and nobody can say."""
        flaws, missed = [], []
        for part in self.plan.when:
            flaw = next(
                (why for term in part if (why := look.flaw(term.tag, self.plan.fresh_s))), ""
            )
            if flaw:
                flaws.append(flaw)
                continue
            failing = [term for term in part if not term.holds(look.of(term.tag).value)]
            if not failing:
                said = [
                    f"{signal_of(term.tag)} {look.of(term.tag).value:g} "
                    f"({term.sign} {term.number:g})" for term in part
                ]  # fmt: skip
                return Finding(True, " and ".join(said), "", tuple(term.tag for term in part))
            term = failing[0]
            value = look.of(term.tag).value
            missed.append(f"{signal_of(term.tag)} {value:g}, not {term.sign} {term.number:g}")
        if flaws:
            return Finding(None, flaws[0])
        return Finding(False, "; ".join(missed))

    def _lasting(self, holds: bool, mono: float) -> float:
        """Give for how long it has been as it is, s."""
        if self._since is None or self._since[0] is not holds:
            self._since = (holds, mono)
        return mono - self._since[1]

    def _target(self, live: float) -> float:
        plan = self.plan
        if plan.value is not None:
            return plan.value
        if plan.change is not None:
            return live + plan.change
        return live * (1 + (plan.change_percent or 0.0) / 100)

    def _change(self, live: float, value: float) -> str:
        unit = written(self._setpoint.unit)
        return f"{signal_of(self.tag)} {live:g} → {value:g} {unit}".rstrip()


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SAME, abs_tol=1e-12)
