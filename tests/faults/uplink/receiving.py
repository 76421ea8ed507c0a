"""The judge of the way upstream: what a real InfluxDB holds, beside what the source made."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.influx.config import InfluxConfig
from plant.tags import Tag
from tests.faults.evidence import Evidence, Samples
from tests.faults.plc import Witness
from tests.parts.stores.proxy import FaultProxy
from tests.parts.stores.servers import Store, asked, fetched, influx1

DATABASE = "plant"
MS = 1_000_000


@dataclass
class Central:
    """An InfluxDB with a proxy before it."""

    store: Store
    proxy: FaultProxy

    def config(self, **more: Any) -> InfluxConfig:
        """The sink that sends every sample to it."""
        settings = {"name": "central", "url": self.proxy.url, "api": "v1", "bucket": DATABASE}
        return InfluxConfig.model_validate({**settings, "raw": True, "timeout_s": 5.0, **more})

    def query(self, text: str) -> list[dict[str, Any]]:
        """Ask the store itself, without the proxy."""
        return asked(self.store.url, DATABASE, text)

    def write(self, line: str) -> None:
        """Write a line as somebody else would."""
        if not line:
            return
        request = urllib.request.Request(
            f"{self.store.url}/write?db={DATABASE}", line.encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 204

    def points(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Give the Good samples of every signal: times, ns, and values."""
        found = {}
        for series in self.query('SELECT v, q FROM "signal" WHERE q = 0 GROUP BY "signal"'):
            rows = [row for row in series["values"] if row[1] is not None]
            at = np.array([row[0] for row in rows], np.int64)
            found[series["tags"]["signal"]] = at, np.array([row[1] for row in rows], np.float64)
        return found

    def lines(self, measurement: str = "signal") -> int:
        """How many lines of a measurement the store said yes to; the same twice counts twice."""
        start = f"{measurement},"
        return sum(
            line.startswith(start)
            for heard in self.proxy.writes
            if heard.status == 204
            for line in heard.lines
        )


@contextmanager
def central(folder: Path) -> Iterator[Central]:
    """Run an InfluxDB with a database, and the proxy."""
    store = influx1(folder)
    store.start()
    try:
        fetched(f"{store.url}/query", {"q": f"CREATE DATABASE {DATABASE}"})
        with FaultProxy(store.port) as proxy:
            yield Central(store, proxy)
    finally:
        store.stop()


@dataclass(frozen=True)
class Verdict:
    """What came of the samples of one run.

    Parameters
    ----------
    made
        Values that the source made, of all its tags.
    acknowledged
        Of those, what the source was told that it may forget.
    lost
        Acknowledged ones that the store lacks.
    invented
        Values of the store that the source never made at that time.
    """

    made: int
    acknowledged: int
    lost: int
    invented: int


def judged(
    witness: Witness, tags: Sequence[Tag], evidence: Evidence, held: dict[str, Any]
) -> Verdict:
    """Hold the store against the source's ledger and against the journal."""
    ticks = np.unique(np.asarray(witness.ticks, np.int64))
    acknowledged = lost = invented = 0
    for index, tag in enumerate(tags):
        at, value = held.get(tag.signal, (np.empty(0, np.int64), np.empty(0)))
        invented += _invented(at, value, ticks, witness.period, index)
        mine: Samples = evidence.of(tag.name)
        good = mine.where(mine.good)
        acknowledged += len(np.unique(good.at))
        lost += len(np.setdiff1d(good.at, at))
    return Verdict(len(ticks) * len(tags), acknowledged, lost, invented)


def _invented(
    at: NDArray[np.int64],
    value: NDArray[np.float64],
    made: NDArray[np.int64],
    period_ms: int,
    index: int,
) -> int:
    tick = at / (period_ms * MS)
    right = (tick == np.round(tick)) & (value == 1000 * np.round(tick) + index)
    right &= np.isin(np.round(tick).astype(np.int64), made)
    return int(np.count_nonzero(~right))


def drained(ask: Any, seconds: float = 90.0) -> float:
    """Wait until the sink has everything; give how long that took, s."""
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        (row,) = [one for one in ask() if one["name"] == "central"]
        if row["state"] == "up" and row["unsent_s"] < 2.5 and not row["backlog"]:
            return time.monotonic() - begun
        time.sleep(0.2)
    raise AssertionError(f"the backlog is not sent within {seconds:.0f} s: {row}")
