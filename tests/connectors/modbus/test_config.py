import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import connectors.modbus
from connectors.modbus.address import parse_address
from connectors.modbus.config import PORTS, ModbusConfig

FOLDER = Path(connectors.modbus.__file__).parent
SAMPLE = (FOLDER / "sample.toml").read_text()


def test_the_sample_can_be_used_as_it_stands() -> None:
    sample = tomllib.loads(SAMPLE)
    assert [ModbusConfig(**source).place for source in sample["source"]] == ["192.168.10.20:502"]
    assert [parse_address(tag["address"]).unit for tag in sample["tag"]] == [3, 3, 3]


def test_the_sample_shows_every_option_of_tcp_at_its_default() -> None:
    shown = tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", SAMPLE))["source"][0]
    plain = ModbusConfig(name="press-plc", host="192.168.10.20")
    defaults = {**plain.model_dump(), "port": PORTS["tcp"], "max_gap": plain.gap}
    assert shown == {key: defaults[key] for key in shown}
    of_others = {"device", "baud", "parity", "stop_bits", "silence_ms"}
    of_others |= {"ca", "ca_sha256", "certificate", "key"}
    assert shown.keys() == defaults.keys() - of_others


def described() -> list[dict[str, Any]]:
    """Give every source that the README shows."""
    blocks = re.findall(r"```toml\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    return [source for block in blocks for source in tomllib.loads(block)["source"]]


def test_the_readme_shows_every_transport() -> None:
    shown = [ModbusConfig(**source).transport for source in described()]
    assert sorted(shown) == ["rtu", "rtu-over-tcp", "tcp", "tls"]


def test_certificates_lie_beside_the_configuration() -> None:
    """The loader resolves what is a path, and nothing else."""
    fields = ModbusConfig.model_fields
    paths = {name for name, field in fields.items() if field.annotation == Path | None}
    assert paths == {"ca", "certificate", "key"}


def test_the_readme_embeds_the_sample() -> None:
    assert f"```toml\n{SAMPLE}```" in (FOLDER / "README.md").read_text()


def test_the_ladder_gives_each_rule_a_state_and_the_exempt_a_reason() -> None:
    rules = tomllib.loads((FOLDER / "quality.toml").read_text())["rules"]
    assert len(rules) == 10
    assert {rule["state"] for rule in rules.values()} <= {"done", "todo", "exempt"}
    assert all(rule["why"] for rule in rules.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"hots": "x"},
        {"scan_ms": 0},
        {"max_registers": 126},
        {"host": ""},
        {"transport": "udp"},
    ],
)
def test_refuses_what_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModbusConfig(**{"name": "plc", "host": "10.0.0.5", **wrong})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, 'host: transport "tcp" needs the name or address of the device, like host = '),
        (
            {"transport": "rtu"},
            'device: transport "rtu" needs the serial line, like device = "/dev',
        ),
        ({"transport": "tls", "host": "plc"}, 'ca: transport "tls" needs the PEM file of the auth'),
        (
            {"host": "plc", "device": "/dev/ttyUSB0"},
            'device: belongs to transport "rtu", and this one is "tcp"',
        ),
        (
            {"transport": "rtu", "device": "/dev/ttyUSB0", "port": 502},
            'port: belongs to transport "tcp" or "tls" or "rtu-over-tcp", and this one is "rtu"',
        ),
        (
            {"host": "plc", "ca_sha256": "0" * 64},
            'ca_sha256: belongs to transport "tls", and this one is "tcp"',
        ),
        (
            {"host": "plc", "silence_ms": 100},
            'silence_ms: belongs to transport "rtu" or "rtu-over-tcp", and this one is "tcp"',
        ),
    ],
)
def test_each_transport_has_its_own_keys(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ModbusConfig(**{"name": "plc", **given})
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("given", "place", "gap"),
    [
        ({"host": "plc"}, "plc:502", 64),
        ({"transport": "rtu-over-tcp", "host": "plc", "port": 4001}, "plc:4001", 16),
        ({"transport": "rtu", "device": "/dev/ttyUSB0"}, "/dev/ttyUSB0", 16),
        ({"transport": "rtu", "device": "/dev/ttyUSB0", "max_gap": 3}, "/dev/ttyUSB0", 3),
    ],
)
def test_what_follows_from_the_transport(given: dict[str, Any], place: str, gap: int) -> None:
    config = ModbusConfig(name="plc", **given)
    assert (config.place, config.gap) == (place, gap)
