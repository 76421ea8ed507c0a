"""Channels: what a healthy history teaches, whatever it looks like."""

from time import process_time

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.channels import Channels, distances, learn, products, weights
from analytics.limits import lengthened
from analytics.relations import Relations

Columns = NDArray[np.float64]


def plant(rows: int, signals: int, seed: int = 0) -> Columns:
    random = np.random.default_rng(seed)
    made: Columns = random.normal(size=(rows, 2)) @ random.normal(size=(2, signals))
    return made + random.normal(size=(rows, signals))


def learnt(
    *blocks: Columns, floor: float = 1e-3, visits: int = 1, limit: float = 5.0
) -> tuple[Relations, Channels]:
    signals = blocks[0].shape[1]
    rows = sum(len(block) for block in blocks)
    return learn(blocks, rows, visits, np.full(signals, floor), limit)


def numbers(relations: Relations, channels: Channels) -> Columns:
    states = [*relations.state().values(), *channels.state().values()]
    return np.concatenate([np.ravel(each) for each in states])


def with_gaps(kind: str) -> Columns:
    rows = plant(400, 4)
    holes = {
        "a column": (slice(None), slice(2, 3)),
        "every column": (slice(None), slice(None)),
        "a begin": (slice(0, 150), slice(1, 2)),
        "an end": (slice(250, None), slice(1, 2)),
        "rows": (slice(100, 200), slice(None)),
    }
    rows[holes[kind]] = np.nan
    return rows


@pytest.mark.parametrize(
    "rows",
    [
        np.full((300, 3), 7.0),
        np.zeros((50, 1)),
        np.column_stack((plant(300, 2), np.full(300, 7.0))),
        np.repeat(plant(300, 1), 3, axis=1),
        plant(50, 3),
        plant(50, 40),
        plant(60, 200),
        1e9 + plant(300, 3),
    ],
    ids=["constants", "one zero", "a constant", "copies", "50 rows", "50x40", "60x200", "offset"],
)
def test_any_history_gives_usable_scales_and_limits(rows: Columns) -> None:
    relations, channels = learnt(rows)
    assert np.isfinite(numbers(relations, channels)).all()
    assert (channels.square > 0).all()
    assert (channels.spread > 0).all()
    assert (relations.unit > 0).all()
    assert min(channels.limits()) > 0


@pytest.mark.parametrize("kind", ["a column", "every column", "a begin", "an end", "rows"])
def test_history_with_gaps_gives_usable_scales_and_limits(kind: str) -> None:
    relations, channels = learnt(with_gaps(kind))
    assert np.isfinite(numbers(relations, channels)).all()
    assert (channels.square > 0).all()
    assert min(channels.limits()) > 0


def test_many_signals_of_a_short_history_are_learnt_in_time() -> None:
    begin = process_time()
    relations, channels = learnt(plant(60, 500))
    assert process_time() - begin < 30  # minutes before it was done in blocks
    assert np.isfinite(numbers(relations, channels)).all()


def test_scales_of_the_means_are_those_of_smoothed_noise() -> None:
    rows = np.random.default_rng(0).normal(size=(4000, 5))
    _, channels = learnt(rows)
    blur = np.sqrt([g / (2 - g) for g in (1 - 0.5 ** (1 / 7), 1 - 0.5 ** (1 / 20))])
    told = np.sqrt(channels.square) / blur[:, None]
    assert (told > 0.8).all()
    assert (told < 1.6).all()
    np.testing.assert_allclose(channels.usual, 0.0, atol=0.35)


def test_limits_never_are_below_what_the_budget_asks_for() -> None:
    _, channels = learnt(plant(2000, 5), limit=6.0)
    quick, slow, restless = channels.limits()[:3]
    assert min(quick, slow, restless) >= 6.0


def test_mode_that_comes_in_visits_has_wider_limits() -> None:
    once, often = (learnt(plant(2000, 5), visits=visits)[1].limits() for visits in (1, 4))
    assert all(wide > narrow for wide, narrow in zip(often, once, strict=True))


def test_move_against_what_signals_do_together_is_far() -> None:
    common = np.random.default_rng(0).normal(size=(500, 1))
    rows = common + 0.1 * np.random.default_rng(1).normal(size=(500, 3))
    weight = weights(products(rows), 1 / 500)
    along, against = distances(np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0]]), weight)
    assert along == pytest.approx(3**-0.5, rel=0.2)
    assert against > 5 * along


def test_signals_count_by_themselves_as_long_as_nothing_is_sure_of_them() -> None:
    rows = np.repeat(np.random.default_rng(0).normal(size=(500, 1)), 3, axis=1)
    weight = weights(products(rows), 1e9)
    np.testing.assert_allclose(weight, np.diag(np.diag(weight)), atol=1e-6)
    np.testing.assert_allclose(distances(rows, weight), np.abs(rows[:, 0] / rows.std()), rtol=0.1)


@pytest.mark.parametrize("signals", [3, 8, 40])
@pytest.mark.parametrize("looks", [8, 32, 128])
def test_distance_by_few_looks_comes_out_longer_as_the_limits_say(signals: int, looks: int) -> None:
    random, high = np.random.default_rng(0), []
    for _ in range(20):
        weight = weights(products(random.normal(size=(looks, signals))), 1 / looks)
        high.append(np.quantile(distances(random.normal(size=(300, signals)), weight), 0.99))
    for_ever = np.quantile(distances(random.normal(size=(9000, signals)), np.eye(signals)), 0.99)
    assert 0.9 < np.mean(high) / for_ever / lengthened(1 / 2.9, looks) < 1.25


def test_stretches_that_lie_apart_are_not_smoothed_across() -> None:
    low, high = plant(512, 4), plant(512, 4, seed=1)
    joined, apart = learnt(np.concatenate((low, high + 50.0))), learnt(low, high + 50.0)
    wide, narrow = (np.sqrt(told.square) * related.unit for related, told in (joined, apart))
    assert (wide > 1.5 * narrow).all()
    assert (np.sqrt(apart[1].square) < 0.5).all()


def test_restored_channels_are_bit_equal() -> None:
    _, channels = learnt(plant(300, 3), visits=3)
    again = Channels.restore({name: value.copy() for name, value in channels.state().items()})
    assert again.limits() == channels.limits()
    for name, value in channels.state().items():
        np.testing.assert_array_equal(again.state()[name], value)
