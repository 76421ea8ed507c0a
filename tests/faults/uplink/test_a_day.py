"""P19: a day without a network, and its return: what was kept, how fast it goes, what is fresh."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.influx.sink import InfluxSink
from gateway.config.plan import Plan
from gateway.journal import EventRecord, Journal, Record, ScoreRecord, SummaryRecord
from gateway.uplink import Uplinks
from plant.summaries import LENGTHS, MINUTE, TEN_SECONDS
from plant.tags import Tag, TagHandle
from tests.faults.rows import Row
from tests.faults.uplink.receiving import Central, central

TAGS, ASSETS = 50, 5
DAY_S = 86_400
S = 1_000_000_000
FRESH_WITHIN_S = 5.0
TIMES = 10.0


def windows(tags: int, every: int, start: int) -> SummaryRecord:
    handles = np.arange(1, tags + 1, dtype=np.int32)
    count = np.full(tags, every // S, np.uint32)
    value = handles + (start // S % DAY_S) / DAY_S
    return SummaryRecord(
        "plc", every, handles, np.full(tags, start, np.int64), count, count,
        value, value, value, value, value, value,
    )  # fmt: skip


def scores(asset: int, start: int) -> ScoreRecord:
    at = start + S * np.arange(10, dtype=np.int64)
    return ScoreRecord(f"a/l/m{asset}", at, at / S, np.ones(10), np.zeros(10, np.uint8))


def made_from(start: int, stop: int) -> Iterator[Record]:
    """What a gateway of 50 tags and 5 assets puts into its journal over source times, ns."""
    for at in range(start, stop, TEN_SECONDS):
        for every in LENGTHS:
            if at % every == 0:
                yield windows(TAGS, every, at)
        for asset in range(ASSETS):
            yield scores(asset, at)
        if at % MINUTE == 0:
            yield EventRecord("gateway", at, {"rss_mb": 90.0})
            for asset in range(ASSETS):
                body: dict[str, Any] = {"asset": f"a/l/m{asset}", "ne107": 0, "mode": 1}
                yield EventRecord("state", at, {**body, "machine": 2})


class Living:
    """Goes on to put records into the journal, as in real time, once a second."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.put: list[int] = []
        """Times of the live states, ns: they are what they say."""

    def __enter__(self) -> "Living":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            now = time.time_ns()
            self.put.append(now)
            body: dict[str, Any] = {"asset": "a/l/live", "ne107": 3, "mode": 1, "machine": 3}
            self._journal.append(EventRecord("state", now, body))
            at = now // S * S
            self._journal.append(*(scores(asset, at) for asset in range(ASSETS)))
            if at % TEN_SECONDS == 0:
                self._journal.append(windows(TAGS, TEN_SECONDS, at))
            self._journal.commit_now()


def delays(store: Central, put: list[int]) -> list[float]:
    """For each live state, the time until the store had it, s; inf where it never came."""
    came: dict[int, float] = {}
    for heard in store.proxy.writes:
        for line in heard.lines:
            if heard.status == 204 and line.startswith("state,") and "asset=live" in line:
                came.setdefault(int(line.rpartition(" ")[2]), heard.at)
    return [came.get(at, float("inf")) - at / 1e9 for at in put]


def in_order(store: Central) -> bool:
    """Whether the backlog of one signal's minutes came oldest first."""
    found = [
        int(line.rpartition(" ")[2])
        for heard in store.proxy.writes
        for line in heard.lines
        if line.startswith("signal_1m,") and "signal=t7 " in line
    ]
    first = list(dict.fromkeys(found))
    return first == sorted(first)


@pytest.mark.pain(
    "P19",
    "a day without a network (50 tags, 5 assets: windows of 10 s, 1 min, 1 h, scores, states), "
    "then its return, while the gateway goes on",
    "journal → proxy → InfluxDB 1.6",
    "every row arrives; oldest first; drains ≥ 10 × as fast as it came in; live states ≤ 5 s old",
)
def test_p19_a_day_without_a_network(tmp_path: Path, row: Row) -> None:
    stop = time.time_ns() // TEN_SECONDS * TEN_SECONDS
    start = stop - DAY_S * S
    journal = Journal.open(tmp_path / "journal.db")
    tags = [Tag(name=f"a/l/m{n % ASSETS}/t{n}", source="plc", address="") for n in range(TAGS)]
    handles: list[TagHandle] = journal.register(tags, start)
    for number, record in enumerate(made_from(start, stop)):
        journal.append(record)
        if number % 5000 == 0:
            journal.commit_now()
    journal.commit_now()
    with journal._writer as connection:
        # What took a minute to write has waited for a day.
        connection.execute("UPDATE mark SET at = at - ?", (DAY_S * S,))
    journal.close()
    journal = Journal.open(tmp_path / "journal.db")
    with central(tmp_path) as store:
        config = store.config(raw=False, windows=("10s", "1m", "1h"))
        plan = Plan(name="faults", data=tmp_path, sinks=(config,))
        uplinks = Uplinks(plan, journal, handles, lambda _: InfluxSink(config, handles, "faults"))
        begun = time.monotonic()
        uplinks.start()
        goal = journal.committed
        with Living(journal) as living:
            while journal.cursor("sink:central") < goal:
                assert time.monotonic() - begun < 900, uplinks.rows()
                time.sleep(0.2)
                uplinks.look()
            took = time.monotonic() - begun
            time.sleep(3.0)
        asyncio.run(uplinks.stop())
        counts = {
            name: sum(
                int(series["values"][0][1])
                for series in store.query(f'SELECT count({field}) FROM "{name}"')
            )
            for name, field in (("signal_10s", "n"), ("signal_1m", "n"), ("signal_1h", "n"))
        }
        fresh = delays(store, living.put[:-3])
        ordered = in_order(store)
    journal.close()
    rows = TAGS * sum(DAY_S * S // every for every in LENGTHS) + ASSETS * DAY_S
    row.measured(
        rows=f"{rows:,}",
        sent_within=f"{took:.0f} s",
        rows_a_second=f"{rows / took:,.0f}",
        times_as_fast_as_it_came_in=f"{DAY_S / took:,.0f}",
        live_states=f"{len(fresh)}, {max(fresh):.1f} s old at most",
        oldest_first=ordered,
        windows=f"{sum(counts.values()):,} in the store",
    )
    assert DAY_S / took >= TIMES
    assert max(fresh) <= FRESH_WITHIN_S
    assert ordered
    expected = {
        name: TAGS * DAY_S * S // every
        for name, every in zip(("signal_10s", "signal_1m", "signal_1h"), LENGTHS, strict=True)
    }
    assert all(counts[name] >= expected[name] for name in expected), (counts, expected)
