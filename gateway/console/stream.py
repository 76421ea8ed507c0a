"""The overview pushed to every open page (server-sent events, WHATWG HTML §9.2).

Once a second, and at once when there is news that must not wait for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from gateway.accounts.access import ANYBODY, Who
from gateway.console.answers import encode, refuse
from gateway.console.view import View

SOON_S = 0.02
"""Frames follow each other no closer than this, however much there is to tell."""
STUCK_S = 10.0
"""A browser that takes nothing for so long is let go; it comes back by itself."""

_HEAD: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ],
}


class Stream:
    """The ASGI endpoint ``/events``: one frame a `period`, encoded once for all clients.

    A client is given the newest frame when it is ready for one, so a slow client skips frames
    and holds no backlog.

    Parameters
    ----------
    view
        Where the rows come from.
    clients
        Pages served at once; one more is told 503.
    period
        Seconds between frames.
    """

    def __init__(self, view: View, *, clients: int = 50, period: float = 1.0) -> None:
        self._view = view
        self._limit = clients
        self._period = period
        self._clients = 0
        self._closed = asyncio.Event()
        self._frame = b""
        self._due = 0.0
        self._made = -SOON_S
        self._news = asyncio.Event()

    def nudge(self) -> None:
        """Send the next frame now: there is something that shall be seen at once."""
        self._due = min(self._due, self._made + SOON_S)
        self._news.set()
        self._news = asyncio.Event()

    @property
    def clients(self) -> int:
        """Pages that listen now."""
        return self._clients

    def close(self) -> None:
        """End every open stream and take no new one."""
        self._closed.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client until it leaves, is stuck or the console closes."""
        if self._clients >= self._limit or self._closed.is_set():
            await self._full()(scope, receive, send)
            return
        self._clients += 1
        who: Who = scope.get("who", ANYBODY)
        try:
            await _first(self._tell(send, who), _left(receive), self._closed.wait())
            if self._closed.is_set() or not who.alive():
                await _within(send, {"type": "http.response.body", "body": b""})
        finally:
            self._clients -= 1

    def _full(self) -> Response:
        message = f"{self._limit} pages are open already; close one and reload."
        response = refuse(503, message)
        response.headers["Retry-After"] = "5"
        return response

    async def _tell(self, send: Send, who: Who) -> None:
        """Send frames until the session is over."""
        with suppress(TimeoutError):
            await _within(send, _HEAD)
            while who.alive():
                body = self._present()
                await _within(send, {"type": "http.response.body", "body": body, "more_body": True})
                await self._until_due()

    async def _until_due(self) -> None:
        while (left := self._due - asyncio.get_running_loop().time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)

    def _present(self) -> bytes:
        now = asyncio.get_running_loop().time()
        if now >= self._due:
            self._due, self._made = now + self._period, now
            self._frame = b"event: line\ndata: " + encode(self._view.line()) + b"\n\n"
        return self._frame


async def _within(send: Callable[[Message], Awaitable[None]], message: Message) -> None:
    async with asyncio.timeout(STUCK_S):
        await send(message)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first(*parts: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()  # what went wrong in a part is not to be lost
