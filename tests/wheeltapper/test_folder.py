"""The data folder is tried before anything starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plant.errors import Misconfigured
from wheeltapper.folder import usable

Command = Callable[..., Any]

PLAN = """\
version = 1
[gateway]
name = "g"
data = "taken/data"
[[source]]
type = "modbus"
name = "m"
host = "127.0.0.1"
[[tag]]
tag = "s/a/l/m/x"
source = "m"
address = "unit 1, holding 0, float32"
"""


def test_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    assert list(usable(tmp_path / "new" / "data").iterdir()) == []


@pytest.mark.parametrize("below", [".", "data"])
def test_folder_that_cannot_be_made_is_told_with_its_name(tmp_path: Path, below: str) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    with pytest.raises(Misconfigured, match=f"^{taken / below}: "):
        usable(taken / below)


def test_demo_is_refused_before_its_line_starts(command: Command, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    ended = command("demo", "--headless", "--json", "--data", taken)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"{taken}: is a file; name a folder for the data\n"


def test_run_is_refused_before_it_listens(command: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    (tmp_path / "plan.toml").write_text(PLAN, encoding="utf-8")
    ended = command("run", tmp_path / "plan.toml")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{tmp_path}/taken/data: the data cannot be kept")
