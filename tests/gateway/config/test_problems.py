"""Of many mistakes that are alike a person is told the first few, and how many more there are."""

import pytest

from gateway.config.problems import MOST_ALIKE, MOST_KINDS, Problems
from plant.errors import Misconfigured


def lines(problems: Problems) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        problems.stop_if_any()
    return str(caught.value).splitlines()


def test_mistakes_of_one_kind_are_told_to_a_few_and_counted() -> None:
    problems = Problems()
    for line in range(2, 5002):
        problems.add("tags.csv", line, "role", f'"singal{line}" is not one of signal, mode')
    problems.add("tags.csv", 4000, "scale", '"zero" is not a number')
    said = lines(problems)
    assert len(said) == MOST_ALIKE + 2
    assert said[0] == 'tags.csv:2: role: "singal2" is not one of signal, mode'
    assert said[MOST_ALIKE] == 'tags.csv:4000: scale: "zero" is not a number'
    assert said[-1] == "tags.csv: role: and 4,990 more like this, the last in line 5001"


def test_a_few_are_all_told() -> None:
    problems = Problems()
    for number in range(MOST_ALIKE):
        problems.add("line.toml", number, f"source[{number}].port", f'got "{number}"')
    assert len(lines(problems)) == MOST_ALIKE


def test_kinds_without_end_are_counted() -> None:
    problems = Problems()
    for number in range(MOST_KINDS + 7):
        problems.add("line.toml", 1, "k" * (number + 1), "unknown key")
    said = lines(problems)
    assert len(said) == MOST_KINDS + 1
    assert said[-1] == "and 7 of other kinds"
