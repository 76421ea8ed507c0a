"""``setpoints learn`` over a real history, and ``setpoints proposers`` against real limits."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from analytics.response import moves
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from gateway.guard.keys import make_key
from gateway.proposing.service import FILE
from plant.records import SummaryRecord
from plant.summaries import MINUTE
from plant.tags import Tag, TagHandle
from tests.gateway.guard.rig import NUMBERS, Rig, ran
from tests.gateway.guard.sealing import seal
from tests.gateway.proposing.scenes import rows
from wheeltapper.app import app

LINE = "n/l/conveyor"
CONFIG = """\
version = 1
[gateway]
name = "line-1"

[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"

[[source]]
type = "modbus"
name = "sensors"
host = "127.0.0.1"

[setpoints]
mode = "advisory"
limits = "limits.toml"
keys = ["engineer.pub"]
"""
TAG = """
[[tag]]
tag = "n/l/conveyor/{name}"
source = "{source}"
address = "unit 1, holding {at}, float32"
unit = "{unit}"
"""
TAGS = (
    ("speed", "plc", "1/min"), ("load", "plc", "%"), ("vibration", "plc", "mm/s"),
    ("temperature", "sensors", "Cel"),
)  # fmt: skip
RULE = """
[[proposer]]
kind = "rule"
name = "bearing"
token_file = "bearing.token"
tag = "n/l/conveyor/speed"
when = "n/l/conveyor/{signal} > 5"
change = -1.0
"""
OPTIMISER = """
[[proposer]]
kind = "optimiser"
name = "speeds"
token_file = "bearing.token"
tag = "n/l/conveyor/speed"
response = "speed.json"
aim = "minimise"
max_step = 2.0
"""
LIMITS = f"""\
serial = 1
expires = 2099-12-31
mode = "advisory"

[[setpoint]]
tag = "n/l/conveyor/speed"
unit = "1/min"
{NUMBERS}"""
TOKEN = "t" * 40


def run(*words: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["setpoints", *words])
    return ended.exit_code, ended.stdout + str(ended.exception or "")


def plant(folder: Path, more: str = "", limits: str = LIMITS) -> str:
    """Write the configuration of a plant, its key, its token and its limits."""
    tags = "".join(
        TAG.format(name=name, source=source, unit=unit, at=2 * at)
        for at, (name, source, unit) in enumerate(TAGS)
    )
    (folder / "plant.toml").write_text(CONFIG + tags + more)
    (folder / "bearing.token").write_text(TOKEN + "\n")
    key = folder / "engineer.key"
    key.unlink(missing_ok=True)
    key.with_suffix(".pub").unlink(missing_ok=True)
    seal(folder, limits, make_key(key), time.time_ns())
    return str(folder / "plant.toml")


def keep(folder: Path, columns: np.ndarray) -> None:
    """Keep windows of a minute, up to a while ago; of the speed only those where it changed."""
    names = ("speed", "load", "vibration")
    handles = [
        TagHandle(n, Tag(name=f"{LINE}/{name}", source="plc", address=""))
        for n, name in enumerate(names)
    ]
    (folder / "data").mkdir(exist_ok=True)
    begin = (time.time_ns() // MINUTE - len(columns) - 10) * MINUTE
    with SqliteSink(SqliteConfig(), handles, "g", folder / "data") as sink:
        for number in range(len(names)):
            value = columns[:, number].copy()
            place = np.arange(len(value))
            changed = np.diff(value, prepend=np.nan) != 0
            place = place[changed]
            value = value[changed]
            count = np.full(len(value), 60, np.uint32)
            sink.write([SummaryRecord(
                "plc", MINUTE, np.full(len(value), number, np.int32), begin + place * MINUTE,
                count, count, value, value, value, value * 0, value, value,
            )])  # fmt: skip


def test_a_response_is_learnt_shown_and_written(tmp_path: Path) -> None:
    config = plant(tmp_path)
    inputs, effect = rows(count=600)
    keep(tmp_path, np.column_stack([inputs, effect]))
    out = tmp_path / "speed.json"
    asked = ("learn", "speed", "--effect", "vibration", "--context", "load", "--from", "30d",
             "--config", config)  # fmt: skip

    code, said = run(*asked, "--out", str(out))
    assert (code, "no trial" in said) == (0, True)
    assert "●" in said
    assert str(out) in said

    found = json.loads(out.read_text())
    slope = found["columns"][0]["coefficient"] / found["columns"][0]["deviation"]
    assert slope == pytest.approx(0.2, abs=0.01)
    # The window of each move, and two after it.
    assert found["rows"] == 600 - moves(inputs[:, 0]) * 3
    code, said = run(*asked, "--json")
    assert json.loads(said) == {"learnt": True, "out": None, **found} | {
        key: json.loads(said)[key] for key in ("start", "stop")
    }


def test_what_the_history_cannot_tell_is_said_with_figures(tmp_path: Path) -> None:
    config = plant(tmp_path)
    inputs, effect = rows(count=600)
    inputs[:, 0] = 50.0
    keep(tmp_path, np.column_stack([inputs, effect]))
    asked = ("learn", "speed", "--effect", "vibration", "--from", "30d", "--config", config)

    assert run(*asked) == (
        1, "the history cannot tell: speed never moved: it was 50 all the time\n1",
    )  # fmt: skip
    code, said = run(*asked, "--json")
    assert (code, json.loads(said.removesuffix("1"))["learnt"]) == (1, False)


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no such tag": (("sped", "--effect", "vibration"), '"sped" is no tag'),
    "twice": (("speed", "--effect", "speed"), "a tag is named twice"),
    "nothing kept": (("speed", "--effect", "temperature"), "nothing good is kept"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_learnt_from(tmp_path: Path, what: str) -> None:
    words, why = WRONG[what]
    config = plant(tmp_path)
    inputs, effect = rows(count=100)
    keep(tmp_path, np.column_stack([inputs, effect]))

    code, said = run("learn", *words, "--config", config)

    assert code != 0
    assert why in said


def shown(config: str) -> tuple[int, list[dict[str, Any]]]:
    code, said = run("proposers", config, "--json")
    return code, [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_what_the_limits_lack_is_named_until_they_are_signed(tmp_path: Path) -> None:
    more = RULE.format(signal="vibration")
    code, (row,) = shown(plant(tmp_path, more))
    assert code == 1
    (problem,) = row["problems"]
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    for part in ('the limits know no proposer "bearing"', digest, row["model"], row["tag"]):
        assert part in problem

    known = LIMITS + (
        f'[[proposer]]\nname = "bearing"\ntoken_sha256 = "{digest}"\n'
        f'tags = ["{row["tag"]}"]\nmodels = ["{row["model"]}"]\n'
    )
    config = plant(tmp_path, more, known)
    code, (row,) = shown(config)
    assert (code, row["problems"], row["why"]) == (0, [], "this one has not run yet")

    (tmp_path / "data").mkdir()
    last = {"id": "1", "at": 0.0, "value": 49.0, "reason": "a reason", "effect": "an effect",
            "state": "rejected", "code": "step", "why": "check 5: 3 of 2"}  # fmt: skip
    kept = {"name": "bearing", "model": row["model"], "why": "has asked", "last": last}
    (tmp_path / "data" / FILE).write_text(json.dumps({"proposers": [kept]}))
    code, said = run("proposers", config)
    assert code == 0
    for part in ("49 1/min, rejected: step (check 5: 3 of 2)", "why not now: has asked"):
        assert part in said

    changed = plant(tmp_path, more.replace("-1.0", "-2.0"), known)
    code, (row,) = shown(changed)
    assert (code, row["last"]) == (1, None)
    assert row["problems"] == [f'the limits know other models; this one is "{row["model"]}"']


def test_a_tag_that_the_guard_does_not_read_is_named(tmp_path: Path) -> None:
    code, (row,) = shown(plant(tmp_path, RULE.format(signal="temperature")))

    assert code == 1
    assert f"{LINE}/temperature is of sensors, which the guard does not read" in row["problems"][0]


def test_any_signal_of_its_machine_may_be_the_culprit(tmp_path: Path) -> None:
    more = RULE.replace('when = "n/l/conveyor/{signal} > 5"', 'alarm = "n/l/conveyor"')

    _, (row,) = shown(plant(tmp_path, more))
    _, (named,) = shown(plant(tmp_path, f'{more}culprit = "n/l/conveyor/vibration"\n'))

    assert [f"{LINE}/temperature is of sensors" in one for one in row["problems"]] == [True, False]
    assert len(named["problems"]) == 1


@pytest.mark.parametrize("text", ["{}", "not json", '{"format": 9}'])
def test_a_response_that_is_none_keeps_its_proposer_from_asking(tmp_path: Path, text: str) -> None:
    (tmp_path / "speed.json").write_text(text)

    code, (row,) = shown(plant(tmp_path, OPTIMISER))

    assert code == 1
    assert "is no learnt response" in row["problems"][0]


def test_without_proposers_it_says_so(tmp_path: Path) -> None:
    code, said = run("proposers", plant(tmp_path))

    assert code == 0
    assert "nobody proposes" in said


def test_a_program_that_only_the_limits_know_asks_from_outside(tmp_path: Path) -> None:
    known = LIMITS + (
        f'[[proposer]]\nname = "speeds"\ntoken_sha256 = "{"0" * 64}"\n'
        f'tags = ["{LINE}/speed"]\nmodels = ["speeds@1"]\n'
    )
    config = plant(tmp_path, limits=known)
    code, (row,) = shown(config)
    assert (code, row["kind"], row["model"], row["last"]) == (0, "external", "speeds@1", None)

    rig = Rig(tmp_path)
    ran(rig.guard.ask(rig.request(61.0), rig.program))
    ran(rig.guard.ask(rig.request(51.0), rig.program))
    (tmp_path / "data" / "guard").mkdir(parents=True)
    (tmp_path / "audit.jsonl").rename(tmp_path / "data" / "guard" / "audit.jsonl")
    code, (row,) = shown(config)
    assert (row["last"]["value"], row["last"]["state"]) == (51.0, "pending")
    assert "51 1/min, pending" in run("proposers", config)[1]
