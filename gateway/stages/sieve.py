"""What fills a gap and is new: neither known before it, nor brought by the link that came back."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plant.samples import Recovery

NEVER = -(2**62)
NOTED = 500_000
"""Samples of one gap that are noted as having come; beyond that nothing newer is let through."""

Times = NDArray[np.int64]
Handles = NDArray[np.int32]


class Sieve:
    """The samples of one gap that may still come.

    Of one tag a sample of the history is new when its time lies behind the last one before the gap,
    not behind the end of the gap, and neither a live batch nor a republished message has brought
    it. It comes in time order, so that of it only the last time of each tag is remembered.

    A message that is republished was never heard, whatever times it bears and whichever gap it was
    lost in; only where this process has not heard what was before can it be one that is known.

    Parameters
    ----------
    handles
        Tags of the source, ascending, int32 (k,).
    floor
        Time of the last sample of each before the gap, ns, int64 (k,).
    stop
        End of the gap, ns.
    unheard
        What is republished is known not to have been heard before.

    Attributes
    ----------
    crowded : bool
        Something was turned away because more came than could be noted.
    """

    def __init__(self, handles: Handles, floor: Times, stop: int, *, unheard: bool = False) -> None:
        self._unheard = unheard
        self._stop = stop
        self.crowded = False
        self._handles = handles
        self._floor = floor
        self._reach = floor.copy()
        self._until = stop
        self._came_tag = np.empty(0, np.int32)
        self._came_at = np.empty(0, np.int64)
        self.brought = 0
        """Samples from within the gap that live batches brought."""

    def admit(self, tag: Handles, at: Times, kind: Recovery) -> NDArray[np.bool_]:
        """Tell which recovered samples are new, bool (n,)."""
        column, known = self._columns(tag)
        if kind is Recovery.HISTORY:
            late = known & (at > self._reach[column]) & (at <= self._stop)
            fresh = late & (at <= self._until)
            self.crowded |= bool(np.any(late & ~fresh))
        else:
            floor = self._floor[column]
            fresh = known & (at != floor if self._unheard else at > floor)
        if len(self._came_at) and fresh.any():
            fresh &= ~self._came(column, at)
        return fresh

    def fill(self, tag: Handles, at: Times, kind: Recovery) -> None:
        """Take note of recovered samples that were let through."""
        if kind is Recovery.HISTORY:
            column, known = self._columns(tag)
            # One tag's samples stand in time order: the last one assigned is its newest.
            self._reach[column[known]] = at[known]
        else:
            self._note(tag, at, self._columns(tag)[1])

    def bring(self, tag: Handles, at: Times) -> None:
        """Take note of what a live batch brought from within the gap."""
        if len(at) and int(at.min()) <= self._until:
            column, known = self._columns(tag)
            if len(self._handles):
                inside = known & (at > self._floor[column]) & (at <= self._until)
                self.brought += self._note(tag, at, inside)

    def _columns(self, tag: Handles) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        if not len(self._handles):
            return np.zeros(len(tag), np.intp), np.zeros(len(tag), np.bool_)
        column = np.searchsorted(self._handles, tag).clip(max=len(self._handles) - 1)
        return column, self._handles[column] == tag

    def _note(self, tag: Handles, at: Times, inside: NDArray[np.bool_]) -> int:
        room = NOTED - len(self._came_at)
        beyond = at[inside][room:]
        if len(beyond):
            self._until = min(self._until, int(beyond.min()) - 1)
        self._came_tag = np.concatenate([self._came_tag, tag[inside][:room]])
        self._came_at = np.concatenate([self._came_at, at[inside][:room]])
        return int(np.count_nonzero(inside))

    def _came(self, column: NDArray[np.intp], at: Times) -> NDArray[np.bool_]:
        """Tell which samples (n,) have come already: pairs of tag and time, compared exactly."""
        moments, place = np.unique(self._came_at, return_inverse=True)
        keys = place * len(self._handles) + self._columns(self._came_tag)[0]
        at_place = np.searchsorted(moments, at).clip(max=len(moments) - 1)
        same: NDArray[np.bool_] = np.isin(at_place * len(self._handles) + column, keys)
        same &= moments[at_place] == at
        return same

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything held, as arrays."""
        return {
            "handles": self._handles,
            "floor": self._floor,
            "reach": self._reach.copy(),
            "came_tag": self._came_tag,
            "came_at": self._came_at,
            "bounds": np.array(
                [self._until, self.brought, self._stop, self._unheard, self.crowded], np.int64
            ),
        }

    @classmethod
    def restored(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Make one from its state."""
        until, brought, stop, unheard, crowded = state["bounds"].tolist()
        sieve = cls(state["handles"], state["floor"], stop, unheard=bool(unheard))
        sieve._until, sieve.crowded = until, bool(crowded)
        sieve._reach = state["reach"].copy()
        sieve._came_tag, sieve._came_at = state["came_tag"], state["came_at"]
        sieve.brought = brought
        return sieve
