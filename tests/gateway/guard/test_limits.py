"""Limits are taken whole, or refused whole with the line of each mistake."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.guard.limits import MOST_BYTES, load_policy, read_policy, sign
from gateway.guard.policy import Fallback, Known, Limits, Policy, Proposer, Term
from plant.errors import Misconfigured
from plant.setpoints import Mode
from tests.gateway.guard.rig import (
    ALARM,
    HALT,
    KEY,
    KNOWN,
    LIMITS,
    RECIPE,
    RUN,
    SPEED,
    SWITCH,
    TEMP,
    WALL,
    policy_of,
)

OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ZONES = 'safety_zones = ["10.0.0.0/24", "192.168.7.0/24"]\n'
SETPOINT = LIMITS[LIMITS.index("[[setpoint]]") :]
DIGEST = "0123456789abcdef" * 4
LEAST: dict[str, dict[str, str]] = {
    "": {"serial": "1", "expires": "2030-01-01"},
    "[[proposer]]": {"name": '"p"', "token_sha256": f'"{DIGEST}"'},
    "[[setpoint]]": {
        "tag": f'"{SPEED}"', "unit": '"1/min"', "low": "40", "high": "60", "band": "0",
        "max_step": "0", "slope_per_min": "0", "drift_1h": "0", "drift_24h": "0", "deadband": "0",
        "tolerance": "0",
    },
}  # fmt: skip
"""What a file has to say at least."""
MOST = "1.79769e+308"
NUMBERS: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {
    ("", "serial"): (("1", "2147483648"), ("0", "2147483649")),
    ("", "clock_s"): (("0.1", "10"), ("0.0999", "10.001")),
    ("", "settle_s"): (("1", "3600"), ("0.999", "3600.1")),
    ("[[proposer]]", "per_hour"): (("1", "3600"), ("0", "3601")),
    ("[[setpoint]]", "low"): (("59.999", "-1e308"), ()),
    ("[[setpoint]]", "high"): (("40.001", "1e308"), ()),
    ("[[setpoint]]", "band"): (("0", "1.7976931348623157e308"), ("-0.001",)),
    ("[[setpoint]]", "max_step"): (("0",), ("-0.001",)),
    ("[[setpoint]]", "slope_per_min"): (("0", "1e308"), ("-0.001",)),
    ("[[setpoint]]", "drift_1h"): (("0",), ("-0.001",)),
    ("[[setpoint]]", "drift_24h"): (("0", "1e308"), ("-0.001",)),
    ("[[setpoint]]", "deadband"): (("0",), ("-0.001",)),
    ("[[setpoint]]", "tolerance"): (("0",), ("-0.001",)),
    ("[[setpoint]]", "persons"): (("1", "2"), ("0", "3")),
    ("[[setpoint]]", "follow_s"): (("1", "600"), ("0.999", "600.1")),
    ("[[setpoint]]", "interval_s"): (("1", "86400"), ("0.999", "86400.1")),
    ("[[setpoint]]", "fresh_s"): (("0.05", "3600"), ("0.0499", "3600.1")),
    ("[[setpoint]]", "operator_min"): (("0", "1440"), ("-0.001", "1440.1")),
    ("[[setpoint]]", "safe_value"): (("40", "60"), ()),
    ("[[setpoint]]", "hold_s"): (("0", "86400"), ("-0.001", "86400.1")),
    ("[[setpoint]]", "revert_s"): (("0", "86400"), ("-0.001", "86400.1")),
    ("[[setpoint]]", "proven_days"): (("1", "3650"), ("0.999", "3650.1")),
}
"""Of each number just inside at both ends, and just outside."""
INSIDE = [(*key, said) for key, (ends, _) in NUMBERS.items() for said in ends]
OUTSIDE = [(*key, said) for key, (_, beyond) in NUMBERS.items() for said in beyond]
SAID: dict[tuple[str, str], tuple[str, object]] = {
    ("", "expires"): ("2030-01-02", 1_893_542_400 * 10**9),
    ("", "mode"): ('"advisory"', Mode.ADVISORY),
    ("", "stop_tag"): (f'"{HALT}"', HALT),
    ("", "key_switch"): (f'"{SWITCH}"', SWITCH),
    ("[[proposer]]", "name"): ('"q"', "q"),
    ("[[proposer]]", "token_sha256"): (f'"{"f" * 64}"', "f" * 64),
    ("[[proposer]]", "tags"): (f'["{SPEED}"]', (SPEED,)),
    ("[[proposer]]", "models"): ('["a@1", "b@2"]', ("a@1", "b@2")),
    ("[[setpoint]]", "tag"): (f'"{RECIPE}"', RECIPE),
    ("[[setpoint]]", "unit"): ('"1/min"', "1/min"),
    ("[[setpoint]]", "mode"): ('"off"', Mode.OFF),
    ("[[setpoint]]", "block"): ('"unit 1, holding 100"', "unit 1, holding 100"),
    ("[[setpoint]]", "active"): (f'"{RECIPE}"', RECIPE),
    ("[[setpoint]]", "recipe"): (f'"{RECIPE}"', RECIPE),
    ("[[setpoint]]", "interlock"): (f'"{RUN} == 1"', ((Term(RUN, "==", 1.0),),)),
    ("[[setpoint]]", "requires"): (f'"{RUN} == 2"', ((Term(RUN, "==", 2.0),),)),
    ("[[setpoint]]", "alarms"): (f'["{ALARM}", "{RUN}"]', (ALARM, RUN)),
    ("[[setpoint]]", "fallback"): ('"release"', Fallback.RELEASE),
}
"""Of each other key something that it may say."""
WHAT = {
    **dict.fromkeys(NUMBERS, "a number"),
    **{(table, key): "a whole number" for table, key in NUMBERS
       if key in ("serial", "per_hour", "persons")},
    **dict.fromkeys(SAID, "a text"),
    ("", "expires"): "a date, as 2027-06-30",
    **{(table, key): "a tag" for table, key in SAID
       if key in ("stop_tag", "key_switch", "tag", "active", "recipe")},
    **{(table, key): "a list of texts" for table, key in SAID
       if key in ("tags", "models", "alarms")},
    ("", "safety_zones"): "a list of texts",
    **{("[[setpoint]]", key): "a condition" for key in ("interlock", "requires")},
    **{("[[setpoint]]", key): "true or false" for key in ("sis", "shared")},
}  # fmt: skip
OF_TYPE = {
    "a number": ("1", "1.5"), "a whole number": ("1",), "a text": ('"text"',), "a tag": ('"text"',),
    "a condition": ('"text"',), "a list of texts": ('["text"]', "[]"),
    "true or false": ("true", "false"), "a date, as 2027-06-30": ("2030-01-01",),
}  # fmt: skip
ALL_TYPES = (
    "1",
    "1.5",
    '"text"',
    '["text"]',
    "true",
    "false",
    "2030-01-01",
    "08:00:00",
    "{ a = 1 }",
)
EDGE = {
    "low": "40", "high": "60", "max_step": "20", "slope_per_min": "20", "drift_1h": "20",
    "drift_24h": "20", "deadband": "20", "tolerance": "10",
}  # fmt: skip
"""Each as far as the others let it."""
AUTO = {"mode": '"auto"', "block": '"unit 1, holding 100"', "hold_s": "1"}
CONTRADICTIONS: list[tuple[dict[str, str], str, str]] = [
    ({"low": "60"}, "low", "low = 60 is not below high = 60"),
    ({"low": "60.001"}, "low", "low = 60.001 is not below high = 60"),
    ({"high": "59.999"}, "max_step", "is more than the whole range, 19.999"),
    ({"low": "59.5"}, "max_step", "is more than the whole range, 0.5"),
    ({"drift_1h": "19.999"}, "max_step", "is more than drift_1h"),
    ({"slope_per_min": "19.999"}, "max_step", "is more than slope_per_min"),
    ({"drift_24h": "19.999"}, "drift_1h", "is more than drift_24h"),
    ({"deadband": "20.001"}, "deadband", "is more than max_step: nothing would pass"),
    ({"tolerance": "10.001"}, "tolerance", "is more than half the deadband"),
    ({"fallback": '"ramp_to_safe_value"'}, "safe_value", "is missing: the fallback ramps to it"),
    ({"safe_value": "39.999"}, "safe_value", "is outside low and high"),
    ({"safe_value": "60.001"}, "safe_value", "is outside low and high"),
    ({**AUTO, "block": '""'}, "block", "is missing: auto needs the block in the PLC"),
    ({**AUTO, "hold_s": "0"}, "hold_s", "is missing: auto needs to know when to fall back"),
    ({**AUTO, "persons": "2"}, "persons", "two people and auto contradict each other"),
]
LISTS = [key for key, what in WHAT.items() if what == "a list of texts"]
NEEDED = [(table, key) for table, keys in LEAST.items() for key in keys]


def text_of(table: str = "", **said: str) -> str:
    """Give the least that a file has to say, and something else in one table."""
    tables = {name: {**keys, **(said if name == table else {})} for name, keys in LEAST.items()}
    return "".join(
        f"{name}\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value)
        for name, keys in tables.items()
    )


def line_of(text: str, line: str) -> int:
    return text.splitlines().index(line) + 1


def piece(policy: Policy, table: str) -> Policy | Proposer | Limits:
    (proposer,), (limits,) = policy.proposers.values(), policy.limits.values()
    return {"": policy, "[[proposer]]": proposer, "[[setpoint]]": limits}[table]


PROPOSER = LIMITS[LIMITS.index("[[proposer]]") : LIMITS.index("[[setpoint]]")]


def refused(text: str, **said: object) -> str:
    content = sign(text.encode(), KEY)
    with pytest.raises(Misconfigured) as caught:
        read_policy(content, "limits.toml", [KEY.public_key()], KNOWN, WALL, **said)  # type: ignore[arg-type]
    return str(caught.value)


def test_what_is_right_is_taken() -> None:
    policy = policy_of()
    limits = policy.limits[SPEED]
    assert (policy.serial, policy.mode, policy.stop_tag, policy.key_switch) == (
        3, Mode.AUTO, HALT, SWITCH,
    )  # fmt: skip
    assert (policy.clock_s, policy.settle_s) == (2.0, 120.0)
    assert policy.expires == 1_893_456_000 * 10**9
    assert (limits.low, limits.high, limits.band, limits.max_step) == (40, 60, 6, 2)
    assert (limits.slope_per_min, limits.drift_1h, limits.drift_24h) == (3, 4, 8)
    assert (limits.deadband, limits.tolerance, limits.persons, limits.mode) == (
        0.5, 0.05, 1, Mode.APPROVE,
    )  # fmt: skip
    assert limits.interlock == (
        (Term(RUN, "==", 1.0), Term(TEMP, "<", 80.0)), (Term(RUN, "==", 2.0),),
    )  # fmt: skip
    assert limits.alarms == (ALARM,)
    assert limits.reads() == (SPEED, ALARM, RUN, TEMP, "l/c/loop")
    assert (limits.fallback, limits.hold_s, limits.revert_s) == (
        Fallback.RAMP_TO_LAST_GOOD, 1800, 600,
    )  # fmt: skip
    proposer = policy.proposers["speeds"]
    assert (proposer.tags, proposer.models, proposer.per_hour) == ((SPEED,), ("speeds@1",), 10)


BAD = {
    "sis": ("persons = 1", "sis = true", "sis: a safety-instrumented tag is never written"),
    "shared": ("persons = 1", "shared = true", "shared: another writer has it too"),
    "unknown tag": (f'tag = "{SPEED}"\nunit', 'tag = "l/c/sped"\nunit', 'did you mean "l/c/speed"'),
    "unknown unit": ('unit = "1/min"', 'unit = "Hz"', 'unit: "Hz" is not the unit of the tag'),
    "unknown key": ("persons = 1", "person = 1", 'person: is not known here; did you mean "perso'),
    "unknown interlock": (f"{RUN} == 1", "l/x == 1", 'interlock: "l/x" is no tag of the conf'),
    "no interlock": (f"{RUN} == 1", f"{RUN} = 1", 'interlock: "=" is none of < <='),
    "interlock of no number": ("< 80", "< hot", 'interlock: "hot" is no number'),
    "interlock of nan": ("< 80", "< nan", 'interlock: "nan" is no number'),
    "interlock of other joints": (" and ", " xor ", 'interlock: "xor" is neither and nor or'),
    "interlock in brackets": (f'"{RUN} == 1 and', f'"( {RUN} == 1 and', "interlock: "),
    "unknown alarm": (f'["{ALARM}"]', '["l/c/alrm"]', 'alarms: "l/c/alrm" is no tag'),
    "unknown stop tag": (f'stop_tag = "{HALT}"', 'stop_tag = "l/hold"', 'stop_tag: "l/hold" is'),
    "unknown switch": (f'key_switch = "{SWITCH}"', "key_switch = 1", "key_switch: is not a tag"),
    "unknown mode": ('"approve"', '"aprove"', 'mode: "aprove" is none of off, advisory, approve'),
    "unknown fallback": ("ramp_to_last_good", "ramp", 'fallback: "ramp" is none of hold_last'),
    "an infinite step": ("max_step = 2", "max_step = inf", "max_step: is not a number"),
    "expired": ("expires = 2030-01-01", "expires = 2027-01-01", "expires: it has expired on"),
    "no digest": ('token_sha256 = "', 'token_sha256 = "x', "token_sha256: is the SHA-256"),
    "proposer of a strange tag": (
        f'tags = ["{SPEED}"]', f'tags = ["{RUN}"]',
        f'limits.toml:10: tags: "{RUN}" is no setpoint here',
    ),
    "proposer with a strange key": ("per_hour = 10", "perhour = 10", "perhour: is not known here"),
    "setpoint no table": ("[[setpoint]]", "[setpoint]", "setpoint: is not written as [[setpoint]]"),
    "no toml": ("low = 40", "low = ", "not TOML"),
}  # fmt: skip


def test_what_is_not_said_is_the_least() -> None:
    limits = Limits(
        tag=SPEED, unit="1/min", low=40.0, high=60.0, band=0.0, max_step=0.0, slope_per_min=0.0,
        drift_1h=0.0, drift_24h=0.0, deadband=0.0, tolerance=0.0, mode=Mode.ADVISORY, persons=1,
        block="", active="", follow_s=10.0, recipe="", interval_s=60.0, fresh_s=2.0, interlock=(),
        requires=(), alarms=(), operator_min=10.0, fallback=Fallback.HOLD_LAST, safe_value=None,
        hold_s=0.0, revert_s=3600.0, proven_days=7.0,
    )  # fmt: skip
    proposer = Proposer(name="p", token_sha256=DIGEST, tags=(), models=(), per_hour=10)
    assert policy_of(text_of()) == Policy(
        serial=1, expires=1_893_456_000 * 10**9, signer=policy_of().signer, mode=Mode.OFF,
        limits={SPEED: limits}, proposers={"p": proposer}, stop_tag="", key_switch="",
        clock_s=2.0, settle_s=120.0, ways={SPEED: {}},
    )  # fmt: skip
    bare = policy_of("serial = 1\nexpires = 2030-01-01\n")
    assert (bare.limits, bare.proposers) == ({}, {})


@pytest.mark.parametrize(("table", "key", "said"), INSIDE)
def test_a_number_just_inside_is_taken(table: str, key: str, said: str) -> None:
    read = getattr(piece(policy_of(text_of(table, **{key: said})), table), key)
    assert read == float(said)
    assert isinstance(read, int) is (WHAT[table, key] == "a whole number")


@pytest.mark.parametrize(("table", "key", "said"), OUTSIDE)
def test_a_number_just_outside_is_refused_with_its_line(table: str, key: str, said: str) -> None:
    text = text_of(table, **{key: said})
    low, high = (*(f"{float(end):g}" for end in NUMBERS[table, key][0]), MOST)[:2]
    between = f"{float(said):g} is not between {low} and {high.replace('1e+308', MOST)}"
    assert f"limits.toml:{line_of(text, f'{key} = {said}')}: {key}: {between}" in refused(text)


@pytest.mark.parametrize(("table", "key"), SAID)
def test_what_a_key_may_say_is_taken(table: str, key: str) -> None:
    said, read = SAID[table, key]
    assert getattr(piece(policy_of(text_of(table, **{key: said})), table), key) == read


@pytest.mark.parametrize("table", LEAST)
@pytest.mark.parametrize("said", ALL_TYPES)
def test_another_type_is_refused_with_its_line(table: str, said: str) -> None:
    wrong = [
        key for (where, key), what in WHAT.items()
        if where == table and said not in OF_TYPE[what]
    ]  # fmt: skip
    text = text_of(table, **dict.fromkeys(wrong, said))
    assert wrong
    assert {
        f"limits.toml:{line_of(text, f'{key} = {said}')}: {key}: is not {WHAT[table, key]}"
        for key in wrong
    } <= set(refused(text).splitlines())


@pytest.mark.parametrize(("table", "key"), LISTS)
def test_a_list_of_something_else_is_refused(table: str, key: str) -> None:
    assert f"{key}: is not a list of texts" in refused(text_of(table, **{key: '["10.0.0.0/8", 1]'}))


@pytest.mark.parametrize(("table", "key"), NEEDED)
def test_what_is_needed_cannot_be_left_out(table: str, key: str) -> None:
    text = text_of(table, **{key: ""})
    assert f"limits.toml:{line_of(text, table)}: {key}: is missing: {WHAT[table, key]}" in refused(
        text
    )


@pytest.mark.parametrize("table", LEAST)
def test_an_unknown_key_is_named_with_its_line(table: str) -> None:
    text = text_of(table, odd="1")
    words = f"limits.toml:{line_of(text, 'odd = 1')}: odd: is not known here"
    assert refused(text).splitlines() == [words]


@pytest.mark.parametrize("key", ["sis", "shared"])
def test_a_mark_that_says_no_is_no_harm(key: str) -> None:
    assert policy_of(text_of("[[setpoint]]", **{key: "false"})) == policy_of(text_of())


def test_what_just_does_not_contradict_itself_is_taken() -> None:
    assert policy_of(text_of("[[setpoint]]", **EDGE)).limits[SPEED].tolerance == 10.0
    auto = {**EDGE, **AUTO, "hold_s": "0.001"}
    assert policy_of(text_of("[[setpoint]]", **auto)).limits[SPEED].mode is Mode.AUTO


@pytest.mark.parametrize(("changed", "key", "said"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused_with_its_line(
    changed: dict[str, str], key: str, said: str
) -> None:
    keys = {**EDGE, **changed}
    text = text_of("[[setpoint]]", **keys)
    line = line_of(text, f"{key} = {keys[key]}" if key in keys else "[[setpoint]]")
    assert refused(text) == f"limits.toml:{line}: {key}: {said}"


@pytest.mark.parametrize("key", ["low", "high", "max_step", "drift_1h", "deadband", "hold_s"])
def test_what_could_not_be_read_contradicts_nothing(key: str) -> None:
    assert len(refused(text_of("[[setpoint]]", **{key: "nan"})).splitlines()) == 1


@pytest.mark.parametrize(("old", "new", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    assert old in LIMITS
    text = LIMITS.replace(old, new, 1)
    words = refused(text)
    assert said in words
    assert all(re.match(r"limits\.toml:[1-9]\d*: ", line) for line in words.splitlines())


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("expires = 2030-01-01", "expires = 2020-01-01", 2),
        ("per_hour = 10", "per_hour = 0", 12),
        ("low = 40", "low = 61", 17),
        ("persons = 1", "sis = true", 27),
        (f'["{ALARM}"]', '["l/c/alrm"]', 32),
    ],
)
def test_the_line_is_the_one_of_the_mistake(old: str, new: str, line: int) -> None:
    assert LIMITS.splitlines()[line - 1].endswith(old.splitlines()[-1])
    assert refused(LIMITS.replace(old, new, 1)).startswith(f"limits.toml:{line}: ")


def sized(size: int) -> bytes:
    """Give a signed file of so many bytes."""
    return sign(b"#" * (size - len(sign(b"", KEY))), KEY)


def test_each_mistake_is_named_in_one_go() -> None:
    text = LIMITS.replace("low = 40", "low = 99").replace("persons = 1", "persons = 7")
    assert len(refused(text).splitlines()) == 2


def test_twice_the_same() -> None:
    twice = f'limits.toml:37: setpoint: "{SPEED}" is there twice'
    assert twice in refused(LIMITS + SETPOINT).splitlines()
    assert refused(LIMITS + PROPOSER) == 'limits.toml:37: proposer: "speeds" is there twice'


def test_what_is_missing_in_the_second_table_is_told_of_the_second() -> None:
    second = SETPOINT.replace("low = 40\n", "")
    assert "limits.toml:37: low: is missing: a number" in refused(LIMITS + second).splitlines()


@pytest.mark.parametrize("key", ["setpoint", "proposer"])
@pytest.mark.parametrize("said", ["[{ a = 1 }, 1]", "{ a = 1 }", "1"])
def test_what_is_no_row_of_tables(key: str, said: str) -> None:
    text = f"serial = 1\nexpires = 2030-01-01\n{key} = {said}\n"
    assert refused(text) == f"limits.toml:3: {key}: is not written as [[{key}]]"


def test_a_moment_with_a_zone_and_one_without() -> None:
    for said in ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00", "2030-01-01T01:00:00+01:00"):
        text = LIMITS.replace("2030-01-01", said)
        assert policy_of(text).expires == 1_893_456_000 * 10**9
    assert "it has expired" in refused(LIMITS.replace("2030-01-01", "2027-01-15T08:00:00Z"))


def test_an_older_serial_is_refused_and_the_same_one_taken() -> None:
    older = "limits.toml:1: serial: 3 is older than 4, which was in force before"
    assert refused(LIMITS, serial=4) == older
    content = sign(LIMITS.encode(), KEY)
    assert read_policy(content, "l", [KEY.public_key()], KNOWN, WALL, serial=3).serial == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LIMITS.encode(), "limits.toml:36: is not signed"),
        (sign(LIMITS.encode(), OTHER), "limits.toml:37: changed since it was signed"),
        (sign(LIMITS.encode(), KEY).replace(b"high = 60", b"high = 66"), "changed since"),
        (sign(LIMITS.encode(), KEY) + b"# more\n", "or something follows its signature"),
        (sign(LIMITS.encode(), KEY)[:-1], "is not signed"),
        (sign(b"\xff\n", KEY), "limits.toml: is no UTF-8 text"),
        (sized(MOST_BYTES), "limits.toml:1: serial: is missing"),
        (sized(MOST_BYTES + 1), "limits.toml: is larger than 1,000,000 bytes"),
        (sign(b"serial = " + b"1" * 5000, KEY), "limits.toml: not TOML: "),
    ],
)
def test_what_nobody_signed_is_not_even_read(content: bytes, said: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(said)):
        read_policy(content, "limits.toml", [KEY.public_key()], KNOWN, WALL)


def test_without_keys_nothing_is_believed() -> None:
    with pytest.raises(Misconfigured, match="none is configured"):
        read_policy(sign(LIMITS.encode(), KEY), "limits.toml", [], KNOWN, WALL)


def test_one_of_two_keys_is_enough_and_signing_again_replaces() -> None:
    twice = sign(sign(LIMITS.encode(), OTHER), KEY)
    assert twice == sign(LIMITS.encode(), KEY)
    assert sign(LIMITS.rstrip("\n").encode(), KEY) == twice
    keys = [OTHER.public_key(), KEY.public_key()]
    assert read_policy(twice, "l", keys, KNOWN, WALL).signer == policy_of().signer


def test_setpoints_in_a_zone_of_the_safety_system() -> None:
    within = "limits.toml:16: tag: its device, 10.0.0.7, is in a zone of the safety system"
    assert refused(ZONES + LIMITS) == within
    unknown = LIMITS.replace(f'tag = "{SPEED}"\nunit', 'tag = "l/x"\nunit', 1)
    assert '"l/x" is no tag of the configuration' in refused(ZONES + unknown)
    other = ZONES.replace("10.0.0.0/24", "10.0.1.0/24")
    assert policy_of(other + LIMITS).limits
    known = {tag: Known(one.unit, "plc", "plc.north") for tag, one in KNOWN.items()}
    content = sign((ZONES + LIMITS).encode(), KEY)
    with pytest.raises(Misconfigured, match=r'is at "plc.north"; beside safety zones only an IP'):
        read_policy(content, "l", [KEY.public_key()], known, WALL)
    assert "is no network" in refused(ZONES.replace("10.0.0.0/24", "10.0.0.7/24") + LIMITS)


def test_a_safety_zone_holds_however_its_address_is_written() -> None:
    known = {**KNOWN, SPEED: Known("1/min", "plc", "::ffff:10.0.0.7")}
    content = sign((ZONES + LIMITS).encode(), KEY)
    with pytest.raises(Misconfigured, match="is in a zone of the safety system"):
        read_policy(content, "l", [KEY.public_key()], known, WALL)


def test_a_number_of_any_length_is_refused_with_its_line() -> None:
    assert "high: is not a number" in refused(LIMITS.replace("high = 60", f"high = {10**400}"))


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        load_policy(file, [KEY.public_key()], KNOWN, WALL)
    file.write_bytes(sign(LIMITS.encode(), KEY))
    assert load_policy(file, [KEY.public_key()], KNOWN, WALL).serial == 3
    file.write_bytes(b"#" * (MOST_BYTES + 10))
    with pytest.raises(Misconfigured, match="is larger than"):
        load_policy(file, [KEY.public_key()], KNOWN, WALL)


@pytest.mark.parametrize("name", ["guard", "Guard"])
def test_nobody_bears_the_name_of_the_guard(name: str) -> None:
    said = refused(text_of("[[proposer]]", name=f'"{name}"'))
    assert f'"{name}" is the guard\'s own name' in said
