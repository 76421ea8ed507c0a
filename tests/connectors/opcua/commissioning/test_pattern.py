"""Patterns of browse paths."""

import time

import pytest

from connectors.opcua.commissioning.pattern import Pattern
from plant.errors import Misconfigured


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("Line1/*/PV", "Line1/Pump2/PV", True),
        ("Line1/*/PV", "Line1/A/B/PV", False),
        ("**", "a", True),
        ("**", "a/b/c", True),
        ("**/PV", "PV", True),
        ("**/PV", "a/b/PV", True),
        ("Line1/**", "Line1/a/b", True),
        ("Line1/**", "Line2/a", False),
        ("Line?/P*[12]", "Line3/Pump2", True),
        ("line1/PV", "Line1/PV", False),
        ("/Line1/PV/", "Line1/PV", True),
        ("a&*b", "a*b", True),
        ("a&*b", "aab", False),
    ],
)
def test_what_fits(pattern: str, path: str, fits: bool) -> None:
    assert Pattern(pattern).matches(path.split("/")) is fits


def test_a_slash_within_a_name() -> None:
    assert Pattern("In&/Out").matches(["In/Out"])


@pytest.mark.parametrize(
    ("pattern", "path", "leads"),
    [
        ("Line1/*/PV", ["Line1"], True),
        ("Line1/*/PV", ["Line2"], False),
        ("Line1/*/PV", ["Line1", "a", "PV"], False),
        ("**/PV", ["any", "where"], True),
    ],
)
def test_only_folders_that_may_lead_there_are_entered(
    pattern: str, path: list[str], leads: bool
) -> None:
    assert Pattern(pattern).may_lead(path) is leads


@pytest.mark.parametrize("pattern", ["", "a//b", "/".join("a" * 65)])
def test_a_pattern_without_names_is_refused(pattern: str) -> None:
    with pytest.raises(Misconfigured, match="--match"):
        Pattern(pattern)


def test_a_pattern_made_to_take_for_ever_does_not() -> None:
    began = time.monotonic()
    assert not Pattern("*a" * 30 + "/**" * 30 + "/b").matches(["a" * 500] * 30)
    assert time.monotonic() - began < 10.0
