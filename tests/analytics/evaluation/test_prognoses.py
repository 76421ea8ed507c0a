"""Models of lives and defects: who sees what, and what comes of it."""

import numpy as np
import pytest

from analytics.evaluation.folds import grouped_folds
from analytics.evaluation.prognoses import (
    DefectFigures,
    LifeFigures,
    best_threshold,
    cross_validated,
)
from analytics.frames import Frame, Table


class Cheat:
    """Remembers the groups it has learnt, and says 1 for a row of any of them."""

    def __init__(self, _seed: int) -> None:
        self.known: set[float] = set()

    def fit(self, rows: Frame, _defective: np.ndarray) -> None:
        self.known = set(rows["tool"].tolist())

    def predict_proba(self, rows: Frame) -> np.ndarray:
        known = np.isin(rows["tool"], list(self.known)).astype(float)
        return np.column_stack((1 - known, known))


class Honest(Cheat):
    """Says what the first column says."""

    def predict_proba(self, rows: Frame) -> np.ndarray:
        return np.column_stack((1 - rows["wear"], rows["wear"]))


def table() -> tuple[Table, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    tools = np.sort(random.integers(0, 23, 300))
    defective = (random.random(300) < 0.2).astype(np.int64)
    wear = np.where(defective, 0.9, 0.1)
    return Table(("wear", "tool"), np.column_stack((wear, tools))), defective, tools


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_cover_every_row_once_and_split_no_group(folds: int) -> None:
    _, _, tools = table()
    judged = []
    for learnt, asked in grouped_folds(tools, folds):
        assert not set(tools[learnt]) & set(tools[asked])
        assert len(learnt) + len(asked) == len(tools)
        judged += asked.tolist()
    assert sorted(judged) == list(range(len(tools)))


def test_folds_are_about_as_large() -> None:
    sizes = [len(asked) for _, asked in grouped_folds(table()[2], 5)]
    assert max(sizes) - min(sizes) <= 15


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="2 groups cannot fill 3 folds"):
        list(grouped_folds(np.array([1, 1, 2]), 3))


def test_no_tool_that_was_learnt_is_asked_about() -> None:
    probability, decided = cross_validated(Cheat, *table())
    assert not probability.any()
    assert decided.all()  # the only threshold there is, 0, lets everything pass


def test_a_good_model_is_found_good() -> None:
    rows, defective, tools = table()
    probability, decided = cross_validated(Honest, rows, defective, tools)
    figures = DefectFigures.of(defective.astype(bool), probability, decided)
    assert (figures.f1, figures.pr_auc, figures.macro_f1, figures.recall) == (1, 1, 1, 1)
    assert figures.ece == pytest.approx(0.1)
    assert figures.defective == defective.sum()


def test_threshold_lies_where_f1_is_best() -> None:
    truth = np.array([0, 0, 0, 1, 1, 0], bool)
    limit = best_threshold(truth, np.array([0.1, 0.2, 0.3, 0.8, 0.9, 0.4]))
    assert 0.4 < limit <= 0.8


def test_truth_is_told_capped_and_as_it_is() -> None:
    figures = LifeFigures.of(np.array([125.0, 60.0]), np.array([145.0, 45.0]))
    assert figures.rmse == pytest.approx(np.sqrt((400 + 225) / 2))
    assert figures.rmse_capped == pytest.approx(np.sqrt(225 / 2))
    assert (figures.late, figures.mae) == (0.5, 17.5)
    assert figures.phm08_capped == pytest.approx(np.exp(1.5) - 1)


def test_groups_of_a_table() -> None:
    groups = list(Table(("unit", "s"), np.array([[2.0, 1], [1, 2], [2, 3]])).groups("unit"))
    assert [group["s"].tolist() for group in groups] == [[2], [1, 3]]
