"""Runs a command as a person would, without the price of a process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
import typer.main

from wheeltapper.__main__ import main


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]
tree = cache(typer.main.get_command)
"""The hundred commands are put together once a process, and not at each call."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs ``wheeltapper`` with arguments."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["wheeltapper", *map(str, arguments)])
        monkeypatch.setattr(typer.main, "get_command", tree)
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        code = left.value.code
        assert isinstance(code, int)
        return Ended(code, said.out, said.err)

    return run
