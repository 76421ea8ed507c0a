"""What a gateway has told, to whom, and what it withheld: files, and a line for each event."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plant.errors import Misconfigured
from plant.files import put

FOLDER = "federation"
OUTBOX, SENT, REFUSED = "outbox", "sent", "refused"
MADE, WITHHELD = "made", "withheld"


class Ledger:
    """The federation's part of a gateway's data folder.

    ``ledger.jsonl`` has a line for each message that was made, withheld, sent or refused; the
    messages themselves stay in ``outbox``, ``sent`` or ``refused``.

    Parameters
    ----------
    data
        The gateway's data folder.
    """

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER
        self.path = self.folder / "ledger.jsonl"

    def events(self) -> list[dict[str, Any]]:
        """Give all lines, oldest first.

        Raises
        ------
        Misconfigured
            A line cannot be read: then it is not known what was told.
        """
        if not self.path.exists():
            return []
        found = []
        for number, line in enumerate(self.path.read_text("utf-8").splitlines(), 1):
            try:
                found.append(dict(json.loads(line)))
            except (ValueError, TypeError) as error:
                raise Misconfigured(
                    f"{self.path}:{number}: cannot be read: {error}; without it nobody knows what "
                    "was told, so nothing more is: restore the file, or take the line out"
                ) from error
        return found

    def note(self, event: dict[str, Any]) -> None:
        """Add a line; earlier ones are never changed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self.path.read_bytes() if self.path.exists() else b""
        put(self.path, before + json.dumps(event, sort_keys=True).encode() + b"\n", 0o600)

    def keep(self, name: str, data: bytes) -> Path:
        """Put a message into the outbox."""
        box = self.folder / OUTBOX
        box.mkdir(parents=True, exist_ok=True)
        put(box / name, data, 0o600)
        return box / name

    def waiting(self) -> list[Path]:
        """List the messages that have not been sent."""
        return sorted((self.folder / OUTBOX).glob("*.wtm"))

    def move(self, path: Path, where: str) -> None:
        """Take a message out of the outbox."""
        box = self.folder / where
        box.mkdir(parents=True, exist_ok=True)
        path.replace(box / path.name)

    def find(self, name: str) -> bytes | None:
        """Give the content of a message, wherever it is by now."""
        for where in (OUTBOX, SENT, REFUSED):
            path = self.folder / where / name
            if path.is_file():
                return path.read_bytes()
        return None

    def made(self) -> list[dict[str, Any]]:
        """List the messages that were made, oldest first."""
        return [event for event in self.events() if event["event"] == MADE]

    def told_of(self, asset: str) -> Iterator[tuple[int, int]]:
        """Give the times of which something was told of an asset, ns."""
        for event in self.made():
            if event["asset"] == asset:
                yield int(event["start"]), int(event["stop"])
