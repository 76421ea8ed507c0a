"""What a sink refused for ever: one JSON line each, with its reason, until a person looks at it."""

import errno
import json
import os
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.contract import Refusal
from plant.errors import Misconfigured, Unreachable

FOLDER = "quarantine"
"""Below the data folder; one file a sink."""
MOST_BYTES = 50_000_000
"""A store that refuses everything must not fill the disk; beyond this its sink waits."""
REMEMBERED = 10_000
"""Last refusals known by heart: after a crash they come again, and are kept once."""


class Quarantine:
    """The refusals of one sink.

    Parameters
    ----------
    folder
        The gateway's data folder.
    sink
        Name of the sink.
    """

    def __init__(self, folder: Path, sink: str) -> None:
        self.path = folder / FOLDER / f"{sink}.jsonl"
        self._sink = sink
        self.count = 0
        self._known: deque[int] = deque(maxlen=REMEMBERED)
        for row in kept(self.path):
            self.count += 1
            self._known.append(zlib.crc32(str(row.get("what")).encode()))

    def keep(self, refusals: Sequence[Refusal]) -> int:
        """Put refusals on disk; give how many of them are new.

        Raises
        ------
        Misconfigured
            The file is full or cannot be written: the sink has to wait for a person.
        Unreachable
            The disk is full.
        """
        fresh = {zlib.crc32(one.what.encode()): one for one in refusals}
        fresh = {key: one for key, one in fresh.items() if key not in self._known}
        if not fresh:
            return 0
        at = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [
            json.dumps({"at": at, "reason": one.reason, "what": one.what}, ensure_ascii=False)
            for one in fresh.values()
        ]
        self._append("".join(f"{line}\n" for line in lines).encode())
        self._known.extend(fresh)
        self.count += len(fresh)
        return len(fresh)

    def _append(self, text: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                begun = file.tell()
                if begun + len(text) > MOST_BYTES:
                    raise Misconfigured(
                        f"{self._sink}: {self.path} is full ({MOST_BYTES // 1_000_000} MB): the "
                        "store refuses too much; see why with wheeltapper uplink refused, mend "
                        "it, and move the file away"
                    )
                try:
                    if file.write(text) != len(text):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(begun)  # half a line would be read as damage
                    raise
        except PermissionError as error:
            raise Misconfigured(
                f"{self._sink}: {self.path} cannot be written: {error.strerror}; let this user "
                "write it"
            ) from error
        except OSError as error:
            raise Unreachable(
                f"{self._sink}: {self.path} cannot be written: {error.strerror}; free some space"
            ) from error


def kept(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file of refusals, oldest first; a line that was cut off comes as it is."""
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                if isinstance(row, dict):
                    yield row
                else:
                    text = line.decode("utf-8", "replace").rstrip("\n")
                    yield {"at": "", "reason": "the line is damaged", "what": text}
    except FileNotFoundError:
        return
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from error
