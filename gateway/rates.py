"""False alarms of each asset against the budget: counted now and then from the journal.

What the report counts for the whole plant (see `gateway.performance`) is counted here for each
asset over the last four weeks, so that a board can show it beside the budget.
"""

from collections import Counter
from dataclasses import dataclass

from gateway.alarms import alarm_from
from gateway.journal import JSON, EventRecord, Journal
from gateway.performance import Course, poisson
from plant.alarms import WEEK_NS, Label

EVERY_S = 3600.0
"""Counted and told so often, s: it reads from the journal."""
SPAN_NS = 4 * WEEK_NS
STEPS = 200
"""Looks at the scores of an asset; how long it was judged is known to half a percent of all."""
LEAST_STEP_NS = 10 * 10**9


@dataclass(frozen=True, slots=True)
class Rate:
    """How the alarms of one asset did.

    Parameters
    ----------
    alarms
        Incidents that people were told of and nobody has called real.
    weeks
        Time for which the asset was judged, weeks; above 0.
    """

    alarms: int
    weeks: float

    def event(self, asset: str, at: int, budget: float) -> EventRecord:
        """Write it down, with the 95 % interval of a Poisson mean; `at` in ns."""
        rate, low, high = (bound / self.weeks for bound in poisson(self.alarms))
        body: dict[str, JSON] = {
            "asset": asset,
            "budget": budget,
            "not_real": self.alarms,
            "judged_weeks": round(self.weeks, 5),
            "realised": round(rate, 4),
            "realised_low": round(low, 4),
            "realised_high": round(high, 4),
        }
        return EventRecord("rate", at, body)


def read_rates(journal: Journal, now: int) -> dict[str, Rate]:
    """Count over the four weeks of source time before `now`, ns; assets never judged are left out.

    Blocks while it reads.
    """
    span = journal.score_span()
    if span is None:
        return {}
    start, stop = max(now - SPAN_NS, span[0]), span[1] + 1
    if start >= stop:
        return {}
    course = Course()
    for event in journal.events("alarm")[0]:
        course.take(alarm_from(event.body))
    told = {alarm.id for at, alarm in course.told if start <= at < stop}
    last = (course.last[number] for number in told)
    false = Counter(
        one.asset for one in last if one.feedback is None or one.feedback.label is not Label.REAL
    )
    step = max(LEAST_STEP_NS, (stop - start) // STEPS)
    judged = journal.judged(start, stop, step)
    weeks = {asset: min(n * step, stop - start) / WEEK_NS for asset, (n, _) in judged.items()}
    return {asset: Rate(false[asset], span) for asset, span in weeks.items() if span > 0}
