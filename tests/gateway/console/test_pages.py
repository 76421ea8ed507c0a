"""The pages in a real browser: what a plant person sees and does."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from plant.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator

    from gateway.console.view import AlarmRow
    from tests.gateway.console.conftest import Console, Plant

pytestmark = pytest.mark.journey

PUMP = "/asset?path=works/hall-2/line1/pump-2"
PRESS = "/asset?path=works/hall-2/line1/press-1"
PAGES = ("/", PUMP, "/alarms", "/report", "/tags", "/sources", "/models", "/setpoints", "/history")
READY = {
    "/": ".tile .spark",
    PUMP: "figure canvas",
    "/alarms": "td",
    "/report": "td",
    "/tags": "td",
    "/sources": "td",
    "/history": "li.connection",
    "/models": "li.model",
    "/setpoints": "main section:not([hidden]) p",
}

# A screenshot is measured by the browser itself: pixels with HSV saturation above 0.25.
SATURATED = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const {data} = context.getImageData(0, 0, image.width, image.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const most = Math.max(data[at], data[at + 1], data[at + 2]);
    const least = Math.min(data[at], data[at + 1], data[at + 2]);
    if (most > 0 && (most - least) / most > 0.25) count += 1;
  }
  return count;
}"""


def show(page: Page, console: Console, path: str) -> None:
    page.goto(console.url + path)
    expect(page.locator(READY[path]).first).to_be_visible()


def saturated(browser: Browser, picture: bytes) -> int:
    blank = browser.new_page()
    count: int = blank.evaluate(SATURATED, base64.b64encode(picture).decode())
    blank.close()
    return count


def tile(page: Page, name: str) -> Locator:
    return page.locator(".tile").filter(has=page.locator("h2", has_text=name))


def wide(page: Page) -> bool:
    answer: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return answer


@pytest.mark.parametrize("path", PAGES)
def test_without_an_alarm_no_page_has_a_colour(
    browser: Browser, page: Page, console: Console, path: str, tmp_path: Path
) -> None:
    show(page, console, path)

    picture = page.screenshot(path=tmp_path / "normal.png", full_page=True)

    assert saturated(browser, picture) == 0


def test_an_alarm_is_the_only_colour_of_the_overview(
    browser: Browser, page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.alarmed("ACKED")
    show(page, console, "/")
    expect(tile(page, "pump-2")).to_have_attribute("data-priority", "2")

    whole = page.screenshot(path=tmp_path / "alarm.png")
    quiet = [tile(page, name).screenshot() for name in ("pump-1", "press-1")]

    assert saturated(browser, whole) > 500
    assert [saturated(browser, picture) for picture in quiet] == [0, 0]


def test_overview_tells_state_mode_part_and_score(page: Page, console: Console) -> None:
    show(page, console, "/")

    expect(page.locator(".tile")).to_have_count(3)
    expect(tile(page, "press-1")).to_contain_text("Normal")
    expect(tile(page, "press-1")).to_contain_text("run · part 1187")
    expect(tile(page, "press-1")).to_contain_text("score 1.207, limit 3.050")
    expect(page.locator("#simulated")).to_have_text(
        "SIMULATED learnt from 4 simulated hours at full speed; live since 14:02"
    )


def test_learning_and_lost_machines_are_hatched_and_say_so(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.learning, plant.cut = frozenset({"pump-1"}), True

    show(page, console, "/")

    expect(tile(page, "pump-1")).to_contain_text("LEARNING 45 %")
    expect(tile(page, "press-1")).to_contain_text("NOT READ")
    expect(tile(page, "press-1")).to_contain_text("not judged")
    for name in ("pump-1", "press-1"):
        expect(tile(page, name)).to_have_css("background-image", re.compile("repeating"))
    expect(tile(page, "pump-2")).to_have_css("background-image", "none")
    expect(page.locator(".source.cut")).to_contain_text("✕ press-modbus")
    page.screenshot(path=tmp_path / "unjudged.png")


def test_each_priority_has_its_own_colour_shape_and_number(
    page: Page, console: Console, plant: Plant
) -> None:
    signs = set()
    for priority in (1, 2, 3, 4):
        plant.alarmed(priority=priority)
        show(page, console, "/")
        sign = tile(page, "pump-2").locator(".badge")
        expect(sign).to_have_text(str(priority))
        signs.add(
            sign.evaluate(
                "n => [getComputedStyle(n).clipPath, getComputedStyle(n).backgroundColor]"
            ).__str__()
        )

    assert len(signs) == 4


@pytest.mark.parametrize(
    ("state", "animation", "told"),
    [
        ("UNACK", "blink", "ALARM, not acknowledged"),
        ("RTNUN", "blink", "RETURNED, not acknowledged"),
        ("ACKED", "none", "ALARM, acknowledged"),
    ],
)
def test_only_what_nobody_acknowledged_blinks(
    page: Page, console: Console, plant: Plant, state: str, animation: str, told: str
) -> None:
    plant.alarmed(state)

    show(page, console, "/")

    expect(tile(page, "pump-2")).to_contain_text(told)
    expect(tile(page, "pump-2").locator(".badge")).to_have_css("animation-name", animation)
    expect(page.locator("nav .badge")).to_have_css("animation-name", animation)


def test_nothing_blinks_for_who_asked_for_less_motion(
    page: Page, console: Console, plant: Plant
) -> None:
    plant.alarmed()
    page.emulate_media(reduced_motion="reduce")

    show(page, console, "/")

    expect(tile(page, "pump-2").locator(".badge")).to_have_css("animation-name", "none")


def test_one_click_leads_from_the_line_to_the_sensor(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.alarmed()
    show(page, console, "/")

    page.get_by_role("link", name="pump-2").click()

    expect(page.locator(".heading .sentence")).to_contain_text("vibration 3.1× its normal")
    expect(page.locator(".heading .since")).to_contain_text(
        re.compile(r"Unusual since \d\d:\d\d:\d\d \(\d min\); alarm raised \d\d:\d\d:\d\d")
    )
    first = page.get_by_role("region", name="Contributors").locator("tbody tr").first
    expect(first).to_contain_text(re.compile(r"vibration.*71\s%.*7.130.*2.310.*1.900 to 2.700"))
    expect(page.locator("figure canvas")).to_have_count(2)
    page.screenshot(path=tmp_path / "asset.png", full_page=True)


def test_trend_draws_the_normal_band(page: Page, console: Console) -> None:
    show(page, console, PUMP)

    shades = page.locator("figure canvas").first.evaluate(
        """canvas => {
          const {width, height} = canvas;
          const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
          let band = 0;
          for (let at = 0; at < data.length; at += 4) {
            if (data[at] === 0xcd && data[at + 1] === 0xcd && data[at + 3] === 255) band += 1;
          }
          return band / (width * height);
        }"""
    )

    assert shades > 0.1


def test_a_signal_button_shows_and_hides_its_trend(page: Page, console: Console) -> None:
    show(page, console, PUMP)
    flow = page.get_by_role("button", name="flow")
    figure = page.locator("figure", has_text="flow")

    flow.click()
    expect(figure.locator("canvas")).to_be_visible()
    expect(flow).to_have_attribute("aria-pressed", "true")

    flow.click()
    expect(figure).to_have_count(0)


def test_value_outside_its_band_is_marked_without_colour_alone(
    page: Page, console: Console, plant: Plant
) -> None:
    plant.alarmed()

    show(page, console, PUMP)

    rows = page.get_by_role("region", name="Signals").locator("tbody tr")
    expect(rows.nth(0).locator(".outside")).to_have_count(1)
    expect(rows.nth(0)).to_contain_text("level shifted")
    expect(rows.nth(2).locator(".outside")).to_have_count(0)


def test_score_beyond_its_limit_is_not_called_usual(
    page: Page, console: Console, plant: Plant
) -> None:
    plant.score = 3.1

    show(page, console, PUMP)

    expect(page.locator(".heading .sentence")).to_have_text(
        "Beyond its limit; if it stays there, an alarm follows."
    )


@pytest.mark.parametrize("learning", [frozenset(), frozenset({"pump-2"})])
def test_machine_that_cannot_be_read_says_so_even_while_it_learns(
    page: Page, console: Console, plant: Plant, learning: frozenset[str]
) -> None:
    plant.unread, plant.learning = True, learning

    show(page, console, PUMP)

    expect(page.locator(".heading .sentence")).to_have_text(
        "Not judged: its signals cannot be read."
    )
    expect(page.locator(".heading .state")).to_have_text("NOT READ")


def test_alarm_of_a_machine_that_cannot_be_read_any_more_says_so(
    page: Page, console: Console, plant: Plant
) -> None:
    plant.alarmed()
    plant.unread = True

    show(page, console, PUMP)

    expect(page.locator(".heading")).to_contain_text("ALARM, not acknowledged")
    expect(page.locator(".heading .facts")).to_contain_text("✕ not read")


def test_closed_alarms_stand_newest_first(
    page: Page, console: Console, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = plant.alarms()[0]
    new: AlarmRow = {**old, "id": 8, "priority": 4, "raised": old["raised"] + 1, "note": "newer"}
    monkeypatch.setattr(plant, "alarms", lambda: [old, new])

    show(page, console, "/alarms")

    expect(page.locator("tbody tr").first).to_contain_text("newer")


@pytest.mark.parametrize(
    ("value", "told"),
    [(-0.01, "-0.01"), (0.43701, "0.437"), (2.5, "2.500"), (1234.56, "1235"), (2e-7, "2.000e-7")],
)
def test_numbers_have_no_digits_that_nobody_measured(
    page: Page, console: Console, value: float, told: str
) -> None:
    page.goto(console.url)

    found = page.evaluate("value => import('/static/words.js').then((w) => w.number(value))", value)

    assert found == told


def test_unknown_asset_says_so(page: Page, console: Console) -> None:
    page.goto(console.url + "/asset?path=works/gone")

    expect(page.locator(".problem").first).to_have_text("There is no asset 'works/gone'.")


def test_acknowledging_needs_no_mouse(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.alarmed()
    show(page, console, "/alarms")
    button = page.get_by_role("button", name="Acknowledge …")
    expect(button).to_be_visible()
    # The way there: skip link, eight pages, the table's box, the asset, the button.
    for _ in range(12):
        page.keyboard.press("Tab")
    expect(button).to_be_focused()
    expect(button).to_have_css("outline-style", "solid")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Acknowledge alarm 12")
    expect(dialog).to_be_visible()
    page.screenshot(path=tmp_path / "dialog.png")

    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()

    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type("Ana")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("greasing the bearing at 14:30")
    page.keyboard.press("Enter")

    expect(dialog).to_have_count(0)
    expect(page.locator("tbody tr").first).to_contain_text("ALARM, acknowledged")
    expect(page.locator("tbody tr").first).to_contain_text(
        re.compile(r"\d\d:\d\d:\d\d Ana: greasing the bearing at 14:30")
    )
    expect(page.get_by_role("link", name="pump-2")).to_be_focused()
    assert (plant.actor, plant.note) == ("Ana", "greasing the bearing at 14:30")


def test_focus_stays_inside_the_dialog(page: Page, console: Console, plant: Plant) -> None:
    plant.alarmed()
    show(page, console, "/alarms")
    page.get_by_role("button", name="Acknowledge …").click()
    expect(page.get_by_label("Your name")).to_be_focused()

    outside = []
    for _ in range(8):
        page.keyboard.press("Tab")
        outside.append(
            page.evaluate(
                "document.activeElement !== document.body"
                " && !document.activeElement.closest('dialog')"
            )
        )

    assert outside == [False] * 8


def test_refused_acknowledgement_keeps_what_was_typed(
    page: Page, console: Console, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise Rejected("Alarm 12 is closed already.")

    monkeypatch.setattr(plant, "acknowledge", refuse)
    plant.alarmed()
    show(page, console, "/alarms")
    page.get_by_role("button", name="Acknowledge …").click()
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Reason").fill("seen")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert").filter(has_text="Not acknowledged")).to_have_text(
        "Not acknowledged. Alarm 12 is closed already."
    )
    expect(page.get_by_label("Reason")).to_have_value("seen")


def test_link_with_an_alarm_id_marks_that_alarm(page: Page, console: Console) -> None:
    page.goto(console.url + "/alarms?id=7")

    expect(page.locator("tr.wanted")).to_contain_text("press-1: force 0.61× its normal")


@pytest.mark.parametrize("path", PAGES)
def test_small_panel_never_scrolls_sideways(
    page: Page, console: Console, plant: Plant, path: str, tmp_path: Path
) -> None:
    plant.alarmed()
    plant.extra_tags = 30
    page.set_viewport_size({"width": 800, "height": 480})

    show(page, console, path)
    page.screenshot(path=tmp_path / "panel.png")

    assert not wide(page)


@pytest.mark.parametrize("path", ["/alarms", PUMP])
def test_small_panel_shows_the_acknowledge_button_at_once(
    page: Page, console: Console, plant: Plant, path: str
) -> None:
    plant.alarmed()
    page.set_viewport_size({"width": 800, "height": 480})

    show(page, console, path)

    expect(page.get_by_role("button", name="Acknowledge …")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/setpoints"])
def test_hostile_names_are_shown_as_text(
    page: Page, console: Console, plant: Plant, path: str
) -> None:
    plant.alarmed()
    plant.prefix = plant.hostile

    show(page, console, path)

    expect(page.locator("#gateway")).to_have_text(f"{plant.hostile}line1")
    expect(page.locator("main")).to_contain_text("<script>window.stolen=1</script>")
    assert page.evaluate("window.stolen") is None
    assert page.locator("main img, main script").count() == 0
    assert not wide(page)


def test_a_long_list_of_alarms_begins_with_what_asks(page: Page, console: Console) -> None:
    console.plant.alarmed()
    console.plant.extra_alarms = 200
    page.add_init_script("""
        window.counts = new Set();
        const look = () => {
            window.counts.add(document.querySelectorAll("tbody tr[data-state]").length);
            requestAnimationFrame(look);
        };
        look();
    """)
    show(page, console, "/alarms")
    rows = page.locator("tbody tr[data-state]")

    expect(rows).to_have_count(202)
    expect(rows.first).to_have_attribute("data-state", "UNACK")
    assert page.evaluate("Math.min(...[...window.counts].filter((count) => count > 0))") < 100


def test_tag_table_filters_and_names_bad_quality(
    page: Page, console: Console, tmp_path: Path
) -> None:
    show(page, console, "/tags")
    rows = page.locator("tbody tr")
    expect(rows.filter(has_text="oil_temperature")).to_contain_text("✕ BadSensorFailure")
    expect(rows.filter(has_text="oil_temperature")).to_contain_text("67 min")
    expect(rows.filter(has_text="recipe")).to_contain_text("B-204")
    page.screenshot(path=tmp_path / "tags.png")

    page.get_by_label("Filter").fill("pump-2 flow")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(re.compile("pump-2/flow.*41.87.*m³/h.*Good"))

    page.keyboard.press("Escape")
    expect(rows).to_have_count(14)


def test_times_are_local_and_name_their_zone(page: Page, console: Console) -> None:
    show(page, console, "/")

    expect(page.locator("#clock")).to_have_text(re.compile(r"\d\d \w+ \d\d:\d\d:\d\d CES?T"))


def test_first_page_is_small_and_asks_nobody_else(page: Page, console: Console) -> None:
    fetched = {}
    page.on("requestfinished", lambda request: fetched.update({request.url: request.sizes()}))

    show(page, console, "/")
    page.wait_for_load_state("load")

    assert all(url.startswith(console.url) for url in fetched)
    assert f"{console.url}/static/vendor/uPlot.iife.min.js" in fetched
    total = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in fetched.values())
    assert total <= 150_000


def test_page_works_without_charts(page: Page, console: Console, plant: Plant) -> None:
    plant.alarmed()
    page.route("**/uPlot.iife.min.js", lambda route: route.abort())

    page.goto(console.url + PUMP)

    expect(page.locator(".chart").first).to_contain_text("too old for charts")
    expect(page.get_by_role("region", name="Contributors")).to_contain_text("vibration")


def test_lost_connection_is_told_and_heals(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    serve = type(console)
    page.clock.install()
    with serve(plant) as first:
        show(page, first, "/")
        port = first.port
    page.clock.fast_forward(5_000)
    lost = page.locator("#lost")
    expect(lost).to_contain_text("CONNECTION LOST")
    expect(lost).to_contain_text(re.compile(r"is from \d\d:\d\d:\d\d, \d+\.?\d* s old"))
    expect(page.locator("main")).to_have_css("opacity", "0.5")
    expect(page.locator("#clock")).not_to_be_visible()
    page.screenshot(path=tmp_path / "lost.png")

    with serve(plant, port):
        expect(lost).to_be_hidden()
        expect(page.locator("main")).to_have_css("opacity", "1")


def test_gateway_whose_clock_stands_is_not_shown_as_live(
    page: Page, console: Console, plant: Plant
) -> None:
    plant.stands_still = True
    page.clock.install()

    show(page, console, "/")
    page.clock.fast_forward(5_000)

    expect(page.locator("#lost")).to_contain_text("CONNECTION LOST")


def connection(page: Page, name: str) -> Locator:
    return page.locator(".connection").filter(has=page.locator("h2", has_text=name))


def fact(card: Locator, title: str) -> Locator:
    return card.locator(f"dt:text-is('{title}') + dd")


def test_sources_tell_how_each_one_is_read(page: Page, console: Console) -> None:
    show(page, console, "/sources")

    plc = connection(page, "plc")
    expect(fact(plc, "Security")).to_have_text("Basic256Sha256, SignAndEncrypt")
    expect(fact(plc, "User")).to_have_text("operator")
    expect(fact(plc, "Certificates")).to_have_text("412 days left")
    expect(fact(plc, "Clock")).to_have_text("60 min behind")
    expect(fact(plc, "Round trip")).to_have_text("2.3 ms")
    expect(fact(plc, "Last gap")).to_contain_text("60 s, ≈ 30 lost")
    expect(plc.locator(".notes")).to_have_text("2 of 40 tags are refused: BadNodeIdUnknown")
    expect(fact(connection(page, "press-modbus"), "Security")).to_have_text("✕ none")
    expect(fact(connection(page, "press-modbus"), "Clock")).to_have_text("no clock of its own")


@pytest.mark.parametrize(
    ("days", "words"),
    [(12.4, "✕ 12 days left: renew it"), (-2.5, "✕ out of date for 3 days"), (None, "none in use")],
)
def test_a_certificate_that_ends_is_told_in_time(
    page: Page, console: Console, plant: Plant, days: float | None, words: str
) -> None:
    plant.certificate_days = days

    show(page, console, "/sources")

    expect(fact(connection(page, "plc"), "Certificates")).to_have_text(words)


def test_nothing_is_claimed_of_a_source_that_never_came_up(
    page: Page, console: Console, plant: Plant
) -> None:
    plant.never_up, plant.certificate_days = True, None

    show(page, console, "/sources")

    plc = connection(page, "plc")
    expect(fact(plc, "Security")).to_have_text("Basic256Sha256, SignAndEncrypt, once connected")
    expect(fact(plc, "Certificates")).to_have_text("not known yet")
    expect(fact(plc, "Clock")).to_have_text("not known yet")


def test_gaps_stand_newest_first_with_what_became_of_them(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.cut = True

    show(page, console, "/sources")

    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("link lost")
    expect(rows.nth(0)).to_contain_text("lasts")
    expect(rows.nth(1)).to_contain_text("gateway not running")
    expect(rows.nth(1)).to_contain_text("120 republished, 1480 from history")
    expect(rows.nth(1)).to_contain_text("≈ 30 lost")
    expect(connection(page, "press-modbus").locator("h2")).to_have_text("✕ press-modbus")
    page.screenshot(path=tmp_path / "sources.png", full_page=True)


def test_what_is_unsecured_stands_on_every_page(page: Page, console: Console, plant: Plant) -> None:
    plant.secured = False

    for path in PAGES:
        show(page, console, path)
        expect(page.locator("#unsecured")).to_contain_text("UNSECURED press-modbus")


def test_history_tells_how_each_store_takes_what_it_is_sent(page: Page, console: Console) -> None:
    show(page, console, "/history")

    central = connection(page, "central")
    expect(central.locator(".state")).to_have_text("InfluxDB · takes what it is sent")
    expect(fact(central, "Where")).to_have_text("https://influx.works:8086")
    expect(fact(central, "Waits to be sent")).to_have_text("nothing")
    expect(fact(central, "On the wire")).to_have_text("1.2 MB")
    sent = "summaries, scores, events, samples around incidents"
    expect(fact(central, "Is sent")).to_have_text(sent)
    expect(fact(central, "Refused")).to_have_text("✕ 2, kept in data/quarantine/central.jsonl")
    expect(fact(connection(page, "history"), "Refused")).to_have_text("none")
    expect(page.locator("#unsent")).to_be_hidden()
    saved = "1,200,000 samples (29 MB) became 36,000 windows (2.4 MB, 8.5 %)"
    expect(page.get_by_text(saved)).to_be_visible()
    expect(page.locator("tbody tr")).to_contain_text("0.412 m³/h")
    expect(page.get_by_text("The 1 of 14 tags with the most samples.")).to_be_visible()


def test_a_store_that_takes_nothing_is_told_on_every_page_with_what_waits(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.outage = True

    for path in PAGES:
        show(page, console, path)
        expect(page.locator("#unsent")).to_contain_text("NOT SENT central: the oldest unsent")

    central = connection(page, "central")
    expect(central.locator("h2")).to_have_text("✕ central")
    expect(central.locator(".state")).to_contain_text("✕ not reached, tried again")
    expect(central.locator(".why")).to_contain_text("influx.works:8086 does not answer")
    waits = "5,120 records, the oldest for 26 min: too long"
    expect(fact(central, "Waits to be sent")).to_have_text(waits)
    page.screenshot(path=tmp_path / "history.png", full_page=True)


def test_a_full_disk_is_told_on_every_page(page: Page, console: Console, plant: Plant) -> None:
    show(page, console, "/")
    expect(page.locator("#journal")).to_be_hidden()
    plant.disk_words = "the disk is full: the oldest records go for the newest; free some space"

    for path in PAGES:
        show(page, console, path)
        expect(page.locator("#journal")).to_contain_text("JOURNAL the disk is full")


def test_a_model_that_was_taken_back_is_told_on_every_page(
    page: Page, console: Console, plant: Plant
) -> None:
    show(page, console, "/")
    expect(page.locator("#models")).to_be_hidden()
    plant.model_words = "model 7 was taken back: its score is not finite"

    for path in PAGES:
        show(page, console, path)
        expect(page.locator("#models")).to_contain_text("MODEL pump-2: model 7 was taken back")


def test_a_proposer_that_was_switched_off_is_told_on_every_page(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    show(page, console, "/")
    expect(page.locator("#proposers")).to_be_hidden()
    plant.proposer_words = "switched off: floods: 30 requests too many"

    for path in PAGES:
        show(page, console, path)
        expect(page.locator("#proposers")).to_contain_text("PROPOSER speeds: switched off: floods")
    page.screenshot(path=tmp_path / "proposer.png")


def test_a_model_is_promoted_against_the_rule_with_a_reason(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.tried = True
    show(page, console, "/models")
    card = page.locator("li.model").filter(has=page.locator("h2", has_text="pump-2"))
    expect(card).to_contain_text("Model 7 judges the same rows for 26 h now and acts on nothing.")
    expect(card.locator("[data-grave]")).to_contain_text("Rows judged in changeover")
    expect(card.locator("canvas")).to_be_visible()
    expect(card).to_contain_text("Model 6 is blocked: its score is not finite")
    expect(page.locator("td", has_text="foreign-key")).to_be_visible()
    page.screenshot(path=tmp_path / "models.png", full_page=True)

    card.get_by_role("button", name="Promote …").click()
    dialog = page.get_by_role("dialog", name="Put model 7 into force: pump-2")
    expect(dialog).to_contain_text("Against the rule. Not met: Rows judged in changeover (120;")
    dialog.get_by_label("Your name").fill("Anna")
    dialog.get_by_label("Reason").fill("the new bearing")
    dialog.get_by_role("button", name="Promote").click()

    expect(dialog).to_have_count(0)
    expect(card).to_contain_text("No model is tried beside it.")
    assert plant.ordered == [("promote", "works/hall-2/line1/pump-2", 7, "Anna", "the new bearing")]


def test_the_asset_page_draws_the_model_beside_it(
    page: Page, console: Console, plant: Plant
) -> None:
    show(page, console, PUMP)
    expect(page.get_by_text("Beside the model in force")).to_be_hidden()
    plant.tried = True
    show(page, console, PUMP)
    expect(page.get_by_text("Beside the model in force")).to_be_visible()
    expect(page.get_by_text("Dotted: model 7, which is tried; it acts on nothing.")).to_be_visible()


def test_without_anything_unsecured_there_is_no_banner(page: Page, console: Console) -> None:
    show(page, console, "/")

    expect(page.locator("#unsecured")).to_be_hidden()


def test_what_an_alarm_was_is_told_with_the_product_change(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.alarmed()
    show(page, console, PUMP)
    page.get_by_role("button", name="What was it …").click()
    dialog = page.get_by_role("dialog", name="What was alarm 12?")
    dialog.get_by_label("Your name").fill("Anna")
    dialog.get_by_label("Expected").check()
    page.screenshot(path=tmp_path / "feedback.png")

    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_be_visible()
    assert plant.ordered == []

    dialog.get_by_label("What was found or done").fill("product change")
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    assert plant.ordered == [("feedback", 12, "expected", "Anna", "product change", False)]
    expect(page.locator(".heading .since")).to_contain_text(
        re.compile("Noted .* Anna, called expected: product change")
    )
    expect(page.get_by_role("button", name="What was it …")).to_have_count(0)


@pytest.mark.parametrize(("label", "offered"), [("A real fault", False), ("A false alarm", True)])
def test_what_is_broken_cannot_be_called_the_new_normal(
    page: Page, console: Console, plant: Plant, label: str, offered: bool
) -> None:
    plant.alarmed()
    show(page, console, PUMP)
    page.get_by_role("button", name="What was it …").click()
    dialog = page.get_by_role("dialog", name="What was alarm 12?")
    dialog.get_by_label("A false alarm").check()
    dialog.get_by_label("It stays so").check()
    dialog.get_by_label("Your name").fill("Anna")
    dialog.get_by_label(label).check()
    expect(dialog.get_by_label("It stays so")).to_be_visible(visible=offered)
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    assert [order[-1] for order in plant.ordered] == [offered]


@pytest.mark.parametrize(
    ("how", "length", "ordered"),
    [
        ("Shelve", "2 h", ("shelved", 7200)),
        ("Suppress", "1 day", ("suppressed", 86400)),
    ],
)
def test_a_machine_is_kept_quiet_for_a_time_and_with_a_reason(
    page: Page, console: Console, plant: Plant, how: str, length: str, ordered: tuple[str, int]
) -> None:
    plant.alarmed()
    show(page, console, "/alarms")
    page.get_by_role("button", name="Keep quiet …").click()
    dialog = page.get_by_role("dialog", name="Keep pump-2 quiet")
    dialog.get_by_label("Your name").fill("Anna")
    dialog.get_by_label(how).check()
    dialog.get_by_label("For").select_option(label=length)
    dialog.get_by_label("Reason").fill("belt is off")
    dialog.get_by_role("button", name="Keep quiet").click()

    expect(dialog).to_have_count(0)
    kind, seconds = ordered
    assert plant.ordered == [
        ("hold", "works/hall-2/line1/pump-2", kind, seconds, "Anna", "belt is off")
    ]
    expect(page.get_by_role("region", name="Kept quiet")).to_contain_text("by Anna: belt is off")


def test_out_of_service_asks_for_no_time(page: Page, console: Console, plant: Plant) -> None:
    plant.alarmed()
    show(page, console, PUMP)
    page.get_by_role("button", name="Keep quiet …").click()
    dialog = page.get_by_role("dialog", name="Keep pump-2 quiet")

    dialog.get_by_label("Out of service").check()

    expect(dialog.get_by_label("For")).to_be_hidden()


def test_what_is_kept_quiet_is_grey_says_so_and_can_be_heard_again(
    browser: Browser, page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    plant.keep_quiet()
    show(page, console, "/")
    expect(tile(page, "pump-2")).to_contain_text("SHELVED")
    expect(tile(page, "pump-2")).to_contain_text(re.compile(r"until \d\d:\d\d:\d\d by Anna"))
    expect(page.locator("#alarm-count")).to_have_text("0, 1 kept quiet")
    picture = page.screenshot(path=tmp_path / "quiet-line.png", full_page=True)
    assert saturated(browser, picture) == 0

    page.get_by_role("link", name="pump-2").click()
    expect(page.locator(".heading .hold")).to_contain_text("SHELVED until")
    expect(page.locator(".heading .sentence")).to_contain_text("vibration 3.1× its normal")
    expect(page.locator(".heading .state")).to_have_text("SHELVED, alarm 12 behind it")
    picture = page.screenshot(path=tmp_path / "quiet-asset.png", full_page=True)
    assert saturated(browser, picture) == 0
    page.get_by_role("button", name="Listen again …").click()
    dialog = page.get_by_role("dialog", name="Listen to pump-2 again")
    dialog.get_by_label("Your name").fill("Kim")
    dialog.get_by_label("Reason").fill("belt is on")
    dialog.get_by_role("button", name="Listen again").click()

    expect(page.locator(".heading")).to_contain_text("ALARM, not acknowledged")
    assert plant.ordered[-1][0] == "release"


def test_what_feedback_holds_back_says_like_which(
    page: Page, console: Console, plant: Plant
) -> None:
    plant.keep_quiet(state="FSUPR")
    plant.hold_row = None
    show(page, console, "/alarms")

    line = page.locator("tr", has_text="pump-2")
    expect(line).to_contain_text("HELD BACK")
    expect(line).to_contain_text("like #7, called expected (die changed) by M. Weber")
    expect(line.get_by_role("button", name="Acknowledge …")).to_be_hidden()


def test_an_alarm_shows_what_joined_it_and_how_earlier_ones_were_resolved(
    page: Page, console: Console, plant: Plant
) -> None:
    plant.alarmed()
    plant.chattering = plant.stale = True
    show(page, console, PUMP)

    expect(page.get_by_role("region", name="Joined by")).to_contain_text(
        re.compile("motor current.*out of range, level shifted")
    )
    expect(page.get_by_role("region", name="Earlier ones like it")).to_contain_text(
        re.compile(r"#7.*94\s%.*called expected by M. Weber: die changed")
    )
    expect(page.locator(".heading .since")).to_contain_text("Chattering. Stale.")


def test_the_report_tells_figures_aims_and_who_alarms_most(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    show(page, console, "/report")

    figures = page.get_by_role("region", name="Figures")
    expect(figures).to_contain_text("14 at most")
    expect(figures).to_contain_text(re.compile(r"3\.0 an asset-week.*1\.4 to 5\.7.*OVER BUDGET"))
    expect(figures).to_contain_text(re.compile(r"80\s% of 10 labelled were real"))
    expect(page.get_by_role("region", name="Who alarms most")).to_contain_text(
        re.compile(r"pump-2.*15.*88\s%")
    )
    page.screenshot(path=tmp_path / "report.png", full_page=True)
    page.get_by_role("button", name="All").click()
    expect(page.get_by_role("button", name="All")).to_have_attribute("aria-pressed", "true")
    while plant.ordered[-1] != ("report", None, None):  # until the test's own time is over
        page.wait_for_timeout(50)


@pytest.mark.parametrize("path", ["/", PUMP, "/alarms", "/report"])
def test_words_of_people_stay_words_where_things_are_kept_quiet(
    page: Page, console: Console, plant: Plant, path: str
) -> None:
    plant.prefix = plant.hostile
    plant.keep_quiet()

    page.goto(console.url + path)
    page.wait_for_timeout(500)

    assert page.evaluate("window.stolen") is None


SAID = {PUMP: ".heading .sentence", "/alarms": ".sensors a"}
WORDS = {PUMP: "Nothing unusual, judged without flow.", "/alarms": "pump-2"}


@pytest.mark.parametrize("path", [PUMP, "/alarms"])
def test_sensor_at_fault_is_named_without_a_colour_and_can_be_called_right(
    browser: Browser, page: Page, console: Console, plant: Plant, path: str
) -> None:
    plant.stuck = True
    show(page, console, "/")
    expect(tile(page, "pump-2")).to_contain_text("F flow stuck")
    show(page, console, path)
    sensors = page.locator(".sensors")

    expect(sensors).to_contain_text("flow of pump-2 is stuck: 41.87 m³/h to the last digit")
    expect(sensors.locator(".letter")).to_have_text("F")
    expect(page.locator(SAID[path])).to_contain_text(WORDS[path])
    assert saturated(browser, page.screenshot(full_page=True)) == 0
    sensors.get_by_role("button", name="It is right …").click()
    page.get_by_label("Reason").fill("compared with a hand-held")
    page.get_by_label("Your name").fill("Kim")
    page.get_by_role("button", name="The sensor is right").click()

    expect(sensors).to_be_hidden()
    assert plant.ordered == [("trust", f"{plant.pump}/flow", "Kim", "compared with a hand-held")]


def test_the_parts_of_a_machine_stand_with_what_is_unusual(
    page: Page, console: Console, plant: Plant, tmp_path: Path
) -> None:
    page.goto(console.url + PRESS)
    box = page.get_by_role("region", name="Parts")
    rows = box.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("SUSPECT")
    expect(rows.nth(1)).to_contain_text("clamp pressure peaked at 81.2 bar, usually 92 to 95.1")
    expect(page.get_by_text("2 of the last 100 judged were suspect")).to_be_visible()
    page.screenshot(path=tmp_path / "parts.png", full_page=True)


def test_what_a_part_was_is_told_from_the_page(page: Page, console: Console, plant: Plant) -> None:
    page.goto(console.url + PRESS)
    rows = page.get_by_role("region", name="Parts").locator("tbody tr")
    rows.nth(1).get_by_role("button", name="What was it …").click()
    dialog = page.get_by_role("dialog", name="What was part 1186?")
    dialog.get_by_label("Your name").fill("Anna")
    dialog.get_by_label("A defect").check()
    dialog.get_by_label("What was found").fill("thin blank")
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    assert plant.part_said == ("1186", "defect", "Anna", "thin blank")
    expect(rows.nth(1)).to_contain_text("defect, Anna: thin blank")


def test_a_machine_that_makes_no_parts_shows_none(page: Page, console: Console) -> None:
    show(page, console, PUMP)
    expect(page.get_by_role("heading", name="Signals")).to_be_visible()
    expect(page.get_by_role("heading", name="Parts")).to_have_count(0)
