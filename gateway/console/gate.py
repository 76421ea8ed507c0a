"""Who may ask, and what a browser may do with the answer.

The console has no accounts, so it must stay out of reach of other sites that an operator has
open: the Host check stops DNS rebinding, Origin and Content-Type stop forged requests
(OWASP cheat sheets "Cross-Site Request Forgery Prevention", "HTTP Headers").
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.console.answers import refuse

LOCAL = ("127.0.0.1", "localhost", "[::1]")
READING = ("GET", "HEAD")

_SAFEGUARDS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """ASGI middleware: refuses foreign requests and adds the safeguards to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it with its reason."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_SAFEGUARDS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        app = _objection(scope) or self._app
        await app(scope, receive, guarded)


def _objection(scope: Scope) -> Response | None:
    headers = Headers(scope=scope)
    host, port = headers.get("host", ""), scope["server"][1]
    allowed = {f"{name}:{port}" for name in LOCAL}
    if host not in allowed:
        return refuse(421, f"This console answers at http://127.0.0.1:{port} only.")
    if scope["method"] in READING:
        return None
    origin = headers.get("origin")
    if origin is not None and (urlsplit(origin).scheme, urlsplit(origin).netloc) != ("http", host):
        return refuse(403, "The request comes from another page than this console.")
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        return refuse(415, "Send the request as application/json.")
    return None
