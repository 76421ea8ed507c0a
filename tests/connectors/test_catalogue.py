import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

import connectors
from connectors.catalogue import (
    SinkConfig,
    SourceConfig,
    WriteAccess,
    build,
    build_actuator,
    build_sink,
    check_addresses,
    embedded,
)
from connectors.contract import Actuator, Outlet, Sink, Source
from plant.errors import Misconfigured
from plant.tags import Tag, TagHandle

CONFIGS: dict[str, dict[str, Any]] = {
    "modbus": {"host": "127.0.0.1"},
    "opcua": {"url": "opc.tcp://127.0.0.1:4840/", "security": "none"},
    "replay": {"file": "recording.csv"},
}
ADDRESSES = {
    "modbus": "unit 1, holding 0, int16",
    "opcua": "nsu=urn:plant:plc;s=Line1.Flow",
    "replay": "flow",
}
READER: TypeAdapter[SourceConfig] = TypeAdapter(SourceConfig)


def config(kind: str) -> SourceConfig:
    return READER.validate_python({"type": kind, "name": "door", **CONFIGS[kind]})


def tag(address: str, source: str = "door") -> Tag:
    return Tag(name="site/area/line/pump-1/flow", source=source, address=address)


@pytest.mark.parametrize("kind", CONFIGS)
def test_builds_what_the_type_says(kind: str) -> None:
    source = build(config(kind), [TagHandle(4, tag(ADDRESSES[kind]))])
    assert isinstance(source, Source)
    assert type(source).__module__ == f"connectors.{kind}.source"
    assert source.name == "door"


STORES: dict[str, dict[str, Any]] = {
    "influx": {"url": "http://127.0.0.1:8086", "org": "works"},
    "sqlite": {},
}
STORE: TypeAdapter[SinkConfig] = TypeAdapter(SinkConfig)


def store(kind: str) -> SinkConfig:
    return STORE.validate_python({"type": kind, "name": "store", **STORES[kind]})


@pytest.mark.parametrize("kind", STORES)
def test_builds_the_store_that_the_type_says(kind: str, tmp_path: Path) -> None:
    sink = build_sink(store(kind), [TagHandle(4, tag("x"))], "line-1", tmp_path)
    assert isinstance(sink, Sink)
    assert type(sink).__module__ == f"connectors.{kind}.sink"
    assert sink.name == "store"


def test_a_history_is_kept_here_unless_one_of_its_kind_is_configured() -> None:
    assert [one.name for one in embedded([store("influx")])] == ["history"]
    assert embedded([store("sqlite")]) == ()


def test_every_connector_with_a_config_is_in_it() -> None:
    folders = Path(connectors.__file__).parent.glob("*/config.py")
    unions = [get_args(entry)[0] for entry in (SourceConfig, SinkConfig)]
    listed = {m.model_fields["type"].default for union in unions for m in get_args(union)}
    assert listed == {folder.parent.name for folder in folders}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_tag_of_another_source_is_not_its_business(kind: str) -> None:
    check_addresses(config(kind), [tag("", source="another")])
    build(config(kind), [TagHandle(1, tag("nonsense", source="another"))])


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_right_address_passes(kind: str) -> None:
    check_addresses(config(kind), [tag(ADDRESSES[kind])])


@pytest.mark.parametrize(
    ("kind", "address"),
    [("modbus", "unit 1, holding x, int16"), ("opcua", "ns=2;s=Line1.Flow"), ("replay", "")],
)
def test_a_wrong_address_names_its_tag(kind: str, address: str) -> None:
    with pytest.raises(Misconfigured, match="tag site/area/line/pump-1/flow:"):
        check_addresses(config(kind), [tag(address)])


@pytest.mark.parametrize("wrong", [{"type": "modbuss"}, {}])
def test_an_unknown_type_is_refused_with_the_known_ones(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="type"):
        READER.validate_python({"name": "door", "host": "127.0.0.1", **wrong})


def test_no_protocol_library_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, connectors.catalogue;"
        "print({'asyncua', 'pymodbus', 'cryptography', 'influxdb_client'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout == "set()\n", printed.stderr


@pytest.mark.parametrize("kind", ["modbus", "opcua"])
def test_builds_the_actuator_of_a_device(kind: str) -> None:
    own, strange = tag(ADDRESSES[kind]), tag("nonsense", "another")
    outlets = [Outlet(tag=own), Outlet(tag=strange)]
    actuator = build_actuator(config(kind), [own, strange], outlets)
    assert isinstance(actuator, Actuator)
    assert actuator.name == "door"


def test_a_recording_takes_no_setpoints() -> None:
    with pytest.raises(Misconfigured, match="a recording takes no setpoints"):
        build_actuator(config("replay"), [], [])


@pytest.mark.parametrize(
    ("more", "outlet"),
    [
        ({"transport": "rtu", "device": "/dev/null", "host": None}, "unit 1, holding 0, int16"),
        ({"transport": "rtu-over-tcp"}, "unit 1, holding 0, int16"),
    ],
)
def test_a_serial_line_carries_no_setpoints(more: dict[str, Any], outlet: str) -> None:
    words = {"type": "modbus", "name": "door", **CONFIGS["modbus"], **more}
    given = {key: value for key, value in words.items() if value is not None}
    with pytest.raises(Misconfigured, match="carries no setpoints"):
        build_actuator(READER.validate_python(given), [], [Outlet(tag=tag(outlet))])


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        ("modbus", "unit 1, input 0"),
        ("modbus", "unit 1, holding 65520"),
        ("modbus", "holding 1"),
        ("opcua", "ns=2;s=Block"),
    ],
)
def test_a_wrong_block_names_its_tag(kind: str, block: str) -> None:
    outlet = Outlet(tag=tag(ADDRESSES[kind]), block=block)
    with pytest.raises(Misconfigured, match="site/area/line/pump-1/flow"):
        build_actuator(config(kind), [], [outlet])


def test_an_element_of_an_array_is_not_set_alone() -> None:
    outlet = Outlet(tag=tag("nsu=urn:plant:plc;s=Line1.Zones;[2]"))
    with pytest.raises(Misconfigured, match="cannot be set alone"):
        build_actuator(config("opcua"), [], [outlet])


def test_credentials_that_do_not_fit_are_refused() -> None:
    access = WriteAccess(user="writer", password_file=Path("secret"))
    with pytest.raises(Misconfigured, match="credentials that may write do not fit"):
        build_actuator(config("opcua"), [], [], access)
    with pytest.raises(Misconfigured, match="user"):
        build_actuator(config("modbus"), [], [], access)
