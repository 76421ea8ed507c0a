"""`wheeltapper health`: an answer is enough, `--strict` wants a good one."""

import json
from email.message import Message
from pathlib import Path

import pytest

from tests.served import Reply, Served
from tests.wheeltapper.conftest import Command

WELL = {"status": "ok", "journal": "", "sources": {}, "overdue": {}, "losing": {}, "unsent": {}}
ILL = {**WELL, "status": "degraded", "journal": "disk full", "sources": {"plc": "no answer"}}


class Answering(Served):
    """A console that says how it is."""

    def __init__(self, told: dict[str, object]) -> None:
        self.below, self.asked, self._told = "", [], {**told, "benched": {}}

    def reply(self, method: str, path: str, headers: Message, raw: bytes) -> Reply:
        self.asked.append((method, path))
        return 200, json.dumps(self._told).encode(), {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("told", "words", "code", "said"),
    [
        (WELL, (), 0, "ok\n"),
        (WELL, ("--strict",), 0, "ok\n"),
        (ILL, (), 0, "degraded\n  journal: disk full\n  sources: plc: no answer\n"),
        (ILL, ("--strict",), 1, "degraded\n  journal: disk full\n  sources: plc: no answer\n"),
    ],
)
def test_it_says_how_the_gateway_is(
    command: Command,
    tmp_path: Path,
    told: dict[str, object],
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    with Answering(told) as console:
        (tmp_path / "gateway.json").write_text(json.dumps({"url": console.url}))
        ended = command("health", "--data", tmp_path, *words)
    assert (ended.code, ended.out) == (code, said)
    assert console.asked == [("GET", "/health")]


def test_nothing_that_runs_is_no_answer(command: Command, tmp_path: Path) -> None:
    assert command("health", "--data", tmp_path).code == 3


def test_a_gateway_that_is_gone_is_no_answer(command: Command, tmp_path: Path) -> None:
    with Answering(WELL) as console:
        pass
    (tmp_path / "gateway.json").write_text(json.dumps({"url": console.url}))
    assert command("health", "--data", tmp_path, "--json").code == 3
