"""`gaps` at a running console, at a dead one, and from the journal."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.gaps import gap_body
from gateway.journal import EventRecord, Journal
from gateway.rows import gap_row
from plant.gaps import Gap, GapCause
from wheeltapper.gaps import lost_words

Command = Callable[..., Any]
DAY = 86_400 * 10**9
HOUR = 3600 * 10**9
NOW = int(datetime.now(UTC).timestamp()) * 10**9
OVER = Gap(
    id=1,
    source="plc",
    start=NOW - 3 * DAY,
    stop=NOW - 3 * DAY + 61 * 10**9,
    cause=GapCause.LINK,
    why="refused",
    republished=3,
    history=40,
    lost=7,
    estimated=True,
)
LASTS = Gap(id=2, source="meter", start=NOW - HOUR, cause=GapCause.MISCONFIGURED, why="password")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    journal = Journal.open(tmp_path / "journal.db")
    opened = Gap(id=1, source="plc", start=OVER.start, cause=GapCause.LINK, why="refused")
    for gap in (opened, LASTS, OVER):
        journal.append(EventRecord("gap", gap.start, gap_body(gap)))
    journal.commit_now()
    journal.close()
    return tmp_path


def test_the_journal_is_read_when_nothing_runs_and_the_newest_is_first(
    command: Command, data: Path
) -> None:
    ended = command("gaps", "--data", data)
    assert ended.code == 0
    said = " ".join(ended.out.split())
    assert "2 gaps" in said
    assert "lasts" in said
    assert "1 min 1 s link lost 3 republished, 40 from history ≈ 7" in said
    assert said.endswith("meter: password plc: refused")
    assert said.index("meter") < said.index("plc")


def test_json_is_a_line_a_gap_as_it_stands_last(command: Command, data: Path) -> None:
    ended = command("gaps", "--data", data, "--json")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [(row["id"], row["lost"]) for row in rows] == [(2, None), (1, 7)]
    assert rows[1]["stop"] - rows[1]["start"] == 61_000


@pytest.mark.parametrize(
    ("option", "value", "left"),
    [
        ("--source", "plc", [1]),
        ("--source", "nobody", []),
        ("--since", "2d", [2]),
        ("--since", "4d", [2, 1]),
        ("--since", "2026-01-01", [2, 1]),
    ],
)
def test_rows_are_chosen(
    command: Command, data: Path, option: str, value: str, left: list[int]
) -> None:
    ended = command("gaps", "--data", data, "--json", option, value)
    assert [json.loads(line)["id"] for line in ended.out.splitlines()] == left


@pytest.mark.parametrize("since", ["yesterday", "h", "1e999d", "12 apples"])
def test_a_time_that_is_none_is_refused(command: Command, data: Path, since: str) -> None:
    ended = command("gaps", "--data", data, "--since", since)
    assert ended.code == 2
    assert "write a span as 30m" in " ".join(ended.err.split())


def test_no_gaps_is_said(command: Command, tmp_path: Path) -> None:
    Journal.open(tmp_path / "journal.db").close()
    ended = command("gaps", "--data", tmp_path)
    assert (ended.code, ended.out) == (0, "no gaps\n")


def test_a_folder_without_a_journal_is_refused_and_left_alone(
    command: Command, tmp_path: Path
) -> None:
    ended = command("gaps", "--data", tmp_path)
    assert ended.code == 2
    assert list(tmp_path.iterdir()) == []


def test_somebody_has_to_be_asked(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("gaps").code == 2


def test_the_data_folder_here_is_meant_when_nothing_is_said(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "data").mkdir()
    (data / "journal.db").rename(data / "data" / "journal.db")
    monkeypatch.chdir(data)
    assert "2 gaps" in command("gaps").out


def test_the_configuration_names_its_data_folder(command: Command, data: Path) -> None:
    (data / "tags.csv").write_text("tag,source,address\n", "utf-8")
    (data / "line.toml").write_text(
        'version = 1\ntags = "tags.csv"\n[gateway]\nname = "line"\ndata = "."\n'
        '[[source]]\ntype = "opcua"\nname = "plc"\nurl = "opc.tcp://127.0.0.1:4840"\n'
        'security = "none"\n',
        "utf-8",
    )
    assert "2 gaps" in command("gaps", "--data", data / "line.toml").out


class _Answers(BaseHTTPRequestHandler):
    """Answers one open gap, and keeps what it was asked."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        gap = {"id": 9, "source": "plc", "start": 0.0, "stop": None, "cause": "stopped"}
        counts = {"why": "", "republished": 0, "history": 0, "lost": None, "estimated": False}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"gaps": [{**gap, **counts}]}).encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class _Console(HTTPServer):
    """A console with one gap."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def console() -> Iterator[_Console]:
    with _Console() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_gateway_that_the_data_folder_names_is_asked(
    command: Command, console: _Console, data: Path
) -> None:
    address = {"url": console.url, "pid": 1}
    (data / "gateway.json").write_text(json.dumps(address), encoding="utf-8")
    ended = command("gaps", "--data", data)
    assert console.asked == ["/api/gaps"]
    assert "gateway not running" in " ".join(ended.out.split())


def test_the_journal_of_a_gateway_that_was_killed_is_read(command: Command, data: Path) -> None:
    address = {"url": "http://127.0.0.1:1", "pid": 1}
    (data / "gateway.json").write_text(json.dumps(address), encoding="utf-8")
    assert "2 gaps" in command("gaps", "--data", data).out


def test_a_console_that_does_not_answer(command: Command) -> None:
    ended = command("gaps", "--url", "http://127.0.0.1:1")
    assert ended.code == 3


def test_a_loss_that_nobody_can_reckon_is_not_called_none() -> None:
    never_read = gap_row(replace(OVER, republished=0, history=0, lost=0))
    assert lost_words(never_read) == "not known"
    assert lost_words(gap_row(replace(OVER, lost=0))) == "≈ 0"
    assert lost_words(gap_row(replace(OVER, lost=0, estimated=False))) == "0"
