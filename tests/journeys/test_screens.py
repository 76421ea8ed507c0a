"""The pages of a real gateway, healthy and with a fault, as a person sees them.

The pictures stay where `WHEELTAPPER_SCREENS` says, if it says so; README's is one of them.
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from connectors.modbus.config import ModbusConfig
from connectors.opcua.config import OpcUaConfig
from connectors.simulated.line import SimulatedLine
from connectors.simulated.source import SimulatedSource
from gateway.config.plan import ConsolePlan, DetectionPlan, Plan
from gateway.runtime import Gateway
from plant.assets import asset_of

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]
SEED = 8
PAST_S = 3600
SINCE_S = {"bearing_wear": 105, "none": 180}
"""So long ago live began: the fault has set in and is still in sight, and the line has a pause
behind it, of which nothing is judged, and three minutes before it until the next."""
KEPT = os.environ.get("WHEELTAPPER_SCREENS")
SETTLED_MS = 2500 if KEPT else 250
"""For pictures that are kept: two frames of the charts, and the blink of an alarm half way."""


@contextmanager
def gateway(serve: Any, fault: str, data: Path) -> Iterator[str]:
    """Run a gateway on the line in a thread of its own; give the address of its page."""
    start = (time.time_ns() // 10**9 - PAST_S - SINCE_S[fault]) * 10**9
    line = SimulatedLine(SEED, fault=fault, start=start, live_from=PAST_S)
    story = ("--seed", str(SEED), "--fault", fault, "--live-from", str(PAST_S))
    with serve(*story, "--start", str(start)) as ports:
        url = f"opc.tcp://127.0.0.1:{ports['opcua']}"
        plan = Plan(
            name="line-1",
            data=data,
            console=ConsolePlan(port=0),
            sources=(
                OpcUaConfig(name="line-opcua", url=url, security="none"),
                ModbusConfig(name="line-modbus", host="127.0.0.1", port=ports["modbus"]),
            ),
            tags=line.tags,
            assets=tuple(asset_of(path, line.tags) for path in line.asset_paths),
            detection=DetectionPlan(learn_s=0.75 * PAST_S),
            simulated=True,
            notice="The line is made up by this program; no machine stands behind it.",
        )
        rows = range((time.time_ns() - start) // 10**9)
        prelude = [
            partial(SimulatedSource, line, name=source.name, rows=rows) for source in plan.sources
        ]
        live, heard = threading.Event(), set[str]()

        def tell(kind: str, row: dict[str, Any]) -> None:
            heard.update([row["source"]] if kind == "first_value" else [])
            (live.set if len(heard) == len(plan.sources) else live.is_set)()

        with running(Gateway(plan, prelude=prelude, on_event=tell)) as one:
            assert live.wait(90), "no value came over the sockets"
            yield one.url


@contextmanager
def running(one: Gateway) -> Iterator[Gateway]:
    """Run a gateway in a loop of its own, beside the browser's."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(one.run(stop)))
    thread.start()
    try:
        yield one
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        assert not thread.is_alive(), "it stops in time"
        loop.close()


@pytest.fixture
def screens(tmp_path: Path) -> Path:
    """Where the pictures go."""
    folder = Path(KEPT or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test on a script error."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def shot(page: Page, folder: Path, name: str) -> None:
    page.wait_for_timeout(SETTLED_MS)
    picture = page.screenshot(path=folder / f"{name}.png", full_page=True, animations="disabled")
    assert len(picture) > 10_000


def test_a_healthy_line_is_grey_and_says_so(
    page: Page, serve: Any, screens: Path, tmp_path: Path
) -> None:
    with gateway(serve, "none", tmp_path / "data") as url:
        page.goto(url)
        expect(page.get_by_text("Normal", exact=True)).to_have_count(3)
        expect(page.locator("[data-priority]")).to_have_count(0)
        shot(page, screens, "overview")
        page.get_by_role("link", name="pump-2").click()
        expect(page.get_by_text("Nothing unusual.")).to_be_visible()
        shot(page, screens, "asset")
        page.goto(f"{url}/alarms")
        shot(page, screens, "alarms")


def test_a_fault_is_explained_on_every_page(
    page: Page, serve: Any, screens: Path, tmp_path: Path
) -> None:
    with gateway(serve, "bearing_wear", tmp_path / "data") as url:
        page.goto(url)
        sentence = page.locator(".tile[data-priority='2']").filter(has_text="vibration")
        expect(sentence).to_have_count(1)
        shot(page, screens, "overview-alarm")
        page.goto(f"{url}/alarms")
        expect(page.get_by_role("row").filter(has_text="vibration")).to_have_count(1)
        shot(page, screens, "alarms-alarm")
        page.get_by_role("link", name="pump-").first.click()
        expect(page.get_by_text("What raised the alarm")).to_be_visible()
        shot(page, screens, "asset-alarm")
