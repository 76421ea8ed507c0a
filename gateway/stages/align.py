"""Samples to rows: the last Good value of every tag on a common grid of source time.

A tick is emitted once every source of the group has delivered everything up to it (the batches'
`upto`), so a replay at any speed gives the rows that live reading gave. Where a source was silent
for longer than its stale limit its values are unknown from then on, not held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.stages.clocks import NEVER, SourceClock
from plant.quality import is_good
from plant.samples import Batch
from plant.tags import TagHandle

CHUNK = 4096
"""Ticks made at once; bounds the memory that a long silence costs."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Aligned rows: `at` int64 (n,), `value` float64 (n, columns); NaN = not Good or not known."""

    at: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(slots=True)
class _Samples:
    column: list[NDArray[np.intp]] = field(default_factory=list)
    at: list[NDArray[np.int64]] = field(default_factory=list)
    value: list[NDArray[np.float64]] = field(default_factory=list)

    def add(
        self, column: NDArray[np.intp], at: NDArray[np.int64], value: NDArray[np.float64]
    ) -> None:
        self.column.append(column)
        self.at.append(at)
        self.value.append(value)

    def in_time_order(
        self,
    ) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64]]:
        if not self.at:
            return np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0)
        column, at = np.concatenate(self.column), np.concatenate(self.at)
        value = np.concatenate(self.value)
        order = np.argsort(at, kind="stable")
        return column[order], at[order], value[order]


class Alignment:
    """The grid of one group of assets that are fed by the same sources.

    Parameters
    ----------
    tags
        Tags of the group, in the order of the rows' columns.
    stale_ns
        Per source: longest silence, ns, after which its last values no longer count.
    grid_ns
        Distance of two ticks, ns.
    """

    def __init__(
        self, tags: Sequence[TagHandle], stale_ns: Mapping[str, int], grid_ns: int
    ) -> None:
        handles = [tag.handle for tag in tags]
        self._grid = grid_ns
        self._clocks = {
            name: SourceClock(stale, alone=len(stale_ns) == 1) for name, stale in stale_ns.items()
        }
        self._fed = {
            name: np.flatnonzero([tag.tag.source == name for tag in tags]) for name in stale_ns
        }
        self._column = np.full(max(handles, default=-1) + 1, -1, np.intp)
        self._column[np.asarray(handles, np.intp)] = np.arange(len(handles))
        self._held = np.full(len(handles), np.nan)
        self._held_at = np.full(len(handles), NEVER, np.int64)
        self._next = NEVER
        self._pending = _Samples()

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources that feed the group."""
        return tuple(self._clocks)

    def reconnected(self, source: str) -> None:
        """Note that the next live batch of `source` is the first of a connection."""
        self._clocks[source].fresh = True

    def add(self, batch: Batch) -> Rows | None:
        """Take a scaled batch; give the rows that are now complete, oldest first."""
        clock = self._clocks[batch.source]
        at, silences = clock.take(batch)
        if self._next == NEVER:
            self._next = self._tick_from(int(at.min()) if len(at) else clock.upto)
        self._forget(batch.source, silences)
        known = batch.tag < len(self._column)
        column = self._column[np.where(known, batch.tag, 0)]
        mine = known & (column >= 0)
        if mine.any():
            value = np.where(is_good(batch.status), batch.value, np.nan)
            self._pending.add(column[mine], at[mine], value[mine])
        return self._emit()

    def _forget(self, source: str, silences: NDArray[np.int64]) -> None:
        for end in silences.tolist():
            column = self._fed[source]
            self._pending.add(
                column, np.full(len(column), end, np.int64), np.full(len(column), np.nan)
            )

    def _tick_from(self, at: int) -> int:
        return -(-at // self._grid) * self._grid

    def _hold(
        self, column: NDArray[np.intp], at: NDArray[np.int64], value: NDArray[np.float64]
    ) -> None:
        self._held[column] = value
        self._held_at[column] = at

    def _emit(self) -> Rows | None:
        watermark = min(clock.upto for clock in self._clocks.values())
        if watermark < self._next:
            return None
        column, at, value = self._pending.in_time_order()
        ticks: list[NDArray[np.int64]] = []
        rows: list[NDArray[np.float64]] = []
        while self._next <= watermark:
            if np.isnan(self._held).all():
                # Nothing is known until the next sample: a long silence makes no rows.
                first = self._tick_from(int(at[0])) if len(at) else watermark + 1
                self._next = max(self._next, min(first, self._tick_from(watermark + 1)))
            last = min(watermark, self._next + (CHUNK - 1) * self._grid)
            tick = np.arange(self._next, last + 1, self._grid, dtype=np.int64)
            if not len(tick):
                break
            n = int(np.searchsorted(at, tick[-1], side="right"))
            newer = at[:n] >= self._held_at[column[:n]]
            part = column[:n][newer], at[:n][newer], value[:n][newer]
            ticks.append(tick)
            rows.append(self._fill(tick, *part))
            self._hold(*part)
            column, at, value = column[n:], at[n:], value[n:]
            self._next += len(tick) * self._grid
        self._pending = _Samples()
        self._pending.add(column, at, value)
        return Rows(np.concatenate(ticks), np.concatenate(rows)) if ticks else None

    def _fill(
        self,
        ticks: NDArray[np.int64],
        column: NDArray[np.intp],
        at: NDArray[np.int64],
        value: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Last sample at or before each tick, carried forward; samples stand in time order."""
        table = np.empty((len(ticks) + 1, len(self._held)))
        table[0] = self._held
        source_row = np.zeros(table.shape, np.intp)
        row = np.searchsorted(ticks, at, side="left") + 1
        table[row, column] = value
        source_row[row, column] = row
        np.maximum.accumulate(source_row, axis=0, out=source_row)
        return np.take_along_axis(table, source_row, axis=0)[1:]

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything held, as arrays."""
        column, at, value = self._pending.in_time_order()
        clocks = self._clocks.values()
        return {
            "held": self._held.copy(),
            "held_at": self._held_at.copy(),
            "next": np.array([self._next]),
            "upto": np.array([clock.upto for clock in clocks], np.int64),
            "shift": np.array([clock.shift for clock in clocks], np.int64),
            "lag": np.array([clock.lag for clock in clocks], np.int64),
            "fresh": np.array([clock.fresh for clock in clocks]),
            "pending_column": column.astype(np.int64),
            "pending_at": at,
            "pending_value": value,
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up the state of an alignment over the same tags and sources."""
        self._held = state["held"].copy()
        self._held_at = state["held_at"].copy()
        self._next = int(state["next"][0])
        known = zip(
            *(state[name].tolist() for name in ("upto", "shift", "lag", "fresh")), strict=True
        )
        for clock, said in zip(self._clocks.values(), known, strict=True):
            clock.upto, clock.shift, clock.lag, clock.fresh = said
        self._pending = _Samples()
        self._pending.add(
            state["pending_column"].astype(np.intp), state["pending_at"], state["pending_value"]
        )
