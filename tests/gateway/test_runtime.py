"""A gateway acknowledges what is on disk, ends in time, and never swallows what went wrong."""

import asyncio
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import numpy as np
import pytest

from analytics.monitors import MonitorBank
from gateway import runtime
from gateway.config.plan import Plan
from gateway.journal import EventRecord, Journal, SampleRecord
from gateway.metrics import Metrics
from gateway.pipeline import Pipeline
from gateway.runtime import SNAPSHOT, Gateway
from plant.assets import asset_of
from plant.errors import Unreachable
from plant.samples import Batch, ContextEvent
from plant.tags import Tag

STOP_S = 5.0
TAGS = (Tag(name="a/p/x", source="plc", address=""), Tag(name="a/p/y", source="plc", address=""))


class Plc:
    """A source that delivers a batch each 5 ms and notes what is acknowledged."""

    name = "plc"

    def __init__(self, handles: list[int], *, hangs: bool = False) -> None:
        self.acknowledged: list[int] = []
        self.delivered: list[int] = []
        self._handles = np.array(handles, np.int32)
        self._released = asyncio.Event()
        if not hangs:
            self._released.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._released.wait()

    async def read(self) -> Batch:
        await asyncio.sleep(0.005)
        now = time.time_ns()
        self.delivered.append(now)
        return Batch(
            source=self.name,
            tag=self._handles,
            at=np.full(2, now, np.int64),
            value=np.array([1.0, 2.0]),
            status=np.zeros(2, np.uint32),
            upto=now,
            received=now,
            heard=time.monotonic_ns(),
            context=(ContextEvent(9, now, "R-12"),),
        )

    async def acknowledge(self, batch: Batch) -> None:
        self.acknowledged.append(batch.upto)


class Played:
    """A gateway over one such source, told to stop by the test."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch, *, hangs: bool = False) -> None:
        config: Any = SimpleNamespace(name="plc")
        assets = (asset_of("a/p", TAGS),)
        self.plan = Plan(name="t", data=data, sources=(config,), tags=TAGS, assets=assets)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.first = asyncio.Event()
        self.stop = asyncio.Event()
        self.plc = Plc([1, 2], hangs=hangs)
        monkeypatch.setattr(runtime, "build", lambda _config, _tags: self.plc)

    def hear(self, kind: str, row: dict[str, Any]) -> None:
        self.heard.append((kind, row))
        if kind == "first_value":
            self.first.set()

    def start(self) -> "asyncio.Task[None]":
        gateway = Gateway(self.plan, on_event=self.hear, listen=False)
        return asyncio.create_task(gateway.run(self.stop))

    async def play(self, seconds: float = 0.1) -> None:
        running = self.start()
        await asyncio.wait({running, asyncio.ensure_future(self.first.wait())}, timeout=10,
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        await asyncio.wait({running}, timeout=seconds)
        self.stop.set()
        await running


def on_disk(data: Path) -> list[int]:
    journal = Journal.open(data / "journal.db")
    found = [e.batch.upto for _, e in journal.read() if isinstance(e, SampleRecord)]
    journal.close()
    return found


def test_a_source_that_hangs_does_not_keep_the_rest_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> float:
        played = Played(tmp_path, monkeypatch, hangs=True)
        running = played.start()
        await played.first.wait()
        begun = time.monotonic()
        played.stop.set()
        await running
        return time.monotonic() - begun

    assert asyncio.run(story()) < STOP_S
    assert on_disk(tmp_path)


def test_nothing_is_acknowledged_before_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Journal.commit
    full = True

    async def failing(journal: Journal) -> int:
        if full:
            raise Unreachable("the disk is full")
        return await commit(journal)

    async def story() -> None:
        nonlocal full
        played = Played(tmp_path, monkeypatch)
        running = played.start()
        await played.first.wait()
        await asyncio.sleep(2 * runtime.COMMIT_S)
        assert played.plc.acknowledged == []
        full = False
        await asyncio.sleep(2 * runtime.COMMIT_S)
        played.stop.set()
        await running
        acknowledged = played.plc.acknowledged
        assert acknowledged
        assert acknowledged == on_disk(tmp_path)[: len(acknowledged)]

    monkeypatch.setattr(Journal, "commit", failing)
    asyncio.run(story())


def test_reading_waits_while_the_journal_is_behind_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Journal.commit
    full = True

    async def failing(journal: Journal) -> int:
        if full:
            raise Unreachable("the disk is full")
        return await commit(journal)

    async def story() -> Plc:
        nonlocal full
        played = Played(tmp_path, monkeypatch)
        running = played.start()
        await played.first.wait()
        await asyncio.sleep(4 * runtime.COMMIT_S)
        assert len(played.plc.delivered) == 6, "two samples each, the sixth is beyond the bound"
        full = False
        await asyncio.sleep(2 * runtime.COMMIT_S)
        played.stop.set()
        await running
        return played.plc

    monkeypatch.setattr(Journal, "commit", failing)
    monkeypatch.setattr(runtime, "BEHIND", 10)
    plc = asyncio.run(story())
    stored = on_disk(tmp_path)
    assert len(stored) > 6
    assert stored == plc.delivered[: len(stored)]


def test_a_disk_that_is_full_at_the_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_journal: Journal) -> int:
        raise Unreachable("the disk is full")

    monkeypatch.setattr(Journal, "commit", failing)
    played = Played(tmp_path, monkeypatch)
    with pytest.raises(Unreachable, match="the disk is full"):
        asyncio.run(played.play())


def test_a_fault_in_the_pipeline_ends_the_gateway_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipeline, "take", lambda *_: 1 / 0)
    played = Played(tmp_path, monkeypatch)
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(played.play(10))
    assert caught.group_contains(ZeroDivisionError)


def test_a_fault_in_committing_ends_the_gateway_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_journal: Journal) -> int:
        raise ZeroDivisionError("committing")

    monkeypatch.setattr(Journal, "commit", failing)
    with pytest.raises(ZeroDivisionError, match="committing"):
        asyncio.run(Played(tmp_path, monkeypatch).play(10))


def test_samples_that_no_monitor_scored_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MonitorBank, "judge", lambda *_: 1 / 0)
    figures = Metrics().figures
    monkeypatch.setattr(runtime, "Metrics", lambda: SimpleNamespace(figures=figures))
    asyncio.run(Played(tmp_path, monkeypatch).play())
    assert figures.unscored == sum(figures.samples.values()) > 0


def test_damaged_snapshots_cost_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(Played(tmp_path, monkeypatch).play())
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("UPDATE snapshot SET body = zeroblob(100)")
    connection.commit()
    connection.close()
    before = on_disk(tmp_path)
    again = Played(tmp_path, monkeypatch)
    asyncio.run(again.play())
    damages = [row for kind, row in again.heard if kind == "damaged"]
    assert len(damages) == 1
    assert SNAPSHOT in damages[0]["why"]
    assert on_disk(tmp_path)[: len(before)] == before


def folded(plan: Plan, journal: Journal, upto: int) -> dict[str, Any]:
    """Give the state after the record at `upto`, from the journal's records alone."""
    pipeline = Pipeline(plan, journal.register(plan.tags, 0), lambda _name, call: call())
    assert pipeline.replay(journal.read(upto=upto)) == []
    return pipeline.state()


def test_a_snapshot_is_the_state_at_its_position_also_after_a_restart_from_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = Played(tmp_path, monkeypatch)
    asyncio.run(played.play())
    journal = Journal.open(tmp_path / "journal.db")
    samples = [at for at, entry in journal.read() if isinstance(entry, SampleRecord)]
    cut = samples[len(samples) // 2] - 1
    journal.save_snapshot(SNAPSHOT, cut, folded(played.plan, journal, cut))
    journal.commit_now()
    journal.close()
    asyncio.run(Played(tmp_path, monkeypatch).play())
    journal = Journal.open(tmp_path / "journal.db")
    position, state = journal.load_snapshot(SNAPSHOT) or (0, {})
    assert position == journal.committed > samples[-1]
    expected = folded(played.plan, journal, position)
    journal.close()
    assert state.keys() == expected.keys()
    assert [n for n, array in expected.items() if array.tobytes() != state[n].tobytes()] == []


def test_what_follows_from_a_batch_is_committed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(Played(tmp_path, monkeypatch).play())
    journal = Journal.open(tmp_path / "journal.db")
    entries = [entry for _, entry in journal.read()]
    journal.close()
    texts = [e for e in entries if isinstance(e, EventRecord) and e.kind == "context"]
    assert len(texts) == sum(isinstance(entry, SampleRecord) for entry in entries)


def test_a_snapshot_of_another_shape_is_told_and_the_journal_is_folded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(Played(tmp_path, monkeypatch).play())
    journal = Journal.open(tmp_path / "journal.db")
    for _ in range(2):
        journal.save_snapshot(SNAPSHOT, journal.committed, {"monitors/strange": np.zeros(3)})
    journal.commit_now()
    journal.close()
    before = on_disk(tmp_path)
    again = Played(tmp_path, monkeypatch)
    asyncio.run(again.play())
    damages = [row["why"] for kind, row in again.heard if kind == "damaged"]
    assert len(damages) == 1
    assert "snapshot not used" in damages[0]
    assert on_disk(tmp_path)[: len(before)] == before


def test_values_sent_on_connecting_are_no_measure_of_delay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = Metrics().figures
    monkeypatch.setattr(runtime, "Metrics", lambda: SimpleNamespace(figures=figures))
    asyncio.run(Played(tmp_path, monkeypatch).play(5))
    counted = figures.verdict.buckets()[-1][1]
    assert counted == figures.samples["plc"] - 2
