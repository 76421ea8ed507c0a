"""The console's web server inside the gateway's event loop."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import uvicorn

from gateway.console.app import create_app
from gateway.console.stream import Stream
from gateway.console.view import View
from plant.errors import Misconfigured

LOOPBACK = "127.0.0.1"
PORTS_TRIED = 100
STOP_S = 1


class _QuietServer(uvicorn.Server):
    """uvicorn without signal handlers: the gateway owns Ctrl-C and SIGTERM."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ConsoleServer:
    """Serves the console while its context is open.

    Parameters
    ----------
    view
        What is shown.
    host
        Only 127.0.0.1: without accounts, nobody else may look or acknowledge.
    port
        First port to try; when it is in use, the next free one is taken. 0 = any.

    Raises
    ------
    Misconfigured
        For any other host, or when none of `PORTS_TRIED` ports is free.
    """

    def __init__(self, view: View, *, host: str = LOOPBACK, port: int = 8080) -> None:
        if host != LOOPBACK:
            raise Misconfigured(
                f"console: host '{host}' is refused, the console has no accounts yet; "
                f'use host = "{LOOPBACK}" and reach it from elsewhere through an SSH tunnel '
                "with the same port on both ends"
            )
        self._first = port
        self._stream = Stream(view)
        self._server = _QuietServer(
            uvicorn.Config(
                create_app(view, stream=self._stream),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self.port = port
        """The port in use; may differ from the one asked for."""

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.port}"

    def nudge(self) -> None:
        """Show what is new at once, not with the next second."""
        self._stream.nudge()

    async def __aenter__(self) -> Self:
        """Listen; returns once pages can be asked for."""
        listener = _listen(self._first)
        self.port = listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self._server.listening.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the open streams and stop, within two seconds."""
        self._stream.close()
        self._server.should_exit = True
        await self._task


def _listen(first: int) -> socket.socket:
    for port in range(first, min(first + PORTS_TRIED, 65_536)):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
        else:
            listener.setblocking(False)
            return listener
    raise Misconfigured(
        f"console: ports {first} to {first + PORTS_TRIED - 1} are all in use; "
        "set another [console] port"
    )
