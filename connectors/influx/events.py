"""Events to points: alarms, gaps, states, parts, instruments, texts, the gateway itself.

An event says what something now is; the same event twice is the same point. Kinds that are not
listed here are passed over.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.influx.line_protocol import Kind, one, series
from connectors.influx.schema import GAP, SETPOINT_AUDIT, asset_places, places
from plant.alarms import ANNUNCIATED, WAITING, AlarmState
from plant.assets import Health
from plant.reasons import Contribution, Precedent, Reason, Trend, sentence
from plant.records import EventRecord

CONTRIBUTORS = 12
"""Signals that are named in an alarm, the largest share first."""
RANKS = 5
"""Signals of an alarm that stand as points of their own, those with the largest shares."""
SCORE_DIGITS, VALUE_DIGITS = 6, 9
"""Digits of scores and shares, and of values in a reason: nine name a 32-bit float."""
MS = 1_000_000
AROUND_MS = 600_000
"""Shown before the onset of an alarm, and after it was raised, ms: what is kept of raw samples."""
OVERDUE_S = 600.0
"""An alarm that has waited for longer than this is overdue, s."""
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


def points_of(event: EventRecord, around: Surroundings) -> list[Point]:
    """Make the points of an event; none for a kind that is not kept.

    Raises
    ------
    KeyError, ValueError, TypeError, AttributeError
        The body is not that of its kind.
    """
    made = _MAKERS.get(event.kind)
    return [] if made is None else list(made(event.body, around))


def _alarm(body: Body, around: Surroundings) -> Iterator[Point]:
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
        "score": (Kind.FLOAT, _short(reason.score)),
        "threshold": (Kind.FLOAT, _short(reason.threshold)),
        "contributors": (Kind.TEXT, _contributors(reason)),
        "onset": (Kind.INT, body["onset"]),
        "raised": (Kind.INT, body["raised"]),
        "ended": (Kind.INT, body.get("ended")),
        "annunciated": (Kind.INT, body.get("annunciated")),
        "from_ms": (Kind.INT, body["onset"] // MS - AROUND_MS),
        "to_ms": (Kind.INT, body["raised"] // MS + AROUND_MS),
        "similar": (Kind.TEXT, _similar(reason) or None),
        "chattering": (Kind.INT, int(body.get("chattering", False))),
        "stale": (Kind.INT, int(body.get("stale", False))),
        "occurrences": (Kind.INT, body["occurrences"]),
        "mode": (Kind.INT, body.get("mode")),
        "actor": (Kind.TEXT, body.get("actor") or None),
        "note": (Kind.TEXT, body.get("note") or None),
        "feedback": (Kind.TEXT, (body.get("feedback") or {}).get("label")),
    }
    yield Point("alarm", tags, fields)
    for rank in range(RANKS):
        yield _contribution(body, reason.contributions[rank : rank + 1], rank, around)


def _contribution(
    body: Body, at_rank: tuple[Contribution, ...], rank: int, around: Surroundings
) -> Point:
    """Make the point of a rank; an empty one takes the place of what was told there before."""
    tags = {**asset_places(body["asset"]), "gateway": around.gateway, "rank": str(rank + 1)}
    fields: Fields = {
        "id": (Kind.INT, body["id"]),
        "signal": (Kind.TEXT, ""),
        "share": (Kind.FLOAT, 0.0),
    }
    for part in at_rank:
        fields |= {
            "signal": (Kind.TEXT, part.signal.rpartition("/")[2]),
            "share": (Kind.FLOAT, _short(part.share)),
            "actual": (Kind.FLOAT, _short(part.actual, VALUE_DIGITS)),
            "expected": (Kind.FLOAT, _short(part.expected, VALUE_DIGITS)),
            "low": (Kind.FLOAT, _short(part.low, VALUE_DIGITS)),
            "high": (Kind.FLOAT, _short(part.high, VALUE_DIGITS)),
            "unit": (Kind.TEXT, part.unit),
            "trend": (Kind.TEXT, part.trend.value),
            "since_ms": (Kind.INT, part.since // MS),
            "from_ms": (Kind.INT, body["onset"] // MS - AROUND_MS),
            "to_ms": (Kind.INT, body["raised"] // MS + AROUND_MS),
        }
    return Point("contribution", tags, fields)


def _similar(reason: Reason) -> str:
    """Tell the earlier incident most like this one, and how it was resolved."""
    for like in reason.precedents[:1]:
        said = ", ".join(word for word in (like.label, like.note, like.actor) if word)
        return f"#{like.id}: {said or 'nobody said what it was'}"
    return ""


def _reason(body: Body) -> Reason:
    parts = tuple(
        Contribution(**{**part, "trend": Trend(part["trend"])}) for part in body["contributions"]
    )
    before = tuple(Precedent(**one) for one in body.get("precedents", ()))
    return Reason(body["score"], body["threshold"], parts, before)


def _contributors(reason: Reason) -> str:
    """Write the largest contributions as JSON: what a board or a notebook takes apart again."""
    told = [
        {
            "signal": part.signal,
            "share": _number(_short(part.share)),
            "actual": _number(_short(part.actual, VALUE_DIGITS)),
            "expected": _number(_short(part.expected, VALUE_DIGITS)),
            "low": _number(_short(part.low, VALUE_DIGITS)),
            "high": _number(_short(part.high, VALUE_DIGITS)),
            "unit": part.unit,
            "since": part.since,
            "trend": part.trend.value,
        }
        for part in reason.contributions[:CONTRIBUTORS]
    ]
    return json.dumps(told, separators=(",", ":"))


def _short(value: float, digits: int = SCORE_DIGITS) -> float:
    """Round to so many digits: more of a score is noise, and noise does not compress."""
    return float(f"{value:.{digits}g}")


def _number(value: float) -> float | None:
    """Leave out what JSON has no word for."""
    return value if math.isfinite(value) else None


def _gap(body: Body, around: Surroundings) -> Iterator[Point]:
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
    yield Point(GAP, tags, fields)


def _state(body: Body, _: Surroundings) -> Iterator[Point]:
    names = ("ne107", "machine", "mode", "alarm", "priority", "model", "beside")
    fields: Fields = {name: (Kind.INT, body.get(name)) for name in names}
    if "alarm_state" in body:
        fields |= _standing(body)
    yield Point("state", asset_places(body["asset"]), fields)


_RATE = ("budget", "not_real", "judged_weeks", "realised", "realised_low", "realised_high")


def _standing(body: Body) -> Fields:
    """Tell how the incident of an asset stands, in numbers that boards can add up and compare."""
    state = AlarmState(body["alarm_state"])
    told = state in ANNUNCIATED
    waited = body.get("waited_s")
    return {
        "alarm_state": (Kind.INT, STATES[state]),
        "state_name": (Kind.TEXT, state.value),
        "open": (Kind.INT, int(told)),
        "waiting": (Kind.INT, int(state in WAITING)),
        "overdue": (Kind.INT, int(waited is not None and waited > OVERDUE_S)),
        "urgency": (Kind.INT, 5 - body["priority"] if told else 0),
        "unjudged": (Kind.INT, int(body["ne107"] == Health.CANNOT_JUDGE)),
        "reason": (Kind.TEXT, body["reason"] or None),
        "waited_s": (Kind.FLOAT, waited),
    }


def _rate(body: Body, _: Surroundings) -> Iterator[Point]:
    fields: Fields = {name: (Kind.FLOAT, body[name]) for name in _RATE}
    yield Point("rate", asset_places(body["asset"]), fields)


def _normal(body: Body, _: Surroundings) -> Iterator[Point]:
    """Make a point of each signal: its band, and how far it has moved since it was learnt."""
    names = ("low", "high", "expected", "drift")
    columns = zip(body["signals"], *(body[name] for name in names), strict=True)
    for signal, *values in columns:
        fields: Fields = {
            name: (Kind.FLOAT, value) for name, value in zip(names, values, strict=True)
        }
        yield Point("normal", places(signal), fields | {"mode": (Kind.INT, body["mode"])})


def _instrument(body: Body, around: Surroundings) -> Iterator[Point]:
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
    yield Point("instrument", tags, fields)


def _part(body: Body, around: Surroundings) -> Iterator[Point]:
    tags = {**asset_places(body["asset"]), "gateway": around.gateway}
    fields: Fields = {
        "id": (Kind.INT, body["id"]),
        "number": (Kind.TEXT, body["number"]),
        "from": (Kind.INT, body["start"]),
        "mode": (Kind.INT, body["mode"]),
        "verdict": (Kind.TEXT, body["verdict"]),
        "why": (Kind.TEXT, body["why"] or None),
        "score": (Kind.FLOAT, _short(body["score"])),
        "threshold": (Kind.FLOAT, _short(body["limit"])),
        "label": (Kind.TEXT, body["label"] or None),
        "actor": (Kind.TEXT, body["actor"] or None),
        "note": (Kind.TEXT, body["note"] or None),
    }
    yield Point("part", tags, fields)


def _model(body: Body, around: Surroundings) -> Iterator[Point]:
    tags = {**asset_places(body["asset"]), "gateway": around.gateway}
    fields: Fields = {
        "version": (Kind.INT, body["version"]),
        "action": (Kind.TEXT, body["action"]),
        "why": (Kind.TEXT, body["why"] or None),
        "actor": (Kind.TEXT, body["actor"] or None),
        "sha256": (Kind.TEXT, body["sha256"] or None),
    }
    yield Point("model", tags, fields)


def _refused(body: Body, around: Surroundings) -> Iterator[Point]:
    """Make a point of a file that was not taken; it has no version that could be believed."""
    tags = {**asset_places(body["asset"]), "gateway": around.gateway}
    fields: Fields = {
        "action": (Kind.TEXT, "refused"),
        "why": (Kind.TEXT, f"{body.get('file', '')} {body['why']}".strip()),
    }
    yield Point("model", tags, fields)


def _setpoint_audit(body: Body, around: Surroundings) -> Iterator[Point]:
    """Make a point of a checkpoint of the guard's audit, or of why none could be read."""
    fields: Fields = {
        "of": (Kind.INT, body.get("of")),
        "at": (Kind.INT, body.get("at")),
        **{name: (Kind.TEXT, body.get(name)) for name in ("head", "signature", "key", "held_in")},
        "tpm": (Kind.TEXT, body.get("tpm")),
        "why": (Kind.TEXT, body.get("why")),
    }
    yield Point(SETPOINT_AUDIT, {"gateway": around.gateway}, fields)


def _gateway(body: Body, around: Surroundings) -> Iterator[Point]:
    """Every figure is a float, so that no figure ever changes its type."""
    figures = {
        name: value
        for name, value in body.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    fields: Fields = {name: (Kind.FLOAT, value) for name, value in figures.items()}
    yield Point("gateway", {"gateway": around.gateway}, fields)


_MAKERS: dict[str, Callable[[Body, Surroundings], Iterator[Point]]] = {
    "alarm": _alarm,
    "gap": _gap,
    "state": _state,
    "normal": _normal,
    "rate": _rate,
    "instrument": _instrument,
    "part": _part,
    "model": _model,
    "model-refused": _refused,
    "setpoint-audit": _setpoint_audit,
    "gateway": _gateway,
}
KINDS = frozenset(_MAKERS)
"""Kinds of events that are kept; texts of the plant (``context``) beside them."""
