"""When a model may take over by rule, and when one is taken back: clauses with value and demand.

False alarms are held against the plant's budget as a Poisson count (Garwood, Biometrika 28, 1936):
a day proves little of one alarm a week, and each clause says what its hours can prove.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analytics.limits import WEEK_S
from gateway.models.figures import BESIDE, IN_FORCE, Figures

MODE_ROWS = 300
"""Rows that a model must have judged in each mode the one in force has judged."""
CHANCE = 0.05
"""So unlikely, at the budget, is more than what is let pass."""
BREACH = 0.01
"""So unlikely, at the budget, is what takes a model back."""
LEAST_ALARMS = 2
"""One alarm says nothing of a rate."""
SHADOW_ALARMS, SHADOW_BREACH = 5, 1e-4
"""A model that acts on nothing is stopped only beyond any doubt."""
AGREES = 0.99
OVER_SHARE, OVER_TIMES = 0.01, 2.0
"""Share of rows above the limit that is let pass, and how many times that of the one in force."""
LEVELS = 8.0
"""How far the median score over limit may be from that of the one in force, either way."""
SLOWER, SLOW_US = 3.0, 200.0
"""Times the median of the one in force, and what is let pass in any case, µs a row."""
LATE, LATE_US = 6.0, 1000.0
"""The same beyond which a model that was promoted is taken back."""
LOOKED, FAR_SHARE, FAR_TIMES = 300, 0.05, 10.0
"""Rows from which on, and share of them (and times that of the shadow's time) that only the
promoted model calls anomalous, at which it is taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the plant wants of a change.

    Parameters
    ----------
    budget
        False alarms that an asset may give in a week.
    row_s
        Seconds a row.
    shadow_h
        Least hours beside the one in force before promotion by rule.
    probation_h
        Hours for which the model before judges on beside a promoted one.
    by_rule
        A model that meets every clause is promoted without a person.
    """

    budget: float = 1.0
    row_s: float = 1.0
    shadow_h: float = 24.0
    probation_h: float = 24.0
    by_rule: bool = False

    def hours(self, figures: Figures) -> float:
        """Give the hours of rows that both were given."""
        return figures.rows * self.row_s / 3600

    def expected(self, figures: Figures) -> float:
        """Give the number of false alarms that the budget allows on average in this time."""
        return self.budget * figures.rows * self.row_s / WEEK_S


@dataclass(frozen=True, slots=True)
class Clause:
    """One demand of the rule: what is, what is demanded, and whether it is met."""

    name: str
    value: str
    demand: str
    met: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """When something lasted that people called a fault, source times, ns."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Median CPU time a row of the one in force and of the one beside, µs; None: not measured."""

    in_force: float | None = None
    beside: float | None = None


def tail(count: int, mean: float) -> float:
    """Give the probability that a Poisson variable is at least `count`.

    Examples
    --------
    >>> round(tail(1, 1 / 7), 3), round(tail(2, 1 / 7), 3), tail(0, 1.0)
    (0.133, 0.009, 1.0)
    """
    if mean <= 0:
        return float(count == 0)
    below = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count))
    return max(0.0, 1.0 - below)


def allowed(mean: float) -> int:
    """Give the most alarms that are no more than chance at a mean.

    Examples
    --------
    >>> allowed(1 / 7), allowed(4.0)
    (1, 8)
    """
    count = 0
    while tail(count + 1, mean) > CHANCE:
        count += 1
    return count


def clauses(
    figures: Figures,
    terms: Terms,
    costs: Costs,
    *,
    alarmed: bool,
    faults: Sequence[Fault] = (),
    learnt: float = 1.0,
    person: str = "",
    mode_name: Callable[[int], str] = str,
) -> list[Clause]:
    """Hold a model that is tried beside the one in force against every demand."""
    return [
        *_learnt(learnt),
        _hours(figures, terms),
        *_modes(figures, mode_name),
        _alarms(figures, terms),
        _seen(figures),
        _confirmed(figures, faults),
        _agreement(figures),
        _over(figures),
        _level(figures),
        _latency(costs),
        Clause(
            "No alarm stands",
            "an alarm stands" if alarmed else "none stands",
            "none stands",
            not alarmed,
        ),
        Clause(
            "What it was trained for",
            person or "nothing that could be a fault",
            "what could be a fault a person decides",
            not person,
        ),
    ]


def _learnt(share: float) -> list[Clause]:
    """Say how far a model of a class is that learns this machine here; of others nothing."""
    demand = "all of it, before it judges a row"
    return [Clause("Learnt of this machine", f"{share:.0%}", demand, met=False)] * (share < 1)


def _hours(figures: Figures, terms: Terms) -> Clause:
    hours = terms.hours(figures)
    demand = f"{terms.shadow_h:g} h at least"
    return Clause("Time beside the one in force", f"{hours:.1f} h", demand, hours >= terms.shadow_h)


def _modes(figures: Figures, name: Callable[[int], str]) -> list[Clause]:
    found = [
        Clause(
            f"Rows judged in {name(mode)}",
            f"{counts[BESIDE]}",
            f"{MODE_ROWS} at least",
            counts[BESIDE] >= MODE_ROWS,
        )
        for mode, counts in sorted(figures.modes.items())
        if counts[IN_FORCE]
    ]
    nothing = Clause(
        "Rows judged in each mode", "the one in force has judged none", f"{MODE_ROWS} at least",
        met=False,
    )  # fmt: skip
    return found or [nothing]


def _alarms(figures: Figures, terms: Terms) -> Clause:
    own, mean = figures.own(BESIDE), terms.expected(figures)
    most = allowed(mean)
    hours = terms.hours(figures)
    # With no alarm at all in this time, more than this a week is ruled out at 95 %.
    least = f"{-math.log(CHANCE) * terms.budget / mean:.3g}" if mean > 0 else ""
    proves = f"; {hours:.3g} h without one prove {least} a week" if hours >= 1 else ""
    return Clause(
        "Alarms that only it would have raised",
        f"{own} of {int(figures.raised[BESIDE])}",
        f"{most} at most at {terms.budget:g} a week{proves}",
        own <= most,
    )


def _seen(figures: Figures) -> Clause:
    missed, raised = figures.own(IN_FORCE), int(figures.raised[IN_FORCE])
    return Clause(
        "Alarms of the one in force that it did not see",
        f"{missed} of {raised}",
        "none: whether they were false a person decides",
        missed == 0,
    )


def _confirmed(figures: Figures, faults: Sequence[Fault]) -> Clause:
    lasted = [one for one in faults if figures.rows and one.end > figures.begun]
    seen = sum(figures.saw(one.begin, one.end) for one in lasted)
    return Clause(
        "Faults that people confirmed and it saw",
        f"{seen} of {len(lasted)}" if lasted else "none was confirmed",
        "all of them",
        seen == len(lasted),
    )


def _agreement(figures: Figures) -> Clause:
    share = figures.agreement
    shown = "no row outside alarms was judged by both" if share is None else f"{share:.2%}"
    met = share is not None and share >= AGREES
    return Clause("Agreement outside alarms", shown, f"{AGREES:.0%} at least", met)


def _over(figures: Figures) -> Clause:
    most = max(OVER_SHARE, OVER_TIMES * figures.over(IN_FORCE))
    share = figures.over(BESIDE)
    return Clause(
        "Rows above its limit, outside alarms", f"{share:.2%}", f"{most:.2%} at most", share <= most
    )


def _level(figures: Figures) -> Clause:
    in_force, beside = figures.level(IN_FORCE), figures.level(BESIDE)
    name = "Median score over limit"
    if in_force is None or beside is None:
        return Clause(name, "nothing was judged", f"within {LEVELS:g} times", met=False)
    demand = f"within {LEVELS:g} times of {in_force:.2g}, either way"
    return Clause(name, f"{beside:.2g}", demand, 1 / LEVELS <= beside / in_force <= LEVELS)


def _latency(costs: Costs) -> Clause:
    name = "CPU time a row, median"
    if costs.in_force is None or costs.beside is None:
        return Clause(name, "not measured yet", f"{SLOWER:g} times the one in force", met=False)
    most = max(SLOW_US, SLOWER * costs.in_force)
    shown = f"{costs.beside:.0f} µs"
    return Clause(name, shown, f"{most:.0f} µs at most", costs.beside <= most)


def too_many(figures: Figures, terms: Terms, side: int) -> str:
    """Say that a model gives more alarms than the budget can explain; empty when it does not."""
    least, chance = (LEAST_ALARMS, BREACH) if side == IN_FORCE else (SHADOW_ALARMS, SHADOW_BREACH)
    own, mean = figures.own(side), terms.expected(figures)
    if own < least or tail(own, mean) >= chance:
        return ""
    return (
        f"alarm rate: {own} alarms in {terms.hours(figures):.2g} h that the other model did not "
        f"raise, where the budget allows {mean:.2g}"
    )


def strays(figures: Figures, shown: float) -> str:
    """Say that a promoted model calls far more rows anomalous than its shadow did; else empty.

    Parameters
    ----------
    figures
        Since it was promoted, beside the one before.
    shown
        Share of rows outside alarms that only it called anomalous as a shadow.
    """
    only, rows = figures.alone(IN_FORCE)
    most = max(FAR_SHARE, FAR_TIMES * shown)
    if rows < LOOKED or only <= most * rows:
        return ""
    return (
        f"score distribution: only it calls {only / rows:.1%} of {rows} rows anomalous, "
        f"{shown:.1%} as a shadow"
    )


def late(costs: Costs) -> str:
    """Say that a promoted model takes far longer than the one before it; empty when it does not."""
    if costs.in_force is None or costs.beside is None:
        return ""
    most = max(LATE_US, LATE * costs.beside)
    if costs.in_force <= most:
        return ""
    return f"latency: {costs.in_force:.0f} µs a row, more than {most:.0f}"
