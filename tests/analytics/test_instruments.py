"""Faults of sensors are told for what they are, and those of the machine are not explained away."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.exchange import swapped_pair
from analytics.habits import Habits
from analytics.judgements import Judgement
from analytics.watch import Watch, WatchSettings
from plant.alarms import AlarmAction
from plant.assets import Health
from plant.instruments import Doubt, InstrumentFault, diagnosis, doubt_body, doubt_from

SECOND = 10**9
SIGNALS = ("a/p/TT-1", "a/p/TT-2", "a/p/PT-1", "a/p/FT-1", "a/p/II-1", "a/p/VT-1")
UNITS = ("Cel", "Cel", "bar", "m3/h", "A", "mm/s")
LEVEL = np.array([60.0, 75.0, 4.0, 50.0, 20.0, 2.3])
GAIN = np.array([2.0, 1.0, 0.3, 5.0, 2.0, 0.0])
NOISE = np.array([0.3, 0.3, 0.05, 0.5, 0.3, 0.1])
SETTINGS = WatchSettings(learn_rows=500, mode_rows=200)
ONSET, ROWS = 700, 1400
TT1, TT2, PT, FT, II, VT = range(6)

Rows = NDArray[np.float64]
Change = Callable[[Rows], None]


def press(rows: int = ROWS, seed: int = 0) -> Rows:
    """Make rows (n, 6) of a machine under one slowly changing load."""
    random = np.random.default_rng(seed)
    load = np.sin(np.arange(rows) / 47) + 0.5 * np.sin(np.arange(rows) / 11 + 1)
    made: Rows = LEVEL + GAIN * load[:, None] + NOISE * random.normal(size=(rows, 6))
    return made


def seconds(rows: int, start: int = 0) -> NDArray[np.int64]:
    return (start + np.arange(rows, dtype=np.int64)) * SECOND


def judged(rows: Rows, mode: NDArray[np.int64] | None = None) -> tuple[Watch, Judgement]:
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    modes = np.zeros(len(rows), np.int64) if mode is None else mode
    return watch, watch.judge(seconds(len(rows)), rows, modes)


def told(judgement: Judgement) -> list[tuple[str, str, str]]:
    return [
        (str(one.action), one.doubt.signal.rpartition("/")[2], str(one.doubt.kind))
        for one in judgement.diagnoses
    ]


def raised(judgement: Judgement) -> list[str]:
    return [str(each.action) for each in judgement.transitions if each.action != "worsen"]


def stands_still(rows: Rows) -> None:
    rows[ONSET:, TT1] = rows[ONSET, TT1]


def reads_zero(rows: Rows) -> None:
    rows[ONSET:, TT1] = 0.0


def has_a_loose_contact(rows: Rows) -> None:
    rows[ONSET:][np.random.default_rng(3).random(len(rows) - ONSET) < 0.25, TT1] = 0.0


def has_no_value(rows: Rows) -> None:
    rows[ONSET:, TT1] = np.nan


def is_at_its_end(rows: Rows) -> None:
    rows[ONSET:, TT1] = 120.0


def spikes(rows: Rows) -> None:
    random = np.random.default_rng(3)
    size = random.uniform(10, 20, len(rows)) * random.choice((-1, 1), len(rows))
    rows[ONSET:, TT1] += (size * (random.random(len(rows)) < 0.05))[ONSET:]


FAULTS: list[tuple[Change, InstrumentFault, Health]] = [
    (stands_still, InstrumentFault.STUCK, Health.FAILURE),
    (reads_zero, InstrumentFault.DROPPED_OUT, Health.FAILURE),
    (has_a_loose_contact, InstrumentFault.DROPPED_OUT, Health.FAILURE),
    (has_no_value, InstrumentFault.DROPPED_OUT, Health.FAILURE),
    (is_at_its_end, InstrumentFault.SATURATED, Health.OFF_SPEC),
    (spikes, InstrumentFault.SPIKING, Health.MAINTENANCE_REQUIRED),
]


@pytest.mark.parametrize(("change", "kind", "health"), FAULTS)
@pytest.mark.parametrize("seed", range(2))
def test_fault_of_a_sensor_is_named_and_the_machine_not_blamed(
    change: Change, kind: InstrumentFault, health: Health, seed: int
) -> None:
    rows = press(seed=seed)
    change(rows)
    watch, judgement = judged(rows)
    assert told(judgement) == [("raise", "TT-1", str(kind))]
    assert judgement.transitions == ()
    assert [doubt.kind.health for doubt in watch.doubts] == [health]
    assert judgement.judged[ONSET:].all(), "the machine goes on being judged by the others"


@pytest.mark.parametrize(("change", "kind"), [(change, kind) for change, kind, _ in FAULTS])
def test_sensor_that_works_again_is_believed_again(change: Change, kind: InstrumentFault) -> None:
    rows, healthy = press(1700), press(1700)
    change(rows)
    rows[1100:] = healthy[1100:]
    watch, judgement = judged(rows)
    assert told(judgement)[0] == ("raise", "TT-1", str(kind))
    assert told(judgement)[-1] == ("clear", "TT-1", str(kind))
    assert watch.doubts == []
    assert judgement.transitions == ()


@pytest.mark.parametrize("seed", range(4))
def test_healthy_machine_has_no_sensor_at_fault(seed: int) -> None:
    _, judgement = judged(press(2500, seed))
    assert judgement.diagnoses == ()


@pytest.mark.parametrize(("change", "kind"), [(change, kind) for change, kind, _ in FAULTS])
def test_fault_of_the_machine_does_not_hide_behind_a_sensor(
    change: Change, kind: InstrumentFault
) -> None:
    rows = press(1500)
    change(rows)
    rows[1200:, VT] *= 2.0
    _, judgement = judged(rows)
    assert told(judgement) == [("raise", "TT-1", str(kind))]
    (alarm,) = (each for each in judgement.transitions if each.action is AlarmAction.RAISE)
    assert alarm.at >= 1200 * SECOND
    assert alarm.reason.contributions[0].signal == "a/p/VT-1"


@pytest.mark.parametrize("change", [1.2, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("signal", [TT1, PT, VT])
def test_step_of_one_signal_stays_an_alarm_of_the_machine(signal: int, change: float) -> None:
    rows = press()
    rows[ONSET:, signal] *= change
    _, judgement = judged(rows)
    assert judgement.diagnoses == ()
    assert raised(judgement) == ["raise"]


def test_machine_that_stops_has_no_sensor_at_fault() -> None:
    rows = press()
    rows[ONSET:, [FT, II]] = 0.0
    rows[ONSET:, PT] *= 0.5
    rows[ONSET:, VT] *= 0.05
    _, judgement = judged(rows)
    assert judgement.diagnoses == ()
    assert raised(judgement)[0] == "raise"


def test_machine_that_stands_still_altogether_has_no_sensor_at_fault() -> None:
    rows = press()
    rows[ONSET:] = rows[ONSET]
    _, judgement = judged(rows)
    assert judgement.diagnoses == ()


def test_signals_that_are_lost_together_are_no_fault_of_sensors() -> None:
    rows = press()
    rows[ONSET:, [TT1, TT2, PT]] = np.nan
    _, judgement = judged(rows)
    assert judgement.diagnoses == ()


def test_signal_that_stands_still_in_a_mode_is_healthy_there() -> None:
    mode = np.repeat([1, 0, 1, 0, 1], [700, 400, 300, 600, 300])
    rows = press(len(mode))
    rows[mode == 0] *= [1.0, 1.0, 1.0, 0.0, 0.0, 0.1]
    _, judgement = judged(rows, mode)
    assert judgement.diagnoses == ()
    rows[2050:, FT] = rows[2050, FT]
    _, judgement = judged(rows, mode)
    assert told(judgement) == [("raise", "FT-1", "stuck")]


def test_rounded_signal_that_seldom_moves_is_given_its_time() -> None:
    rows = press(3500)
    rows[:, TT2] = np.rint(LEVEL[TT2] + np.sin(np.arange(3500) / 47))
    _, judgement = judged(rows)
    assert judgement.diagnoses == ()
    rows[ONSET:, TT2] = rows[ONSET, TT2]
    _, judgement = judged(rows)
    assert told(judgement) == [("raise", "TT-2", "stuck")]
    assert judgement.diagnoses[0].at > (ONSET + 200) * SECOND


def swapped(rows: Rows, first: int, last: int | None = None) -> None:
    rows[first:last, [TT1, TT2]] = rows[first:last, [TT2, TT1]]


def test_two_sensors_that_were_exchanged_are_named_together() -> None:
    rows = press()
    swapped(rows, ONSET)
    watch, judgement = judged(rows)
    assert told(judgement) == [("raise", "TT-1", "swapped"), ("raise", "TT-2", "swapped")]
    assert raised(judgement) in ([], ["raise", "clear"])
    assert [doubt.partner for doubt in watch.doubts] == ["a/p/TT-2", "a/p/TT-1"]


def test_exchange_that_is_undone_is_forgotten() -> None:
    rows = press(1500)
    swapped(rows, ONSET, 1100)
    watch, judgement = judged(rows)
    assert [action for action, _, _ in told(judgement)] == ["raise", "raise", "clear", "clear"]
    assert watch.doubts == []
    assert watch.phase == "watching"


def test_sensor_that_creeps_alone_is_drifting_and_stays_believed() -> None:
    rows = press(4000)
    rows[1000:, FT] += np.linspace(0, 30.0, 3000)
    watch, judgement = judged(rows)
    assert told(judgement)[0] == ("raise", "FT-1", "drifting")
    assert watch.doubts[0].measure > 4
    assert not watch.doubts[0].kind.misleads


def test_what_drifts_together_is_no_drift_of_a_sensor() -> None:
    rows = press(4000)
    rows[1000:] += GAIN * np.linspace(0, 2.0, 3000)[:, None]
    _, judgement = judged(rows)
    assert judgement.diagnoses == ()


@pytest.mark.parametrize(("change", "kind"), [(change, kind) for change, kind, _ in FAULTS])
@pytest.mark.parametrize("cut", [300, ONSET + 20])
def test_restored_watch_goes_on_bit_equal(change: Change, kind: InstrumentFault, cut: int) -> None:
    rows, healthy = press(1000), press(1000)
    change(rows)
    rows[900:] = healthy[900:]
    modes, at = np.zeros(1000, np.int64), seconds(1000)
    _, whole = judged(rows)
    first, again = (Watch(SIGNALS, UNITS, SETTINGS) for _ in range(2))
    before = first.judge(at[:cut], rows[:cut], modes[:cut])
    again.restore({name: value.copy() for name, value in first.state().items()})
    assert again.doubts == first.doubts
    later = again.judge(at[cut:], rows[cut:], modes[cut:])
    scores = np.r_[before.score, later.score]
    assert np.array_equal(scores, whole.score, equal_nan=True)
    assert before.diagnoses + later.diagnoses == whole.diagnoses
    assert str(kind) in {name for _, _, name in told(whole)}


@pytest.mark.parametrize("change", [change for change, _, _ in FAULTS])
def test_one_row_at_a_time_is_judged_like_many(change: Change) -> None:
    rows, at = press(900), seconds(900)
    change(rows)
    watch, whole = judged(rows)
    alone = Watch(SIGNALS, UNITS, SETTINGS)
    said = [alone.judge_one(int(at[k]), rows[k], 0) for k in range(len(rows))]
    scores = [one[0] if one else np.nan for one in said]
    assert np.array_equal(scores, whole.score, equal_nan=True)
    assert alone.doubts == watch.doubts


def test_person_who_trusts_a_sensor_is_heard_and_it_must_stand_still_for_longer() -> None:
    rows = press(1600)
    rows[ONSET:800, TT1] = rows[ONSET, TT1]
    rows[900:960, TT1] = rows[900, TT1]
    rows[1000:1500, TT1] = rows[1000, TT1]
    modes = np.zeros(len(rows), np.int64)
    watch = Watch(SIGNALS, UNITS, SETTINGS)
    watch.judge(seconds(780), rows[:780], modes[:780])
    assert [doubt.signal for doubt in watch.doubts] == ["a/p/TT-1"]
    (cleared,) = watch.trust("a/p/TT-1")
    assert (cleared.action, watch.doubts) == (AlarmAction.CLEAR, [])
    assert watch.trust("a/p/TT-1") == ()
    later = watch.judge(seconds(820, 780), rows[780:], modes[780:])
    assert [one.doubt.since // SECOND for one in later.diagnoses][:1] == [1000]


def test_asset_of_one_signal_names_no_sensor() -> None:
    watch = Watch(("a/p/TT-1",), ("Cel",), SETTINGS)
    rows = press()[:, :1]
    rows[ONSET:] = rows[ONSET]
    judgement = watch.judge(seconds(ROWS), rows, np.zeros(ROWS, np.int64))
    assert (judgement.diagnoses, watch.doubts, watch.trust("a/p/TT-1")) == ((), [], ())


def test_habits_know_the_longest_stand_still_and_never_miss_what_never_moved() -> None:
    habits = Habits(2)
    none = np.zeros(2, np.bool_)
    for row in range(100):
        moved = np.array([row % 5 == 0, False])
        still = np.array([row % 5, row]) * SECOND
        habits.learn(SECOND, moved, none, still, np.zeros(2))
    bars = habits.bars
    assert bars.interval[0] == 5 * SECOND
    assert bars.longest[0] == 4
    assert bars.stuck[0] == 25 * 5 * SECOND
    assert bars.doubt[0] < bars.stuck[0]
    assert np.isinf(bars.stuck[1])
    again = Habits.restore(habits.state())
    np.testing.assert_array_equal(again.bars.stuck, bars.stuck)


class _Levels:
    """Knows two levels and a spread of one."""

    def __init__(self, *levels: float) -> None:
        self._levels = np.array(levels)

    def misfit(self, rows: Rows) -> Rows:
        square: Rows = ((rows - self._levels) ** 2).mean(axis=0)
        return square


@pytest.mark.parametrize(
    ("units", "shown", "pair"),
    [
        (("bar", "bar", "bar"), (9.0, 3.0, 5.0), (0, 1)),
        (("bar", "Cel", "bar"), (9.0, 3.0, 5.0), None),
        (("bar", "bar", "bar"), (9.0, 14.0, 5.0), None),
        (("bar", "bar", "bar"), (3.5, 9.0, 5.0), None),
    ],
)
def test_pair_is_named_if_it_has_one_unit_and_fits_exchanged(
    units: tuple[str, ...], shown: tuple[float, ...], pair: tuple[int, int] | None
) -> None:
    known = _Levels(3.0, 9.0, 5.0)
    rows = np.tile(shown, (8, 1))
    strength = np.abs(np.array(shown) - [3.0, 9.0, 5.0])
    assert swapped_pair(known, rows, strength, units) == pair


@pytest.mark.parametrize("kind", list(InstrumentFault))
@pytest.mark.parametrize("value", [71.3, None])
def test_sentence_names_signal_machine_and_what_to_do(
    kind: InstrumentFault, value: float | None
) -> None:
    doubt = Doubt(
        signal="s/a/l/press-2/TT-101", unit="Cel", kind=kind, since=0, value=value,
        expected=70.0, measure=4.0, partner="s/a/l/press-2/TT-102",
    )  # fmt: skip
    words = diagnosis(doubt, 240 * SECOND)
    assert words.startswith("TT-101")
    assert "press-2" in words
    assert "Check the" in words
    assert doubt_from({**doubt_body(doubt), "asset": "x"}) == doubt


def test_settings_of_a_state_are_all_restored() -> None:
    rows = press(800)
    stands_still(rows)
    watch, _ = judged(rows)
    again = Watch(SIGNALS, UNITS, SETTINGS)
    again.restore(watch.state())
    one: dict[str, Any] = watch.state()
    other: dict[str, Any] = again.state()
    assert one.keys() == other.keys()
    assert [
        name for name in one if not np.array_equal(one[name], other[name], equal_nan=True)
    ] == []
