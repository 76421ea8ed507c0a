"""Ways in which a Modbus device answers wrongly, late, or not at all.

A mood turns a request and its right data into steps: wait so many seconds, then send these bytes;
None instead of bytes resets the connection. The steps of one answer follow each other, those of two
answers run side by side, so that a late one can overtake nobody and meet anybody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from connectors.simulated.hostile.modbus_frames import Asked, Framing

Step: TypeAlias = tuple[float, bytes | None]
HUSH = b""
"""Sent as the last step: not a byte more on this connection."""


@dataclass(slots=True)
class Memory:
    """What a device remembers of one connection.

    Parameters
    ----------
    random
        Its dice.
    owed
        Right frame of the request before this one.
    held
        Frame kept back until the next request.
    """

    random: Random
    owed: bytes = b""
    held: bytes = b""


@dataclass(frozen=True, slots=True)
class Turn:
    """A request, the right data of its answer, and what the device remembers."""

    asked: Asked
    data: bytes
    memory: Memory

    @property
    def random(self) -> Random:
        """The dice."""
        return self.memory.random

    @property
    def right(self) -> bytes:
        """The right answer."""
        return self.asked.frame(_counted(self.data))

    @property
    def other(self) -> bytes:
        """Data that no register holds, so that taking it shows."""
        return bytes(byte ^ 0xA5 for byte in self.data)


_BUSY = 6
Mood: TypeAlias = Callable[[Turn], Sequence[Step]]


def _counted(data: bytes) -> bytes:
    return bytes([len(data) & 0xFF]) + data


def good(turn: Turn) -> Sequence[Step]:
    """Answer as the standard says."""
    turn.memory.owed = turn.right
    return [(0.0, turn.memory.owed)]


def delayed(least_s: float, most_s: float) -> Mood:
    """Give the mood that answers rightly after a while, s."""

    def late(turn: Turn) -> Sequence[Step]:
        return [(turn.random.uniform(least_s, most_s), turn.right)]

    return late


def split(turn: Turn) -> Sequence[Step]:
    """Answer in up to four pieces, a moment apart."""
    frame = turn.right
    cuts = sorted(turn.random.randrange(len(frame)) for _ in range(3))
    edges = zip((0, *cuts), (*cuts, len(frame)), strict=True)
    return [(0.0005, frame[first:last]) for first, last in edges if last > first]


def doubled(turn: Turn) -> Sequence[Step]:
    """Answer twice."""
    frame = turn.right
    return [(0.0, frame + frame)] if turn.random.random() < 0.5 else [(0.0, frame), (0.0, frame)]


def swapped(turn: Turn) -> Sequence[Step]:
    """Keep an answer back and send it before that to the next request."""
    frame = turn.right
    if turn.memory.held:
        held, turn.memory.held = turn.memory.held, b""
        return [(0.0, frame + held)] if turn.random.random() < 0.5 else [(0.0, held + frame)]
    turn.memory.held = frame
    return []


def before(turn: Turn) -> Sequence[Step]:
    """Send the frame of the request before, and the right one after it."""
    late, turn.memory.owed = turn.memory.owed, turn.right
    return [(0.0, late + turn.memory.owed)]


def spliced(turn: Turn) -> Sequence[Step]:
    """Break off, and go on with the whole frame of the request before.

    So late that the frame is filled and something is left: else nothing in MBAP could tell.
    """
    frame, other = turn.right, turn.memory.owed or turn.asked.refusal(_BUSY)
    turn.memory.owed = frame
    cut = turn.random.randrange(max(1, len(frame) - len(other) + 1), len(frame))
    pieces = [frame[:cut], other] if turn.random.random() < 0.5 else [frame[:cut] + other]
    return [(0.0, piece) for piece in pieces]


def wrong_transaction(turn: Turn) -> Sequence[Step]:
    """Answer with another transaction number: the one before, 0 or any."""
    other = turn.random.choice((turn.asked.transaction - 1, 0, turn.random.randrange(1 << 16)))
    if other == turn.asked.transaction:
        other ^= 1
    return [(0.0, turn.asked.frame(_counted(turn.other), transaction=other & 0xFFFF))]


def wrong_protocol(turn: Turn) -> Sequence[Step]:
    """Answer in another protocol than Modbus."""
    return [
        (0.0, turn.asked.frame(_counted(turn.other), protocol=turn.random.randrange(1, 1 << 16)))
    ]


def wrong_unit(turn: Turn) -> Sequence[Step]:
    """Answer in the name of another unit."""
    other = (turn.asked.unit + turn.random.randrange(1, 256)) & 0xFF
    return [(0.0, turn.asked.frame(_counted(turn.other), unit=other))]


def wrong_function(turn: Turn) -> Sequence[Step]:
    """Answer another question."""
    other = turn.random.choice([code for code in range(1, 128) if code != turn.asked.function])
    return [(0.0, turn.asked.frame(_counted(turn.other), function=other))]


def wrong_count(turn: Turn) -> Sequence[Step]:
    """Answer rightly formed, with fewer or more registers than were turn.asked."""
    step = turn.random.choice((-4, -2, -1, 1, 2, 4))
    more = turn.other[: len(turn.data) + step] + b"\xa5" * max(0, step)
    return [(0.0, turn.asked.frame(_counted(more)))]


def wrong_byte_count(turn: Turn) -> Sequence[Step]:
    """Announce another number of bytes than follow."""
    announced = (len(turn.data) + turn.random.randrange(1, 256)) & 0xFF
    return [(0.0, turn.asked.frame(bytes([announced]) + turn.other))]


def wrong_sum(turn: Turn) -> Sequence[Step]:
    """Flip a bit on the way: RTU's check sum tells, MBAP's fields do when they are hit."""
    frame = bytearray(turn.right)
    place = turn.random.randrange(6 if turn.asked.framing is Framing.TCP else len(frame))
    frame[place] ^= 1 << turn.random.randrange(8)
    return [(0.0, bytes(frame))]


def huge_length(turn: Turn) -> Sequence[Step]:
    """Announce 65,535 bytes, send an answer, and then nothing."""
    return [(0.0, turn.asked.frame(b"\xff" + turn.other, length=0xFFFF)), (0.0, HUSH)]


def zero_length(turn: Turn) -> Sequence[Step]:
    """Announce nothing, and send an answer."""
    return [(0.0, turn.asked.frame(_counted(turn.other), length=0))]


def truncated(turn: Turn) -> Sequence[Step]:
    """Stop somewhere in the answer."""
    frame = turn.right
    return [(0.0, frame[: turn.random.randrange(1, len(frame))]), (0.0, HUSH)]


def refusing(*codes: int) -> Mood:
    """Give the mood that answers with one of these exception codes."""

    def refuse(turn: Turn) -> Sequence[Step]:
        return [(0.0, turn.asked.refusal(turn.random.choice(codes)))]

    return refuse


def silent(_turn: Turn) -> Sequence[Step]:
    """Say nothing."""
    return []


def reset(turn: Turn) -> Sequence[Step]:
    """Break the connection in the middle of the answer."""
    frame = turn.right
    return [(0.0, frame[: turn.random.randrange(len(frame))]), (0.0, None)]


def drip(turn: Turn) -> Sequence[Step]:
    """Send a byte a second."""
    frame = turn.right
    return [(1.0, frame[i : i + 1]) for i in range(len(frame))]


def flood(turn: Turn) -> Sequence[Step]:
    """Send 200 answers that nobody asked for, then the right one."""
    strange = turn.asked.frame(_counted(turn.other), transaction=turn.asked.transaction ^ 0x5A5A)
    return [(0.0, strange * 200), (0.0, turn.right)]


def garbage(turn: Turn) -> Sequence[Step]:
    """Send noise."""
    return [(0.0, turn.random.randbytes(turn.random.randrange(1, 300)))]


busy = refusing(6)
booting = refusing(2)
exceptions = refusing(1, 3, 4, 5, 6, 8, 10, 11, 17, 255)
MOODS: dict[str, Mood] = {
    "good": good,
    "split": split,
    "doubled": doubled,
    "swapped": swapped,
    "before": before,
    "spliced": spliced,
    "wrong transaction": wrong_transaction,
    "wrong protocol": wrong_protocol,
    "wrong unit": wrong_unit,
    "wrong function": wrong_function,
    "wrong count": wrong_count,
    "wrong byte count": wrong_byte_count,
    "wrong sum": wrong_sum,
    "huge length": huge_length,
    "zero length": zero_length,
    "truncated": truncated,
    "busy": busy,
    "booting": booting,
    "exceptions": exceptions,
    "silent": silent,
    "reset": reset,
    "drip": drip,
    "flood": flood,
    "garbage": garbage,
}
"""Every mood without settings, by name; `delayed` and `refusing` make more."""
UNMARKED = ("wrong transaction", "wrong protocol", "huge length", "zero length")
"""Moods whose lie stands in MBAP: in RTU, which has none of it, the frame would be a right one."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """A mood chosen anew for each request.

    Parameters
    ----------
    moods
        The choice.
    share_good
        Part of the requests that are answered rightly.
    """

    moods: Sequence[Mood]
    share_good: float = 0.5

    def choose(self, random: Random) -> Mood:
        """Give the mood of the next answer."""
        return good if random.random() < self.share_good else random.choice(self.moods)
