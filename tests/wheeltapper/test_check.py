"""`check`, `run` and `config schema` against right and wrong configurations."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.config.loader import load
from plant.findings import Verdict
from wheeltapper import examination

CASES = Path(__file__).parents[1] / "cases" / "config"

Command = Callable[..., Any]


@pytest.fixture
def in_case(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that works in the folder of a golden case."""

    def enter(story: str) -> None:
        monkeypatch.chdir(CASES / story)

    return enter


def test_check_shows_sources_tags_and_assets_uncut(
    command: Command, in_case: Callable[[str], None]
) -> None:
    in_case("whole_line")
    ended = command("check", "config.toml")
    assert ended.code == 0
    for part in ("2 sources", "4 tags", "2 assets", "nsu=urn:plant:line;Line1/Pump1/Flow"):
        assert part in ended.out


def test_check_gives_the_plan_as_one_json_line(
    command: Command, in_case: Callable[[str], None]
) -> None:
    in_case("whole_line")
    answer = json.loads(command("check", "config.toml", "--json").out)
    (disk,) = answer.pop("disks")
    assert disk.keys() == {"full", "present", "free", "short"}
    assert answer == {"ok": True, "plan": json.loads(Path("expected.json").read_text("utf-8"))}


def test_check_and_doctor_warn_when_what_is_kept_will_not_fit(
    command: Command, in_case: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_case("whole_line")
    usage = SimpleNamespace(total=0, used=0, free=8 * 10**9)
    monkeypatch.setattr("gateway.footprint.shutil", SimpleNamespace(disk_usage=lambda _: usage))
    ended = command("check", "config.toml")
    assert ended.code == 0
    said = " ".join(ended.out.split())
    assert "disk: journal up to 20 GB, history of 4 tags (10 s for 7 days" in said
    assert "WARNING: it will not fit: 12 GB will be missing: lower max_gb of [journal]" in said
    (found,) = examination._disks(load(Path("config.toml")))
    assert (found.check, found.verdict) == ("disk", Verdict.NOTE)
    assert found.mend.startswith("12 GB will be missing")


def test_check_gives_the_problems_as_json(command: Command, in_case: Callable[[str], None]) -> None:
    in_case("unknown_key")
    ended = command("check", "config.toml", "--json")
    problems = Path("error.txt").read_text("utf-8").splitlines()
    assert json.loads(ended.out) == {"ok": False, "problems": problems}
    assert (ended.code, ended.err) == (2, "")


@pytest.mark.parametrize("name", ["check", "run"])
def test_mistakes_go_to_stderr_and_nothing_starts_half(
    command: Command, in_case: Callable[[str], None], name: str
) -> None:
    in_case("many_mistakes_at_once")
    before = sorted(Path.cwd().iterdir())
    ended = command(name, "config.toml")
    assert ended.err == Path("error.txt").read_text("utf-8")
    assert (ended.code, ended.out) == (2, "")
    assert sorted(Path.cwd().iterdir()) == before


def test_configuration_that_is_not_there(command: Command, tmp_path: Path) -> None:
    ended = command("run", tmp_path / "none.toml")
    assert (ended.code, ended.err) == (
        2,
        f"{tmp_path}/none.toml: cannot be read: No such file or directory\n",
    )


def test_schema_is_json_on_many_lines_or_on_one(command: Command) -> None:
    wide, narrow = command("config", "schema").out, command("config", "schema", "--json").out
    assert json.loads(wide) == json.loads(narrow)
    assert narrow.count("\n") == 1
