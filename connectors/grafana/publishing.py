"""Boards and the ones that a Grafana has: what differs, and bringing it there.

A push says with each board what it is a hash of. So a board that nobody touched is known again,
even where Grafana has written it down in its own way, and one that somebody else has changed since
is not overwritten unless that is asked for.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connectors.grafana.door import Grafana, Stored
from plant.errors import Rejected

Json = dict[str, Any]
_OWN = ("id", "version")
"""What a Grafana adds to a board by itself."""
_ABSENT = "(nothing)"
SIGN = "wheeltapper push"


class Standing(StrEnum):
    """How a board stands."""

    MISSING = "is not there"
    SAME = "is the same"
    OLDER = "differs"
    FOREIGN = "differs, and somebody else changed it last"


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs: where it stands in the JSON, there and here."""

    path: str
    there: str
    here: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A board beside the one that is there."""

    board: Json
    standing: Standing
    stored: Stored | None
    changes: tuple[Change, ...] = ()

    @property
    def uid(self) -> str:
        """Of the board."""
        return str(self.board["uid"])


def compare(grafana: Grafana, board: Json) -> Comparison:
    """Compare a board with the one that is there.

    Raises
    ------
    Unreachable, Misconfigured
        As the door does.
    """
    stored = grafana.board(board["uid"])
    if stored is None:
        return Comparison(board, Standing.MISSING, None)
    bare = {key: value for key, value in stored.board.items() if key not in _OWN}
    changes = tuple(differences(bare, board))
    if not changes or stored.message == signature(board):
        return Comparison(board, Standing.SAME, stored)
    # Where the past may not be read nobody can tell whose the last word is.
    ours = stored.message is not None and stored.message.startswith(SIGN)
    return Comparison(board, Standing.OLDER if ours else Standing.FOREIGN, stored, changes)


def push(grafana: Grafana, found: Comparison, folder: str, *, overwrite: bool) -> bool:
    """Bring a board there if it differs; tell whether anything was changed.

    A board that was moved to another folder stays there.

    Raises
    ------
    Rejected
        Somebody else changed it, and `overwrite` is not asked for.
    Unreachable, Misconfigured
        As the door does.
    """
    if found.standing is Standing.SAME:
        return False
    stored = found.stored
    if stored is not None and stored.file:
        raise Rejected(
            f"board {found.uid} is provisioned there from {stored.file}; change that file, or take "
            "its provider away"
        )
    if found.standing is Standing.FOREIGN and not overwrite and stored is not None:
        raise Rejected(
            f"board {found.uid} was changed by {stored.by} (version {stored.version}); look with "
            "wheeltapper grafana diff, and give --overwrite to replace it: Grafana keeps the "
            "versions before"
        )
    board = dict(found.board) if stored is None else {**found.board, "version": stored.version}
    place = folder if stored is None else stored.folder
    grafana.put_board(board, place, signature(found.board), overwrite=overwrite)
    return True


def signature(board: Json) -> str:
    """Say whose word a board is, and what it is a hash of."""
    text = json.dumps(board, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{SIGN} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def differences(there: Any, here: Any, path: str = "") -> Iterator[Change]:
    """Give the values that differ between two pieces of JSON.

    Examples
    --------
    >>> [change.path for change in differences({"a": [1, 2]}, {"a": [1, 3], "b": None})]
    ['a[1]', 'b']
    """
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in sorted({*there, *here}):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(there.get(key, _ABSENT), here.get(key, _ABSENT), inner)
    elif _is_list(there) and _is_list(here) and len(there) == len(here):
        for place, (old, new) in enumerate(zip(there, here, strict=True)):
            yield from differences(old, new, f"{path}[{place}]")
    elif there != here:
        yield Change(path, _told(there), _told(here))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _told(value: Any) -> str:
    if value == _ABSENT:
        return _ABSENT
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"
