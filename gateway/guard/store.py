"""What a guard has to know when it comes back: on disk before anything leaves."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.guard.audit import NoAudit
from gateway.guard.checks import DAY_S, Moment, Past, Write
from plant import files
from plant.errors import Misconfigured

FORMAT = 2
LAST_SEQUENCE = 65_535
LEAST_ASKED = 20
"""Requests that people have to have been asked before a share of them proves anything."""
UNSETTLED = "unknown: a write has not come to its end"


@dataclass(slots=True)
class Intent:
    """A write that may have left and of which nobody knows yet: at most one a setpoint."""

    request: str
    value: float
    before: float
    sequence: int
    at: Moment


@dataclass(slots=True)
class Record:
    """What is known of one setpoint.

    Parameters
    ----------
    known, baseline, operator, locked, writes
        See `Past`.
    sequence
        Of the last write; never given twice.
    intent
        See there.
    doubts
        Values that a write left behind, of which it was never seen that they were applied: should
        one appear, it came late.
    returning
        The value that it is led back to, step by step, and for whom.
    renewed
        When somebody last stood by the value; None while it is the operator's.
    beating
        Whether a block is shown that the guard lives: something of ours is in force.
    asked, granted
        Requests that waited for people, and those that they approved.
    served_s
        For how long it has been in approve since the first of them, with a guard that ran, s.
    terms
        Under which limits all three were gathered; see `proof.terms`.
    """

    known: float | None = None
    baseline: float | None = None
    operator: Moment | None = None
    locked: str = ""
    writes: list[Write] = field(default_factory=list)
    sequence: int = 0
    intent: Intent | None = None
    doubts: list[float] = field(default_factory=list)
    returning: tuple[float, str] | None = None
    renewed: Moment | None = None
    beating: bool = False
    asked: int = 0
    granted: int = 0
    served_s: float = 0.0
    terms: str = ""

    def past(self, now: Moment) -> Past:
        """Give what a decision may know of it; a write without its end locks, whatever ended it."""
        self.writes = [one for one in self.writes if now.since(one.at) < DAY_S]
        # Of a few requests no share says anything.
        share = self.granted / self.asked if self.asked >= LEAST_ASKED else 0.0
        proven = (self.served_s / DAY_S, share)
        locked = self.locked or (UNSETTLED if self.intent is not None else "")
        return Past(self.known, self.baseline, self.operator, locked, tuple(self.writes), proven)

    def redate(self, now: Moment) -> None:
        """Have nothing of it lie in the future: the wall clock was wrong, and is right now."""
        self.writes = [replace(one, at=one.at.no_later_than(now)) for one in self.writes]
        self.operator = self.operator and self.operator.no_later_than(now)
        self.renewed = self.renewed and self.renewed.no_later_than(now)
        if self.intent is not None:
            self.intent.at = self.intent.at.no_later_than(now)

    def next_sequence(self) -> int:
        """Count on; 0 is what a block shows that was never written."""
        self.sequence = self.sequence % LAST_SEQUENCE + 1
        return self.sequence


class Store:
    """Keeps the records of all setpoints in one file, written as a whole.

    Parameters
    ----------
    file
        Where; without it nothing is known yet.

    Raises
    ------
    Misconfigured
        It is not as it was written: a guard that does not know what is unknown does not begin.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.serial = 0
        """Highest serial number of limits that were in force."""
        self.off: dict[str, str] = {}
        """Proposers that were switched off, and why."""
        self.records: dict[str, Record] = {}
        if file.exists():
            self._read()

    def of(self, tag: str) -> Record:
        """Give the record of a setpoint."""
        return self.records.setdefault(tag, Record())

    def keep(self) -> None:
        """Write all of it; on disk when it returns, else NoAudit."""
        body = {
            "format": FORMAT,
            "serial": self.serial,
            "off": self.off,
            "records": self.records,
        }
        try:
            put_for_good(self._file, json.dumps(body, default=_fields).encode())
        except OSError as error:
            raise NoAudit(f"{self._file}: cannot be written: {error.strerror}") from error

    def _read(self) -> None:
        try:
            body = json.loads(self._file.read_bytes())
            if body["format"] != FORMAT:
                raise ValueError(f"format {body['format']}")
            self.serial = int(body["serial"])
            self.off = dict(body["off"])
            self.records = {tag: _record(raw) for tag, raw in body["records"].items()}
        except OSError as error:
            raise Misconfigured(f"{self._file}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise Misconfigured(
                f"{self._file}: is not as the guard wrote it ({error}): look at each setpoint at "
                "the plant, move the file away and start again; all is read anew"
            ) from error


def put_for_good(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file as a whole, and its name with it: a loss of power takes neither."""
    files.put(file, content, mode)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _fields(one: Record | Write | Intent | Moment) -> dict[str, Any]:
    """Give what is in it; `dataclasses.asdict` would copy all of it, before each frame."""
    return {name: getattr(one, name) for name in one.__slots__}


def _record(raw: dict[str, Any]) -> Record:
    def maybe(key: str, make: Callable[[Any], Any]) -> Any:
        return None if raw[key] is None else make(raw[key])

    def moment(said: dict[str, Any]) -> Moment:
        return Moment(**said)

    def timed(said: dict[str, Any]) -> dict[str, Any]:
        return {**said, "at": moment(said["at"])}

    return Record(
        **{
            **raw,
            "operator": maybe("operator", moment),
            "renewed": maybe("renewed", moment),
            "writes": [Write(**timed(one)) for one in raw["writes"]],
            "intent": maybe("intent", lambda said: Intent(**timed(said))),
            "returning": maybe("returning", tuple),
        }
    )
