"""Sites of which the mean lies far outside of the others': dropped, and named.

Machines of a class run at loads of their own, so that their means lie several spreads apart, and a
bound on each signal alone would drop an honest site. But a load moves all signals together: what
counts is how far a site's mean is from what the other sites' relations expect of it, given its
other signals (Hawkins 1991, as in `analytics.relations`). A wrong unit, scaling or sensor is far.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.covariance import LEAST_SHRINKAGE as SHRINKAGE
from analytics.federation.consolidated import fitted
from analytics.federation.statistics import Statistics, merge
from analytics.federation.terms import Terms

FAR = 5.0
"""Standard deviations of the others' rows. Honest sites with three ranges of load that overlap a
little lie at 1.1 at most (`python -m bench.federation`)."""


@dataclass(frozen=True, slots=True)
class Outlying:
    """A site that was dropped: the place of the signal that is far off, and how far."""

    site: str
    signal: int
    distance: float


def without_outlying(
    sites: Mapping[str, Statistics], terms: Terms
) -> tuple[dict[str, Statistics], list[Outlying]]:
    """Take away the sites that lie far outside, the furthest first, until none does.

    Of two nothing can be said: each lies outside of the other.

    Parameters
    ----------
    sites
        Statistics of one mode by site.
    """
    left, dropped = dict(sites), []
    while len(left) > 2:
        far = {name: distance_of(name, left, terms) for name in sorted(left)}
        name, (signal, distance) = max(far.items(), key=lambda each: each[1][1])
        if distance <= FAR:
            break
        del left[name]
        dropped.append(Outlying(name, signal, distance))
    return left, dropped


def distance_of(name: str, sites: Mapping[str, Statistics], terms: Terms) -> tuple[int, float]:
    """Give the signal of a site that is furthest from what the others expect, and how far it is."""
    rest = merge([known for site, known in sites.items() if site != name])
    others = fitted(rest, terms, SHRINKAGE)
    inverse = np.linalg.inv(others.state()["correlation"])
    away = (sites[name].mean - others.centre) / others.scale
    alone = np.abs(inverse @ away) / np.sqrt(np.diag(inverse))
    return int(alone.argmax()), float(alone.max())
