"""Where a deviation stops being chance: from an alarm budget, and from how much was learnt.

A smoothed Gaussian signal crosses t standard deviations upwards ν·exp(−t²/2) times a row (Rice
1944). With p signals in three channels the limit that is crossed by chance once in the budget is
t = √(2·ln N), N the crossings of the mean in that time. A scale that was estimated from few
independent rows is itself uncertain: the limit is the wider the fewer there are, as Student's.
"""

from math import log, pi, sqrt

WEEK_S = 7 * 24 * 3600.0
CHANNELS = 3
CROSSES = 2 * pi * 10
"""Rows a crossing of the mean, of signals smoothed over about ten rows."""
LEAST = 3.0
"""No limit below this many deviations, however large the budget and slow the rows."""
POOLS = 2.9
"""Rows of an exponential mean, in half-lives, that are worth one independent row: 2/ln 2."""
UNSURE = 2.8
"""Widening of a limit that rests on one independent row."""
GUESSED = 1.6
"""The same of a distance (`channels.distances`), whose inner relations are guessed as well: by how
much it comes out too long with 3 to 40 signals, simulated."""


def limit_of(signals: int, budget: float, row_s: float) -> float:
    """Give the deviations, in standard deviations, that chance reaches `budget` times a week.

    Parameters
    ----------
    signals
        Number of signals of the asset.
    budget
        False alarms an asset-week that the plant accepts, > 0.
    row_s
        Seconds a row.

    Examples
    --------
    >>> round(limit_of(8, 1.0, 1.0), 2), round(limit_of(200, 1.0, 1.0), 2)
    (4.97, 5.58)
    """
    crossings = CHANNELS * signals * WEEK_S / row_s / CROSSES
    return max(LEAST, sqrt(2 * log(max(crossings / budget, 1.0))))


def pool_limit(signals: int, limit: float) -> float:
    """Give the root mean square of so many independent deviations that is as rare as one `limit`.

    Of p squares, P(sum > p + 2√(px) + 2x) ≤ exp(-x) (Laurent and Massart 2000); of one deviation
    the same chance is at x = limit²/2.

    Examples
    --------
    >>> [round(pool_limit(signals, 5.0), 2) for signals in (2, 8, 200)]
    [4.3, 2.57, 1.27]
    """
    x = limit**2 / 2 / signals
    return sqrt(1 + 2 * sqrt(x) + 2 * x)


def unsure(half_life: float, rows: float, visits: float = 1.0) -> float:
    """Give one over the number of independent looks at a mean in so many rows, see `widened`."""
    each = POOLS * half_life / max(rows, 1.0)
    return max(each, 1 / visits) if visits > 1 else each


def widened(half_life: float, rows: float, visits: float = 1.0) -> float:
    """Give the factor by which a limit is wider after so many healthy rows.

    Parameters
    ----------
    half_life
        Of the mean that is held against the limit, rows.
    rows
        Healthy rows learnt.
    visits
        Times that the mode was entered meanwhile. Each entry finds its own level, so of a mode
        that comes in visits every visit is one independent look, however long it lasts.

    Examples
    --------
    >>> round(widened(20.0, 400.0), 2), round(widened(20.0, 1e9), 2), widened(20.0, 1e9, 8.0)
    (1.41, 1.0, 1.35)
    """
    return 1 + UNSURE * unsure(half_life, rows, visits)


def lengthened(half_life: float, rows: float) -> float:
    """Give the factor by which a distance of all signals is longer after so many healthy rows.

    Examples
    --------
    >>> round(lengthened(20.0, 400.0), 2), round(lengthened(7.0, 1500.0), 2)
    (1.23, 1.02)
    """
    return 1 + GUESSED * unsure(half_life, rows)
