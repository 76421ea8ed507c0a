"""The words that pass between a guard and the setpoint block of a controller (docs/plc/README.md).

Whole numbers in 16-bit words, high word first: the same over Modbus and OPC UA, and nothing that a
controller would have to round, cast or scale before it can judge.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plant.errors import Rejected
from plant.quality import Status
from plant.setpoints import Readback, Reading, Setpoint
from plant.tags import Tag

REQUEST_WORDS, ANSWER_WORDS, ANSWER_AT = 9, 10, 16
"""Words of the request and of the answer, and where the answer begins, counted from the request."""
BLOCK_WORDS = ANSWER_AT + ANSWER_WORDS
BEAT_AT = 6
"""Where heartbeat and enable stand in a request: what is written of it between two requests."""
SUMMED = 5
"""Words of a request that its check sum covers: value, sequence, deadline."""
LEAST, GREATEST = -1_000_000_000, 1_000_000_000
"""A block's values lie between: no difference of two of them leaves 32 bits."""
LAST_SEQUENCE = 65_535
"""Behind it sequence numbers begin again with 1; 0 is never used."""
_NEAR = 1e-6
"""Of a count: what floating point may be off when a value is scaled."""
CLOCK = 1 << 32
"""Milliseconds after which the controller's count begins again: 49.7 days."""


def crc(words: Iterable[int]) -> int:
    """Give the CRC-16/MODBUS of words, high byte first (polynomial 0xA001 reflected, begin 0xFFFF).

    Examples
    --------
    >>> f"{crc([0x3132, 0x3334, 0x3536, 0x3738]):04X}"
    '37DD'
    """
    total = 0xFFFF
    for word in words:
        for byte in (word >> 8, word & 0xFF):
            total ^= byte
            for _ in range(8):
                total = total >> 1 ^ (0xA001 if total & 1 else 0)
    return total


def pair(number: int) -> tuple[int, int]:
    """Give the two words of a 32-bit number, signed or not.

    Examples
    --------
    >>> pair(-2), pair(0x12345678)
    ((65535, 65534), (4660, 22136))
    """
    return number >> 16 & 0xFFFF, number & 0xFFFF


def unsigned(high: int, low: int) -> int:
    """Give the number of two words."""
    return high << 16 | low


def signed(high: int, low: int) -> int:
    """Give the number of two words, as two's complement.

    Examples
    --------
    >>> signed(65535, 65534)
    -2
    """
    return (unsigned(high, low) ^ 1 << 31) - (1 << 31)


def next_sequence(last: int) -> int:
    """Give the sequence number behind `last`.

    Examples
    --------
    >>> next_sequence(0), next_sequence(65535)
    (1, 1)
    """
    return last % LAST_SEQUENCE + 1


def request_words(value: int, sequence: int, deadline: int, beat: int) -> tuple[int, ...]:
    """Give a whole request, sum, heartbeat and enable included.

    Parameters
    ----------
    value
        In counts of the tag's scaling.
    sequence
        The one behind the last that the block has taken.
    deadline
        Moment on the controller's own clock after which it must not be taken, ms modulo 2^32.
    beat
        The controller's clock as it was last read.
    """
    judged = (*pair(value), sequence, *pair(deadline))
    return (*judged, crc(judged), *beat_words(beat, enable=True))


def beat_words(beat: int, *, enable: bool) -> tuple[int, ...]:
    """Give heartbeat and enable, which stand behind a request and are written alone too."""
    return (*pair(beat), int(enable))


@dataclass(frozen=True, slots=True)
class BlockAnswer:
    """What the block says of itself.

    Parameters
    ----------
    accepted
        Sequence number of the last request that was taken.
    code
        What became of the last request that was looked at.
    active
        Setpoint in force now, counts.
    state
        0 local, 1 remote, 2 fallback, 3 returning to local.
    clock
        The controller's own clock, ms modulo 2^32.
    seen
        Sequence number of the request that `code` speaks of.
    target
        Where the setpoint in force is going, counts.
    """

    accepted: int
    code: int
    active: int
    state: int
    clock: int
    seen: int
    target: int

    def words(self) -> tuple[int, ...]:
        """Give it as words."""
        return (
            self.accepted,
            self.code,
            *pair(self.active),
            self.state,
            *pair(self.clock),
            self.seen,
            *pair(self.target),
        )

    @classmethod
    def of(cls, words: Sequence[int]) -> "BlockAnswer":
        """Read it from its words."""
        accepted, code, a, b, state, c, d, seen, e, f = words
        return cls(accepted, code, signed(a, b), state, unsigned(c, d), seen, signed(e, f))


def raw_of(tag: Tag, setpoint: Setpoint, *, whole: bool) -> float:
    """Give the value as the device counts it: the inverse of the tag's scaling.

    Parameters
    ----------
    whole
        Whether the device holds whole numbers only.

    Raises
    ------
    Rejected
        For another unit, for what is no finite number, and for a value between two counts: it is
        never rounded to another one.
    """
    if setpoint.unit != tag.unit:
        raise Rejected(f"{tag.name} is set in {tag.unit!r}, not in {setpoint.unit!r}")
    raw = (setpoint.value - tag.offset) / tag.scale
    if not math.isfinite(raw):
        raise Rejected(f"{tag.name}: {setpoint.value} is no number that can be set")
    if not whole:
        return raw
    nearest = round(raw)
    if abs(raw - nearest) > _NEAR:
        below = math.floor(raw)
        fitting = " or ".join(f"{engineering(tag, count):.10g}" for count in (below, below + 1))
        raise Rejected(
            f"{tag.name}: {setpoint.value:.10g} does not fit; the device counts in steps of "
            f"{tag.scale:.10g} {tag.unit}: ask for {fitting}"
        )
    return float(nearest)


def counts_of(tag: Tag, setpoint: Setpoint) -> int:
    """Give the value as a setpoint block counts it; raises `Rejected` as `raw_of` does."""
    count = int(raw_of(tag, setpoint, whole=True))
    if not LEAST <= count <= GREATEST:
        raise Rejected(f"{tag.name}: {setpoint.value:.10g} is beyond what a setpoint block counts")
    return count


def engineering(tag: Tag, raw: float) -> float:
    """Give a raw value in the unit of the tag."""
    return raw * tag.scale + tag.offset


def deadline_ms(clock: int, left_s: float) -> int:
    """Give the moment on the controller's clock that is `left_s` after it was read."""
    return (clock + int(1000 * left_s)) % CLOCK


SAFE_SHARE = 0.9
"""Of the patience with an answer: a block's deadline is over before the caller hears of a failure,
also where the controller's clock is a tenth slow."""


def left_s(setpoint: Setpoint, now_ns: int, patience_s: float) -> float:
    """Tell for how long a block may still take a setpoint, s.

    Parameters
    ----------
    patience_s
        What is left of the caller's.

    Raises
    ------
    Rejected
        The deadline is over, or the caller's patience.
    """
    left = min((setpoint.deadline - now_ns) / 1e9, SAFE_SHARE * patience_s)
    if left <= 0:
        raise Rejected(f"{setpoint.tag}: the deadline is over; nothing was written")
    return left


def timely_words(
    setpoint: Setpoint, count: int, clock: int, now_ns: int, patience_s: float
) -> tuple[int, ...]:
    """Give the request of a block that must not be taken after the caller has given up.

    Parameters
    ----------
    count
        The value, see `counts_of`.
    clock
        The controller's own, as it was just read.
    now_ns, patience_s
        See `left_s`, which raises `Rejected` when it is too late.
    """
    deadline = deadline_ms(clock, left_s(setpoint, now_ns, patience_s))
    return request_words(count, setpoint.sequence, deadline, clock)


def said_of(tag: Tag, answer: BlockAnswer) -> Readback:
    """Give what a block says, in the unit of the tag."""
    at, now, good = time.time_ns(), time.monotonic(), int(Status.GOOD)
    target, active = (
        Reading(tag.name, engineering(tag, count), good, at, now)
        for count in (answer.target, answer.active)
    )
    return Readback(target, active, answer.accepted, answer.code, answer.seen, answer.clock)
