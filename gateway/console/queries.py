"""What a page may ask, checked and bounded before the gateway sees it."""

import asyncio
import json
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.accounts.access import Who
from plant.alarms import HoldKind, Label
from plant.parts import PartLabel, PartVerdict

BODY_BYTES = 16_384
BODY_S = 20.0
WORD_LIMIT = 512
"""Longest name or filter in characters."""
NOTE_LIMIT = 1_000
ACTOR_LIMIT = 80
LATEST_MS = 9e12
"""The year 2255: times in nanoseconds end in 2262."""
POINTS_DEFAULT = 300
POINTS_LIMIT = 2_000
LONGEST_HOLD_S = 366 * 86_400
PARTS_DEFAULT = 50
PARTS_LIMIT = 500
ROWS_LIMIT = 500
"""Tags in one answer; the page asks the reader to narrow the filter beyond that."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, ms since the epoch, and the number of points it is drawn with."""

    start: float
    stop: float
    points: int


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who acknowledges, and why."""

    actor: str
    note: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person calls an alarm."""

    label: str
    actor: str
    note: str
    new_normal: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """Which asset is to be kept quiet or heard again, and who says so; `seconds` None: open."""

    target: str
    kind: str
    seconds: float | None
    actor: str
    note: str


@dataclass(frozen=True, slots=True)
class Trusting:
    """Which instrument is to be believed again, and who says so."""

    target: str
    actor: str
    note: str


@dataclass(frozen=True, slots=True)
class ModelChange:
    """Of which asset another model is to be in force; `version` None: whichever it is now."""

    target: str
    version: int | None
    actor: str
    note: str


@dataclass(frozen=True, slots=True)
class PartSaid:
    """Which part of which asset is called what, and who says so; of `new_parts` the asset only."""

    target: str
    number: str
    label: str
    actor: str
    note: str


@dataclass(frozen=True, slots=True)
class PartsAsked:
    """Which parts are asked for."""

    target: str | None
    verdict: str | None
    limit: int


@dataclass(frozen=True, slots=True)
class SetpointOrder:
    """What somebody wants of the guard; `target` a request or a tag, empty for the switch."""

    target: str
    password: str = field(repr=False)
    actor: str
    note: str


def word(query: QueryParams, name: str) -> str:
    """Read a mandatory text parameter; 400 names the one that is missing or too long."""
    value = query.get(name, "")
    if not 0 < len(value) <= WORD_LIMIT:
        raise HTTPException(400, f"'{name}' is needed, 1 to {WORD_LIMIT} characters.")
    return value


def window(query: QueryParams) -> Window:
    """Read ``start_ms``, ``stop_ms`` (mandatory) and ``points``.

    Examples
    --------
    >>> window(QueryParams("start_ms=0&stop_ms=60000&points=30"))
    Window(start=0.0, stop=60000.0, points=30)
    """
    start, stop = _number(query, "start_ms"), _number(query, "stop_ms")
    if not start < stop:
        raise HTTPException(400, "'start_ms' must be before 'stop_ms'.")
    points = int(_number(query, "points", POINTS_DEFAULT))
    if not 2 <= points <= POINTS_LIMIT:
        raise HTTPException(400, f"'points' must be from 2 to {POINTS_LIMIT}.")
    return Window(start, stop, points)


def _number(query: QueryParams, name: str, default: float | None = None) -> float:
    text = query.get(name)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not abs(value) <= LATEST_MS:
        raise HTTPException(400, f"'{name}' must be a number.")
    return value


def stretch(query: QueryParams) -> tuple[float | None, float | None]:
    """Read ``start_ms`` and ``stop_ms``, either of which may be left out."""
    bounds = [_number(query, name) if name in query else None for name in ("start_ms", "stop_ms")]
    return bounds[0], bounds[1]


async def acknowledgement(request: Request) -> Acknowledgement:
    """Read the JSON body of an acknowledgement; the reason is mandatory."""
    content = await _order(request)
    return Acknowledgement(
        _said(content.get("actor"), "Who acknowledges ('actor')", ACTOR_LIMIT),
        _said(content.get("note"), "A reason ('note')", NOTE_LIMIT),
    )


async def judgement(request: Request) -> Judgement:
    """Read the JSON body of a feedback; what was expected has to be said."""
    content = await _order(request)
    label = _one_of(content.get("label"), "label", Label)
    note = content.get("note", "")
    if label == Label.EXPECTED or note:
        note = _said(note, "What was it ('note')", NOTE_LIMIT)
    actor = _said(content.get("actor"), "Who says so ('actor')", ACTOR_LIMIT)
    return Judgement(label, actor, str(note), content.get("new_normal") is True)


async def trusting(request: Request) -> Trusting:
    """Read the JSON body of an order to believe an instrument; who and why are mandatory."""
    content = await _order(request)
    return Trusting(
        _said(content.get("target"), "A signal ('target')", WORD_LIMIT),
        _said(content.get("actor"), "Who does it ('actor')", ACTOR_LIMIT),
        _said(content.get("note"), "A reason ('note')", NOTE_LIMIT),
    )


async def model_change(request: Request) -> ModelChange:
    """Read the JSON body of an order about a model; who and why are mandatory."""
    content = await _order(request)
    version = content.get("version")
    if version is not None and (type(version) is not int or not 0 <= version < 2**31):
        raise HTTPException(400, "'version' must be the number of a model.")
    return ModelChange(
        _said(content.get("target"), "An asset ('target')", WORD_LIMIT),
        version,
        _said(content.get("actor"), "Who does it ('actor')", ACTOR_LIMIT),
        _said(content.get("note"), "A reason ('note')", NOTE_LIMIT),
    )


async def holding(request: Request) -> Holding:
    """Read the JSON body of a hold or of its end; who and why are mandatory."""
    content = await _order(request)
    seconds = content.get("seconds")
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (number and 0 < seconds <= LONGEST_HOLD_S):
        raise HTTPException(400, "'seconds' must be a number above 0, a year at most.")
    kind = _one_of(content.get("kind"), "kind", HoldKind)
    if kind == HoldKind.OUT_OF_SERVICE:
        seconds = None
    return Holding(
        _said(content.get("target"), "An asset or an alarm ('target')", WORD_LIMIT),
        kind,
        seconds,
        _said(content.get("actor"), "Who does it ('actor')", ACTOR_LIMIT),
        _said(content.get("note"), "A reason ('note')", NOTE_LIMIT),
    )


async def setpoint_order(request: Request) -> SetpointOrder:
    """Read the JSON body of an order to the guard, who looks at the name and the password."""
    content = await _content(request)
    who: Who = request.scope["who"]
    texts = {name: content.get(name, "") for name in ("target", "password", "actor", "note")}
    limits = {"actor": ACTOR_LIMIT, "note": NOTE_LIMIT - 100}
    for name, text in texts.items():
        limit = limits.get(name, WORD_LIMIT)
        if not isinstance(text, str) or len(text) > limit or not text.isprintable():
            raise HTTPException(400, f"'{name}' is a text of {limit} characters at most.")
    # Whoever is logged in speaks for himself.
    actor = who.name if who.role is not None else texts["actor"].strip()
    return SetpointOrder(texts["target"], texts["password"], actor, texts["note"].strip())


def parts_asked(query: QueryParams) -> PartsAsked:
    """Read ``asset``, ``verdict`` and ``limit``, any of which may be left out."""
    verdict = query.get("verdict")
    if verdict is not None:
        verdict = _one_of(verdict, "verdict", PartVerdict)
    limit = int(_number(query, "limit", PARTS_DEFAULT))
    if not 1 <= limit <= PARTS_LIMIT:
        raise HTTPException(400, f"'limit' must be from 1 to {PARTS_LIMIT}.")
    return PartsAsked(word(query, "asset") if "asset" in query else None, verdict, limit)


async def part_label(request: Request) -> PartSaid:
    """Read the JSON body that says what a part turned out to be."""
    content = await _order(request)
    note = content.get("note", "")
    return PartSaid(
        _said(content.get("asset"), "The machine ('asset')", WORD_LIMIT),
        _said(content.get("number"), "The part ('number')", WORD_LIMIT),
        _one_of(content.get("label"), "label", PartLabel),
        _said(content.get("actor"), "Who says so ('actor')", ACTOR_LIMIT),
        _said(note, "A reason ('note')", NOTE_LIMIT) if note else "",
    )


async def part_normal(request: Request) -> PartSaid:
    """Read the JSON body that says that parts are made otherwise from now on."""
    content = await _order(request)
    return PartSaid(
        _said(content.get("asset"), "The machine ('asset')", WORD_LIMIT),
        "",
        "",
        _said(content.get("actor"), "Who says so ('actor')", ACTOR_LIMIT),
        _said(content.get("note"), "A reason ('note')", NOTE_LIMIT),
    )


def _one_of(value: object, name: str, words: type[StrEnum]) -> str:
    known = [str(word) for word in words]
    if value not in known:
        raise HTTPException(400, f"'{name}' must be one of: {', '.join(known)}.")
    return str(value)


async def login(request: Request) -> tuple[str, str]:
    """Read name and password; a name that could be none is a wrong one."""
    name, word = await _two(request, "name", "password")
    return name[:ACTOR_LIMIT], word[:WORD_LIMIT]


async def password(request: Request) -> tuple[str, str]:
    """Read the present password and the new one."""
    old, new = await _two(request, "old", "new")
    return old[:WORD_LIMIT], new[:WORD_LIMIT]


async def _two(request: Request, first: str, second: str) -> tuple[str, str]:
    content = await _content(request)
    one, other = content.get(first), content.get(second)
    if not isinstance(one, str) or not isinstance(other, str):
        raise HTTPException(400, f"'{first}' and '{second}' are needed.")
    return one, other


async def content_of(
    request: Request, otherwise: str = "The body must be a JSON object."
) -> dict[str, Any]:
    """Read a JSON object; 400 says `otherwise` where it is something else."""
    body = await _body(request)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The body is not JSON.") from error
    if not isinstance(content, dict):
        raise HTTPException(400, otherwise)
    return content


async def _content(request: Request) -> dict[str, Any]:
    return await content_of(request, "The body must be an object with 'actor' and 'note'.")


async def _order(request: Request) -> dict[str, Any]:
    """Read what is ordered; who orders it is whoever is logged in, whatever the body says."""
    content = await _content(request)
    who: Who = request.scope["who"]
    said = content.get("actor")
    if who.role is not None or (isinstance(said, str) and said.strip()):
        content["actor"] = who.actor(said.strip() if isinstance(said, str) else "")
    return content


def _said(value: object, what: str, limit: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 0 < len(text) <= limit:
        raise HTTPException(400, f"{what} is needed, 1 to {limit} characters.")
    return text


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise HTTPException(413, f"The body is larger than {BODY_BYTES} bytes.")
    except TimeoutError as error:
        raise HTTPException(408, f"The body did not come within {BODY_S:.0f} s.") from error
    return bytes(body)
