"""The file of the kill switch: whoever can make it has pulled it, whether a guard runs or not."""

from dataclasses import dataclass
from pathlib import Path

from gateway.guard.store import put_for_good

STOP = "stopped"
"""Its name in the guard's folder."""
LONGEST = 200


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
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    put_for_good(folder / STOP, f"{who}\n".encode())


def stopped(folder: Path) -> Stopped | None:
    """Tell whether the file is there; where that cannot be told, it counts as there."""
    file = folder / STOP
    try:
        at = file.lstat().st_mtime_ns
    except FileNotFoundError:
        return None
    except OSError:
        return Stopped()
    try:
        with file.open("rb") as opened:
            text = opened.read(LONGEST).decode("utf-8", "replace")
    except OSError:
        return Stopped(at=at)
    who = text.partition("\n")[0].strip()
    return Stopped(who if who.isprintable() else "", at)
