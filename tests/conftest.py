"""The browser, and at the end which real parts of the tests were missing and how to get each."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.plant2000 import Plant2000, start

MARK = "MISSING PART:"
CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for one module: while Playwright runs, `asyncio.run` is refused in this thread."""
    if not CHROMIUM.exists():
        give_up: Callable[[str], Any] = (
            pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        )
        give_up(f"{MARK} chromium — install with: apt-get install -y chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
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
