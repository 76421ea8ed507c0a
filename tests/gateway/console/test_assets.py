"""The files of the pages: nothing from elsewhere, small, and readable by a browser of 2019."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.console.assets import FOLDER, FORMS, MEDIA

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Console

OWN = [
    path
    for path in sorted(FOLDER.rglob("*"))
    if path.suffix in (".html", ".css", ".js") and path.parent == FOLDER
]
CODE = [path for path in sorted(FOLDER.rglob("*")) if path.suffix in (".html", ".css", ".js")]
SCRIPTS = [path for path in OWN if path.suffix == ".js"]

# uPlot 1.6.32 as published on npm.
VENDORED = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
ADDRESS = re.compile(r"(?:https?:)?//[A-Za-z0-9-]+\.[A-Za-z]|@import|data:[a-z]+/")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NEWER_SCRIPT = {
    "optional chaining (Chromium 80)": r"\?\.[A-Za-z_[(]",
    "nullish coalescing (80)": r"\?\?",
    "replaceAll (85)": r"\.replaceAll\(",
    "replaceChildren (86)": r"\.replaceChildren\(",
    "at() (92)": r"\w\)?\.at\(-",
    "top-level await (89)": r"^await\b",
    "private fields (74)": r"\bthis\.#",
    "static blocks (94)": r"\bstatic \{",
    "structuredClone (98)": r"\bstructuredClone\(",
}
NEWER_STYLE = {
    "gap in flex boxes (84)": r"(?<!grid-)\bgap:",
    "focus-visible (86)": r":focus-visible",
    "is/where/has (88/105)": r":(?:is|where|has)\(",
    "inset (87)": r"\binset:",
    "min/max/clamp (79)": r"[ (](?:min|max|clamp)\(",
    "aspect-ratio (88)": r"aspect-ratio:",
    "layers and containers": r"@(?:layer|container)",
}


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_no_file_names_an_external_address(path: Path) -> None:
    # The licence line of uPlot is a comment; nothing fetches it.
    assert ADDRESS.search(COMMENT.sub("", path.read_text())) is None


@pytest.mark.parametrize("why", NEWER_SCRIPT)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_keep_to_2019(path: Path, why: str) -> None:
    assert re.search(NEWER_SCRIPT[why], path.read_text(), re.MULTILINE) is None


@pytest.mark.parametrize("why", NEWER_STYLE)
def test_styles_keep_to_2019(why: str) -> None:
    assert re.search(NEWER_STYLE[why], (FOLDER / "console.css").read_text()) is None


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_of_text(path: Path) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"

    assert re.search(forbidden, path.read_text()) is None


def test_everything_together_fits_the_page_budget() -> None:
    # Nobody loads these and a page at once.
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.stem not in FORMS]

    packed = sum(len(gzip.compress(path.read_bytes())) for path in files)

    assert packed <= 77_000


@pytest.mark.parametrize("name", VENDORED)
def test_vendored_files_are_unchanged(name: str) -> None:
    content = (FOLDER / "vendor" / name).read_bytes()

    assert hashlib.sha256(content).hexdigest() == VENDORED[name]


def test_every_file_has_a_media_type() -> None:
    kinds = {path.suffix for path in FOLDER.rglob("*") if path.is_file()}

    assert kinds <= set(MEDIA)


@pytest.mark.journey
def test_a_known_file_is_not_sent_again(console: Console) -> None:
    first = console.ask("/static/console.js")

    again = console.ask("/static/console.js", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status, again.body) == (304, b"")


@pytest.mark.journey
def test_files_travel_compressed_only_when_asked(console: Console) -> None:
    plain = console.ask("/static/vendor/uPlot.iife.min.js")
    packed = console.ask("/static/vendor/uPlot.iife.min.js", headers={"Accept-Encoding": "gzip"})

    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2


@pytest.mark.journey
@pytest.mark.parametrize("path", ["/", "/asset?path=x", "/alarms", "/tags"])
def test_every_page_is_the_shell(console: Console, path: str) -> None:
    answer = console.ask(path)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.body == Path(FOLDER, "index.html").read_bytes()
