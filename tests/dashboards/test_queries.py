"""Every query of every board, asked of an InfluxDB 1.6 that gateways have filled.

What comes back is held against what the gateway itself said, or against the records as they were
written.
"""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from dashboards.collection import boards, texts
from dashboards.rules import Rule, rules
from plant.assets import Health
from tests.dashboards.conftest import DATABASE, Filled
from tests.dashboards.grafana import ALL, questions, rows, targets
from tests.parts.stores.servers import asked

pytestmark = pytest.mark.journey
BOARDS = {one.name: json.loads(texts()[f"{one.name}.json"]) for one in boards()}
EVERY = [
    pytest.param(name, query, id=f"{name}-{title}")
    for name, board in BOARDS.items()
    for title, query in questions(board)
]
OLD = "mill 1 (old)"
MILL = ("b/works", "line-7", OLD)
RULES = {one.name: one for one in rules()}
CHOICE: dict[str, Any] = {"site": ALL, "line": ALL, "asset": "pump-2", "alarm": "1", "gateway": ALL}


def query_of(name: str, title: str, place: int = 0) -> str:
    found: list[str] = [
        one["query"] for panel, one in targets(BOARDS[name]) if panel.startswith(title)
    ]
    return found[place]


def answer(filled: Filled, query: str, **chosen: Any) -> list[dict[str, Any]]:
    return filled.ask(filled.viewer(**{**CHOICE, "signal": ALL, **chosen}).asks(query))


def shown(filled: Filled, name: str, title: str, place: int = 0, **chosen: Any) -> Any:
    return answer(filled, query_of(name, title, place), **chosen)


def variable(name: str, wanted: str) -> str:
    listed = BOARDS[name]["templating"]["list"]
    return next(str(one["query"]) for one in listed if one["name"] == wanted)


def unjudged(filled: Filled) -> int:
    return sum(body["ne107"] == Health.CANNOT_JUDGE for body in filled.standing.values())


def only(found: Sequence[dict[str, Any]], **which: Any) -> dict[str, Any]:
    fitting = [one for one in found if which.items() <= one.items()]
    assert len(fitting) == 1, found
    return fitting[0]


@pytest.mark.parametrize(("name", "query"), EVERY)
def test_no_query_is_always_empty(filled: Filled, name: str, query: str) -> None:
    assert answer(filled, query) or answer(filled, query, asset=OLD)


@pytest.mark.parametrize(("name", "query"), EVERY)
def test_a_query_stays_one_where_nothing_is_chosen(filled: Filled, name: str, query: str) -> None:
    answer(filled, query, site="", line="", asset="", alarm="", gateway="", signal="")


@pytest.mark.parametrize(
    ("wanted", "chosen", "found"),
    [
        ("site", {}, {"demo", "b/works"}),
        ("line", {}, {"line-1", "line-7", "line-9"}),
        ("line", {"site": ["demo"]}, {"line-1"}),
        ("line", {"site": ["b/works", "demo"]}, {"line-1", "line-7"}),
        ("asset", {"site": ["b/works"], "line": ["line-7"]}, {OLD}),
        ("asset", {"line": ["line-9"]}, {"pump-9"}),
    ],
)
def test_variables_are_chained(
    filled: Filled, wanted: str, chosen: dict[str, Any], found: set[str]
) -> None:
    listed = answer(filled, variable("03-asset", wanted), **chosen)
    assert {one["value"] for one in listed} == found


def test_the_overview_counts_what_stands(filled: Filled) -> None:
    counts = {
        title: shown(filled, "01-site", title)[0]
        for title in ("Alarms", "Not acknowledged", "For more than 10 min", "Cannot be judged")
    }
    assert {title: list(row.values())[1] for title, row in counts.items()} == {
        "Alarms": 2,
        "Not acknowledged": 1,
        "For more than 10 min": 1,
        "Cannot be judged": 1 + unjudged(filled),
    }


def test_the_overview_has_a_row_for_each_line(filled: Filled) -> None:
    lines = shown(filled, "01-site", "Lines")
    told = ("site", "urgency", "open", "waiting", "overdue", "unjudged", "assets")
    assert {one["line"]: tuple(one[name] for name in told) for one in lines} == {
        "line-1": ("demo", 5 - filled.alarm["priority"], 1, 0, 0, unjudged(filled), 3),
        "line-7": ("b/works", 2, 1, 1, 1, 1, 1),
        "line-9": ("", 0, 0, 0, 0, 0, 1),
    }


def test_an_alarm_of_now_is_what_the_gateway_told(filled: Filled) -> None:
    alarm = filled.alarm
    row = only(shown(filled, "02-line", "Alarms of now"), asset="pump-2")
    assert (row["site"], row["line"]) == ("demo", "line-1")
    assert (row["alarm"], row["priority"], row["alarm_state"]) == (
        alarm["id"],
        alarm["priority"],
        2,
    )
    assert row["reason"] == alarm["sentence"]


def test_what_is_kept_quiet_stands_in_the_list_of_alarms_only(filled: Filled) -> None:
    told = {one["asset"] for one in shown(filled, "02-line", "Alarms of now")}
    kept = {one["asset"]: one["alarm_state"] for one in shown(filled, "04-alarms", "Alarms of now")}
    assert told == {"pump-2", OLD}
    assert kept == {"pump-2": 2, OLD: 3, "pump-9": 4}


def test_every_change_names_who_and_why(filled: Filled) -> None:
    changes = shown(filled, "02-line", "Every change", line=["line-7"])
    assert [(one["alarm"], one["state"], one["priority"]) for one in changes] == [
        (4, 0, "4"),
        (2, 3, "3"),
        (2, 1, "3"),
        (2, 1, "3"),
        (1, 0, "1"),
        (1, 2, "1"),
        (1, 1, "1"),
    ]
    assert (changes[5]["actor"], changes[5]["note"]) == ("Ay", "looked")
    assert changes[4]["feedback"] == "false"
    ours = shown(filled, "02-line", "Every change", line=["line-1"])
    assert (ours[0]["actor"], ours[0]["note"], ours[0]["feedback"]) == (
        "Meier",
        "bearing looked at",
        "real",
    )


def test_annotations_are_the_changes_of_the_asset(filled: Filled) -> None:
    (marks,) = BOARDS["03-asset"]["annotations"]["list"]
    found = answer(filled, marks["target"]["query"], asset=OLD)
    assert sorted((one["state_name"], one["priority"]) for one in found) == [
        ("ACKED", "1"),
        ("NORM", "1"),
        ("NORM", "4"),
        ("RTNUN", "3"),
        ("UNACK", "1"),
        ("UNACK", "3"),
        ("UNACK", "3"),
    ]
    assert {one["text"] for one in found} == {"mill 1 (old): torque 5× its normal; 90 %"}


def test_the_asset_says_why(filled: Filled) -> None:
    alarm = filled.alarm
    (row,) = shown(filled, "03-asset", "Why")
    assert (row["alarm"], row["text"], row["state"]) == (alarm["id"], alarm["sentence"], 2)
    ranked = shown(filled, "03-asset", "Contributors")
    assert [one["rank"] for one in ranked] == ["1", "2", "3", "4", "5"]
    wanted = alarm["contributions"][:5]
    told, empty = ranked[: len(wanted)], ranked[len(wanted) :]
    assert [(one["signal"], one["share"]) for one in empty] == [("", 0.0)] * len(empty)
    for name in ("signal", "unit"):
        assert [one[name] for one in told] == [part[name] for part in wanted]
    for name in ("share", "actual", "expected", "low", "high"):
        assert [one[name] for one in told] == pytest.approx([part[name] for part in wanted])
    assert [one["since_ms"] for one in told] == [part["since"] for part in wanted]


def test_the_last_similar_one_is_told(filled: Filled) -> None:
    (row,) = shown(filled, "03-asset", "Why", asset=OLD, alarm="2")
    assert row["similar"] == "#3: real, greased, Ay"


def test_ranks_of_an_earlier_reason_are_gone(filled: Filled) -> None:
    ranked = shown(filled, "03-asset", "Contributors", asset=OLD, alarm="2")
    assert [(one["signal"], one["share"]) for one in ranked] == [("torque", 0.9)] + 4 * [("", 0.0)]


def test_the_raw_window_of_a_contributor_is_there_at_full_rate(filled: Filled) -> None:
    first = shown(filled, "03-asset", "Contributors")[0]
    query = query_of("03-asset", "Raw samples")
    window = filled.viewer(**CHOICE, signal=first["signal"])
    start, stop = first["from_ms"], first["to_ms"]
    found = filled.ask(type(window)(window.chosen, start, stop).asks(query))
    seconds = (stop - start) / 1000
    assert len(found) == pytest.approx(seconds, rel=0.02)
    assert all(start <= one["time"] / 1e6 <= stop for one in found)
    assert max(later["time"] - one["time"] for one, later in pairwise(found)) <= 2e9
    # the fault shows in what is drawn: from the healthy band to what the alarm was raised with
    healthy = [one["v"] for one in found if one["time"] / 1e6 < first["since_ms"]]
    assert sum(first["low"] <= value <= first["high"] for value in healthy) > 60
    assert max(one["v"] for one in found) >= first["actual"] > first["high"]


def test_score_and_limit_are_those_of_the_store(filled: Filled) -> None:
    drawn = shown(filled, "03-asset", "Score and limit")
    written = rows(
        asked(
            filled.store.url,
            DATABASE,
            'SELECT max("score") AS "score", max("threshold") AS "limit" FROM "score" '
            "WHERE \"asset\" = 'pump-2'",
        )
    )
    assert max(one["score"] for one in drawn) == written[0]["score"]
    assert max(one["score"] / one["limit"] for one in drawn) > 1
    (ratio,) = shown(filled, "03-asset", "Score over limit")
    assert ratio["ratio"] > 1


def test_a_band_is_what_the_gateway_holds_for_normal(filled: Filled) -> None:
    told = filled.events("normal")[-1]
    name = {"asset": told["asset"].rpartition("/")[2], "signal": told["signals"][0].split("/")[-1]}
    values = shown(filled, "03-asset", "$signal", 0, **name)
    assert all(one["least"] <= one["mean"] <= one["greatest"] for one in values)
    assert values
    band = shown(filled, "03-asset", "$signal", 1, **name)[-1]
    assert (band["normal from"], band["normal to"]) == (told["low"][0], told["high"][0])


def test_the_budget_stands_beside_what_was_realised(filled: Filled) -> None:
    (row,) = shown(filled, "03-asset", "False alarms")
    told = filled.events("rate", asset=filled.alarm["asset"])
    row.pop("time")
    assert row in [{key: body[key] for key in row} for body in told]
    # Judged for some of the time since it has learnt, by an exact interval of what was counted.
    assert row["budget"] == 1.0
    assert 400 < row["judged_weeks"] * 7 * 24 * 3600 < 1700
    assert row["realised_high"] > row["realised"] >= row["realised_low"] >= 0
    assert row["realised"] == pytest.approx(row["not_real"] / row["judged_weeks"], rel=0.01)
    every = shown(filled, "06-models", "False alarms")
    assert {one["asset"] for one in every} == {"pump-1", "pump-2", "press-1"}


def test_drift_is_told_of_every_signal(filled: Filled) -> None:
    found = shown(filled, "03-asset", "Drift")
    listed = answer(filled, variable("03-asset", "signal"))
    signals = {one["value"] for one in listed} - {"mode", "seal_flush"}
    assert {one["signal"] for one in found} == signals
    assert all(one["low"] < one["expected"] < one["high"] for one in found)


def test_states_over_time_are_those_of_the_assets(filled: Filled) -> None:
    found = shown(filled, "02-line", "State of each", line=["line-1"])
    wanted = {asset: body["ne107"] for asset, body in filled.standing.items()}
    assert {one["asset"]: one["ne107"] for one in found} == wanted
    (now,) = shown(filled, "03-asset", "State (NE")
    assert now["ne107"] == wanted["pump-2"] == Health.OFF_SPEC


def test_strangeness_is_above_its_limit_where_the_fault_is(filled: Filled) -> None:
    found = shown(filled, "02-line", "Strangeness", line=["line-1"])
    most: dict[str, float] = {}
    for one in found:
        most[one["asset"]] = max(most.get(one["asset"], 0.0), one["ratio"])
    assert {asset for asset, ratio in most.items() if ratio > 1} == {"pump-2"}


def test_an_alarm_that_is_told_anew_counts_once(filled: Filled) -> None:
    """Three were annunciated at the mill: one twice, for it came back after it had been told."""
    (every,) = shown(filled, "04-alarms", "Alarms told")
    assert every["alarms"] == 5
    actors = shown(filled, "04-alarms", "Bad actors")
    assert {one["asset"]: one["alarms"] for one in actors} == {OLD: 3, "pump-2": 1, "pump-9": 1}
    priorities = shown(filled, "04-alarms", "By priority")
    found = {int(one["priority"]): one["alarms"] for one in priorities}
    events = filled.events("alarm", state="UNACK")
    assert found == Counter([1, 3, 3, 4, *{body["priority"] for body in events}])
    load = shown(filled, "04-alarms", "Alarms in ten minutes")
    assert sum(one["alarms"] for one in load) == 5


@pytest.mark.parametrize(("title", "count"), [("Standing for long", 1), ("Chattering", 1)])
def test_what_stands_and_what_chatters(filled: Filled, title: str, count: int) -> None:
    assert shown(filled, "04-alarms", title)[0]["alarms"] == count


def test_the_gateways_tell_of_themselves(filled: Filled) -> None:
    assert shown(filled, "05-gateway", "Gateways heard")[0]["gateways"] == 2
    found = shown(filled, "05-gateway", "Gateways", 1)
    other = only(found, gateway="edge-2")
    assert (other["bad_quality_ratio"], other["unsent_s"], other["certificate_days"]) == (
        0.5,
        1000.0,
        12.5,
    )
    ours = only(found, gateway="demo")
    assert ours["bad_quality_ratio"] == 0
    assert ours["certificate_days"] is None, "it reads without security"
    assert 0 < ours["cpu_ratio"] < 4
    assert ours["rss_mb"] > 30


def test_a_gap_says_what_became_of_it(filled: Filled) -> None:
    row = only(shown(filled, "05-gateway", "Gaps"), source="plc")
    now = filled.elsewhere.now
    assert (row["cause"], row["why"], row["recovered"], row["lost"]) == ("link", "no route", 5, 7)
    assert row["from"] == pytest.approx(now / 1e6 - 720_000)
    assert row["to"] == pytest.approx(now / 1e6 - 600_000)


def test_of_a_sensor_the_last_word_counts(filled: Filled) -> None:
    (row,) = shown(filled, "05-gateway", "Sensors")
    assert (row["asset"], row["signal"], row["action"]) == (OLD, "torque", "clear")
    assert row["text"] == "torque stands still"


def test_the_least_good_signals(filled: Filled) -> None:
    found = shown(filled, "05-gateway", "Signals with")
    assert len(found) >= 30
    assert all(0 <= one["good"] <= 1 for one in found)


def test_what_people_said_is_counted_once_an_alarm(filled: Filled) -> None:
    counted = {
        title: shown(filled, "06-models", title)
        for title in ("Called real", "Called false", "Called expected")
    }
    assert {title: [one["alarms"] for one in found] for title, found in counted.items()} == {
        "Called real": [1],
        "Called false": [1],
        "Called expected": [1],
    }
    said = shown(filled, "06-models", "What people said")
    assert {(one["alarm"], one["asset"], one["feedback"]) for one in said} == {
        (1, "pump-2", "real"),
        (1, OLD, "false"),
        (4, OLD, "expected"),
    }


def test_how_far_assets_are_watched(filled: Filled) -> None:
    found = shown(filled, "06-models", "How far each", line=["line-1"])
    wanted = {asset: body["machine"] for asset, body in filled.standing.items()}
    assert {one["asset"]: one["machine"] for one in found} == wanted


# Alert rules.


def fires(rule: Rule, value: float) -> bool:
    """What Grafana's threshold does with the last value of a series."""
    return value < rule.limit if rule.below else value > rule.limit


def fired(filled: Filled, rule: Rule) -> set[tuple[str, ...]]:
    """Which series of a rule are beyond its limit now."""
    last = {
        tuple(one.get(tag, "") for tag in ("site", "line", "asset", "gateway")): value
        for one in filled.ask(rule.query)
        for name, value in one.items()
        if name not in ("time", "site", "area", "line", "asset", "gateway") and value is not None
    }
    return {tuple(filter(None, place)) for place, value in last.items() if fires(rule, value)}


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("waiting", {MILL}),
        ("unsent", {("edge-2",)}),
        ("quality", {("edge-2",)}),
        ("certificate", {("edge-2",)}),
    ],
)
def test_a_rule_fires_where_it_should(
    filled: Filled, name: str, places: set[tuple[str, ...]]
) -> None:
    assert fired(filled, RULES[name]) == places


def test_what_cannot_be_judged_fires(filled: Filled) -> None:
    assert len(fired(filled, RULES["unjudged"])) == 1 + unjudged(filled)


def test_the_urgent_alarm_is_that_of_the_gateway(filled: Filled) -> None:
    pump = {("demo", "line-1", "pump-2")} if filled.alarm["priority"] <= 2 else set()
    assert fired(filled, RULES["urgent"]) == pump


def test_a_gateway_that_stops_talking_is_missed(filled: Filled) -> None:
    rule = RULES["silent"]
    heard = {one["gateway"]: one["heard"] for one in filled.ask(rule.query)}
    assert heard.keys() == {"demo", "edge-2"}
    # An hour later, by the store's own clock: the same question, asked of a time ahead.
    later = rule.query.replace("time > now() - 1d", "time > now() - 1d AND time < now() + 1h")
    last = {one["gateway"]: one["heard"] for one in filled.ask(later)}
    assert last == {"demo": 0, "edge-2": 0}
    assert all(fires(rule, value) for value in last.values())
