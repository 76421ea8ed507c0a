"""A part that is not made as the others is told, with what is unusual; nothing else is."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.cycles import MEASURES, feature_count, features
from analytics.evaluation.parts import PartMachine, Tally, judge_of, tallied, taught
from analytics.forms import limit_of
from analytics.parts import KEPT, PartJudge, PartSettings, Verdict
from plant.parts import Measure, PartLabel, PartVerdict

NAMES = ("s/a/l/press/force", "s/a/l/press/clamp_pressure")
UNITS = ("kN", "bar")
GOOD, SUSPECT = PartVerdict.GOOD, PartVerdict.SUSPECT
LEARN = 40
FAINT = 0.7
"""A shift that is usual for each feature, and not for all of them at once."""
PLACE = {measure: 1 + len(MEASURES) + k for k, measure in enumerate(MEASURES)}
"""Feature of the second signal by measure."""

Row = NDArray[np.float64]


def rows(count: int, seed: int = 0, drift: float = 0.0) -> Row:
    """Features of healthy parts: a common cause, and noise."""
    draw = np.random.default_rng(seed)
    width = feature_count(len(NAMES))
    cause = draw.standard_normal((count, 1)) * np.linspace(0.2, 1.0, width)
    noise = 0.3 * draw.standard_normal((count, width))
    return 100.0 + cause + noise + drift * np.arange(count)[:, None]


def judge(settings: PartSettings | None = None) -> PartJudge:
    return PartJudge(NAMES, UNITS, settings or PartSettings(learn=LEARN))


def run(one: PartJudge, parts: Row, first: int = 1, mode: int = 0) -> list[Verdict]:
    return [one.judge(first + k, row, mode) for k, row in enumerate(parts)]


def learnt(parts: int = 300) -> PartJudge:
    one = judge()
    run(one, rows(parts))
    return one


def spoilt(measure: Measure, by: float) -> Row:
    row = rows(1, seed=9)[0]
    row[PLACE[measure]] += by
    return row


def test_it_says_learning_until_it_has_learnt_and_never_good_before() -> None:
    said = run(judge(), rows(LEARN + 20))
    assert [one.verdict for one in said[:LEARN]] == [PartVerdict.LEARNING] * LEARN
    assert said[4].why == f"5 of {LEARN} parts"
    assert {one.verdict for one in said[LEARN:]} == {GOOD}


@pytest.mark.parametrize("measure", [Measure.GREATEST, Measure.MEAN, Measure.LAST_QUARTER])
@pytest.mark.parametrize("by", [-4.0, 4.0])
def test_the_unusual_feature_is_told_with_what_is_usual(measure: Measure, by: float) -> None:
    row = spoilt(measure, by)
    said = learnt().judge(301, row, 0)
    assert said.verdict is SUSPECT
    first = said.deviations[0]
    assert (first.signal, first.measure, first.unit) == (NAMES[1], measure, "bar")
    assert first.actual == pytest.approx(row[PLACE[measure]])
    assert not first.low <= first.actual <= first.high
    assert 0 < sum(one.share for one in said.deviations) <= 1 + 1e-9


def test_what_breaks_a_relation_is_told_though_each_value_is_usual() -> None:
    one = judge()
    draw = np.random.default_rng(4)
    made = np.full((400, feature_count(2)), 100.0) + 0.02 * draw.standard_normal((400, 17))
    cause = draw.standard_normal(400)
    made[:, 1:9] += cause[:, None]
    made[:, 9:] += 2 * cause[:, None]
    run(one, made)
    row = np.full(17, 100.0)
    row[1:9] += 1.5
    row[9:] -= 3.0
    away = np.abs(row - 100.0) / made.std(axis=0)
    assert away.max() < 2.5
    assert one.judge(401, row, 0).verdict is SUSPECT


def test_a_long_cycle_is_told_as_such() -> None:
    row = rows(1, seed=9)[0]
    row[0] += 8
    said = learnt().judge(301, row, 0)
    assert (said.deviations[0].signal, said.deviations[0].measure) == ("", Measure.DURATION)
    assert said.deviations[0].unit == "s"


def test_a_suspect_part_teaches_nothing() -> None:
    one = learnt()
    said = [one.judge(301 + k, spoilt(Measure.GREATEST, 6.0), 0) for k in range(60)]
    assert {each.verdict for each in said} == {SUSPECT}
    assert one.learnt(0) == 300


def test_slow_change_is_followed() -> None:
    said = run(judge(), rows(600, drift=0.01))
    assert {one.verdict for one in said[LEARN:]} == {GOOD}


def test_few_defects_among_those_learnt_from_do_no_harm() -> None:
    one = judge()
    parts = rows(300)
    parts[[7, 23]] += 25.0
    run(one, parts)
    assert one.judge(301, spoilt(Measure.GREATEST, 4.0), 0).verdict is SUSPECT


def test_a_signal_that_was_not_good_is_never_called_good() -> None:
    one = learnt()
    row = rows(1, seed=9)[0]
    row[9:] = np.nan
    said = one.judge(301, row, 0)
    assert said.verdict is PartVerdict.CANNOT_JUDGE
    assert said.why == "clamp_pressure was not Good all the time"
    assert one.learnt(0) == 300


def test_what_is_left_of_a_part_can_be_suspect() -> None:
    row = rows(1, seed=9)[0]
    row[9:] = np.nan
    row[1] += 12.0
    said = learnt().judge(301, row, 0)
    assert (said.verdict, said.deviations[0].signal) == (SUSPECT, NAMES[0])
    assert said.why


def test_a_part_that_is_not_good_while_learning_is_not_learnt() -> None:
    one = judge()
    row = rows(1)[0]
    row[1:9] = np.nan
    assert one.judge(1, row, 0).verdict is PartVerdict.CANNOT_JUDGE
    assert one.learnt(0) == 0


def test_each_mode_has_its_own_normal_and_their_number_is_bounded() -> None:
    one = judge()
    run(one, rows(100), mode=1)
    other = rows(100, seed=1) + 50.0
    said = run(one, other, first=101, mode=2)
    assert said[0].verdict is PartVerdict.LEARNING
    assert {each.verdict for each in said[LEARN:]} == {GOOD}
    assert one.judge(300, rows(1, seed=3)[0], 1).verdict is GOOD
    many = [one.judge(1000 + mode, rows(1)[0], mode) for mode in range(20)]
    assert many[-1].why == "more than 16 operating modes"


def test_parts_that_are_all_the_same_are_good_and_one_that_is_not_is_told() -> None:
    one = judge()
    same = np.full((60, feature_count(2)), 5.0)
    assert {each.verdict for each in run(one, same)[LEARN:]} == {GOOD}
    row = same[0].copy()
    row[PLACE[Measure.GREATEST]] = 9.0
    assert one.judge(99, row, 0).verdict is SUSPECT


def test_a_limit_is_provisional_until_so_many_parts_are_known() -> None:
    said = run(judge(PartSettings(learn=LEARN, false_in_1000=10.0)), rows(140))
    assert [each.provisional for each in said[LEARN:]] == [True] * 60 + [False] * 40


@pytest.mark.parametrize("parts", [10, LEARN, 150, 260])
def test_a_state_goes_on_as_if_never_stopped(parts: int) -> None:
    made = rows(400)
    made[120] += 9.0
    never, stopped, again = judge(), judge(), judge()
    run(stopped, made[:parts])
    stopped.label(2, "2", PartLabel.DEFECT)
    again.restore(stopped.state())
    run(never, made[:parts])
    never.label(2, "2", PartLabel.DEFECT)
    assert run(never, made[parts:], parts + 1) == run(again, made[parts:], parts + 1)
    one, other = never.state(), again.state()
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_a_defect_that_was_labelled_is_recognised_and_named() -> None:
    one = learnt()
    draw = np.random.default_rng(5)

    def faint(part: int) -> Verdict:
        row = rows(1, seed=1000 + part)[0]
        row[9:] += FAINT * draw.choice((1, 1.1), 8) * np.resize((1, -1), 8)
        run(one, rows(5, seed=2000 + part), first=part - 5)
        return one.judge(part, row, 0)

    before = [faint(part).verdict for part in range(310, 500, 10)]
    for part in range(310, 370, 10):
        assert one.label(part, f"P{part}", PartLabel.DEFECT)
    after = [faint(part) for part in range(500, 700, 10)]
    found = [each for each in after if each.verdict is SUSPECT]
    assert before.count(SUSPECT) <= 5
    assert len(found) >= 10
    assert {each.like for each in found} & {f"P{part}" for part in range(310, 370, 10)}


def test_a_label_can_be_taken_back() -> None:
    one = learnt()
    one.label(300, "300", PartLabel.DEFECT)
    one.label(300, "300", PartLabel.GOOD)
    assert not len(one.state()["0.defect_ids"])


def test_a_suspect_part_that_is_called_good_is_learnt() -> None:
    one = learnt()
    row = spoilt(Measure.GREATEST, 2.6)
    before = one.judge(301, row, 0)
    for part in range(302, 330):
        one.judge(part, row, 0)
        one.label(part, str(part), PartLabel.GOOD)
    after = one.judge(999, row, 0)
    assert (before.verdict, after.verdict) == (SUSPECT, GOOD)
    assert one.learnt(0) > 320


def test_a_part_of_long_ago_cannot_be_labelled() -> None:
    one = judge()
    run(one, rows(KEPT + 20))
    assert not one.label(3, "3", PartLabel.DEFECT)
    assert one.label(KEPT, "x", PartLabel.DEFECT)


def test_a_new_normal_is_learnt_from_the_start() -> None:
    one = learnt()
    one.accept()
    assert one.judge(301, rows(1)[0], 0).verdict is PartVerdict.LEARNING


@pytest.mark.parametrize("strange", [1e300, -1e300, 1e-300, 0.0])
def test_extreme_values_break_nothing(strange: float) -> None:
    row = rows(1, seed=9)[0]
    row[4] = strange
    one = learnt()
    said = one.judge(301, row, 0)
    assert said.verdict is SUSPECT
    assert np.isfinite(said.score or np.nan)
    assert one.judge(302, rows(1, seed=8)[0], 0).verdict is GOOD


def test_fewer_scores_make_a_wider_limit() -> None:
    scores = np.abs(np.random.default_rng(2).standard_normal((2000, 50))).max(axis=1)
    assert limit_of(scores[:40], 1.0) > limit_of(scores, 1.0) > limit_of(scores, 10.0)


@pytest.fixture(scope="module")
def generated() -> Tally:
    """Machines whose seeds no setting was chosen on."""
    total = Tally()
    for seed in range(900, 906):
        total.add(tallied(seed, 400))
    return total


def test_generated_machines_false_verdicts_keep_near_the_budget(generated: Tally) -> None:
    assert generated.healthy > 1900
    assert generated.false_in_1000 < 5


def test_generated_machines_most_large_defects_are_found(generated: Tally) -> None:
    assert generated.large > 25
    assert generated.large_found / generated.large > 0.6


def test_generated_machines_the_signal_is_named_first(generated: Tally) -> None:
    assert generated.first > 0.8 * sum(generated.found.values())


def test_labels_are_worth_something() -> None:
    before, after, false = np.mean([taught(seed, 300, 6) for seed in range(910, 913)], axis=0)
    assert after > before
    assert false < 8


def test_the_machine_of_a_seed_is_always_the_same() -> None:
    def made() -> list[Any]:
        machine = PartMachine(3)
        return [features(machine.make(machine.defect())).tolist() for _ in range(5)]

    assert made() == made()
    assert judge_of(PartMachine(3), None).settings == PartSettings()
