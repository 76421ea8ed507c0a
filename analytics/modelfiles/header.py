"""The header of a model file: what a gateway and a person want to know before they trust it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from analytics.modelfiles.refusals import Cause, ModelRefused
from plant.records import JSON
from plant.tags import TAG_NAME

FORMAT = 1
"""Of the file; a gateway that knows a lower one refuses it."""
DEEPEST, LARGEST = 16, 2**53
_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNIT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is said of a model, all of it signed.

    Parameters
    ----------
    name
        Path of the asset.
    version
        Of the models of this asset, from 1 on; a higher one is later.
    kind
        Which detector it is, see `KINDS`.
    created
        When, ns since 1970 UTC.
    signals, units
        Tag name and UCUM code of each column.
    settings
        How the detector is set.
    start, stop
        What of the history was learnt from, ns since 1970 UTC.
    history
        SHA-256 of the rows learnt from, in hexadecimal digits.
    metrics
        What the hold-out showed.
    parent
        Version that was in force when it was trained; None if none was.
    reissue_of
        Version whose arrays it has, if it is an older model again.
    min_gateway
        Oldest version of the gateway that can judge by it.
    card
        The data card: rows, gaps, modes, what was dropped and why.
    """

    name: str
    version: int
    kind: str
    created: int
    signals: tuple[str, ...]
    units: tuple[str, ...]
    settings: Mapping[str, JSON]
    start: int
    stop: int
    history: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    parent: int | None = None
    reissue_of: int | None = None
    min_gateway: str = "0.1.0"
    card: Mapping[str, JSON] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        _ask(_is_path(self.name), f'name: "{self.name:.80}" is no path of an asset')
        _ask(1 <= self.version < LARGEST, f"version: {self.version} is none")
        _ask(0 < len(self.signals) == len(self.units), "signals and units are not one to one")
        _ask(len(set(self.signals)) == len(self.signals), "signals: one stands there twice")
        _ask(all(len(unit) <= _UNIT for unit in self.units), "units: one is too long")
        _ask(self.start <= self.stop, "start: is after stop")
        _ask(_SHA256.fullmatch(self.history) is not None, "history: is no SHA-256")
        _ask(_VERSION.fullmatch(self.min_gateway) is not None, "min_gateway: is no version")
        for name in ("parent", "reissue_of"):
            older = getattr(self, name)
            _ask(older is None or 0 <= older < self.version, f"{name}: {older} is not older")

    def body(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Header":
        """Read it back; fields that are not known are of a later gateway, and left alone.

        Raises
        ------
        ModelRefused
            A field is missing or not what it should be.
        """
        said = {}
        for name, (kinds, missing) in _FIELDS.items():
            value = body.get(name, missing)
            right = isinstance(value, kinds) and not (
                isinstance(value, bool) or (isinstance(value, int) and abs(value) >= 2**63)
            )
            _ask(right, f"{name}: {'is missing' if value is _REQUIRED else 'is of another type'}")
            said[name] = value
        for name in ("signals", "units"):
            _ask(all(isinstance(one, str) for one in said[name]), f"{name}: are not all texts")
            said[name] = tuple(said[name])
        numbers = said["metrics"].values()
        _ask(all(type(one) in (int, float) for one in numbers), "metrics: are not all numbers")
        return cls(**said)


_REQUIRED = object()
_FIELDS: dict[str, tuple[tuple[type, ...], Any]] = {
    "name": ((str,), _REQUIRED),
    "version": ((int,), _REQUIRED),
    "kind": ((str,), _REQUIRED),
    "created": ((int,), _REQUIRED),
    "signals": ((list,), _REQUIRED),
    "units": ((list,), _REQUIRED),
    "settings": ((dict,), _REQUIRED),
    "start": ((int,), _REQUIRED),
    "stop": ((int,), _REQUIRED),
    "history": ((str,), _REQUIRED),
    "metrics": ((dict,), _REQUIRED),
    "parent": ((int, type(None)), _REQUIRED),
    "reissue_of": ((int, type(None)), _REQUIRED),
    "min_gateway": ((str,), _REQUIRED),
    "card": ((dict,), _REQUIRED),
}


def dumped(body: Mapping[str, Any]) -> bytes:
    """Write JSON in the one way in which it is signed."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def parsed(text: bytes) -> dict[str, Any]:
    """Read JSON of a bounded depth, without doubles, NaN or Infinity.

    Raises
    ------
    ModelRefused
        It is nothing of the kind.
    """
    depth = most = 0
    for byte in text:  # braces in strings count as well: that only makes the bound stricter
        depth += (byte in b"[{") - (byte in b"]}")
        most = max(most, depth)
    _ask(most <= DEEPEST, f"nested {most} deep, {DEEPEST} is the most")
    try:
        body = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelRefused(Cause.MALFORMED, f"header: no JSON: {error}") from error
    _ask(isinstance(body, dict), "is no object")
    return dict(body)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    _ask(len(body) == len(pairs), "a name stands there twice")
    return body


def _no_number(word: str) -> NoReturn:
    raise ModelRefused(Cause.NOT_FINITE, f"header: {word} is no number")


def _ask(right: bool, message: str) -> None:
    if not right:
        raise ModelRefused(Cause.MALFORMED, f"header: {message}")


def _is_path(name: str) -> bool:
    parts = name.split("/")
    steps = {"", ".", ".."}
    return TAG_NAME.fullmatch(name) is not None and len(parts) > 1 and steps.isdisjoint(parts)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
