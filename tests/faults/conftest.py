"""The frame of the fault campaign: a row a test, a table at the end, the document on demand.

A test names its pain in its name and its row in ``@pytest.mark.pain(pain, done, server, bar)``; the
fixture ``row`` takes what was measured. A skipped test is a row "not run" with its reason.
"""

import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from tests.faults.rows import Row, table, write

DOCS, BUILD = (Path(__file__).parents[2] / name for name in ("docs", "build"))
CAMPAIGNS = {
    "faults": "tests/faults",
    "uplink": "tests/faults/uplink",
    "setpoints": "tests/faults/setpoints",
}
"""Each with its folder: what is done to the sources, to the stores, and to what is written."""
DOCUMENTS = {"faults": "faults.md", "uplink": "uplink.md", "setpoints": "plc/faults.md"}
MARKERS = {"faults": "faults", "uplink": "uplinkfaults", "setpoints": "setpointfaults"}
LONGEST_S = 1500
ROWS = pytest.StashKey[dict[str, Row]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write", action="store_true", help="renew the table in the document")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "pain(pain, done, server, bar): a row of the fault table")
    config.stash[ROWS] = {}


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("pain"):
        item.add_marker(MARKERS.get(item.path.parent.name, "faults"))
        item.add_marker(pytest.mark.timeout(LONGEST_S))


def pytest_runtest_setup(item: pytest.Item) -> None:
    mark = item.get_closest_marker("pain")
    if mark is not None:
        row = Row(*mark.args, **mark.kwargs, when=_when())
        named = f"test_{row.pain.lower().replace('p', 'p0', len(row.pain) == 2)}_"
        assert item.name.startswith(named), f"{item.name} has to begin with {named}"
        item.config.stash[ROWS][item.nodeid] = row


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """The test's row of the fault table."""
    return request.config.stash[ROWS][request.node.nodeid]


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the long counts are wanted (FULL=1)."""
    return os.environ.get("FULL", "") not in ("", "0")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    row = item.config.stash[ROWS].get(item.nodeid)
    if row is not None:
        judge(row, report)
    return report


def judge(row: Row, report: pytest.TestReport) -> None:
    """Take the verdict from the report of a phase; a failure in any of them fails the row."""
    if report.failed:
        row.verdict = f"**fail**: {_reason(report)}"
    elif report.skipped:
        row.verdict = f"not run: {_reason(report)}"
    elif report.when == "call":
        row.verdict = "pass"


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    first = re.sub(r"\s+", " ", text.splitlines()[0])
    return first.removeprefix("AssertionError: ").removeprefix("Failed: ")[:160]


@cache
def _when() -> str:
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    long = ", long" if os.environ.get("FULL", "") not in ("", "0") else ""
    return f"{time.strftime('%Y-%m-%d', time.gmtime())}, {git.stdout.strip()}{long}"


def _where() -> str:
    return (
        f"Measured last on {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, Linux {platform.release()}."
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    rows = list(config.stash[ROWS].values())
    if not rows:
        return
    terminalreporter.section("fault campaign")
    terminalreporter.write_line(table(rows))
    named = {marker: name for name, marker in MARKERS.items()}
    name = named.get(config.option.markexpr, "faults")
    results, document = BUILD / f"{name}.json", DOCS / DOCUMENTS[name]
    BUILD.mkdir(exist_ok=True)
    results.write_text(json.dumps([asdict(row) for row in rows], indent=1), "utf-8")
    terminalreporter.write_line(f"figures: {results}")
    if config.getoption("--write", default=False):
        whole = not config.option.keyword and CAMPAIGNS[name] in config.args
        write(document, rows, _where(), whole=whole)
        terminalreporter.write_line(f"table renewed: {document}")
