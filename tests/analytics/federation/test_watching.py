"""A consolidated model begins a watch; what it cannot tell the watch learns by itself."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analytics.federation.consolidated import Consolidated
from analytics.federation.messages import write_consolidated
from analytics.federation.statistics import Statistics
from analytics.federation.watching import of_asset, watch_from
from analytics.modelfiles.file import Model, read_model, write_model
from analytics.modelfiles.refusals import Cause, ModelRefused
from analytics.settings import WatchSettings
from analytics.watch import Watch
from plant.alarms import AlarmAction
from plant.assets import Asset
from tests.analytics.federation.agreed import ASSET, CENTRE, RUN, SECOND, START, healthy, terms

PLAN = terms(modes=((RUN, "run"),))
PUMP = Asset(
    ASSET, tuple(f"{ASSET}/{name}" for name in PLAN.signals), f"{ASSET}/mode",
    modes=((RUN, "run"),),
)  # fmt: skip
SETTINGS = WatchSettings(learn_rows=600, mode_rows=300)
LOADS = (0.2, 0.5, 0.8)


def whole() -> Consolidated:
    """Give a model of three loads, with a limit."""
    pooled = np.concatenate([healthy(n, load) for n, load in enumerate(LOADS)])
    model = Consolidated.of({RUN: Statistics.of(pooled)}, PLAN)
    return Consolidated(model.detectors, {RUN: 3.0})


def file(known: Consolidated, **changed: Any) -> Model:
    said = {"version": 1, "created": START, "start": START, "stop": START, "history": "0" * 64}
    made = read_model(write_consolidated(known, PLAN, said, CENTRE), [CENTRE.public_key()])
    header = replace(of_asset(made.header, ASSET, 3, START), **changed)
    return read_model(write_model(header, made.arrays, CENTRE), [CENTRE.public_key()])


def with_arrays(model: Model, **arrays: Any) -> Model:
    """Give the same, signed, with other arrays."""
    data = write_model(model.header, {**model.arrays, **arrays}, CENTRE)
    return read_model(data, [CENTRE.public_key()])


def judged(watch: Watch, load: float, seed: int, begin: int, rows: int = 1500) -> list[AlarmAction]:
    """Show it a load for some time; give what became of its alarm."""
    at = START + (begin + np.arange(rows, dtype=np.int64)) * SECOND
    told = watch.judge(at, healthy(seed, load, rows), np.full(rows, RUN, np.int64))
    return [each.action for each in told.transitions]


def test_it_learns_its_machine_first_and_knows_loads_that_only_others_had() -> None:
    alone = Watch(PUMP.signals, PLAN.units, SETTINGS)
    shared = watch_from(file(whole()), PUMP, PLAN.units, SETTINGS)
    assert not shared.learnt
    for watch in (alone, shared):
        assert judged(watch, LOADS[0], 11, 0) == []
        assert watch.learnt

    assert judged(shared, LOADS[2], 12, 1500) == []
    assert AlarmAction.RAISE in judged(alone, LOADS[2], 12, 1500)


def test_it_sees_what_breaks_the_relations_of_all() -> None:
    watch = watch_from(file(whole()), PUMP, PLAN.units, SETTINGS)
    judged(watch, LOADS[0], 11, 0)
    rows = healthy(13, LOADS[0], 600)
    rows[:, 2] += 6.0
    at = START + (1500 + np.arange(600, dtype=np.int64)) * SECOND
    told = watch.judge(at, rows, np.full(600, RUN, np.int64)).transitions
    assert told[0].action is AlarmAction.RAISE
    assert told[0].reason.contributions[0].signal == f"{ASSET}/current"


@pytest.mark.parametrize("rows", [100, 1500])
def test_its_state_goes_on_to_the_bit_while_and_after_it_learns(rows: int) -> None:
    watch = watch_from(file(whole()), PUMP, PLAN.units, SETTINGS)
    judged(watch, LOADS[1], 11, 0, rows)
    again = Watch(PUMP.signals, PLAN.units, SETTINGS)
    again.restore({name: array.copy() for name, array in watch.state().items()})
    assert judged(watch, LOADS[0], 12, rows) == judged(again, LOADS[0], 12, rows)
    state, other = watch.state(), again.state()
    assert sorted(state) == sorted(other)
    assert all(np.array_equal(state[name], other[name], equal_nan=True) for name in state)


def test_signals_may_stand_in_another_order() -> None:
    turned = replace(PUMP, signals=PUMP.signals[::-1])
    watch = watch_from(file(whole()), turned, PLAN.units[::-1], SETTINGS)
    at = START + np.arange(3000, dtype=np.int64) * SECOND
    rows = np.concatenate([healthy(11, LOADS[0], 1500), healthy(12, LOADS[2], 1500)])
    assert watch.judge(at, rows[:, ::-1], np.full(3000, RUN, np.int64)).transitions == ()


def test_a_machine_without_a_mode_tag_takes_the_only_mode() -> None:
    watch = watch_from(file(whole()), replace(PUMP, mode=None, modes=()), PLAN.units, SETTINGS)
    at = START + np.arange(3000, dtype=np.int64) * SECOND
    rows = np.concatenate([healthy(11, LOADS[0], 1500), healthy(12, LOADS[2], 1500)])
    assert watch.judge(at, rows, np.zeros(3000, np.int64)).transitions == ()


@pytest.mark.parametrize(
    ("asset", "units", "cause"),
    [
        (replace(PUMP, path="site/hall/line/other"), PLAN.units, Cause.OTHER_ASSET),
        (replace(PUMP, signals=PUMP.signals[:2]), PLAN.units[:2], Cause.OTHER_SIGNALS),
        (
            replace(PUMP, signals=(*PUMP.signals, f"{ASSET}/heat")),
            (*PLAN.units, "Cel"),
            Cause.OTHER_SIGNALS,
        ),
        (PUMP, ("m3/h", "kPa", "A"), Cause.OTHER_UNITS),
        (replace(PUMP, modes=((RUN, "standby"),)), PLAN.units, Cause.OTHER_SETTINGS),
    ],
)
def test_what_is_of_other_machines_is_refused(
    asset: Asset, units: tuple[str, ...], cause: Cause
) -> None:
    with pytest.raises(ModelRefused) as refused:
        watch_from(file(whole()), asset, units, SETTINGS)
    assert refused.value.cause is cause


def test_one_without_limits_was_never_compared_and_is_refused() -> None:
    open_ = Consolidated(whole().detectors, {RUN: np.inf})
    with pytest.raises(ModelRefused, match="has no limits"):
        watch_from(file(open_), PUMP, PLAN.units, SETTINGS)


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("0.scale", np.nan, Cause.NOT_FINITE),
        ("0.centre", np.inf, Cause.NOT_FINITE),
        ("0.correlation", 9.0, Cause.MALFORMED),
        ("0.scale", 1e308, Cause.MALFORMED),
    ],
)
def test_numbers_that_cannot_be_are_refused(name: str, value: float, cause: Cause) -> None:
    good = file(whole())
    changed = good.arrays[name].copy()
    changed.flat[1] = value
    with pytest.raises(ModelRefused) as refused:
        watch_from(with_arrays(good, **{name: changed}), PUMP, PLAN.units, SETTINGS)
    assert refused.value.cause is cause


def test_a_correlation_of_which_rounding_alone_makes_an_inverse_is_refused() -> None:
    good = file(whole())
    chance = np.random.default_rng(1)
    for _ in range(200):
        one = chance.normal(size=(3, 1))
        bad = with_arrays(good, **{"0.correlation": one @ one.T})
        with pytest.raises(ModelRefused, match="positive definite"):
            watch_from(bad, PUMP, PLAN.units, SETTINGS)


@pytest.mark.parametrize("asset", [PUMP, replace(PUMP, mode=None, modes=())])
def test_relations_of_a_mode_that_the_header_does_not_name_are_refused(asset: Asset) -> None:
    good = file(whole())
    second = {f"1.{name[2:]}": each for name, each in good.arrays.items() if name[:2] == "0."}
    both = {"modes": np.array([RUN, RUN + 1]), "limits": np.array([3.0, 3.0])}
    bad = with_arrays(good, **second, **both)
    with pytest.raises(ModelRefused) as refused:
        watch_from(bad, asset, PLAN.units, SETTINGS)
    assert refused.value.cause is Cause.OTHER_SETTINGS
