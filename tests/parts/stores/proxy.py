"""An HTTP proxy that does to requests what networks and servers do, and writes down what came.

It stands between a sink and its server. Faults are queued and used up one a request, or hold for
all requests until they are taken away; without one everything passes unchanged.
"""

import gzip
import http.client
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}


@dataclass(frozen=True)
class Fault:
    """What befalls one request.

    Parameters
    ----------
    status, headers, body
        Answer of our own; the server hears nothing unless `forwarded` says so.
    forwarded
        How often the server hears the request: 1 as it should be, 0 never, 2 twice.
    delay_s
        Pause before the server hears of it, s.
    cut_after
        Bytes of the answer's body that arrive before the connection is closed.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    forwarded: int = 1
    delay_s: float = 0.0
    cut_after: int | None = None


NOTHING = Fault()


def answer(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer instead of the server, which hears nothing; ``retry_after="5"`` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(status=status, body=body, headers=named, forwarded=0)


@dataclass(frozen=True)
class Heard:
    """One request as it came; `body` is unpacked, `size` is what went over the wire.

    `at` is when it was answered, wall clock, s.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    size: int
    status: int
    at: float = field(default_factory=time.time)

    @property
    def lines(self) -> list[str]:
        return [line for line in self.body.decode().split("\n") if line]


class FaultProxy:
    """A proxy to the server on `port` of `host`, which speaks HTTP without TLS.

    With a `context` its clients have to speak TLS. `heard` holds the requests in the order in which
    they were answered.
    """

    def __init__(self, port: int, host: str = HOST, context: ssl.SSLContext | None = None) -> None:
        self.heard: list[Heard] = []
        self._upstream = host, port
        self._once: deque[Fault] = deque()
        self._asked = 0
        self._always: Fault | None = None
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy._serve(self)

            def log_message(self, *words: object) -> None:
                """Stay quiet."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *words: object) -> None:
                """Stay quiet: a client that breaks off is what is tried here."""

        for method in ("POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.do_GET)
        self._server = Server((HOST, 0), Handler)
        self._scheme = "http"
        if context is not None:
            self._scheme = "https"
            # The handshake belongs to the thread of its connection, not to the one that accepts.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._server.daemon_threads = True
        self._server.block_on_close = False

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://{HOST}:{self.port}"

    @property
    def writes(self) -> list[Heard]:
        """Requests that carried lines."""
        return [one for one in self.heard if one.path.endswith("/write") and one.lines]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def once(self, *faults: Fault) -> None:
        """Use each of these for one of the next requests."""
        with self._lock:
            self._once.extend(faults)

    def always(self, fault: Fault | None) -> None:
        """Use this for every request from now on; None: no more."""
        with self._lock:
            self._always = fault

    @property
    def asked(self) -> int:
        """How many requests came, whether they were answered or not."""
        return self._asked

    def _fault(self) -> Fault:
        with self._lock:
            self._asked += 1
            return self._once.popleft() if self._once else self._always or NOTHING

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        fault = self._fault()
        time.sleep(fault.delay_s)
        status, headers, said = 200, dict(fault.headers), fault.body
        for _ in range(fault.forwarded):
            status, headers, said = self._forward(handler, body)
        if fault.status is not None:
            status, headers, said = fault.status, dict(fault.headers), fault.body
        self._note(handler, body, status)
        try:
            self._send(handler, status, headers, said, fault.cut_after)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True

    def _forward(
        self, handler: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(*self._upstream, timeout=30)
        try:
            sent = {k: v for k, v in handler.headers.items() if k.lower() not in _HOP_BY_HOP}
            upstream.request(handler.command, handler.path, body, sent)
            got = upstream.getresponse()
            kept = {k: v for k, v in got.getheaders() if k.lower() not in _HOP_BY_HOP}
            return got.status, kept, got.read()
        except OSError:
            return 502, {}, b"bad gateway"
        finally:
            upstream.close()

    def _note(self, handler: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
        url = urlsplit(handler.path)
        packed = handler.headers.get("Content-Encoding") == "gzip"
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        heard = Heard(
            handler.command,
            url.path,
            query,
            dict(handler.headers.items()),
            gzip.decompress(body) if packed and body else body,
            len(body),
            status,
        )
        with self._lock:
            self.heard.append(heard)

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        cut_after: int | None,
    ) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:cut_after])
        if cut_after is not None:
            handler.close_connection = True
