"""The browser, what makes a run quick, and at the end which real parts were missing."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncua.server.internal_server import InternalServer
from hypothesis import settings
from playwright.sync_api import Browser, expect, sync_playwright
from xdist.scheduler import LoadFileScheduling

from tests import standard_nodes
from tests.lacking import MARK, lacking
from tests.plant2000 import Plant2000, start

# How long an example takes says more of the machine that runs it than of the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

BROWSERS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
"""The same engine twice: without the window of a browser around it it takes half the time."""
PATIENCE_MS = 60_000
"""Longest that a page is waited for: a busy machine shows late what an idle one shows at once."""
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PLANT2000 = (
    "tests/wheeltapper/test_doctor.py",
    "tests/journeys/test_commissioning.py",
    "tests/connectors/opcua/commissioning/test_browse.py",
    "tests/connectors/opcua/commissioning/test_discovery.py",
    "tests/wheeltapper/test_commissioning_commands.py",
    "tests/wheeltapper/test_doctor_stores.py",
)
"""Files that share servers of 2,000 variables: to start one takes nine seconds of a core."""
LONG = (
    "tests/journeys/test_demo.py",
    "tests/connectors/opcua/test_continuity.py",
    *PLANT2000,
    "tests/wheeltapper/test_train.py",
    "tests/gateway/console/test_pages.py",
    "tests/journeys/test_ledger.py",
    "tests/analytics/test_watch.py",
    "tests/deploy/test_compose_walk.py",
    "tests/connectors/opcua/test_plc.py",
    "tests/analytics/test_line_verdicts.py",
    "tests/journeys/test_model_kills.py",
    "tests/journeys/test_models.py",
    "tests/analytics/test_instruments.py",
    "tests/journeys/test_kill.py",
    "tests/connectors/opcua/security/test_cases_of_trust.py",
    "tests/analytics/prognostics/test_remaining_life.py",
    "tests/journeys/test_screens.py",
    "tests/gateway/test_downsampling.py",
    "tests/analytics/training/test_training.py",
    "tests/gateway/console/test_login_page.py",
    "tests/connectors/simulated/test_server.py",
    "tests/journeys/test_service_manager.py",
    "tests/analytics/test_novelty.py",
    "tests/journeys/test_heal.py",
    "tests/gateway/test_pipeline.py",
    "tests/analytics/prognostics/test_defects.py",
    "tests/journeys/test_parts.py",
    "tests/connectors/grafana/test_push.py",
    "tests/journeys/test_sources_at_fault.py",
    "tests/journeys/test_setpoints_by_page.py",
    "tests/journeys/test_proposers.py",
    "tests/connectors/test_actuators.py",
    "tests/connectors/opcua/test_actuator.py",
    "tests/faults/setpoints/test_lies_and_strangers.py",
    "tests/bench/test_federation.py",
    "tests/gateway/console/test_accounts.py",
    "tests/gateway/test_instruments.py",
    "tests/analytics/test_regimes.py",
)
"""The longest files, in the order in which a run on several cores begins them: those that wait
between those that compute."""


class ByServer(LoadFileScheduling):
    """Gives a file to one process, and the files that share servers to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return PLANT2000[0] if file in PLANT2000 else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServer | None:
    """Put the scheduler above in the place of the one by files."""
    return ByServer(config, log) if config.getoption("dist") == "loadfile" else None


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
        lacking("chromium — install with: apt-get install -y chromium-headless-shell")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(chromium), args=list(QUIET))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def plants2000() -> Iterator[dict[tuple[str, ...], Plant2000]]:
    """Servers of 2,000 variables by their words, each started once."""
    started: dict[tuple[str, ...], Plant2000] = {}
    yield started
    for one in started.values():
        one.stop()


@pytest.fixture(scope="module")
def plant2000(
    plants2000: dict[tuple[str, ...], Plant2000], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Plant2000]]:
    """Give a server of 2,000 variables; it rests while no module asks for it."""

    def served(*words: str) -> Plant2000:
        if words not in plants2000:
            plants2000[words] = start(tmp_path_factory.mktemp("plant") / "pki", *words)
        plants2000[words].thaw()
        return plants2000[words]

    yield served
    for one in plants2000.values():
        one.freeze()


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
