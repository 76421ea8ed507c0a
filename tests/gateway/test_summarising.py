"""A running gateway summarises what it reads, and pins what an incident stands on."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import numpy as np
import pytest

from analytics.summaries import summarise
from gateway import downsampling, runtime
from gateway.config.plan import Plan
from gateway.downsampling import CURSORS, Downsampler
from gateway.journal import Journal, Kind, SampleRecord, SummaryRecord, index
from gateway.pins import AFTER_NS, BEFORE_NS, LONGEST_NS, Pin, Pins, pin_from
from gateway.runtime import Gateway
from plant.alarms import HOUR_NS, Alarm, AlarmState
from plant.assets import asset_of
from plant.reasons import Reason
from plant.records import EventRecord, joined
from plant.samples import Batch
from plant.summaries import LENGTHS, TEN_SECONDS
from plant.tags import Tag

START = 1_700_000_000 * 10**9
TAGS = (Tag(name="a/p/x", source="plc", address=""), Tag(name="a/p/y", source="plc", address=""))


class Hurried:
    """A source whose clock runs a second with each scan, a scan each 5 ms."""

    name = "plc"

    def __init__(self, begin: int) -> None:
        self.second = begin

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    async def read(self) -> Batch:
        await asyncio.sleep(0.005)
        self.second += 1
        at = START + self.second * 10**9
        return Batch(
            source=self.name,
            tag=np.array([1, 2], np.int32),
            at=np.full(2, at, np.int64),
            value=np.array([self.second % 7, np.sqrt(self.second)]),
            status=np.zeros(2, np.uint32),
            upto=at,
            received=time.time_ns(),
            heard=time.monotonic_ns(),
        )


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for every in LENGTHS:
        monkeypatch.setitem(downsampling.REST_S, every, 0.0)
    monkeypatch.setattr(runtime, "SUMMARISE_S", 0.02)


def run(data: Path, source: Hurried, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setattr(runtime, "build", lambda _config, _tags: source)
    config: Any = SimpleNamespace(name="plc")
    plan = Plan(name="t", data=data, sources=(config,), tags=TAGS, assets=(asset_of("a/p", TAGS),))
    gateway = Gateway(plan, listen=False)

    async def story() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(gateway.run(stop))
        begun = source.second
        while source.second < begun + 200:
            await asyncio.sleep(0.02)
        stop.set()
        await running

    asyncio.run(story())
    return gateway


@pytest.mark.usefixtures("hurried")
def test_a_gateway_summarises_across_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Hurried(0)
    first = run(tmp_path, source, monkeypatch)
    second = run(tmp_path, source, monkeypatch)
    journal = Journal.open(tmp_path / "journal.db")
    moved = {name: journal.cursor(name) for name in CURSORS.values()}
    before = [one for _, one in journal.read(kinds={SummaryRecord})]
    last = Downsampler(journal, iter(range(0, 10**6, 1000)).__next__)
    for _ in range(3):
        made = last.step()
        journal.append(*made.records)
        journal.commit_now()
    tens = [
        one
        for _, one in journal.read(kinds={SummaryRecord})
        if isinstance(one, SummaryRecord) and one.every == TEN_SECONDS
    ]
    batches = [
        one.batch for _, one in journal.read(kinds={SampleRecord}) if isinstance(one, SampleRecord)
    ]
    journal.close()
    columns = [
        np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("tag", "at", "value", "status")
    ]
    whole, found = summarise("plc", TEN_SECONDS, *columns), joined(tens).latest()

    assert len(before) >= 20
    assert min(moved.values()) > 0
    assert first.savings.raw_bytes[1:].min() >= 100 * 24
    assert first.savings.worst[1] == pytest.approx(3.6)
    assert second.savings.since == first.savings.since
    assert second.savings.windows.sum() == sum(len(one) for one in before)  # type: ignore[arg-type]
    for (_, mine, _), (_, theirs, _) in zip(found.columns(), whole.columns(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.usefixtures("hurried")
def test_what_could_not_be_summarised_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, Hurried(0), monkeypatch)
    journal = Journal.open(tmp_path / "journal.db")
    gone = index.GONE.format(int(Kind.SAMPLES)), str(START + 100 * 10**9 + 1)
    with journal._writer as connection:
        connection.execute("REPLACE INTO about VALUES (?, ?)", gone)
    journal.close()
    run(tmp_path, Hurried(0), monkeypatch)
    journal = Journal.open(tmp_path / "journal.db")
    told, _ = journal.events("unsummarised")
    journal.close()

    assert sum(event.body["evicted"] for event in told) == 11  # type: ignore[misc]
    assert all(set(event.body) == {"evicted"} for event in told)


ALARM = Alarm(
    id=3,
    asset="a/p",
    priority=2,
    state=AlarmState.UNACKNOWLEDGED,
    beneath=AlarmState.UNACKNOWLEDGED,
    onset=START,
    raised=START + 5 * 10**9,
    changed=START + 5 * 10**9,
    occurrences=1,
    reason=Reason(2.0, 1.0, (), ()),
)


def returned(minutes: float) -> Alarm:
    ended = START + round(minutes * 60e9)
    return replace(ALARM, beneath=AlarmState.RETURNED, changed=ended, ended=ended)


def test_an_incident_is_pinned_when_it_is_raised_and_again_when_it_is_over() -> None:
    pins = Pins()
    events = pins.follow(ALARM) + pins.follow(ALARM) + pins.follow(returned(20))
    events += pins.follow(replace(returned(20), beneath=AlarmState.NORMAL))

    assert [event.kind for event in events] == ["pin", "pin"]
    assert events[0].body == {
        "alarm": 3,
        "asset": "a/p",
        "start": START - BEFORE_NS,
        "stop": ALARM.raised + AFTER_NS,
    }
    assert pin_from(events[1]) == Pin(3, "a/p", START - BEFORE_NS, START + 30 * 60 * 10**9)


def test_a_pin_has_a_longest() -> None:
    [event] = Pins().follow(returned(600))

    assert event.body["stop"] == START - BEFORE_NS + LONGEST_NS
    assert LONGEST_NS == HOUR_NS


def test_a_clock_that_was_set_back_pins_something() -> None:
    [event] = Pins().follow(replace(ALARM, raised=START - HOUR_NS))

    assert event.body["stop"] == START + AFTER_NS


def test_what_is_no_pin_is_passed_over() -> None:
    assert pin_from(EventRecord("pin", 0, {"asset": 3})) is None
