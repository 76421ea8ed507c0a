"""The command line itself: quick, and clear about wrong use."""

import resource
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAVY = (
    *("asyncua", "pymodbus", "river", "sklearn", "scipy", "starlette", "pydantic", "numpy"),
    *("tuf", "securesystemslib"),
)
COMMANDS = ("demo", "run", "check", "replay", "alarms", "config")

Command = Callable[..., Any]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_of(*arguments: str) -> float:
    before = _cpu()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return _cpu() - before


def test_help_takes_three_tenths_of_a_second_of_cpu_or_little_more_than_its_libraries() -> None:
    """Machines differ: on a slow one the libraries that draw the help take that long alone."""
    libraries = "import typer.main, typer.rich_utils, rich.markdown"
    alone = min(_cpu_of("-c", libraries) for _ in range(3))
    assert min(_cpu_of("-m", "wheeltapper", "--help") for _ in range(3)) < max(0.3, 2 * alone)


def test_commands_import_nothing_heavy_until_they_run() -> None:
    probe = f"import sys, wheeltapper.app; print(set({HEAVY!r}) & set(sys.modules) or 'none')"
    ended = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, text=True
    )
    assert ended.stdout == "none\n"


def test_version_is_that_of_the_project(command: Command) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    ended = command("--version")
    assert (ended.code, ended.out) == (0, f"wheeltapper {project['project']['version']}\n")


def test_help_names_every_command_and_no_hidden_one(command: Command) -> None:
    said = command("--help").out
    assert [name for name in COMMANDS if name not in said] == []
    assert "simulate " not in said


@pytest.mark.parametrize("name", ["demo", "run", "check", "replay", "alarms list", "config schema"])
def test_every_command_speaks_json(command: Command, name: str) -> None:
    assert "--json" in command(*name.split(), "--help").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["dmeo"],
        ["demo", "--sede", "3"],
        ["demo", "--seed", "-1"],
        ["demo", "--port", "70000"],
        ["run"],
        ["alarms", "ack", "first", "--actor", "a", "--reason", "b", "--data", "x"],
        ["alarms", "ack", "1", "--actor", "a", "--data", "x"],
        ["alarms", "list"],
    ],
)
def test_wrong_use_is_refused_with_code_2(command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert ended.code == 2
    assert "Usage: wheeltapper" in ended.err
