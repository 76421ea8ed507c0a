"""A web server that gives out a folder, and has its moods."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

Mood = Callable[["Request", bytes], None]
"""How one request is answered, given the file."""
PAGE = b"<!doctype html><title>Portal</title>Please log in."


class Request(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: "Unreliable"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")  # a proxy is asked with the host
        self.server.asked.append((path, self.headers.get("Range", "")))
        file = self.server.folder / path
        mood = self.server.mood_for(path)
        if file.is_file():
            mood(self, file.read_bytes())
        else:
            self.server.missing(self, b"")

    def head(self, status: int, length: int | None, **more: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def whole(self, status: int, data: bytes) -> None:
        self.head(status, len(data))
        self.wfile.write(data)

    def log_message(self, *words: object) -> None:
        """Stay quiet."""


def good(request: Request, data: bytes) -> None:
    """Answer as a good server does, ranges too."""
    start = int(request.headers.get("Range", "bytes=0-")[6:-1])
    piece = data[start:]
    where = f"bytes {start}-{len(data) - 1}/{len(data)}"
    request.head(206 if start else 200, len(piece), Content_Range=where)
    request.wfile.write(piece)


def cut(request: Request, data: bytes) -> None:
    """Promise all, give half of it, hang up."""
    start = int(request.headers.get("Range", "bytes=0-")[6:-1])
    piece = data[start:]
    where = f"bytes {start}-{len(data) - 1}/{len(data)}"
    request.head(206 if start else 200, len(piece), Content_Range=where)
    request.wfile.write(piece[: len(piece) // 2])
    request.close_connection = True


def no_ranges(request: Request, data: bytes) -> None:
    """Know no ranges."""
    request.whole(200, data)


def broken(request: Request, data: bytes) -> None:
    request.whole(500, b"out of order")


def missing(request: Request, data: bytes) -> None:
    request.whole(404, b"no such file")


def page(request: Request, data: bytes) -> None:
    """Answer anything with a page."""
    request.whole(200, PAGE)


def flipped(request: Request, data: bytes) -> None:
    """Another byte in the middle."""
    middle = len(data) // 2
    start = int(request.headers.get("Range", "bytes=0-")[6:-1])
    good(request, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    assert start <= middle


def short(request: Request, data: bytes) -> None:
    """A file that was cut short on the server."""
    good(request, data[: len(data) * 2 // 3])


def longer(request: Request, data: bytes) -> None:
    good(request, data + b"more")


def endless(request: Request, data: bytes) -> None:
    """Say no length and never end."""
    request.head(200, None)
    request.close_connection = True
    more = bytes(64 * 1024)
    try:
        while not request.server.over.is_set():
            request.wfile.write(more)
            request.server.sent += len(more)
    except OSError:
        pass


def silent(request: Request, data: bytes) -> None:
    """Say nothing, until the other side has enough."""
    request.server.over.wait(60)
    request.close_connection = True


def trickle(request: Request, data: bytes) -> None:
    """A byte now and then: never silent, never done."""
    request.head(200, len(data))
    request.close_connection = True
    try:
        for byte in data:
            request.wfile.write(bytes([byte]))
            if request.server.over.wait(0.02):
                return
    except OSError:
        pass


class Unreliable(ThreadingHTTPServer):
    """Gives out `folder`; `moods` has for a part of a path the moods of its next requests.

    Attributes
    ----------
    asked
        Path and range of each request.
    before
        Called with each path before it is answered.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.folder = folder
        self.moods: dict[str, list[Mood]] = {}
        self.always: dict[str, Mood] = {}
        self.missing: Mood = missing
        self.before: Callable[[str], None] = lambda path: None
        self.asked: list[tuple[str, str]] = []
        self.over = threading.Event()
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def mood_for(self, path: str) -> Mood:
        self.before(path)
        found = [mood for part, mood in self.always.items() if part in path]
        queued = [moods for part, moods in self.moods.items() if part in path and moods]
        return queued[0].pop(0) if queued else [*found, good][0]

    def handle_error(self, *told: object) -> None:
        """A client that hangs up is no news."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
