"""The gateway that is running: where its console is, and a word with it."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from plant.errors import Misconfigured, Rejected, Unreachable

ADDRESS = "gateway.json"
"""Written into its data folder by a running gateway."""
PATIENCE_S = 5.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def console_of(data: Path) -> str | None:
    """Give the address of the console of the gateway that runs on `data`, if one says so."""
    address = data / ADDRESS
    if not address.is_file():
        return None
    try:
        return str(json.loads(address.read_text(encoding="utf-8"))["url"])
    except (ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{address}: is not a gateway's address; remove it") from error


def ask(url: str, path: str, content: dict[str, Any] | None = None) -> Any:
    """Get `path` from the console, or post `content` to it.

    Raises
    ------
    Unreachable
        Nothing answers at `url`, or it cannot answer now.
    Rejected
        The console says no; the message is its reason.
    Misconfigured
        `url` is not a console on this machine: it has no accounts, so it is nowhere else.
    """
    place = _place(url)
    connection = http.client.HTTPConnection(place, timeout=PATIENCE_S)
    try:
        if content is None:
            connection.request("GET", path)
        else:
            body = json.dumps(content)
            connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = _parsed(response.read(), url)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{url}: no gateway answers there ({error}); is it running?") from error
    finally:
        connection.close()
    if response.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        raise Unreachable(f"{url}: {answer['error']}")
    if response.status != http.HTTPStatus.OK:
        raise Rejected(str(answer["error"]))
    return answer


def _place(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "http" and parts.hostname in LOOPBACK and parts.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise Misconfigured(f'"{url}" is not a console; it looks like http://127.0.0.1:8080')
    return parts.netloc


def _parsed(body: bytes, url: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise Unreachable(f"{url}: what answers there is no gateway") from error
    if not isinstance(answer, dict):
        raise Unreachable(f"{url}: what answers there is no gateway")
    return answer
