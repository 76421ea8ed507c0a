"""What a Grafana answers, in words that an engineer can act on."""

from dataclasses import dataclass
from json import JSONDecodeError, loads

from plant.errors import Misconfigured, PlantError, Rejected, Unreachable

_LIMIT = 300
CONFLICT = 412
"""A board was changed by somebody else since it was read."""


@dataclass(frozen=True, slots=True)
class Said:
    """What came back: status, body, and where it sends us on to, if it does."""

    status: int
    body: str
    elsewhere: str = ""


def plain(text: str) -> str:
    r"""Put foreign words on one line of bounded length.

    Examples
    --------
    >>> plain("no\n such\x1b[31m thing")
    'no such [31m thing'
    """
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return words if len(words) <= _LIMIT else f"{words[: _LIMIT - 1]}…"


def message_of(said: Said) -> str:
    """Take the message out of an answer; of a page of HTML nothing is told.

    Examples
    --------
    >>> message_of(Said(404, '{"message": "Dashboard not found"}')), message_of(Said(502, "<html>"))
    ('Dashboard not found', 'status 502')
    """
    try:
        found = loads(said.body)
    except (JSONDecodeError, RecursionError):
        found = None
    if isinstance(found, dict) and found.get("message"):
        return plain(str(found["message"]))
    if found is None and said.body.strip() and not said.body.lstrip().startswith("<"):
        return plain(said.body)
    return f"status {said.status}"


def answered(place: str, said: Said, doing: str) -> PlantError:
    """Tell what follows from an answer that is no success, or none that a Grafana gives.

    Parameters
    ----------
    place
        Address of the Grafana.
    said
        What came back.
    doing
        What was tried, as in ``read board x``.
    """
    message, status = message_of(said), said.status
    if 300 <= status < 400:
        return Misconfigured(
            f"{place} sends us on to {plain(said.elsewhere) or 'elsewhere'} instead of answering; "
            "a login page in front of it, or http:// where it speaks https://: see the address"
        )
    if status == 401:
        return Misconfigured(
            f"{place} does not know this token: {message}; make one for a service account with the "
            "role Editor (Administration, Service accounts), valid in this organization"
        )
    if status == 403:
        return Misconfigured(
            f"{place} does not let this token {doing}: {message}; give its service account the "
            "role Editor, or the right to the folder"
        )
    if status == 404:
        return Misconfigured(
            f"{place} has nothing there to {doing}: {message}; see that the address is that of "
            "Grafana itself, with the part of its path, if it is served below one"
        )
    if status == 429 or status >= 500:
        return Unreachable(f"{place} answers {status}: {message}")
    if 200 <= status < 300:
        return Misconfigured(
            f"{place} answers with a page instead of data; see that the address is that of Grafana "
            "itself, and not of a login page or another program"
        )
    if "provisioned" in message.lower():
        return Rejected(
            f"{place} takes this board from a file and lets nobody else change it: {message}; "
            "change the file (wheeltapper grafana files), or take its provider away"
        )
    return Rejected(f"{place} refuses to {doing}: {message}")
