"""The baselines of one asset, one a mode: gathered together, parted where modes are found."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from analytics.baselines import ModeBaseline
from analytics.contract import State
from analytics.histories import ModeHistory
from analytics.regimes import Regimes, find
from analytics.relations import Relations
from analytics.rows import BlockStore
from analytics.scaling import scale_floor
from analytics.states import part_of, prefixed

Columns = NDArray[np.float64]

MODES = 64
"""Modes that can have a baseline; an asset that shows more has no mode tag but a counter."""
ENTERS, SHORTEST = 20, 30
"""Rows after a change between found modes that are not learnt, because the machine settles; and
rows below which what is left of a stay tells nothing."""


class ModeBaselines:
    """The baselines of one asset, one a mode.

    Parameters
    ----------
    signals
        Names of the columns.
    needed
        Rows of a mode before it is judged.
    limit
        See `limits.limit_of`.
    shared
        Relations of a mode that were learnt by machines of the same class, see `channels.learn`.
    """

    def __init__(
        self,
        signals: Sequence[str],
        needed: int,
        limit: float,
        shared: Mapping[int, Relations] | None = None,
    ) -> None:
        self.shared = dict(shared or {})
        self._signals = len(signals)
        self._needed, self._limit = needed, limit
        self._modes: dict[int, ModeHistory | ModeBaseline] = {}
        self._ready: dict[int, ModeBaseline] = {}

    def __getitem__(self, mode: int) -> ModeBaseline:
        return self._ready[mode]

    def get(self, mode: int) -> ModeBaseline | None:
        """Give the baseline of a mode; None while it cannot be judged."""
        return self._ready.get(mode)

    @property
    def any_learnt(self) -> bool:
        """Whether some mode can be judged."""
        return bool(self._ready)

    def first(self, mode: int) -> bool:
        """Tell whether a mode has been entered once only."""
        known = self._modes.get(mode)
        return known is not None and known.visits == 1

    def progress(self, mode: int) -> float:
        """How much of a mode is learnt, 0 to 1."""
        known = self._modes.get(mode)
        if known is None:
            return 0.0
        if isinstance(known, ModeBaseline):
            return 1.0
        return min(0.99, known.gathered / self._needed)

    def visit(self, mode: int) -> None:
        """Note that a mode was entered."""
        known = self._modes.get(mode)
        if known is None:
            if len(self._modes) >= MODES:
                return
            known = self._modes[mode] = ModeHistory(self._signals, self._limit)
        known.visit()

    def gather(self, mode: int, row: Columns, age: int, slow: Columns) -> None:
        """Keep one healthy row (p,) of a mode that was entered, and see how it was entered.

        Parameters
        ----------
        age
            Rows since the means began anew.
        slow
            The slow means (p,).
        """
        known = self._modes.get(mode)
        if isinstance(known, ModeHistory):
            known.gather(row, age, slow)

    def part(self) -> Regimes | None:
        """Part what was gathered by modes that nobody declared; None if there is one mode only."""
        if len(self._modes) != 1:
            return None
        (only,) = self._modes.values()
        if isinstance(only, ModeBaseline):
            return None
        stretches = only.stretches
        found = find(stretches, self._needed)
        if found is None:
            return None
        regimes, told = found
        stands_for = only.gathered / sum(map(len, stretches))
        self._modes = {}
        for mode in range(len(regimes)):
            stays = list(_stays(stretches, told, mode))
            rows = int(sum(map(len, stays)) * stands_for)
            store = BlockStore.of(self._signals, stays, rows)
            self._modes[mode] = ModeHistory(self._signals, self._limit, store, len(stays))
        return regimes

    def fit(self) -> None:
        """Fit every mode that has enough rows and is not fitted yet."""
        waiting = {mode: each for mode, each in self._modes.items() if self._enough(each)}
        if waiting:
            floor = scale_floor(np.concatenate([_rows(each) for each in self._modes.values()]))
            for mode, history in waiting.items():
                self._modes[mode] = self._ready[mode] = history.fit(floor, self.shared.get(mode))

    def learn(self, mode: int, row: Columns, age: int, slow: Columns) -> None:
        """Keep one healthy row of a mode, see `gather`, and fit the mode when it has enough."""
        self.gather(mode, row, age, slow)
        if self._enough(self._modes.get(mode)):
            self.fit()

    def _enough(self, known: ModeHistory | ModeBaseline | None) -> TypeGuard[ModeHistory]:
        return isinstance(known, ModeHistory) and known.gathered >= self._needed

    def state(self) -> State:
        """Give all baselines as arrays."""
        known: dict[str, NDArray[Any]] = {"modes": np.array(list(self._modes), np.int64)}
        for mode, baseline in self._modes.items():
            known |= prefixed(f"{mode}.", baseline.state())
        return known

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._modes, self._ready = {}, {}
        for mode in state["modes"].tolist():
            part = part_of(state, f"{mode}.")
            if "turn" in part:
                self._modes[mode] = self._ready[mode] = ModeBaseline.restore(part)
            else:
                self._modes[mode] = ModeHistory.restore(part)


def _rows(known: ModeHistory | ModeBaseline) -> Columns:
    """Give the rows (n, p) that are kept; of a mode that is learnt its level."""
    return known.centre[None, :] if isinstance(known, ModeBaseline) else known.rows


def _stays(
    stretches: Sequence[Columns], told: Sequence[NDArray[np.intp]], mode: int
) -> Iterator[Columns]:
    """Give the settled rows (n, p) of every stay in a mode."""
    for rows, modes in zip(stretches, told, strict=True):
        edges = np.flatnonzero(np.diff(modes)) + 1
        for begin, end in pairwise([0, *edges.tolist(), len(rows)]):
            settled = begin + ENTERS if begin else 0
            if modes[begin] == mode and end - settled >= SHORTEST:
                yield rows[settled:end]
