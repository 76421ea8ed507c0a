"""Two ways to the files of a registry: over HTTP, and from a folder such as a stick.

Bytes that come this way are not believed; what is bounded here is how many, and for how long.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from tuf.api.exceptions import (
    DownloadHTTPError,
    DownloadLengthMismatchError,
    LengthOrHashMismatchError,
)
from tuf.ngclient.fetcher import FetcherInterface
from urllib3.exceptions import HTTPError

from plant.errors import Unreachable

CHUNK = 64 * 1024
_MISSING = (403, 404, 410)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a way is tried.

    Parameters
    ----------
    silence_s
        Without a byte, s.
    whole_s
        For all of one pull, s.
    pauses_s
        Before each further try of a request, s.
    """

    silence_s: float = 20.0
    whole_s: float = 600.0
    pauses_s: tuple[float, ...] = (0.5, 2.0, 8.0)


class Way(FetcherInterface):
    """Where the files of a registry are had; paths are relative to the registry.

    Attributes
    ----------
    place
        For people.
    requests, received, resumed
        Asked for; bytes of bodies that came; bytes that lay here from an interrupted pull.
    last
        What was asked for last.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.requests = 0
        self.received = 0
        self.resumed = 0
        self.last = ""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Give a small file whole.

        Raises
        ------
        Unreachable
            It cannot be had now.
        DownloadHTTPError
            There is none.
        DownloadLengthMismatchError
            It is longer than `max_length`.
        """
        return self._again(lambda: b"".join(self._bounded(url, 0, max_length)[2]))

    def append(self, url: str, path: Path, length: int) -> None:
        """Add to a file what it lacks of a file of `length` bytes; what came stays when it breaks.

        Raises
        ------
        LengthOrHashMismatchError
            The file there is shorter.
        OSError
            The disk takes no more.
        """
        if path.exists() and path.stat().st_size > length:
            path.unlink()
        before = path.stat().st_size if path.exists() else 0

        def once() -> int:
            with path.open("ab") as file:
                start, total, chunks = self._bounded(url, file.tell(), length)
                if total is not None and total < length:
                    raise LengthOrHashMismatchError(f"{total} bytes instead of {length}")
                if start != file.tell():
                    file.truncate(start)
                for chunk in chunks:
                    file.write(chunk)
                if file.tell() < length:
                    raise Unreachable(f"{self.place}: {url} ended at {file.tell()} of {length} B")
            return start

        if before < length:
            first = self._again(once)
            self.resumed += before if first >= before else 0
        else:
            self.resumed += before

    def _bounded(self, url: str, start: int, most: int) -> tuple[int, int | None, Iterator[bytes]]:
        """As `_ask`, until there are too many."""
        self.requests += 1
        self.last = url
        begin, total, chunks = self._ask(url, start)
        if total is not None and total > most:
            raise DownloadLengthMismatchError(f"{url} has {total} bytes, of {most} at most")
        return begin, total, self._counted(url, begin, most, chunks)

    def _counted(self, url: str, begin: int, most: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
        room = most - begin
        for chunk in chunks:
            self.received += len(chunk)
            room -= len(chunk)
            if room < 0:
                raise DownloadLengthMismatchError(f"{url} goes on after {most} bytes")
            yield chunk

    def _ask(self, url: str, start: int) -> tuple[int, int | None, Iterator[bytes]]:
        """Give where the answer begins, how long the whole is, if that is said, and its chunks."""
        raise NotImplementedError

    def _again(self, once: Callable[[], T]) -> T:
        return once()

    def _fetch(self, url: str) -> NoReturn:
        raise NotImplementedError("all is had by download_bytes and append")


class Web(Way):
    """Over HTTP or HTTPS; certificates are checked by what this machine knows.

    Parameters
    ----------
    url
        Of the registry.
    patience
        How long it is tried.
    """

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        super().__init__(url)
        self._base = url.rstrip("/") + "/"
        self._patience = patience or Patience()
        self._end = time.monotonic() + self._patience.whole_s
        # Compressed bytes are none that were signed for, and would grow without a bound.
        heads = {"Accept-Encoding": "identity", "User-Agent": "wheeltapper"}
        parts = urlsplit(url)
        proxy = getproxies().get(parts.scheme)
        given: dict[str, Any] = {
            "retries": False,
            "timeout": urllib3.Timeout(self._patience.silence_s),
            "headers": heads,
        }
        self._pool = (
            urllib3.ProxyManager(proxy, **given)
            if proxy and not proxy_bypass(parts.netloc)
            else urllib3.PoolManager(**given)
        )

    def _ask(self, url: str, start: int) -> tuple[int, int | None, Iterator[bytes]]:
        heads = {"Accept-Encoding": "identity", "User-Agent": "wheeltapper"}
        if start:
            heads["Range"] = f"bytes={start}-"
        try:
            answer = self._pool.request(
                "GET", self._base + url, headers=heads, preload_content=False
            )
        except HTTPError as error:
            raise Unreachable(f"{self.place}: {_words(error)}") from error
        if answer.status == 200 or (answer.status == 206 and _begins_at(answer, start)):
            begin = start if answer.status == 206 else 0
            length = _length(answer)
            total = None if length is None else begin + length
            return begin, total, self._chunks(url, answer, length)
        answer.close()
        if answer.status in _MISSING:
            raise DownloadHTTPError(f"{url} is not there ({answer.status})", 404)
        if start and answer.status in (206, 416):
            # Another part than was asked for, or what lies here is longer than what is there.
            return self._ask(url, 0)
        raise Unreachable(f"{self.place}: answers {answer.status} {answer.reason or ''} for {url}")

    def _chunks(
        self, url: str, answer: urllib3.BaseHTTPResponse, length: int | None
    ) -> Iterator[bytes]:
        came = 0
        try:
            while chunk := answer.read1(CHUNK, decode_content=False):
                came += len(chunk)
                yield chunk
                if time.monotonic() > self._end:
                    raise Unreachable(
                        f"{self.place}: not done after {self._patience.whole_s:g} s; what came is "
                        "kept, the next pull goes on there"
                    )
        except HTTPError as error:
            raise Unreachable(
                f"{self.place}: the link broke in {url} after {came} bytes ({_words(error)})"
            ) from error
        finally:
            if came == length:
                answer.release_conn()
            else:
                answer.close()

    def _again(self, once: Callable[[], T]) -> T:
        for pause in self._patience.pauses_s:
            try:
                return once()
            except Unreachable:
                if time.monotonic() + pause > self._end:
                    raise
                time.sleep(pause)
        return once()


def _begins_at(answer: urllib3.BaseHTTPResponse, start: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _length(answer: urllib3.BaseHTTPResponse) -> int | None:
    said = answer.headers.get("Content-Length", "")
    return int(said) if said.isascii() and said.isdigit() else None


def _words(error: HTTPError) -> str:
    """Say what broke; the library's words begin with the address of an object."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(error).__name__


class Folder(Way):
    """From a folder of this machine: a stick, or a share."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._folder = folder

    def _ask(self, url: str, start: int) -> tuple[int, int | None, Iterator[bytes]]:
        if not self._folder.is_dir():
            raise Unreachable(f"{self._folder}: no such folder; is the stick in?")
        path = self._folder / unquote(url)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                raise DownloadHTTPError(f"{path} is not there", 404) from error
            raise Unreachable(f"{path}: {error.strerror}") from error
        told = os.fstat(handle)
        if not stat.S_ISREG(told.st_mode):
            os.close(handle)
            raise DownloadHTTPError(f"{path} is no file", 404)
        begin = start if start < told.st_size else 0
        return begin, told.st_size, self._read(path, handle, begin)

    def _read(self, path: Path, handle: int, begin: int) -> Iterator[bytes]:
        with os.fdopen(handle, "rb") as file:
            try:
                file.seek(begin)
                while chunk := file.read(CHUNK):
                    yield chunk
            except OSError as error:
                raise Unreachable(f"{path}: {error.strerror}") from error
