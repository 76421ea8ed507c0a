"""The console's web server inside the gateway's event loop."""

import asyncio
import errno
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.accounts.access import Access
from gateway.console.app import create_app
from gateway.console.asking import Asking
from gateway.console.entrance import Records, no_records
from gateway.console.stream import Stream
from gateway.console.tls import Pair, Shown
from gateway.console.view import View
from gateway.proposing.line import GuardLine
from plant.errors import Misconfigured

LOOPBACK = "127.0.0.1"
PORTS_TRIED = 100
STOP_S = 1
DAY_S = 86_400.0
CONNECTIONS = 256
"""Browsers keep six each; the stream's own limit is lower still."""
FIRST_S = 20.0
"""Time for the first request of a connection, s."""


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


class _Bounded(H11Protocol):
    """HTTP that lets go of who connects and asks nothing, and of too many.

    Each connection takes one of the file descriptors that the journal and the sources need too.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self.loop.call_later(FIRST_S, self._let_go, transport)

    def _let_go(self, transport: asyncio.Transport) -> None:
        if self.scope is None:
            transport.abort()


class ConsoleServer:
    """Serves the console while its context is open.

    Parameters
    ----------
    view
        What is shown.
    host
        IP address. Loopback, unless there are accounts and TLS.
    port
        Port to listen on; on loopback the next free one is taken when it is in use. 0 = any.
    access
        Who is let in; None: whoever reaches loopback.
    records
        Where the audit is read.
    tls
        Certificate and key to serve with; None: in clear.
    names
        Names under which browsers may come, besides the loopback ones.
    guard, asking
        See `create_app`.

    Raises
    ------
    Misconfigured
        For a host that others reach without accounts and TLS, a certificate that cannot be used,
        or when no port is free.
    """

    def __init__(
        self,
        view: View,
        *,
        host: str = LOOPBACK,
        port: int = 8080,
        access: Access | None = None,
        records: Records = no_records,
        tls: Pair | None = None,
        names: Collection[str] = (),
        guard: GuardLine | None = None,
        asking: Asking | None = None,
    ) -> None:
        self._network = not _is_loopback(host)
        if self._network and (access is None or tls is None):
            raise Misconfigured(
                f"console: host '{host}' is refused without accounts and TLS; "
                f'use host = "{LOOPBACK}" and reach it from elsewhere through an SSH tunnel '
                "with the same port on both ends"
            )
        self._host, self._first = host, port
        self._shown = None if tls is None else Shown(tls)
        self._stream = Stream(view)
        app = create_app(
            view,
            stream=self._stream,
            access=access,
            records=records,
            names=names,
            network=self._network,
            guard=guard,
            asking=asking,
        )
        shown = self._shown
        self._server = _QuietServer(
            uvicorn.Config(
                app,
                http=_Bounded,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_S,
                ssl_context_factory=None
                if shown is None
                else lambda _config, _usual: shown.context,
            )
        )
        self.port = port
        """The port in use; may differ from the one asked for."""

    @property
    def url(self) -> str:
        """Where the page is, seen from this machine."""
        scheme = "http" if self._shown is None else "https"
        address = ip_address(self._host)
        host = LOOPBACK if address.is_unspecified else str(address)
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def certificate_days(self) -> float | None:
        """Give the days for which the certificate that is shown holds; None without TLS."""
        shown = self._shown
        return None if shown is None else (shown.facts.until.timestamp() - time.time()) / DAY_S

    def look(self) -> str | None:
        """Show another certificate once its files have changed; see `Shown.look`."""
        return None if self._shown is None else self._shown.look()

    @property
    def thumbprint(self) -> str:
        """SHA-256 of the certificate that is shown, in hexadecimal digits; empty without TLS."""
        return "" if self._shown is None else self._shown.facts.thumbprint

    def nudge(self) -> None:
        """Show what is new at once, not with the next second."""
        self._stream.nudge()

    async def __aenter__(self) -> Self:
        """Listen; returns once pages can be asked for."""
        # Others know the console by its port: another one is of no use to them.
        listener = _listen(self._host, self._first, 1 if self._network else PORTS_TRIED)
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


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, first: int, tries: int) -> socket.socket:
    """Listen at the first free of so many ports."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(first, min(first + tries, 65_536)):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise Misconfigured(f"console: {host} is no address of this machine") from error
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
        else:
            listener.setblocking(False)
            return listener
    if tries == 1:
        raise Misconfigured(
            f"console: port {first} at {host} is in use, or not for this user; set another "
            "[console] port"
        )
    raise Misconfigured(
        f"console: ports {first} to {first + tries - 1} are all in use; set another [console] port"
    )
