"""`wheeltapper grafana files`: what a Grafana takes at its start, written for one plant."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards.provision import files
from tests.wheeltapper.conftest import Ended

Command = Callable[..., Ended]


def told(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_without_further_words_it_writes_what_is_checked_in(
    command: Command, tmp_path: Path
) -> None:
    ended = command("grafana", "files", tmp_path / "new")
    assert ended.code == 0
    written = {
        path.relative_to(tmp_path / "new").as_posix(): path.read_text(encoding="utf-8")
        for path in (tmp_path / "new").rglob("*.*")
    }
    assert written == files()
    assert len(ended.out.splitlines()) == len(written)


def test_a_second_run_writes_nothing(command: Command, tmp_path: Path) -> None:
    command("grafana", "files", tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    ended = command("grafana", "files", tmp_path, "--json")
    assert {json.loads(line)["done"] for line in ended.out.splitlines()} == {"was there"}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == times


@pytest.mark.parametrize(
    ("words", "databases"),
    [
        (("--bucket", "line1"), ["line1", "line1_1y", "line1_90d"]),
        (("--bucket", "line1", "--single"), ["line1"] * 3),
        (("--bucket", "plant", "--influx1"), ["plant"] * 3),
    ],
)
def test_data_sources_lead_to_the_buckets(
    command: Command, tmp_path: Path, words: tuple[str, ...], databases: list[str]
) -> None:
    command("grafana", "files", tmp_path, *words)
    found = told(tmp_path, "provisioning/datasources/wheeltapper.yaml")["datasources"]
    assert [one["jsonData"]["dbName"] for one in found] == databases
    assert ["user" in one for one in found] == ["--influx1" in words] * 3


def test_links_lead_to_the_console_of_the_plant(command: Command, tmp_path: Path) -> None:
    where = ("--console", "https://console.plant/", "--boards", "/srv/boards")
    command("grafana", "files", tmp_path, *where)
    board = told(tmp_path, "json/01-site.json")
    console = board["templating"]["list"][-1]
    assert (console["name"], console["query"]) == ("console", "https://console.plant")
    (group,) = told(tmp_path, "provisioning/alerting/wheeltapper.yaml")["groups"]
    links = {rule["annotations"]["console"] for rule in group["rules"]}
    assert links == {"https://console.plant/alarms"}
    (provider,) = told(tmp_path, "provisioning/dashboards/wheeltapper.yaml")["providers"]
    assert provider["options"] == {"path": "/srv/boards"}


def test_wrong_words_write_nothing(command: Command, tmp_path: Path) -> None:
    ended = command("grafana", "files", tmp_path / "new", "--console", "here")
    assert ended.code == 2
    assert "--console" in ended.err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = command("grafana", "files", tmp_path / "file")
    assert ended.code == 2
    assert str(tmp_path / "file") in ended.err
