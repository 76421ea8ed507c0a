"""A model of a class of machines in a gateway: tried, learning its machine first, then promoted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from analytics.federation.consolidated import Consolidated
from analytics.federation.statistics import Statistics
from analytics.federation.terms import Participant, Terms
from analytics.federation.watching import watch_from
from analytics.modelfiles import Header, model_folder, read_model, write_model
from analytics.watch import Watch
from gateway.models.desk import ModelDesk
from gateway.models.rule import Terms as Rule
from gateway.models.shelf import Shelf
from gateway.models.succession import Rows, Succession
from gateway.models.watched import Action, Beside, Role, Tenure, WatchedAsset
from gateway.pipeline import Pipeline
from plant.errors import Rejected
from plant.keys import public_pem
from tests.gateway.models.conftest import (
    LEARN,
    NAMES,
    PUMP,
    SECOND,
    START,
    Line,
    fed,
    order,
    signals,
    trained,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
UNITS = ("m3/h", "bar", "A")
TERMS = Terms(
    name="class/pump", signals=NAMES, units=UNITS, low=(0.0, 0.0, 0.0), high=(100.0, 20.0, 60.0),
    modes=((0, "all"),), participants=tuple(Participant(n, f"{n:>064}") for n in "123"),
)  # fmt: skip
LEARNT = 160


def arrays() -> Mapping[str, Any]:
    pooled = np.concatenate([signals(3000, seed) for seed in (21, 22, 23)])
    model = Consolidated.of({0: Statistics.of(pooled)}, TERMS)
    return Consolidated(model.detectors, {0: 3.0}).state()


def file(version: int = 1, **words: Any) -> bytes:
    said: dict[str, Any] = {
        "name": PUMP, "version": version, "kind": "consolidated", "created": 1, "signals": NAMES,
        "units": UNITS, "settings": {"modes": [[0, "all"]]}, "start": 0, "stop": 1,
        "history": "0" * 64, "card": {"class": "class/pump"},
    }  # fmt: skip
    return write_model(Header(**(said | words)), arrays(), KEY)


def of_class(line: Line) -> Watch:
    """Give the watch that the gateway begins by the file."""
    state = only(line.pipeline())
    model = read_model(file(), [KEY.public_key()])
    return watch_from(model, state.asset, UNITS, state.settings)


def only(pipeline: Pipeline) -> WatchedAsset:
    (state,) = pipeline.assets
    return state


@pytest.fixture
def tried(line: Line) -> Pipeline:
    """Give a pipeline that has learnt by itself, with a model of the class beside."""
    line.shelf.makers[1] = lambda: of_class(line)
    pipeline = line.pipeline()
    fed(pipeline, line.batches(0, signals(LEARNT, 3)))
    pipeline.order(order("shadow", 1))
    return pipeline


def test_it_learns_its_machine_before_it_counts_and_is_promoted(
    tried: Pipeline, line: Line
) -> None:
    with pytest.raises(Rejected, match=r"has learnt 0% of what it needs of this machine"):
        tried.order(order("promote", 1))
    fed(tried, line.batches(LEARNT, signals(LEARN - 1, 4)))
    beside = only(tried).models.beside
    assert beside is not None
    assert (beside.watch.learnt, beside.figures.rows) == (False, 0)

    fed(tried, line.batches(LEARNT + LEARN - 1, signals(100, 5)))
    assert beside.watch.learnt
    assert beside.figures.rows == 100
    tried.order(order("promote", 1))
    assert only(tried).watch is beside.watch
    outcomes = fed(tried, line.batches(LEARNT + LEARN + 99, signals(60, 6, shift=3.0)))
    assert [alarm for outcome in outcomes for alarm in outcome.alarms]


def test_what_the_one_in_force_alarms_on_is_not_learnt(tried: Pipeline, line: Line) -> None:
    fed(tried, line.batches(LEARNT, signals(30, 4)))
    beside = only(tried).models.beside
    assert beside is not None
    before = beside.watch.progress
    fed(tried, line.batches(LEARNT + 30, signals(60, 5, shift=5.0)))
    assert only(tried).watch.alarmed
    assert beside.watch.progress - before < 30 / LEARN


def judged(state: WatchedAsset, begin: int, mode: int, rows: NDArray[np.float64]) -> None:
    """Have rows (n, 3) of a mode judged, one a batch, from second `begin` on."""
    succession = Succession(lambda _name, call: call(), Rule())
    for second, row in enumerate(rows, begin):
        at = np.array([START + second * SECOND], np.int64)
        succession.judge(state, Rows(at, row[None, :], np.array([mode], np.int64), int(at[0])))


@pytest.fixture
def late(line: Line) -> WatchedAsset:
    """Give an asset whose watch knows modes 0 and 1, with a model of the class beside it."""
    state = only(line.pipeline())
    for mode in (0, 1):
        judged(state, mode * 600, mode, signals(600, mode))
        assert state.watch.knows(mode)
    state.models.beside = Beside(Role.SHADOW, Tenure(1), of_class(line))
    return state


def test_a_mode_that_comes_late_is_not_learnt_from_a_fault_either(late: WatchedAsset) -> None:
    beside = late.models.beside
    assert beside is not None
    judged(late, 1200, 0, signals(LEARN + 20, 4))
    assert beside.watch.learnt

    judged(late, 1200 + LEARN + 20, 1, signals(400, 5, shift=5.0))
    assert late.watch.alarmed
    assert not beside.watch.knows(1)


def test_what_an_instrument_at_fault_shows_is_not_learnt(late: WatchedAsset) -> None:
    beside = late.models.beside
    assert beside is not None
    stuck = signals(600, 4)
    stuck[:, 1] = stuck[0, 1]
    late.models.beside = None
    judged(late, 1200, 0, stuck[:400])
    assert [one.signal for one in late.watch.doubts] == [f"{PUMP}/pressure"]
    assert not late.watch.alarmed

    late.models.beside = beside
    judged(late, 1600, 0, stuck[400:])
    assert beside.watch.progress == 0


def test_rows_without_values_teach_it_nothing_that_could_be_promoted(late: WatchedAsset) -> None:
    beside = late.models.beside
    assert beside is not None
    judged(late, 1200, 0, np.full((LEARN + 20, 3), np.nan))
    assert not beside.watch.learnt
    assert beside.figures.rows == 0


def test_the_former_one_need_not_have_learnt_for_a_probation_to_count(line: Line) -> None:
    state = only(line.pipeline())
    state.watch, own = trained(1), state.watch
    state.models.beside = Beside(Role.FORMER, Tenure(), own)
    judged(state, 0, 0, signals(50, 4))
    assert not own.learnt
    assert state.models.beside.figures.rows == 50


def test_a_snapshot_amid_its_learning_goes_on_to_the_bit(tried: Pipeline, line: Line) -> None:
    fed(tried, line.batches(LEARNT, signals(50, 4)))
    again = line.pipeline()
    again.restore(tried.state())
    for pipeline in (tried, again):
        fed(pipeline, line.batches(LEARNT + 50, signals(200, 5)))
    states = [only(pipeline).models.beside for pipeline in (tried, again)]
    assert all(each is not None and each.watch.learnt for each in states)
    first, second = (each.watch.state() for each in states if each is not None)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def test_its_file_is_found_tried_and_shown(line: Line, tmp_path: Any) -> None:
    key = tmp_path / "trainer.pub.pem"
    key.write_bytes(public_pem(KEY.public_key()))
    shelf = Shelf(tmp_path / "models", [key], "0.1.0")
    place = tmp_path / "models" / model_folder(PUMP)
    place.mkdir(parents=True)
    (place / "2.wtm").write_bytes(file(2))
    (place / "3.wtm").write_bytes(file(3, units=("m3/h", "kPa", "A")))
    line.supervisor.benched = {}
    pipeline = Pipeline(
        line.plan, line.handles, line.supervisor.contain, shelf, line.supervisor.let_off
    )
    fed(pipeline, line.batches(0, signals(LEARNT, 3)))

    async def nothing(_kind: str, _body: Any) -> None:
        raise AssertionError

    desk = ModelDesk(pipeline.assets, pipeline.terms, shelf, lambda _: None, nothing)
    ((body,), (refused,)) = desk.look()
    assert body["why"] == "found as 2.wtm, learnt together as class/pump"
    assert (refused.file, refused.cause) == ("3.wtm", "other-units")
    event = order("shadow", 2)
    pipeline.order(replace(event, body=body))
    fed(pipeline, line.batches(LEARNT, signals(60, 4)))
    row = desk.row(only(pipeline))
    assert row["tried"] is not None
    assert row["tried"]["role"] == Role.SHADOW
    first = row["tried"]["clauses"][0]
    assert (first["name"], first["value"], first["met"]) == ("Learnt of this machine", "50%", False)
    assert only(pipeline).models.history[-1].action is Action.SHADOW
