"""Valid frames made invalid: seeded, so that what was found can be found again."""

from collections.abc import Callable, Sequence
from random import Random

EXTREMES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    0xFFFF_FFF0,
)


def _flip(frame: bytearray, random: Random) -> None:
    for _ in range(random.randrange(1, 9)):
        frame[random.randrange(len(frame))] ^= 1 << random.randrange(8)


def _extreme(frame: bytearray, random: Random) -> None:
    at, size = random.randrange(len(frame)), random.choice((1, 2, 4))
    frame[at : at + size] = (random.choice(EXTREMES) % (1 << 8 * size)).to_bytes(size, "little")


def _cut(frame: bytearray, random: Random) -> None:
    del frame[random.randrange(len(frame)) :]


def _remove(frame: bytearray, random: Random) -> None:
    at = random.randrange(len(frame))
    del frame[at : at + random.randrange(1, 9)]


def _insert(frame: bytearray, random: Random) -> None:
    at = random.randrange(len(frame))
    frame[at:at] = random.randbytes(random.randrange(1, 9))


def _repeat(frame: bytearray, random: Random) -> None:
    at = random.randrange(len(frame))
    frame[at:at] = frame[at : at + random.randrange(1, 65)] * random.randrange(1, 9)


def _noise(frame: bytearray, random: Random) -> None:
    at = random.randrange(len(frame))
    frame[at:] = random.randbytes(len(frame) - at)


WAYS: Sequence[Callable[[bytearray, Random], None]] = (
    _flip, _extreme, _extreme, _cut, _remove, _insert, _repeat, _noise,
)  # fmt: skip


def mutated(frame: bytes, random: Random) -> bytes:
    """Change a frame in one to three ways."""
    changed = bytearray(frame)
    for _ in range(random.randrange(1, 4)):
        if changed:
            random.choice(WAYS)(changed, random)
    return bytes(changed)
