"""The words on the guard's socket: a length and JSON, small, typed, and read strictly.

::

    4  length of what follows, unsigned, big-endian; 65,536 at most
    n  one JSON object: {"op": …} from here, {"ok": true, …} or {"ok": false, "why": …} back
"""

import json
import math
import re
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.config.plan import Plan
from plant.errors import Rejected, Unreachable
from plant.setpoints import Basis, Mode, Request
from plant.tags import TAG_NAME

SOCKET = "guard.sock"
FOLDER = "guard"
"""Below the data folder, unless the configuration says another."""
AUDIT = "audit.jsonl"
"""In that folder."""
LENGTH = 4
MOST_BYTES = 65_536
LONGEST_TEXT = 1000
MOST_BASIS = 64
ANSWER_S = 40.0
"""Longer than a write and both its read-backs take at most."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TEXTS = ("id", "tag", "unit", "reason", "key", "model", "version", "effect")
_KEYS = frozenset({*_TEXTS, "value", "not_after", "based_on", "mode", "healthy"})


def folder_of(plan: Plan) -> Path:
    """Tell where the guard of a configuration keeps what it knows."""
    return plan.setpoints.folder or plan.data / FOLDER


def new_id(now: int) -> str:
    """Make an id that sorts by time (UUIDv7, RFC 9562 §5.7) from the wall time, ns.

    Examples
    --------
    >>> new_id(1_700_000_000_000_000_000)[:15]
    '018bcfe5-6800-7'
    """
    bits = (now // 10**6) << 80 | 7 << 76 | secrets.randbits(12) << 64
    digits = f"{bits | 2 << 62 | secrets.randbits(62):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def request_of(said: object, proposer: str) -> Request:
    """Read a request.

    Raises
    ------
    Rejected
        Something is missing, too much, or of another type. A value that is no finite number is
        let through: the check that looks at it says so.
    """
    if not isinstance(said, dict) or not said.keys() <= _KEYS:
        odd = sorted(map(str, said.keys() - _KEYS)) if isinstance(said, dict) else []
        raise Rejected(f"malformed: {', '.join(odd)[:80] or 'a request is an object'} not known")
    texts = {key: said.get(key, "") for key in _TEXTS}
    for key, text in texts.items():
        if not isinstance(text, str) or len(text) > LONGEST_TEXT or not text.isprintable():
            raise Rejected(f"malformed: {key} is no text of {LONGEST_TEXT} characters at most")
    if _ID.fullmatch(texts["id"]) is None:
        raise Rejected("malformed: id is no UUIDv7")
    if not texts["key"] or not texts["reason"]:
        raise Rejected("malformed: key and reason are needed")
    mode, healthy = said.get("mode", Mode.AUTO), said.get("healthy", True)
    if mode not in list(Mode) or not isinstance(healthy, bool):
        raise Rejected("malformed: mode or healthy")
    return Request(
        **texts,
        proposer=proposer,
        value=_number(said, "value"),
        not_after=_whole(said, "not_after"),
        based_on=tuple(_basis(one) for one in _list(said.get("based_on", []))),
        mode=Mode(mode),
        healthy=healthy,
    )


def _list(said: object) -> list[Any]:
    if not isinstance(said, list) or len(said) > MOST_BASIS:
        raise Rejected(f"malformed: based_on is no list of {MOST_BASIS} at most")
    return said


def _basis(said: object) -> Basis:
    if not isinstance(said, dict) or said.keys() != {"tag", "at", "status"}:
        raise Rejected("malformed: based_on holds objects of tag, at and status")
    tag = said["tag"]
    if not isinstance(tag, str) or TAG_NAME.match(tag) is None:
        raise Rejected("malformed: based_on: tag")
    return Basis(tag, _whole(said, "at"), _whole(said, "status"))


def _number(said: Mapping[str, Any], key: str) -> float:
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected(f"malformed: {key} is no number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _whole(said: Mapping[str, Any], key: str) -> int:
    value = said.get(key)
    if type(value) is not int or not 0 <= value < 2**63:
        raise Rejected(f"malformed: {key} is no whole number")
    return value


def framed(said: Mapping[str, Any]) -> bytes:
    """Write one message; Rejected when it is too long."""
    body = json.dumps(said).encode()
    if len(body) > MOST_BYTES:
        raise Rejected(f"a message of {len(body)} bytes; {MOST_BYTES} are the most")
    return len(body).to_bytes(LENGTH, "big") + body


def unframed(body: bytes) -> dict[str, Any]:
    """Read one message; Rejected when it is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected("malformed: no JSON") from error
    if not isinstance(said, dict):
        raise Rejected("malformed: no object")
    return said


def heard(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Give an answer of the guard that says yes.

    Raises
    ------
    Unreachable
        It cannot do it now: a device is away, or others are before.
    Rejected
        It says no.
    """
    if answer.get("ok"):
        return dict(answer)
    why = str(answer.get("why", "the guard says no"))
    raise (Unreachable if answer.get("class") == "Unreachable" else Rejected)(why)


def length_of(head: bytes) -> int:
    """Read the length before an answer; Unreachable where no guard would send one so long."""
    length = int.from_bytes(head, "big")
    if length > MOST_BYTES:
        raise Unreachable(f"what answers with {length} bytes is no guard")
    return length


def silence(path: Path, error: OSError | EOFError) -> Unreachable:
    """Say why no guard answers at its socket."""
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            return Unreachable(f"no guard is running at {path}: wheeltapper guard CONFIG")
        case PermissionError():
            return Unreachable(
                f"{path}: this user may not speak to the guard: put it into the group that "
                "[setpoints] group names, or run gateway and guard as one"
            )
        case TimeoutError():
            return Unreachable("the guard has not answered in time")
    why = getattr(error, "strerror", None) or "it hung up"
    return Unreachable(f"the guard does not answer: {why}")


def tell(folder: Path, said: Mapping[str, Any], answer_s: float = ANSWER_S) -> dict[str, Any]:
    """Say something to the guard of a folder, and give its answer; blocks.

    Raises
    ------
    Unreachable
        No guard runs there, it does not answer, or it cannot do it now.
    Rejected
        It says no.
    """
    path = folder / SOCKET
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(answer_s)
        try:
            line.connect(str(path))
            line.sendall(framed(said))
            answer = unframed(_exactly(line, length_of(_exactly(line, LENGTH))))
        except OSError as error:
            raise silence(path, error) from error
    return heard(answer)


def _exactly(line: socket.socket, size: int) -> bytes:
    body = b""
    while len(body) < size:
        piece = line.recv(size - len(body))
        if not piece:
            raise ConnectionResetError(104, "it hung up")
        body += piece
    return body
