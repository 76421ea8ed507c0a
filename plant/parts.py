"""Parts: what one cycle of a machine made, and what was said of it."""

from dataclasses import dataclass
from enum import StrEnum

from plant.units import written

TOLD = 2
"""Deviations named in the sentence; the rest stand in the data."""
WORTH = 0.2
"""A smaller share of the score is not named beside the first."""


class PartVerdict(StrEnum):
    """What is said of a part when its cycle ends."""

    GOOD = "good"
    SUSPECT = "suspect"
    """It was not made as healthy parts are."""
    CANNOT_JUDGE = "cannot judge"
    """Something that is needed was not there; never shown as good."""
    LEARNING = "learning"
    """Too few parts were seen to know how one is made."""


class PartLabel(StrEnum):
    """What a part turned out to be, as a person or a quality station says."""

    GOOD = "good"
    DEFECT = "defect"


class Measure(StrEnum):
    """What is taken of a signal over one cycle; times are shares of the cycle."""

    DURATION = "duration"
    """Of the cycle itself, s; belongs to no signal."""
    MEAN = "mean"
    LEAST = "least"
    GREATEST = "greatest"
    SPREAD = "spread"
    """Standard deviation within the cycle."""
    FIRST_QUARTER = "first quarter"
    SECOND_QUARTER = "second quarter"
    THIRD_QUARTER = "third quarter"
    LAST_QUARTER = "last quarter"


_WORDS = {
    Measure.MEAN: "averaged {}",
    Measure.LEAST: "fell to {}",
    Measure.GREATEST: "peaked at {}",
    Measure.SPREAD: "varied by {}",
    Measure.FIRST_QUARTER: "was {} in the first quarter",
    Measure.SECOND_QUARTER: "was {} in the second quarter",
    Measure.THIRD_QUARTER: "was {} in the third quarter",
    Measure.LAST_QUARTER: "was {} in the last quarter",
}


@dataclass(frozen=True, slots=True)
class Deviation:
    """What was unusual about a part.

    Parameters
    ----------
    signal
        Tag name; empty for the duration of the cycle.
    measure
        What of it.
    actual, expected
        What it was and what a healthy part would show, engineering unit.
    low, high
        What is usual, engineering unit.
    unit
        UCUM code.
    share
        Part of the score, 0 to 1; the shares of a part sum to at most 1.
    given
        It is usual in itself; `expected`, `low` and `high` follow from the rest of the part.
    """

    signal: str
    measure: Measure
    actual: float
    expected: float
    low: float
    high: float
    unit: str
    share: float
    given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part and its verdict.

    Parameters
    ----------
    id
        Number of the cycle within this gateway, from 1.
    asset
        Path of the machine that made it.
    number
        Number or name of the part, as its tag says; without one that of the cycle.
    start, stop
        Source times of the cycle, ns.
    mode
        Operating mode in which it was made.
    verdict
        What is said of it.
    why
        Why it cannot be judged, in words; empty where it can.
    score, limit
        Of its strangeness; NaN where there is none.
    deviations
        What is unusual, most first; empty for a good part.
    learnt
        Healthy parts of this mode that were known before it.
    provisional
        Fewer healthy parts are known than the limit speaks of: it follows from the tail seen.
    like
        It resembles the part of that number, which people called a defect; empty: none.
    replayed
        It was made in the past: in a history or a recording that was read.
    label, actor, note, labelled
        What it turned out to be, who says so, why, and when (ns of the gateway's clock).
    """

    id: int
    asset: str
    number: str
    start: int
    stop: int
    mode: int
    verdict: PartVerdict
    why: str = ""
    score: float | None = None
    limit: float | None = None
    deviations: tuple[Deviation, ...] = ()
    learnt: int = 0
    provisional: bool = False
    like: str = ""
    replayed: bool = False
    label: PartLabel | None = None
    actor: str = ""
    note: str = ""
    labelled: int = 0


def _phrase(one: Deviation) -> str:
    unit = written(one.unit)
    actual = f"{one.actual:.4g} {unit}".rstrip()
    word = "the rest of it lets expect" if one.given else "usually"
    usual = f"{word} {one.low:.4g} to {one.high:.4g}"
    if one.measure is Measure.DURATION:
        return f"took {actual}, {usual}"
    name = one.signal.rpartition("/")[2].replace("_", " ")
    return f"{name} {_WORDS[one.measure].format(actual)}, {usual}"


def part_sentence(part: Part) -> str:
    """Render a verdict for a technician.

    Examples
    --------
    >>> peak = Deviation("s/a/l/press-1/clamp_pressure", Measure.GREATEST, 81.2, 93.5, 92.0, 95.1,
    ...                  "bar", 0.9)
    >>> part_sentence(Part(id=1, asset="s/a/l/press-1", number="10432", start=0, stop=1, mode=0,
    ...                    verdict=PartVerdict.SUSPECT, deviations=(peak,)))
    'part 10432: clamp pressure peaked at 81.2 bar, usually 92 to 95.1'
    """
    head = f"part {part.number}: "
    if part.verdict is PartVerdict.SUSPECT:
        first, rest = part.deviations[:1], part.deviations[1:TOLD]
        told = first + tuple(one for one in rest if one.share >= WORTH)
        like = f"; like part {part.like}, a defect" if part.like else ""
        return head + "; ".join(map(_phrase, told)) + like
    return head + (f"{part.verdict}: {part.why}" if part.why else str(part.verdict))
