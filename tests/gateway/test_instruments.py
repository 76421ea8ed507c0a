"""A sensor at fault: journalled, shown with its NE 107 state, and believed again on order."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analytics.savings import Savings
from gateway.config.plan import DetectionPlan, Plan
from gateway.journal import EventRecord, Journal
from gateway.lineview import LineView
from gateway.link import Link, LinkState
from gateway.metrics import Metrics
from gateway.models.desk import ModelDesk
from gateway.models.shelf import Shelf
from gateway.notices import Notices
from gateway.pipeline import Pipeline
from gateway.supervisor import Supervisor
from gateway.uplink import Uplinks
from plant.alarms import Hold, HoldKind
from plant.assets import Health, asset_of
from plant.errors import Rejected
from plant.samples import Batch
from plant.tags import Tag, TagHandle
from wheeltapper.alarmsensors import instruments_kept

SECOND = 10**9
ASSET = "s/a/l/press-2"
TAGS = tuple(
    Tag(name=f"{ASSET}/{name}", source="plc", address="", unit=unit)
    for name, unit in (("TT-101", "Cel"), ("TT-102", "Cel"), ("PT-1", "bar"), ("FT-1", "m3/h"))
)
STUCK = f"{ASSET}/TT-101"
HANDLES = [TagHandle(number, tag) for number, tag in enumerate(TAGS)]
LEARN, ONSET, ROWS = 600, 700, 800


def plain(_name: str, call: Callable[[], Any]) -> Any:
    return call()


def batches(rows: int = ROWS, onset: int = ONSET) -> Iterator[Batch]:
    """Give a row a second; from `onset` on the first signal stands still."""
    random = np.random.default_rng(0)
    load = np.sin(np.arange(rows) / 47)[:, None]
    made = [60.0, 75.0, 4.0, 50.0] + load * [2.0, 1.0, 0.3, 5.0]
    made += random.normal(size=(rows, 4)) * [0.3, 0.3, 0.05, 0.5]
    made[onset:, 0] = 61.25
    for second, row in enumerate(made):
        yield Batch(
            source="plc",
            tag=np.arange(4, dtype=np.int32),
            at=np.full(4, second * SECOND, np.int64),
            value=row,
            status=np.zeros(4, np.uint32),
            upto=second * SECOND,
            received=second * SECOND,
            heard=1,
        )


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    config: Any = SimpleNamespace(name="plc")
    return Plan(
        name="t",
        data=tmp_path,
        sources=(config,),
        tags=TAGS,
        assets=(asset_of(ASSET, TAGS),),
        detection=DetectionPlan(learn_s=LEARN),
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "journal.db")
    opened.register(TAGS, 0)
    yield opened
    opened.close()


def run(pipeline: Pipeline, journal: Journal) -> None:
    for batch in batches():
        journal.append(*pipeline.take(batch).records())
    journal.commit_now()


def told(journal: Journal) -> list[tuple[object, object, object]]:
    events, _ = journal.events("instrument")
    return [(one.body["action"], one.body["signal"], one.body["kind"]) for one in events]


def order(tag: str = STUCK) -> EventRecord:
    said = {"tag": tag, "actor": "kim", "note": "compared with a hand-held"}
    return EventRecord("trust", 99, said)


def test_stuck_sensor_is_journalled_and_no_alarm(plan: Plan, journal: Journal) -> None:
    pipeline = Pipeline(plan, HANDLES, plain)
    run(pipeline, journal)
    assert told(journal) == [("raise", STUCK, "stuck")]
    assert pipeline.book.alarms() == []
    (row,) = instruments_kept(journal)["instruments"]
    assert row["sentence"].startswith("TT-101 of press-2 is stuck: 61.25 °C to the last digit for")
    assert (row["health"], row["asset"]) == (Health.FAILURE, ASSET)


def test_order_to_believe_it_is_folded_again_to_the_bit(plan: Plan, journal: Journal) -> None:
    pipeline = Pipeline(plan, HANDLES, plain)
    run(pipeline, journal)
    journal.append(*pipeline.order(order()))
    journal.commit_now()
    assert told(journal)[-1] == ("clear", STUCK, "stuck")
    assert instruments_kept(journal)["instruments"] == []
    again = Pipeline(plan, HANDLES, plain)
    assert again.replay(journal.read()) == []
    one, other = pipeline.state(), again.state()
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


@pytest.mark.parametrize(
    ("tag", "error"), [(f"{ASSET}/PT-1", Rejected), ("s/a/l/press-3/PT-1", KeyError)]
)
def test_only_an_instrument_at_fault_can_be_believed_again(
    plan: Plan, journal: Journal, tag: str, error: type[Exception]
) -> None:
    pipeline = Pipeline(plan, HANDLES, plain)
    run(pipeline, journal)
    with pytest.raises(error):
        pipeline.order(order(tag))


def view_of(plan: Plan, pipeline: Pipeline, journal: Journal, order: Any = None) -> LineView:
    intake: Any = None
    supervisor = Supervisor(intake)
    supervisor.links["plc"] = Link("plc", (0, 1, 2, 3), LinkState.UP)
    make: Any = None
    uplinks = Uplinks(plan, journal, pipeline.handles, make)
    notices = Notices(supervisor)
    shelf = Shelf(plan.data / "models", (), "0.1.0")
    models = ModelDesk(pipeline.assets, pipeline.terms, shelf, pipeline.book.open, order)
    return LineView(
        plan, pipeline, supervisor, journal, Metrics(), notices, order, uplinks, Savings(1), models
    )


def test_console_shows_it_with_its_state_and_the_machine_as_normal(
    plan: Plan, journal: Journal
) -> None:
    pipeline = Pipeline(plan, HANDLES, plain)
    run(pipeline, journal)
    view = view_of(plan, pipeline, journal)
    line = view.line()
    assert (line["instruments"], line["alarms_open"]) == (1, 0)
    (asset,) = line["assets"]
    assert asset["health_name"] == "NORMAL"
    (row,) = view.asset(ASSET)["instruments"]
    assert (row["tag"], row["kind"], row["health"]) == (STUCK, "stuck", Health.FAILURE)
    assert view.instruments() == [row]
    told = f'wheeltapper_instruments_at_fault{{asset="{ASSET}"}} 1.0'
    assert told in view.metrics().decode()
    pipeline.book.hold(
        Hold(asset=ASSET, kind=HoldKind.SUPPRESSED, since=0, until=None, actor="k", note="n")
    )
    assert view.instruments()[0]["health"] == Health.CHECK_FUNCTION


def test_it_is_believed_again_by_the_last_part_of_its_name(plan: Plan, journal: Journal) -> None:
    pipeline = Pipeline(plan, HANDLES, plain)
    run(pipeline, journal)

    async def ordered(kind: str, body: dict[str, Any]) -> None:
        pipeline.order(EventRecord(kind, 99, body))

    view = view_of(plan, pipeline, journal, ordered)
    with pytest.raises(KeyError):
        asyncio.run(view.trust("PT-1", "kim", "seen"))
    row = asyncio.run(view.trust("TT-101", "kim", "seen"))
    assert (row["tag"], view.instruments()) == (STUCK, [])
