"""The browser, what makes a run quick, and at the end which real parts were missing."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncua.server.internal_server import InternalServer
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from tests import standard_nodes
from tests.plant2000 import Plant2000, start

# How long an example takes says more of the machine that runs it than of the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

MARK = "MISSING PART:"
BROWSERS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""The same engine twice: without the window of a browser around it it takes half the time."""
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LONG = (
    "tests/journeys/test_demo.py",
    "tests/analytics/test_line_verdicts.py",
    "tests/journeys/test_kill.py",
    "tests/gateway/console/test_pages.py",
    "tests/journeys/test_screens.py",
    "tests/gateway/console/test_login_page.py",
    "tests/gateway/console/test_accounts.py",
    "tests/connectors/opcua/security/test_cases_of_trust.py",
    "tests/deploy/test_compose_walk.py",
    "tests/journeys/test_service_manager.py",
    "tests/journeys/test_ledger.py",
    "tests/connectors/opcua/test_continuity.py",
    "tests/journeys/test_commissioning.py",
    "tests/journeys/test_parts.py",
    "tests/journeys/test_sources_at_fault.py",
    "tests/connectors/simulated/test_server.py",
    "tests/connectors/test_actuators.py",
    "tests/connectors/opcua/test_actuator.py",
    "tests/faults/setpoints/test_lies_and_strangers.py",
    "tests/connectors/opcua/test_plc.py",
    "tests/gateway/test_pipeline.py",
    "tests/gateway/test_instruments.py",
    "tests/analytics/test_watch.py",
    "tests/analytics/test_regimes.py",
)
"""The longest files, in the order in which a run on several cores begins them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the longest files first, so that no core stands idle at the end for one of them."""
    place = {file: number for number, file in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(LONG)))


def pytest_collection_finish() -> None:
    """Leave what was collected out of each later look for garbage: it stays until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def quick_servers() -> Iterator[None]:
    """Let every OPC UA server of this process begin with a copy of the standard nodes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InternalServer, "load_standard_address_space", standard_nodes.load)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for one module: while Playwright runs, `asyncio.run` is refused in this thread."""
    chromium = next(filter(Path.exists, BROWSERS), None)
    if chromium is None:
        give_up: Callable[[str], Any] = (
            pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        )
        give_up(f"{MARK} chromium — install with: apt-get install -y chromium-headless-shell")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(chromium), args=list(QUIET))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def plant2000(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Plant2000]]:
    """Give a server of 2,000 variables; each set of words is started once."""
    started: dict[tuple[str, ...], Plant2000] = {}

    def served(*words: str) -> Plant2000:
        if words not in started:
            started[words] = start(tmp_path_factory.mktemp("plant") / "pki", *words)
        return started[words]

    yield served
    for one in started.values():
        one.stop()


def missing_parts(skipped: list[pytest.TestReport]) -> list[str]:
    """Give the text of every missing part once, in the order met."""
    reasons = (report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))
    return list(dict.fromkeys(text.partition(MARK)[2].strip() for text in reasons if MARK in text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the missing parts; a run without them is green but not whole."""
    parts = missing_parts(terminalreporter.getreports("skipped"))
    if parts:
        terminalreporter.section("missing parts: the tests that need them did not run")
        for part in parts:
            terminalreporter.line(part)
