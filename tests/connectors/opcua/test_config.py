import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

import connectors.opcua
from connectors.opcua.address import parse_address
from connectors.opcua.config import OpcUaConfig

FOLDER = Path(connectors.opcua.__file__).parent
SAMPLE = (FOLDER / "sample.toml").read_text()
URL = "opc.tcp://plc:4840/UA/plc"


@pytest.mark.parametrize(
    ("settings", "mend"),
    [
        ({"security": "none", "user": "u", "password_file": "p"}, "in clear"),
        ({"trust": None}, 'write trust = "pki"'),
        ({"url": "http://plc"}, "opc.tcp://host:4840/path"),
        ({"url": "opc.tcp://"}, "opc.tcp://host:4840/path"),
        ({"url": "opc.tcp://user:secret@plc:4840"}, "password_file instead"),
        ({"user": "u"}, "give both or neither"),
        ({"password_file": "p"}, "give both or neither"),
        ({"certificate": "c.der"}, "give both or neither"),
        ({"security": "Basic128Rsa15"}, "Basic256Sha256"),
        ({"security": "None"}, "Basic256Sha256"),
        ({"securty": "none"}, "Extra inputs"),
        ({"queue": 0}, "greater than or equal to 1"),
        ({"items_per_call": 501}, "less than or equal to 500"),
    ],
)
def test_what_cannot_be_connected_is_refused(settings: dict[str, object], mend: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(mend)):
        OpcUaConfig.model_validate({"name": "plc", "url": URL, "trust": "pki", **settings})


def test_security_is_on_unless_asked_otherwise() -> None:
    config = OpcUaConfig(name="plc", url=URL, trust=Path("pki"))
    assert config.security == "Basic256Sha256"


def test_sample_can_be_used_as_it_stands() -> None:
    (source,) = tomllib.loads(SAMPLE)["source"]
    assert OpcUaConfig.model_validate(source).trust == Path("pki")


def test_sample_shows_every_option_and_the_defaults_there_are() -> None:
    shown = tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", SAMPLE))["source"][0]
    fields = OpcUaConfig.model_fields
    assert shown.keys() == fields.keys()
    given = {name: field.default for name, field in fields.items() if not field.is_required()}
    defaults = {name: default for name, default in given.items() if default is not None}
    assert {name: shown[name] for name in defaults} == defaults


def test_readme_embeds_the_sample() -> None:
    assert f"```toml\n{SAMPLE}```" in (FOLDER / "README.md").read_text()


def test_sample_addresses_can_be_read() -> None:
    for tag in tomllib.loads(SAMPLE)["tag"]:
        assert parse_address(tag["address"], tag["tag"]).uri


def test_ladder_answers_every_rule() -> None:
    rules = tomllib.loads((FOLDER / "quality.toml").read_text())["rules"]
    assert len(rules) == 10
    assert all(
        rule["why"] and rule["state"] in {"done", "todo", "exempt"} for rule in rules.values()
    )
