"""What the guard may do, as the one signed file of limits says it; `limits` reads the file."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.guard.outlets import Way
from plant.setpoints import MODES, Mode
from plant.tags import TAG_NAME

GUARD = "guard"
"""What it calls itself in the audit; nobody else may bear the name."""
MOST_TERMS = 32
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class Fallback(StrEnum):
    """What is done about a setpoint that nobody renews."""

    HOLD_LAST = "hold_last"
    RAMP_TO_LAST_GOOD = "ramp_to_last_good"
    RAMP_TO_SAFE_VALUE = "ramp_to_safe_value"
    RELEASE = "release"
    """Let go: the block's heartbeat ends, and the operator's setpoint rules again."""


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a tag, as it is read now, with a number."""

    tag: str
    sign: str
    number: float

    def holds(self, value: float) -> bool:
        """Compare; NaN holds nothing, not even ``!=``."""
        return math.isfinite(value) and OPERATORS[self.sign](value, self.number)


Condition = tuple[tuple[Term, ...], ...]
"""Terms joined by ``and``, and these joined by ``or``; without any it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be done to one setpoint; the keys are those of the file, see docs/setpoints.md."""

    tag: str
    unit: str
    low: float
    high: float
    band: float
    max_step: float
    slope_per_min: float
    drift_1h: float
    drift_24h: float
    deadband: float
    tolerance: float
    mode: Mode = Mode.ADVISORY
    persons: int = 1
    block: str = ""
    """Address of its block in the PLC; without one there is no auto."""
    active: str = ""
    follow_s: float = 10.0
    recipe: str = ""
    interval_s: float = 60.0
    fresh_s: float = 2.0
    interlock: Condition = ()
    requires: Condition = ()
    alarms: tuple[str, ...] = ()
    operator_min: float = 10.0
    fallback: Fallback = Fallback.HOLD_LAST
    safe_value: float | None = None
    hold_s: float = 0.0
    revert_s: float = 3600.0
    proven_days: float = 7.0

    def reads(self) -> tuple[str, ...]:
        """Give the tags that are read for each decision, its own among them."""
        terms = (term.tag for part in (*self.interlock, *self.requires) for term in part)
        named = (self.tag, *((self.recipe,) if self.recipe else ()), *self.alarms, *terms)
        return tuple(dict.fromkeys(named))

    def named(self) -> tuple[str, ...]:
        """Give the tags that it names: those that it reads, and where its active value is."""
        return (*self.reads(), *((self.active,) if self.active else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposer:
    """A program that may ask: SHA-256 of its token, its tags, its models as ``name@version``."""

    name: str
    token_sha256: str
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    per_hour: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All of it: until when (ns); `serial` only ever rises, `signer` names the key."""

    serial: int
    expires: int
    signer: str
    limits: Mapping[str, Limits]
    proposers: Mapping[str, Proposer]
    mode: Mode = Mode.OFF
    stop_tag: str = ""
    key_switch: str = ""
    clock_s: float = 2.0
    settle_s: float = 120.0
    signed_at: int = 0
    """When it was signed, wall time, ns; 0: it does not say."""
    ways: Mapping[str, Way] = field(default_factory=dict)
    """Where its tags lead; the same was signed."""

    def reads(self) -> tuple[str, ...]:
        """Give all tags that it names, those that are written first."""
        named = [tag for one in self.limits.values() for tag in one.named()]
        return tuple(dict.fromkeys(filter(None, (*named, self.stop_tag, self.key_switch))))


@dataclass(frozen=True, slots=True)
class Known:
    """A tag of the configuration: unit, device, that device's host, and where the tag leads."""

    unit: str
    device: str
    host: str = ""
    way: Way = field(default_factory=dict)


def condition(text: str) -> Condition:
    """Read ``tag operator number``, joined by ``and`` and ``or``; ``and`` binds tighter.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> condition("a/run == 1 and a/load < 0.8 or a/test != 0")[0][1]
    Term(tag='a/load', sign='<', number=0.8)
    """
    words = [*text.split(), "and"]
    if len(words) % 4 or len(words) > 4 * MOST_TERMS:
        raise ValueError(f'is no "tag operator number", joined by and, or; {MOST_TERMS} at most')
    parts: list[tuple[Term, ...]] = [()]
    for start in range(0, len(words), 4):
        tag, sign, number, joint = words[start : start + 4]
        if TAG_NAME.match(tag) is None:
            raise ValueError(f'"{tag}" is no tag')
        if sign not in OPERATORS:
            raise ValueError(f'"{sign}" is none of {" ".join(OPERATORS)}')
        try:
            constant = float(number)
        except ValueError:
            constant = math.nan
        if not math.isfinite(constant):
            raise ValueError(f'"{number}" is no number')
        if joint not in ("and", "or"):
            raise ValueError(f'"{joint}" is neither and nor or')
        parts[-1] = (*parts[-1], Term(tag, sign, constant))
        if joint == "or":
            parts.append(())
    return tuple(parts)


def contradictions(said: Limits) -> list[tuple[str, str]]:
    """Give what contradicts itself in the limits of a setpoint: the key, and a sentence.

    A number that could not be read is NaN in here: nothing contradicts it.
    """
    span, safe = said.high - said.low, said.safe_value
    ramps = said.fallback is Fallback.RAMP_TO_SAFE_VALUE
    auto = said.mode is Mode.AUTO
    rules = (
        ("low", span <= 0, f"low = {said.low:g} is not below high = {said.high:g}"),
        ("max_step", said.max_step > span > 0, f"is more than the whole range, {span:g}"),
        ("max_step", said.max_step > said.drift_1h, "is more than drift_1h"),
        ("max_step", said.max_step > said.slope_per_min, "is more than slope_per_min"),
        ("drift_1h", said.drift_1h > said.drift_24h, "is more than drift_24h"),
        ("deadband", said.deadband > said.max_step, "is more than max_step: nothing would pass"),
        ("tolerance", said.tolerance > said.deadband / 2, "is more than half the deadband"),
        ("safe_value", ramps and safe is None, "is missing: the fallback ramps to it"),
        (
            "safe_value",
            safe is not None and (safe < said.low or safe > said.high),
            "is outside low and high",
        ),
        ("block", auto and not said.block, "is missing: auto needs the block in the PLC"),
        ("hold_s", auto and said.hold_s == 0, "is missing: auto needs to know when to fall back"),
        ("persons", auto and said.persons == 2, "two people and auto contradict each other"),
    )
    return [(key, what) for key, broken, what in rules if broken]


def lowest(*modes: Mode) -> Mode:
    """Give the mode that allows the least.

    Examples
    --------
    >>> str(lowest(Mode.AUTO, Mode.ADVISORY))
    'advisory'
    """
    return min(modes, key=MODES.index)
