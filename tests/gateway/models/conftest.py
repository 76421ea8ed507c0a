"""A pump of three signals, what it was trained on, and a gateway's pipeline that judges it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.settings import WatchSettings
from analytics.watch import Watch
from gateway.config.plan import AlarmPlan, DetectionPlan, Plan
from gateway.journal import EventRecord
from gateway.models.watched import WatchedAsset
from gateway.pipeline import Outcome, Pipeline
from gateway.supervisor import Supervisor
from plant.assets import asset_of
from plant.errors import Rejected
from plant.samples import Batch
from plant.tags import Tag, TagHandle

PUMP = "works/hall/line-1/pump-2"
NAMES = ("flow", "pressure", "current")
SECOND = 10**9
START = 1_700_000_000 * SECOND
LEARN = 120


def signals(count: int, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
    """Give rows (n, 3) of a pump whose signals move together; `shift` moves the last away."""
    chance = np.random.default_rng(seed)
    load = np.sin(np.arange(count) / 5) + chance.normal(0, 0.1, count)
    rows = np.column_stack((40 + 3 * load, 6 - 0.4 * load, 18 + 2 * load))
    return rows + chance.normal(0, 0.05, rows.shape) + (0, 0, shift)


SETTINGS = WatchSettings(learn_rows=400, mode_rows=100)


@cache
def learnt_state(seed: int, shift: float) -> Mapping[str, NDArray[Any]]:
    """Give what a watch knows after 600 rows."""
    watch = blank()
    at = START - (5_600 - np.arange(600)) * SECOND
    watch.judge(at, signals(600, seed, shift), np.zeros(600, np.int64))
    return watch.state()


def settings_of_this_pump() -> WatchSettings:
    return SETTINGS


def blank() -> Watch:
    return Watch([f"{PUMP}/{name}" for name in NAMES], ["m3/h", "bar", "A"], SETTINGS)


def trained(seed: int, shift: float = 0.0) -> Watch:
    """Give a watch that has learnt."""
    watch = blank()
    watch.restore({name: array.copy() for name, array in learnt_state(seed, shift).items()})
    return watch


class Failing(Watch):
    """A watch that fails from some row on."""

    fails_at = 0

    def judge(self, at: Any, rows: Any, mode: Any, **more: Any) -> Any:
        """Judge, or fail."""
        if len(at) and at[-1] >= self.fails_at:
            raise ZeroDivisionError("a weight is nought")
        return super().judge(at, rows, mode, **more)


def failing(at: int) -> Callable[[], Watch]:
    """Give the maker of a good watch that fails at a source time, ns."""

    def make() -> Watch:
        good = trained(1)
        bad = Failing(good.signals, good.units, good.settings)
        bad.restore(good.state())
        bad.fails_at = at
        return bad

    return make


def poisoned() -> Watch:
    """Give a watch whose scores are no numbers."""
    good = trained(1)
    state = {
        name: np.full_like(array, np.nan) if name.endswith("channels.base") else array
        for name, array in good.state().items()
    }
    bad = Watch(good.signals, good.units, good.settings)
    bad.restore(state)
    return bad


def sha(version: int) -> str:
    return hashlib.sha256(bytes([version])).hexdigest()


@dataclass
class Shelf:
    """The models that can be had, by version; made anew at each asking, as from a file."""

    makers: dict[int, Callable[[], Watch]] = field(default_factory=dict)

    def __call__(self, state: WatchedAsset, version: int, _sha256: str) -> Watch:
        """Give one."""
        if version not in self.makers:
            raise Rejected(f"{state.asset.path}: model {version} is gone")
        return self.makers[version]()


@dataclass
class Line:
    """A pipeline and what is fed to it, one row a batch."""

    plan: Plan
    handles: Sequence[TagHandle]
    shelf: Shelf
    supervisor: Supervisor

    def pipeline(self) -> Pipeline:
        """Give one that has seen nothing."""
        self.supervisor.benched = {}
        return Pipeline(self.plan, self.handles, self.supervisor.contain, self.shelf, self._failure)

    def _failure(self, name: str) -> str:
        return self.supervisor.benched.pop(name, "")

    def batches(self, begin: int, rows: NDArray[np.float64]) -> Iterator[Batch]:
        """Give rows (n, 3) as batches, from second `begin` on."""
        for second, row in enumerate(rows, begin):
            at = START + second * SECOND
            yield Batch(
                source="plc",
                tag=np.arange(3, dtype=np.int32),
                at=np.full(3, at, np.int64),
                value=row.copy(),
                status=np.zeros(3, np.uint32),
                upto=at,
                received=at + 1_000,
                heard=second,
                stamped=True,
            )


def order(
    action: str, version: int, at: int = START, why: str = "", actor: str = "ana"
) -> EventRecord:
    """Order a change."""
    body: dict[str, Any] = {
        "asset": PUMP, "action": action, "version": version, "sha256": sha(version),
        "why": why or f"{action} it", "actor": actor,
    }  # fmt: skip
    return EventRecord("model", at, body)


def fed(pipeline: Pipeline, batches: Iterator[Batch]) -> list[Outcome]:
    """Give what follows from batches."""
    return [pipeline.take(batch) for batch in batches]


@pytest.fixture
def line() -> Line:
    """Give the pump with a shelf of two good models."""
    tags = tuple(
        Tag(name=f"{PUMP}/{name}", source="plc", address=name, unit=unit)
        for name, unit in zip(NAMES, ("m3/h", "bar", "A"), strict=True)
    )
    plan = Plan(
        name="t",
        data=Path(),
        tags=tags,
        assets=(asset_of(PUMP, tags),),
        detection=DetectionPlan(learn_s=LEARN),
        alarms=AlarmPlan(budget=1.0),
    )
    shelf = Shelf({1: lambda: trained(1), 2: lambda: trained(2)})
    handles = [TagHandle(number, tag) for number, tag in enumerate(tags)]
    supervisor = Supervisor.__new__(Supervisor)
    return Line(plan, handles, shelf, supervisor)
