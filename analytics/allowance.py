"""What an alarm budget still allows of one asset, as it is spent and comes back.

The threshold of a watch is told from the hours that it learnt, and a few hours do not prove a rate
of one a week. What the weeks after them really bring is held against the budget here: each alarm
that people were asked about raises, for some days, what the next one has to reach. It is the
thought of adaptive conformal inference (Gibbs and Candès, NeurIPS 2021: the level follows the
errors that were made), with an alarm that nobody called real as the error.
"""

from math import ceil, log

from analytics.feedback import MARGIN
from plant.alarms import WEEK_NS

OVERDRAWN = 0.5
"""Alarms by which the budget is overdrawn at most: after a noisy day, too, the bar is down again in
a week and a half, and it never lies higher than 1.5 times itself and half of that, 1.84 limits."""


class Allowance:
    """Alarms that one asset may ask for.

    Parameters
    ----------
    budget
        Alarms a week that come back, and one at most is saved up.
    left
        What is left of them.
    at
        Source time at which it was so, ns.

    Examples
    --------
    >>> allowance = Allowance(budget=1.0)
    >>> allowance.bar(0)
    1.0
    >>> allowance.spend(0)
    >>> allowance.bar(0), allowance.bar(WEEK_NS)
    (1.5, 1.0)
    """

    def __init__(self, budget: float, left: float = 1.0, at: int = 0) -> None:
        self._budget, self.left, self.at = budget, left, at

    def bar(self, at: int) -> float:
        """Give the severity, in limits, that an alarm has to reach at source time `at`, ns."""
        self._come_to(at)
        needed: float = MARGIN ** (1 - self.left)
        return needed

    def spend(self, at: int) -> None:
        """Take note that people were asked at source time `at`, ns."""
        self._come_to(at)
        self.left = max(self.left - 1, -OVERDRAWN)

    def due(self, severity: float, at: int) -> int:
        """Give the source time, ns, from which on an alarm so severe is told if it still stands."""
        missing = 1 - log(max(severity, 1.0)) / log(MARGIN) - self.left
        return at + ceil(max(missing, 0.0) / self._budget * WEEK_NS)

    def renew(self) -> None:
        """Give all of it back: an alarm was called real, or the machine was worked on."""
        self.left = 1.0

    def _come_to(self, at: int) -> None:
        if at > self.at:
            self.left = min(self.left + self._budget * (at - self.at) / WEEK_NS, 1.0)
            self.at = at
