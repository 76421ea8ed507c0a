"""Fault 19: names from a hostile address space are shown, and do nothing anywhere."""

import csv
import json
import os
import re
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser

from gateway.config.loader import load
from plant.tags import TAG_NAME
from tests.faults.hostile_names import CANARY, COUNT
from tests.faults.rows import Row

SERVER = Path(__file__).with_name("hostile_names.py")
CONFIG = """version = 1
tags = "tags.csv"
[gateway]
name = "names"
[console]
port = 0
[[source]]
type = "opcua"
name = "plc"
url = "{}"
security = "none"
[[asset]]
path = "Line"
"""
METRIC = re.compile(
    r"(# (HELP|TYPE) .*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? [-+0-9.eEinfNa]+( \d+)?)?"
)
PAGES = 12


@contextmanager
def _running(*words: str, errors: Path) -> Iterator["subprocess.Popen[str]"]:
    with errors.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=10)


def _command(*words: str, folder: Path) -> str:
    """Run a command as a terminal would, and give everything that it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "wheeltapper", *words],
        capture_output=True,
        cwd=folder,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode in (0, 1), done.stderr.decode()
    return (done.stdout + done.stderr).decode()


def _tricks(text: str) -> set[str]:
    """Give the characters that steer a terminal or a reader: control, direction, no width."""
    return {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl")}


def _console(folder: Path) -> str:
    address = folder / "data" / "gateway.json"
    until = time.monotonic() + 20
    while not address.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    return str(json.loads(address.read_text())["url"])


@pytest.mark.pain(
    "F19",
    f"{COUNT} names, texts and units with line ends, quotes, formulas, markup, escapes, paths, "
    "directions, NUL and 10 kB",
    "OPC UA address space of asyncua",
    "0 injected: sheet, configuration, terminal, metrics, API, page in Chromium",
)
def test_f19_names(row: Row, tmp_path: Path, browser: Browser) -> None:
    with _running(str(SERVER), errors=tmp_path / "server.txt") as server:
        assert server.stdout
        url = f"opc.tcp://127.0.0.1:{json.loads(server.stdout.readline())}"
        access = (url, "--security", "none", "--match", "Line/**")
        said = _command("browse", *access, "--write", "tags.csv", folder=tmp_path)
        said += _command("browse", *access, folder=tmp_path)
        said += _command("discover", url, "--security", "none", folder=tmp_path)
        records = _command("browse", *access, "--json", folder=tmp_path).split("\n")[:-1]
        assert len([json.loads(record) for record in records]) == COUNT

        with (tmp_path / "tags.csv").open(newline="", encoding="utf-8-sig") as sheet:
            rows = list(csv.DictReader(sheet, strict=True))
        assert all(TAG_NAME.match(one["tag"]) for one in rows)
        assert {one["source"] for one in rows} == {"plc"}
        cells = [cell for one in rows for cell in one.values()]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
        assert not any(_tricks(cell) for cell in cells)

        (tmp_path / "plant.toml").write_text(CONFIG.format(url))
        said += _command("check", "plant.toml", folder=tmp_path)
        said += _command("doctor", "plant.toml", folder=tmp_path)
        plan = load(tmp_path / "plant.toml")
        assert [tag.name for tag in plan.tags] == [one["tag"] for one in rows]
        assert any("${HOME}" in tag.address for tag in plan.tags)

        words = ("-m", "wheeltapper", "run", str(tmp_path / "plant.toml"))
        with _running(*words, errors=tmp_path / "gateway.txt") as gateway:
            console = _console(tmp_path)
            pages = _visited(browser, console)
            with urlopen(f"{console}/metrics", timeout=5) as answer:
                metrics = answer.read().decode()
            gateway.terminate()
            assert gateway.stdout
            said += gateway.stdout.read()
        said += (tmp_path / "gateway.txt").read_text()

    assert _tricks(said) == set()
    assert not [line for line in metrics.splitlines() if not METRIC.fullmatch(line)]
    assert not [line for line in said.splitlines() if line.startswith(CANARY)]
    row.measured(
        names=COUNT,
        tags=len(rows),
        left_out_with_a_reason=COUNT - len(rows),
        pages=pages,
        injected=0,
    )


def _visited(browser: Browser, console: str) -> int:
    """Visit every page there is a link to; nothing of a name may run, load or become an element."""
    page = browser.new_page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    left, seen = [f"{console}/"], set[str]()
    while left and len(seen) < PAGES:
        here = left.pop(0)
        seen.add(here)
        page.goto(here, wait_until="load")
        page.wait_for_timeout(1_000)
        assert page.evaluate(f"window.{CANARY}") is None
        assert page.locator("img[src=x], [onerror], [onload], svg[onload]").count() == 0
        links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
        left += [link for link in links if link.startswith(console) and link not in {*seen, *left}]
    page.close()
    assert {url for url in asked if not url.startswith((console, "data:", "blob:"))} == set()
    return len(seen)
