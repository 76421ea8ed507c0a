"""Login, logout, who is logged in, and the audit."""

import asyncio
from collections.abc import Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.access import WRONG, Access, LockedOut, Who
from gateway.accounts.audit import MOST_ROWS, rows
from gateway.accounts.roles import Right, roles_with
from gateway.accounts.sessions import lifetime
from gateway.console.answers import answer, refuse
from gateway.console.doors import PLAIN_COOKIE, SECURE_COOKIE, cookie_of, peer
from gateway.console.queries import login as login_asked
from gateway.console.queries import password as password_asked
from gateway.journal import EventRecord
from plant.errors import Misconfigured, Rejected, Unreachable

Records = Callable[[int], Sequence[EventRecord]]
"""Gives the newest events of the audit, at most so many; blocks."""


def no_records(_most: int) -> Sequence[EventRecord]:
    """Give nothing."""
    return []


class Entrance:
    """Endpoints of the way in and out.

    Parameters
    ----------
    access
        Who is let in; None: without accounts everybody is.
    records
        Where the audit is read.
    """

    def __init__(self, access: Access | None, records: Records) -> None:
        self._access = access
        self._records = records

    async def session(self, request: Request) -> Response:
        """Answer who is logged in, what he may, and which roles may what."""
        who: Who = request.scope["who"]
        return answer(
            {
                "accounts": self._access is not None,
                "name": who.name,
                "role": who.role,
                "rights": sorted(who.rights),
                "roles": {right: roles_with(right) for right in Right},
            }
        )

    async def touch(self, request: Request) -> Response:
        """Note that somebody is at the page."""
        if self._access is not None:
            self._access.touch(cookie_of(request))
        return answer({})

    async def login(self, request: Request) -> Response:
        """Check name and password, and give the browser its cookie."""
        if self._access is None:
            raise HTTPException(409, "This console has no accounts; nobody need log in.")
        name, password = await login_asked(request)
        try:
            key = await self._access.login(name, password, peer(request.scope))
        except LockedOut as error:
            refused = refuse(429, str(error))
            refused.headers["Retry-After"] = str(error.seconds)
            return refused
        except Unreachable as error:
            raise HTTPException(503, str(error)) from error
        except Rejected as error:
            raise HTTPException(401, str(error)) from error
        # What was before the login is not gone on with (session fixation, CWE-384).
        self._access.logout(cookie_of(request), peer(request.scope))
        who = self._access.who(key)
        role = who.role if who else None
        response = answer({"name": who.name if who else "", "role": role})
        self._give(request, response, key, round(lifetime(role)) if role else 0)
        return response

    async def password(self, request: Request) -> Response:
        """Give the account that is logged in another password."""
        key = cookie_of(request)
        if self._access is None or not key:
            raise HTTPException(409, "Only who is logged in has a password.")
        old, new = await password_asked(request)
        try:
            await self._access.change_password(key, old, new, peer(request.scope))
        except Unreachable as error:
            raise HTTPException(503, str(error)) from error
        except (Rejected, Misconfigured) as error:
            # 401 would lead the page to the way in.
            words = "The present password is wrong." if str(error) == WRONG else str(error)
            raise HTTPException(403, words) from error
        return answer({})

    async def logout(self, request: Request) -> Response:
        """End the session of the browser."""
        if self._access is not None:
            self._access.logout(cookie_of(request), peer(request.scope))
        response = answer({})
        self._give(request, response, "", 0)
        return response

    async def audit(self, _request: Request) -> Response:
        """Answer who did what, newest first."""
        found = await asyncio.to_thread(self._records, MOST_ROWS)
        return answer({"audit": rows(found)})

    @staticmethod
    def _give(request: Request, response: Response, key: str, seconds: int) -> None:
        secure = request.scope["scheme"] == "https"
        response.set_cookie(
            SECURE_COOKIE if secure else PLAIN_COOKIE,
            key,
            max_age=seconds,
            path="/",
            secure=secure,
            httponly=True,
            samesite="strict",
        )
