"""``[[proposer]]``: every mistake with its line and its mend."""

import json
import re
from pathlib import Path

import pytest

from gateway.config.description import described
from gateway.config.loader import load
from gateway.config.plan import OptimiserPlan, RulePlan
from gateway.guard.policy import condition
from plant.errors import Misconfigured

CONFIG = """\
version = 1
[gateway]
name = "line-1"
[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"
[[tag]]
tag = "n/l/conveyor/speed"
source = "plc"
address = "unit 1, holding 0, float32"
[[tag]]
tag = "n/l/conveyor/product"
source = "plc"
address = "unit 1, holding 4, text 8"
type = "text"
role = "context"
[setpoints]
mode = "advisory"
limits = "limits.toml"
keys = ["engineer.pub"]
"""
BEGIN = CONFIG.count("\n") + 1
RULE = {
    "kind": '"rule"', "name": '"bearing"', "token_file": '"b.token"',
    "tag": '"n/l/conveyor/speed"', "alarm": '"n/l/conveyor"', "change_percent": "-5.0",
}  # fmt: skip
OPTIMISER = {
    "kind": '"optimiser"', "name": '"speeds"', "token_file": '"b.token"',
    "tag": '"n/l/conveyor/speed"', "response": '"speed.json"', "aim": '"minimise"',
    "max_step": "2.0",
}  # fmt: skip


def written(folder: Path, *tables: dict[str, str | None], head: str = CONFIG) -> Path:
    text = head
    for table in tables:
        text += "[[proposer]]\n"
        text += "".join(f"{key} = {value}\n" for key, value in table.items() if value is not None)
    for name in ("limits.toml", "engineer.pub", "b.token", "speed.json"):
        (folder / name).write_text("")
    (folder / "plant.toml").write_text(text)
    return folder / "plant.toml"


def test_both_kinds(tmp_path: Path) -> None:
    rule = {**RULE, "when": '"n/l/conveyor/speed > 5"', "back": "true"}

    plan = load(written(tmp_path, rule, OPTIMISER), {})
    first, second = plan.proposers

    assert isinstance(first, RulePlan)
    assert (first.when, first.back) == (condition("n/l/conveyor/speed > 5"), True)
    assert first.token_file == tmp_path / "b.token"
    assert isinstance(second, OptimiserPlan)
    assert second.response == tmp_path / "speed.json"
    shown = json.loads(json.dumps(described(plan)))["proposers"]
    assert [one["kind"] for one in shown] == ["rule", "optimiser"]


WRONG: dict[str, tuple[dict[str, str], dict[str, str | None], str]] = {
    "kind": (RULE, {"kind": '"rul"'}, '1: proposer[1].kind: "rul" is not one of rule, optimiser; '
             'did you mean "rule"?'),
    "no kind": (RULE, {"kind": None}, "0: proposer[1].kind: is missing: it says which kind of "
                "proposer it is"),
    "tag": (RULE, {"tag": '"n/l/conveyor/sped"'}, '4: proposer[1].tag: "n/l/conveyor/sped" is no '
            'tag of the configuration; did you mean "n/l/conveyor/speed"?'),
    "text": (RULE, {"tag": '"n/l/conveyor/product"'}, "4: proposer[1].tag: "
             '"n/l/conveyor/product" is a text, and no number'),
    "alarm": (RULE, {"alarm": '"n/l/convayor"'}, '5: proposer[1].alarm: "n/l/convayor" is no '
              'asset of the configuration; did you mean "n/l/conveyor"?'),
    "culprit": (RULE, {"culprit": '"speed"'}, '7: proposer[1].culprit: "speed" is no tag'),
    "grammar": (RULE, {"when": '"n/l/conveyor/speed = 5"'}, '7: proposer[1].when: "=" is none of'),
    "when": (RULE, {"when": '"n/l/conveyor/sped > 5"'}, "7: proposer[1].when: "
             '"n/l/conveyor/sped" is no tag'),
    "token": (RULE, {"token_file": '"c.token"'}, "3: proposer[1].token_file: "),
    "two changes": (RULE, {"value": "4"}, "7: proposer[1].value: give one of value, change"),
    "no change": (RULE, {"change_percent": None}, "0: proposer[1].value: give one of value"),
    "nothing": (RULE, {"change_percent": "0"}, "6: proposer[1].change_percent: 0 would change "
                "nothing"),
    "always": (RULE, {"alarm": None}, "0: proposer[1].alarm: is missing, and so is when"),
    "whose": (RULE, {"alarm": None, "when": '"n/l/conveyor/speed > 5"',
                     "culprit": '"n/l/conveyor/speed"'}, "7: proposer[1].culprit: says of which"),
    "hectic": (RULE, {"repeat_s": "1"}, "7: proposer[1].repeat_s: 1 is less than 10 s"),
    "back": (RULE, {"repeat_s": "60", "back": "true"}, "8: proposer[1].back: only the last"),
    "unknown": (RULE, {"prioritiy": "2"}, "7: proposer[1].prioritiy: unknown key; did you mean "
                '"priority"?'),
    "response": (OPTIMISER, {"response": '"r.json"'}, "5: proposer[1].response: "),
    "aim": (OPTIMISER, {"aim": '"hold"'}, "0: proposer[1].target: is missing: hold at what?"),
    "target": (OPTIMISER, {"target": "4"}, "8: proposer[1].target: is not for minimise"),
    "step": (OPTIMISER, {"max_step": "0"}, "7: proposer[1].max_step: should be greater than 0"),
    "lasting": (OPTIMISER, {"valid_s": "31"}, "8: proposer[1].valid_s: should be less than"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, what: str) -> None:
    table, change, told = WRONG[what]
    line, _, words = told.partition(":")

    with pytest.raises(Misconfigured) as raised:
        load(written(tmp_path, {**table, **change}), {})

    assert f"plant.toml:{BEGIN + int(line)}:{words}" in str(raised.value)


def test_what_the_documentation_shows_is_taken(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "setpoints.md").read_text()
    shown = re.findall(r"```toml\n(\[\[proposer\]\]\nkind.*?)```", text, re.DOTALL)
    line = "north/line-1/conveyor"
    tags = "".join(
        f'[[tag]]\ntag = "{line}/{name}"\nsource = "plc"\n'
        f'address = "unit 1, holding {at}, float32"\n'
        for at, name in ((10, "speed_sp"), (20, "vibration"), (30, "running"))
    )
    written(tmp_path)
    for name in ("bearing.token", "speeds.token"):
        (tmp_path / name).write_text("")
    (tmp_path / "plant.toml").write_text(CONFIG + tags + "".join(shown))

    found = load(tmp_path / "plant.toml", {}).proposers

    assert [(type(one), one.name) for one in found] == [
        (RulePlan, "bearing"), (OptimiserPlan, "speeds"),
    ]  # fmt: skip


def test_a_name_is_there_once(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r'proposer\[2\].name: "bearing" is there twice'):
        load(written(tmp_path, RULE, RULE), {})


def test_without_limits_nothing_could_be_asked_for(tmp_path: Path) -> None:
    head = CONFIG[: CONFIG.index("[setpoints]")]

    with pytest.raises(Misconfigured, match=r"\[setpoints\] names no limits"):
        load(written(tmp_path, RULE, head=head), {})
