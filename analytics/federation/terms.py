"""What the participants of a federation have agreed before anything is sent."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.federation.refusals import Refused, Why
from plant.records import JSON

LEAST_ROWS, ROWS_A_SIGNAL = 1000, 10
"""No scatter of fewer rows leaves a gateway: max(1,000, 10 d), whatever was agreed."""
SHIFT_H = 8.0
"""Nor of less time than a shift."""
LEAST_SITES = 3
"""Of two sites each can take itself away from the sum and has the other."""
_FLOATS = ("row_s", "settle_s", "least_h", "false_share", "noise")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Participant:
    """A gateway that may contribute, and its public Ed25519 key in hexadecimal digits."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The plan of a federation: one class of assets, and what is sent of each.

    Parameters
    ----------
    name
        Of the asset class, as ``class/pump``: the consolidated model bears it.
    signals, units
        Name below the asset, and UCUM code, of each column.
    low, high
        Values are clipped to these before they are summed, in the signals' units.
    modes
        Number and name of each operating mode that is learnt, one model each.
    participants
        Who may contribute.
    row_s
        Length of a row: the mean of each signal over so many seconds of good values.
    settle_s
        Seconds after a change of mode that are left out.
    least_rows, least_h
        Rows of a mode, and hours, without which nothing is sent; never below what the gateway
        itself demands.
    least_sites
        Participants without which nothing is published; never below three.
    false_share
        Share of the healthy rows that may lie beyond the limit.
    noise
        Standard deviation of the noise that is added to every value, as a share of the span
        between the limits; 0: none.
    """

    name: str
    signals: tuple[str, ...]
    units: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    modes: tuple[tuple[int, str], ...]
    participants: tuple[Participant, ...]
    row_s: float = 10.0
    settle_s: float = 20.0
    least_rows: int = LEAST_ROWS
    least_h: float = SHIFT_H
    least_sites: int = LEAST_SITES
    false_share: float = 0.001
    noise: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be agreed on."""
        signals = len(self.signals)
        _ask(signals > 1, "two signals or more: one alone has no relations")
        _ask(len(set(self.signals)) == signals, "a signal stands there twice")
        lengths = {len(self.units), len(self.low), len(self.high)}
        _ask(lengths == {signals}, "every signal has a unit and two limits")
        for name, low, high in zip(self.signals, self.low, self.high, strict=True):
            _ask(isfinite(low) and isfinite(high) and low < high, f"{name}: low must be below high")
        _ask(bool(self.modes), "there is no mode")
        _ask(len(dict(self.modes)) == len(self.modes), "a mode stands there twice")
        names = {one.name for one in self.participants}
        _ask(len(names) == len(self.participants), "a participant stands there twice")
        for one in self.participants:
            _ask(_NAME.fullmatch(one.name) is not None, f"{one.name!r:.80} is no name of a gateway")
            _ask(_KEY.fullmatch(one.key) is not None, f"{one.name}: its key is none")
        keys = {one.key for one in self.participants}
        _ask(len(keys) == len(names), "two participants have the same key")
        _ask(self.row_s > 0 and self.settle_s >= 0, "row_s must be > 0 and settle_s ≥ 0")
        _ask(0 < self.false_share < 0.5, "false_share must lie between 0 and 0.5")
        _ask(0 <= self.noise <= 1, "noise must lie between 0 and 1")
        _ask(
            self.least_sites >= LEAST_SITES and len(names) >= self.least_sites,
            f"{len(names)} participants; three are the least, and as many as least_sites says",
        )

    @property
    def rows(self) -> int:
        """Rows of a mode without which nothing is sent."""
        return max(LEAST_ROWS, ROWS_A_SIGNAL * len(self.signals), self.least_rows)

    @property
    def span_ns(self) -> int:
        """Time without which nothing is sent, ns."""
        return round(max(SHIFT_H, self.least_h) * 3600e9)

    @property
    def row_ns(self) -> int:
        """Length of a row, ns."""
        return round(self.row_s * 1e9)

    @property
    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and high of each signal (p,)."""
        return np.array(self.low), np.array(self.high)

    @property
    def identity(self) -> str:
        """What tells this plan from every other one: 16 digits of its SHA-256."""
        text = json.dumps(self.body(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def participant(self, name: str) -> Participant:
        """Give a participant by its name.

        Raises
        ------
        Refused
            There is no such one.
        """
        for one in self.participants:
            if one.name == name:
                return one
        known = ", ".join(each.name for each in self.participants)
        raise Refused(Why.STRANGER, f"{name} is no participant of {self.name}; there are {known}")

    def body(self) -> dict[str, JSON]:
        """Give it for JSON."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        lists: dict[str, JSON] = {name: list(plain[name]) for name in ("signals", "units")}
        lists |= {name: [float(one) for one in plain[name]] for name in ("low", "high")}
        numbers = {name: float(plain[name]) for name in _FLOATS}
        return plain | numbers | lists | {
            "modes": [[number, name] for number, name in self.modes],
            "participants": [[one.name, one.key] for one in self.participants],
        }  # fmt: skip

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Terms":
        """Read it back.

        Raises
        ------
        Refused
            It is no plan.
        """
        try:
            return cls(**{each.name: _field(each.name, body[each.name]) for each in fields(cls)})
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(Why.MALFORMED, f"this is no plan of a federation: {error!r}") from error


def _ask(right: bool, message: str) -> None:
    if not right:
        raise Refused(Why.MALFORMED, f"plan: {message}")


def _field(name: str, value: Any) -> Any:
    """Give a field of a plan as it was before it was JSON."""
    match name:
        case "signals" | "units":
            return tuple(map(str, value))
        case "low" | "high":
            return tuple(map(float, value))
        case "modes":
            return tuple((int(number), str(word)) for number, word in value)
        case "participants":
            return tuple(Participant(str(who), str(key)) for who, key in value)
        case "name":
            return str(value)
        case "least_rows" | "least_sites":
            return int(value)
    return float(value)
