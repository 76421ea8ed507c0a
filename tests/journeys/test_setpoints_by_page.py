"""Story D in the console: advice, approval, stop and the way back, with a real guard and a PLC
that writes down what reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from gateway.guard.audit import records_of
from gateway.guard.words import FOLDER
from tests.journeys.setpoint_stage import RULE, SPEED, WORD, Stage, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

    Enter = Callable[[Stage, str], Page]

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]
HOSTILE = "</p><script>window.stolen=1</script><img src=x onerror=window.stolen=1>"


@pytest.fixture
def enter(browser: Browser) -> Iterator[Enter]:
    """Open the page of setpoints as somebody; a script error fails the test."""
    opened: list[BrowserContext] = []
    errors: list[str] = []

    def enter(stage: Stage, who: str) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{stage.url}/login?next=/setpoints")
        page.get_by_label("Name").fill(who)
        page.get_by_label("Password").fill(WORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Setpoints", level=1)).to_be_visible()
        return page

    yield enter
    for context in opened:
        context.close()
    assert errors == []


def read(stage: Stage) -> Any:
    """Give the value that the guard has read."""
    return stage.status().get("setpoints", {}).get(SPEED, {}).get("value")


def with_password(page: Page, name: str, password: str, button: str) -> Locator:
    dialog = page.get_by_role("dialog", name=name)
    dialog.get_by_label("Your password").fill(password)
    dialog.get_by_role("button", name=button).click()
    return dialog


def history(page: Page) -> Locator:
    return page.get_by_role("region", name="History of requests").locator("tbody tr")


def test_advice_is_shown_with_its_reason_and_nothing_is_written(
    tmp_path: Path, enter: Enter
) -> None:
    with Stage(tmp_path, "advisory", RULE) as stage:
        stage.start_guard()
        until(lambda: read(stage))
        # The rule applies from now on: one that found no guard would ask again in a minute.
        stage.plc.loops[2].plain[1] = 1001
        page = enter(stage, "vic")
        expect(page.locator("li.setpoint")).to_contain_text(
            "the least is said by the configuration (the file of limits: approve"
        )
        # Words of whoever asks stay words.
        stage.ask(52.0, effect="<img src=x onerror=window.stolen=1>", reason=HOSTILE)
        stage.ask(61.0)
        # What is no number is one row of the history, and the others are there beside it.
        stage.ask(float("inf"))

        # What the rule in the gateway recommends, and what a person does.
        advised = history(page).filter(has_text="50 → 49 1/min")
        expect(advised).to_contain_text("advice: nothing was written")
        expect(advised).to_contain_text("bearing (")
        expect(page.get_by_role("region", name="Proposers")).to_contain_text("49 1/min at")
        advice = history(page).filter(has_text="50 → 52 1/min")
        expect(advice).to_contain_text(f"advice: nothing was written: {HOSTILE}")
        expect(history(page).filter(has_text="to 61 1/min")).to_contain_text(
            "✕ rejected: outside the signed limits"
        )
        expect(history(page).filter(has_text="to no number")).to_contain_text("✕ rejected")
        expect(page.get_by_text("Nothing waits for approval.")).to_be_visible()
        assert page.locator("main img, main script").count() == 0
        assert stage.plc.written == []


def test_from_asked_for_to_approved_written_and_taken_back(tmp_path: Path, enter: Enter) -> None:
    with Stage(tmp_path, "approve") as stage:
        stage.start_guard()
        until(lambda: read(stage))
        ana, eve = enter(stage, "ana"), enter(stage, "eve")
        stage.ask(52.0)

        waits = ana.locator("li.request")
        expect(waits).to_contain_text("conveyor speed sp 50 → 52 1/min")
        for said in ("bearing alarm P2 stands", "vibration -0.8 mm/s", "all 13 passed", "0 of 1"):
            expect(waits).to_contain_text(said)
        # Whoever has asked cannot approve, and is told who can.
        expect(eve.get_by_role("button", name="Approve …")).to_be_disabled()
        expect(eve.locator("li.request")).to_contain_text("To approve is for approver only.")
        waits.get_by_role("button", name="Approve …").click()
        title = "Approve conveyor speed sp 50 → 52 1/min"
        dialog = with_password(ana, title, "another word", "Approve")
        expect(dialog.get_by_role("alert")).to_contain_text("name or password is wrong")
        assert stage.plc.written == []

        with_password(ana, title, WORD, "Approve")
        expect(dialog).to_have_count(0)
        expect(history(ana).first).to_contain_text("written and read back twice")
        assert stage.written == [52.0]

        # The operator takes it back, and nobody has to remember to what.
        otto = enter(stage, "otto")
        otto.locator("li.setpoint").get_by_role("button", name="Take back …").click()
        with_password(otto, "Take conveyor speed sp back to 50 1/min", WORD, "Take back")
        until(lambda: stage.written == [52.0, 50.0])
        expect(otto.locator("li.setpoint .present")).to_have_text("50 1/min")
        expect(history(otto).first).to_contain_text("taken back")

        told = [
            (one["actor"], one["event"], one["place"])
            for one in records_of(stage.data / FOLDER / "audit.jsonl")
            if one["event"] in ("approved", "revert")
        ]
        assert told == [("ana", "approved", "127.0.0.1"), ("otto", "revert", "127.0.0.1")]


def test_a_stop_by_page_binds_at_once_survives_a_kill_and_takes_an_approver_to_end(
    tmp_path: Path, enter: Enter
) -> None:
    with Stage(tmp_path, "approve") as stage:
        stage.start_guard()
        until(lambda: read(stage))
        page = enter(stage, "vic")
        stage.ask(52.0)
        expect(page.locator("li.request")).to_have_count(1)

        # From any page, and by whoever sees it.
        page.get_by_role("link", name="Alarms").click()
        page.get_by_role("button", name="■ Stop …").click()
        page.get_by_role("dialog", name="Stop all setpoints?").get_by_role(
            "button", name="■ Stop"
        ).click()
        expect(page.locator("#setpoints")).to_contain_text("by vic from 127.0.0.1")
        assert until(stage.status)["stopped"] == "stopped"
        page.locator("#setpoints").get_by_role("link").click()
        expect(page.locator("li.request")).to_have_count(0)
        expect(history(page).first).to_contain_text("stopped by the kill switch")

        stage.end_guard(kill=True)
        expect(page.locator(".switch")).to_contain_text("Start it with: wheeltapper guard")
        expect(page.locator(".switch")).to_contain_text("STOPPED: everything is advice")
        stage.start_guard()
        until(lambda: read(stage))
        assert stage.ask(52.0)["state"] == "advised"
        expect(page.get_by_role("button", name="Start again …")).to_be_disabled()
        ana = enter(stage, "ana")
        ana.get_by_role("button", name="Start again …").click()
        with_password(ana, "Start setpoints again", WORD, "Start again")
        expect(ana.get_by_role("button", name="■ Stop all setpoints …")).to_be_visible()
        assert stage.ask(52.0)["state"] == "pending"
        assert stage.plc.written == []


def test_a_stop_works_without_a_guard_and_binds_the_next_one(tmp_path: Path, enter: Enter) -> None:
    with Stage(tmp_path, "approve") as stage:
        page = enter(stage, "otto")
        expect(page.locator(".switch")).to_contain_text("no guard is running")
        # Where nobody can say how it stands the switch is there all the same.
        page.route("**/api/setpoints/switch", lambda route: route.fulfill(status=500, body="{}"))
        page.goto(f"{stage.url}/tags")
        expect(page.get_by_role("button", name="■ Stop …")).to_be_visible()
        page.unroute("**/api/setpoints/switch")
        page.goto(f"{stage.url}/setpoints")
        page.get_by_role("button", name="■ Stop all setpoints …").click()
        page.get_by_role("dialog", name="Stop all setpoints?").get_by_role(
            "button", name="■ Stop"
        ).click()
        expect(page.locator(".switch")).to_contain_text("by otto from 127.0.0.1")
        stage.start_guard()
        assert until(stage.status)["stopped"] == "stopped"


def test_a_locked_setpoint_says_why_and_an_approver_who_has_looked_unlocks_it(
    tmp_path: Path, enter: Enter
) -> None:
    with Stage(tmp_path, "approve") as stage:
        stage.start_guard()
        until(lambda: read(stage))
        page = enter(stage, "ana")
        stage.plc.ignoring = True
        stage.ask(52.0)
        page.get_by_role("button", name="Approve …").click()
        title = "Approve conveyor speed sp 50 → 52 1/min"
        with_password(page, title, WORD, "Approve")
        card = page.locator("li.setpoint")
        expect(card).to_contain_text("LOCKED since")
        expect(card).to_contain_text("not taken: 52 was written, 50 is read back")
        expect(page.locator("#setpoints")).to_contain_text("conveyor speed sp is locked")
        stage.plc.ignoring = False
        card.get_by_role("button", name="Unlock …").click()
        with_password(page, "Unlock conveyor speed sp", WORD, "I have looked: unlock")
        expect(card).not_to_contain_text("LOCKED")


def test_without_a_guard_in_the_configuration_the_page_says_how_to_begin(
    tmp_path: Path, enter: Enter
) -> None:
    with Stage(tmp_path, None) as stage:
        page = enter(stage, "ana")
        expect(page.get_by_text("No guard of setpoints is configured")).to_be_visible()
        expect(page.get_by_role("button", name="■ Stop", exact=False)).to_have_count(0)
        assert stage.plc.written == []
