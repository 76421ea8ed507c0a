"""How the signals of an asset move while it is healthy: how often, and how long they stand still.

A measured value is never quite still: one that stands to the last digit for far longer than it
ever did, while the others move as usual, is not measured any more. How long that is each signal
tells by itself, mode by mode: a fast one is missed within seconds, a rounded temperature after an
hour, and one that never moved at all never.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

DOUBTED, HOLDS = 2.0, 4.0
"""Longest healthy stand-stills after which a signal is left out, and after which it is told."""
MISSED, STILL = 3.0, 25.0
"""Moves that should have been seen meanwhile, for either. An alarm of the machine takes five rows,
so the doubt has to come first; e⁻²⁵ is the chance of the other, if moves come at random."""
ABSENT_ROWS = 30.0
"""Rows without a value, at least, before a signal has dropped out."""
_SPAN, _ROWS, _MOVES, _LONGEST, _ABSENT = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """What follows from habits, per signal (p,); times in ns.

    Parameters
    ----------
    doubt, stuck, absent
        Stand-still after which a signal is left out and told, and absence after which it is told.
    interval
        Usual time between two moves; infinite for a signal that never moved.
    pace
        Usual moves a row.
    longest
        Longest healthy stand-still, rows.
    """

    doubt: Columns
    stuck: Columns
    absent: Columns
    interval: Columns
    pace: Columns
    longest: Columns


class Habits:
    """Habits of p signals in one mode."""

    def __init__(self, signals: int) -> None:
        self._table = np.zeros((5, signals))
        self._bars: Bars | None = None

    def learn(
        self, step: int, moved: Flags, missing: Flags, still: NDArray[np.int64], absent: Columns
    ) -> None:
        """Take in a healthy row.

        Parameters
        ----------
        step
            Time since the row before, ns.
        moved, missing
            Signals (p,) that moved, and those without a value.
        still, absent
            For how long each (p,) has stood still, and been missing, ns.
        """
        table, present = self._table, ~missing
        table[_SPAN] += step * present
        table[_ROWS] += present
        table[_MOVES] += moved & present
        np.maximum(table[_LONGEST], still * present, out=table[_LONGEST])
        np.maximum(table[_ABSENT], absent, out=table[_ABSENT])
        self._bars = None

    @property
    def bars(self) -> Bars:
        """Limits that follow from what was learnt."""
        if self._bars is None:
            span, rows, moves, longest, absent = self._table
            row = np.where(rows > 0, span / np.maximum(rows, 1), np.inf)
            interval = np.where(moves > 0, span / np.maximum(moves, 1), np.inf)
            self._bars = Bars(
                doubt=np.maximum(DOUBTED * longest, MISSED * interval),
                stuck=np.maximum(HOLDS * longest, STILL * interval),
                absent=np.maximum(HOLDS * absent, ABSENT_ROWS * row),
                interval=interval,
                pace=moves / np.maximum(rows, 1),
                longest=np.where(rows > 0, longest / np.maximum(row, 1), 0.0),
            )
        return self._bars

    @classmethod
    def of_all(cls, parts: Iterable["Habits"]) -> "Habits":
        """Pool the habits of several modes: the most patient of them, where none is known."""
        tables = np.stack([part._table for part in parts])
        pooled = cls(tables.shape[2])
        pooled._table = tables.sum(axis=0)
        pooled._table[_LONGEST:] = tables[:, _LONGEST:].max(axis=0)
        return pooled

    def state(self) -> State:
        """Give the habits as arrays."""
        return {"table": self._table.copy()}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same habits again."""
        again = cls(state["table"].shape[1])
        again._table = state["table"].copy()
        return again
