"""What cannot be judged is never shown as normal."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analytics.savings import Savings
from gateway.config.plan import DetectionPlan, Plan
from gateway.journal import Journal
from gateway.lineview import LineView
from gateway.link import Link, LinkState
from gateway.metrics import Metrics
from gateway.models.desk import ModelDesk
from gateway.models.shelf import Shelf
from gateway.notices import Notices
from gateway.pipeline import Pipeline
from gateway.supervisor import Supervisor
from gateway.uplink import Uplinks
from plant.assets import asset_of
from plant.quality import Status
from plant.samples import Batch
from plant.tags import Role, Tag, TagHandle

SECOND = 10**9
TAGS = (
    Tag(name="a/p/x", source="plc", address=""),
    Tag(name="a/p/m", source="plc", address="", role=Role.MODE),
)
HANDLES = [TagHandle(number, tag) for number, tag in enumerate(TAGS)]


def plain(_name: str, call: Callable[[], Any]) -> Any:
    return call()


def scan(second: int, x: float, mode: int) -> Batch:
    return Batch(
        source="plc",
        tag=np.array([0, 1], np.int32),
        at=np.full(2, second * SECOND, np.int64),
        value=np.array([x, 1.0]),
        status=np.array([0, mode], np.uint32),
        upto=second * SECOND,
        received=second * SECOND,
        heard=1,
    )


@pytest.mark.parametrize(
    ("mode", "health"),
    [(Status.GOOD, "NORMAL"), (Status.UNCERTAIN, "CANNOT_JUDGE"), (Status.BAD, "CANNOT_JUDGE")],
)
def test_a_machine_whose_mode_is_unknown_is_not_normal(
    tmp_path: Path, mode: int, health: str
) -> None:
    config: Any = SimpleNamespace(name="plc")
    plan = Plan(
        name="t",
        data=tmp_path,
        sources=(config,),
        tags=TAGS,
        assets=(asset_of("a/p", TAGS),),
        detection=DetectionPlan(learn_s=60),
    )
    pipeline = Pipeline(plan, HANDLES, plain)
    noise = np.random.default_rng(1).normal(10, 1, 400)
    for second in range(300):
        pipeline.take(scan(second, noise[second], Status.GOOD))
    pipeline.take(scan(300, noise[300], mode))
    intake: Any = None
    supervisor = Supervisor(intake)
    supervisor.links["plc"] = Link("plc", (0, 1), LinkState.UP)
    journal = Journal.open(tmp_path / "journal.db")
    order: Any = None
    notices, uplinks = Notices(supervisor), Uplinks(plan, journal, HANDLES, order)
    shelf = Shelf(tmp_path / "models", (), "0.1.0")
    models = ModelDesk(pipeline.assets, pipeline.terms, shelf, pipeline.book.open, order)
    view = LineView(
        plan, pipeline, supervisor, journal, Metrics(), notices, order, uplinks, Savings(1), models
    )
    shown = view.line()["assets"][0]["health_name"]
    journal.close()
    assert shown == health
