"""Files that are written as a whole, and changed by one hand at a time."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plant.errors import Misconfigured


def first_line(path: Path, where: str = "") -> str:
    """Read the first line of a text, as of a password; an error begins with `where`, or its path.

    Raises
    ------
    Misconfigured
        It cannot be read, or is no text.
    """
    where = where or f"{path}:"
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except OSError as error:
        raise Misconfigured(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{where} is not UTF-8 text") from error


def put(
    path: Path, content: bytes, mode: int = 0o644, owner: tuple[int, int] | None = None
) -> None:
    """Write a file as a whole or not at all; a link that stands in its place is not followed.

    Parameters
    ----------
    owner
        User and group that it is to belong to; None: whoever writes it.
    """
    # Made for our eyes only, and given its final rights before anything is in it.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    half = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if owner is not None:
                os.fchown(handle, *owner)
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes that ask in the same way from a folder; it is made where there is none.

    Raises
    ------
    OSError
        It cannot be made or opened.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def stamp(path: Path) -> tuple[int, ...]:
    """Give what tells a file from another, or from what it was before; empty where there is none.

    Returns
    -------
    Its time of change (ns), inode, size (bytes) and mode.
    """
    try:
        return identity(path.stat())
    except OSError:
        return ()


def identity(found: os.stat_result) -> tuple[int, ...]:
    """Give what `stamp` tells files by, of one that was looked at."""
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode


def unfollowed(path: Path) -> int:
    """Open a file to read, and give its handle; never through a link, nor waiting as for a pipe.

    Raises
    ------
    OSError
        It cannot be opened, or is a link.
    """
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
