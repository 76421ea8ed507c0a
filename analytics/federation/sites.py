"""Sites of which the mean lies far outside of the others': dropped, and named."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.federation.statistics import Statistics

Columns = NDArray[np.float64]

FAR = 6.0
"""How far a site may lie from the middle of the others, in half their range and a usual spread."""
LEAST = 1e-3
"""Share of the span between the limits below which no distance between sites is far."""


@dataclass(frozen=True, slots=True)
class Outlying:
    """A site that was dropped: the place of the signal that is far off, and how far."""

    site: str
    signal: int
    distance: float


def without_outlying(
    sites: Mapping[str, Statistics], span: Columns
) -> tuple[dict[str, Statistics], list[Outlying]]:
    """Take away the sites that lie far outside, the furthest first, until none does.

    Machines of a class run at loads of their own, so that their means differ by more than their
    spreads; a wrong unit, scaling or sensor lies beyond the range in which the others lie.

    Parameters
    ----------
    sites
        Statistics of one mode by site.
    span
        Between the agreed limits (p,).
    """
    left, dropped = dict(sites), []
    while len(left) > 2:
        far = {name: _distance(name, left, span) for name in sorted(left)}
        name, (signal, distance) = max(far.items(), key=lambda each: each[1][1])
        if distance <= FAR:
            break
        del left[name]
        dropped.append(Outlying(name, signal, distance))
    return left, dropped


def _distance(name: str, sites: Mapping[str, Statistics], span: Columns) -> tuple[int, float]:
    others = [known for site, known in sites.items() if site != name]
    means = np.stack([known.mean for known in others])
    low, high = means.min(axis=0), means.max(axis=0)
    spread = np.median([known.spread for known in others], axis=0)
    usual = np.maximum((high - low) / 2 + spread, LEAST * span)
    away = np.abs(sites[name].mean - (low + high) / 2) / usual
    return int(away.argmax()), float(away.max())
