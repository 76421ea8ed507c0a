"""`uplink` from the journal alone, and what lies in the quarantine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Refusal
from gateway.journal import EventRecord, Journal
from gateway.uplink.quarantine import Quarantine

Command = Callable[..., Any]
LINE = 'gateway,gateway=line-1 rss_mb="much" 17'
WHY = "400: partial write: field type conflict"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    journal = Journal.open(tmp_path / "journal.db")
    journal.append(*(EventRecord("alarm", number, {}) for number in range(5)))
    journal.commit_now()
    journal.advance("sink:central", 2)
    journal.advance("pins:central", 2)
    journal.advance("summaries", 5)
    journal.close()
    Quarantine(tmp_path, "central").keep([Refusal(LINE, WHY), Refusal("x", WHY)])
    Quarantine(tmp_path, "other").keep([Refusal("y", "because")])
    return tmp_path


def test_places_are_told_when_nothing_runs(command: Command, data: Path) -> None:
    ended = command("uplink", "status", "--data", data)
    assert ended.code == 0
    said = " ".join(ended.out.split())
    assert "1 store" in said
    assert "central not running 3 records 2" in said
    assert "wheeltapper uplink refused" in said


def test_json_is_a_line_a_store(command: Command, data: Path) -> None:
    ended = command("uplink", "status", "--data", data, "--json")
    (row,) = [json.loads(line) for line in ended.out.splitlines()]
    assert (row["name"], row["backlog"], row["refused"]) == ("central", 3, 2)


@pytest.mark.parametrize(
    ("options", "whats"), [((), [LINE, "x", "y"]), (("--sink", "other"), ["y"])]
)
def test_what_was_refused_is_listed_with_its_reason(
    command: Command, data: Path, options: tuple[str, ...], whats: list[str]
) -> None:
    ended = command("uplink", "refused", "--data", data, "--json", *options)
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["what"] for row in rows] == whats
    shown = " ".join(command("uplink", "refused", "--data", data, *options).out.split())
    assert all(what in shown for what in whats)
    assert rows[-1]["reason"] in shown


def test_without_a_store_that_is_said(command: Command, tmp_path: Path) -> None:
    Journal.open(tmp_path / "journal.db").close()
    assert "nothing is sent anywhere" in command("uplink", "status", "--data", tmp_path).out
    assert "nothing was refused" in command("uplink", "refused", "--data", tmp_path).out
