import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

import connectors.modbus
from connectors.modbus.address import parse_address
from connectors.modbus.config import ModbusConfig

FOLDER = Path(connectors.modbus.__file__).parent
SAMPLE = (FOLDER / "sample.toml").read_text()


def test_the_sample_can_be_used_as_it_stands() -> None:
    sample = tomllib.loads(SAMPLE)
    assert [ModbusConfig(**source).port for source in sample["source"]] == [502]
    assert [parse_address(tag["address"]).unit for tag in sample["tag"]] == [3, 3, 3]


def test_the_sample_shows_every_option_at_its_default() -> None:
    shown = tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", SAMPLE))["source"][0]
    defaults = ModbusConfig(name="x", host="x").model_dump()
    assert shown.keys() == defaults.keys()
    optional = shown.keys() - {"name", "host"}
    assert {key: shown[key] for key in optional} == {key: defaults[key] for key in optional}


def test_the_readme_embeds_the_sample() -> None:
    assert f"```toml\n{SAMPLE}```" in (FOLDER / "README.md").read_text()


def test_the_ladder_gives_each_rule_a_state_and_the_exempt_a_reason() -> None:
    rules = tomllib.loads((FOLDER / "quality.toml").read_text())["rules"]
    assert len(rules) == 10
    assert {rule["state"] for rule in rules.values()} <= {"done", "todo", "exempt"}
    assert all(rule["why"] for rule in rules.values())


@pytest.mark.parametrize(
    "wrong",
    [{"port": 0}, {"hots": "x"}, {"scan_ms": 0}, {"max_registers": 126}, {"host": ""}],
)
def test_refuses_what_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModbusConfig(**{"name": "plc", "host": "10.0.0.5", **wrong})
