"""Operating modes that nobody declared, found in a healthy history.

A machine that idles and works by turns is two machines: held against one baseline, every start is
an anomaly, and a fault of the idling one hides in the spread of both. Modes are told apart by
thresholds of signals, the way a person would say it ("the motor draws more than 4 A"): Otsu's
threshold (1979), believed only if the two sides are far apart (Ashman's D, 1994), if hardly a row
lies between them, and if the machine came to either side several times and stayed. Signals that
split alike vote together, so that one broken sensor does not change the mode. What fails any of
this stays one mode: drift, a fault that stays, cycling control and wandering are no modes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from analytics.scaling import quantum

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

APART = 6.0
"""Distance of two modes, in root mean squares of their spreads (Ashman's D); 2 is a clean split of
a mixture, but a mode that nobody declared has to be beyond doubt."""
BETWEEN = 0.03
"""Largest share of rows in the middle third between two modes: machines change quickly."""
BAND = 0.3
"""Votes between −BAND and BAND are neither mode; of three voters one may be broken."""
VISITS, STAYS = 2, 120
"""Times that the machine was seen to come to each mode, and rows that it stays on average: of a
shorter stay little is judged, because the means have to settle first."""
ALIKE = 0.97
"""Share of rows that two signals must split alike to vote together."""
SURE = 3
"""Rows in a row on the other side that change the mode: a spike does not."""
PATIENCE = 3
"""Longest change seen while learning, times this: after it a row between two modes is judged."""
MOST = 8
"""Modes found at most."""


@dataclass(slots=True, eq=False)
class Split:
    """One threshold between two modes, and where the machine is by it.

    Parameters
    ----------
    signals
        Columns that vote (k,).
    middle, half
        Halfway between the modes (k,), and the way from there to the upper one (k,), signed: above
        is where the signal with the clearest split is high.
    below, above
        Number of the next split there, or −1 − mode.
    patience
        Rows between the modes that are a change and no fault.
    """

    signals: NDArray[np.intp]
    middle: Columns
    half: Columns
    below: int
    above: int
    patience: int
    high: bool = False
    other: int = 0
    between: int = 0

    def votes(self, rows: Columns) -> Columns:
        """Give where rows (n, p) lie: −1 is the lower mode, 1 the upper, NaN unknown (n,)."""
        each = np.clip((rows[:, self.signals] - self.middle) / self.half, -1.0, 1.0)
        known = np.isfinite(rows[:, self.signals])
        total = np.where(known, each, 0.0).sum(axis=1)
        count = known.sum(axis=1)
        votes: Columns = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return votes

    def ask(self, row: Columns) -> bool:
        """Take in a row (p,); tell whether it belongs to the side that `high` says."""
        vote = float(self.votes(row[None, :])[0])
        if vote != vote:
            return True
        if (vote > BAND) if self.high else (vote < -BAND):
            self.other = self.between = 0
            return True
        if -BAND <= vote <= BAND:
            self.other = 0
            self.between += 1
            return self.between > self.patience
        self.other += 1
        if self.other < SURE:
            return False
        self.high, self.other, self.between = vote > 0, 0, 0
        return True


class Regimes:
    """Modes of one asset, and the present one.

    Parameters
    ----------
    splits
        The first one is asked first.
    """

    def __init__(self, splits: Sequence[Split]) -> None:
        self.splits = tuple(splits)
        self.mode = 0
        """The present mode."""

    def __len__(self) -> int:
        """Give the number of modes."""
        return len(self.splits) + 1

    def now(self, row: Columns) -> bool:
        """Take in a row (p,), NaN = not Good; tell whether it is of `mode`, not of a change."""
        at = 0
        while True:
            split = self.splits[at]
            if not split.ask(row):
                return False
            at = split.above if split.high else split.below
            if at < 0:
                self.mode = -1 - at
                return True

    def words(self, signals: Sequence[str], units: Sequence[str]) -> str:
        """Say what tells the present mode, by the signal that tells it best of each split."""
        told, at = [], 0
        while at >= 0:
            split = self.splits[at]
            best = int(split.signals[0])
            side = "above" if split.high else "below"
            told.append(f"{signals[best]} {side} {split.middle[0]:.4g} {units[best]}".rstrip())
            at = split.above if split.high else split.below
        return ", ".join(told)

    def state(self) -> State:
        """Give everything as arrays."""
        return {
            "sizes": np.array([len(split.signals) for split in self.splits]),
            "signals": np.concatenate([split.signals for split in self.splits]),
            "middle": np.concatenate([split.middle for split in self.splits]),
            "half": np.concatenate([split.half for split in self.splits]),
            "numbers": np.array(
                [(s.below, s.above, s.patience, s.high, s.other, s.between) for s in self.splits]
            ),
            "mode": np.array([self.mode]),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same modes again."""
        cuts = np.cumsum(state["sizes"])[:-1]
        columns = [np.split(state[name], cuts) for name in ("signals", "middle", "half")]
        splits = []
        for signals, middle, half, numbers in zip(*columns, state["numbers"].tolist(), strict=True):
            below, above, patience, high, other, between = numbers
            voters = signals.copy(), middle.copy(), half.copy()
            splits.append(Split(*voters, below, above, patience, bool(high), other, between))
        again = cls(splits)
        again.mode = int(state["mode"][0])
        return again


def find(blocks: Sequence[Columns], needed: int) -> tuple[Regimes, list[NDArray[np.intp]]] | None:
    """Find the modes in healthy rows; None if there is but one.

    Parameters
    ----------
    blocks
        Contiguous stretches (n, p) in time order, NaN = not Good.
    needed
        Rows that a mode must have.

    Returns
    -------
    The modes, standing where the last row is, and the mode of each row of each stretch (n,), −1
    where it is between two.
    """
    if not blocks:
        return None
    search = _Search(blocks, needed)
    search.grow(np.ones(len(search.rows), np.bool_))
    if not search.splits:
        return None
    regimes, modes = Regimes(search.splits), []
    for block in blocks:
        for split in regimes.splits:
            split.high, split.other, split.between = bool(split.votes(block[:1])[0] > 0), 0, 0
        told = [regimes.mode if regimes.now(row) else -1 for row in block]
        modes.append(np.array(told, np.intp))
    return regimes, modes


@dataclass(frozen=True, slots=True)
class _Cut:
    """How one signal parts rows: its threshold, the middles of both sides, their distance."""

    threshold: float
    low: float
    high: float
    apart: float


class _Search:
    """Grows the tree of splits over healthy rows."""

    def __init__(self, blocks: Sequence[Columns], needed: int) -> None:
        self.rows = np.concatenate(blocks)
        self.splits: list[Split] = []
        self._needed = needed
        self._modes = 0
        self._begins = np.zeros(len(self.rows), np.bool_)
        self._begins[np.cumsum([0, *(len(block) for block in blocks[:-1])])] = True
        self._least = np.maximum(quantum(self.rows) / 2, 1e-9)

    def grow(self, mask: Flags) -> int:
        """Split the masked rows (n,) while they allow; give the split's number or −1 − mode."""
        found = self._best(mask) if self._modes + len(self.splits) < MOST else None
        if found is None:
            self._modes += 1
            return -self._modes
        split, votes = found
        place = len(self.splits)
        self.splits.append(split)
        split.below = self.grow(mask & (votes < -BAND))
        split.above = self.grow(mask & (votes > BAND))
        return place

    def _best(self, mask: Flags) -> tuple[Split, Columns] | None:
        """Give the clearest split of the masked rows that holds, and how all rows (n,) vote."""
        rows = self.rows[mask]
        if len(rows) < 2 * self._needed:
            return None
        cuts = {j: cut for j in range(rows.shape[1]) if (cut := self._cut(rows[:, j], j))}
        sides = {j: rows[:, j] > cut.threshold for j, cut in cuts.items()}
        waiting = sorted(cuts, key=lambda j: -cuts[j].apart)
        while waiting:
            first = sides[waiting[0]]
            same = {j: float(np.mean(sides[j] == first)) for j in waiting}
            alike = [j for j in waiting if max(same[j], 1 - same[j]) >= ALIKE]
            low = np.array([cuts[j].low for j in alike])
            high = np.array([cuts[j].high for j in alike])
            sign = np.array([1.0 if same[j] > 0.5 else -1.0 for j in alike])
            split = Split(np.array(alike), (low + high) / 2, sign * (high - low) / 2, -1, -1, 0)
            votes = split.votes(self.rows)
            if self._stays(split, votes, mask):
                return split, votes
            waiting = [j for j in waiting if j not in alike]
        return None

    def _cut(self, column: Columns, j: int) -> _Cut | None:
        """Give Otsu's threshold of one signal, if its two sides are modes."""
        values = np.sort(column[np.isfinite(column)])
        count, needed = len(values), self._needed
        if count < 2 * needed:
            return None
        below = np.arange(needed, count - needed + 1)
        summed = np.cumsum(values)
        total = summed[-1]
        low, high = summed[below - 1] / below, (total - summed[below - 1]) / (count - below)
        at = int(below[(below * (count - below) * (high - low) ** 2).argmax()])
        sides = values[:at], values[at:]
        lower, upper = (float(np.median(side)) for side in sides)
        square = sum(
            max(1.4826 * float(np.median(np.abs(side - middle))), self._least[j]) ** 2
            for side, middle in zip(sides, (lower, upper), strict=True)
        )
        apart = (upper - lower) / (square / 2) ** 0.5
        third = (upper - lower) / 3
        between = np.searchsorted(values, (lower + third, upper - third))
        if apart < APART or between[1] - between[0] > BETWEEN * count:
            return None
        return _Cut(float(values[at - 1] + values[at]) / 2, lower, upper, apart)

    def _stays(self, split: Split, votes: Columns, mask: Flags) -> bool:
        """Tell whether the machine came to both sides and stayed; note how long changes take."""
        side = np.where(votes > BAND, 1, np.where(votes < -BAND, -1, 0))
        side[~mask | np.isnan(votes)] = 2
        turns = np.flatnonzero(self._begins | np.append(True, side[1:] != side[:-1]))
        lengths = np.diff(np.append(turns, len(side)))
        kinds, fresh = side[turns], self._begins[turns]
        between = lengths[kinds == 0]
        split.patience = PATIENCE * (int(between.max()) if len(between) else 0) + SURE
        for one in (-1, 1):
            stays = kinds == one
            # what stands at the begin of a stretch did not come then
            came = np.count_nonzero(stays & ~fresh)
            if came < VISITS or lengths[stays].sum() < STAYS * np.count_nonzero(stays):
                return False
        return True
