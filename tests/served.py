"""A small HTTP server on this machine, for as long as a block lasts."""

import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Reply = tuple[int, bytes, dict[str, str]]
"""Status, body, headers."""


class Served:
    """Answers by `reply`, one thread a request.

    Attributes
    ----------
    below
        Path under which everything lies.
    asked
        Method and path of what was asked, in its order.
    """

    below: str
    asked: list[tuple[str, str]]

    def reply(self, method: str, path: str, headers: Message, raw: bytes) -> Reply:
        """Answer a request; `path` with its query."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body in one packet: no delayed acknowledgement between

            def do_GET(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, data, headers = api.reply(self.command, self.path, self.headers, raw)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *words: object) -> None:
                """Stay quiet."""

        for method in ("POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.do_GET)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.below}"

    @property
    def changes(self) -> list[tuple[str, str]]:
        """What was asked but to read."""
        return [one for one in self.asked if one[0] != "GET"]
