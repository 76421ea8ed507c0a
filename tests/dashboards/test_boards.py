"""The files of the boards: what the code makes, whole, in Grafana's schema, grey while normal."""

import colorsys
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.influx.schema import KEPT
from dashboards import style
from dashboards.__main__ import ROOM
from dashboards.collection import boards, texts
from dashboards.layout import Row
from dashboards.panels import words
from dashboards.provision import files
from tests.dashboards.grafana import questions, targets

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    # Its makers prefer their second schema, which no Grafana before 12 reads.
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

NAMES = ("01-site", "02-line", "03-asset", "04-alarms", "05-gateway", "06-models")
BOARDS = {name: json.loads(texts()[f"{name}.json"]) for name in NAMES}
COLOUR = re.compile(r"#[0-9a-f]{6}")
ROOT = Path(__file__).parents[2]
plugins.register_default_plugins()
each = pytest.mark.parametrize("name", NAMES)


def leaves(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Give every value of a JSON with the path that leads to it."""
    inner = found.items() if isinstance(found, dict) else enumerate(found)
    for key, value in inner:
        here = f"{path}/{key}"
        if isinstance(value, dict | list):
            yield here, type(value)
            yield from leaves(value, here)
        else:
            yield here, value


def test_there_are_six() -> None:
    assert tuple(one.name for one in boards()) == NAMES
    kept = [path for folder in ("json", "provisioning") for path in (ROOM / folder).rglob("*.*")]
    assert {path.relative_to(ROOM).as_posix() for path in kept} == set(files())


@pytest.mark.parametrize("name", sorted(files()))
def test_the_file_is_what_the_code_makes(name: str) -> None:
    written = (ROOM / name).read_text(encoding="utf-8")
    assert written == files()[name], "write it again: python -m dashboards"


def test_two_processes_make_the_same_bytes() -> None:
    """Whatever the order of their sets and dictionaries."""
    code = "import sys; from dashboards.provision import files; print(''.join(files().values()))"
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


@each
def test_grafanas_own_models_know_all_of_it(name: str) -> None:
    """The published SDK reads a board into its models and drops what these do not know."""
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(BOARDS[name])))
    kept = dict(leaves(again))
    lost = {path: value for path, value in leaves(BOARDS[name]) if kept.get(path) != value}
    assert lost == {}


def test_grafanas_own_models_would_drop_a_word_that_they_do_not_know() -> None:
    wrong = json.loads(json.dumps(BOARDS["01-site"]))
    wrong["panels"][0]["options"]["colourMode"] = "value"
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(wrong)))
    assert "colourMode" not in again["panels"][0]["options"]


@each
def test_it_has_a_question_and_its_uid(name: str) -> None:
    board = BOARDS[name]
    assert board["uid"] == f"wheeltapper-{name[3:]}"
    assert board["description"].endswith("?")
    assert board["schemaVersion"] <= 41
    assert "id" not in board
    assert "version" not in board


@each
def test_panels_fill_their_rows_and_overlap_nowhere(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & taken
        taken |= own
    lowest = max(y for _, y in taken) + 1
    assert len(taken) == 24 * lowest
    numbers = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert numbers == sorted(set(numbers))


def test_a_row_with_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 12 columns"):
        Row(4, (words("a", "b").wide(12),))


@each
def test_every_panel_asks_something_and_says_what_it_tells(name: str) -> None:
    for panel in BOARDS[name]["panels"]:
        assert panel["targets"]
        assert panel["title"]
        assert panel["description"]


@each
def test_a_query_goes_to_the_bucket_of_its_measurement(name: str) -> None:
    suffixes = {"": "wheeltapper", "_1y": "wheeltapper-1y", "_90d": "wheeltapper-90d"}
    for _, target in targets(BOARDS[name]):
        asked = set(re.findall(r'FROM "(\w+)"', target["query"]))
        assert {suffixes[KEPT[one].suffix] for one in asked} == {target["datasource"]["uid"]}


@each
def test_only_what_a_reader_chooses_stands_in_its_queries(name: str) -> None:
    board = BOARDS[name]
    known = {one["name"] for one in board["templating"]["list"]}
    macros = {"timeFilter", "__interval"}
    for _, query in questions(board):
        assert set(re.findall(r"\$\{?(\w+)", query)) <= known | macros


@each
def test_links_set_only_what_the_other_board_knows(name: str) -> None:
    known = {
        board["uid"]: {one["name"] for one in board["templating"]["list"]}
        for board in BOARDS.values()
    }
    here = {one["name"] for one in BOARDS[name]["templating"]["list"]}
    inner = {"__url_time_range", "__data", "__field"}
    urls = [
        value
        for path, value in leaves(BOARDS[name])
        if path.endswith("/url") and value and isinstance(value, str)
    ]
    assert urls
    for url in urls:
        assert set(re.findall(r"\$\{(\w+)", url)) <= here | inner
        target = re.match(r"/d/([\w-]+)\?", url)
        named = set(re.findall(r"var-(\w+)=", url)) if target else set()
        assert named <= known[target[1] if target else "wheeltapper-site"]


@each
def test_links_between_boards_keep_the_time(name: str) -> None:
    urls = [
        str(value)
        for path, value in leaves(BOARDS[name])
        if path.endswith("/url") and str(value).startswith("/d/")
    ]
    assert [one for one in urls if "${__url_time_range}" not in one and "from=" not in one] == []
    assert BOARDS[name]["links"][0]["keepTime"]


@each
def test_a_link_carries_the_number_of_an_alarm_to_the_console(name: str) -> None:
    urls = [value for path, value in leaves(BOARDS[name]) if path.endswith("/url")]
    assert "${console}/alarms?id=${__data.fields.alarm}" in urls
    assert "${console}/alarms" in urls


@each
def test_a_field_that_a_link_carries_is_in_its_table(name: str) -> None:
    for panel in BOARDS[name]["panels"]:
        carried = {
            field
            for path, url in leaves(panel)
            if path.endswith("/url")
            for field in re.findall(r"__data\.fields\.(\w+)", str(url))
        }
        kept = [
            set(one["options"]["include"]["names"])
            for one in panel.get("transformations", ())
            if one["id"] == "filterFieldsByName"
        ]
        assert carried <= set().union(*kept)


@each
def test_columns_that_are_shown_are_asked_for(name: str) -> None:
    for panel in BOARDS[name]["panels"]:
        asked = " ".join(one["query"] for one in panel["targets"])
        for one in panel.get("transformations", ()):
            names = one["options"].get("include", {}).get("names", ())
            assert [column for column in names if f'"{column}"' not in asked + '"Time"'] == []


def saturation(colour: str) -> float:
    red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    return colorsys.rgb_to_hsv(red, green, blue)[1]


@pytest.mark.parametrize("colour", sorted(style.NORMALS - {"transparent", "text"}))
def test_what_is_normal_is_grey(colour: str) -> None:
    assert saturation(colour) <= 0.25


@each
def test_nothing_normal_has_a_colour(name: str) -> None:
    """Colour stands behind a threshold, a word of the abnormal, or is the drawn limit itself."""
    wrong = []
    for path, value in leaves(BOARDS[name]):
        found = COLOUR.fullmatch(str(value))
        if found and saturation(found[0]) > 0.25:
            first = path.endswith("/steps/0/color")
            normal = path.endswith("/options/0/color")
            wrong += [path] * (first or normal or path.endswith("/defaults/color/fixedColor"))
    falling = [path for path in wrong if name == "05-gateway" and "/overrides/" in path]
    assert [path for path in wrong if path not in falling] == []


def test_each_priority_has_a_shape_and_a_digit_of_its_own() -> None:
    told = [text for text, _ in style.PRIORITIES.values()]
    assert [text[1] for text in told] == ["1", "2", "3", "4"]
    assert len({text[0] for text in told}) == 4
    words = [text for text, _ in (*style.HEALTHS.values(), *style.STATES.values())]
    assert len(set(words)) == len(words) - 1, "normal is the only word that both have"
