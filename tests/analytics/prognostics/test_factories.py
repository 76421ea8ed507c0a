"""The judge's two factories over tables."""

import numpy as np
import pytest

from analytics.evaluation import defect, remaining_life
from analytics.frames import Table
from analytics.prognostics.defects import DefectModel
from analytics.prognostics.remaining_life import RemainingLife
from plant.errors import Rejected
from tests.analytics.prognostics.lives import plain_runs
from tests.analytics.prognostics.test_defects import parts


@pytest.mark.usefixtures("few_trees")
def test_remaining_life_over_tables_is_the_model() -> None:
    runs = plain_runs(0, runs=3, usual=30)
    names = [f"c{j}" for j in range(7)]
    judged = remaining_life(3)
    judged.fit(
        [
            Table(names[::-1], run[:, ::-1]) if k == 2 else Table(names, run)
            for k, run in enumerate(runs)
        ]
    )
    model = RemainingLife.fit(runs, names, 3)
    rows = runs[0][:15]
    assert judged.predict(Table(names, rows)) == model.predict(rows).rows


@pytest.mark.usefixtures("few_trees")
def test_defects_over_tables_are_the_model() -> None:
    rows, labels = parts(0, 120)
    names = list("abcde")
    judged = defect(3)
    judged.fit(Table(names, rows), labels)
    said = DefectModel.fit(rows, labels, names, 3).predict_proba(rows)
    assert np.array_equal(judged.predict_proba(Table(names, rows)), said)
    assert judged.classes_.tolist() == [0, 1]


def test_asking_before_learning_is_refused() -> None:
    with pytest.raises(Rejected, match="not been fitted"):
        remaining_life(0).predict(Table(["a"], np.zeros((1, 1))))
    with pytest.raises(Rejected, match="not been fitted"):
        defect(0).predict_proba(Table(["a"], np.zeros((1, 1))))
    with pytest.raises(Rejected, match="at least three"):
        remaining_life(0).fit([])
