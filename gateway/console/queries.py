"""What a page may ask, checked and bounded before the gateway sees it."""

import json
import math
from dataclasses import dataclass

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

BODY_BYTES = 16_384
WORD_LIMIT = 512
"""Longest name or filter in characters."""
NOTE_LIMIT = 1_000
ACTOR_LIMIT = 80
LATEST_MS = 9e12
"""The year 2255: times in nanoseconds end in 2262."""
POINTS_DEFAULT = 300
POINTS_LIMIT = 2_000
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


async def acknowledgement(request: Request) -> Acknowledgement:
    """Read the JSON body of an acknowledgement; the reason is mandatory."""
    body = await _body(request)
    try:
        content = json.loads(body)
    except ValueError as error:
        raise HTTPException(400, "The body is not JSON.") from error
    if not isinstance(content, dict):
        raise HTTPException(400, "The body must be an object with 'actor' and 'note'.")
    return Acknowledgement(
        _said(content.get("actor"), "Who acknowledges ('actor')", ACTOR_LIMIT),
        _said(content.get("note"), "A reason ('note')", NOTE_LIMIT),
    )


def _said(value: object, what: str, limit: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 0 < len(text) <= limit:
        raise HTTPException(400, f"{what} is needed, 1 to {limit} characters.")
    return text


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise HTTPException(413, f"The body is larger than {BODY_BYTES} bytes.")
    return bytes(body)
