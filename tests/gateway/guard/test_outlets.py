"""Where a tag leads is signed with the limits: who changes the configuration redirects nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.config.loader import load
from gateway.guard.limits import load_policy, sign
from gateway.guard.outlets import cells, dated, written
from gateway.guard.policy import Policy
from gateway.guard.starting import known_tags, sealed
from plant.errors import Misconfigured
from tests.gateway.guard.rig import KEY, NUMBERS, WALL
from wheeltapper.app import app

CONFIG = """\
version = 1
[gateway]
name = "line-1"

[[source]]
type = "modbus"
name = "plc"
host = "10.0.0.5"

[[source]]
type = "modbus"
name = "twin"
host = "10.0.0.5"
port = 502

[[source]]
type = "opcua"
name = "cell"
url = "opc.tcp://10.0.0.6:4840/a"
security = "none"

[[tag]]
tag = "l/c/speed"
source = "plc"
address = "unit 1, holding 0, int32"
unit = "1/min"
scale = 0.05

[[tag]]
tag = "l/c/running"
source = "plc"
address = "unit 2, holding 0, int32"

[[tag]]
tag = "l/c/hot"
source = "plc"
address = "unit 2, holding 2, float32"

[[tag]]
tag = "l/c/stop"
source = "cell"
address = "nsu=urn:x;s=Stop"

[[tag]]
tag = "l/c/other"
source = "twin"
address = "unit 1, HOLDING 1, int16"
unit = "1/min"

[[tag]]
tag = "l/c/flow"
source = "cell"
address = "nsu=urn:x;s=Flow"
unit = "1/min"

[[tag]]
tag = "l/c/stream"
source = "cell"
address = "nsu=urn:x;s=Flow"
unit = "1/min"
"""
NEEDED = f'\n{NUMBERS}unit = "1/min"\n'
HEAD = 'serial = 1\nexpires = 2030-01-01\nstop_tag = "l/c/stop"\n'
SETPOINT = f'\n[[setpoint]]\ntag = "l/c/speed"{NEEDED}interlock = "l/c/running == 1"\n'


def config(folder: Path, text: str = CONFIG) -> Path:
    file = folder / "plant.toml"
    file.write_text(text)
    return file


def signed(folder: Path, text: str = HEAD + SETPOINT, config_text: str = CONFIG) -> bytes:
    return sealed(text.encode(), "limits.toml", KEY, load(config(folder, config_text)), WALL)


def taken(folder: Path, content: bytes, text: str = CONFIG) -> Policy:
    limits = folder / "limits.toml"
    limits.write_bytes(content)
    plan = load(config(folder, text))
    return load_policy(limits, [KEY.public_key()], known_tags(plan), WALL)


def test_what_was_signed_is_taken_and_says_when(tmp_path: Path) -> None:
    content = signed(tmp_path)
    policy = taken(tmp_path, content)
    assert policy.signed_at == WALL
    assert set(policy.ways) == {"l/c/speed", "l/c/running", "l/c/stop"}
    assert b'endpoint = "10.0.0.5:502", address = "unit 1, holding 0, int32"' in content


def test_signing_again_replaces_it_and_keeps_what_was_written_behind_it(tmp_path: Path) -> None:
    once = signed(tmp_path)
    assert signed(tmp_path, once.decode()) == once
    more = once.rpartition(b"# signed")[0].decode() + '\n[[proposer]]\nname = "a"\n'
    with pytest.raises(Misconfigured, match=r"limits\.toml:\d+: token_sha256: is missing"):
        signed(tmp_path, more)


def test_a_table_behind_it_is_kept_however_far_it_is_indented(tmp_path: Path) -> None:
    once = signed(tmp_path).rpartition(b"# signed")[0].decode()
    more = once + SETPOINT.replace("[[setpoint]]", "  [[setpoint]]").replace("speed", "flow")
    assert set(taken(tmp_path, signed(tmp_path, more)).limits) == {"l/c/speed", "l/c/flow"}


CHANGES = {
    "address": ('address = "unit 1, holding 0, int32"', 'address = "unit 1, holding 8, int32"',
                "l/c/speed", 'address "unit 1, holding 0, int32" was signed, "unit 1, holding 8'),
    "order": ("holding 0, int32\"\nunit", "holding 0, int32 cdab\"\nunit", "l/c/speed", "address"),
    "type": ('"l/c/speed"\n', '"l/c/speed"\ntype = "int32"\n', "l/c/speed",
             'type none was signed, "int32" is configured'),
    "scale": ("scale = 0.05", "scale = 0.5", "l/c/speed", "scale 0.05 was signed, 0.5 is"),
    "offset": ("scale = 0.05", "scale = 0.05\noffset = 1", "l/c/speed", "offset 0.0 was signed"),
    "host": ('name = "plc"\nhost = "10.0.0.5"', 'name = "plc"\nhost = "10.0.0.9"', "l/c/speed",
             'endpoint "10.0.0.5:502" was signed, "10.0.0.9:502" is configured'),
    "port": ('name = "plc"\n', 'name = "plc"\nport = 503\n', "l/c/running", "endpoint"),
    "device": ('"l/c/running"\nsource = "plc"', '"l/c/running"\nsource = "twin"', "l/c/running",
               'device "plc" was signed, "twin" is configured'),
    "interlock": ("unit 2, holding 0, int32", "unit 2, holding 4, int32", "l/c/running", "address"),
    "node": ("s=Stop", "s=Go", "l/c/stop", "address"),
    "url": ("10.0.0.6:4840/a", "10.0.0.7:4840/a", "l/c/stop", "endpoint"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "tag", "said"), CHANGES.values(), ids=CHANGES)
def test_a_configuration_that_leads_elsewhere_is_refused_and_says_what(
    tmp_path: Path, old: str, new: str, tag: str, said: str
) -> None:
    assert old in CONFIG
    content = signed(tmp_path)
    with pytest.raises(Misconfigured) as caught:
        taken(tmp_path, content, CONFIG.replace(old, new, 1))
    words = str(caught.value)
    assert re.search(rf"limits\.toml:\d+: {tag}: leads elsewhere than was signed: ", words)
    assert said in words
    assert "setpoints sign LIMITS --key KEY --config CONFIG" in words


TLS = (
    'host = "10.0.0.5"\n\n[[source]]\ntype = "modbus"\nname = "twin"',
    'host = "10.0.0.5"\ntransport = "tls"\nca = "ca.pem"\ncertificate = "own.pem"\n'
    'key = "own.key"\n{pin}\n[[source]]\ntype = "modbus"\nname = "twin"',
    "ca_sha256",
)
OPCUA = ('security = "none"', 'trust = "pki"\n{pin}', "server_thumbprint")
PINS = pytest.mark.parametrize(
    ("old", "new", "key", "tag", "device"),
    [(*TLS, "l/c/running", "plc"), (*OPCUA, "l/c/stop", "cell")],
)


@PINS
def test_who_is_at_the_end_of_a_secured_way_is_signed(
    tmp_path: Path, old: str, new: str, key: str, tag: str, device: str
) -> None:
    assert old in CONFIG
    kept, other = (CONFIG.replace(old, new.format(pin=f'{key} = "{digit * 64}"')) for digit in "ab")
    content = signed(tmp_path, config_text=kept)
    assert taken(tmp_path, content, kept).ways[tag][key] == "a" * 64
    for text in (other, CONFIG.replace(old, new.format(pin=""))):
        with pytest.raises(Misconfigured, match=f'{tag}: leads elsewhere.*{key} "aaaa'):
            taken(tmp_path, content, text)


@PINS
def test_a_secured_way_that_does_not_say_who_is_at_its_end_is_not_signed(
    tmp_path: Path, old: str, new: str, key: str, tag: str, device: str
) -> None:
    words = rf'{tag}: others .* could stand there: write {key} = "…" into source "{device}"'
    with pytest.raises(Misconfigured, match=words):
        signed(tmp_path, config_text=CONFIG.replace(old, new.format(pin="")))


def test_what_names_no_setpoint_may_change(tmp_path: Path) -> None:
    content = signed(tmp_path)
    assert taken(tmp_path, content, CONFIG.replace("holding 2, float32", "holding 6, float32"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: HEAD + SETPOINT, "where it leads was not signed: have them signed again"),
        (lambda text: re.sub(r'^"l/c/running" = .*\n', "", text, flags=re.MULTILINE),
         "l/c/running: where it leads was not signed"),
        (lambda text: text + '"l/c/hot" = { device = "plc" }\n', "is not named by these limits"),
        (lambda text: text.replace("at = 2027", "on = 2027"), "leave it to setpoints sign"),
        (lambda text: re.sub(r"at = \S+", "at = 7", text), "leave it to setpoints sign"),
        (lambda text: re.sub(r'^"l/c/stop" = .*', '"l/c/stop" = 7', text, flags=re.MULTILINE),
         "leads elsewhere than was signed"),
        (lambda text: HEAD + "signed = 7\n" + SETPOINT, "leave it to setpoints sign"),
    ],
)  # fmt: skip
def test_what_does_not_say_where_all_of_it_leads_is_refused(
    tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    text = signed(tmp_path).rpartition(b"# signed")[0].decode()
    with pytest.raises(Misconfigured, match=said):
        taken(tmp_path, sign(change(text).encode(), KEY))


def test_limits_are_not_signed_without_it(tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text(HEAD + SETPOINT)
    key = tmp_path / "engineer.key"

    def ran(*words: str) -> str:
        ended = CliRunner().invoke(app, ["setpoints", *words])
        return ended.stdout + str(ended.exception or "")

    ran("key", str(key))
    words = ran("sign", str(limits), "--key", str(key))
    assert "sign them with --config CONFIG" in words
    assert limits.read_text() == HEAD + SETPOINT
    file = str(config(tmp_path))
    assert "fits the configuration" in ran("sign", str(limits), "--key", str(key), "--config", file)
    before = limits.read_bytes()
    config(tmp_path, CONFIG.replace("unit 1, holding 0,", "unit 1, holding 8,"))
    words = ran("sign", str(limits), "--key", str(key), "--config", file)
    assert 'address "unit 1, holding 0, int32" before, "unit 1, holding 8, int32" now' in words
    assert "not held against" in ran("sign", str(limits), "--key", str(key))
    assert limits.read_bytes().count(b"\n") == before.count(b"\n")


def test_signing_again_without_a_configuration_says_when() -> None:
    text = written("serial = 1\n", [], {}, WALL)
    later = dated(text, WALL + 60 * 10**9)
    assert ("at = 2027-01-15T08:00:00Z" in text, "at = 2027-01-15T08:01:00Z" in later) == (
        True, True,
    )  # fmt: skip


def twice(tag: str, more: str = "") -> str:
    return f'\n[[setpoint]]\ntag = "{tag}"{NEEDED}{more}\n'


@pytest.mark.parametrize(
    ("text", "tag", "before"),
    [
        (HEAD + SETPOINT + twice("l/c/other"), "l/c/other", "l/c/speed"),
        (HEAD + twice("l/c/flow") + twice("l/c/stream"), "l/c/stream", "l/c/flow"),
        (
            HEAD + SETPOINT + twice("l/c/flow", 'block = "b"') + twice("l/c/stream", 'block = "b"'),
            "l/c/stream",
            "l/c/flow",
        ),
        (
            HEAD + twice("l/c/other") + twice("l/c/speed", 'block = "unit 1, holding 1"'),
            "l/c/speed",
            "l/c/other",
        ),
    ],
)
def test_one_place_under_two_names_is_refused(
    tmp_path: Path, text: str, tag: str, before: str
) -> None:
    line = text.splitlines().index(f'tag = "{tag}"') + 1
    words = rf"^limits\.toml:{line}: tag: it is written at the same place as {before}"
    with pytest.raises(Misconfigured, match=words):
        signed(tmp_path, text.replace('"b"', '"nsu=urn:x;s=B"'))


def test_setpoints_beside_each_other_are_taken(tmp_path: Path) -> None:
    text = HEAD + twice("l/c/speed") + twice("l/c/flow") + twice("l/c/stream", 'block = "b"')
    content = signed(tmp_path, text.replace('"b"', '"nsu=urn:x;s=B"'))
    assert len(taken(tmp_path, content).limits) == 3


def test_bits_of_one_register_are_places_of_their_own() -> None:
    way = {"protocol": "modbus tcp", "endpoint": "a:502"}
    first, second, whole = (
        cells({**way, "address": f"unit 1, {place}"})
        for place in ("holding 7.1, bool", "holding 7.2, bool", "holding 7, int16")
    )
    assert (first & second, bool(first & whole)) == (frozenset(), True)
    assert cells({**way, "address": "nonsense"}) == frozenset()
