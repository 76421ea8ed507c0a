"""Readings that jump away in one row: single ones and back, or to one value and there they stay.

What a machine does lasts longer than two rows and is never the same to the last digit. A broken
wire, a loose contact and the end of a range are: the same value again and again, be it for good or
now and then.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

SPIKE, SPIKES = 10.0, 2
"""Usual deviations in one row that are a spike, and rows for which it is not believed: what a
machine does lasts longer."""
WAITS = 20
"""Rows in a row for which a signal is left out that stands at one value after a jump."""
SAME = 0.05
"""Usual deviations within which two readings are the same value."""
FADES = 0.1
"""Readings at a value that every row elsewhere takes back."""
LIFE = 120.0
"""Half-life of the count of spikes, rows."""
SPIKING = 3.0
"""Spikes, of that half-life, that are a fault of the sensor."""


@dataclass(frozen=True, slots=True, eq=False)
class Jumped:
    """What a row says, per signal (p,).

    Parameters
    ----------
    doubted
        Not to be believed in this row.
    hits
        Readings lately at the value it has jumped to; 0 for signals that have not jumped.
    spiked
        Spikes lately, where this row brought one more; else 0.
    """

    doubted: Flags
    hits: Columns
    spiked: Columns


class Jumps:
    """Jumps of p signals."""

    def __init__(self, signals: int) -> None:
        self._rows = np.zeros((3, signals), np.int64)  # in a row; row of the last hit, last spike
        self._counts = np.zeros((2, signals))  # hits, spikes
        self.rail = np.full(signals, np.nan)
        """Value that each signal (p,) jumped to last."""
        self.since = np.zeros(signals, np.int64)
        """When it did so first, source time, ns."""
        self.away = False
        """Whether any signal jumped in the last row."""

    def rest(self) -> None:
        """Take in a row in which nothing jumped, after one in which something did."""
        self._rows[0] = 0
        self.away = False

    def look(
        self,
        n: int,
        at: int,
        row: Columns,
        unit: Columns,
        far: Columns,
        alone: Flags,
        tells: Flags,
        steady: int,
    ) -> Jumped:
        """Take in a row in which something did.

        Parameters
        ----------
        n, at
            Number and source time, ns, of the row.
        row, unit
            The row (p,) and usual deviations.
        far
            Distance from the quick means (p,).
        alone
            Signals (p,) that have left what the others expect, and no other has moved.
        tells
            Signals (p,) of which it says something that they stay at one value.
        steady
            Source time, ns, from which on the rest of the machine has not changed.
        """
        away = (far > SPIKE * unit) | alone
        again = away & (np.abs(row - self.rail) <= SAME * unit)
        moved = away & ~again
        in_a_row, last, spiked = self._rows
        hits, spikes = self._counts
        faded = np.maximum(hits - FADES * np.maximum(n - last - 1, 0), 0.0)
        hits[again] = faded[again] + 1
        hits[moved], self.rail[moved], self.since[moved] = 1.0, row[moved], at
        last[away] = n
        in_a_row[:] = np.where(away, in_a_row + 1, 0)
        self.away = bool(away.any())
        new = alone & (in_a_row == 1) & ~again
        spikes[new] = spikes[new] * 0.5 ** ((n - spiked[new]) / LIFE) + 1
        spiked[new] = n
        again &= tells & (self.since >= steady)
        stays = again & (in_a_row <= WAITS)
        return Jumped(
            away & ((in_a_row <= SPIKES) | stays),
            np.where(again, hits, 0.0),
            np.where(new, spikes, 0.0),
        )

    def spikes(self, n: int) -> Columns:
        """Give how many spikes each signal (p,) has had lately, at row n."""
        faded: Columns = self._counts[1] * 0.5 ** ((n - self._rows[2]) / LIFE)
        return faded

    def forget(self, j: int) -> None:
        """Begin anew with signal j."""
        self._rows[0, j] = 0
        self._counts[:, j] = 0.0
        self.rail[j] = np.nan

    def state(self) -> State:
        """Give everything as arrays."""
        return {
            "rows": self._rows.copy(),
            "counts": self._counts.copy(),
            "rail": self.rail.copy(),
            "since": self.since.copy(),
            "away": np.array([self.away]),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._rows, self._counts = state["rows"].copy(), state["counts"].copy()
        self.rail, self.since = state["rail"].copy(), state["since"].copy()
        self.away = bool(state["away"][0])
