"""Limits are taken whole, or refused whole with the line of each mistake."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.guard.policy import (
    MOST_BYTES,
    MOST_TERMS,
    Fallback,
    Known,
    Term,
    condition,
    load_policy,
    lowest,
    read_policy,
    sign,
)
from plant.errors import Misconfigured
from plant.setpoints import Mode
from tests.gateway.guard.rig import (
    ALARM,
    HALT,
    KEY,
    KNOWN,
    LIMITS,
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


def test_what_is_not_said_is_the_least() -> None:
    lines = LIMITS[LIMITS.index("[[setpoint]]") :].splitlines()
    needed = [one for one in lines if one.split(" ")[0] in NEEDED or one.startswith("[[")]
    policy = policy_of("serial = 1\nexpires = 2030-01-01\n" + "\n".join(needed))
    limits = policy.limits[SPEED]
    assert (policy.mode, limits.mode, limits.persons) == (Mode.OFF, Mode.ADVISORY, 1)
    assert (limits.interval_s, limits.fresh_s, limits.operator_min) == (60, 2, 10)
    assert (limits.block, limits.active, limits.recipe, limits.follow_s) == ("", "", "", 10)
    assert (limits.fallback, limits.hold_s, limits.revert_s, limits.proven_days) == (
        Fallback.HOLD_LAST, 0, 3600, 7,
    )  # fmt: skip
    assert (limits.safe_value, limits.interlock, limits.requires, limits.alarms) == (
        None, (), (), (),
    )  # fmt: skip


NEEDED = (
    "tag", "unit", "low", "high", "band", "max_step", "slope_per_min", "drift_1h", "drift_24h",
    "deadband", "tolerance",
)  # fmt: skip
BAD = {
    "low above high": ("low = 40", "low = 61", "low: low = 61 is not below high = 60"),
    "low at high": ("low = 40", "low = 60", "low: low = 60 is not below"),
    "step over range": ("max_step = 2", "max_step = 21", "max_step: is more than the whole range"),
    "step over drift": ("drift_1h = 4", "drift_1h = 1.9", "max_step: is more than drift_1h"),
    "step over slope": ("slope_per_min = 3", "slope_per_min = 1", "max_step: is more than slope"),
    "hour over day": ("drift_24h = 8", "drift_24h = 3.9", "drift_1h: is more than drift_24h"),
    "deadband over step": ("deadband = 0.5", "deadband = 2.1", "deadband: is more than max_step"),
    "tolerance": ("tolerance = 0.05", "tolerance = 0.26", "tolerance: is more than half"),
    "no safe value": ("ramp_to_last_good", "ramp_to_safe_value", "safe_value: is missing"),
    "safe value outside": ("hold_s = 1800", "safe_value = 39", "safe_value: is outside"),
    "safe value above": ("hold_s = 1800", "safe_value = 61", "safe_value: is outside"),
    "auto without block": ('mode = "approve"', 'mode = "auto"', "block: is missing: auto needs"),
    "auto without hold": (
        'mode = "approve"\npersons = 1\ninterval_s = 60',
        'mode = "auto"\nblock = "b"\nhold_s = 0\ninterval_s = 60',
        "TWICE",
    ),
    "persons": ("persons = 1", "persons = 3", "persons: 3 is not between 1 and 2"),
    "half a person": ("persons = 1", "persons = 1.5", "persons: 1.5 is no whole number"),
    "nobody": ("persons = 1", "persons = 0", "persons: 0 is not between"),
    "sis": ("persons = 1", "sis = true", "sis: a safety-instrumented tag is never written"),
    "sis in words": ("persons = 1", 'sis = "no"', "sis: a safety-instrumented"),
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
    "interlock no text": (f'interlock = "{RUN} == 1 and {TEMP} < 80 or {RUN} == 2"',
                          "interlock = true", "interlock: is no"),
    "unknown alarm": (f'["{ALARM}"]', '["l/c/alrm"]', 'alarms: "l/c/alrm" is no tag'),
    "alarms no list": (f'["{ALARM}"]', f'"{ALARM}"', "alarms: is no list of texts"),
    "unknown stop tag": (f'stop_tag = "{HALT}"', 'stop_tag = "l/hold"', 'stop_tag: "l/hold" is'),
    "unknown switch": (f'key_switch = "{SWITCH}"', "key_switch = 1", 'key_switch: "1" is no tag'),
    "unknown mode": ('"approve"', '"aprove"', 'mode: "aprove" is none of off, advisory, approve'),
    "unknown fallback": ("ramp_to_last_good", "ramp", 'fallback: "ramp" is none of hold_last'),
    "a limit of nan": ("low = 40", "low = nan", "low: is missing or no number"),
    "a limit in words": ("low = 40", 'low = "40"', "low: is missing or no number"),
    "a limit that is true": ("high = 60", "high = true", "high: is missing or no number"),
    "an infinite step": ("max_step = 2", "max_step = inf", "max_step: is missing or no number"),
    "a step backwards": ("max_step = 2", "max_step = -1", "max_step: -1 is not between"),
    "interval": ("interval_s = 60", "interval_s = 0.5", "interval_s: 0.5 is not between 1"),
    "expired": ("expires = 2030-01-01", "expires = 2027-01-01", "expires: it has expired on"),
    "no date": ("expires = 2030-01-01", 'expires = "soon"', "expires: is missing or no date"),
    "no serial": ("serial = 3", "", "serial: is missing or no number"),
    "no digest": ('token_sha256 = "', 'token_sha256 = "x', "token_sha256: is the SHA-256"),
    "proposer of a strange tag": (f'tags = ["{SPEED}"]', f'tags = ["{RUN}"]', "is no setpoint"),
    "proposer with a strange key": ("per_hour = 10", "perhour = 10", "perhour: is not known here"),
    "too many an hour": ("per_hour = 10", "per_hour = 3601", "per_hour: 3601 is not between"),
    "setpoint no table": ("[[setpoint]]", "[setpoint]", "setpoint: is written as [[setpoint]]"),
    "no toml": ("low = 40", "low = ", "not TOML"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    assert old in LIMITS
    text = LIMITS.replace(old, new, 1)
    words = refused(text)
    assert said.replace("TWICE", "not TOML") in words
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


@pytest.mark.parametrize("key", NEEDED)
def test_no_limit_can_be_left_out(key: str) -> None:
    text = re.sub(rf"^{key} = .*\n", "", SETPOINT, flags=re.MULTILINE)
    head = "serial = 3\nexpires = 2030-01-01\n\n"
    words = refused(head + text)
    assert f"limits.toml:4: {key}: " in words


def test_each_mistake_is_named_in_one_go() -> None:
    text = LIMITS.replace("low = 40", "low = 99").replace("persons = 1", "persons = 7")
    assert len(refused(text).splitlines()) == 3


def test_auto_with_two_people_or_nothing_to_fall_back_on() -> None:
    auto = LIMITS.replace('mode = "approve"', 'mode = "auto"\nblock = "unit 1, holding 100"')
    assert policy_of(auto).limits[SPEED].block == "unit 1, holding 100"
    assert "contradict each other" in refused(auto.replace("persons = 1", "persons = 2"))
    assert "hold_s: is missing" in refused(auto.replace("hold_s = 1800", "hold_s = 0"))


def test_twice_the_same() -> None:
    assert f'"{SPEED}" is there twice' in refused(LIMITS + SETPOINT)
    assert '"speeds" is there twice' in refused(LIMITS + PROPOSER)
    assert "limits.toml:37: setpoint:" in refused(LIMITS + SETPOINT)


def test_a_moment_with_a_zone_and_one_without() -> None:
    for said in ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00", "2030-01-01T01:00:00+01:00"):
        text = LIMITS.replace("2030-01-01", said)
        assert policy_of(text).expires == 1_893_456_000 * 10**9
    assert "it has expired" in refused(LIMITS.replace("2030-01-01", "2027-01-15T08:00:00Z"))


def test_an_older_serial_is_refused_and_the_same_one_taken() -> None:
    assert "3 is older than 4" in refused(LIMITS, serial=4)
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
        (sign(b"\xff\n", KEY), "is no UTF-8 text"),
        (sign(b"# " + b"x" * MOST_BYTES, KEY), "is larger than 1,000,000 bytes"),
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
    assert "10.0.0.7, is in a zone of the safety system" in refused(ZONES + LIMITS)
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
    assert "high: is missing or no number" in refused(
        LIMITS.replace("high = 60", f"high = {10**400}")
    )


def test_how_long_a_condition_may_be() -> None:
    term = f"{RUN} != 0"
    assert len(condition(" and ".join([term] * MOST_TERMS))[0]) == MOST_TERMS
    for text in (" and ".join([term] * (MOST_TERMS + 1)), "", f"{term} and", f"{term} {term}"):
        with pytest.raises(ValueError, match="joined by and, or"):
            condition(text)
    with pytest.raises(ValueError, match="is no tag"):
        condition("a|b == 1")


@pytest.mark.parametrize(
    ("sign_", "below", "at", "above"),
    [
        ("<", True, False, False), ("<=", True, True, False), (">", False, False, True),
        (">=", False, True, True), ("==", False, True, False), ("!=", True, False, True),
    ],
)  # fmt: skip
def test_operators(sign_: str, below: bool, at: bool, above: bool) -> None:
    term = Term(RUN, sign_, 5.0)
    assert (term.holds(4.9), term.holds(5.0), term.holds(5.1)) == (below, at, above)
    assert not term.holds(float("nan"))
    assert not term.holds(float("inf"))


def test_the_least_of_modes() -> None:
    assert lowest(Mode.AUTO, Mode.APPROVE, Mode.AUTO) is Mode.APPROVE
    assert lowest(Mode.ADVISORY, Mode.OFF) is Mode.OFF


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        load_policy(file, [KEY.public_key()], KNOWN, WALL)
    file.write_bytes(sign(LIMITS.encode(), KEY))
    assert load_policy(file, [KEY.public_key()], KNOWN, WALL).serial == 3
    file.write_bytes(b"#" * (MOST_BYTES + 10))
    with pytest.raises(Misconfigured, match="is larger than"):
        load_policy(file, [KEY.public_key()], KNOWN, WALL)
