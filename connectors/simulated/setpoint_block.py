"""The setpoint block of a controller as a pure step: docs/plc/setpoint_block.st says the same.

The controller has the last word. It takes a request only if its sum is right, its number the next
one, its deadline not over on the controller's own clock, the link alive, remote control enabled by
both sides, and the value within limits of its own. Whole numbers throughout: the Structured Text
has to come to the same answers to the last bit.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

from connectors.setpoint_words import (
    CLOCK,
    GREATEST,
    LEAST,
    REQUEST_WORDS,
    SUMMED,
    BlockAnswer,
    crc,
    next_sequence,
    signed,
    unsigned,
)
from plant.setpoints import BLOCK_OK

LONGEST_STEP_MS = 1000
"""A controller that stood still does not make up for it with one big move."""
STEEPEST = 1_000_000
"""Greatest slope, counts a second."""
_NEVER = CLOCK - 1
_PAST = CLOCK // 2


class Code(IntEnum):
    """ACK_CODE: what became of the last request."""

    ACCEPTED = BLOCK_OK
    WRONG_SUM = 1
    WRONG_SEQUENCE = 2
    LATE = 3
    TOO_FAR_AHEAD = 4
    LINK_DEAD = 5
    NOT_ENABLED = 6
    KEY_LOCAL = 7
    OUT_OF_LIMITS = 8
    STEP_TOO_BIG = 9
    NOTHING = 255
    """Since it was switched on nothing was asked."""


class Mode(IntEnum):
    """STATE: whose setpoint is in force."""

    LOCAL = 0
    """The operator's."""
    REMOTE = 1
    """The guard's."""
    FALLBACK = 2
    """The guard's link is dead: what `Fallback` says."""
    RETURNING = 3
    """On its way back to the operator's, at the slope."""


class Fallback(IntEnum):
    """What is done when the link dies while remote; the process engineer's choice."""

    HOLD = 0
    """Stay."""
    BASELINE = 1
    """Go to what was in force when remote control began."""
    SAFE = 2
    """Go to a value of the engineer's."""
    RELEASE = 3
    """Hand the loop back to the operator's setpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The controller's own limits, which nobody can write; values in counts.

    Parameters
    ----------
    low, high
        Limits of a remote setpoint.
    max_step
        Farthest that one request may be from the setpoint in force.
    slope
        Counts a second at which the setpoint in force moves, but for the operator's own.
    hold_ms
        Silence after which the link counts as dead.
    ahead_ms
        Farthest that a deadline may lie ahead.
    fallback, safe
        What is done when the link dies, and the value for `Fallback.SAFE`.
    """

    low: int = 0
    high: int = 10_000
    max_step: int = 500
    slope: int = 100
    hold_ms: int = 5_000
    ahead_ms: int = 10_000
    fallback: Fallback = Fallback.RELEASE
    safe: int = 0

    def __post_init__(self) -> None:
        if not LEAST <= self.low <= self.high <= GREATEST or not 0 < self.slope <= STEEPEST:
            raise ValueError(f"limits {self.low} to {self.high}, slope {self.slope}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What one call of the block is given.

    Parameters
    ----------
    elapsed_ms
        Since the call before, by the controller's timer.
    request
        The request's words, whoever wrote them.
    key
        Whether the operator's switch stands at REMOTE.
    local
        The operator's setpoint, counts.
    """

    elapsed_ms: int
    request: tuple[int, ...] = (0,) * REQUEST_WORDS
    key: bool = True
    local: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the block keeps from call to call; `clock` and `accepted` over a power cut too."""

    clock: int = 0
    accepted: int = 0
    judged: tuple[int, ...] = (0,) * (SUMMED + 1)
    age_ms: int = _NEVER
    """Age of the newest heartbeat."""
    enabled: bool = False
    code: Code = Code.NOTHING
    seen: int = 0
    mode: Mode = Mode.LOCAL
    target: int = 0
    active: int = 0
    baseline: int = 0
    credit: int = 0
    """Thousandths of a count that the slope allows and were not used."""

    @property
    def answer(self) -> BlockAnswer:
        """What the block answers now."""
        return BlockAnswer(
            self.accepted,
            int(self.code),
            self.active,
            int(self.mode),
            self.clock,
            self.seen,
            self.target,
        )


def step(settings: Settings, memory: Memory, inputs: Inputs) -> Memory:
    """Call the block once."""
    now = replace(
        memory,
        clock=(memory.clock + inputs.elapsed_ms) % CLOCK,
        age_ms=min(memory.age_ms + inputs.elapsed_ms, _NEVER),
    )
    now = _listened(settings, now, inputs)
    if inputs.request[: SUMMED + 1] != now.judged:
        now = _judged(settings, now, inputs)
    now = _governed(settings, now, inputs)
    return _moved(settings, now, inputs)


def _listened(settings: Settings, now: Memory, inputs: Inputs) -> Memory:
    """Take a heartbeat unless a newer one was there: an old one proves nothing."""
    age = (now.clock - unsigned(*inputs.request[6:8])) % CLOCK
    if age > settings.hold_ms or age > now.age_ms:
        return now
    return replace(now, age_ms=age, enabled=inputs.request[8] == 1)


def _judged(settings: Settings, now: Memory, inputs: Inputs) -> Memory:
    """Look at a request once, when it comes: what was refused never comes true later."""
    value, sequence = signed(*inputs.request[:2]), inputs.request[2]
    code = _verdict(settings, now, inputs, value)
    now = replace(now, judged=inputs.request[: SUMMED + 1], code=code, seen=sequence)
    if code is not Code.ACCEPTED:
        return now
    fresh = now.mode in (Mode.LOCAL, Mode.RETURNING)
    return replace(
        now,
        accepted=sequence,
        target=value,
        mode=Mode.REMOTE,
        baseline=now.active if fresh else now.baseline,
    )


def _verdict(settings: Settings, now: Memory, inputs: Inputs, value: int) -> Code:
    request = inputs.request
    left = (unsigned(*request[3:5]) - now.clock) % CLOCK
    refusals = (
        (crc(request[:SUMMED]) != request[SUMMED], Code.WRONG_SUM),
        (request[2] != next_sequence(now.accepted), Code.WRONG_SEQUENCE),
        (left >= _PAST, Code.LATE),
        (left > settings.ahead_ms, Code.TOO_FAR_AHEAD),
        (now.age_ms > settings.hold_ms, Code.LINK_DEAD),
        (not now.enabled, Code.NOT_ENABLED),
        (not inputs.key, Code.KEY_LOCAL),
        (not settings.low <= value <= settings.high, Code.OUT_OF_LIMITS),
        (abs(value - now.active) > settings.max_step, Code.STEP_TOO_BIG),
    )
    return next((code for refused, code in refusals if refused), Code.ACCEPTED)


def _governed(settings: Settings, now: Memory, inputs: Inputs) -> Memory:
    """Say whose setpoint is in force."""
    if now.mode not in (Mode.REMOTE, Mode.FALLBACK):
        return now
    if not inputs.key or not now.enabled:
        return replace(now, mode=Mode.RETURNING)
    if now.mode is Mode.FALLBACK or now.age_ms <= settings.hold_ms:
        return now
    match settings.fallback:
        case Fallback.HOLD:
            return replace(now, mode=Mode.FALLBACK, target=now.active)
        case Fallback.BASELINE:
            return replace(now, mode=Mode.FALLBACK, target=now.baseline)
        case Fallback.SAFE:
            return replace(now, mode=Mode.FALLBACK, target=settings.safe)
        case Fallback.RELEASE:
            return replace(now, mode=Mode.RETURNING)


def _moved(settings: Settings, now: Memory, inputs: Inputs) -> Memory:
    """Move what is in force towards its target, at the slope; the operator's is followed at once.

    So the first remote move begins at the operator's setpoint, and the way back ends there.
    """
    if now.mode is Mode.LOCAL:
        return replace(now, active=inputs.local, target=inputs.local, credit=0)
    target = inputs.local if now.mode is Mode.RETURNING else now.target
    credit = now.credit + settings.slope * min(inputs.elapsed_ms, LONGEST_STEP_MS)
    way = target - now.active
    move = min(credit // 1000, abs(way))
    active = now.active + (move if way > 0 else -move)
    there = active == target
    home = there and now.mode is Mode.RETURNING
    return replace(
        now,
        mode=Mode.LOCAL if home else now.mode,
        target=target,
        active=active,
        credit=0 if there else credit % 1000,
    )
