"""Copies of the guard's checkpoints on their way to the central stores, so that a cut audit shows.

The guard signs them into its own audit; the gateway reads that file, and nothing else of it.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from gateway.guard.audit import CHECKPOINT, LONGEST
from gateway.guard.words import AUDIT
from gateway.journal import JSON, Journal
from gateway.notices import Notice

KIND = "setpoint-audit"
"""Of the event; its body is the checkpoint's, or says as ``why`` why there is none."""
FACTS = ("of", "head", "key", "held_in", "tpm", "signature")
MOST_BYTES = 1_000_000
"""Of the audit that are read in one look."""
MOST_LOOKED = 100
_MARK = f'"event":"{CHECKPOINT}"'.encode()


class Checkpoints:
    """Follows an audit.

    Parameters
    ----------
    file
        The guard's audit; there need be none.
    told
        Number of records that the newest checkpoint covers which was told before a restart.
    """

    def __init__(self, file: Path, told: int = 0) -> None:
        self._file, self._told = file, told
        self._read, self._inode, self._trouble = 0, 0, ""

    def look(self) -> Iterator[Notice]:
        """Give the checkpoints that are new, and once why the audit cannot be read."""
        try:
            found = self._file.stat()
            if (self._inode, True) != (found.st_ino, found.st_size >= self._read):
                # Another file, or a shorter one: all that it signs is told, whatever came before.
                self._told = self._told if self._inode == 0 else 0
                self._inode, self._read = found.st_ino, 0
            body = self._more() if found.st_size > self._read else b""
        except FileNotFoundError:
            return
        except OSError as error:
            why = f"the guard's audit cannot be read, so no copy is sent: {error}"
            if why != self._trouble:
                self._trouble = why
                yield KIND, {"why": why}
            return
        self._trouble = ""
        for line in body.splitlines():
            told = _checkpoint(line)
            if told is not None and int(str(told["of"])) > self._told:
                self._told = int(str(told["of"]))
                yield KIND, told

    def _more(self) -> bytes:
        """Read on, whole lines only."""
        with self._file.open("rb") as opened:
            opened.seek(self._read)
            body = opened.read(MOST_BYTES)
        end = body.rfind(b"\n") + 1
        # No line of an audit is so long: where it is none, the rest says nothing to us.
        self._read += end or (len(body) if len(body) > LONGEST else 0)
        return body[:end]


def checkpoints_of(folder: Path, journal: Journal) -> Checkpoints:
    """Follow the audit in the guard's folder from where the journal was told of it last; blocks."""
    bodies = [event.body for event in journal.newest({KIND}, 0, MOST_LOOKED)]
    numbers = (body.get("of") for body in reversed(bodies))
    return Checkpoints(folder / AUDIT, next((of for of in numbers if isinstance(of, int)), 0))


def _checkpoint(line: bytes) -> dict[str, JSON] | None:
    if _MARK not in line:
        return None
    try:
        record = json.loads(line)
        told: dict[str, JSON] = {name: str(record[name]) for name in FACTS}
        return {**told, "of": int(record["of"]), "at": int(record["wall"])}
    except (ValueError, KeyError, TypeError):
        return None  # `audit verify` says what is wrong with it
