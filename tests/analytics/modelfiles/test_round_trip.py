"""What went into a model file comes out of it, to the bit, for every kind there is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analytics.detectors.forest import HalfSpaceForest
from analytics.detectors.two_statistic import TwoStatistic
from analytics.federation.consolidated import Consolidated
from analytics.modelfiles import (
    KINDS,
    Header,
    read_model,
    restored,
    settings_body,
    watch_of,
    write_model,
)
from analytics.prognostics.defects import DefectModel
from analytics.prognostics.remaining_life import RemainingLife
from analytics.settings import WatchSettings
from analytics.watch import Watch
from tests.analytics.modelfiles.made import (
    KEY,
    SECOND,
    SIGNALS,
    TRUSTED,
    UNITS,
    header,
    pump,
    seconds,
    taught,
)
from tests.analytics.prognostics.lives import plain_runs

NAMES = ("a", "b", "c")


def lone() -> Watch:
    """A watch of one signal, whose state is another."""
    watch = Watch(SIGNALS[:1], UNITS[:1], WatchSettings(learn_rows=600))
    watch.judge(seconds(900), pump(900)[:, :1], np.zeros(900, np.int64))
    return watch


def by_turns() -> Watch:
    """A watch that found two modes by itself."""
    rows = pump(3000)
    rows[(np.arange(3000) // 500) % 2 == 1] *= 0.2
    watch = Watch(SIGNALS, UNITS, WatchSettings(learn_rows=2500, mode_rows=300))
    watch.judge(seconds(3000), rows, np.zeros(3000, np.int64))
    return watch


def declared() -> Watch:
    """A watch of three modes, one of them seen too seldom to be judged."""
    watch = Watch(SIGNALS, UNITS, WatchSettings(learn_rows=1500, mode_rows=300, find_modes=False))
    modes = np.repeat(np.array([0, 1, 0, 1, 2, 0]), (500, 400, 300, 300, 100, 400))
    watch.judge(seconds(len(modes)), pump(len(modes)) + modes[:, None], modes)
    return watch


def learnt(detector: Any) -> Any:
    detector.learn_rows(np.random.default_rng(0).normal(size=(800, 3)))
    return detector


def defects() -> DefectModel:
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 3))
    return DefectModel.fit(rows, (rows[:, 0] > 1).astype(np.int64), list(NAMES))


def life() -> RemainingLife:
    names = [f"s{j}" for j in range(plain_runs(0, runs=1)[0].shape[1])]
    return RemainingLife.fit(plain_runs(0, runs=8, usual=40), names)


DETECTORS: dict[str, Callable[[], Any]] = {
    "two-statistic": lambda: learnt(TwoStatistic(NAMES)),
    "consolidated": lambda: Consolidated({1: learnt(TwoStatistic(NAMES))}, {1: 2.5}),
    "forest": lambda: learnt(HalfSpaceForest(NAMES)),
    "remaining-life": life,
    "defects": defects,
}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        array.dtype == other[name].dtype
        and array.shape == other[name].shape
        and array.tobytes() == other[name].tobytes()
        for name, array in one.items()
    )


def test_every_kind_is_tried() -> None:
    assert set(KINDS) == {"watch", *DETECTORS}


@pytest.mark.usefixtures("few_trees")
@pytest.mark.parametrize("kind", DETECTORS)
def test_detectors_come_back_to_the_bit(kind: str) -> None:
    detector = DETECTORS[kind]()

    data = write_model(header(kind=kind), detector.state(), KEY)
    again = restored(read_model(data, TRUSTED))

    assert type(again) is type(detector)
    assert same(again.state(), detector.state())


@pytest.mark.parametrize("make", [taught, lone, by_turns, declared])
def test_a_watch_comes_back_and_judges_the_same(make: Callable[[], Watch]) -> None:
    watch = make()
    count = len(watch.signals)
    said = header(signals=watch.signals, units=watch.units, settings=settings_body(watch.settings))

    model = read_model(write_model(said, watch.state(), KEY), TRUSTED)
    again = watch_of(model)

    assert model.header == said
    assert same(again.state(), watch.state())
    rows = pump(600, seed=5)[:, :count]
    rows[300:, -1] *= 1.6
    at = seconds(600, watch.now // SECOND + 1)
    modes = np.zeros(600, np.int64)
    one, other = watch.judge(at, rows, modes), again.judge(at, rows, modes)
    assert one.score.tobytes() == other.score.tobytes()
    assert one.transitions == other.transitions


def test_the_same_model_gives_the_same_bytes() -> None:
    state = taught().state()
    turned = dict(reversed(list(state.items())))

    assert write_model(header(), state, KEY) == write_model(header(), turned, KEY)


def test_a_field_of_a_later_trainer_is_left_alone() -> None:
    body = header().body() | {"colour": "green"}

    assert Header.of(body) == header()


def test_a_quiet_mode_is_the_gateways_business() -> None:
    model = read_model(write_model(header(), taught().state(), KEY), TRUSTED)

    assert watch_of(model, quiet=frozenset({7})).settings.quiet == {7}
