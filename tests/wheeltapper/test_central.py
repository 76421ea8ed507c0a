"""`wheeltapper central init`, against the published contract of InfluxDB 2."""

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.influx.config import InfluxConfig
from tests.connectors.influx.apiv2 import ADMIN, ApiV2
from tests.ports import free_port

pytestmark = pytest.mark.journey
Command = Callable[..., Any]


@pytest.fixture
def api() -> Iterator[ApiV2]:
    with ApiV2() as served:
        yield served


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUX_ADMIN_TOKEN", ADMIN)


@pytest.mark.usefixtures("admin")
def test_what_is_printed_can_be_pasted_into_a_configuration(
    command: Command, api: ApiV2, tmp_path: Path
) -> None:
    ended = command("central", "init", api.url, "--folder", tmp_path / "central")

    assert ended.code == 0, ended.err
    assert "bucket  wheeltapper_1y: made (keeps 1 year)" in ended.out
    pasted = ended.out[ended.out.index("[[sink]]") : ended.out.index("For boards")]
    config = InfluxConfig.model_validate(tomllib.loads(pasted)["sink"][0])
    assert config.token_file == tmp_path / "central" / "write.token"
    assert str(tmp_path / "central" / "read.token") in ended.out


@pytest.mark.usefixtures("admin")
def test_a_second_run_says_that_all_was_there(command: Command, api: ApiV2, tmp_path: Path) -> None:
    command("central", "init", api.url, "--folder", tmp_path)
    ended = command("central", "init", api.url, "--folder", tmp_path, "--json")

    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert {row["done"] for row in rows} == {"was there"}
    assert [row["what"] for row in rows] == ["bucket"] * 4 + ["token"] * 2
    assert rows[-1]["file"] == str(tmp_path / "read.token")


@pytest.mark.usefixtures("admin")
def test_no_token_is_ever_printed(command: Command, api: ApiV2, tmp_path: Path) -> None:
    plain = command("central", "init", api.url, "--folder", tmp_path)
    listed = command("central", "init", api.url, "--folder", tmp_path, "--json")

    tokens = [one["token"] for one in api.authorizations]
    said = plain.out + plain.err + listed.out + listed.err
    assert [token for token in (*tokens, ADMIN) if token in said] == []


def test_the_token_may_come_from_a_file(command: Command, api: ApiV2, tmp_path: Path) -> None:
    file = tmp_path / "admin"
    file.write_text(f"{ADMIN}\n")

    ended = command(
        "central", "init", api.url, "--folder", tmp_path, "--single", "--admin-token-file", file
    )

    assert ended.code == 0
    assert [one["name"] for one in api.buckets] == ["wheeltapper"]
    assert "split = false" in ended.out


def test_without_a_token_it_says_where_to_put_it(
    command: Command, api: ApiV2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFLUX_ADMIN_TOKEN", raising=False)

    ended = command("central", "init", api.url)

    assert ended.code == 2
    assert "never on the command line" in ended.err


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("influx:8086",), "write https://host:8086"),
        (("http://host", "--org", ""), 'org = "plant"'),
        (("http://host", "--ca", "x.pem"), "without TLS"),
        (("https://host", "--ca", "/no/such.pem"), "/no/such.pem cannot be read"),
    ],
)
def test_wrong_words(command: Command, arguments: tuple[str, ...], words: str) -> None:
    ended = command("central", "init", *arguments)

    assert ended.code == 2
    assert words in ended.err


@pytest.mark.usefixtures("admin")
def test_nobody_answers(command: Command, tmp_path: Path) -> None:
    ended = command("central", "init", f"http://127.0.0.1:{free_port()}", "--folder", tmp_path)

    assert ended.code == 3
    assert "does not answer" in ended.err
