"""The way in for programs that ask for a setpoint: handed through to the guard, which alone judges.

A program shows the token that the signed limits know it by. Nothing of it is looked at or kept
here; what goes back is where the request stands, and in one word why not.
"""

import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.access import Access
from gateway.accounts.roles import Right
from gateway.accounts.waits import Lockout
from gateway.console.answers import answer, refuse
from gateway.console.doors import Door, peer
from gateway.console.queries import content_of
from gateway.guard.line import GuardLine
from gateway.guard.words import new_id, request_of
from plant.errors import Rejected, Unreachable
from plant.setpoints import LONGEST_S, Code

PATH = "/api/setpoints/requests"
AT_ONCE = 8
"""Requests on their way to the guard; it takes 32 lines in all, and people have to get through."""
LOOKS_AT_ONCE = 4
"""Of those who only look where one stands, for which nobody has to show who he is."""
STATE_S = 3.0
FLOODED_S = 60
NAME = 64
NS = 10**9
_ID = re.compile(r"[0-9a-f-]{36}")


class Asking:
    """Endpoints of programs that ask.

    Parameters
    ----------
    line
        The way to the guard.
    clock
        Monotonic time, s.
    """

    def __init__(self, line: GuardLine, clock: Callable[[], float] = time.monotonic) -> None:
        self._line = line
        self._lockout = Lockout(clock)
        self._open = Counter[str]()

    def doors(self) -> list[Door]:
        """Give its endpoints; who may ask is the guard's business, so they ask for no right."""
        return [
            Door(PATH, self.ask, Right.OPEN, changes=True),
            Door(PATH + "/{id}", self.state, Right.OPEN),
        ]

    async def ask(self, request: Request) -> Response:
        """Take a request, and answer where it stands."""
        token = _token(request)
        if not token:
            return refuse(401, "Show the proposer's token: Authorization: Bearer TOKEN.")
        place, said = peer(request.scope), said_of(await content_of(request), token)
        left = self._lockout.left(said["name"], place)
        if left:
            return _later(429, "Too many wrong tokens.", left)
        async with self._slot("ask", AT_ONCE):
            try:
                answered = await self._line.tell(said)
            except Unreachable as error:
                raise HTTPException(503, "No guard answers here; nothing was asked.") from error
            except Rejected as error:
                raise HTTPException(400, str(error)) from error
        row = answered["request"]
        told = {"id": row["id"], "state": row["state"], "code": row["code"]}
        if not answered.get("known", row["code"] != Code.STRANGER):
            # Whatever else was in the way first: nobody is told of the plant for a wrong token.
            told["code"] = str(Code.STRANGER)
            self._lockout.failed(said["name"], place)
            access: Access | None = request.scope["app"].state.access
            if access is not None:
                access.audit.refusal("", place, "no proposer's token", PATH)
            return answer(told, 401)
        self._lockout.passed(said["name"], place)
        if row["code"] == Code.FLOODING:
            flooded = answer(told, 429)
            flooded.headers["Retry-After"] = str(FLOODED_S)
            return flooded
        return answer(told)

    async def state(self, request: Request) -> Response:
        """Answer where a request stands; whoever knows its id may know that."""
        key = request.path_params["id"]
        if _ID.fullmatch(key) is None:
            raise HTTPException(404, "There is no such request.")
        async with self._slot("look", LOOKS_AT_ONCE):
            try:
                row = await self._line.tell({"op": "state", "id": key}, STATE_S)
            except Unreachable as error:
                raise HTTPException(503, "No guard answers here.") from error
            except Rejected as error:
                raise HTTPException(404, "There is no such request.") from error
        return answer({"id": row["id"], "state": row["state"], "code": row["code"]})

    @asynccontextmanager
    async def _slot(self, what: str, most: int) -> AsyncIterator[None]:
        if self._open[what] >= most:
            raise HTTPException(503, "Too many requests are on their way to the guard.")
        self._open[what] += 1
        try:
            yield
        finally:
            self._open[what] -= 1


def _token(request: Request) -> str:
    scheme, _, token = Headers(scope=request.scope).get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def said_of(content: dict[str, Any], token: str) -> dict[str, Any]:
    """Give what the guard is told; an id, a key and an end are made where there are none."""
    name, within = content.pop("proposer", None), content.pop("within_s", LONGEST_S)
    if not isinstance(name, str) or not 0 < len(name) <= NAME or not name.isprintable():
        raise HTTPException(400, f"'proposer' is needed: its name, 1 to {NAME} characters.")
    number = isinstance(within, int | float) and not isinstance(within, bool)
    if not number or not 0 < within <= LONGEST_S:
        raise HTTPException(400, f"'within_s' must be a number up to {LONGEST_S:g}.")
    now = time.time_ns()
    made = {"id": new_id(now), "not_after": now + int(within * NS)} | content
    made = {"key": made["id"]} | made
    try:
        # What is no request is told so here: the guard writes down none that nobody stands for.
        request_of(made, name)
    except Rejected as error:
        raise HTTPException(400, str(error)) from error
    return {"op": "request", "name": name, "token": token, "request": made}


def _later(status: int, sentence: str, seconds: int) -> Response:
    refused = refuse(status, sentence)
    refused.headers["Retry-After"] = str(seconds)
    return refused
