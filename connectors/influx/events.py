"""Events to points: alarms, gaps, states, parts, instruments, texts, the gateway itself.

An event says what something now is; the same event twice is the same point. Kinds that are not
listed here are passed over.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.influx.line_protocol import Kind, one, series
from connectors.influx.schema import GAP, asset_places
from plant.alarms import AlarmState
from plant.reasons import Contribution, Reason, Trend, sentence
from plant.records import EventRecord

CONTRIBUTORS = 12
"""Signals that are named in an alarm, the largest share first."""
STATES = {state: number for number, state in enumerate(AlarmState)}
"""Numbers of the alarm states, 0 NORM to 7 FSUPR; the name is sent beside it."""

Body = Mapping[str, Any]
Fields = dict[str, tuple[Kind, Any]]


@dataclass(frozen=True, slots=True)
class Point:
    """One point before it is written."""

    measurement: str
    tags: dict[str, str]
    fields: Fields

    def line(self, at: int) -> str | None:
        """Write it at ns `at`; None where it says nothing."""
        return one(series(self.measurement, self.tags), at, self.fields)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an event does not say itself.

    Parameters
    ----------
    gateway
        Name of the gateway; numbers of alarms, gaps and parts are its own.
    sources
        Place of each source in the plant, so far as its tags share one.
    """

    gateway: str
    sources: Mapping[str, dict[str, str]]


def point_of(event: EventRecord, around: Surroundings) -> Point | None:
    """Make the point of an event; None for a kind that is not kept.

    Raises
    ------
    KeyError, ValueError, TypeError, AttributeError
        The body is not that of its kind.
    """
    made = _MAKERS.get(event.kind)
    return None if made is None else made(event.body, around)


def _alarm(body: Body, around: Surroundings) -> Point:
    reason = _reason(body["reason"])
    state = AlarmState(body["state"])
    tags = {
        **asset_places(body["asset"]),
        "class": "machine",
        "gateway": around.gateway,
        "priority": str(body["priority"]),
    }
    fields: Fields = {
        "id": (Kind.INT, body["id"]),
        "state": (Kind.INT, STATES[state]),
        "state_name": (Kind.TEXT, state.value),
        "text": (Kind.TEXT, sentence(body["asset"], reason)),
        "score": (Kind.FLOAT, reason.score),
        "threshold": (Kind.FLOAT, reason.threshold),
        "contributors": (Kind.TEXT, _contributors(reason)),
        "onset": (Kind.INT, body["onset"]),
        "raised": (Kind.INT, body["raised"]),
        "ended": (Kind.INT, body.get("ended")),
        "occurrences": (Kind.INT, body["occurrences"]),
        "mode": (Kind.INT, body.get("mode")),
        "actor": (Kind.TEXT, body.get("actor") or None),
        "note": (Kind.TEXT, body.get("note") or None),
        "feedback": (Kind.TEXT, (body.get("feedback") or {}).get("label")),
    }
    return Point("alarm", tags, fields)


def _reason(body: Body) -> Reason:
    parts = tuple(
        Contribution(**{**part, "trend": Trend(part["trend"])}) for part in body["contributions"]
    )
    return Reason(body["score"], body["threshold"], parts)


def _contributors(reason: Reason) -> str:
    """Write the largest contributions as JSON: what a board or a notebook takes apart again."""
    told = [
        {
            "signal": part.signal,
            "share": _number(part.share),
            "actual": _number(part.actual),
            "expected": _number(part.expected),
            "low": _number(part.low),
            "high": _number(part.high),
            "unit": part.unit,
            "since": part.since,
            "trend": part.trend.value,
        }
        for part in reason.contributions[:CONTRIBUTORS]
    ]
    return json.dumps(told, separators=(",", ":"))


def _number(value: float) -> float | None:
    """Leave out what JSON has no word for."""
    return value if math.isfinite(value) else None


def _gap(body: Body, around: Surroundings) -> Point:
    place = around.sources.get(body["source"], {})
    tags = {
        "site": place.get("site", ""),
        "line": place.get("line", ""),
        "source": body["source"],
        "gateway": around.gateway,
    }
    fields: Fields = {
        "id": (Kind.INT, body["id"]),
        "from": (Kind.INT, body["start"]),
        "to": (Kind.INT, body["stop"]),
        "cause": (Kind.TEXT, body["cause"]),
        "why": (Kind.TEXT, body["why"]),
        "recovered": (Kind.INT, body["republished"] + body["history"]),
        "lost": (Kind.INT, body["lost"]),
        "estimated": (Kind.BOOL, body["estimated"]),
    }
    return Point(GAP, tags, fields)


def _state(body: Body, _: Surroundings) -> Point:
    names = ("ne107", "machine", "mode")
    fields: Fields = {name: (Kind.INT, body.get(name)) for name in names}
    return Point("state", asset_places(body["asset"]), fields)


def _instrument(body: Body, around: Surroundings) -> Point:
    tags = {
        **asset_places(body["asset"]),
        "signal": body["signal"].rpartition("/")[2],
        "gateway": around.gateway,
    }
    fields: Fields = {
        "action": (Kind.TEXT, body["action"]),
        "fault": (Kind.TEXT, body["kind"]),
        "ne107": (Kind.INT, body["health"]),
        "text": (Kind.TEXT, body["sentence"]),
        "since": (Kind.INT, body["since"]),
    }
    return Point("instrument", tags, fields)


def _part(body: Body, around: Surroundings) -> Point:
    tags = {**asset_places(body["asset"]), "gateway": around.gateway}
    fields: Fields = {
        "id": (Kind.INT, body["id"]),
        "number": (Kind.TEXT, body["number"]),
        "from": (Kind.INT, body["start"]),
        "mode": (Kind.INT, body["mode"]),
        "verdict": (Kind.TEXT, body["verdict"]),
        "why": (Kind.TEXT, body["why"] or None),
        "score": (Kind.FLOAT, body["score"]),
        "threshold": (Kind.FLOAT, body["limit"]),
        "label": (Kind.TEXT, body["label"] or None),
        "actor": (Kind.TEXT, body["actor"] or None),
        "note": (Kind.TEXT, body["note"] or None),
    }
    return Point("part", tags, fields)


def _gateway(body: Body, around: Surroundings) -> Point:
    """Every figure is a float, so that no figure ever changes its type."""
    figures = {
        name: value
        for name, value in body.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    fields: Fields = {name: (Kind.FLOAT, value) for name, value in figures.items()}
    return Point("gateway", {"gateway": around.gateway}, fields)


_MAKERS: dict[str, Callable[[Body, Surroundings], Point]] = {
    "alarm": _alarm,
    "gap": _gap,
    "state": _state,
    "instrument": _instrument,
    "part": _part,
    "gateway": _gateway,
}
KINDS = frozenset(_MAKERS)
"""Kinds of events that are kept; texts of the plant (``context``) beside them."""
