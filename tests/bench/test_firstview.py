"""The plant of the first view is the one that is promised."""

from pathlib import Path
from typing import Any

from bench.firstview import EACH, alarms, keep, pages, record, tags
from connectors.replay.recording import read_recording
from gateway.config.plan import ConsolePlan, DetectionPlan, Plan
from gateway.journal import Journal
from gateway.pipeline import Pipeline
from gateway.runtime import SNAPSHOT
from plant.alarms import AlarmState
from plant.assets import asset_of

S = 10**9
START = 1_790_000_000 * S


def plan_of(folder: Path, count: int) -> Plan:
    known = tags(count)
    paths = dict.fromkeys(tag.name.rpartition("/")[0] for tag in known)
    sources: Any = ()
    return Plan(
        name="line-1",
        data=folder,
        console=ConsolePlan(port=0),
        sources=sources,
        tags=known,
        assets=tuple(asset_of(path, known) for path in paths),
        detection=DetectionPlan(learn_s=60),
    )


def test_a_gateway_begins_with_so_many_alarms(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 4 * EACH)
    keep(plan, alarms(plan, 100, START))

    journal = Journal.open(tmp_path / "journal.db")
    handles = journal.register(plan.tags, START)
    pipeline = Pipeline(plan, handles, lambda _name, call: call())
    found = journal.load_snapshot(SNAPSHOT)
    assert found is not None
    pipeline.restore(found[1])
    journal.close()

    states = [alarm.state for alarm in pipeline.book.alarms()]
    assert len(states) == 100
    assert states.count(AlarmState.RETURNED) == 2
    assert states.count(AlarmState.NORMAL) == 98


def test_the_recording_has_a_row_a_second(tmp_path: Path) -> None:
    record(tmp_path / "past.csv", 16, START, 30, seed=1)
    found = read_recording(tmp_path / "past.csv")
    assert (len(found), len(found.tags)) == (30, 16)
    assert set((found.at[1:] - found.at[:-1]).tolist()) == {S}
    assert int(found.at[0]) == START


def test_every_page_has_its_condition() -> None:
    assert "li.tile').length >= 63" in pages(500, 1000)["line"][1]
    assert "length >= 1000" in pages(500, 1000)["alarms, all"][1]
