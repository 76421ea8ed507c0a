"""Alert rules and the other files that Grafana takes at its start."""

import json
import re
import warnings
from typing import Any

import pytest

from dashboards.collection import boards
from dashboards.provision import Store, files, provisioning
from dashboards.queries import datasource
from dashboards.rules import Rule, rules

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.alerting import Rule as Published

ALERTING = json.loads(provisioning()["alerting/wheeltapper.yaml"])
WRITTEN = ALERTING["groups"][0]["rules"]


def test_grafanas_own_models_know_all_of_a_rule() -> None:
    for rule in WRITTEN:
        again = json.loads(JSONEncoder().encode(Published.from_json(rule)))
        assert {key: again[key] for key in rule} == rule


def test_rules_are_told_apart_and_refer_to_boards_that_are_there() -> None:
    uids = [rule["uid"] for rule in WRITTEN]
    assert len(set(uids)) == len(uids) == len(rules())
    known = {one.uid for one in boards()}
    assert {rule["annotations"]["__dashboardUid__"] for rule in WRITTEN} <= known
    for rule in WRITTEN:
        asked, last, beyond = rule["data"]
        assert rule["condition"] == beyond["refId"]
        assert last["model"]["expression"] == asked["refId"]
        assert beyond["model"]["expression"] == last["refId"]


@pytest.mark.parametrize("rule", rules(), ids=lambda one: one.name)
def test_a_rule_asks_the_bucket_of_its_measurement(rule: Rule) -> None:
    asked = set(re.findall(r'FROM "(\w+)"', rule.query))
    assert asked == {rule.measurement}
    assert rule.written("")["data"][0]["datasourceUid"] == datasource(rule.measurement)["uid"]


def test_nothing_in_a_rule_is_taken_for_a_variable_of_the_environment() -> None:
    assert "$" not in provisioning()["alerting/wheeltapper.yaml"]


def sources(store: Store) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(provisioning(store)["datasources/wheeltapper.yaml"])[
        "datasources"
    ]
    return found


@pytest.mark.parametrize(
    ("store", "databases"),
    [
        (Store(), ["wheeltapper", "wheeltapper_1y", "wheeltapper_90d"]),
        (Store(bucket="x", split=False), ["x", "x", "x"]),
        (Store(bucket="plant", split=False, version1=True), ["plant", "plant", "plant"]),
    ],
)
def test_boards_find_their_data_sources(store: Store, databases: list[str]) -> None:
    made = sources(store)
    assert [one["jsonData"]["dbName"] for one in made] == databases
    wanted = set(re.findall(r'"uid": "(wheeltapper(?:-\d+\w)?)"', "".join(files().values())))
    assert {one["uid"] for one in made} == wanted


@pytest.mark.parametrize("store", [Store(), Store(version1=True)])
def test_secrets_come_from_the_environment(store: Store) -> None:
    for one in sources(store):
        assert one["url"] == "$INFLUX_URL"
        assert all(re.search(r"\$INFLUX_\w+$", secret) for secret in one["secureJsonData"].values())
