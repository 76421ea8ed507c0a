"""A run summed up: by hand, on a few rows."""

import numpy as np
import pytest

from analytics.evaluation.protocol import Run
from analytics.evaluation.summary import Summary, strength, summarise
from plant.errors import Misconfigured

MINUTE = 60 * 10**9
WARMUP, ROWS = 10, 200


def made(*alarms: tuple[int, int], threshold: float = 2.0) -> Run:
    alarm = np.zeros(ROWS, np.bool_)
    for first, last in alarms:
        alarm[first : last + 1] = True
    score = np.where(alarm, 5.0, 1.0)
    first_rows = {first: {"flow": 0.7, "current": 0.3} for first, _ in alarms}
    limits = np.full(ROWS, threshold)
    return Run(("flow", "current"), WARMUP, score, alarm, limits, alarm | True, first_rows)


def at() -> np.ndarray:
    return np.arange(WARMUP + ROWS, dtype=np.int64) * MINUTE


def truth(first: int, last: int) -> np.ndarray:
    marks = np.zeros(WARMUP + ROWS, np.bool_)
    marks[WARMUP + first : WARMUP + last + 1] = True
    return marks


@pytest.fixture(scope="module")
def labelled() -> Summary:
    return summarise(made((20, 24), (104, 119)), at(), truth(100, 129))


def test_alarms_with_times_reasons_and_height(labelled: Summary) -> None:
    false, right = labelled.alarms
    assert (false.touches, right.touches) == (False, True)
    assert (right.begin, right.end) == ((WARMUP + 104) * MINUTE, (WARMUP + 119) * MINUTE)
    assert right.reasons == (("flow", 0.7), ("current", 0.3))
    assert right.peak == 2.5


def test_rates_and_shares(labelled: Summary) -> None:
    assert (labelled.step_s, labelled.rows, labelled.unjudged) == (60.0, ROWS, 0)
    assert labelled.hours == pytest.approx(200 / 60)
    assert labelled.share_alarmed == pytest.approx(21 / 200)
    assert labelled.a_week == pytest.approx(2 * 7 * 24 * 60 / 200)
    assert labelled.a_week_at_most > labelled.a_week


def test_figures_that_need_labels(labelled: Summary) -> None:
    judged = labelled.judged
    assert judged is not None
    assert (judged.events.seen, judged.events.false, judged.delay_s) == (1, 1, 240.0)
    assert judged.false_an_hour == pytest.approx(1 / (170 / 60))
    assert judged.confusion.mar == pytest.approx(14 / 30)
    assert np.isnan(judged.changepoints)


def test_changepoints_are_scored_where_they_are_labelled() -> None:
    changes = np.zeros(WARMUP + ROWS, np.bool_)
    changes[WARMUP + 104] = changes[WARMUP + 120] = True
    done = summarise(made((104, 119)), at(), truth(100, 129), changes)
    assert done.judged is not None
    assert done.judged.changepoints == pytest.approx(100.0)


def test_without_labels_nothing_is_right_or_wrong() -> None:
    bare = summarise(made((20, 24)), at())
    assert bare.judged is None
    assert [alarm.touches for alarm in bare.alarms] == [None]
    assert bare.quantiles == pytest.approx((0.5, 0.5, 2.5, 2.5, 2.5))


def test_alarms_close_together_are_one_and_keep_the_first_reason() -> None:
    bare = summarise(made((20, 24), (50, 52), (90, 90)), at())
    assert [(alarm.first, alarm.last) for alarm in bare.alarms] == [(20, 52), (90, 90)]


def test_score_without_a_threshold_is_told_as_it_is() -> None:
    done = made((20, 24), threshold=np.nan)
    assert strength(done).tolist() == done.score.tolist()
    assert np.isnan(summarise(done, at()).alarms[0].peak)


@pytest.mark.parametrize(
    ("times", "labels", "words"),
    [
        (at()[1:], None, "209 times for 210 rows"),
        (at(), truth(1, 2)[:-3], "207 labels for 210 rows"),
    ],
)
def test_other_lengths_are_refused(
    times: np.ndarray, labels: np.ndarray | None, words: str
) -> None:
    with pytest.raises(Misconfigured, match=words):
        summarise(made(), times, labels)
