"""The gateway that is running: where its console is, and a word with it."""

import hashlib
import http.client
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.config.access import ADDRESS
from plant.errors import Misconfigured, Rejected, Unreachable

PATIENCE_S = 5.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Console:
    """How to reach a console.

    Parameters
    ----------
    url
        Where it is.
    token
        Lets a command of the gateway's own user in; empty where nobody has to log in.
    thumbprint
        SHA-256 of the certificate that it has to show; empty without TLS.
    """

    url: str
    token: str = field(default="", repr=False)
    thumbprint: str = ""

    def __str__(self) -> str:
        """Give the address alone."""
        return self.url


def console_of(data: Path) -> Console | None:
    """Give the console of the gateway that runs on `data`, if one says so.

    Raises
    ------
    Misconfigured
        What stands there is no address, or is for another user of this machine.
    """
    address = data / ADDRESS
    if not address.is_file():
        return None
    try:
        told = json.loads(address.read_text(encoding="utf-8"))
        words = (told["url"], told.get("token", ""), told.get("thumbprint", ""))
        return Console(*map(str, words))
    except PermissionError as error:
        raise Misconfigured(
            f"{address}: is for the gateway's own user: run this as that user, as in sudo -u"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misconfigured(f"{address}: is not a gateway's address; remove it") from error


def ask(console: str | Console, path: str, content: dict[str, Any] | None = None) -> Any:
    """Get `path` from the console, or post `content` to it.

    Raises
    ------
    Unreachable
        Nothing answers there, or it cannot answer now.
    Rejected
        The console says no; the message is its reason.
    Misconfigured
        It is no console on this machine.
    """
    there = _local(console) if isinstance(console, str) else console
    connection = _connection(there)
    headers = {"Content-Type": "application/json"}
    if there.token:
        headers["Authorization"] = f"Bearer {there.token}"
    try:
        connection.connect()
        # Before anything is said: the token is for nobody else.
        _check(connection, there)
        body = None if content is None else json.dumps(content)
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        answer = _parsed(response.read(), there.url)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{there}: no gateway answers there ({error}); is it running?") from error
    finally:
        connection.close()
    if response.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        raise Unreachable(f"{there}: {answer['error']}")
    if response.status == http.HTTPStatus.UNAUTHORIZED:
        raise Rejected(
            f"{there}: has accounts; name the gateway's data folder instead (--data), as its user"
        )
    if response.status != http.HTTPStatus.OK:
        raise Rejected(str(answer["error"]))
    return answer


def _local(url: str) -> Console:
    """Read an address that a person gave; without accounts a console is on this machine only."""
    if url.startswith("https://"):
        raise Misconfigured(
            f"{url}: a console with TLS is known by its certificate, which its data folder tells: "
            "name that instead (--data), as the gateway's user"
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "http" and parts.hostname in LOOPBACK and parts.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise Misconfigured(f'"{url}" is not a console; it looks like http://127.0.0.1:8080')
    return Console(url)


def _connection(console: Console) -> http.client.HTTPConnection:
    parts = urlsplit(console.url)
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.netloc, timeout=PATIENCE_S)
    # The certificate is compared with the one that the gateway itself has named: no chain could
    # say more, and no name in it has to be that of loopback.
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    secure.check_hostname = False
    secure.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.netloc, timeout=PATIENCE_S, context=secure)


def _check(connection: http.client.HTTPConnection, console: Console) -> None:
    if not isinstance(connection.sock, ssl.SSLSocket):
        return
    shown = connection.sock.getpeercert(binary_form=True) or b""
    if hashlib.sha256(shown).hexdigest() != console.thumbprint:
        raise Unreachable(f"{console}: what answers there shows another certificate")


def _parsed(body: bytes, url: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise Unreachable(f"{url}: what answers there is no gateway") from error
    if not isinstance(answer, dict):
        raise Unreachable(f"{url}: what answers there is no gateway")
    return answer
