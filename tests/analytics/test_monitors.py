"""Monitors: faults by formula are found, healthy samples are not, batches do not matter."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.findings import Finding, is_abnormal
from analytics.monitors import WARM, MonitorBank
from plant.errors import Misconfigured
from plant.quality import Status
from plant.tags import Role, Tag, TagHandle

TICK = 100_000_000
Wave = Callable[[int, int], tuple[NDArray[np.float64], NDArray[np.bool_]]]


def handle(number: int, **words: object) -> TagHandle:
    tag = Tag(name=f"s/a/l/m/t{number}", source="plc", address="-", **words)
    return TagHandle(number, tag)


def noisy_sines(tags: int, ticks: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    random = np.random.default_rng(0)
    k, i = np.arange(ticks)[:, None], np.arange(tags)
    base = random.uniform(10, 100, tags)
    amplitude = base * random.uniform(0.01, 0.2, tags)
    fault = (k + 37 * i) % 600 < 5
    noise = random.normal(0, 0.05, (ticks, tags))
    values = base + amplitude * (np.sin(2 * np.pi * k / 200 + i) + noise + 12 * fault)
    return values, fault


def integer_triangles(tags: int, ticks: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    k, i = np.arange(ticks)[:, None], np.arange(tags)
    phase = (k + i) % 200
    fault = (k + 37 * i) % 600 < 5
    return 1000.0 + np.minimum(phase, 200 - phase) + 5000.0 * fault, fault


def judge_ticks(bank: MonitorBank, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Judge values (ticks, tags) tick by tick."""
    ticks, tags = values.shape
    tag, good = np.arange(tags, dtype=np.int32), np.zeros(tags, np.uint32)
    return np.array(
        [bank.judge(tag, np.full(tags, k * TICK), values[k], good) for k in range(ticks)]
    )


def judge_one(bank: MonitorBank, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Judge one tag's values (n,) as one batch, so every sample is a pass of its own."""
    n = len(values)
    return bank.judge(
        np.zeros(n, np.int32), np.arange(n) * TICK, values.astype(float), np.zeros(n, np.uint32)
    )


@pytest.mark.parametrize("wave", [noisy_sines, integer_triangles])
def test_spikes_are_found_and_nothing_else_at_five_thousand_tags(wave: Wave) -> None:
    values, fault = wave(5000, 1000)
    bank = MonitorBank([handle(i) for i in range(5000)])
    found = is_abnormal(judge_ticks(bank, values))[WARM:]
    fault = fault[WARM:]
    recall = (found & fault).sum() / fault.sum()
    precision = (found & fault).sum() / found.sum()
    assert recall >= 0.98
    assert precision >= 0.98


def test_verdicts_do_not_depend_on_batches_or_order_of_tags() -> None:
    values, _ = noisy_sines(7, 700)
    one, other = (MonitorBank([handle(i) for i in range(7)]) for _ in range(2))
    ticks = judge_ticks(one, values)
    tag = np.tile(np.array([3, 0, 6, 1, 5, 2, 4], np.int32), 700)
    at = np.repeat(np.arange(700) * TICK, 7)
    whole = other.judge(tag, at, values[:, tag[:7]].ravel(), np.zeros(4900, np.uint32))
    assert np.array_equal(whole.reshape(700, 7), ticks[:, tag[:7]])
    assert all(np.array_equal(one.state()[name], other.state()[name]) for name in one.state())


def test_restored_bank_goes_on_as_if_nothing_had_happened() -> None:
    values, _ = noisy_sines(5, 900)
    whole, first = (MonitorBank([handle(i) for i in range(5)]) for _ in range(2))
    expected = judge_ticks(whole, values)[450:]
    judge_ticks(first, values[:450])
    second = MonitorBank([handle(i) for i in (4, 2, 0, 1, 3)])
    second.restore(first.state())
    assert np.array_equal(judge_ticks_from(second, values, 450), expected)


def judge_ticks_from(
    bank: MonitorBank, values: NDArray[np.float64], start: int
) -> NDArray[np.uint8]:
    tag, good = np.arange(values.shape[1], dtype=np.int32), np.zeros(values.shape[1], np.uint32)
    return np.array(
        [
            bank.judge(tag, np.full(len(tag), k * TICK), values[k], good)
            for k in range(start, len(values))
        ]
    )


def test_learning_samples_are_held_to_the_range_only() -> None:
    bank = MonitorBank([handle(0, low=0.0, high=10.0)])
    verdict = judge_one(bank, np.array([5.0, 900.0, -1.0, 5.0]))
    outside = Finding.LEARNING | Finding.RANGE
    assert verdict.tolist() == [Finding.LEARNING, outside, outside, Finding.LEARNING]


def test_range_is_found_in_a_learnt_tag() -> None:
    bank = MonitorBank([handle(0, high=1.4)])
    values = 1 + 0.3 * np.sin(np.arange(600) / 9)
    values[500] = 1.41
    assert np.flatnonzero(judge_one(bank, values) & Finding.RANGE).tolist() == [500]


def test_jump_within_the_band_is_a_rate() -> None:
    values = np.sin(np.arange(1200) / 300) + 0.002 * np.random.default_rng(0).normal(size=1200)
    values[1000:] += 3.0
    verdict = judge_one(MonitorBank([handle(0)]), values)
    assert np.flatnonzero(verdict & Finding.RATE).tolist() == [1000]


def test_stuck_value_is_a_flat_line_and_a_setpoint_is_not() -> None:
    random = np.random.default_rng(0)
    lively = random.normal(size=900)
    lively[600:] = lively[600]
    setpoint = np.full(900, 42.0)
    verdict = judge_ticks(MonitorBank([handle(0), handle(1)]), np.column_stack((lively, setpoint)))
    flat = verdict & Finding.FLATLINE != 0
    assert not flat[:620].any()
    assert flat[680:, 0].all()
    assert not flat[:, 1].any()


def test_small_lasting_shift_is_found_by_its_sum() -> None:
    values = np.random.default_rng(0).normal(size=3000)
    values[2000:] += 4.0
    shift = judge_one(MonitorBank([handle(0)]), values) & Finding.SHIFT != 0
    assert not shift[:2000].any()
    assert shift[2000:2030].any()


def test_lasting_change_of_level_is_accepted_in_the_end() -> None:
    values = np.random.default_rng(0).normal(size=(8000, 3)) * 0.1
    values[1000:] += (0.5, 20.0, 1e4)
    found = is_abnormal(judge_ticks(MonitorBank([handle(i) for i in range(3)]), values))
    assert found[1000:1010].any(axis=0).all()
    assert not found[7000:].any()


def test_spikes_are_not_learnt() -> None:
    values, fault = noisy_sines(50, 1500)
    bank, healthy = (MonitorBank([handle(i) for i in range(50)]) for _ in range(2))
    judge_ticks(bank, values)
    judge_ticks(healthy, np.where(fault, np.roll(values, 5, axis=0), values))
    spread, plain = bank.state()["memory"][2], healthy.state()["memory"][2]
    assert (spread < 1.3 * plain).all()


def test_only_good_samples_of_signals_are_judged_and_learnt() -> None:
    bank = MonitorBank([handle(0), handle(1, role=Role.MODE)])
    before = bank.state()
    tag = np.array([0, 0, 1, 9, 0], np.int32)
    value = np.array([np.nan, 1.0, 3.0, 1.0, np.inf])
    status = np.array([0, Status.UNCERTAIN, 0, 0, 0], np.uint32)
    verdict = bank.judge(tag, np.arange(5), value, status)
    bad = Finding.NOT_GOOD
    assert verdict.tolist() == [bad, bad, 0, Finding.UNSCORED, bad]
    assert np.array_equal(bank.state()["memory"], before["memory"])


def test_latest_tells_the_last_verdict_of_each_tag() -> None:
    bank = MonitorBank([handle(0), handle(3), handle(4, role=Role.CONTEXT)])
    bank.judge(
        np.array([0, 0], np.int32),
        np.array([1, 2]),
        np.array([1.0, np.nan]),
        np.zeros(2, np.uint32),
    )
    told = bank.latest([0, 3, 4, 77]).tolist()
    assert told == [Finding.NOT_GOOD, Finding.LEARNING, 0, Finding.UNSCORED]


def test_added_tag_starts_to_learn_and_the_others_go_on() -> None:
    values, _ = noisy_sines(3, 400)
    bank = MonitorBank([handle(0), handle(1)])
    judge_ticks(bank, values[:, :2])
    bank.add([handle(2)])
    verdict = judge_ticks(bank, values[399:])
    assert (verdict[0] & Finding.LEARNING).tolist() == [0, 0, Finding.LEARNING]


def test_one_handle_for_two_tags_is_refused() -> None:
    with pytest.raises(Misconfigured, match="handle"):
        MonitorBank([handle(0), handle(0)])


def test_no_tags_and_no_samples_are_fine() -> None:
    empty = np.empty(0)
    verdict = MonitorBank([]).judge(
        empty.astype(np.int32), empty.astype(np.int64), empty, empty.astype(np.uint32)
    )
    assert len(verdict) == 0


def test_a_clock_that_was_set_back_does_not_blind_the_rate() -> None:
    handle = TagHandle(0, Tag(name="a/b/x", source="plc", address=""))
    bank = MonitorBank([handle])
    noise = np.random.default_rng(3).normal(0.0, 0.1, 2000)
    at = np.arange(2000, dtype=np.int64) * 10**9
    at[1000:] -= 3600 * 10**9
    value = 50.0 + noise
    value[1990] = 90.0
    tag, status = np.zeros(2000, np.int32), np.zeros(2000, np.uint32)
    verdict = bank.judge(tag, at, value, status)
    assert verdict[1990] & Finding.RATE
