"""State is the fold of what came in: a restart at any cut changes nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.findings import Finding
from connectors.modbus.config import ModbusConfig
from connectors.opcua.config import OpcUaConfig
from connectors.simulated.line import SimulatedLine
from connectors.simulated.source import SimulatedSource
from gateway.config.plan import DetectionPlan, Plan, longest_silence
from gateway.journal import EventRecord, Journal, SampleRecord, ScoreRecord
from gateway.pipeline import Pipeline, operating_mode
from gateway.stages.align import Rows
from gateway.supervisor import Supervisor
from plant.alarms import AlarmState
from plant.assets import asset_of
from plant.errors import Exhausted
from plant.quality import Status
from plant.samples import Batch, ContextEvent, empty_columns
from plant.tags import Tag, TagHandle

LEARN_S = 900
ROWS = LEARN_S + 240
SOURCES = ("line-opcua", "line-modbus")


@pytest.fixture(scope="module")
def line() -> SimulatedLine:
    return SimulatedLine(5, start=1_700_000_000 * 10**9, live_from=LEARN_S + 30)


@pytest.fixture(scope="module")
def plan(line: SimulatedLine) -> Plan:
    return Plan(
        name="test",
        data=Path(),
        tags=line.tags,
        assets=tuple(asset_of(path, line.tags) for path in line.asset_paths),
        detection=DetectionPlan(learn_s=LEARN_S),
    )


@pytest.fixture(scope="module")
def handles(line: SimulatedLine) -> list[TagHandle]:
    return [TagHandle(number, tag) for number, tag in enumerate(line.tags)]


@pytest.fixture(scope="module")
def batches(line: SimulatedLine, handles: list[TagHandle]) -> list[Batch]:
    async def read(name: str) -> list[Batch]:
        found: list[Batch] = []
        async with SimulatedSource(line, handles, name=name, rows=range(ROWS)) as source:
            try:
                while True:
                    found.append(await source.read())
            except Exhausted:
                return found

    both = [asyncio.run(read(name)) for name in SOURCES]
    return [batch for pair in zip(*both, strict=True) for batch in pair]


def plain(_name: str, call: Callable[[], Any]) -> Any:
    return call()


def journalled(pipeline: Pipeline, journal: Journal, batch: Batch) -> None:
    for record in pipeline.take(batch).records():
        journal.append(record)


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


@pytest.fixture(scope="module")
def never(plan: Plan, handles: list[TagHandle], batches: list[Batch]) -> Pipeline:
    """The pipeline that was never stopped."""
    pipeline = Pipeline(plan, handles, plain)
    for batch in batches:
        pipeline.take(batch)
    return pipeline


def test_the_injected_fault_is_the_one_alarm(never: Pipeline, line: SimulatedLine) -> None:
    (alarm,) = never.book.alarms()
    assert line.fault is not None
    assert alarm.asset == line.fault.asset
    assert alarm.reason.contributions[0].signal in line.fault.culprits


@pytest.mark.parametrize("snapshot_at", [0, 1, 5])
def test_killed_at_any_commit_it_goes_on_as_if_never_stopped(
    plan: Plan, handles: list[TagHandle], batches: list[Batch], never: Pipeline, tmp_path: Path,
    snapshot_at: int,
) -> None:  # fmt: skip
    journal = Journal.open(tmp_path / "journal.db")
    journal.register(plan.tags, 0)
    for number, batch in enumerate(batches):
        pipeline = Pipeline(plan, handles, plain)
        found = journal.load_snapshot("pipeline")
        position, arrays = found or (0, None)
        if arrays is not None:
            assert pipeline.restore(arrays) == []
        assert pipeline.replay(journal.read(after=position)) == []
        journalled(pipeline, journal, batch)
        journal.commit_now()
        if number == snapshot_at:
            journal.save_snapshot("pipeline", journal.committed, pipeline.state())
            journal.commit_now()
    journal.close()
    same(pipeline.state(), never.state())
    assert [a.id for a in pipeline.book.alarms()] == [1]


def test_a_state_that_was_taken_stands_still(never: Pipeline) -> None:
    # a live array would be given again, and the journal writes it while rows are judged
    taken, again = never.state(), never.state()
    shared = [name for name, array in taken.items() if np.may_share_memory(array, again[name])]
    assert shared == []


def test_an_acknowledgement_survives_a_restart(
    plan: Plan, handles: list[TagHandle], batches: list[Batch], tmp_path: Path
) -> None:
    journal = Journal.open(tmp_path / "journal.db")
    journal.register(plan.tags, 0)
    pipeline = Pipeline(plan, handles, plain)
    for batch in batches:
        journalled(pipeline, journal, batch)
    order = EventRecord("acknowledge", 99, {"id": 1, "actor": "kim", "note": "greased"})
    for record in pipeline.order(order):
        journal.append(record)
    journal.commit_now()
    again = Pipeline(plan, handles, plain)
    again.replay(journal.read())
    journal.close()
    (alarm,) = again.book.alarms()
    assert (alarm.state, alarm.actor, alarm.note) == (AlarmState.ACKNOWLEDGED, "kim", "greased")


def test_changed_signals_learn_anew_and_are_named(
    plan: Plan, handles: list[TagHandle], batches: list[Batch]
) -> None:
    pipeline = Pipeline(plan, handles, plain)
    pipeline.take(batches[0])
    first = plan.assets[0]
    fewer = replace(first, signals=first.signals[1:])
    changed = replace(plan, assets=(fewer, *plan.assets[1:]))
    assert Pipeline(changed, handles, plain).restore(pipeline.state()) == [first.path]


def spoilt(batch: Batch) -> Batch:
    return replace(batch, status=np.full(len(batch), Status.BAD_SENSOR_FAILURE, np.uint32))


def test_what_is_not_good_is_journalled_and_never_judged(
    plan: Plan, handles: list[TagHandle], batches: list[Batch]
) -> None:
    pipeline = Pipeline(plan, handles, plain)
    outcome = pipeline.take(spoilt(batches[0]))
    kinds = [type(record) for record in outcome.records()]
    assert kinds == [SampleRecord]
    assert (outcome.verdict & Finding.NOT_GOOD).all()
    assert pipeline.assets[0].watch.progress == 0


def test_a_failing_monitor_leaves_the_samples_unscored_and_kept(
    plan: Plan, handles: list[TagHandle], batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor.__new__(Supervisor)
    supervisor.benched = {}
    pipeline = Pipeline(plan, handles, supervisor.contain)
    monkeypatch.setattr(pipeline.monitors, "judge", lambda *_: 1 / 0)
    outcome = pipeline.take(batches[0])
    assert (outcome.verdict == Finding.UNSCORED).all()
    assert "ZeroDivisionError" in supervisor.benched["monitors"]


def test_a_failing_watch_benches_its_asset_only(
    plan: Plan, handles: list[TagHandle], batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor.__new__(Supervisor)
    supervisor.benched = {}
    pipeline = Pipeline(plan, handles, supervisor.contain)
    broken, healthy = pipeline.assets[:2]
    monkeypatch.setattr(broken.watch, "judge", lambda *_: 1 / 0)
    scores = [r for r in pipeline.take(batches[0]).records() if isinstance(r, ScoreRecord)]
    assert [record.asset for record in scores] == [healthy.asset.path]
    assert list(supervisor.benched) == [broken.asset.path]


def test_text_travels_as_an_event(plan: Plan, handles: list[TagHandle]) -> None:
    tag, at, value, status = empty_columns()
    said = Batch(
        "line-opcua", tag, at, value, status, 7, 7, 0, context=(ContextEvent(3, 5, "R-12"),)
    )
    pipeline = Pipeline(plan, handles, plain)
    records = list(pipeline.take(said).records())
    assert EventRecord("context", 5, {"tag": 3, "text": "R-12", "status": 0}) in records
    assert pipeline.latest.text[3].text == "R-12"


@pytest.mark.parametrize(
    ("held", "expected"),
    [([0.0, 1.0, 2.0], [0, 1, 2]), ([1.0, np.nan, 1.0], [1, -1, 1])],
)
def test_an_unknown_mode_is_not_taken_for_a_mode(held: list[float], expected: list[int]) -> None:
    rows = Rows(np.arange(3, dtype=np.int64), np.array(held)[:, None])
    assert operating_mode(rows, 0).tolist() == expected


def test_an_asset_fed_by_two_sources_is_known_to_wait() -> None:
    tags = (
        Tag(name="a/p/x", source="one", address=""),
        Tag(name="a/p/y", source="two", address=""),
        Tag(name="a/q/z", source="three", address=""),
    )
    plan = Plan(
        name="t", data=Path(), tags=tags, assets=(asset_of("a/p", tags), asset_of("a/q", tags))
    )
    pipeline = Pipeline(plan, [TagHandle(i, tag) for i, tag in enumerate(tags)], plain)
    assert [pipeline.shares(name) for name in ("one", "two", "three")] == [True, True, False]


@pytest.mark.parametrize(("scan_ms", "silence_s"), [(1000, 5.0), (10_000, 30.0)])
def test_a_slow_scan_is_not_taken_for_silence(scan_ms: int, silence_s: float) -> None:
    source = ModbusConfig(name="meter", host="127.0.0.1", scan_ms=scan_ms)
    plan = Plan(name="t", data=Path(), sources=(source,))
    assert longest_silence(plan, "meter") == silence_s * 1e9


@pytest.mark.parametrize(("publishing_ms", "silence_s"), [(200, 5.0), (10_000, 30.0)])
def test_slow_publishing_is_not_taken_for_silence(publishing_ms: int, silence_s: float) -> None:
    url = "opc.tcp://127.0.0.1:4840"
    source = OpcUaConfig(name="plc", url=url, security="none", publishing_ms=publishing_ms)
    plan = Plan(name="t", data=Path(), sources=(source,))
    assert longest_silence(plan, "plc") == silence_s * 1e9


def test_assets_that_began_together_do_not_finish_learning_in_the_same_second(
    plan: Plan, handles: list[TagHandle]
) -> None:
    watches = [state.watch for state in Pipeline(plan, handles, plain).assets]
    assert len({watch.settings.learn_rows for watch in watches}) == len(watches)


def test_a_text_is_known_again_after_a_restart(
    plan: Plan, handles: list[TagHandle], tmp_path: Path
) -> None:
    said = Batch("line-opcua", *empty_columns(), 7, 7, 0, context=(ContextEvent(3, 5, "R-12"),))
    journal = Journal.open(tmp_path / "journal.db")
    pipeline = Pipeline(plan, handles, plain)
    journalled(pipeline, journal, said)
    journal.commit_now()
    again = Pipeline(plan, handles, plain)
    again.replay(journal.read())
    journal.close()
    assert again.latest.text[3].text == "R-12"
    same(again.state(), pipeline.state())


def test_the_last_samples_are_known_again_from_the_snapshot_alone(
    plan: Plan, handles: list[TagHandle], batches: list[Batch]
) -> None:
    pipeline = Pipeline(plan, handles, plain)
    pipeline.take(batches[0])
    again = Pipeline(plan, handles, plain)
    again.restore(pipeline.state())
    same(again.latest.state(), pipeline.latest.state())
    assert np.isfinite(again.latest.value[batches[0].tag]).all()


def test_a_link_that_is_up_again_is_a_new_connection_for_the_grid(
    plan: Plan, handles: list[TagHandle], batches: list[Batch], tmp_path: Path
) -> None:
    journal = Journal.open(tmp_path / "journal.db")
    journal.register(plan.tags, 0)
    pipeline = Pipeline(plan, handles, plain)
    live = replace(batches[0], replayed=False)
    journalled(pipeline, journal, live)
    (clock,) = pipeline._fed[live.source][0].alignment._clocks.values()
    assert not clock.fresh
    journal.append(pipeline.link(live.source, "up", "", live.upto))
    journal.commit_now()
    assert clock.fresh
    again = Pipeline(plan, handles, plain)
    again.replay(journal.read())
    journal.close()
    same(again.state(), pipeline.state())


def test_an_acknowledgement_of_an_alarm_that_was_lost_is_told_as_damage(
    plan: Plan, handles: list[TagHandle]
) -> None:
    event = EventRecord("acknowledge", 9, {"id": 5, "actor": "kim", "note": ""})
    (damage,) = Pipeline(plan, handles, plain).replay([(17, event)])
    assert damage.position == 17
    assert "kim" in damage.reason


def test_a_journal_with_tags_that_are_planned_no_longer_is_read(
    plan: Plan, handles: list[TagHandle], batches: list[Batch]
) -> None:
    kept = handles[:-1]
    names = {handle.tag.name for handle in kept}
    assets = tuple(asset for asset in plan.assets if names.issuperset(asset.signals))
    fewer = replace(plan, tags=tuple(handle.tag for handle in kept), assets=assets[:1])
    entries = [
        (n, SampleRecord(batch, np.zeros(len(batch), np.uint8)))
        for n, batch in enumerate(batches[:2], 1)
    ]
    pipeline = Pipeline(fewer, kept, plain)
    assert pipeline.replay(entries) == []
    assert pipeline.latest.value.size == len(kept)


@pytest.mark.parametrize("change", [{"unit": "kPa"}, {"scale": 2.0}, {"offset": 1.0}])
def test_what_was_learnt_in_another_unit_is_not_taken_up(
    plan: Plan, handles: list[TagHandle], batches: list[Batch], change: dict[str, Any]
) -> None:
    pipeline = Pipeline(plan, handles, plain)
    pipeline.take(batches[0])
    asset = plan.assets[0]
    changed = [
        replace(one, tag=replace(one.tag, **change)) if one.tag.name == asset.signals[0] else one
        for one in handles
    ]
    assert Pipeline(plan, changed, plain).restore(pipeline.state()) == [asset.path]
