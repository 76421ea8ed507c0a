"""Every endpoint behind its right: who asks, and whether he may; without a right it is no door."""

import secrets
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.accounts.access import ANYBODY, LOCAL, NEAR, PROGRAM, STRANGER, Access, Who
from gateway.accounts.audit import PLACE
from gateway.accounts.roles import WORDS, Right, refusal
from gateway.console.answers import refuse

SECURE_COOKIE, PLAIN_COOKIE = "__Host-wheeltapper", "wheeltapper"
"""With TLS the browser itself sees to it that nobody else has set it (RFC 6265bis §4.1.3.2);
without, on loopback, it takes no such cookie."""
LOG_IN = "Log in first."


class Door(Route):
    """A route that asks for a right before its endpoint is called.

    Parameters
    ----------
    path, endpoint
        As of a route.
    right
        What is asked for.
    changes
        It changes something: a POST, and from a browser only with its Origin.
    """

    def __init__(
        self, path: str, endpoint: Callable[..., Any], right: Right, *, changes: bool = False
    ) -> None:
        super().__init__(path, endpoint, methods=["POST"] if changes else ["GET"])
        self.right = right
        self.changes = changes

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint, or say why not."""
        PLACE.set(peer(scope))
        objection = None
        if scope["method"] in (self.methods or ()):
            access: Access | None = scope["app"].state.access
            scope["who"], objection = ANYBODY, None
            if access is not None:
                scope["who"], why = recognised(access, scope)
                objection = self._objection(access, scope, why)
        if objection is None:
            await super().handle(scope, receive, send)
        else:
            await objection(scope, receive, send)

    def _objection(self, access: Access, scope: Scope, why: str) -> Response | None:
        who: Who = scope["who"]
        if self.right not in who.rights:
            if who.role is not None:
                sentence = refusal(who.name, who.role, self.right)
                access.audit.refusal(who.name, peer(scope), sentence, _asked(scope))
                return refuse(403, sentence)
            if why or self.changes:
                access.audit.refusal("", peer(scope), why or "not logged in", _asked(scope))
            if who is PROGRAM:
                return refuse(403, "This token is for health and figures only.")
            return refuse(401, LOG_IN)
        if self.changes and who.role is not None and not _of_its_own_page(scope):
            access.audit.refusal(who.name, peer(scope), "a request from no page", _asked(scope))
            return refuse(403, "A browser names the page that a request comes from (Origin).")
        return None


def need(request: HTTPConnection, right: Right) -> None:
    """Ask for a right that depends on what the body says; HTTPException says who has it."""
    who: Who = request.scope["who"]
    if right in who.rights:
        return
    access: Access | None = request.scope["app"].state.access
    sentence = f"You may not {WORDS[right]}."
    if who.role is not None:
        sentence = refusal(who.name, who.role, right)
    if access is not None:
        access.audit.refusal(who.name, peer(request.scope), sentence, _asked(request.scope))
    raise HTTPException(403, sentence)


def cookie_of(connection: HTTPConnection) -> str:
    """Give the id of the session that a browser names; empty when it names none."""
    secure = connection.scope["scheme"] == "https"
    return connection.cookies.get(SECURE_COOKIE if secure else PLAIN_COOKIE, "")


def peer(scope: Scope) -> str:
    """Give the address of whoever asks; what a proxy claims is not believed."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    # So IPv4 arrives at a socket that takes both.
    return address.removeprefix("::ffff:") if "." in address else address


def is_near(scope: Scope) -> bool:
    """Tell whether a request comes from this machine."""
    try:
        return ip_address(peer(scope)).is_loopback
    except ValueError:
        return False


def recognised(access: Access, scope: Scope) -> tuple[Who, str]:
    """Find out who asks; besides why he is nobody, if he claimed to be somebody."""
    near = is_near(scope)
    nobody = NEAR if near else STRANGER
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme:
        given = token.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() == "bearer":
            if near and secrets.compare_digest(given, access.token.encode()):
                return LOCAL, ""
            kept = access.metrics_token.encode()
            if kept and secrets.compare_digest(given, kept):
                return PROGRAM, ""
        return nobody, "a token that is none of ours"
    key = cookie_of(HTTPConnection(scope))
    if not key:
        return nobody, ""
    who = access.who(key)
    return (nobody, "a cookie of no session") if who is None else (who, "")


def _of_its_own_page(scope: Scope) -> bool:
    """Tell whether a browser says that its own page asks; the gate has compared the Origin."""
    headers = Headers(scope=scope)
    return "origin" in headers and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _asked(scope: Scope) -> str:
    return f"{scope['method']} {scope['path']}"[:200]
