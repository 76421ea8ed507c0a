"""Modes that nobody declared are found where a machine has them, and nowhere else."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.evaluation.plants import healthy_plant
from analytics.regimes import Regimes, Split, find
from analytics.watch import Watch, WatchSettings
from plant.alarms import AlarmAction

Columns = NDArray[np.float64]
SECOND = 10**9
LEARNT = 3600
LEVELS = {
    2: np.array([[0.1, 20.0, 1.0, 5.0, 0.0, 7.0], [4.0, 60.0, 1.0, 3.0, 12.0, 7.0]]),
    3: np.array(
        [
            [0.1, 20.0, 1.0, 5.0, 0.0, 7.0],
            [4.0, 60.0, 1.0, 3.0, 12.0, 7.0],
            [4.0, 60.0, 9.0, 3.0, 25.0, 7.0],
        ]
    ),
}


def alternating(seed: int, rows: int, modes: int = 2) -> tuple[Columns, NDArray[np.intp]]:
    """Make a machine of six signals that works and idles by turns."""
    random = np.random.default_rng(seed)
    stays = random.integers(180, 420, rows // 180 + 1)
    mode = np.repeat(np.arange(len(stays)) % modes, stays)[:rows]
    load = np.zeros(rows)
    for t in range(1, rows):
        load[t] = 0.95 * load[t - 1] + 0.3 * random.standard_normal()
    spread = np.where(mode[:, None] > 0, 0.25, 0.05)
    coupling = np.array([0.5, 1.0, 0.3, -0.4, 0.8, 0.6])
    levels = LEVELS[modes][mode]
    made = levels + spread * (load[:, None] * coupling + random.standard_normal((rows, 6)))
    return made, mode


@pytest.mark.parametrize("modes", [2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_modes_of_a_machine_are_found(modes: int, seed: int) -> None:
    rows, truth = alternating(seed, LEARNT, modes)
    found = find([rows], 300)
    assert found is not None
    regimes, (told,) = found
    assert len(regimes) == modes
    sure = told >= 0
    assert sure.mean() > 0.95
    pairs = {(int(a), int(b)) for a, b in zip(truth[sure], told[sure], strict=True)}
    assert len(pairs) == modes
    assert regimes.mode == told[sure][-1]


def sine() -> Columns:
    angle = np.arange(LEARNT) / 60
    return np.column_stack((np.sin(angle), np.cos(angle), np.sin(angle + 1)))


def wandering() -> Columns:
    return np.random.default_rng(4).standard_normal((LEARNT, 4)).cumsum(axis=0)


def once() -> Columns:
    rows = np.random.default_rng(5).standard_normal((LEARNT, 4))
    rows[1800:] += 20.0
    return rows


def thermostat() -> Columns:
    on = (np.arange(LEARNT) // 40) % 2
    return np.random.default_rng(6).normal(0, 0.05, (LEARNT, 3)) + on[:, None]


def bursts() -> Columns:
    rows = np.random.default_rng(7).standard_normal((LEARNT, 4))
    rows[500:520] += 30.0
    rows[1500:1520] += 30.0
    return rows


@pytest.mark.parametrize(
    "rows",
    [
        sine(),
        wandering(),
        once(),
        thermostat(),
        bursts(),
        np.full((LEARNT, 3), np.nan),
        np.zeros((LEARNT, 3)),
        *(healthy_plant(np.random.default_rng(seed), 8, LEARNT) for seed in range(6)),
    ],
)
def test_no_modes_where_there_are_none(rows: Columns) -> None:
    assert find([rows], 300) is None


def watch_of(rows: Columns, **settings: Any) -> Watch:
    names = [f"s{j}" for j in range(rows.shape[1])]
    made = WatchSettings(learn_rows=LEARNT, mode_rows=300, settle_s=5.0, **settings)
    return Watch(names, [""] * len(names), made)


def judged(watch: Watch, rows: Columns) -> Any:
    at = np.arange(len(rows), dtype=np.int64) * SECOND
    return watch.judge(at, rows, np.zeros(len(rows), np.int64))


@pytest.mark.parametrize("seed", range(10, 14))
def test_machine_with_unknown_modes_raises_nothing_while_healthy(seed: int) -> None:
    rows, _ = alternating(seed, 4 * LEARNT)
    said = judged(watch_of(rows), rows)
    assert said.transitions == ()
    assert said.judged[LEARNT:].mean() > 0.7


def test_small_fault_of_the_idle_machine_is_seen() -> None:
    """Half a unit is ten spreads of the idle machine, and nothing beside the step to work."""
    rows, mode = alternating(20, 3 * LEARNT)
    idle = np.flatnonzero(mode[: 2 * LEARNT] == 0)
    begin = int(idle[idle > LEARNT + 600][0]) + 60
    rows[begin:, 3] += np.where(mode[begin:] == 0, 0.5, 0.0)
    raised = judged(watch_of(rows), rows).transitions
    assert raised[0].action is AlarmAction.RAISE
    assert raised[0].reason.contributions[0].signal == "s3"
    assert begin * SECOND <= raised[0].at <= (begin + 60) * SECOND


def test_watch_with_a_mode_tag_looks_for_none() -> None:
    rows, _ = alternating(30, 2 * LEARNT)
    watch = watch_of(rows, find_modes=False)
    judged(watch, rows)
    assert watch.found_mode is None


def test_the_present_mode_is_told_in_words_of_its_clearest_signal() -> None:
    rows, mode = alternating(31, 2 * LEARNT)
    watch = watch_of(rows)
    judged(watch, rows)
    told = watch.found_mode
    assert told is not None
    assert (" above " in told) == (mode[-1] == 1)


@pytest.mark.parametrize("cut", [LEARNT - 500, LEARNT, LEARNT + 1, LEARNT + 333, 2 * LEARNT - 1])
def test_restored_watch_goes_on_as_if_it_had_never_stopped(cut: int) -> None:
    rows, _ = alternating(32, 2 * LEARNT)
    at, none = np.arange(len(rows), dtype=np.int64) * SECOND, np.zeros(len(rows), np.int64)
    through, before, after = (watch_of(rows) for _ in range(3))
    whole = through.judge(at, rows, none)
    before.judge(at[:cut], rows[:cut], none[:cut])
    after.restore(before.state())
    rest = after.judge(at[cut:], rows[cut:], none[cut:])
    assert np.array_equal(rest.score, whole.score[cut:], equal_nan=True)


def voters() -> Split:
    three = np.arange(3)
    return Split(three, np.full(3, 5.0), np.full(3, 5.0), -1, -2, patience=4)


LOW, HIGH, MIDST = np.zeros(3), np.full(3, 10.0), np.full(3, 5.0)


def test_mode_changes_after_three_sure_rows_and_not_by_a_spike() -> None:
    regimes = Regimes([voters()])
    assert [regimes.now(row) for row in (LOW, HIGH, LOW, HIGH, HIGH, HIGH)] == [
        True, False, True, False, False, True,
    ]  # fmt: skip
    assert regimes.mode == 1


def test_what_stays_between_two_modes_is_judged_in_the_old_one() -> None:
    regimes = Regimes([voters()])
    assert [regimes.now(MIDST) for _ in range(6)] == [False] * 4 + [True] * 2
    assert regimes.mode == 0


@pytest.mark.parametrize("broken", [np.nan, np.inf, 0.0])
def test_broken_voter_does_not_change_the_mode(broken: float) -> None:
    regimes = Regimes([voters()])
    for _ in range(5):
        regimes.now(HIGH)
    row = HIGH.copy()
    row[1] = broken
    assert [regimes.now(row) for _ in range(5)] == [True] * 5
    assert regimes.mode == 1


def test_without_any_voter_the_mode_stays() -> None:
    regimes = Regimes([voters()])
    assert regimes.now(np.full(3, np.nan))
    assert regimes.mode == 0
