"""``wheeltapper setpoints replay``: recorded requests through the guard on a simulated clock."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from gateway.config.loader import load
from gateway.guard.audit import Audit
from gateway.guard.checks import Moment
from gateway.guard.keys import make_key
from gateway.guard.words import new_id
from gateway.journal import Journal
from plant.errors import Misconfigured
from plant.records import SampleRecord
from plant.samples import Batch
from tests.gateway.guard.rig import NUMBERS
from tests.gateway.guard.sealing import seal
from wheeltapper.app import app

START, NS = 1_800_000_000, 10**9
SPEED = "north/line/conveyor/speed_sp"
PLANT = """\
version = 1
[gateway]
name = "line"
[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"
[[tag]]
tag = "north/line/conveyor/speed_sp"
source = "plc"
address = "unit 1, holding 0, float32"
unit = "1/min"
[[tag]]
tag = "north/line/conveyor/running"
source = "plc"
address = "unit 1, holding 2, float32"
[[tag]]
tag = "north/line/stop"
source = "plc"
address = "unit 1, holding 4, float32"
[setpoints]
limits = "limits.toml"
keys = ["engineer.pub"]
"""
LIMITS = """\
serial = 1
expires = 2099-01-01
mode = "advisory"
{head}
[[setpoint]]
tag = "north/line/conveyor/speed_sp"
unit = "1/min"
{numbers}interlock = "north/line/conveyor/running == 1"
operator_min = 10
{more}
"""
PROGRAM = f"""
[[proposer]]
name = "speeds"
token_sha256 = "{"0" * 64}"
tags = ["{SPEED}"]
models = ["speeds@1"]
"""


class Scene:
    """A configuration, limits and an hour of a recording, second by second."""

    def __init__(self, folder: Path, more: str = "", head: str = "") -> None:
        self.folder = folder
        self.key = make_key(folder / "engineer.key")
        (folder / "plant.toml").write_text(PLANT)
        self.limits = LIMITS.format(numbers=NUMBERS, more=more, head=head)
        seal(folder, self.limits, self.key, START * NS)
        self.speed, self.running = np.full(3600, 50.0), np.ones(3600)
        self.stop = np.zeros(3600)
        self.rows: list[str] = []

    def ask(self, second: int, value: object, more: str = ",,,") -> None:
        self.rows.append(f"{START + second},conveyor/speed_sp,{value}{more}")

    def replay(self, *words: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run the command; give its head and the row of the setpoint."""
        cells = zip(self.speed, self.running, self.stop, strict=True)
        lines = [f"{START + n},{a},{b},{c}" for n, (a, b, c) in enumerate(cells)]
        head = "time,speed_sp,running,stop\n"
        (self.folder / "hour.csv").write_text(head + "\n".join(lines) + "\n")
        asked = "time,tag,value,proposer,model,version\n" + "\n".join(self.rows) + "\n"
        (self.folder / "requests.csv").write_text(asked)
        given = ["--recording", str(self.folder / "hour.csv"),
                 "--requests", str(self.folder / "requests.csv")]  # fmt: skip
        return command(self.folder, *given, *words)


def command(folder: Path, *words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    said = ["setpoints", "replay", str(folder / "plant.toml"), "--json", *words]
    ended = CliRunner().invoke(app, said, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    head, row = (json.loads(line) for line in ended.stdout.splitlines())
    return head, row


def test_each_reason_is_counted_and_what_is_let_through_holds(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.running[1200:1300] = 0
    for second, value in ((10, 51), (300, 61), (600, 50.8), (900, 54), (1250, 52), (1800, 52)):
        scene.ask(second, value)
    head, row = scene.replay()

    assert (head["asked"], head["mode"], head["signed"] != "") == (6, "approve", True)
    assert row["codes"] == {"outside limits": 1, "deadband": 1, "step": 1, "interlock": 1}
    assert row["checks"] == {"4": 1, "5": 1, "7": 1, "9": 1}
    assert (row["held"], row["writes"], row["farthest"]) == (2, 2, 2.0)
    # From the first write to the end of the recording.
    assert row["ours_h"] == pytest.approx((3600 - 10) / 3600, abs=0.01)


def test_a_hand_of_the_operator_ends_it_and_gives_him_peace(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.speed[1000:] = 48.0
    for second, value in ((10, 51), (1100, 49), (1700, 49)):
        scene.ask(second, value)
    _, row = scene.replay()

    assert row["codes"] == {"operator": 1}
    assert (row["held"], row["farthest"]) == (2, 1.0)
    assert row["ours_h"] == pytest.approx((990 + 1900) / 3600, abs=0.01)


def test_what_nobody_renews_is_led_back_within_step_and_slope(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 'fallback = "ramp_to_last_good"\nhold_s = 600\ninterval_s = 60')
    scene.ask(10, 52)
    scene.ask(120, 54)
    _, row = scene.replay()

    assert (row["held"], row["farthest"]) == (2, 4.0)
    assert row["back"] >= 2
    assert row["writes"] == 2 + row["back"]
    assert row["ours_h"] < 0.3


def test_advice_writes_nothing_and_a_stop_tag_makes_advice_until_it_is_gone(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path, head='stop_tag = "north/line/stop"')
    scene.stop[500:700] = 1
    for second, value in ((600, 51), (900, 51)):
        scene.ask(second, value)
    _, row = scene.replay()
    assert (row["advised"], row["held"]) == (1, 1)
    _, row = scene.replay("--mode", "advisory")
    assert (row["advised"], row["held"], row["writes"], row["farthest"]) == (2, 0, 0, 0.0)


def test_a_program_is_held_to_its_models_and_a_hole_in_the_recording_is_no_value(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path, head=PROGRAM)
    scene.speed[2000:2400] = np.nan
    scene.ask(100, 51, ",speeds,speeds,2")
    scene.ask(200, 51, ",speeds,speeds,1")
    scene.ask(2200, 51)
    _, row = scene.replay()
    # The second rests on nothing, which is asked of a program before its model.
    assert row["codes"] == {"stale": 3}


def test_an_unsigned_draft_is_said_to_be_one_and_drawn(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    draft, drawn = tmp_path / "draft.toml", tmp_path / "hour.svg"
    draft.write_text(scene.limits.replace("max_step = 2", "max_step = 3"))
    scene.ask(10, 52.8)
    head, row = scene.replay("--limits", str(draft), "--picture", str(drawn))
    assert (head["signed"], row["held"]) == ("", 1)
    picture = drawn.read_text()
    for words in ("UNSIGNED, a draft", "as it would have been", "let through", "rejected"):
        assert words in picture


def test_journal_and_audit_of_a_gateway_are_replayed_without_any_file(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    data = tmp_path / "data"
    (data / "guard").mkdir(parents=True)
    begin = int(datetime.now(UTC).timestamp()) - 3600
    journal = Journal.open(data / "journal.db")
    tags = load(tmp_path / "plant.toml").tags[:2]
    handles = journal.register(tags, begin * NS)
    batch = Batch(
        source="plc",
        tag=np.tile(np.array([one.handle for one in handles], np.int32), 3000),
        at=np.repeat((begin + np.arange(3000)) * NS, 2),
        value=np.tile([50.0, 1.0], 3000),
        status=np.zeros(6000, np.uint32),
        upto=(begin + 3000) * NS,
        received=(begin + 3000) * NS,
        heard=0,
    )
    journal.append(SampleRecord(batch, np.zeros(6000, np.uint8)))
    journal.close()
    audit = Audit(data / "guard" / "audit.jsonl", scene.key)
    for second, value in ((100, 51.0), (900, 70.0)):
        wall = (begin + second) * NS
        key = new_id(wall)
        request = {
            "id": key, "key": key, "tag": SPEED, "value": value, "unit": "1/min", "reason": "P2",
            "not_after": wall + 20 * NS, "proposer": "eve",
        }  # fmt: skip
        audit.note(Moment(wall, 1.0, "b"), "eve", "received", request=request)
    audit.close()
    head, row = command(tmp_path)
    assert head["asked"] == 2
    assert (row["held"], row["codes"]) == (1, {"outside limits": 1})


@pytest.mark.parametrize(
    ("break_", "words", "why"),
    [
        (lambda s: s.rows.append("soon,conveyor/speed_sp,51,,,"), (), "row 2: is not a time"),
        (lambda s: s.ask(10, "x"), (), "row 2: is not a number"),
        (lambda s: None, ("--requests", "nowhere.csv"), "cannot be read"),
        (lambda s: None, ("--limits", "nowhere.toml"), "cannot be read"),
        (lambda s: None, ("--picture", "hour.pdf"), "let the name end with"),
        (lambda s: (s.folder / "limits.toml").write_text("serial = x"), (), "not TOML"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_its_place(
    tmp_path: Path, break_: Any, words: tuple[str, ...], why: str
) -> None:
    scene = Scene(tmp_path)
    break_(scene)
    with pytest.raises(Misconfigured, match=why):
        scene.replay(*words)


def test_a_tag_that_was_not_recorded_is_named_and_can_be_assumed(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    draft = tmp_path / "draft.toml"
    draft.write_text(
        scene.limits.replace("operator_min", 'recipe = "north/line/recipe"\noperator_min')
    )
    scene.ask(10, 51)
    text = PLANT.replace("north/line/stop", "north/line/recipe")
    (tmp_path / "plant.toml").write_text(text)
    with pytest.raises(Misconfigured, match="--assume north/line/recipe=VALUE"):
        scene.replay("--limits", str(draft))
    _, row = scene.replay("--limits", str(draft), "--assume", "north/line/recipe=48")
    assert row["held"] == 1
