"""Curves read back: extremes of each bucket, holes where nothing was Good, and how far back."""

from collections.abc import Sequence

import numpy as np
import pytest

from gateway.journal import Journal, Record, SampleRecord, ScoreRecord, trends
from plant.quality import Status
from plant.samples import Batch, uniform_batch

SECOND = 10**9


def _ramp(
    source: str, tag: int, first: int, values: Sequence[float], status: int = 0
) -> SampleRecord:
    n = len(values)
    at = (first + np.arange(n)) * SECOND
    tags, statuses = np.full(n, tag, np.int32), np.full(n, status, np.uint32)
    batch = Batch(source, tags, at, np.asarray(values, float), statuses, int(at[-1]), 0, 0)
    return SampleRecord(batch, np.zeros(n, np.uint8))


def _write(journal: Journal, *records: Record) -> None:
    for record in records:
        journal.append(record)
    journal.commit_now()


def test_extremes_of_each_bucket(journal: Journal) -> None:
    _write(journal, _ramp("line", 4, 0, [1, 5, 2, 9, -3, 4]))
    trend = journal.trend(4, 0, 6 * SECOND, 3)
    assert trend.at.tolist() == [0, 2 * SECOND, 4 * SECOND]
    assert trend.low.tolist() == [1, 2, -3]
    assert trend.high.tolist() == [5, 9, 4]
    assert trend.good.tolist() == [1, 1, 1]
    assert (trend.since, trend.damaged) == (0, 0)


def test_the_range_is_half_open_and_buckets_without_samples_are_left_out(journal: Journal) -> None:
    _write(journal, _ramp("line", 4, 0, [0, 1]), _ramp("line", 4, 8, [8, 9, 10]))
    trend = journal.trend(4, SECOND, 10 * SECOND, 9)
    assert trend.low.tolist() == [1, 8, 9]
    assert trend.at.tolist() == [1 * SECOND, 8 * SECOND, 9 * SECOND]


def test_what_is_not_good_makes_a_hole_not_a_value(journal: Journal) -> None:
    lost = uniform_batch(
        "line", [4], Status.BAD_NO_COMMUNICATION, at=2 * SECOND, received=0, heard=0
    )
    _write(
        journal,
        _ramp("line", 4, 0, [1, 2]),
        SampleRecord(lost, np.zeros(1, np.uint8)),
        _ramp("line", 4, 3, [99], status=Status.UNCERTAIN),
        _ramp("line", 4, 3, [4]),
    )
    trend = journal.trend(4, 0, 4 * SECOND, 4)
    assert np.array_equal(trend.high, [1, 2, np.nan, 4], equal_nan=True)
    assert trend.good.tolist() == [1, 1, 0, 0.5]


def test_a_tag_is_found_under_every_source_that_delivered_it(journal: Journal) -> None:
    _write(journal, _ramp("history", 4, 0, [1]), _ramp("line", 4, 1, [2]))
    _write(journal, _ramp("other", 5, 2, [3]))
    assert journal.trend(4, 0, 9 * SECOND, 9).low.tolist() == [1, 2]


def test_an_unknown_tag_has_no_curve(journal: Journal) -> None:
    trend = journal.trend(77, 0, SECOND, 10)
    assert len(trend.at) == len(trend.low) == len(trend.high) == len(trend.good) == 0


def test_late_batches_are_put_in_their_place(journal: Journal) -> None:
    _write(journal, _ramp("line", 4, 5, [5, 6]), _ramp("line", 4, 0, [0, 1]))
    assert journal.trend(4, 0, 9 * SECOND, 9).low.tolist() == [0, 1, 5, 6]


def test_too_much_is_cut_at_the_old_end_and_said(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trends, "BUDGET", 20)
    for first in range(0, 50, 10):
        journal.append(_ramp("line", 4, first, np.arange(10)))
    journal.commit_now()
    trend = journal.trend(4, 0, 50 * SECOND, 50)
    assert trend.since == 29 * SECOND + 1
    assert trend.at[0] == 30 * SECOND
    assert len(trend.at) == 20


@pytest.mark.parametrize("years", [1, 40])
def test_long_ranges_do_not_overflow(journal: Journal, years: int) -> None:
    _write(journal, _ramp("line", 4, 0, [1]))
    trend = journal.trend(4, 0, years * 366 * 86_400 * SECOND, 1000)
    assert trend.low.tolist() == [1]


def test_scores_keep_their_peaks_and_flags(journal: Journal) -> None:
    def scored(first: int, score: list[float], flags: list[int]) -> ScoreRecord:
        at = (first + np.arange(len(score))) * SECOND
        threshold = np.full(len(score), 3.0)
        return ScoreRecord("pump", at, np.array(score), threshold, np.array(flags, np.uint8))

    _write(journal, scored(0, [1.0, 7.0], [1, 2]), scored(2, [2.0, 1.0, 8.0], [0, 4, 1]))
    trend = journal.scores("pump", 0, 4 * SECOND, 2)
    assert trend.at.tolist() == [0, 2 * SECOND]
    assert trend.score.tolist() == [7, 2]
    assert trend.threshold.tolist() == [3, 3]
    assert trend.flags.tolist() == [3, 4]


def test_an_unknown_asset_has_no_scores(journal: Journal) -> None:
    trend = journal.scores("nobody", 0, SECOND, 5)
    assert len(trend.at) == len(trend.score) == len(trend.threshold) == len(trend.flags) == 0


def test_scores_outside_the_range_leave_an_empty_curve(journal: Journal) -> None:
    one = np.array([5 * SECOND])
    ones = np.ones(1)
    _write(journal, ScoreRecord("pump", one, ones, ones, np.zeros(1, np.uint8)))
    assert len(journal.scores("pump", 0, 5 * SECOND, 5).at) == 0
