"""Who reads a journal, and what of it: only that can be missed, and counted as unsent."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from gateway.journal.bodies import KINDS
from gateway.journal.limits import KIND_OF, Level
from plant.summaries import LENGTHS


@dataclass(frozen=True, slots=True)
class Takes:
    """What a reader takes of a journal.

    Parameters
    ----------
    levels
        What goes at these levels of eviction.
    lengths
        Lengths of the windows that it takes, ns.
    by_pin
        Its cursor moves over pins: a sample is taken with the pin that asks for it.
    """

    levels: frozenset[Level] = frozenset(Level)
    lengths: frozenset[int] = frozenset(LENGTHS)
    by_pin: bool = False

    @classmethod
    def of(cls, kinds: Collection[type], lengths: Collection[int] = LENGTHS) -> "Takes":
        """Give what a reader of these types of records takes, of summaries these lengths, ns."""
        numbers = {KINDS[kind] for kind in kinds}
        levels = frozenset(level for level, kind in KIND_OF.items() if kind in numbers)
        return cls(levels, frozenset(lengths))

    def has(self, level: Level, length: int) -> bool:
        """Tell whether it takes a record that goes at a level and spans so many ns.

        Of a record that holds windows of several begins the length is not known.
        """
        other = level is Level.SUMMARIES and length in LENGTHS and length not in self.lengths
        return level in self.levels and not other

    def text(self) -> str:
        """Write it down."""
        return json.dumps([sorted(self.levels), sorted(self.lengths), self.by_pin])


PINNED = Takes(frozenset({Level.PINNED}), by_pin=True)
"""What a reader takes that is sent the samples around incidents."""


def takes_from(text: str) -> Takes:
    """Read what `Takes.text` wrote; a level that this release does not know is left out."""
    levels, lengths, by_pin = json.loads(text)
    known = frozenset(Level(one) for one in levels if one in set(Level))
    return Takes(known, frozenset(lengths), bool(by_pin))


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader: up to where it is done, and what it takes."""

    passed: int
    takes: Takes = Takes()

    def misses(self, level: Level, position: int, length: int, pin: int) -> bool:
        """Tell whether it never had a record that goes.

        Parameters
        ----------
        level
            At which it goes.
        position
            Its position.
        length
            Time that it spans, ns.
        pin
            Position of the last pin that holds it; 0: none does.
        """
        behind = (pin if self.takes.by_pin else position) > self.passed
        return behind and self.takes.has(level, length)
