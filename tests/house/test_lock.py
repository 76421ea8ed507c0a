"""The lock serves every plant: exact, complete, and from whatever index the plant has."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if not line.startswith("#")
]
PINS = {canonicalize_name(pin.name): pin for pin in (Requirement(line) for line in LINES)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = [
    Requirement(text)
    for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"])
]


def version(pin: Requirement) -> str:
    return next(iter(pin.specifier)).version


@pytest.mark.parametrize("line", LINES)
def test_line_is_a_name_and_one_version(line: str) -> None:
    assert re.fullmatch(r'[a-z0-9-]+==[0-9][0-9a-z.]*( ; python_version < "3\.1[0-9]")?', line)


def test_names_are_in_order_and_single() -> None:
    names = [line.partition("==")[0] for line in LINES]

    assert sorted(set(names)) == names


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_what_the_project_asks_for_is_pinned_within_its_bounds(wanted: Requirement) -> None:
    assert version(PINS[canonicalize_name(wanted.name)]) in wanted.specifier


@pytest.mark.parametrize("name", sorted(PINS))
def test_what_a_pinned_package_needs_is_pinned_too(name: str) -> None:
    marker = PINS[name].marker or Marker('python_version >= "3"')
    needs = importlib.metadata.requires(name) if marker.evaluate() else []
    parsed = [Requirement(text) for text in needs or []]
    plain = {
        canonicalize_name(need.name)
        for need in parsed
        if need.marker is None or need.marker.evaluate({"extra": ""})
    }

    assert plain - set(PINS) == set()
