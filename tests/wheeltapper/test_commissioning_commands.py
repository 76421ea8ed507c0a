"""`init`, `discover` and `browse` as a new user types them, right and wrong."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.config.loader import load
from tests.plant2000 import Plant2000
from tests.ports import free_port

Command = Callable[..., Any]
Served = Callable[..., Plant2000]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--opcua", "opc.tcp://plc:4840/UA"),
        ("--opcua", "opc.tcp://plc", "--security", "none"),
        ("--modbus", "10.0.0.6"),
        ("--opcua", "opc.tcp://a", "--opcua", "opc.tcp://b", "--modbus", "meter:1502"),
    ],
)
def test_what_init_writes_is_right(command: Command, options: tuple[str, ...]) -> None:
    ended = command("init", "line1", *options)
    assert ended.code == 0
    assert "wheeltapper doctor line1.toml" in ended.out
    assert command("check", "line1.toml").code == 0
    assert load(Path("line1.toml")).tags == ()


def test_init_writes_over_nothing(command: Command) -> None:
    command("init", "line1")
    Path("tags.csv").write_text("tag,source,address\na/b,plc,nsu=urn:x;b\n")
    before = Path("line1.toml").read_text()
    refused = command("init", "line1.toml", "--modbus", "10.0.0.6")
    assert (refused.code, Path("line1.toml").read_text()) == (2, before)
    assert "--force" in refused.err
    assert command("init", "line1", "--modbus", "10.0.0.6", "--force").code == 0
    assert "a/b" in Path("tags.csv").read_text()


def test_a_second_line_gets_a_sheet_and_data_of_its_own(command: Command) -> None:
    command("init", "line1")
    made = json.loads(command("init", "line2", "--json").out)
    assert made["tags"] == "line2-tags.csv"
    assert load(Path("line2.toml")).data == Path("line2-data")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("a b",), "is no name"),
        (("x", "--opcua", "http://plc"), "is no OPC UA address"),
        (("x", "--modbus", "10.0.0.6:99999"), "is no device"),
        (("x", "--security", "None"), 'did you mean "none"?'),
        (("nowhere/x",), "cannot be written"),
    ],
)
def test_init_refuses_what_could_not_work(
    command: Command, options: tuple[str, ...], words: str
) -> None:
    ended = command("init", *options)
    assert ended.code == 2
    assert words in ended.err
    assert not list(Path.cwd().glob("*"))


def test_a_sheet_that_is_still_empty_is_checked_and_not_run(command: Command) -> None:
    command("init", "line1")
    assert "no tags yet" in command("check", "line1.toml").out
    refused = command("run", "line1.toml")
    assert refused.code == 2
    assert "wheeltapper browse line1.toml" in refused.err


@pytest.mark.journey
def test_discover_counts_what_looks_like_a_process_value(
    command: Command, plant2000: Served
) -> None:
    ended = command("discover", plant2000().url, "--security", "none", "--json")
    row = json.loads(ended.out)
    assert (ended.code, row["variables"], row["application"]) == (0, 2_000, "urn:plant:2000")
    assert row["namespaces"][-1] == "urn:plant:two-thousand"
    assert 1_100 <= row["likely"] <= 1_600
    assert row["next"][0].endswith("--security none")


@pytest.mark.journey
def test_discover_without_a_word_on_security_opens_no_session(
    command: Command, plant2000: Served
) -> None:
    ended = command("discover", plant2000().url)
    assert ended.code == 0
    assert "variables" not in ended.out
    assert "--trust pki" in ended.out


class Silent(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        pass


@pytest.fixture
def web_server() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.journey
def test_discover_names_a_web_server(command: Command, web_server: int) -> None:
    ended = command("discover", f"opc.tcp://127.0.0.1:{web_server}")
    assert ended.code == 3
    assert "a web server answers there" in ended.err


@pytest.mark.parametrize(
    ("url", "code"),
    [("plc:4840", 2), (f"opc.tcp://127.0.0.1:{free_port()}", 3)],
    ids=["no scheme", "nobody"],
)
def test_discover_says_what_is_wrong_with_an_address(command: Command, url: str, code: int) -> None:
    assert command("discover", url).code == code


@pytest.mark.journey
def test_browse_grows_a_sheet_and_names_what_is_gone(command: Command, plant2000: Served) -> None:
    space = "nsu=urn:plant:two-thousand"
    mine = f"Mine/flow,plc,{space};s=L1.M1.Flow,l/h\n"
    old = f"Line1/Machine1/Old,plc,{space};Line1/Machine1/Old,\n"
    Path("tags.csv").write_text(f"tag,source,address,unit\n{mine}{old}")
    browsing = ("browse", plant2000().url, "--security", "none", "--match", "Line1/Machine1/*")
    ended = command(*browsing, "--write", "tags.csv", "--json")
    row = json.loads(ended.out)
    assert (ended.code, row["new"], row["kept"]) == (0, 20, 1)
    assert row["gone"] == ["Line1/Machine1/Old"]
    assert row["columns_missing"] == ["type", "role", "low", "high", "description"]
    text = Path("tags.csv").read_text("utf-8-sig")
    assert mine in text
    assert old in text
    again = json.loads(command(*browsing, "--write", "tags.csv", "--json").out)
    assert (again["new"], again["kept"]) == (0, 21)


@pytest.mark.journey
def test_browse_prints_nothing_that_moves_a_cursor(command: Command, plant2000: Served) -> None:
    ended = command("browse", plant2000().url, "--security", "none", "--match", "Odd/*")
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "\u202e" not in ended.out
    assert r"Odd/Line\nbreak" in ended.out
    assert "[bold red]markup" in ended.out


@pytest.mark.journey
def test_browse_gives_json_lines(command: Command, plant2000: Served) -> None:
    ended = command(
        "browse", plant2000().url, "--security", "none", "--match", "*/*/Flow", "--json"
    )
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert len(rows) == 100
    assert {row["unit"] for row in rows} == {"m3/h"}


@pytest.mark.journey
def test_a_pattern_that_fits_nothing_says_what_there_is(
    command: Command, plant2000: Served
) -> None:
    ended = command("browse", plant2000().url, "--security", "none", "--match", "Lime1/*")
    assert ended.code == 1
    assert "Line1, Line2" in ended.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("opc.tcp://127.0.0.1:4840",), "say how to connect"),
        (("nothere.toml",), "cannot be read"),
        (("line1.toml", "--trust", "pki"), "go with an address only"),
        (("line1.toml", "--source", "plk"), 'did you mean "plc"?'),
        (("line1.toml", "--match", "a//b"), "--match"),
        (("opc.tcp://x", "--security", "none", "--user", "me"), "user"),
    ],
)
def test_browse_refuses_what_could_not_work(
    command: Command, options: tuple[str, ...], words: str
) -> None:
    command("init", "line1")
    ended = command("browse", *options)
    assert ended.code == 2
    assert words in ended.err
