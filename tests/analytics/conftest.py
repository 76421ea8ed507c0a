"""Models for tests that ask what is done with a model, and not how good it is."""

import pytest

from analytics.prognostics import defect_training, wear_training


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wear_training, "ROUNDS", 20)
    monkeypatch.setattr(defect_training, "ROUNDS", 20)
    monkeypatch.setattr(defect_training, "TREES", 20)
