"""`alarms` at a running console, at a dead one, and from the journal."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.alarms import alarm_body
from gateway.journal import EventRecord, Journal, Limits
from gateway.rows import alarm_row, instrument_row
from plant.alarms import Alarm, AlarmState
from plant.instruments import Doubt, InstrumentFault, doubt_body
from plant.reasons import Contribution, Reason, Trend

PATH = "s/a/l/pump-2"
SIGNAL = f"{PATH}/vibration"
REASON = Reason(9.0, 3.0, (Contribution(SIGNAL, 0.7, 7.1, 2.3, 1.9, 2.7, "mm/s", 0, Trend.RISING),))
ACK = ("--actor", "kim", "--reason", "greased")

Command = Callable[..., Any]


class _Answers(BaseHTTPRequestHandler):
    """Answers as prepared, and keeps what it was asked."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length).decode()
        self.server.asked.append((self.path, self.headers.get("Content-Type"), content))
        status, body = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class _Console(HTTPServer):
    """A console that says what a test wants."""

    answer: tuple[int, bytes] = (200, b"{}")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[tuple[str, str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def say(self, status: int, content: object) -> None:
        self.answer = (status, json.dumps(content).encode())


@pytest.fixture
def console() -> Iterator[_Console]:
    with _Console() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def row(number: int = 1, state: str = "UNACK") -> dict[str, object]:
    shown = alarm_row(alarm(number, AlarmState(state), 3))
    return {**shown, "sentence": "pump-2: vibration 3.1× its normal; 70 %"}


def alarm(number: int, state: AlarmState, changed: int) -> Alarm:
    return Alarm(
        id=number,
        asset=PATH,
        priority=2,
        state=state,
        beneath=state,
        onset=1,
        raised=2,
        changed=changed,
        occurrences=1,
        reason=REASON,
    )


def write_journal(data: Path) -> None:
    data.mkdir()
    journal = Journal.open(data / "journal.db")
    for one in (
        alarm(1, AlarmState.UNACKNOWLEDGED, 3),
        alarm(2, AlarmState.UNACKNOWLEDGED, 4),
        alarm(1, AlarmState.RETURNED, 5),
    ):
        journal.append(EventRecord("alarm", one.changed, alarm_body(one)))
    journal.commit_now()
    journal.close()


def announce(data: Path, url: str) -> None:
    data.mkdir(exist_ok=True)
    (data / "gateway.json").write_text(json.dumps({"url": url, "pid": 1}), encoding="utf-8")


def test_list_asks_the_gateway_that_the_data_folder_names(
    command: Command, console: _Console, tmp_path: Path
) -> None:
    console.say(200, {"alarms": [row()], "instruments": []})
    announce(tmp_path, console.url)
    ended = command("alarms", "list", "--data", tmp_path)
    assert "1 alarm" in ended.out
    assert "pump-2: vibration 3.1× its normal; 70 %" in ended.out
    assert [path for path, *_ in console.asked] == ["/api/alarms", "/api/instruments"]


def test_list_as_json_is_a_line_an_alarm(command: Command, console: _Console) -> None:
    console.say(200, {"alarms": [row(2), row(1)]})
    ended = command("alarms", "list", "--url", console.url, "--json")
    assert [json.loads(line)["id"] for line in ended.out.splitlines()] == [2, 1]


def test_closed_alarms_are_left_out_when_asked(command: Command, console: _Console) -> None:
    console.say(200, {"alarms": [row(2), row(1, "NORM")]})
    ended = command("alarms", "list", "--open", "--url", console.url, "--json")
    assert [json.loads(line)["id"] for line in ended.out.splitlines()] == [2]


def test_an_alarm_of_an_earlier_release_can_be_read(command: Command, tmp_path: Path) -> None:
    body = alarm_body(alarm(1, AlarmState.ACKNOWLEDGED, 3))
    del body["beneath"], body["members"], body["feedback"], body["annunciated"], body["ended"]
    del body["reason"]["precedents"]
    journal = Journal.open(tmp_path / "journal.db")
    journal.append(EventRecord("alarm", 3, body))
    journal.commit_now()
    journal.close()
    ended = command("alarms", "show", 1, "--data", tmp_path, "--json")
    assert json.loads(ended.out)["state"] == "ACKED"


def test_no_alarms_is_said(command: Command, console: _Console) -> None:
    console.say(200, {"alarms": [], "instruments": []})
    assert command("alarms", "list", "--url", console.url).out == "no alarms\n"


STUCK = Doubt(
    signal=f"{PATH}/flow",
    unit="m3/h",
    kind=InstrumentFault.STUCK,
    since=0,
    value=41.87,
    expected=42.0,
    measure=1.0,
)


@pytest.mark.parametrize("name", ["list", "sensors"])
def test_sensors_at_fault_are_listed_with_their_state(
    command: Command, console: _Console, name: str
) -> None:
    console.say(200, {"alarms": [], "instruments": [instrument_row(STUCK, 240 * 10**9)]})
    ended = command("alarms", name, "--url", console.url)
    words = " ".join(ended.out.split())
    assert "1 sensor at fault" in words
    assert "flow of pump-2 is stuck: 41.87 m³/h to the last digit for 4 min" in words
    assert " F " in words


def test_no_sensor_at_fault_is_said(command: Command, console: _Console) -> None:
    console.say(200, {"instruments": []})
    ended = command("alarms", "sensors", "--url", console.url)
    assert ended.out == "no sensor is at fault\n"


def test_sensors_are_read_from_the_journal_when_nothing_runs(
    command: Command, tmp_path: Path
) -> None:
    journal = Journal.open(tmp_path / "journal.db")
    other = replace(STUCK, signal=f"{PATH}/power")
    for doubt, action in ((STUCK, "raise"), (other, "raise"), (other, "clear")):
        body = {**doubt_body(doubt), "asset": PATH, "action": action, "health": 1, "sentence": ""}
        journal.append(EventRecord("instrument", 240 * 10**9, body))
    journal.commit_now()
    journal.close()
    ended = command("alarms", "sensors", "--data", tmp_path, "--json")
    (listed,) = map(json.loads, ended.out.splitlines())
    assert (listed["tag"], listed["kind"]) == (STUCK.signal, "stuck")


def test_trust_sends_who_and_why(command: Command, console: _Console) -> None:
    console.say(200, instrument_row(STUCK, 240 * 10**9))
    ended = command("alarms", "trust", "flow", *ACK, "--url", console.url)
    assert ended.out == f"{PATH}/flow is believed again\n"
    ((path, _, content),) = console.asked
    assert path == "/api/instruments/trust"
    assert json.loads(content) == {"target": "flow", "actor": "kim", "note": "greased"}


def test_list_reads_the_journal_when_nothing_runs(command: Command, tmp_path: Path) -> None:
    write_journal(tmp_path / "data")
    ended = command("alarms", "list", "--data", tmp_path / "data", "--json")
    states = [(one["id"], one["state"]) for one in map(json.loads, ended.out.splitlines())]
    assert states == [(2, "UNACK"), (1, "RTNUN")]


def test_list_reads_the_journal_of_a_gateway_that_was_killed(
    command: Command, console: _Console, tmp_path: Path
) -> None:
    write_journal(tmp_path / "data")
    announce(tmp_path / "data", "http://127.0.0.1:1")
    ended = command("alarms", "list", "--data", tmp_path / "data")
    assert "2 alarms" in ended.out


def test_ack_sends_who_and_why(command: Command, console: _Console) -> None:
    console.say(200, row(state="ACKED"))
    ended = command("alarms", "ack", 1, *ACK, "--url", console.url)
    assert ended.out.startswith("alarm 1 is acknowledged: pump-2")
    ((path, kind, content),) = console.asked
    assert (path, kind) == ("/api/alarms/1/acknowledge", "application/json")
    assert json.loads(content) == {"actor": "kim", "note": "greased"}


@pytest.mark.parametrize(("status", "code"), [(404, 2), (409, 2), (400, 2), (503, 3)])
def test_refusal_of_the_console_is_passed_on(
    command: Command, console: _Console, status: int, code: int
) -> None:
    console.say(status, {"error": "There is no alarm 1."})
    ended = command("alarms", "ack", 1, *ACK, "--url", console.url)
    assert ended.code == code
    assert ended.err.endswith("There is no alarm 1.\n")


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_something_else_that_answers_is_no_gateway(
    command: Command, console: _Console, body: bytes
) -> None:
    console.answer = (200, body)
    ended = command("alarms", "list", "--url", console.url)
    assert (ended.code, ended.err) == (
        3,
        f"{console.url}: what answers there is no gateway\n",
    )


def test_nobody_there(command: Command) -> None:
    ended = command("alarms", "list", "--url", "http://127.0.0.1:1")
    assert ended.code == 3
    assert "no gateway answers there" in ended.err


def test_console_with_tls_is_reached_by_its_folder(command: Command) -> None:
    ended = command("alarms", "list", "--url", "https://127.0.0.1:8443")
    assert (ended.code, "(--data), as the gateway's user" in ended.err) == (2, True)


@pytest.mark.parametrize("url", ["http://192.0.2.1:80", "127.0.0.1", "http://127.0.0.1:x"])
def test_url_that_is_no_local_console(command: Command, url: str) -> None:
    ended = command("alarms", "list", "--url", url)
    assert (ended.code, ended.err) == (
        2,
        f'"{url}" is not a console; it looks like http://127.0.0.1:8080\n',
    )


def test_ack_without_a_gateway(command: Command, tmp_path: Path) -> None:
    ended = command("alarms", "ack", 1, *ACK, "--data", tmp_path)
    assert ended.code == 3
    assert "no gateway runs on this folder" in ended.err


def test_folder_without_a_journal(command: Command, tmp_path: Path) -> None:
    ended = command("alarms", "list", "--data", tmp_path)
    assert ended.code == 2
    assert list(tmp_path.iterdir()) == []


def test_address_that_is_broken(command: Command, tmp_path: Path) -> None:
    (tmp_path / "gateway.json").write_text("{", encoding="utf-8")
    ended = command("alarms", "list", "--data", tmp_path)
    assert (ended.code, ended.err) == (
        2,
        f"{tmp_path}/gateway.json: is not a gateway's address; remove it\n",
    )


def test_file_that_may_not_be_read_is_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    ended = command("alarms", "list", "--data", tmp_path)
    assert (ended.code, ended.err) == (2, f"{tmp_path}/gateway.json: Permission denied\n")


def test_a_gateway_that_runs_and_does_not_answer_is_no_mistake(
    command: Command, tmp_path: Path
) -> None:
    """One that is busy holds its journal: that is no answer, and not another gateway."""
    with closing(Journal.open(tmp_path / "journal.db", Limits())):
        (tmp_path / "gateway.json").write_text('{"url": "http://127.0.0.1:9"}')

        ended = command("alarms", "list", "--data", tmp_path)

    assert ended.code == 3
    assert "no gateway answers there" in ended.err
