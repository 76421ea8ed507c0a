"""From deviations to a `plant.reasons.Reason`: who, how far, since when, which way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plant.reasons import Contribution, Reason, Trend

Columns = NDArray[np.float64]

MOST = 5
"""Contributors kept in a reason."""
LEAST = 0.02
"""Smallest share that is told."""
TURNS = 0.5
"""Scales between the present and the recent past that make a trend."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known of one row of one asset, per signal (p,), in the signals' units.

    Parameters
    ----------
    parts
        Part of the score of each signal, ≥ 0.
    actual, past
        Smoothed value now and over the last minutes.
    expected, low, high
        What a healthy machine would show, and its band.
    scale
        Usual deviation.
    left
        Source time at which each signal left its normal, ns.
    """

    parts: Columns
    actual: Columns
    past: Columns
    expected: Columns
    low: Columns
    high: Columns
    scale: Columns
    left: NDArray[np.int64]


def explain(
    score: float,
    threshold: float,
    evidence: Evidence,
    signals: tuple[str, ...],
    units: tuple[str, ...],
) -> Reason:
    """Name the signals that make a score, largest share first."""
    whole = float(evidence.parts.sum())
    if whole <= 0:
        return Reason(score, threshold, ())
    shares = evidence.parts / whole
    order = np.argsort(-shares, kind="stable")[:MOST]
    told = [int(j) for j in order if shares[j] >= LEAST]
    return Reason(
        score,
        threshold,
        tuple(_contribution(evidence, float(shares[j]), j, signals[j], units[j]) for j in told),
        alone=len(shares) > 1 and len(told) == 1,
    )


def trend(now: float, past: float, scale: float) -> Trend:
    """Say which way a signal goes.

    Examples
    --------
    >>> trend(3.0, 1.0, 1.0).value, trend(3.0, 2.9, 1.0).value
    ('rising', 'steady')
    """
    if now - past > TURNS * scale:
        return Trend.RISING
    if past - now > TURNS * scale:
        return Trend.FALLING
    return Trend.STEADY


def _contribution(evidence: Evidence, share: float, j: int, signal: str, unit: str) -> Contribution:
    return Contribution(
        signal=signal,
        share=share,
        actual=float(evidence.actual[j]),
        expected=float(evidence.expected[j]),
        low=float(evidence.low[j]),
        high=float(evidence.high[j]),
        unit=unit,
        since=int(evidence.left[j]),
        trend=trend(float(evidence.actual[j]), float(evidence.past[j]), float(evidence.scale[j])),
    )
