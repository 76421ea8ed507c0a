"""Why an alarm stands: kept as data, rendered as a sentence only when it is shown."""

from dataclasses import dataclass
from enum import StrEnum

from plant.units import written

RATIO_HIGH = 1.5
RATIO_LOW = 1 / RATIO_HIGH
TOLD = 2
"""Contributors named in the sentence; the rest stand in the data."""
SMALL = 0.1
"""A smaller share is told only of a signal that has left its band or moves."""


class Trend(StrEnum):
    """Direction of a signal over the minutes before the alarm."""

    RISING = "rising"
    FALLING = "falling"
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one signal adds to an anomaly score.

    Parameters
    ----------
    signal
        Tag name.
    share
        Part of the score, 0 to 1; the shares of a reason sum to at most 1.
    actual, expected
        Value seen and value that a healthy machine would show, engineering unit.
    low, high
        Band that was normal for this operating mode, engineering unit.
    unit
        UCUM code.
    since
        Source time from which on the signal has been away from its normal, ns.
    trend
        Where it is going.
    """

    signal: str
    share: float
    actual: float
    expected: float
    low: float
    high: float
    unit: str
    since: int
    trend: Trend


@dataclass(frozen=True, slots=True)
class Precedent:
    """An earlier incident of the same asset that looked alike.

    Parameters
    ----------
    id
        Its number.
    similarity
        Cosine of the two fingerprints, at most 1.
    at
        Source time at which it was raised, ns.
    label
        What a person called it: real, false or expected; empty when nobody did.
    note, actor
        How it was resolved, and who said so.
    """

    id: int
    similarity: float
    at: int
    label: str
    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Score, limit and contributors (largest share first) of an anomaly alarm.

    `precedents` are the earlier incidents most alike, the nearest first. `alone` says that of
    several signals only one deviates, as a sensor that drifts does.
    """

    score: float
    threshold: float
    contributions: tuple[Contribution, ...]
    precedents: tuple[Precedent, ...] = ()
    alone: bool = False

    @property
    def severity(self) -> float:
        """Score over limit; above 1 is beyond it."""
        return self.score / self.threshold if self.threshold > 0 else 0.0


def _phrase(part: Contribution) -> str:
    name = part.signal.rpartition("/")[2].replace("_", " ")
    outside = not part.low <= part.actual <= part.high
    if outside and part.expected * part.actual > 0:
        ratio = part.actual / part.expected
        if ratio >= RATIO_HIGH or ratio <= RATIO_LOW:
            return f"{name} {ratio:.2g}× its normal"
    if part.trend is not Trend.STEADY:
        return f"{name} {part.trend}"
    actual, expected = (
        f"{value:.4g} {written(part.unit)}".rstrip() for value in (part.actual, part.expected)
    )
    return f"{name} {actual}, expected {expected}"


def _worth_telling(part: Contribution) -> bool:
    within = part.low <= part.actual <= part.high
    return part.share >= SMALL or not within or part.trend is not Trend.STEADY


def sentence(asset: str, reason: Reason) -> str:
    """Render the reason for a technician.

    Examples
    --------
    >>> vibration = Contribution("s/a/l/pump-2/vibration", 0.71, 7.13, 2.3, 1.9, 2.7, "mm/s", 0,
    ...                          Trend.RISING)
    >>> bearing = Contribution("s/a/l/pump-2/bearing_temperature", 0.18, 64.0, 60.0, 58.0, 62.0,
    ...                        "Cel", 0, Trend.RISING)
    >>> sentence("s/a/l/pump-2", Reason(9.0, 3.0, (vibration, bearing)))
    'pump-2: vibration 3.1× its normal, bearing temperature rising; 71 % / 18 %'
    """
    first, rest = reason.contributions[:1], reason.contributions[1:TOLD]
    told = first + tuple(part for part in rest if _worth_telling(part))
    phrases = ", ".join(_phrase(part) for part in told)
    shares = " / ".join(f"{part.share:.0%}".replace("%", " %") for part in told)
    alone = "; no other signal shows it: check the sensor, too" if reason.alone else ""
    return f"{asset.rpartition('/')[2]}: {phrases}; {shares}{alone}"
