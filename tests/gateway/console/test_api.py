"""The JSON endpoints over a real socket: rows come through, refusals say why."""

from __future__ import annotations

import gzip
import json
import urllib.parse
from typing import TYPE_CHECKING

import pytest

from plant.errors import Unreachable

if TYPE_CHECKING:
    from tests.gateway.console.conftest import Answer, Console, Plant

pytestmark = pytest.mark.journey

PUMP = "works/hall-2/line1/pump-2"


PART = {"asset": "press-1", "number": "1186", "actor": "kim"}


def query(**parameters: object) -> str:
    return urllib.parse.urlencode(parameters)


def test_line_carries_gateway_assets_and_sources(console: Console) -> None:
    line = console.ask("/api/line").content

    assert line["gateway"]["simulated"] is True
    assert [asset["name"] for asset in line["assets"]] == ["pump-1", "pump-2", "press-1"]
    assert [source["name"] for source in line["sources"]] == ["plc", "press-modbus"]


def test_asset_carries_signals_contributors_and_alarm(console: Console, plant: Plant) -> None:
    plant.alarmed()

    asset = console.ask("/api/asset?" + query(path=PUMP)).content

    assert asset["alarm"]["id"] == 12
    assert asset["contributors"][0]["signal"] == "vibration"
    assert len(asset["signals"]) == 6


def test_scores_have_the_points_asked_for(console: Console) -> None:
    asked = query(path=PUMP, start_ms=0, stop_ms=60_000, points=7)

    series = console.ask(f"/api/asset/scores?{asked}").content

    assert [len(series[name]) for name in ("at", "score", "threshold")] == [7, 7, 7]


def test_trend_tells_its_normal_band(console: Console) -> None:
    asked = query(tag=f"{PUMP}/vibration", start_ms=0, stop_ms=60_000, points=5)

    series = console.ask(f"/api/trend?{asked}").content

    assert (series["unit"], series["band_low"], series["band_high"]) == ("mm/s", 1.9, 2.7)


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/api/asset?path=works/nowhere", 404, "works/nowhere"),
        ("/api/asset", 400, "'path'"),
        (f"/api/asset?path={'x' * 600}", 400, "'path'"),
        ("/api/asset/scores?path=works/nowhere&start_ms=0&stop_ms=1", 404, "works/nowhere"),
        ("/api/trend?tag=a/b&start_ms=0&stop_ms=1", 404, "a/b"),
        ("/api/trend?tag=a&start_ms=5&stop_ms=5", 400, "before"),
        ("/api/trend?tag=a&start_ms=soon&stop_ms=5", 400, "'start_ms'"),
        ("/api/trend?tag=a&start_ms=nan&stop_ms=5", 400, "'start_ms'"),
        ("/api/trend?tag=a&start_ms=0&stop_ms=1e300", 400, "'stop_ms'"),
        ("/api/asset/scores?path=a&start_ms=-inf&stop_ms=5", 400, "'start_ms'"),
        ("/api/trend?tag=a&start_ms=0&stop_ms=5&points=1e9", 400, "'points'"),
        ("/api/trend?tag=a&start_ms=0&stop_ms=5&points=1", 400, "'points'"),
        ("/api/nothing", 404, "Not Found"),
        ("/static/../server.py", 404, "no such file"),
        ("/static/%2e%2e/server.py", 404, "no such file"),
    ],
)
def test_refusal_names_what_is_wrong(console: Console, path: str, status: int, told: str) -> None:
    answer = console.ask(path)

    assert answer.status == status
    assert told in answer.content["error"]


def test_tags_hold_no_number_that_is_not_finite(console: Console) -> None:
    rows = console.ask("/api/tags").content["tags"]

    broken = next(row for row in rows if row["quality"] == "Bad")

    assert broken["value"] is None
    assert broken["status"] == "BadSensorFailure"


def test_filter_needs_every_word_in_any_case(console: Console) -> None:
    found = console.ask("/api/tags?" + query(match="PUMP-2 drive")).content

    assert found["matching"] == 6
    assert all("pump-2" in row["tag"] for row in found["tags"])


def test_many_tags_are_cut_and_counted(console: Console, plant: Plant) -> None:
    plant.extra_tags = 5_000

    found = console.ask("/api/tags").content

    assert (len(found["tags"]), found["matching"], found["total"]) == (500, 5_014, 5_014)


def test_acknowledge_answers_the_new_row(console: Console, plant: Plant) -> None:
    plant.alarmed()

    answer = console.acknowledge(12, {"actor": " Ana ", "note": "greasing it"})

    assert answer.status == 200
    assert (answer.content["state"], answer.content["actor"]) == ("ACKED", "Ana")
    assert (plant.actor, plant.note) == ("Ana", "greasing it")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"actor": "Ana"}, "reason"),
        ({"actor": "Ana", "note": "   "}, "reason"),
        ({"actor": "Ana", "note": 5}, "reason"),
        ({"actor": "Ana", "note": "x" * 1_001}, "reason"),
        ({"actor": "", "note": "seen"}, "Who"),
        (["Ana", "seen"], "object"),
    ],
)
def test_acknowledge_needs_a_name_and_a_reason(
    console: Console, plant: Plant, content: object, told: str
) -> None:
    plant.alarmed()

    answer = console.acknowledge(12, content)

    assert answer.status == 400
    assert told in answer.content["error"]
    assert plant.alarm_state == "UNACK"


def test_acknowledge_of_an_unknown_alarm_is_404(console: Console) -> None:
    assert console.acknowledge(99, {"actor": "Ana", "note": "seen"}).status == 404


def test_acknowledge_of_a_closed_alarm_tells_the_gateways_reason(console: Console) -> None:
    answer = console.acknowledge(7, {"actor": "Ana", "note": "seen"})

    assert (answer.status, answer.content["error"]) == (409, "Alarm 7 is closed already.")


def test_body_that_is_not_json_is_refused(console: Console) -> None:
    answer = console.ask(
        "/api/alarms/12/acknowledge",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=b"{",
    )

    assert (answer.status, answer.content["error"]) == (400, "The body is not JSON.")


def test_large_body_is_refused_before_it_is_parsed(console: Console) -> None:
    answer = console.acknowledge(12, {"actor": "Ana", "note": "x" * 20_000})

    assert answer.status == 413


def test_gateway_that_cannot_answer_is_503_with_its_reason(
    console: Console, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise Unreachable("journal: busy, try again")

    monkeypatch.setattr(plant, "trend", busy)

    answer = console.ask("/api/trend?tag=a&start_ms=0&stop_ms=1")

    assert (answer.status, answer.content["error"]) == (503, "journal: busy, try again")


def test_failure_inside_the_gateway_tells_no_detail(console: Console, plant: Plant) -> None:
    plant.failure = RuntimeError("secret detail")

    answer = console.ask("/api/line")

    assert answer.status == 500
    assert b"secret" not in answer.body


def test_degraded_gateway_is_told_with_200(console: Console, plant: Plant) -> None:
    plant.health_row = {"status": "degraded", "reasons": ["plc: no answer"]}

    answer = console.ask("/health")

    assert (answer.status, answer.content["status"]) == (200, "degraded")


def test_metrics_are_prometheus_text(console: Console) -> None:
    answer = console.ask("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"wheeltapper_journal_bytes 1024" in answer.body


def test_hostile_name_stays_inside_its_json_string(console: Console, plant: Plant) -> None:
    plant.prefix = '\u2028</script>"\n\ud800'

    line = json.loads(console.ask("/api/line").body)

    assert line["assets"][0]["name"] == plant.prefix + "pump-1"


JSON_TYPE = {"Content-Type": "application/json"}
HOLD = {"target": "pump-2", "kind": "shelved", "seconds": 60, "actor": "kim", "note": "belt"}


def post(console: Console, path: str, content: object) -> Answer:
    return console.ask(path, method="POST", headers=JSON_TYPE, body=json.dumps(content).encode())


@pytest.mark.parametrize(
    ("path", "content", "status", "said"),
    [
        ("/api/holds", HOLD, 200, "belt"),
        ("/api/holds", {**HOLD, "target": "gone"}, 404, "There is no asset or alarm 'gone'."),
        ("/api/holds", {**HOLD, "kind": "hidden"}, 400, "'kind' must be one of: shelved"),
        ("/api/holds", {**HOLD, "seconds": -1}, 400, "'seconds' must be a number above 0"),
        ("/api/holds", {**HOLD, "seconds": True}, 400, "'seconds' must be a number above 0"),
        ("/api/holds", {**HOLD, "seconds": 1e12}, 400, "'seconds' must be a number above 0"),
        ("/api/holds", {**HOLD, "note": " "}, 400, "A reason ('note') is needed"),
        ("/api/holds", [], 400, "The body must be an object"),
        ("/api/holds/release", HOLD, 409, "pump-2 is not shelved"),
        ("/api/parts/label", {**PART, "label": "defect"}, 200, '"label":"defect"'),
        ("/api/parts/label", {**PART, "label": "odd"}, 400, "one of: good, defect"),
        ("/api/parts/label", {**PART, "label": "good", "actor": ""}, 400, "Who says so"),
        ("/api/parts/label", {**PART, "label": "good", "number": ""}, 400, "The part"),
        ("/api/parts/label", {**PART, "label": "good", "number": "1"}, 409, "made no part 1"),
        ("/api/parts/normal", {**PART, "note": "new die"}, 200, '"suspect_lately":2'),
        ("/api/parts/normal", {**PART, "note": ""}, 400, "A reason"),
        ("/api/parts/normal", {**PART, "asset": PUMP, "note": "x"}, 404, "that makes parts"),
        ("/api/alarms/7/feedback", {"label": "real", "actor": "kim"}, 200, "real"),
        ("/api/alarms/8/feedback", {"label": "real", "actor": "kim"}, 404, "There is no alarm 8."),
        ("/api/alarms/7/feedback", {"label": "odd", "actor": "kim"}, 400, "one of: real, false"),
        ("/api/alarms/7/feedback", {"label": "expected", "actor": "kim"}, 400, "What was it"),
        ("/api/alarms/7/feedback", {"label": "real"}, 400, "Who says so"),
    ],
)
def test_orders_are_checked_before_the_gateway_sees_them(
    console: Console, path: str, content: object, status: int, said: str
) -> None:
    answer = post(console, path, content)
    assert answer.status == status
    assert said in answer.body.decode()


def test_a_hold_is_listed_with_who_and_why(console: Console, plant: Plant) -> None:
    plant.keep_quiet()
    (row,) = console.ask("/api/holds").content["holds"]
    assert (row["kind"], row["actor"], row["note"]) == ("shelved", "Anna", "belt is off")


@pytest.mark.parametrize(("number", "status"), [(7, 200), (8, 404)])
def test_one_alarm_is_given_by_its_number(console: Console, number: int, status: int) -> None:
    assert console.ask(f"/api/alarms/{number}").status == status


@pytest.mark.parametrize(
    ("query", "asked"),
    [("", (None, None)), ("?start_ms=5", (5.0, None)), ("?start_ms=5&stop_ms=9", (5.0, 9.0))],
)
def test_a_report_may_be_of_a_part(
    console: Console, plant: Plant, query: str, asked: tuple[float | None, float | None]
) -> None:
    assert console.ask(f"/api/report{query}").status == 200
    assert plant.ordered == [("report", *asked)]


def test_a_report_of_nonsense_is_refused(console: Console) -> None:
    assert console.ask("/api/report?start_ms=soon").status == 400


def test_instruments_at_fault_are_listed_and_believed_again(console: Console, plant: Plant) -> None:
    def trust(said: dict[str, str]) -> Answer:
        sent = {"Content-Type": "application/json"}
        body = json.dumps(said).encode()
        return console.ask("/api/instruments/trust", method="POST", headers=sent, body=body)

    assert console.ask("/api/instruments").content == {"instruments": []}
    plant.stuck = True

    (row,) = console.ask("/api/instruments").content["instruments"]
    said = {"target": row["tag"], "actor": "Kim", "note": "compared"}

    assert (row["kind"], row["health"], trust(said).status) == ("stuck", 1, 200)
    assert plant.ordered == [("trust", row["tag"], "Kim", "compared")]
    assert trust(said).status == 404
    assert trust({"target": "x"}).status == 400


def test_parts_are_listed_newest_first_and_by_verdict(console: Console) -> None:
    both = console.ask("/api/parts?" + query(asset="press-1")).content["parts"]
    (suspect,) = console.ask("/api/parts?" + query(verdict="suspect")).content["parts"]

    assert [part["number"] for part in both] == ["1187", "1186"]
    assert suspect["deviations"][0]["measure"] == "greatest"
    assert len(console.ask("/api/parts?limit=1").content["parts"]) == 1


@pytest.mark.parametrize(
    ("asked", "status", "why"),
    [
        ("verdict=fine", 400, "one of: good, suspect"),
        ("limit=0", 400, "from 1 to 500"),
        ("limit=many", 400, "must be a number"),
        ("asset=pump-1", 404, "There is no asset that makes parts 'pump-1'."),
    ],
)
def test_parts_that_cannot_be_listed_say_why(
    console: Console, asked: str, status: int, why: str
) -> None:
    answer = console.ask(f"/api/parts?{asked}")
    assert (answer.status, why in answer.content["error"]) == (status, True)


def test_a_long_answer_is_compressed_for_those_who_take_it(console: Console) -> None:
    console.plant.extra_alarms = 300

    plain = console.ask("/api/alarms", headers={"Accept-Encoding": "identity"})
    packed = console.ask("/api/alarms", headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 10
    assert json.loads(gzip.decompress(packed.body)) == plain.content
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


def test_a_short_answer_is_sent_as_it_is(console: Console) -> None:
    assert (
        "content-encoding"
        not in console.ask("/api/alarms", headers={"Accept-Encoding": "gzip"}).headers
    )
