"""How files travel: to a folder (a stick, a share) or over HTTP; and how they are fetched."""

import hashlib
import json
from pathlib import Path
from typing import Any

from analytics.modelfiles.file import MOST_BYTES
from plant.errors import Misconfigured, Rejected, Unreachable
from plant.files import put

TIMEOUT_S = 30.0
TAKEN, KNOWN, REFUSED = 201, 200, 422


def is_address(place: str) -> bool:
    """Tell a URL from the name of a file or folder."""
    return place.startswith(("http://", "https://"))


def delivered(place: str, name: str, data: bytes, ca: Path | None = None) -> None:
    """Bring a message to the centre; the same message twice is one.

    Parameters
    ----------
    ca
        PEM file of the authority of a ``https`` centre's certificate, unless this machine trusts
        it anyway.

    Raises
    ------
    Rejected
        The centre does not take it, and says why.
    Unreachable
        It does not answer, or cannot take anything now.
    """
    if not is_address(place):
        folder = Path(place)
        if not folder.is_dir():
            raise Unreachable(f"{folder}: there is no such folder")
        put(folder / name, data)
        return
    status, body = _asked("PUT", f"{place.rstrip('/')}/contributions/{name}", data, ca)
    if status == REFUSED:
        raise Rejected(_message(body))
    if status not in (TAKEN, KNOWN):
        raise Unreachable(f"{place}: answered with status {status}: {_message(body)}")
    told = _json(body)
    if told.get("sha256") != hashlib.sha256(data).hexdigest():
        raise Unreachable(f"{place}: did not say that it has what was sent")


def fetched(place: str) -> bytes:
    """Read a file, here or over HTTP; `MOST_BYTES` at most.

    Raises
    ------
    Misconfigured
        It is not there, or too large.
    Unreachable
        Nobody answers.
    """
    if is_address(place):
        status, data = _asked("GET", place, None)
        if status != KNOWN:
            raise Misconfigured(f"{place}: answered with status {status}")
    else:
        path = Path(place)
        if not path.is_file():
            raise Misconfigured(f"{place}: there is no such file")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Misconfigured(f"{place}: is larger than {MOST_BYTES} bytes")
    return data


def _asked(method: str, url: str, data: bytes | None, ca: Path | None = None) -> tuple[int, bytes]:
    import urllib3

    http = urllib3.PoolManager(
        retries=False, timeout=TIMEOUT_S, ca_certs=None if ca is None else str(ca)
    )
    try:
        with http.request(method, url, body=data, preload_content=False, redirect=False) as answer:
            return answer.status, answer.read(MOST_BYTES + 1)
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(f"{url}: does not answer: {error}") from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _message(body: bytes) -> str:
    said = str(_json(body).get("message", ""))[:300]
    return "".join(each if each.isprintable() else " " for each in said) or "no reason given"
