"""The watch of an asset: what it learns, when it speaks, what it says, and how it goes on."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.evaluation.plants import ONSET, WARMUP, plant
from analytics.watch import STEADY_ROWS, Judgement, Transition, Watch, WatchSettings, event_bar
from plant.alarms import AlarmAction
from plant.errors import Misconfigured
from plant.reasons import Trend

SECOND = 10**9
SIGNALS = ("flow", "pressure", "current", "vibration")
UNITS = ("m3/h", "bar", "A", "mm/s")
SETTINGS = WatchSettings(learn_rows=1000, mode_rows=200)
FAULT = 1500
IDLE, RUN = 0, 1


def pump(rows: int, seed: int = 0) -> NDArray[np.float64]:
    """Make rows (n, 4) of a pump under one slowly changing load."""
    random = np.random.default_rng(seed)
    load = np.sin(np.arange(rows) / 47) + 0.5 * np.sin(np.arange(rows) / 11 + 1)
    noise = random.normal(size=(rows, 4))
    level, gain = np.array([50.0, 4.0, 20.0, 2.3]), np.array([5.0, 0.3, 2.0, 0.0])
    made: NDArray[np.float64] = (
        level + gain * load[:, None] + np.array([0.5, 0.05, 0.3, 0.1]) * noise
    )
    return made


def seconds(rows: int, start: int = 0) -> NDArray[np.int64]:
    return (start + np.arange(rows, dtype=np.int64)) * SECOND


def judged(
    rows: NDArray[np.float64], mode: NDArray[np.int64] | None = None, **words: Any
) -> tuple[Watch, Judgement]:
    settings = WatchSettings(**{"learn_rows": 1000, "mode_rows": 200, **words})
    watch = Watch(SIGNALS, UNITS, settings)
    modes = np.zeros(len(rows), np.int64) if mode is None else mode
    return watch, watch.judge(seconds(len(rows)), rows, modes)


def worn(rows: int = 2400, until: int | None = None) -> NDArray[np.float64]:
    """Make rows in which the vibration doubles from `FAULT` on."""
    made = pump(rows)
    made[FAULT:until, 3] *= 2.0
    return made


def stretches(*parts: tuple[int, int]) -> NDArray[np.int64]:
    """Make modes from (mode, rows)."""
    return np.concatenate([np.full(rows, mode, np.int64) for mode, rows in parts])


def comings_and_goings(judgement: Judgement) -> list[Transition]:
    return [each for each in judgement.transitions if each.action is not AlarmAction.WORSEN]


def actions(judgement: Judgement) -> list[str]:
    return [transition.action.value for transition in comings_and_goings(judgement)]


def test_fault_raises_one_explained_alarm() -> None:
    watch, judgement = judged(worn())
    (raised,) = comings_and_goings(judgement)
    first = raised.reason.contributions[0]
    assert raised.action is AlarmAction.RAISE
    assert 5 <= raised.at / SECOND - FAULT <= 30
    assert abs(raised.onset / SECOND - FAULT) <= 5
    assert raised.reason.score > raised.reason.threshold
    assert (first.signal, first.unit, first.since) == ("vibration", "mm/s", raised.onset)
    assert first.trend is Trend.RISING
    assert first.low < 2.3 < first.high < first.actual
    assert first.expected == pytest.approx(2.3, abs=0.1)
    assert first.share > 0.8
    assert watch.phase == "alarmed"


def test_growing_fault_is_told_anew_with_what_it_shows_now() -> None:
    rows = pump(2400)
    rows[FAULT:, 3] *= np.minimum(1.0 + 0.02 * np.arange(len(rows) - FAULT), 4.0)
    _, judgement = judged(rows)
    raised, *grown = judgement.transitions
    assert {each.action for each in grown} == {AlarmAction.WORSEN}
    scores = [each.reason.score for each in judgement.transitions]
    assert all(later > 1.5 * sooner for sooner, later in pairwise(scores))
    first, last = raised.reason.contributions[0], grown[-1].reason.contributions[0]
    assert last.actual > 2.5 * last.expected > 1.2 * first.actual
    assert len(grown) < 10, "told when it matters, not row by row"


def test_healthy_machine_stays_quiet_and_unlearnt_rows_have_no_score() -> None:
    watch, judgement = judged(pump(6000))
    assert judgement.transitions == ()
    assert not judgement.judged[:999].any()
    assert np.isnan(judgement.score[:999]).all()
    assert judgement.judged[1000:].all()
    assert judgement.anomalous.sum() <= 3, "of 5,000 rows; an alarm needs more in a row"
    assert (watch.phase, watch.progress) == ("watching", 1.0)


def test_broken_relation_within_every_band_is_found() -> None:
    rows = pump(2400)
    rows[FAULT:, 2] = 2 * 20.0 - rows[FAULT:, 2]
    _, judgement = judged(rows)
    assert actions(judgement)[:1] == ["raise"]
    assert judgement.transitions[0].reason.contributions[0].signal == "current"


def test_alarm_clears_once_when_the_fault_has_gone() -> None:
    _, judgement = judged(worn(until=1900))
    assert actions(judgement) == ["raise", "clear"]
    assert 1920 <= comings_and_goings(judgement)[1].at / SECOND <= 1990


def test_standing_fault_is_neither_learnt_nor_forgotten() -> None:
    watch, judgement = judged(worn(9000))
    assert actions(judgement) == ["raise"]
    assert judgement.anomalous[-1]
    assert watch.band(0)[2][3] == pytest.approx(2.3, abs=0.1)


@pytest.mark.parametrize(
    ("rows", "times"), [(1, 1.2), (1, 1.5), (1, 2.0), (1, 4.0), (2, 4.0), (4, 1.2), (4, 1.5)]
)
def test_short_disturbance_is_not_an_alarm(rows: int, times: float) -> None:
    disturbed = pump(2400)
    disturbed[FAULT : FAULT + rows, 3] *= times
    _, judgement = judged(disturbed)
    assert judgement.transitions == ()


@pytest.mark.parametrize("cuts", [(1,), (7, 350), (1499,)])
def test_blocks_give_bit_equal_results(cuts: tuple[int, ...]) -> None:
    rows, mode = worn(2000), stretches((RUN, 600), (IDLE, 500), (RUN, 900))
    rows[1300:1330, 1] = np.nan
    _, whole = judged(rows, mode)
    watch, begin, parts = Watch(SIGNALS, UNITS, SETTINGS), 0, []
    sizes = (cuts * len(rows))[: len(rows)]
    for end in [*np.cumsum(sizes)[np.cumsum(sizes) < len(rows)].tolist(), len(rows)]:
        parts.append(watch.judge(seconds(end - begin, begin), rows[begin:end], mode[begin:end]))
        begin = end
    scores = np.concatenate([part.score for part in parts])
    assert np.array_equal(scores, whole.score, equal_nan=True)
    told = [transition for part in parts for transition in part.transitions]
    assert told == list(whole.transitions)


TURNS = worn(2400, until=1900), stretches((RUN, 500), (IDLE, 150), (RUN, 1750))


@pytest.fixture(scope="module")
def uncut() -> tuple[Watch, Judgement]:
    return judged(*TURNS)


@pytest.mark.parametrize("cut", [10, 700, 999, 1400, 1520, 1950, 1990])
def test_restored_watch_goes_on_bit_equal(cut: int, uncut: tuple[Watch, Judgement]) -> None:
    (rows, mode), (whole, judgement) = TURNS, uncut
    first, again = Watch(SIGNALS, UNITS, SETTINGS), Watch(SIGNALS, UNITS, SETTINGS)
    first.judge(seconds(cut), rows[:cut], mode[:cut])
    again.restore({name: value.copy() for name, value in first.state().items()})
    assert (again.explain(), again.phase, again.progress) == (
        first.explain(),
        first.phase,
        first.progress,
    )
    later = again.judge(seconds(2400 - cut, cut), rows[cut:], mode[cut:])
    assert np.array_equal(later.score, judgement.score[cut:], equal_nan=True)
    assert later.transitions == tuple(
        each for each in judgement.transitions if each.at >= cut * SECOND
    )
    assert again.explain() == whole.explain()


def test_missing_signal_is_left_out_and_the_rest_still_judged() -> None:
    rows = worn()
    rows[1200:, 0] = np.nan
    _, judgement = judged(rows)
    assert judgement.judged[1200:].all()
    assert judgement.transitions[0].reason.contributions[0].signal == "vibration"
    assert all(part.signal != "flow" for part in judgement.transitions[0].reason.contributions)


def test_rows_without_a_value_are_not_judged_and_the_alarm_stays() -> None:
    rows = worn()
    rows[1700:] = np.nan
    watch, judgement = judged(rows)
    assert not judgement.judged[1700:].any()
    assert actions(judgement) == ["raise"]
    assert watch.phase == "alarmed"


def test_bad_samples_are_never_learnt() -> None:
    rows = pump(2000)
    rows[300:600] = np.nan
    rows[1200:1500, 2] = np.nan
    watch, judgement = judged(rows)
    low, high, expected = watch.band(0)
    assert np.isfinite(np.concatenate((low, high, expected))).all()
    assert judgement.transitions == ()


def test_each_mode_has_its_own_normal() -> None:
    mode = stretches((RUN, 700), (IDLE, 600), (RUN, 500), (IDLE, 400))
    rows = pump(2200)
    rows[mode == IDLE] *= 0.1
    watch, judgement = judged(rows, mode, learn_rows=1300)
    assert judgement.transitions == ()
    assert watch.band(RUN)[2][0] == pytest.approx(50, abs=5)
    assert watch.band(IDLE)[2][0] == pytest.approx(5, abs=0.5)
    assert np.isnan(watch.band(7)).all()


def test_fault_in_idle_is_found_against_idle() -> None:
    mode = stretches((RUN, 700), (IDLE, 600), (RUN, 300), (IDLE, 300))
    rows = pump(1900)
    rows[mode == IDLE] *= 0.1
    rows[1700:, 1] += 3.6
    _, judgement = judged(rows, mode, learn_rows=1300)
    (raised,) = comings_and_goings(judgement)
    assert raised.at / SECOND > 1700
    assert raised.reason.contributions[0].signal == "pressure"


def test_rows_after_a_change_of_mode_are_not_judged() -> None:
    mode = stretches((RUN, 700), (IDLE, 500), (RUN, 400))
    rows = pump(1600)
    rows[1200:1215] *= 3.0
    _, judgement = judged(rows, mode, settle_s=20.0)
    assert not judgement.judged[1200:1220].any()
    assert judgement.judged[1240:].all()
    assert judgement.transitions == ()


def test_new_mode_is_learnt_before_it_is_judged() -> None:
    mode = stretches((RUN, 1200), (IDLE, 400))
    rows = pump(1600)
    rows[mode == IDLE] *= 0.1
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    watch.judge(seconds(1300), rows[:1300], mode[:1300])
    assert watch.phase == "learning"
    assert 0 < watch.progress < 1
    judgement = watch.judge(seconds(300, 1300), rows[1300:], mode[1300:])
    assert (watch.phase, judgement.judged[-1]) == ("watching", True)
    assert judgement.transitions == ()


def test_alarm_outlives_a_mode_that_hides_the_fault() -> None:
    mode = stretches((RUN, 800), (IDLE, 400), (RUN, 500), (IDLE, 300), (RUN, 300))
    rows = pump(2300)
    rows[mode == IDLE] *= 0.1
    rows[FAULT:, 3] *= np.where(mode[FAULT:] == RUN, 2.0, 1.0)
    watch, judgement = judged(rows, mode, learn_rows=1200)
    assert actions(judgement) == ["raise"]
    assert watch.phase == "alarmed"


@pytest.mark.parametrize(
    ("quiet", "told"), [(frozenset(), ["raise"]), (frozenset({IDLE}), ["raise", "clear"])]
)
def test_alarm_of_a_quiet_mode_ends_with_it(quiet: frozenset[int], told: list[str]) -> None:
    mode = stretches((RUN, 800), (IDLE, 400), (RUN, 300), (IDLE, 300), (RUN, 300))
    rows = pump(len(mode))
    rows[1600:1800, 3] *= 2.0
    _, judgement = judged(rows, mode, learn_rows=1200, quiet=quiet)
    assert actions(judgement) == told
    ends = [each.at // SECOND for each in judgement.transitions if each.action == "clear"]
    assert ends == [1799] * len(ends)


def test_alarm_of_another_mode_outlives_a_quiet_one() -> None:
    mode = stretches((RUN, 800), (IDLE, 400), (RUN, 500), (IDLE, 300), (RUN, 300))
    rows = pump(len(mode))
    rows[FAULT:, 3] *= np.where(mode[FAULT:] == RUN, 2.0, 1.0)
    watch, judgement = judged(rows, mode, learn_rows=1200, quiet=frozenset({IDLE}))
    assert actions(judgement) == ["raise"]
    assert watch.phase == "alarmed"


@pytest.mark.parametrize(
    ("quiet", "grows"), [(frozenset(), {AlarmAction.WORSEN}), (frozenset({IDLE}), set())]
)
def test_what_grows_in_another_mode_is_told_as_worse_unless_that_is_quiet(
    quiet: frozenset[int], grows: set[AlarmAction]
) -> None:
    mode = stretches((RUN, 1200), (IDLE, 400), (RUN, 300), (IDLE, 300))
    rows = pump(len(mode))
    rows[1700:1900, 3] *= 2.0
    rows[1900:, 3] *= 9.0
    _, judgement = judged(rows, mode, learn_rows=1600, quiet=quiet)
    told = [one for one in judgement.transitions if one.at >= 1900 * SECOND]
    assert {one.action for one in told} == grows
    assert comings_and_goings(judgement)[0].at < 1900 * SECOND


def test_nothing_is_learnt_in_any_mode_while_the_alarm_stands() -> None:
    other = 2
    mode = stretches((RUN, 800), (IDLE, 600), (RUN, 400), (IDLE, 300), (other, 400))
    rows = pump(2500)
    rows[FAULT:1800, 3] *= 2.0
    watch = Watch(SIGNALS, UNITS, WatchSettings(learn_rows=1400, mode_rows=200))
    watch.judge(seconds(1800), rows[:1800], mode[:1800])
    assert watch.phase == "alarmed"
    before = watch.state()
    judgement = watch.judge(seconds(700, 1800), rows[1800:], mode[1800:])
    assert (judgement.judged & ~judgement.anomalous)[:300].sum() > 200
    assert (watch.phase, watch.progress) == ("alarmed", 0.0)
    after = watch.state()
    # where the present means stand, and whose turn it is, is not learnt
    present = (".turn", ".left", ".restless")
    learnt = [each for each in before if each.startswith("modes.") and not each.endswith(present)]
    assert [name for name in learnt if not np.array_equal(before[name], after[name])] == []


def test_rows_above_the_limit_are_not_learnt_before_the_alarm_either() -> None:
    rows = worn()
    watch = Watch(SIGNALS, UNITS, WatchSettings(learn_rows=1000, mode_rows=200, on_delay_s=5000))
    watch.judge(seconds(FAULT + 60), rows[: FAULT + 60], np.zeros(FAULT + 60, np.int64))
    before = watch.band(0)
    rest = rows[FAULT + 60 :]
    judgement = watch.judge(seconds(len(rest), FAULT + 60), rest, np.zeros(len(rest), np.int64))
    assert judgement.anomalous.all()
    assert watch.phase == "watching"
    np.testing.assert_array_equal(watch.band(0), before)


def test_signal_that_stands_still_in_idle_does_not_make_noise_strange() -> None:
    mode = stretches((RUN, 800), (IDLE, 500), (RUN, 300), (IDLE, 400))
    rows = pump(2000)
    rows[mode == IDLE] = (0.0, 4.0, 0.0, 0.1)
    rows[1800:] += np.random.default_rng(1).normal(scale=(0.02, 0.001, 0.01, 0.001), size=(200, 4))
    _, judgement = judged(rows, mode, learn_rows=1300)
    assert judgement.judged[1700:].all()
    assert judgement.transitions == ()


def test_slow_drift_is_followed() -> None:
    rows = pump(20000)
    rows[:, 3] += np.linspace(0, 1.0, 20000)
    watch, judgement = judged(rows)
    assert judgement.transitions == ()
    assert watch.band(0)[2][3] == pytest.approx(3.25, abs=0.1)


def test_slow_grid_is_judged_like_a_fast_one() -> None:
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    judgement = watch.judge(300 * seconds(2400), worn(), np.zeros(2400, np.int64))
    assert actions(judgement) == ["raise"]
    assert judgement.transitions[0].at // (300 * SECOND) - FAULT <= 5


def test_asset_settles_again_after_a_gap() -> None:
    at = seconds(1600)
    at[1300:] += 3600 * SECOND
    judgement = Watch(SIGNALS, UNITS, SETTINGS).judge(at, pump(1600), np.zeros(1600, np.int64))
    assert not judgement.judged[1300:1320].any()
    assert judgement.judged[1340:].all()


def test_progress_counts_to_one() -> None:
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    rows = pump(1000)
    seen = []
    for begin in range(0, 1000, 250):
        seen.append((watch.phase, watch.progress))
        watch.judge(seconds(250, begin), rows[begin : begin + 250], np.zeros(250, np.int64))
    assert seen == [("learning", 0.0), ("learning", 0.25), ("learning", 0.5), ("learning", 0.75)]
    assert watch.phase == "watching"


def test_memory_does_not_grow_with_the_learning_time() -> None:
    watch, _ = judged(pump(30000), learn_rows=40000)
    assert sum(array.nbytes for array in watch.state().values()) < 1_000_000


def test_units_and_offsets_change_nothing() -> None:
    scale, offset = np.array([1e3, 1e-3, 7.0, 40.0]), np.array([0.0, 5.0, -273.15, 1e3])
    _, plain = judged(worn())
    _, other = judged(worn() * scale + offset)
    assert [each.at for each in plain.transitions] == [each.at for each in other.transitions]
    assert np.nanmax(np.abs(plain.score - other.score)) < 1e-3


@pytest.mark.parametrize(
    "words",
    [{"learn_rows": 10}, {"mode_rows": 3}, {"settle_s": -1.0}, {"budget": 0.0}, {"row_s": 0.0}],
)
def test_settings_that_cannot_work_are_refused(words: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        WatchSettings(**words)


@pytest.mark.parametrize(("signals", "units"), [((), ()), (("a", "b"), ("bar",))])
def test_watch_without_fitting_signals_is_refused(
    signals: tuple[str, ...], units: tuple[str, ...]
) -> None:
    with pytest.raises(Misconfigured, match="unit"):
        Watch(signals, units, SETTINGS)


def test_nothing_is_explained_before_a_row_was_judged() -> None:
    assert Watch(SIGNALS, UNITS, SETTINGS).explain() is None


def test_person_who_accepts_the_present_clears_the_alarm_once_and_for_all() -> None:
    rows = pump(5000)
    rows[FAULT:, 3] += 1.0
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    first = watch.judge(seconds(1800), rows[:1800], np.zeros(1800, np.int64))
    assert (actions(first), watch.phase) == (["raise"], "alarmed")
    watch.accept()
    assert watch.phase == "watching"
    later = watch.judge(seconds(3200, 1800), rows[1800:], np.zeros(3200, np.int64))
    assert actions(later) == ["clear"]
    assert later.transitions[0].at == 1800 * SECOND
    assert watch.phase == "watching"
    assert np.nanmax(later.score[1000:] / later.threshold[1000:]) < 1
    assert watch.band(0)[2][3] == pytest.approx(3.3, abs=0.1)


def test_accepting_what_is_normal_changes_nothing() -> None:
    rows = worn()
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    watch.accept()
    watch.judge(seconds(1200), rows[:1200], np.zeros(1200, np.int64))
    watch.accept()
    later = watch.judge(seconds(1200, 1200), rows[1200:], np.zeros(1200, np.int64))
    _, whole = judged(rows)
    assert np.array_equal(later.score, whole.score[1200:])
    assert later.transitions == whole.transitions


def test_acceptance_outlives_a_restart() -> None:
    rows = worn()
    watch, again = Watch(SIGNALS, UNITS, SETTINGS), Watch(SIGNALS, UNITS, SETTINGS)
    watch.judge(seconds(1800), rows[:1800], np.zeros(1800, np.int64))
    watch.accept()
    again.restore({name: value.copy() for name, value in watch.state().items()})
    later = again.judge(seconds(600, 1800), rows[1800:], np.zeros(600, np.int64))
    assert actions(later) == ["clear"]


def test_signal_that_shakes_around_its_mean_is_found() -> None:
    rows = pump(2400)
    rows[FAULT:, 3] = 2.3 + 3 * (rows[FAULT:, 3] - 2.3)
    _, judgement = judged(rows)
    assert actions(judgement) == ["raise"]
    raised = judgement.transitions[0]
    assert raised.at / SECOND - FAULT <= 60
    assert raised.reason.contributions[0].signal == "vibration"


def test_step_that_stands_for_long_is_still_alarmed() -> None:
    rows = pump(FAULT + 6000)
    rows[FAULT:, 3] += 0.5
    watch, judgement = judged(rows)
    assert actions(judgement) == ["raise"]
    assert watch.phase == "alarmed"


@pytest.mark.parametrize("seed", [300_001, 500_001, 700_002])
def test_small_step_of_three_signals_is_found_in_time_and_stands(seed: int) -> None:
    rows, _ = plant(8, seed, "step")
    rows = rows[: ONSET + 700]
    watch = Watch([f"s{j}" for j in range(8)], [""] * 8, WatchSettings(learn_rows=WARMUP))
    judgement = watch.judge(seconds(len(rows)), rows, np.zeros(len(rows), np.int64))
    assert actions(judgement) == ["raise"]
    assert 0 < judgement.transitions[0].at / SECOND - ONSET <= 90


def test_culprit_that_loses_its_value_keeps_the_alarm() -> None:
    rows = worn()
    rows[1700:, 3] = np.nan
    watch, judgement = judged(rows)
    assert actions(judgement) == ["raise"]
    assert watch.phase == "alarmed"


@pytest.mark.parametrize("gap", [30, 100, 300])
@pytest.mark.parametrize("seed", range(3))
def test_signal_that_vanishes_and_returns_is_no_alarm(gap: int, seed: int) -> None:
    rows = pump(2000, seed)
    rows[FAULT - gap : FAULT, 2] = np.nan
    _, judgement = judged(rows)
    assert judgement.judged[1000:].all()
    assert judgement.transitions == ()


def test_signal_that_returns_with_a_fault_is_alarmed() -> None:
    rows = worn()
    rows[1300:FAULT, 3] = np.nan
    _, judgement = judged(rows)
    assert actions(judgement) == ["raise"]
    assert judgement.transitions[0].reason.contributions[0].signal == "vibration"
    assert judgement.transitions[0].at > FAULT * SECOND


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("row", [500, 1200])
def test_infinite_value_is_no_value(value: float, row: int) -> None:
    holed, wild = worn(), worn()
    holed[row : row + 3, 1], wild[row : row + 3, 1] = np.nan, value
    _, wanted = judged(holed)
    watch, told = judged(wild)
    assert np.array_equal(told.score, wanted.score, equal_nan=True)
    assert told.transitions == wanted.transitions
    assert np.isfinite(np.concatenate(watch.band(0))).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_history_without_a_value_is_never_called_normal(value: float) -> None:
    watch, judgement = judged(np.full((1500, 4), value))
    assert not judgement.judged.any()
    assert watch.phase == "learning"
    assert watch.progress < 1


def test_short_history_is_never_called_normal() -> None:
    watch, judgement = judged(pump(10))
    assert not judgement.judged.any()
    assert (watch.phase, watch.progress) == ("learning", 0.01)
    assert watch.explain() is None
    assert np.isnan(watch.band(0)).all()
    assert watch.contributions().tolist() == [0.0] * 4


def test_constant_signals_are_quiet_until_one_moves() -> None:
    rows = np.full((2400, 4), 7.0)
    rows[FAULT:, 2] += 1.0
    _, judgement = judged(rows)
    assert actions(judgement) == ["raise"]
    assert judgement.transitions[0].at > FAULT * SECOND
    assert judgement.transitions[0].reason.contributions[0].signal == "current"


@pytest.mark.parametrize("back", [1, 30, 3600])
def test_clock_that_steps_back_neither_fails_nor_alarms(back: int) -> None:
    at = seconds(2000)
    at[FAULT:] -= back * SECOND
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    judgement = watch.judge(at, pump(2000), np.zeros(2000, np.int64))
    assert judgement.transitions == ()
    assert judgement.judged[-100:].all()


def test_one_row_is_judged_like_many() -> None:
    rows, at = worn(1700), seconds(1700)
    watch, whole = judged(rows)
    alone = Watch(SIGNALS, UNITS, SETTINGS)
    told = [alone.judge_one(int(at[k]), rows[k], 0) for k in range(len(rows))]
    assert told[:999] == [None] * 999
    scores = list(zip(whole.score[1000:].tolist(), whole.threshold[1000:].tolist(), strict=True))
    assert told[1000:] == scores
    assert alone.phase == watch.phase
    assert alone.explain() == watch.explain()


@pytest.mark.parametrize("rows", [1400, FAULT + 8, FAULT + 200])
def test_contributions_sum_to_the_score(rows: int) -> None:
    watch, judgement = judged(worn(2400)[:rows])
    parts = watch.contributions()
    assert (parts >= 0).all()
    assert parts.sum() == pytest.approx(judgement.score[-1])


def test_drift_is_told_in_spreads_of_the_signal() -> None:
    rows = pump(12000)
    rows[2000:, 3] += np.linspace(0, 1.0, 10000)
    watch, judgement = judged(rows)
    assert judgement.transitions == ()
    drift = watch.drift(0)
    assert drift[3] == pytest.approx(1.0 / 0.1, rel=0.4)
    assert np.abs(drift[:3]).max() < 2
    assert np.isnan(watch.drift(7)).all()


@pytest.mark.parametrize("row", [1, STEADY_ROWS - 1])
def test_first_rows_after_settling_are_not_judged(row: int) -> None:
    at = seconds(1600)
    at[1300:] += 3600 * SECOND
    judgement = Watch(SIGNALS, UNITS, SETTINGS).judge(at, pump(1600), np.zeros(1600, np.int64))
    assert not judgement.judged[1300 + 19 + row]
    assert judgement.judged[1300 + 19 + STEADY_ROWS :].all()


def lone(rows: int = 4000) -> NDArray[np.float64]:
    """Make rows (n, 1) of a lone signal that steps at row 2000."""
    made = 20 + 0.1 * np.random.default_rng(0).normal(size=(rows, 1))
    made[2000:] += 5.0
    return made


def test_lone_signal_gives_an_event_of_one_row() -> None:
    watch = Watch(("flow",), ("m3/h",), SETTINGS)
    judgement = watch.judge(seconds(4000), lone(), np.zeros(4000, np.int64))
    assert actions(judgement) == ["raise", "clear"]
    raised, cleared = judgement.transitions
    assert 2000 <= raised.at / SECOND <= 2005
    assert cleared.at - raised.at == SECOND
    assert raised.reason.contributions[0].signal == "flow"
    assert watch.phase == "watching"


def test_event_of_a_quiet_mode_ends_with_it() -> None:
    at, rows, mode = seconds(2400), lone(2400), np.full(2400, IDLE)
    raised, _ = Watch(("flow",), ("m3/h",), SETTINGS).judge(at, rows, mode).transitions
    mode[raised.at // SECOND + 1 :] = RUN
    settings = WatchSettings(learn_rows=1000, mode_rows=200, quiet=frozenset({IDLE}))
    judgement = Watch(("flow",), ("m3/h",), settings).judge(at, rows, mode)
    assert [(one.action, one.at) for one in judgement.transitions] == [
        (AlarmAction.RAISE, raised.at),
        (AlarmAction.CLEAR, raised.at),
    ]


@pytest.fixture(scope="module")
def whole() -> Judgement:
    watch = Watch(("flow",), ("m3/h",), SETTINGS)
    return watch.judge(seconds(2400), lone(2400), np.zeros(2400, np.int64))


@pytest.mark.parametrize("cut", [300, 1010, 2001, 2002])
def test_restored_watch_of_a_lone_signal_goes_on_bit_equal(cut: int, whole: Judgement) -> None:
    rows, mode, at = lone(2400), np.zeros(2400, np.int64), seconds(2400)
    first, again = (Watch(("flow",), ("m3/h",), SETTINGS) for _ in range(2))
    before = first.judge(at[:cut], rows[:cut], mode[:cut])
    again.restore({name: value.copy() for name, value in first.state().items()})
    assert (again.phase, again.strangeness) == (first.phase, first.strangeness)
    later = again.judge(at[cut:], rows[cut:], mode[cut:])
    assert np.array_equal(np.r_[before.score, later.score], whole.score, equal_nan=True)
    assert before.transitions + later.transitions == whole.transitions


def test_bar_of_a_lone_signal_follows_the_budget_and_can_be_given() -> None:
    assert event_bar(1.0, 1.0) > event_bar(10.0, 1.0) > event_bar(10.0, 60.0)
    given = Watch(("flow",), ("m3/h",), WatchSettings(learn_rows=1000, mode_rows=200, bar=1e9))
    assert given.judge(seconds(2400), lone(2400), np.zeros(2400, np.int64)).transitions == ()


def test_spike_of_a_lone_signal_is_an_event_and_no_doubt() -> None:
    rows = np.random.default_rng(3).normal(20.0, 0.5, size=(2400, 1))
    rows[FAULT] += 30.0
    watch = Watch(["level"], ["%"], WatchSettings(learn_rows=1000, mode_rows=200))
    judgement = watch.judge(seconds(2400), rows, np.zeros(2400, np.int64))
    assert [each.at // SECOND for each in comings_and_goings(judgement)] == [FAULT, FAULT + 1]
    assert judgement.judged[1000:].all()
