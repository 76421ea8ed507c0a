"""How many alarms a week, and how sure that is after so short a time."""

import math

WEEK_S = 7 * 86_400.0
_DOUBT = 0.05
_FEW = 1000
"""Up to so many events the limit is exact; beyond, Byar's approximation is as good and quick."""


def a_week(alarms: int, seconds: float) -> float:
    """Give alarms a week at the rate that was seen.

    Examples
    --------
    >>> a_week(2, 3.5 * 86_400)
    4.0
    """
    return alarms * WEEK_S / seconds


def a_week_at_most(alarms: int, seconds: float) -> float:
    """Give the rate a week that is not exceeded with 95 % certainty, were alarms to come by chance.

    Upper end of the exact interval of a Poisson rate (Garwood 1936, Biometrika 28): no alarm in a
    time proves no more than about three in that time.

    Examples
    --------
    >>> round(a_week_at_most(0, WEEK_S), 3), round(a_week_at_most(3, WEEK_S), 3)
    (2.996, 7.754)
    """
    if alarms > _FEW:
        n = alarms + 1
        return a_week(1, seconds) * n * (1 - 1 / (9 * n) + 1.6449 / (3 * math.sqrt(n))) ** 3
    low, high = float(alarms), alarms + 10 + 10 * math.sqrt(alarms + 1)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(alarms, middle) > _DOUBT else (low, middle)
    return a_week(1, seconds) * high


def _at_most(events: int, mean: float) -> float:
    """Give the chance of so many events or fewer when `mean` are expected."""
    terms = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(events + 1))
    return sum(math.exp(term) for term in terms)
