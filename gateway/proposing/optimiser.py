"""Proposes small steps towards an aim, by a response that was learnt from the history.

It steps only where the response was learnt, only as far as it may, and only where the change that
it expects stands out from what it does not know.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analytics.response import Response, write_response
from gateway.config.plan import OptimiserPlan
from gateway.proposing.asker import Asker, signal_of, version_of
from gateway.proposing.contract import Look, Outcome, Wish, fitting, is_number, request_of
from plant.setpoints import Request
from plant.tags import Tag
from plant.units import written

AGAIN_S = 3600.0
"""What people, or the limits, have said no to is asked for again so much later, s."""
STRANGE = 4.0
"""Standard deviations of the noise by which the effect may be off what is foretold."""


class Optimiser(Asker):
    """A `contract.Proposer` with a learnt response.

    Parameters
    ----------
    plan
        What it is to reach, and how far it may step.
    tag
        Its setpoint.
    response
        How the effect answers.
    """

    def __init__(self, plan: OptimiserPlan, tag: Tag, response: Response) -> None:
        super().__init__(plan, tag, version_of(plan, write_response(response)))
        self.plan, self.response = plan, response
        self._turned_down: tuple[float, float, float | None] | None = None
        self._asked = (math.nan, math.nan, 0.0)

    def reads(self) -> Sequence[str]:
        """Give the inputs of the response, and its effect."""
        return tuple(dict.fromkeys((self.tag, *self.response.inputs, self.response.effect)))

    def _propose(self, look: Look) -> Request | None:
        """Ask for the best step from here, if one is worth it."""
        if self._recalled:
            # Nobody knows for how long the gateway was away: the pause begins anew.
            self._recalled, self._next = False, look.mono + self.plan.pause_s
        if look.mono < self._next:
            left = self._next - look.mono
            return self._nothing(f"asks again in {left:.0f} s: the plant has to answer first")
        flaw = next((why for tag in self.reads() if (why := look.flaw(tag, self.plan.fresh_s))), "")
        if flaw:
            return self._nothing(flaw)
        values = {tag: look.of(tag).value for tag in self.response.inputs}
        effect = look.of(self.response.effect).value
        strange = self._strange(values, effect)
        if strange:
            return self._nothing(strange)
        return self._step(look, values, effect)

    def _step(self, look: Look, values: Mapping[str, float], effect: float) -> Request | None:
        live = values[self.tag]
        # What is foretold here is off by this much now; it is so a step further as well.
        off = effect - self.response.expected(values)
        target = (self.plan.target or 0.0) - off
        aim = self.plan.aim
        if aim == "hold" and abs(effect - (self.plan.target or 0.0)) <= self.response.noise:
            return self._nothing(f"{self._effect(effect)} is at its target, within the noise")
        wanted = self.response.best(values, self.tag, self._reach(live), aim, target)
        value = fitting(self._setpoint, wanted)
        after = {**values, self.tag: value}
        change, half = self.response.change(values, after)
        gain = self._gain(effect, change)
        step = f"{signal_of(self.tag)} {live:g} → {value:g} {written(self._setpoint.unit)}".rstrip()
        foretold = self._foretold(change, half)
        if value == live or gain <= half:
            return self._nothing(f"no step is worth it: {step} would give {foretold}")
        outside = self.response.outside(after)
        if outside or abs(value - live) > self.plan.max_step * (1 + 1e-9):
            return self._nothing(outside or f"{step} is more than a step")
        if self._refused(live, value, look.mono):
            return self._nothing(f"was told no: {step}")
        self._next = look.mono + self.plan.pause_s
        self._asked = (live, value, look.mono)
        wish = Wish(
            value=value,
            reason=f"{self._aim()}: {step}, expected {foretold}",
            effect=f"{foretold} of {signal_of(self.response.effect)}, now {self._effect(effect)}",
            rests_on=self.reads(),
        )
        return request_of(self, look, self._setpoint.unit, wish, self.plan.valid_s)

    def _reach(self, live: float) -> tuple[float, float]:
        """Give the values within one step that the device can count and that were seen."""
        low, high = self.response.seen[self.tag]
        grain = abs(self._setpoint.scale) if self._setpoint.scale != 1.0 else 0.0
        step = max(self.plan.max_step - grain / 2, 0.0)
        return max(low, live - step), min(high, live + step)

    def _strange(self, values: Mapping[str, float], effect: float) -> str:
        """Say why the response does not fit the present; empty when it does."""
        outside = self.response.outside(values)
        if outside:
            return outside
        off = effect - self.response.expected(values)
        if abs(off) > STRANGE * self.response.noise:
            said = self._effect(self.response.expected(values))
            return f"{signal_of(self.response.effect)} is {effect:.4g}, where {said} is foretold"
        return ""

    def _gain(self, effect: float, change: float) -> float:
        if self.plan.aim == "hold":
            target = self.plan.target or 0.0
            return abs(effect - target) - abs(effect + change - target)
        return -change if self.plan.aim == "minimise" else change

    def _refused(self, live: float, value: float, mono: float) -> bool:
        """Tell whether this step from here was turned down a short while ago."""
        if self._turned_down is None:
            return False
        was, asked, since = self._turned_down
        at = mono if since is None else since
        self._turned_down = was, asked, at
        near = 1e-6 * max(abs(live), abs(value), 1.0)
        alike = abs(was - live) <= near and abs(asked - value) <= near
        return alike and mono - at < AGAIN_S

    def heard(self, outcome: Outcome) -> None:
        """Take in what became of the last request."""
        self._open = None
        if not outcome.passing:
            # Of what was written the value is another one by now: that is another step.
            self._turned_down = self._asked

    def memory(self) -> dict[str, Any]:
        """Give the step that was decided upon last."""
        return {"turned_down": None if self._turned_down is None else self._turned_down[:2]}

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Take it up again."""
        step = kept.get("turned_down")
        if isinstance(step, list) and len(step) == 2 and all(map(is_number, step)):
            self._turned_down = float(step[0]), float(step[1]), None
            self._recalled = True

    def _foretold(self, change: float, half: float) -> str:
        unit = written(self.response.units.get(self.response.effect, ""))
        return f"{change:+.2g} ± {half:.2g} {unit}".rstrip().replace("-", "−")

    def _effect(self, value: float) -> str:
        unit = written(self.response.units.get(self.response.effect, ""))
        return f"{value:.4g} {unit}".rstrip()

    def _aim(self) -> str:
        at = "" if self.plan.target is None else f" at {self._effect(self.plan.target)}"
        return f"{self.plan.aim} {signal_of(self.response.effect)}{at}"
