"""The files of the pages, read once and kept compressed: few, small, all from this folder."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
FORMS = ("login", "password")
"""Pages of their own: at which one logs in, and changes the password."""
MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    "": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: as it is, compressed, and the mark of its content."""

    plain: bytes
    packed: bytes
    etag: str
    media: str

    def answer(self, request: Request) -> Response:
        """Answer the file, or 304 when the browser has it."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.plain, headers=headers, media_type=self.media)
        headers["Content-Encoding"] = "gzip"
        return Response(self.packed, headers=headers, media_type=self.media)


class Assets:
    """Every file below `FOLDER`; nothing else can be reached, whatever the path says."""

    def __init__(self) -> None:
        self._files = {
            path.relative_to(FOLDER).as_posix(): _read(path)
            for path in sorted(FOLDER.rglob("*"))
            if path.is_file()
        }

    async def page(self, request: Request) -> Response:
        """Answer the one shell that all pages share."""
        return self._files["index.html"].answer(request)

    async def form(self, request: Request) -> Response:
        """Answer a page that has a file of its own."""
        return self._files[f"{request.url.path[1:]}.html"].answer(request)

    async def file(self, request: Request) -> Response:
        """Answer one file by its path below the folder."""
        try:
            return self._files[request.path_params["path"]].answer(request)
        except KeyError as error:
            raise HTTPException(404, "There is no such file.") from error


def _read(path: Path) -> Asset:
    plain = path.read_bytes()
    etag = f'"{hashlib.sha256(plain).hexdigest()[:16]}"'
    return Asset(plain, gzip.compress(plain, mtime=0), etag, MEDIA[path.suffix])
