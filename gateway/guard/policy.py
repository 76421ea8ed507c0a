"""The one signed file of what the guard may do: read strictly, taken whole or refused whole."""

import math
import operator
import re
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.config.lines import KeyPath, key_lines
from gateway.config.problems import Problems, nearest
from gateway.guard import outlets
from gateway.guard.keys import has_signed, key_id
from plant.errors import Misconfigured
from plant.setpoints import MODES, Mode
from plant.tags import TAG_NAME

MOST_BYTES = 1_000_000
MOST_TERMS = 32
_SIGNED = re.compile(rb"(?P<text>.*\n)# signed (?P<signature>[A-Za-z0-9+/]{86}==)\n", re.DOTALL)
_DIGEST = re.compile(r"[0-9a-f]{64}")
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class Fallback(StrEnum):
    """What is done about a setpoint that nobody renews."""

    HOLD_LAST = "hold_last"
    RAMP_TO_LAST_GOOD = "ramp_to_last_good"
    RAMP_TO_SAFE_VALUE = "ramp_to_safe_value"
    RELEASE = "release"
    """Let go: the block's heartbeat ends, and the operator's setpoint rules again."""


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a tag, as it is read now, with a number."""

    tag: str
    sign: str
    number: float

    def holds(self, value: float) -> bool:
        """Compare; NaN holds nothing, not even ``!=``."""
        return math.isfinite(value) and OPERATORS[self.sign](value, self.number)


Condition = tuple[tuple[Term, ...], ...]
"""Terms joined by ``and``, and these joined by ``or``; without any it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be done to one setpoint; the keys are those of the file, see docs/setpoints.md."""

    tag: str
    unit: str
    low: float
    high: float
    band: float
    max_step: float
    slope_per_min: float
    drift_1h: float
    drift_24h: float
    deadband: float
    tolerance: float
    mode: Mode = Mode.ADVISORY
    persons: int = 1
    block: str = ""
    """Address of its block in the PLC; without one there is no auto."""
    active: str = ""
    follow_s: float = 10.0
    recipe: str = ""
    interval_s: float = 60.0
    fresh_s: float = 2.0
    interlock: Condition = ()
    requires: Condition = ()
    alarms: tuple[str, ...] = ()
    operator_min: float = 10.0
    fallback: Fallback = Fallback.HOLD_LAST
    safe_value: float | None = None
    hold_s: float = 0.0
    revert_s: float = 3600.0
    proven_days: float = 7.0

    def reads(self) -> tuple[str, ...]:
        """Give the tags that are read for each decision, its own among them."""
        terms = (term.tag for part in (*self.interlock, *self.requires) for term in part)
        named = (self.tag, *((self.recipe,) if self.recipe else ()), *self.alarms, *terms)
        return tuple(dict.fromkeys(named))

    def named(self) -> tuple[str, ...]:
        """Give the tags that it names: those that it reads, and where its active value is."""
        return (*self.reads(), *((self.active,) if self.active else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposer:
    """A program that may ask: SHA-256 of its token, its tags, its models as ``name@version``."""

    name: str
    token_sha256: str
    tags: tuple[str, ...]
    models: tuple[str, ...]
    per_hour: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All of it; `serial` only ever rises, `signer` names the key."""

    serial: int
    expires: int
    mode: Mode
    signer: str
    limits: Mapping[str, Limits]
    proposers: Mapping[str, Proposer]
    stop_tag: str = ""
    key_switch: str = ""
    clock_s: float = 2.0
    settle_s: float = 120.0
    signed_at: int = 0
    """When it was signed, wall time, ns; 0: it does not say."""
    ways: Mapping[str, outlets.Way] = field(default_factory=dict)
    """Where its tags lead; the same was signed."""

    def reads(self) -> tuple[str, ...]:
        """Give all tags that it names, those that are written first."""
        named = [tag for one in self.limits.values() for tag in one.named()]
        return tuple(dict.fromkeys(filter(None, (*named, self.stop_tag, self.key_switch))))


@dataclass(frozen=True, slots=True)
class Known:
    """A tag of the configuration: unit, device, that device's host, and where the tag leads."""

    unit: str
    device: str
    host: str = ""
    way: outlets.Way = field(default_factory=dict)


def sign(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """Give a file of limits with its signature in the last line; an older one gives way."""
    text = unsigned(content)
    text = text if text.endswith(b"\n") else text + b"\n"
    return text + b"# signed " + b64encode(key.sign(text)) + b"\n"


def unsigned(content: bytes) -> bytes:
    """Give a file of limits without its signature, if it has one."""
    found = _SIGNED.fullmatch(content)
    return found["text"] if found else content


def read_policy(
    content: bytes,
    place: str,
    keys: Sequence[Ed25519PublicKey],
    known: Mapping[str, Known],
    now: int,
    *,
    serial: int = 0,
) -> Policy:
    """Read the limits that one of the keys has signed.

    Parameters
    ----------
    content
        The whole file.
    place
        What to call it in an error.
    keys
        Whose limits are believed.
    known
        The tags of the configuration, by name.
    now
        Wall time, ns.
    serial
        The highest that was ever in force; an older file is refused.

    Raises
    ------
    Misconfigured
        All that is wrong, each with its line; nothing of the file is taken then.
    """
    problems = Problems()
    text, signer = _signed(content, keys, place, problems)
    problems.stop_if_any()
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for a number of 5,000 digits
        line = re.search(r"line (\d+)", str(error))
        problems.add(place, int(line[1]) if line else 0, "", f"not TOML: {error}")
        problems.stop_if_any()
        raise
    reading = _Reading(place, raw, key_lines(text), known, problems)
    policy = reading.policy(signer, now, serial)
    problems.stop_if_any()
    return policy


def condition(text: str) -> Condition:
    """Read ``tag operator number``, joined by ``and`` and ``or``; ``and`` binds tighter.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> condition("a/run == 1 and a/load < 0.8 or a/test != 0")[0][1]
    Term(tag='a/load', sign='<', number=0.8)
    """
    words = text.split()
    if len(words) % 4 != 3 or len(words) > 4 * MOST_TERMS:
        raise ValueError(f'is no "tag operator number", joined by and, or; {MOST_TERMS} at most')
    parts: list[tuple[Term, ...]] = [()]
    for start in range(0, len(words), 4):
        tag, sign, number = words[start : start + 3]
        if TAG_NAME.match(tag) is None:
            raise ValueError(f'"{tag}" is no tag')
        if sign not in OPERATORS:
            raise ValueError(f'"{sign}" is none of {" ".join(OPERATORS)}')
        try:
            constant = float(number)
        except ValueError:
            constant = math.nan
        if not math.isfinite(constant):
            raise ValueError(f'"{number}" is no number')
        parts[-1] = (*parts[-1], Term(tag, sign, constant))
        joint = words[start + 3] if start + 3 < len(words) else "and"
        if joint not in ("and", "or"):
            raise ValueError(f'"{joint}" is neither and nor or')
        if joint == "or":
            parts.append(())
    return tuple(parts)


def _signed(
    content: bytes, keys: Sequence[Ed25519PublicKey], place: str, problems: Problems
) -> tuple[str, str]:
    """Give the text and the name of its signer; what is wrong is noted."""
    last = content.count(b"\n")
    found = _SIGNED.fullmatch(content)
    if len(content) > MOST_BYTES:
        problems.add(place, 0, "", f"is larger than {MOST_BYTES:,} bytes")
    elif found is None:
        what = "is not signed, or something follows its signature: wheeltapper setpoints sign"
        problems.add(place, last, "", what)
    else:
        signature = b64decode(found["signature"])
        signer = next((key for key in keys if has_signed(key, signature, found["text"])), None)
        named = ", ".join(map(key_id, keys)) or "none is configured"
        if signer is None:
            what = f"changed since it was signed, or signed by no key that is believed ({named})"
            problems.add(place, last, "", what)
        else:
            try:
                return found["text"].decode(), key_id(signer)
            except UnicodeDecodeError:
                problems.add(place, 0, "", "is no UTF-8 text")
    return "", ""


@dataclass(frozen=True, slots=True)
class _Reading:
    place: str
    raw: dict[str, Any]
    lines: dict[KeyPath, int]
    known: Mapping[str, Known]
    problems: Problems

    def policy(self, signer: str, now: int, serial: int) -> Policy:
        """Read all of it; what is wrong is noted."""
        top = _Table(self, (), self.raw)
        limits = [self.limits(one) for one in top.tables("setpoint")]
        proposers = [self.proposer(one) for one in top.tables("proposer")]
        made = Policy(
            serial=top.whole("serial", 1, 2**31),
            expires=self.expires(top, now),
            mode=top.word("mode", Mode, Mode.OFF),
            signer=signer,
            limits={one.tag: one for one in limits},
            proposers={one.name: one for one in proposers},
            stop_tag=top.tag("stop_tag"),
            key_switch=top.tag("key_switch"),
            clock_s=top.number("clock_s", 0.1, 10.0, 2.0),
            settle_s=top.number("settle_s", 1.0, 3600.0, 120.0),
        )
        self.zones(top, made)
        made = self.outlets(top, made)
        top.done()
        if made.serial < serial:
            top.wrong("serial", f"{made.serial} is older than {serial}, which was in force before")
        for named, what in ((limits, "setpoint"), (proposers, "proposer")):
            names = [getattr(one, "tag", "") or getattr(one, "name", "") for one in named]
            for number, name in enumerate(names):
                if name in names[:number]:
                    self.wrong((what, number), f'"{name}" is there twice')
        for number, proposer in enumerate(proposers):
            for tag in proposer.tags:
                if tag not in made.limits:
                    hint = nearest(tag, made.limits)
                    self.wrong(("proposer", number, "tags"), f'"{tag}" is no setpoint here{hint}')
        return made

    def wrong(self, key: KeyPath, what: str) -> None:
        """Note what is wrong, in the line of the key or of the table it would stand in."""
        path = key
        while path and path not in self.lines:
            path = path[:-1]
        name = next((str(part) for part in reversed(key) if isinstance(part, str)), "")
        self.problems.add(self.place, self.lines.get(path, 1), name, what)

    def expires(self, top: "_Table", now: int) -> int:
        """Read until when the file is in force, ns."""
        said = top.take("expires")
        if not isinstance(said, date):
            top.wrong("expires", "is missing or no date, as expires = 2027-06-30")
            return 0
        whole = said if isinstance(said, datetime) else datetime.combine(said, time())
        moment = whole if whole.tzinfo else whole.replace(tzinfo=UTC)
        if moment.timestamp() * 1e9 <= now:
            top.wrong("expires", f"it has expired on {said}: review it and sign it anew")
        return int(moment.timestamp()) * 10**9

    def outlets(self, top: "_Table", made: Policy) -> Policy:
        """Hold where the tags lead against what was signed, and against each other."""
        signed = top.take(outlets.TABLE)
        ways = {tag: self.known[tag].way for tag in made.reads() if tag in self.known}
        for key, what in outlets.objections(signed, made.reads(), ways):
            self.wrong((outlets.TABLE, *key), what)
        numbers = {tag: number for number, tag in enumerate(made.limits)}
        taken = {
            tag: outlets.cells(ways[tag], one.block)
            for tag, one in made.limits.items()
            if tag in ways
        }
        for tag, before in outlets.shared(taken):
            what = f"it is written at the same place as {before}: one setpoint has one name"
            self.wrong(("setpoint", numbers[tag], "tag"), what)
        return replace(made, signed_at=outlets.signed_at(signed), ways=ways)

    def zones(self, top: "_Table", made: Policy) -> None:
        """Look for setpoints in the networks of safety systems."""
        networks: list[IPv4Network | IPv6Network] = []
        for text in top.texts("safety_zones"):
            try:
                networks.append(ip_network(text))
            except ValueError:
                top.wrong("safety_zones", f'"{text}" is no network, as 10.1.9.0/24')
        if not networks:
            return
        for number, tag in enumerate(made.limits):
            host = self.known[tag].host if tag in self.known else ""
            key: KeyPath = ("setpoint", number, "tag")
            try:
                address = ip_address(host)
            except ValueError:
                self.wrong(
                    key, f'its device is at "{host}"; beside safety zones only an IP will do'
                )
                continue
            # The same device, written as an IPv6 address (RFC 4291 §2.5.5.2).
            plain = getattr(address, "ipv4_mapped", None) or address
            if any(one in network for network in networks for one in (address, plain)):
                self.wrong(key, f"its device, {host}, is in a zone of the safety system")

    def proposer(self, table: "_Table") -> Proposer:
        """Read a program that may ask."""
        made = Proposer(
            name=table.text("name"),
            token_sha256=table.text("token_sha256"),
            tags=table.texts("tags"),
            models=table.texts("models"),
            per_hour=table.whole("per_hour", 1, 3600, 10),
        )
        table.done()
        if _DIGEST.fullmatch(made.token_sha256) is None:
            table.wrong("token_sha256", "is the SHA-256 of the token, 64 digits of 0-9 a-f")
        return made

    def limits(self, table: "_Table") -> Limits:
        """Read what may be done to one setpoint."""
        made = Limits(
            tag=table.tag("tag", needed=True),
            unit=table.text("unit"),
            **{name: table.number(name) for name in ("low", "high")},
            **{name: table.number(name, 0.0) for name in _POSITIVE},
            mode=table.word("mode", Mode, Mode.ADVISORY),
            persons=table.whole("persons", 1, 2, 1),
            block=table.text("block") if "block" in table.raw else "",
            active=table.tag("active"),
            follow_s=table.number("follow_s", 1.0, 600.0, 10.0),
            recipe=table.tag("recipe"),
            interval_s=table.number("interval_s", 1.0, 86_400.0, 60.0),
            fresh_s=table.number("fresh_s", 0.05, 3600.0, 2.0),
            interlock=table.condition("interlock"),
            requires=table.condition("requires"),
            alarms=table.tags("alarms"),
            operator_min=table.number("operator_min", 0.0, 1440.0, 10.0),
            fallback=table.word("fallback", Fallback, Fallback.HOLD_LAST),
            safe_value=table.number("safe_value") if "safe_value" in table.raw else None,
            hold_s=table.number("hold_s", 0.0, 86_400.0, 0.0),
            revert_s=table.number("revert_s", 0.0, 86_400.0, 3600.0),
            proven_days=table.number("proven_days", 1.0, 3650.0, 7.0),
        )
        for mark, why in _MARKS.items():
            if table.take(mark) not in (None, False):
                table.wrong(mark, why)
        table.done()
        known = self.known.get(made.tag)
        if known is not None and known.unit != made.unit:
            table.wrong("unit", f'"{made.unit}" is not the unit of the tag, "{known.unit}"')
        for key, what in contradictions(made):
            table.wrong(key, what)
        return made


_POSITIVE = (
    "band", "max_step", "slope_per_min", "drift_1h", "drift_24h", "deadband", "tolerance",
)  # fmt: skip
_MARKS = {
    "sis": "a safety-instrumented tag is never written from here (IEC 61511)",
    "shared": "another writer has it too; give the guard a setpoint of its own",
}


def contradictions(made: Limits) -> list[tuple[str, str]]:
    """Give what contradicts itself in the limits of a setpoint: the key, and a sentence."""
    span = made.high - made.low
    safe = made.safe_value
    ramps = made.fallback is Fallback.RAMP_TO_SAFE_VALUE
    auto = made.mode is Mode.AUTO
    rules = (
        ("low", made.low >= made.high, f"low = {made.low:g} is not below high = {made.high:g}"),
        ("max_step", made.max_step > span, f"is more than the whole range, {span:g}"),
        ("max_step", made.max_step > made.drift_1h, "is more than drift_1h"),
        ("max_step", made.max_step > made.slope_per_min, "is more than slope_per_min"),
        ("drift_1h", made.drift_1h > made.drift_24h, "is more than drift_24h"),
        ("deadband", made.deadband > made.max_step, "is more than max_step: nothing would pass"),
        ("tolerance", made.tolerance > made.deadband / 2, "is more than half the deadband"),
        ("safe_value", ramps and safe is None, "is missing: the fallback ramps to it"),
        (
            "safe_value",
            safe is not None and not made.low <= safe <= made.high,
            "is outside low and high",
        ),
        ("block", auto and not made.block, "is missing: auto needs the block in the PLC"),
        ("hold_s", auto and made.hold_s == 0, "is missing: auto needs to know when to fall back"),
        ("persons", auto and made.persons == 2, "two people and auto contradict each other"),
    )
    return [(key, what) for key, broken, what in rules if broken]


@dataclass(slots=True)
class _Table:
    """One table of the file; what is taken from it is known, what is left is a mistake."""

    reading: _Reading
    path: KeyPath
    raw: dict[str, Any]
    taken: frozenset[str] = frozenset()

    def wrong(self, key: str, what: str) -> None:
        self.reading.wrong((*self.path, key), what)

    def take(self, key: str) -> Any:
        self.taken |= {key}
        return self.raw.get(key)

    def done(self) -> None:
        for key in self.raw.keys() - self.taken:
            self.wrong(key, f"is not known here{nearest(key, self.taken)}")

    def tables(self, key: str) -> "list[_Table]":
        said = self.take(key)
        whole = isinstance(said, list) and all(isinstance(one, dict) for one in said)
        if said is not None and not whole:
            self.wrong(key, f"is written as [[{key}]]")
        entries = said if whole and said else []
        return [_Table(self.reading, (key, place), one) for place, one in enumerate(entries)]

    def text(self, key: str) -> str:
        said = self.take(key)
        if not isinstance(said, str):
            self.wrong(key, "is missing or no text")
            return ""
        return said

    def texts(self, key: str) -> tuple[str, ...]:
        said = self.take(key)
        if said is not None and not (
            isinstance(said, list) and all(isinstance(one, str) for one in said)
        ):
            self.wrong(key, "is no list of texts")
            return ()
        return tuple(said or ())

    def tag(self, key: str, *, needed: bool = False) -> str:
        said = self.take(key)
        if said is None and not needed:
            return ""
        return self.known(key, said)

    def tags(self, key: str) -> tuple[str, ...]:
        return tuple(self.known(key, one) for one in self.texts(key))

    def known(self, key: str, said: Any) -> str:
        if not isinstance(said, str) or said not in self.reading.known:
            hint = nearest(str(said), self.reading.known)
            self.wrong(key, f'"{said}" is no tag of the configuration{hint}')
        return str(said)

    def condition(self, key: str) -> Condition:
        said = self.take(key)
        if said is None:
            return ()
        try:
            made = condition(said if isinstance(said, str) else "")
        except ValueError as error:
            self.wrong(key, str(error))
            return ()
        for part in made:
            for term in part:
                self.known(key, term.tag)
        return made

    def number(
        self,
        key: str,
        low: float = -math.inf,
        high: float = math.inf,
        default: float | None = None,
    ) -> float:
        said = self.take(key)
        if said is None and default is not None:
            return default
        if isinstance(said, int) and abs(said) >= 2**63:
            said = math.inf  # TOML knows no larger number
        if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
            self.wrong(key, "is missing or no number")
        elif not low <= said <= high:
            self.wrong(key, f"{said:g} is not between {low:g} and {high:g}")
        else:
            return float(said)
        return low if math.isfinite(low) else 0.0

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        said = self.number(key, low, high, default)
        if said != int(said):
            self.wrong(key, f"{said:g} is no whole number")
        return int(said)

    def word(self, key: str, words: type[StrEnum], default: Any) -> Any:
        said = self.take(key)
        if said is None:
            return default
        if said not in list(words):
            self.wrong(key, f'"{said}" is none of {", ".join(words)}{nearest(str(said), words)}')
            return default
        return words(said)


def lowest(*modes: Mode) -> Mode:
    """Give the mode that allows the least.

    Examples
    --------
    >>> str(lowest(Mode.AUTO, Mode.ADVISORY))
    'advisory'
    """
    return min(modes, key=MODES.index)


def load_policy(
    file: Path,
    keys: Sequence[Ed25519PublicKey],
    known: Mapping[str, Known],
    now: int,
    *,
    serial: int = 0,
) -> Policy:
    """Read a file of limits; see `read_policy`."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error
    return read_policy(content, str(file), keys, known, now, serial=serial)
