"""The way in and out in a real browser, and what the pages of each role offer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from gateway.console.tls import own_pair, prepare
from tests.gateway.console.guarded import PASSWORD, People

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Console, Plant

pytestmark = pytest.mark.journey


def entered(page: Page, locked: Console, name: str, path: str = "/") -> None:
    page.goto(f"{locked.url}{path}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#who")).to_contain_text(name)


def test_stranger_is_led_to_the_way_in_and_back(locked: Console, page: Page) -> None:
    entered(page, locked, "the-operator", "/alarms?id=12")

    assert page.url == f"{locked.url}/alarms?id=12"
    expect(page.locator("#who")).to_have_text("the-operator, operator")


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/x",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/login",
    ],
)
def test_way_in_leads_to_no_other_site(locked: Console, page: Page, path: str) -> None:
    page.goto(locked.url)  # for the base of the address
    page.goto(f"{locked.url}/login")
    page.evaluate("(next) => history.replaceState(null, '', '/login?next=' + next)", path)
    page.get_by_label("Name").fill("the-viewer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    expect(page.locator("#who")).to_be_visible()
    assert page.url.startswith(f"{locked.url}/")
    assert not page.url.startswith(f"{locked.url}/login")


def test_wrong_password_is_told_and_the_name_kept(locked: Console, page: Page) -> None:
    page.goto(f"{locked.url}/login")
    page.get_by_label("Name").fill("the-viewer")
    page.get_by_label("Password").fill("wrong wrong wrong")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("the-viewer")
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_be_focused()


def test_logout_leads_to_the_way_in_and_back_does_not_help(locked: Console, page: Page) -> None:
    entered(page, locked, "the-viewer")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()

    page.goto(f"{locked.url}/tags")

    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_viewer_sees_the_alarm_and_why_he_may_not(
    locked: Console, plant: Plant, page: Page
) -> None:
    plant.alarmed()
    entered(page, locked, "the-viewer", "/alarms")

    button = page.get_by_role("button", name="Acknowledge")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute(
        "title", "You are viewer. This is for operator, engineer, approver, admin only."
    )
    expect(page.get_by_role("button", name="What was it").first).to_be_disabled()
    expect(page.get_by_role("button", name="Keep quiet")).to_be_disabled()
    expect(page.get_by_role("link", name="Audit")).to_be_hidden()


def test_operator_acknowledges_under_his_name_without_typing_it(
    locked: Console, plant: Plant, page: Page
) -> None:
    plant.alarmed()
    entered(page, locked, "the-operator", "/alarms")

    page.get_by_role("button", name="Acknowledge").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("As the-operator, operator")
    expect(dialog.get_by_label("Your name")).to_have_count(0)
    dialog.get_by_label("Reason").fill("bearing is being greased")
    dialog.get_by_role("button", name="Acknowledge").click()

    expect(dialog).to_be_hidden()
    assert (plant.actor, plant.note) == ("the-operator", "bearing is being greased")


def test_operator_is_told_who_suppresses(locked: Console, plant: Plant, page: Page) -> None:
    plant.alarmed()
    entered(page, locked, "the-operator", "/alarms")

    page.get_by_role("button", name="Keep quiet").click()

    for word in ("Suppress", "Out of service"):
        choice = page.get_by_role("dialog").get_by_label(word)
        expect(choice).to_be_disabled()
    expect(page.get_by_role("dialog")).to_contain_text("for engineer, admin only")


def test_owner_changes_the_password(locked: Console, page: Page) -> None:
    entered(page, locked, "the-viewer")
    page.get_by_role("link", name="the-viewer").click()
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill("a lorry full of gravel")
    page.get_by_label("New password once more").fill("a lorry full of sand")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("alert")).to_have_text("The new one was not typed twice alike.")

    page.get_by_label("New password once more").fill("a lorry full of gravel")
    page.get_by_role("button", name="Change it").click()

    expect(page.get_by_role("status")).to_have_text("The new password holds from now on.")


def test_who_types_before_the_page_knows_him_goes_on_typing(locked: Console, page: Page) -> None:
    entered(page, locked, "the-viewer")
    held: list[Route] = []
    page.route("**/api/session", lambda route: held.append(route))
    page.goto(f"{locked.url}/password")
    expect(page.get_by_label("Present password")).to_be_focused()
    fresh = page.get_by_label("New password", exact=True)
    fresh.focus()

    with page.expect_response("**/api/session"):
        held[0].continue_()

    expect(page.get_by_role("link", name="the-viewer")).to_be_visible()
    expect(fresh).to_be_focused()


def test_page_of_a_session_that_ends_leads_to_the_way_in(
    locked: Console, people: People, page: Page
) -> None:
    entered(page, locked, "the-viewer", "/tags")

    people.remove("the-viewer")

    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert page.url == f"{locked.url}/login?next=%2Ftags"


def test_admin_sees_the_audit_and_no_markup_of_a_stranger(
    locked: Console, people: People, page: Page
) -> None:
    people.access.audit.note("refused", "<script>window.stolen=1</script>", "<img src=x>", why="x")
    entered(page, locked, "the-admin")

    page.get_by_role("link", name="Audit").click()

    table = page.get_by_role("region", name="Audit")
    expect(table).to_contain_text("the-admin, admin")
    expect(table).to_contain_text("<script>window.stolen=1</script>")
    assert page.evaluate("window.stolen") is None


def test_session_over_tls_in_a_real_browser(
    console: Console, plant: Plant, people: People, browser: Browser, tmp_path: Path
) -> None:
    pair = own_pair(tmp_path)
    prepare(pair, ["127.0.0.1"], [])
    plant.alarmed()
    options = {"access": people.access, "records": people.records, "tls": pair}
    with type(console)(plant, **options) as server:
        # A person has looked at the certificate and trusts it.
        context = browser.new_context(ignore_https_errors=True)
        entered(context.new_page(), server, "the-operator", "/alarms")
        page = context.pages[0]
        page.get_by_role("button", name="Acknowledge").click()
        page.get_by_role("dialog").get_by_label("Reason").fill("bearing is being greased")
        page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        (cookie,) = context.cookies()
        context.close()

    assert plant.actor == "the-operator"
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (
        *("__Host-wheeltapper", True, True, "Strict"),
    )


def test_without_accounts_there_is_no_way_in(console: Console, page: Page) -> None:
    page.goto(f"{console.url}/login")

    expect(page.get_by_role("heading", name="pump-1")).to_be_visible()
    expect(page.get_by_role("button", name="Log out")).to_have_count(0)
    expect(page.get_by_role("link", name="Audit")).to_be_hidden()
