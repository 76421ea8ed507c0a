"""What a gateway tells of itself and of its assets at every sink: so often, and on change."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.journal import JSON, EventRecord
from gateway.metrics import LATENCY_S, Figures
from plant.alarms import AlarmState

EVERY_S = 60.0
"""Told at least so often, s, so that whoever asks for the last quarter of an hour finds it."""
CHANGES_S = 5.0
"""A change of an asset's state is told within this time, s; its alarms are told at once."""
NORMALS_S = 600.0
"""What is normal for an asset moves slowly; it is told so often, s."""
AGAIN = "again"
"""In the event of a state that was told before and stands as it stood: nobody waits for that."""
STATM = Path("/proc/self/statm")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Standing:
    """How an asset stands, in numbers.

    Parameters
    ----------
    asset
        Its path.
    ne107
        A `plant.assets.Health` number.
    mode
        Its operating mode; -1 while it is not known.
    machine
        How far it is watched: 0 not read, 1 learning, 2 watching, 3 alarmed.
    alarm, priority, state, reason
        Number, priority (1 to 4), state and sentence of its open incident; 0, 0, NORM and nothing
        without one.
    figures
        What moves all the time and is no news by itself.
    """

    asset: str
    ne107: int
    mode: int
    machine: int
    alarm: int = 0
    priority: int = 0
    state: AlarmState = AlarmState.NORMAL
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict, compare=False)

    def event(self, at: int, *, again: bool = False) -> EventRecord:
        """Write it down; `at` in ns; `again` when it was told before, and nothing has changed."""
        body: dict[str, JSON] = {
            "asset": self.asset,
            "ne107": self.ne107,
            "mode": self.mode,
            "machine": self.machine,
            "alarm": self.alarm,
            "priority": self.priority,
            "alarm_state": str(self.state),
            "reason": self.reason,
            **self.figures,
        }
        return EventRecord("state", at, body | ({AGAIN: True} if again else {}))


@dataclass(frozen=True, slots=True)
class Normal:
    """What is normal for an asset in its present mode.

    Parameters
    ----------
    asset, mode
        Its path, and the mode.
    signals
        Tag names (p,).
    low, high, expected
        Band and middle of each, float64 (p,), engineering unit; NaN where not learnt.
    drift
        How far each has moved since it was learnt, in its own spreads, float64 (p,).
    """

    asset: str
    mode: int
    signals: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    expected: NDArray[np.float64]
    drift: NDArray[np.float64]

    @property
    def known(self) -> bool:
        """Whether anything is learnt in this mode."""
        return bool(np.isfinite(self.low).any())

    def event(self, at: int) -> EventRecord:
        """Write it down, without what is not learnt; `at` in ns."""
        rows = np.flatnonzero(np.isfinite(self.low))
        body: dict[str, JSON] = {
            "asset": self.asset,
            "mode": self.mode,
            "signals": [self.signals[row] for row in rows.tolist()],
        }
        for name in ("low", "high", "expected", "drift"):
            column: NDArray[np.float64] = getattr(self, name)[rows]
            body[name] = [float(f"{value:.6g}") for value in column.tolist()]
        return EventRecord("normal", at, body)


class Vitals:
    """Remembers what was last told.

    Parameters
    ----------
    figures
        What the gateway counts.
    """

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._stood: dict[str, Standing] = {}
        self._told = self._changes = -EVERY_S
        self._normal: dict[str, float] = {}
        self._reads = self._delays()
        self._worked = time.monotonic(), time.process_time()

    def due(self) -> bool:
        """Tell whether to look at the assets again."""
        return time.monotonic() - self._changes >= CHANGES_S

    def look(
        self,
        standing: Sequence[Standing],
        *,
        journal_bytes: int,
        unsent_s: float,
        good: float,
        certificate_days: Callable[[], float | None] = lambda: None,
        normals: Callable[[], Iterable[Normal]] = tuple,
    ) -> list[EventRecord]:
        """Give what is to be told now of the assets, and once a minute of the gateway.

        The last two are asked once a minute; what is normal for an asset is told as soon as
        anything is learnt, and every `NORMALS_S` from then on.
        """
        now, at = time.monotonic(), time.time_ns()
        self._changes = now
        whole = now - self._told >= EVERY_S
        same = [self._stood.get(one.asset) == one for one in standing]
        events = [
            one.event(at, again=again)
            for one, again in zip(standing, same, strict=True)
            if whole or not again
        ]
        self._stood = {one.asset: one for one in standing}
        if whole:
            self._told = now
            events += [one.event(at) for one in normals() if self._is_news(one, now)]
            events.append(self._gateway(at, journal_bytes, unsent_s, good, certificate_days()))
        return events

    def _is_news(self, one: Normal, now: float) -> bool:
        if not one.known or now - self._normal.get(one.asset, -NORMALS_S) < NORMALS_S:
            return False
        self._normal[one.asset] = now
        return True

    def _gateway(
        self, at: int, journal_bytes: int, unsent_s: float, good: float, days: float | None
    ) -> EventRecord:
        body: dict[str, JSON] = {
            "journal_bytes": journal_bytes,
            "unsent_s": round(unsent_s, 1),
            "read_p95_ms": self._read_p95_ms(),
            "bad_quality_ratio": round(1.0 - good, 6),
            "rss_mb": round(resident_bytes() / 1e6, 1),
            "cpu_ratio": self._cpu_ratio(),
        }
        if days is not None:
            body["certificate_days"] = round(days, 2)
        return EventRecord("gateway", at, body)

    def _cpu_ratio(self) -> float:
        """Give the processor time since the last time, in processors."""
        (before, spent), now = self._worked, (time.monotonic(), time.process_time())
        self._worked = now
        return round((now[1] - spent) / (now[0] - before), 4) if now[0] > before else 0.0

    def _delays(self) -> NDArray[np.int64]:
        counts = [latency.counts() for latency in self._figures.reads.values()]
        return np.sum(counts, axis=0) if counts else np.zeros(len(LATENCY_S) + 1, np.int64)

    def _read_p95_ms(self) -> float:
        """Give the bound below which 95 % of the reads since the last time were in work, ms."""
        before, self._reads = self._reads, self._delays()
        fresh = np.cumsum(self._reads - before)
        if not fresh[-1]:
            return 0.0
        place = int(np.searchsorted(fresh, 0.95 * fresh[-1]))
        return float(LATENCY_S[min(place, len(LATENCY_S) - 1)] * 1000)


def resident_bytes() -> int:
    """Give the memory of this process that is resident, bytes."""
    return int(STATM.read_text("ascii").split()[1]) * PAGE
