"""Golden configurations: what a person gets for what they wrote; one folder a story."""

import json
from pathlib import Path

import pytest

from gateway.config.description import described
from gateway.config.loader import load
from plant.errors import Misconfigured

CASES = Path(__file__).parents[2] / "cases" / "config"


def stories(outcome: str) -> list[str]:
    """List the cases that end in `outcome`."""
    return sorted(found.parent.name for found in CASES.glob(f"*/{outcome}"))


@pytest.mark.parametrize("story", stories("error.txt"))
def test_every_mistake_is_named(story: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES / story)
    with pytest.raises(Misconfigured) as caught:
        load(Path("config.toml"), {})
    assert f"{caught.value}\n" == Path("error.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("story", stories("expected.json"))
def test_plan_is_as_expected(story: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES / story)
    plan = described(load(Path("config.toml"), {}))
    assert json.loads(json.dumps(plan)) == json.loads(Path("expected.json").read_text("utf-8"))


def test_every_story_has_one_outcome() -> None:
    outcomes = stories("error.txt") + stories("expected.json")
    assert sorted(outcomes) == sorted(folder.name for folder in CASES.iterdir())
