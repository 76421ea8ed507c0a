"""What golden cases cannot say: files that are no text, protocols by name, the environment."""

from pathlib import Path

import pytest

from gateway.config.loader import load
from gateway.config.plan import Plan
from plant.errors import Misconfigured

SOUND = """\
version = 1

[gateway]
name = "line-1"

[[source]]
type = "modbus"
name = "press"
host = "127.0.0.1"

[[tag]]
tag = "plant/press-1/force"
source = "press"
address = "unit 1, holding 0, float32"
"""


def loaded(folder: Path, text: str, environment: dict[str, str] | None = None) -> Plan:
    path = folder / "line.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environment or {})


def refusal(folder: Path, text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(Misconfigured) as caught:
        loaded(folder, text, environment)
    return str(caught.value).replace(f"{folder}/", "")


def test_data_folder_lies_beside_the_file_unless_absolute(tmp_path: Path) -> None:
    absolute = SOUND.replace('"line-1"', '"line-1"\ndata = "/var/lib/line-1"')
    assert loaded(tmp_path, SOUND).data == tmp_path / "data"
    assert loaded(tmp_path, absolute).data == Path("/var/lib/line-1")


def test_unknown_protocol_names_the_nearest(tmp_path: Path) -> None:
    message = refusal(tmp_path, SOUND.replace('"modbus"', '"modbuss"'))
    assert message.startswith('line.toml:7: source[1].type: "modbuss" is not one of ')
    assert message.endswith('; did you mean "modbus"?')


def test_environment_overrides_one_key(tmp_path: Path) -> None:
    environment = {
        "WHEELTAPPER__CONSOLE__PORT": "9000",
        "WHEELTAPPER__GATEWAY__DATA": "/srv/data",
        "OTHER__GATEWAY__DATA": "/elsewhere",
    }
    plan = loaded(tmp_path, SOUND, environment)
    assert (plan.console.port, plan.data) == (9000, Path("/srv/data"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "WHEELTAPPER__CONSOLE__PROT",
            "1",
            'unknown setting; did you mean "WHEELTAPPER__CONSOLE__PORT"?',
        ),
        ("WHEELTAPPER__CONSOLE__PORT", "high", 'expected a whole number, got "high"'),
    ],
)
def test_wrong_environment_is_named_by_its_variable(
    tmp_path: Path, name: str, value: str, message: str
) -> None:
    assert refusal(tmp_path, SOUND, {name: value}) == f"environment: {name}: {message}"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml", {})


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "line.toml"
    path.write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(Misconfigured, match="is not UTF-8 text"):
        load(path, {})


def test_date_does_not_pass_for_text(tmp_path: Path) -> None:
    message = refusal(tmp_path, SOUND.replace('"line-1"', "1979-05-27"))
    assert message == "line.toml:4: gateway.name: expected text in quotes, got 1979-05-27"


@pytest.mark.parametrize("number", ["nan", "inf", "-1.0"])
def test_impossible_number(tmp_path: Path, number: str) -> None:
    message = refusal(tmp_path, f"{SOUND}\n[detection]\nlearn_s = {number}\n")
    assert message.startswith("line.toml:17: detection.learn_s: ")


def test_table_where_text_belongs(tmp_path: Path) -> None:
    message = refusal(tmp_path, SOUND.replace('"127.0.0.1"', '{ ip = "127.0.0.1" }'))
    assert message == "line.toml:9: source[1].host: expected text in quotes, got a table"


def test_section_that_is_no_table(tmp_path: Path) -> None:
    message = refusal(tmp_path, SOUND.replace("version = 1", "version = 1\nconsole = 8080"))
    assert message == "line.toml:2: console: expected a table, got 8080"


def test_without_asset_tables_every_machine_is_judged(tmp_path: Path) -> None:
    plan = loaded(tmp_path, SOUND)
    assert [(asset.path, asset.signals) for asset in plan.assets] == [
        ("plant/press-1", ("plant/press-1/force",))
    ]


@pytest.mark.parametrize("key", ["tags", "source", "tag", "asset"])
def test_number_where_a_list_belongs(tmp_path: Path, key: str) -> None:
    message = refusal(tmp_path, f'version = 1\n{key} = 3\n[gateway]\nname = "g"\n')
    assert message == f"line.toml:2: {key}: expected a list, got 3"


def test_lists_in_lists_without_end(tmp_path: Path) -> None:
    message = refusal(tmp_path, f"a = {'[' * 3000}{']' * 3000}\n")
    assert message == "line.toml: lists or tables are nested too deep"


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (
            'source = "press"',
            'source = "press"\ntype = "text"',
            '11: tag[1].role: a text cannot be a signal; write role = "context"',
        ),
        (
            'source = "press"',
            'source = "press"\nlow = 9\nhigh = 2',
            "14: tag[1].low: 9 is not below high, 2",
        ),
        ("version = 1", 'version = "1"', '1: version: expected 1 without quotes, got "1"'),
        ('"127.0.0.1"', '""', "9: source[1].host: must not be empty"),
        ('"line-1"', '"line-1"\ndata = "line.toml"', '5: gateway.data: "line.toml" is a file'),
    ],
)
def test_mend_is_told(tmp_path: Path, was: str, now: str, told: str) -> None:
    assert f"line.toml:{told}" in refusal(tmp_path, SOUND.replace(was, now))


@pytest.mark.parametrize("role", ["mode", "trigger", "part"])
def test_second_tag_of_a_role_that_a_machine_has_once(tmp_path: Path, role: str) -> None:
    twins = "".join(
        f'[[tag]]\ntag = "plant/press-1/{name}"\nsource = "press"\n'
        f'address = "unit 1, holding {register}, uint16"\nrole = "{role}"\n'
        for name, register in (("a", 2), ("b", 3))
    )
    message = refusal(tmp_path, SOUND + twins)
    assert message.startswith(f'line.toml:24: tag[3].role: "plant/press-1" has its {role} from')


OF_ITS_MACHINE = SOUND.replace(
    "[[tag]]",
    """\
[console]
host = "0.0.0.0"

[models]
url = "http://central:8070"
root = "models/root.json"
keys = ["models/trainer.pub.pem"]

[setpoints]
keys = ["engineer.pub.pem"]
limits = "limits.toml"

[[source]]
type = "replay"
name = "pump"
file = "pump.csv"

[[tag]]""",
)


def test_what_only_the_machine_of_the_gateway_has_is_not_looked_for_elsewhere(
    tmp_path: Path,
) -> None:
    """Models are trained where the gateway has neither accounts nor keys nor recordings."""
    message = refusal(tmp_path, OF_ITS_MACHINE)
    for lacking in ("no account can log in", "root.json", "trainer.pub.pem", "engineer.pub.pem",
                    "limits.toml", "pump.csv"):  # fmt: skip
        assert lacking in message

    plan = load(tmp_path / "line.toml", {}, here=False)

    assert [tag.name for tag in plan.tags] == ["plant/press-1/force"]
    assert plan.models.root == tmp_path / "models/root.json"
