"""From where somebody may ask, and what a browser may do with the answer.

The Host check stops DNS rebinding, Origin and Content-Type stop requests that another site has a
browser make (OWASP cheat sheets "Cross-Site Request Forgery Prevention", "HTTP Headers"). Who it is
comes after: see `doors`.
"""

from collections.abc import Callable, Collection
from ipaddress import ip_address
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


Refused = Callable[[Scope, str], None]


class Gate:
    """ASGI middleware: refuses foreign requests and adds the safeguards to every answer.

    Parameters
    ----------
    names
        Names under which browsers may come besides the loopback ones.
    network
        Others reach the console: then any address of ours will do for a name, since a page of
        another site can have its own name lead here, and no number.
    refused
        Told of each cross-site request, with the reason.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: Collection[str] = (),
        network: bool = False,
        refused: Refused = lambda _scope, _why: None,
    ) -> None:
        self._app = app
        self._names = frozenset(names)
        self._network = network
        self._refused = refused

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

        app = self._objection(scope) or self._app
        await app(scope, receive, guarded)

    def _objection(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, scheme = headers.get("host", ""), scope["scheme"]
        if not self._ours(host, scope["server"][1]):
            return refuse(421, self._whereabouts(scheme, scope["server"][1]))
        if scope["method"] in READING:
            return None
        origin = headers.get("origin")
        if origin is not None and (urlsplit(origin).scheme, urlsplit(origin).netloc) != (
            scheme,
            host,
        ):
            self._refused(scope, "a request from another site")
            return refuse(403, "The request comes from another page than this console.")
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            return refuse(415, "Send the request as application/json.")
        return None

    def _ours(self, host: str, port: int) -> bool:
        name, colon, digits = host.rpartition(":")
        if not colon or not digits.isdecimal():
            name = host
        name = name.lower()
        # A certificate may be for every name of a domain.
        if name in self._names or f"*.{name.partition('.')[2]}" in self._names:
            return True
        if self._network:
            # Behind a container's published port the number is another one.
            return name in LOCAL or _is_address(name)
        return host in {f"{local}:{port}" for local in LOCAL}

    def _whereabouts(self, scheme: str, port: int) -> str:
        if not self._network:
            return f"This console answers at {scheme}://127.0.0.1:{port} only."
        return (
            "This console does not know itself by that name; add it to names in the section "
            "[console], or come by its address."
        )


def _is_address(name: str) -> bool:
    try:
        ip_address(name[1:-1] if name.startswith("[") else name)
    except ValueError:
        return False
    return True
