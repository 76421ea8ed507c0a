"""What a gateway tells of itself and of its assets at every sink: so often, and on change."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.journal import JSON, EventRecord
from gateway.metrics import LATENCY_S, Figures

EVERY_S = 60.0
"""Told at least so often, s, so that whoever asks for the last quarter of an hour finds it."""
CHANGES_S = 5.0
"""A change of an asset's state is told within this time, s; its alarms are told at once."""
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
    """

    asset: str
    ne107: int
    mode: int
    machine: int

    def event(self, at: int) -> EventRecord:
        """Write it down; `at` in ns."""
        body: dict[str, JSON] = {
            "asset": self.asset,
            "ne107": self.ne107,
            "mode": self.mode,
            "machine": self.machine,
        }
        return EventRecord("state", at, body)


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
        self._reads = self._delays()

    def due(self) -> bool:
        """Tell whether to look at the assets again."""
        return time.monotonic() - self._changes >= CHANGES_S

    def look(
        self, standing: Sequence[Standing], *, journal_bytes: int, unsent_s: float, good: float
    ) -> list[EventRecord]:
        """Give what is to be told now of the assets, and once a minute of the gateway."""
        now, at = time.monotonic(), time.time_ns()
        self._changes = now
        whole = now - self._told >= EVERY_S
        events = [one.event(at) for one in standing if whole or self._stood.get(one.asset) != one]
        self._stood = {one.asset: one for one in standing}
        if whole:
            self._told = now
            events.append(self._gateway(at, journal_bytes, unsent_s, good))
        return events

    def _gateway(self, at: int, journal_bytes: int, unsent_s: float, good: float) -> EventRecord:
        body: dict[str, JSON] = {
            "journal_bytes": journal_bytes,
            "unsent_s": round(unsent_s, 1),
            "read_p95_ms": self._read_p95_ms(),
            "bad_quality_ratio": round(1.0 - good, 6),
            "rss_mb": round(resident_bytes() / 1e6, 1),
        }
        return EventRecord("gateway", at, body)

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
