"""What people and programs are told while a gateway runs."""

import json
from typing import Any

import pytest

from wheeltapper.story import Recorded, Spoken

URL = "http://127.0.0.1:8080"
CAST = {"title": "simulated line", "assets": 3, "signals": 42, "opcua": 4840, "modbus": 5020}
ALARM = {"changed": 0.0, "raised": 0.0, "state": "UNACK", "sentence": "pump-2: flow falling; 90 %"}
QUIET = {**ALARM, "held": "like #3, called expected"}
HOLD = {
    "asset": "l/pump-2",
    "kind": "out-of-service",
    "until": None,
    "actor": "kim",
    "note": "belt is off",
}
SENSOR = {
    "at": 0.0,
    "action": "raise",
    "signal": "l/pump-2/flow",
    "sentence": "flow of pump-2 is stuck: 4 m³/h",
}
FAULT = {"kind": "bearing_wear", "asset": "l/pump-2", "onset": 0.0}


@pytest.mark.parametrize(
    ("kind", "row", "said"),
    [
        ("ready", {"url": URL, **CAST, "history_s": 0}, f"page  {URL}"),
        (
            "ready",
            {"url": URL, **CAST, "history_s": 14400},
            "simulated line: 3 assets, 42 signals (OPC UA :4840 + Modbus :5020)",
        ),
        ("ready", {"url": URL, **CAST, "history_s": 14400}, "4 simulated hours go"),
        (
            "uplink",
            {"sink": "central", "state": "misconfigured", "why": "no bucket plant; make it"},
            "history central has to be set right: no bucket plant; make it",
        ),
        ("uplink", {"sink": "central", "state": "up", "why": ""}, "takes what it is sent again"),
        ("ready", {"url": URL, **CAST, "history_s": 3600}, "1 simulated hour goes"),
        ("ready", {"url": URL, **CAST, "modbus": None, "history_s": 0}, "(OPC UA :4840)"),
        ("console", {"url": "http://127.0.0.1:8083"}, "port 8080 is in use"),
        ("live", {}, "live"),
        ("first_value", {"source": "a", "tag": "b", "value": 1.25}, "b = 1.25"),
        ("source", {"name": "plc", "state": "down", "why": "down: refused"}, "plc is down"),
        ("alarm", ALARM, "ALARM: pump-2: flow falling"),
        ("quiet", {**QUIET, "state": "SHLVD"}, "kept quiet, shelved\n  pump-2: flow falling"),
        ("quiet", {**QUIET, "state": "FSUPR"}, "kept quiet, held back (like #3, called expected)"),
        ("hold", HOLD, "l/pump-2 is out of service, by kim: belt is off"),
        ("hold", {**HOLD, "until": 0.0}, "l/pump-2 is out of service until 1970-01-01"),
        ("release", HOLD, "l/pump-2 is no longer out of service, by kim: belt is off"),
        ("hold-ended", HOLD, "l/pump-2 is no longer out of service: time is over"),
        ("instrument", SENSOR, "SENSOR: flow of pump-2 is stuck: 4 m³/h"),
        ("instrument", {**SENSOR, "action": "clear"}, "l/pump-2/flow is believed again"),
        ("trust", {**HOLD, "tag": "l/p/flow"}, "l/p/flow is right, says kim: belt is off"),
        ("verdict", {**ALARM, "injected": FAULT}, "injected: bearing wear at l/pump-2"),
        ("silence", {"injected": None}, "injected nothing"),
        ("relearn", {"asset": "l/pump-2"}, "l/pump-2 learns again"),
        ("damaged", {"position": 7, "why": "checksum"}, "damaged at 7: checksum"),
    ],
)
def test_sentence_for_people(
    capsys: pytest.CaptureFixture[str], kind: str, row: dict[str, Any], said: str
) -> None:
    Spoken(8080).tell(kind, row)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("source", {"name": "plc", "state": "up", "why": "up"}),
        ("prelude", {"source": "plc", "samples": 5}),
        ("end", {}),
        ("something new", {}),
    ],
)
def test_people_are_spared(
    capsys: pytest.CaptureFixture[str], kind: str, row: dict[str, Any]
) -> None:
    Spoken(8080).tell(kind, row)
    assert capsys.readouterr().out == ""


def test_people_hear_once_that_a_lost_source_is_back(capsys: pytest.CaptureFixture[str]) -> None:
    spoken = Spoken(8080)
    for state in ("up", "down", "up", "up"):
        spoken.tell("source", {"name": "plc", "state": state, "why": state})
    assert capsys.readouterr().out == "plc is down\nplc is up again\n"


def test_programs_get_a_line_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    recorded = Recorded()
    for kind in ("console", "prelude", "verdict", "end"):
        recorded.tell(kind, {"samples": 1})
    stages = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert stages == [{"stage": "console", "samples": 1}, {"stage": "alarm", "samples": 1}]
