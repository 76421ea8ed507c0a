"""The audit: one JSON object a line, each holding the hash of the one before, on disk first.

Every `EVERY` records or `EVERY_S` seconds a checkpoint is signed, which holds the number of records
and the hash of the last. Whoever can write the file can begin it anew; he cannot sign it. What was
cut off after the last checkpoint shows where a copy of that checkpoint was kept elsewhere.
"""

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.guard.checks import Moment
from gateway.guard.keys import has_signed, has_tpm
from plant.errors import Misconfigured
from plant.keys import key_id

EVERY, EVERY_S = 100, 60.0
FIRST = "0" * 64
LONGEST = 262_144
"""Bytes of a line."""
EACH = {"wall": int, "actor": str, "event": str}
"""What every record says."""
CHECKPOINT = "checkpoint"
FOLLOWED = frozenset({"received", "checked"})
"""Records on which nothing leaves and nothing is answered before another follows them: its fsync
puts them on disk too (fsync(2) syncs the whole file). A process that is killed loses none."""
STARTED_AGAIN = "started again"
"""An approver's word, also that the clock is right: times before it prove nothing any more."""


class NoAudit(Misconfigured):
    """The record is not on disk: nothing may leave."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at an audit found.

    Parameters
    ----------
    records
        Records that are whole, in a row from the first.
    signed
        How many of them a checkpoint has signed.
    bad
        Number of the first record that is not as it was written; 0: none.
    why
        What is wrong with it.
    torn
        Bytes of a last line that was never finished: a crash while it was written, no tampering.
    last
        Hash of the last whole record.
    """

    records: int
    signed: int
    bad: int = 0
    why: str = ""
    torn: int = 0
    last: str = FIRST
    newest: int = 0
    """Latest wall time of any since an approver last said that the clock is right, ns."""


class Audit:
    """Appends to an audit; a torn last line of a crash is cut off first, and said.

    Parameters
    ----------
    file
        Where it is kept.
    key
        Signs the checkpoints.

    Raises
    ------
    NoAudit
        What is there is not as it was written, or cannot be written.
    """

    def __init__(self, file: Path, key: Ed25519PrivateKey) -> None:
        self._file = file
        self._key = key
        found = verify(file, [key.public_key()]) if file.exists() else Finding(0, 0)
        if found.bad:
            raise NoAudit(
                f"{file}: record {found.bad}: {found.why}; nothing is written to the plant on it: "
                "keep the file for whoever looks into it, and move it away"
            )
        self.count, self._last, self.newest = found.records, found.last, found.newest
        self._unsigned = found.records - found.signed
        self._since: float | None = None
        self.trouble = ""
        try:
            made = not file.exists()
            self._handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if found.torn:
                os.ftruncate(self._handle, os.fstat(self._handle).st_size - found.torn)
                os.fsync(self._handle)
            if made:
                folder = os.open(file.parent, os.O_RDONLY)
                os.fsync(folder)
                os.close(folder)
        except OSError as error:
            raise NoAudit(f"{file}: cannot be written: {error.strerror}") from error
        self.torn = found.torn

    newest = 0
    """See `Finding`."""

    def note(self, at: Moment, actor: str, event: str, **facts: Any) -> int:
        """Write one record and give its number; on disk when it returns, unless `FOLLOWED`.

        Raises
        ------
        NoAudit
            It is not, and whether part of it is cannot be told: no other is taken until the next
            start, which looks at the file.
        """
        number = self._append(at, actor, event, facts)
        self._since = at.mono if self._since is None else self._since
        if self._unsigned >= EVERY:
            self.checkpoint(at)
        return number

    def tick(self, at: Moment) -> None:
        """Sign what has been waiting for its checkpoint long enough; raises as `note` does."""
        if self._since is not None and at.mono - self._since >= EVERY_S:
            self.checkpoint(at)

    def checkpoint(self, at: Moment) -> None:
        """Sign what is there now, if anything is new; raises as `note` does."""
        if not self._unsigned:
            return
        facts = {
            "of": self.count,
            "head": self._last,
            "key": key_id(self._key.public_key()),
            "held_in": "file",
            "tpm": "present, not used" if has_tpm() else "none",
        }
        signature = b64encode(self._key.sign(_signed_words(facts))).decode()
        self._append(at, "guard", CHECKPOINT, {**facts, "signature": signature})
        self._unsigned, self._since = 0, None

    def close(self) -> None:
        """Let go of the file; idempotent."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _append(self, at: Moment, actor: str, event: str, facts: dict[str, Any]) -> int:
        if self.trouble or self._handle < 0:
            raise NoAudit(self.trouble or "the audit is closed")
        record = {
            "n": self.count + 1, "wall": at.wall, "mono": at.mono, "boot": at.boot, "actor": actor,
            "event": event, **facts, "prev": self._last,
        }  # fmt: skip
        record["hash"] = _hash(record)
        line = _canonical(record) + b"\n"
        if len(line) > LONGEST:
            raise NoAudit(f"a record of {len(line)} bytes; {LONGEST} are the most")
        try:
            written = os.write(self._handle, line)
            if event not in FOLLOWED:
                os.fsync(self._handle)
            if written != len(line):
                raise OSError(0, "the disk took a part of it")
        except OSError as error:
            # After a failed fsync nobody knows what is on disk (fsync(2)): it is not tried again.
            self.trouble = f"{self._file}: cannot be written: {error.strerror}"
            raise NoAudit(self.trouble) from error
        self.count, self._last = self.count + 1, record["hash"]
        self.newest = _newest(self.newest, record)
        self._unsigned += 1
        return self.count


def verify(file: Path, keys: Sequence[Ed25519PublicKey], *, kept: Collection[str] = ()) -> Finding:
    """Look whether an audit is as it was written.

    Parameters
    ----------
    file
        The audit.
    keys
        Whose checkpoints are believed.
    kept
        Hashes of records that were kept elsewhere; one that is missing means that the end was cut,
        or that all was written anew.

    Raises
    ------
    Misconfigured
        It cannot be read.
    """
    records, signed, last, newest, missing = 0, 0, FIRST, 0, set(kept) - {FIRST}
    for line in _lines(file):
        if not line.endswith(b"\n"):
            if len(line) <= LONGEST:
                return _ended(records, signed, last, newest, missing, torn=len(line))
            return Finding(records, signed, records + 1, "is longer than any record", last=last)
        why = _objection(line, records + 1, last, keys)
        if why:
            return Finding(records, signed, records + 1, why, last=last)
        record = json.loads(line)
        records, last = records + 1, record["hash"]
        newest = _newest(newest, record)
        missing.discard(last)
        if record["event"] == CHECKPOINT:
            signed = records
        elif records - signed > EVERY + 1:
            why = f"no checkpoint in more than {EVERY} records: they were taken out"
            return Finding(records - 1, signed, records, why, last=last)
    return _ended(records, signed, last, newest, missing)


def records_of(file: Path, tail: int | None = None) -> Iterator[dict[str, Any]]:
    """Give the records in order, without looking whether they are as they were written.

    A line that is none is left out: `verify` names it.

    Parameters
    ----------
    file
        The audit.
    tail
        Bytes at its end; None: all of it. What is cut off by that is no record.
    """
    for line in _lines(file, tail):
        if line.endswith(b"\n"):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and all(type(record.get(k)) is t for k, t in EACH.items()):
                yield record


def _newest(before: int, record: dict[str, Any]) -> int:
    wall = record["wall"] if type(record.get("wall")) is int else 0
    return wall if record["event"] == STARTED_AGAIN else max(before, wall)


def _ended(
    records: int, signed: int, last: str, newest: int, missing: set[str], torn: int = 0
) -> Finding:
    if missing:
        of = f"{len(missing)} that were kept elsewhere are not in the file, one is {min(missing)}"
        why = f"is missing: {of}"
        return Finding(records, signed, records + 1, why, torn, last)
    return Finding(records, signed, torn=torn, last=last, newest=newest)


def _lines(file: Path, tail: int | None = None) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            if tail is not None:
                opened.seek(max(0, opened.seek(0, os.SEEK_END) - tail))
            while line := opened.readline(LONGEST + 1):
                yield line
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from error


def _objection(line: bytes, number: int, last: str, keys: Sequence[Ed25519PublicKey]) -> str:
    """Say why a line is not the record that was written there; empty when it is."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return "is no JSON"
    if not isinstance(record, dict) or _canonical(record) + b"\n" != line:
        return "is not written as the guard writes"
    if record.get("n") != number:
        return f"bears the number {record.get('n')}: one was taken out, put in or moved"
    if record.get("prev") != last:
        return "does not follow the one before"
    if record.get("hash") != _hash(record):
        return "was changed"
    if record.get("event") != CHECKPOINT:
        return ""
    words = _signed_words(record)
    try:
        signature = b64decode(str(record.get("signature")), validate=True)
    except ValueError:
        return "bears no signature"
    if (record.get("of"), record.get("head")) != (number - 1, last):
        return "signs something else"
    if not any(has_signed(key, signature, words) for key in keys):
        return "is signed by no key that is believed"
    return ""


def _signed_words(facts: dict[str, Any]) -> bytes:
    return _canonical({key: facts.get(key) for key in ("of", "head", "key", "held_in", "tpm")})


def _hash(record: dict[str, Any]) -> str:
    body = {key: value for key, value in record.items() if key != "hash"}
    return hashlib.sha256(str(record["prev"]).encode() + _canonical(body)).hexdigest()


def _canonical(record: dict[str, Any]) -> bytes:
    """Write JSON one way (after RFC 8785: sorted keys, no spaces); NaN stays readable."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
