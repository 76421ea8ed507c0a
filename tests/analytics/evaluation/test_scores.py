"""The published scores: values by hand, closed forms and properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.calibration import brier, expected_calibration_error
from analytics.evaluation import changepoints, windows
from analytics.evaluation.changepoints import Changepoints, changepoint_score, switches
from analytics.evaluation.lifetimes import late_share, phm08, rmse
from analytics.evaluation.ranking import average_precision, best_f1, roc_auc
from analytics.evaluation.volumes import soft_labels, volumes
from analytics.evaluation.windows import Field, best_window_score, window_score

SECOND = 10**9
ROWS, FIRST, LAST = 1000, 500, 599


def one_stretch(seed: int, rows: int = 120) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = np.zeros(rows, np.bool_)
    truth[50:70] = True
    return truth, random.normal(size=rows) + truth


def at_row(row: int) -> np.ndarray:
    alarm = np.zeros(ROWS, np.bool_)
    alarm[row] = True
    return alarm


@pytest.fixture(scope="module")
def field() -> Field:
    return Field.of(ROWS, [(FIRST, LAST)])


# ---- ranking


def test_ranking_by_hand() -> None:
    truth, score = np.array([1, 0, 1, 0, 1], bool), np.array([5.0, 4.0, 3.0, 3.0, 1.0])
    assert average_precision(truth, score) == pytest.approx((1 + 2 / 4 + 3 / 5) / 3)
    assert roc_auc(truth, score) == pytest.approx((2 + 0.5 + 1 * 0 + 1 * 0 + 0 * 0 + 0.5 * 0) / 6)
    assert best_f1(truth, score) == pytest.approx(2 * 3 / 8)


@given(st.integers(0, 200))
def test_ranking_sees_only_the_order(seed: int) -> None:
    truth, score = one_stretch(seed)
    assert average_precision(truth, np.exp(score)) == average_precision(truth, score)
    assert roc_auc(truth, -score) == pytest.approx(1 - roc_auc(truth, score))


def test_constant_score_is_worth_its_share_of_faults() -> None:
    truth = np.array([1, 0, 0, 0], bool)
    assert average_precision(truth, np.zeros(4)) == 0.25
    assert roc_auc(truth, np.zeros(4)) == 0.5


@pytest.mark.parametrize("measure", [average_precision, roc_auc, best_f1])
def test_nothing_labelled_cannot_be_ranked(measure) -> None:  # noqa: ANN001
    assert math.isnan(measure(np.zeros(3, bool), np.arange(3.0)))


# ---- volumes


@pytest.mark.parametrize("seed", range(5))
def test_volume_without_buffer_is_the_area(seed: int) -> None:
    truth, score = one_stretch(seed)
    roc, precision = volumes(truth, score, widest=0, thresholds=len(score))
    assert roc == pytest.approx(roc_auc(truth, score), abs=1e-12)
    assert precision == pytest.approx(average_precision(truth, score), abs=1e-12)


def test_perfect_score_fills_the_volume_but_for_the_buffers() -> None:
    truth, _ = one_stretch(0)
    roc, precision = volumes(truth, truth.astype(float), widest=0)
    assert (roc, precision) == (1.0, 1.0)


def test_volume_forgives_an_alarm_beside_the_label() -> None:
    truth, _ = one_stretch(0)
    beside = np.roll(truth, 10).astype(float)
    far = np.roll(truth, 40).astype(float)
    assert volumes(truth, beside, 40)[1] > average_precision(truth, beside)
    assert volumes(truth, beside, 40)[1] > 2 * volumes(truth, far, 40)[1]


def test_soft_labels_fall_off_as_the_root_of_the_distance() -> None:
    soft = soft_labels(30, [(10, 12)], 8)
    assert soft[10:13].tolist() == [1, 1, 1]
    assert soft[13:18].tolist() == pytest.approx([math.sqrt(1 - k / 8) for k in (1, 2, 3, 4)] + [0])
    assert soft[6:10].tolist() == soft[13:17].tolist()[::-1]


def test_all_or_nothing_labelled_has_no_volume() -> None:
    for truth in (np.zeros(9, bool), np.ones(9, bool)):
        assert np.isnan(volumes(truth, np.arange(9.0))).all()


# ---- Numenta's windows


@pytest.mark.parametrize(("rows", "expected"), [(100, 15), (5000, 750), (22_695, 750)])
def test_probation(rows: int, expected: int) -> None:
    assert windows.probation(rows) == expected


def test_silence_is_zero_and_the_first_row_of_every_window_a_hundred(field: Field) -> None:
    assert window_score([(np.zeros(ROWS, bool), field)]) == 0
    assert window_score([(at_row(FIRST), field)]) == pytest.approx(100)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [(windows.STANDARD, -5.5), (windows.LOW_FP, -11.0), (windows.LOW_FN, -11 / 3)],
)
def test_one_false_row_far_from_any_window(
    field: Field, weights: windows.Weights, expected: float
) -> None:
    assert window_score([(at_row(FIRST - 200), field)], weights) == pytest.approx(expected)


def test_later_is_worth_less_and_the_last_row_next_to_nothing(field: Field) -> None:
    worth = [window_score([(at_row(row), field)]) for row in (FIRST, 550, 590, LAST)]
    assert worth == sorted(worth, reverse=True)
    scaled = (2 / (1 + math.exp(-5 / 100)) - 1) / (2 / (1 + math.exp(-5)) - 1)
    assert worth[-1] == pytest.approx(100 * (scaled + 1) / 2)


def test_alarms_in_the_probation_count_for_nothing(field: Field) -> None:
    assert window_score([(at_row(149), field)]) == 0
    assert window_score([(at_row(150), field)]) < 0


@pytest.mark.parametrize("seed", range(4))
def test_best_threshold_is_the_best_of_all(field: Field, seed: int) -> None:
    score = np.random.default_rng(seed).integers(0, 40, ROWS).astype(float)
    score[FIRST + 3] = 45.0
    every = {limit: window_score([(score >= limit, field)]) for limit in np.unique(score)}
    best, threshold = best_window_score([(score, field)])
    assert best == pytest.approx(max(every.values()))
    assert every[threshold] == pytest.approx(best)


def test_without_windows_there_is_no_score() -> None:
    bare = Field.of(ROWS, [])
    assert math.isnan(window_score([(at_row(500), bare)]))
    assert math.isnan(best_window_score([(np.zeros(ROWS), bare)])[0])


# ---- changepoints


def times(*seconds: int) -> np.ndarray:
    return np.array(seconds, np.int64) * SECOND


def test_switches_are_both_ends_of_an_alarm() -> None:
    alarm = np.array([1, 1, 0, 0, 1], bool)
    assert switches(alarm).astype(int).tolist() == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [((), 0.0), ((100,), 100.0), ((161,), -5.5), ((100, 300), 94.5)],
)
def test_changepoint_score_by_hand(predicted: tuple[int, ...], expected: float) -> None:
    part = Changepoints.of(times(100), times(*predicted))
    assert changepoint_score([part]) == pytest.approx(expected)


def test_half_of_the_window_earns_the_middle_of_the_slope() -> None:
    part = Changepoints.of(times(100), times(130))
    assert part.waits == (0.5,)
    assert changepoint_score([part]) == pytest.approx(100 * (0.445 + 1) / 2, abs=0.1)


def test_overlapping_windows_do_not_share_a_prediction() -> None:
    part = Changepoints.of(times(100, 130), times(140))
    assert part.waits[0] == pytest.approx(40 / 60)
    assert (part.missed, part.false) == (1, 0)


def test_low_fp_doubles_what_a_false_prediction_costs() -> None:
    part = Changepoints.of(times(100), times(500))
    costs = [changepoint_score([part], p) for p in (changepoints.STANDARD, changepoints.LOW_FP)]
    assert costs == pytest.approx([-5.5, -11.0])


# ---- lives and probabilities


def test_lives_by_hand() -> None:
    said, true = np.array([90.0, 120.0, 50.0]), np.array([103.0, 100.0, 50.0])
    assert rmse(said, true) == pytest.approx(math.sqrt((169 + 400) / 3))
    assert phm08(said, true) == pytest.approx((math.e - 1) + (math.exp(2) - 1))
    assert late_share(said, true) == pytest.approx(1 / 3)


def test_late_costs_more_than_early() -> None:
    true = np.array([50.0])
    assert phm08(true + 10, true) > phm08(true - 10, true) > 0


def test_calibration_by_hand() -> None:
    truth = np.array([1, 0, 1, 1], bool)
    said = np.array([0.95, 0.95, 0.35, 1.0])
    assert expected_calibration_error(truth, said) == pytest.approx((0.9 + 0.65) / 4)
    assert brier(truth, said) == pytest.approx((0.05**2 + 0.95**2 + 0.65**2) / 4)


def test_honest_probabilities_have_no_calibration_error() -> None:
    said = np.repeat([0.25, 0.75], 400)
    truth = np.concatenate((np.arange(400) % 4 == 0, np.arange(400) % 4 != 0))
    assert expected_calibration_error(truth, said) == pytest.approx(0.0)
