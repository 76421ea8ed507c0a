"""The commands of parts against a journal: what was made, what was wrong, rows to train from."""

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.simulated.line import SimulatedLine
from connectors.simulated.signals import MODBUS
from connectors.simulated.source import SimulatedSource
from gateway.config.loader import load
from gateway.journal import EventRecord, Journal
from gateway.pipeline import Pipeline

Command = Callable[..., Any]
LINE = SimulatedLine(33, fault="none", start=1_700_000_000 * 10**9, defect_every=25)
ROWS = 3600
CONFIG = """\
version = 1
[gateway]
name = "line-1"
[[source]]
type = "modbus"
name = "line-modbus"
host = "127.0.0.1"
[[asset]]
path = "demo/hall-1/line-1/press-1"
[asset.cycle]
longest_s = 20
learn = 40
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gateway that has run: its configuration, and its journal beside it."""
    folder = tmp_path_factory.mktemp("parts")
    tags = [tag for tag in LINE.tags if tag.source == MODBUS]
    text = CONFIG
    for tag in tags:
        text += f'[[tag]]\ntag = "{tag.name}"\nsource = "{tag.source}"\n'
        text += f'address = "{tag.address}"\nscale = {tag.scale}\nunit = "{tag.unit}"\n'
        text += f'role = "{tag.role}"\ntype = "{tag.type}"\n'
    path = folder / "line.toml"
    path.write_text(text, encoding="utf-8")
    asyncio.run(fill(path))
    return path


async def fill(path: Path) -> None:
    plan = load(path)
    plan.data.mkdir()
    journal = Journal.open(plan.data / "journal.db")
    handles = journal.register(plan.tags, 0)
    pipeline = Pipeline(plan, handles, lambda _name, call: call())
    async with SimulatedSource(LINE, handles, name=MODBUS, rows=range(ROWS)) as source:
        for _ in range(ROWS // 600):
            outcome = pipeline.take(await source.read())
            journal.append(*outcome.records())
    body = {"asset": plan.assets[0].path, "number": outcome.parts[-1].number, "label": "defect"}
    said = EventRecord("part-label", 9, {**body, "actor": "Anna", "note": "thin"})
    journal.append(*pipeline.order(said))
    journal.commit_now()
    journal.close()


def rows(ended: Any) -> list[dict[str, Any]]:
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(text) for text in ended.out.splitlines()]


def test_parts_are_listed_newest_first(config: Path, command: Command) -> None:
    data = ("--data", config.parent / "data")
    listed = rows(command("parts", "list", *data, "--json"))
    ids = [row["id"] for row in listed]
    assert len(listed) == 20
    assert ids == sorted(ids, reverse=True)
    assert listed[0]["label"] == "defect"
    table = command("parts", "list", *data, "--last", "3").out
    assert table.startswith("3 parts")
    assert "defect, Anna: thin" in table


def test_suspect_parts_say_why_and_in_full(config: Path, command: Command) -> None:
    data = ("--data", config.parent / "data")
    listed = rows(command("parts", "list", "--suspect", "--last", "500", *data, "--json"))
    assert {row["verdict"] for row in listed} == {"suspect"}
    assert {int(row["number"]) for row in listed} & LINE.defects(0, ROWS)
    one = listed[0]
    shown = command("parts", "show", "press-1", one["number"], *data).out
    assert shown.startswith(one["sentence"])
    assert "instead of" in shown
    assert rows(command("parts", "show", "press-1", one["number"], *data, "--json")) == [one]


def test_a_part_that_was_not_made_is_told(config: Path, command: Command) -> None:
    ended = command("parts", "show", "press-1", "99999", "--data", config.parent / "data")
    assert ended.code == 2
    assert "press-1 has made no part 99999" in ended.err


def test_a_label_needs_a_running_gateway_and_one_word(config: Path, command: Command) -> None:
    data = ("--actor", "Anna", "--data", config.parent / "data")
    alone = command("parts", "label", "press-1", "12", "--defect", *data)
    assert (alone.code, "no gateway runs" in alone.err) == (3, True)
    assert command("parts", "label", "press-1", "12", "--good", "--defect", *data).code == 2
    assert command("parts", "label", "press-1", "12", *data).code == 2


def test_rows_to_train_from_are_cut_anew_from_the_samples(
    config: Path, command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "parts.csv"
    ended = command("parts", "export", config, "press-1", "--out", out)
    assert (ended.code, ended.err) == (0, "")
    with out.open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    listed = rows(
        command("parts", "list", "--last", "500", "--data", config.parent / "data", "--json")
    )
    assert [row["part"] for row in table] == [row["number"] for row in reversed(listed)]
    assert table[-1]["label"] == "defect"
    judged = [row for row in table if row["verdict"] in ("good", "suspect", "learning")]
    assert all(float(row["cylinder_pressure greatest"]) > 50 for row in judged)
    assert all(2 <= float(row["duration"]) <= 6 for row in judged)


def test_what_cannot_be_exported_is_told(config: Path, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "parts.csv"
    ended = command("parts", "export", config, "pump-9", "--out", out)
    assert (ended.code, "is not the path or name" in ended.err) == (2, True)
    ended = command("parts", "export", config, "press-1", "--out", tmp_path / "no" / "p.csv")
    assert (ended.code, "cannot be written" in ended.err) == (2, True)
