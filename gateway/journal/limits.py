"""How much a journal may keep, and what goes first when that is too much."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from gateway.journal.bodies import Kind

if TYPE_CHECKING:
    from gateway.journal.readers import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a journal may take.

    Parameters
    ----------
    max_bytes
        Bytes on disk, write-ahead log and reserve included; None: as much as the disk has.
    max_age_ns
        Age from which on raw samples and scores go, ns; None: never.
    reserve_bytes
        Size of the file that is given up when the disk is full; 0: none.
    """

    max_bytes: int | None = None
    max_age_ns: int | None = None
    reserve_bytes: int = 0


class Level(IntEnum):
    """What goes, in this order; stored, so never renumbered."""

    RAW = 1
    """Samples that no pin holds."""
    SCORES = 2
    SUMMARIES = 3
    PINNED = 4
    """Samples around incidents."""
    EVENTS = 5


KIND_OF = {
    Level.RAW: Kind.SAMPLES,
    Level.SCORES: Kind.SCORES,
    Level.SUMMARIES: Kind.SUMMARIES,
    Level.PINNED: Kind.SAMPLES,
    Level.EVENTS: Kind.EVENT,
}
WORD_OF = {
    Level.RAW: "raw samples",
    Level.SCORES: "scores",
    Level.SUMMARIES: "summaries",
    Level.PINNED: "pinned samples",
    Level.EVENTS: "events",
}


@dataclass(frozen=True, slots=True)
class Holding:
    """What a journal holds of one kind, and what went since it was made.

    `unsent_records` and `unsent_samples` count those that went although a reader that takes such
    records had not passed them; bytes are those of the encoded records.
    """

    records: int = 0
    samples: int = 0
    bytes: int = 0
    evicted_records: int = 0
    evicted_samples: int = 0
    unsent_records: int = 0
    unsent_samples: int = 0


@dataclass(slots=True)
class Tally:
    """Records, samples, and the source times they span, ns."""

    records: int = 0
    samples: int = 0
    bytes: int = 0
    start: int = 0
    stop: int = 0

    def add(self, samples: int, size: int, first_at: int, last_at: int) -> None:
        """Count one record."""
        self.start = min(self.start, first_at) if self.records else first_at
        self.stop = max(self.stop, last_at) if self.records else last_at
        self.records += 1
        self.samples += samples
        self.bytes += size

    def body(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "records": self.records,
            "samples": self.samples,
            "start": self.start,
            "stop": self.stop,
        }


@dataclass(slots=True)
class Evicted:
    """What goes with one commit.

    Attributes
    ----------
    gone
        By level.
    unsent
        Of that, what a reader would have taken and had not passed, by its name.
    lost
        Of that, what any reader missed, by kind.
    why
        Which limit it was.
    """

    gone: dict[Level, Tally] = field(default_factory=dict)
    unsent: dict[str, Tally] = field(default_factory=dict)
    lost: dict[Kind, Tally] = field(default_factory=dict)
    why: str = ""

    def add(
        self, level: Level, row: tuple[int, ...], pin: int, readers: "Mapping[str, Reader]"
    ) -> None:
        """Count a record: position, first_at, last_at, samples, bytes; and the last pin of it."""
        position, first_at, last_at, samples, size = row
        own = samples, size, first_at, last_at
        self.gone.setdefault(level, Tally()).add(*own)
        length = last_at - first_at + 1
        missing = [
            name for name, one in readers.items() if one.misses(level, position, length, pin)
        ]
        for name in missing:
            self.unsent.setdefault(name, Tally()).add(*own)
        if missing:
            self.lost.setdefault(KIND_OF[level], Tally()).add(*own)

    @property
    def bytes(self) -> int:
        """Bytes of the records that go."""
        return sum(tally.bytes for tally in self.gone.values())

    def body(self) -> dict[str, Any]:
        """Give the body of the event that tells it."""
        return {
            "why": self.why,
            "evicted": {WORD_OF[level]: tally.body() for level, tally in self.gone.items()},
            "unsent": {name: tally.body() for name, tally in self.unsent.items()},
        }
