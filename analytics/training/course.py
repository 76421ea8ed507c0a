"""What the windows of a history say of one asset: signals and mode side by side, in time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.training.layout import Stretch
from plant.errors import Rejected
from plant.summaries import Windows

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

VALUES = tuple(field.name for field in fields(Stretch))
MOST_WINDOWS = 40_000_000
"""Windows times tags that are laid side by side at most: 2 GB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is trained: one asset, as its gateway's configuration knows it.

    Parameters
    ----------
    path
        Of the asset.
    signals, units
        Name and UCUM code of each column.
    sources
        Source of each signal, and behind them that of the mode tag: while a source delivers
        anything, a tag of it that is sent on change only keeps its last value.
    mode
        Name of the mode tag; None: the asset has none.
    names
        What the numbers of its modes are called.
    """

    path: str
    signals: tuple[str, ...]
    units: tuple[str, ...]
    sources: tuple[str, ...]
    mode: str | None = None
    names: tuple[tuple[int, str], ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """Signals, and the mode tag behind them."""
        return self.signals if self.mode is None else (*self.signals, self.mode)


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Windows of the tags of a machine, k in time, each for p tags.

    Parameters
    ----------
    start, every
        Begin of the first window, and their length, ns.
    values
        Each of `VALUES` (k, p); NaN unless all samples were Good.
    known
        Whether a tag has a value (k, p), its own or held.
    bad
        Whether a window held samples that were not Good (k, p).
    count
        Samples (k, p).
    """

    start: int
    every: int
    values: dict[str, Columns]
    known: Flags
    bad: Flags
    count: NDArray[np.int64]

    @classmethod
    def gather(
        cls,
        pieces: Iterable[Windows],
        sources: Sequence[str],
        start: int,
        stop: int,
        every: int,
    ) -> Self:
        """Lay windows of as many tags as there are `sources` side by side.

        Raises
        ------
        Rejected
            The time is so long that its windows would not fit into memory.
        """
        start -= start % every
        size = max(0, -(-(stop - start) // every)), len(sources)
        if size[0] * size[1] > MOST_WINDOWS:
            raise Rejected(
                f"{size[0]:,} windows of {size[1]} tags are too many at once; take a shorter time, "
                "or longer windows with --every"
            )
        values = {name: np.full(size, np.nan) for name in VALUES}
        count = np.zeros(size, np.int64)
        good = np.zeros(size, np.int64)
        for piece in pieces:
            place = (piece.start - start) // every, piece.tag
            count[place], good[place] = piece.count, piece.good
            for name in VALUES:
                values[name][place] = getattr(piece, name)
        bad = good < count
        known = (count > 0) & ~bad
        for column in values.values():
            column[~known] = np.nan
        _hold(values, known, bad, count > 0, np.asarray(sources))
        return cls(start, every, values, known, bad, count)

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.known)

    @property
    def at(self) -> NDArray[np.int64]:
        """Begin of each window (k,), ns."""
        return self.start + self.every * np.arange(len(self), dtype=np.int64)

    def stretch(self, begin: int, end: int, columns: int) -> Stretch:
        """Give windows `begin` to `end` of the first `columns` tags."""
        return Stretch(**{name: self.values[name][begin:end, :columns] for name in VALUES})

    def digest(self, pieces: Iterable[tuple[int, int]]) -> str:
        """Give the SHA-256 of what windows say, pieces of them from begin to end, in hex."""
        found = sha256(np.array([self.start, self.every], "<i8").tobytes())
        for begin, end in pieces:
            found.update(np.array([begin, end], "<i8").tobytes())
            for name in VALUES:
                found.update(np.ascontiguousarray(self.values[name][begin:end], "<f8").tobytes())
        return found.hexdigest()


def _hold(
    values: dict[str, Columns], known: Flags, bad: Flags, said: Flags, sources: NDArray[np.str_]
) -> None:
    """Let tags that said nothing keep their last Good value while their source delivers."""
    rows = np.arange(len(known))
    for source in np.unique(sources).tolist():
        mine = np.flatnonzero(sources == source)
        alive = said[:, mine].any(axis=1)
        silence = np.maximum.accumulate(np.where(alive, -1, rows))
        for column in mine.tolist():
            quiet = alive & ~said[:, column]
            if not quiet.any():
                continue
            spoken = np.maximum.accumulate(np.where(said[:, column], rows, -1))
            held = quiet & (spoken > silence) & (spoken >= 0)
            held &= ~bad[np.maximum(spoken, 0), column]
            if not held.any():
                continue
            level = values["last"][spoken[held], column]
            for name, table in values.items():
                table[held, column] = 0.0 if name == "std" else level
            known[held, column] = True
