"""The kill switch as files: whoever can make one has pulled it, whether a guard runs or not.

The guard's own lies in its folder. Whoever is another user makes his in the folder `STOPS` below
it, which is sticky: nobody but himself, the guard and root can take it away.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.guard.store import put_for_good
from plant.files import identity, unfollowed

STOP = "stopped"
"""Its name in the guard's folder."""
STOPS = "stops"
"""Folder in that one where others pull it; there where a group may speak to the guard."""
ENDED = ".ended"
LONGEST = 200
SEEN = 0o644
"""Who may come as far as the folder may know who has stopped."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Who has pulled the switch, as the file says, and when, ns since 1970 UTC; empty, 0: unknown.

    Whoever makes the file by hand need not say who he is.
    """

    who: str = ""
    at: int = 0


def pull(folder: Path, who: str) -> None:
    """Pull the switch without the guard's help; on disk when it returns.

    Parameters
    ----------
    folder
        The guard's; it is made where there is none yet.

    Raises
    ------
    OSError
        This user cannot write there.
    """
    stops = folder / STOPS
    try:
        others = stops.stat().st_uid != os.geteuid()
    except FileNotFoundError:
        others = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = stops / str(os.geteuid()) if others else folder / STOP
    put_for_good(file, f"{who}\n".encode(), SEEN)


def stopped(folder: Path) -> Stopped | None:
    """Tell whether the switch is pulled; where that cannot be told, it counts as pulled."""
    try:
        for file in _files(folder):
            try:
                return _said(file)
            except FileNotFoundError:
                continue
    except OSError:
        return Stopped()
    return None


def is_ours(folder: Path) -> bool:
    """Tell whether the guard's own file is there, which nobody else can take away."""
    return os.path.lexists(folder / STOP)


def marks(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Give the files by which it is pulled now, each with what tells it from a newer one.

    Raises
    ------
    OSError
        That cannot be told.
    """
    return {file: _mark(file) for file in _files(folder)}


def end(folder: Path, before: Mapping[Path, tuple[int, ...]]) -> bool:
    """Push the switch back; False where it has been pulled anew: then it stays so.

    Parameters
    ----------
    before
        The `marks` that are to go, and no others.

    Raises
    ------
    OSError
        A file cannot be taken away.
    """
    aside, own = folder / ENDED, folder / STOP
    # The guard's own goes last: whatever breaks off before leaves all stopped.
    for file in sorted(before, key=lambda one: one == own):
        try:
            # Set aside first and looked at then: nobody can pull it in between.
            file.replace(aside)
        except FileNotFoundError:
            continue
        if _mark(aside) != before[file]:
            aside.replace(own)
            return False
        aside.unlink()
    return True


def _files(folder: Path) -> Iterator[Path]:
    """Give what counts as a stop, of whatever kind it is."""
    try:
        (folder / STOP).lstat()
        yield folder / STOP
    except FileNotFoundError:
        pass
    try:
        yield from sorted((folder / STOPS).iterdir())
    except FileNotFoundError:
        return


def _mark(file: Path) -> tuple[int, ...]:
    try:
        return identity(file.lstat())
    except FileNotFoundError:
        return ()


def _said(file: Path) -> Stopped:
    found = file.lstat()
    who = _first_line(file)
    if file.parent.name == STOPS:
        # What stands in it is what somebody says; whose it is the kernel knows.
        who = f"{who or 'somebody'} (uid {found.st_uid})"
    return Stopped(who, found.st_mtime_ns)


def _first_line(file: Path) -> str:
    """Read who has pulled it, and nothing of another file or a pipe that was put there instead."""
    try:
        handle = unfollowed(file)
    except OSError:
        return ""
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            return ""
        text = os.read(handle, LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(handle)
    who = text.partition("\n")[0].strip()
    return who if who.isprintable() else ""
