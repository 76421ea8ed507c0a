"""The file of limits: signed, read strictly, and taken whole or refused whole."""

import re
import sys
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from datetime import date, datetime, time
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from math import nan
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.config.lines import KeyPath, key_lines
from gateway.config.problems import Problem, Problems, nearest
from gateway.guard import outlets
from gateway.guard.keys import has_signed
from gateway.guard.policy import (
    GUARD,
    Condition,
    Fallback,
    Known,
    Limits,
    Policy,
    Proposer,
    condition,
    contradictions,
)
from plant.errors import Misconfigured
from plant.keys import key_id
from plant.setpoints import Mode

MOST_BYTES = 1_000_000
LARGEST = sys.float_info.max
Tags = Mapping[str, Known]
"""The tags of the configuration, by name."""
Network = IPv4Network | IPv6Network
_SIGNED = re.compile(rb"(?P<text>.*\n)# signed (?P<signature>[A-Za-z0-9+/]{86}==)\n", re.DOTALL)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Kind:
    """What may stand behind a key.

    Parameters
    ----------
    what
        In words.
    types
        Its types in TOML.
    read
        Gives the value; ValueError says what is wrong with it.
    instead
        Stands in for one that is wrong, so that the rest can still be looked at.
    """

    what: str
    types: tuple[type, ...]
    read: Callable[[Any, Tags], Any]
    instead: Any = ""


def number(low: float = -LARGEST, high: float = LARGEST) -> Kind:
    """Take a number from `low` to `high`, both of them allowed."""
    return Kind("a number", (int, float), _between(low, high, float), nan)


def whole(low: int, high: int) -> Kind:
    """Take a whole number from `low` to `high`, both of them allowed."""
    return Kind("a whole number", (int,), _between(low, high, int), nan)


def word(words: type[StrEnum], instead: StrEnum) -> Kind:
    """Take one of some words."""

    def read(said: str, _known: Tags) -> StrEnum:
        if said not in list(words):
            raise ValueError(f'"{said}" is none of {", ".join(words)}{nearest(said, words)}')
        return words(said)

    return Kind("a text", (str,), read, instead)


def mark(why: str) -> Kind:
    """Know a mark, and take nothing that bears it."""

    def read(said: bool, _known: Tags) -> None:
        if said:
            raise ValueError(why)

    return Kind("true or false", (bool,), read)


def tables(key: str) -> Kind:
    """Take tables."""

    def read(said: list[Any], _known: Tags) -> list[dict[str, Any]]:
        if not all(isinstance(one, dict) for one in said):
            raise ValueError(f"is not written as [[{key}]]")
        return said

    return Kind(f"written as [[{key}]]", (list,), read, ())


def _between(low: float, high: float, made: type[float]) -> Callable[[Any, Tags], float]:
    def read(said: float, _known: Tags) -> float:
        if not abs(said) <= LARGEST:  # NaN, infinity, and a whole number of 400 digits
            raise ValueError("is not a number")
        if not low <= said <= high:
            raise ValueError(f"{said:g} is not between {low:g} and {high:g}")
        return made(said)

    return read


def _tag(said: Any, known: Tags) -> str:
    if said not in known:
        raise ValueError(f'"{said}" is no tag of the configuration{nearest(said, known)}')
    return str(said)


def _name(said: str, _known: Tags) -> str:
    if said.casefold() == GUARD:
        raise ValueError(f'"{said}" is the guard\'s own name')
    return said


def _texts(said: list[Any], _known: Tags) -> tuple[str, ...]:
    if not all(isinstance(one, str) for one in said):
        raise ValueError("is not a list of texts")
    return tuple(said)


def _tags(said: list[Any], known: Tags) -> tuple[str, ...]:
    return tuple(_tag(one, known) for one in _texts(said, known))


def _condition(said: str, known: Tags) -> Condition:
    made = condition(said)
    for part in made:
        for term in part:
            _tag(term.tag, known)
    return made


def _digest(said: str, _known: Tags) -> str:
    if _DIGEST.fullmatch(said) is None:
        raise ValueError("is the SHA-256 of the token, 64 digits of 0-9 a-f")
    return said


def _moment(said: date, _known: Tags) -> int:
    whole = said if isinstance(said, datetime) else datetime.combine(said, time())
    return outlets.wall_of(whole)


def _networks(said: list[Any], known: Tags) -> tuple[Network, ...]:
    found = []
    for text in _texts(said, known):
        try:
            found.append(ip_network(text))
        except ValueError:
            raise ValueError(f'"{text}" is no network, as 10.1.9.0/24') from None
    return tuple(found)


TEXT = Kind("a text", (str,), lambda said, _known: said)
TEXTS = Kind("a list of texts", (list,), _texts, ())
TAG = Kind("a tag", (str,), _tag)
TAGS = Kind("a list of texts", (list,), _tags, ())
CONDITION = Kind("a condition", (str,), _condition, ())
TOP = {
    "serial": whole(1, 2**31),
    "expires": Kind("a date, as 2027-06-30", (date, datetime), _moment, nan),
    "mode": word(Mode, Mode.OFF),
    "stop_tag": TAG,
    "key_switch": TAG,
    "clock_s": number(0.1, 10.0),
    "settle_s": number(1.0, 3600.0),
    "safety_zones": Kind("a list of texts", (list,), _networks, ()),
    outlets.TABLE: Kind(
        "a table: leave it to setpoints sign --config", (dict,), lambda said, _known: said, None
    ),
    "proposer": tables("proposer"),
    "setpoint": tables("setpoint"),
}
PROPOSER = {
    "name": Kind("a text", (str,), _name),
    "token_sha256": Kind("a text", (str,), _digest),
    "tags": TEXTS,
    "models": TEXTS,
    "per_hour": whole(1, 3600),
}
SETPOINT = {
    "tag": TAG,
    "unit": TEXT,
    "low": number(),
    "high": number(),
    **dict.fromkeys(("band", "max_step", "deadband", "tolerance"), number(0.0)),
    **dict.fromkeys(("slope_per_min", "drift_1h", "drift_24h"), number(0.0)),
    "mode": word(Mode, Mode.ADVISORY),
    "persons": whole(1, 2),
    "block": TEXT,
    "active": TAG,
    "follow_s": number(1.0, 600.0),
    "recipe": TAG,
    "interval_s": number(1.0, 86_400.0),
    "fresh_s": number(0.05, 3600.0),
    "interlock": CONDITION,
    "requires": CONDITION,
    "alarms": TAGS,
    "operator_min": number(0.0, 1440.0),
    "fallback": word(Fallback, Fallback.HOLD_LAST),
    "safe_value": number(),
    "hold_s": number(0.0, 86_400.0),
    "revert_s": number(0.0, 86_400.0),
    "proven_days": number(1.0, 3650.0),
    "sis": mark("a safety-instrumented tag is never written from here (IEC 61511)"),
    "shared": mark("another writer has it too; give the guard a setpoint of its own"),
}
"""Keys of a table of the file, and what may stand behind them. Defaults are those of the class."""


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
    serial: int = 1,
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
    text, signer = _signed(content, keys, place)
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for a number of 5,000 digits
        line = re.search(r"line (\d+)", str(error))
        raise _refused(place, int(line[1]) if line else 0, f"not TOML: {error}") from error
    problems = Problems()
    policy = _Page(place, key_lines(text), known, problems).policy(raw, signer, now, serial)
    problems.stop_if_any()
    return policy


def load_policy(
    file: Path,
    keys: Sequence[Ed25519PublicKey],
    known: Mapping[str, Known],
    now: int,
    *,
    serial: int = 1,
) -> Policy:
    """Read a file of limits; see `read_policy`."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error
    return read_policy(content, str(file), keys, known, now, serial=serial)


def _refused(place: str, line: int, what: str) -> Misconfigured:
    return Misconfigured(str(Problem(place, line, "", what)))


def _signed(content: bytes, keys: Sequence[Ed25519PublicKey], place: str) -> tuple[str, str]:
    """Give the text and the name of its signer."""
    if len(content) > MOST_BYTES:
        raise _refused(place, 0, f"is larger than {MOST_BYTES:,} bytes")
    last = content.count(b"\n")
    found = _SIGNED.fullmatch(content)
    if found is None:
        what = "is not signed, or something follows its signature: wheeltapper setpoints sign"
        raise _refused(place, last, what)
    signature = b64decode(found["signature"])
    signer = next((key for key in keys if has_signed(key, signature, found["text"])), None)
    if signer is None:
        named = ", ".join(map(key_id, keys)) or "none is configured"
        what = f"changed since it was signed, or signed by no key that is believed ({named})"
        raise _refused(place, last, what)
    try:
        return found["text"].decode(), key_id(signer)
    except UnicodeDecodeError as error:
        raise _refused(place, 0, "is no UTF-8 text") from error


@dataclass(frozen=True, slots=True)
class _Page:
    """A file that is being read; what is wrong is noted."""

    place: str
    lines: dict[KeyPath, int]
    known: Tags
    problems: Problems

    def policy(self, raw: dict[str, Any], signer: str, now: int, serial: int) -> Policy:
        """Read all of it."""
        top = self.table((), raw, TOP, Policy)
        zones, signed = top.pop("safety_zones", ()), top.pop(outlets.TABLE, None)
        limits = [
            self.limits(("setpoint", number), one)
            for number, one in enumerate(top.pop("setpoint", ()))
        ]
        proposers = [
            Proposer(**self.table(("proposer", number), one, PROPOSER, Proposer))
            for number, one in enumerate(top.pop("proposer", ()))
        ]
        made = Policy(
            signer=signer,
            limits={one.tag: one for one in limits},
            proposers={one.name: one for one in proposers},
            **top,
        )
        if made.expires <= now:
            self.wrong(("expires",), f"it has expired on {raw['expires']}: review it and sign anew")
        if made.serial < serial:
            what = f"{made.serial} is older than {serial}, which was in force before"
            self.wrong(("serial",), what)
        self.once("setpoint", [one.tag for one in limits])
        self.once("proposer", [one.name for one in proposers])
        made = self.outlets(made, signed)
        for number, limit in enumerate(limits):
            self.apart(("setpoint", number, "tag"), limit.tag, zones)
        for number, proposer in enumerate(proposers):
            for tag in proposer.tags:
                if tag not in made.limits:
                    hint = nearest(tag, made.limits)
                    self.wrong(("proposer", number, "tags"), f'"{tag}" is no setpoint here{hint}')
        return made

    def outlets(self, made: Policy, signed: object) -> Policy:
        """Hold where the tags lead against what was signed, and against each other."""
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

    def limits(self, path: KeyPath, raw: dict[str, Any]) -> Limits:
        """Read what may be done to one setpoint."""
        said = self.table(path, raw, SETPOINT, Limits)
        said.pop("sis", None)
        said.pop("shared", None)
        made = Limits(**said)
        known = self.known.get(made.tag)
        if known is not None and known.unit != made.unit:
            what = f'"{made.unit}" is not the unit of the tag, "{known.unit}"'
            self.wrong((*path, "unit"), what)
        for key, what in contradictions(made):
            self.wrong((*path, key), what)
        return made

    def table(
        self, path: KeyPath, raw: dict[str, Any], kinds: Mapping[str, Kind], made: type
    ) -> dict[str, Any]:
        """Read one table of the file for a class, whose fields without a default are needed."""
        needed = {one.name for one in fields(made) if one.default is MISSING}
        for key in raw.keys() - kinds.keys():
            self.wrong((*path, key), f"is not known here{nearest(key, kinds)}")
        return {
            key: self.value((*path, key), raw.get(key), kind)
            for key, kind in kinds.items()
            if key in raw or key in needed
        }

    def value(self, path: KeyPath, said: Any, kind: Kind) -> Any:
        """Read what stands behind one key."""
        try:
            if said is None:
                raise ValueError(f"is missing: {kind.what}")
            if type(said) not in kind.types:
                raise ValueError(f"is not {kind.what}")
            return kind.read(said, self.known)
        except ValueError as error:
            self.wrong(path, str(error))
            return kind.instead

    def wrong(self, key: KeyPath, what: str) -> None:
        """Note what is wrong, in the line of the key or of the table it would stand in."""
        path = key
        while path and path not in self.lines:
            path = path[:-1]
        name = next((str(part) for part in reversed(key) if isinstance(part, str)), "")
        self.problems.add(self.place, self.lines.get(path, 1), name, what)

    def once(self, what: str, names: list[str]) -> None:
        """Look that no name is there twice."""
        for number, name in enumerate(names):
            if name and name in names[:number]:
                self.wrong((what, number), f'"{name}" is there twice')

    def apart(self, key: KeyPath, tag: str, zones: Sequence[Network]) -> None:
        """Look that a setpoint is in no network of a safety system."""
        if not zones or tag not in self.known:
            return
        host = self.known[tag].host
        try:
            address = ip_address(host)
        except ValueError:
            self.wrong(key, f'its device is at "{host}"; beside safety zones only an IP will do')
            return
        # The same device, written as an IPv6 address (RFC 4291 §2.5.5.2).
        plain = getattr(address, "ipv4_mapped", None) or address
        if any(one in network for network in zones for one in (address, plain)):
            self.wrong(key, f"its device, {host}, is in a zone of the safety system")
