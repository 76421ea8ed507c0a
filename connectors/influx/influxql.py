r"""InfluxQL: names and texts that stay what they are, and answers read piece by piece.

Nothing is ever put into a query but through `identifier`, `literal` and whole numbers. InfluxQL has
no parameters in ``FROM``, and those in ``WHERE`` differ between versions, so it is quoted here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from urllib3 import HTTPResponse

from connectors.influx.answers import Missing, Refused, plain
from connectors.influx.config import InfluxConfig
from connectors.influx.server import Server
from plant.errors import Misconfigured, Rejected, Unreachable

_BROKEN = str.maketrans({"\\": "\\\\", "\n": "\\n"})
PIECE_ROWS = 5000
_PIECE_BYTES = 1 << 16
_LINE_LIMIT = 1 << 26
"""Longest piece that is believed, bytes: 5,000 rows take about one million."""
_NOT_LET = ("authorization failed", "unauthorized", "not authorized", "authentication")
_MISSING = ("database not found", "dbrp mapping", "bucket not found", "retention policy not found")


def identifier(name: str) -> str:
    r"""Quote the name of a measurement, field or tag.

    Examples
    --------
    >>> print(identifier('signal" WHERE "a\\'))
    "signal\" WHERE \"a\\"
    """
    return '"' + name.translate(_BROKEN).replace('"', '\\"') + '"'


def literal(text: str) -> str:
    r"""Quote a text.

    Examples
    --------
    >>> print(literal("x' OR 'a'='a"))
    'x\' OR \'a\'=\'a'
    """
    return "'" + text.translate(_BROKEN).replace("'", "\\'") + "'"


def select(what: str, measurement: str, rest: str) -> str:
    """Put a question together; `what` and `rest` are made of quoted names and texts only.

    Examples
    --------
    >>> select('last("n")', "signal_1h", "LIMIT 1")
    'SELECT last("n") FROM "signal_1h" LIMIT 1'
    """
    return f"SELECT {what} FROM {identifier(measurement)} {rest}"  # noqa: S608 - all is quoted


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of one series: its name and tags, the names of its columns, and the rows."""

    name: str
    tags: dict[str, str]
    columns: list[str]
    rows: list[list[Any]]


def asked(server: Server, config: InfluxConfig, database: str, query: str) -> Iterator[Piece]:
    """Ask, and give the answer piece by piece.

    Raises
    ------
    Unreachable
        There is no answer, or it ends before its end.
    Misconfigured
        We are not let, or the database is missing.
    Rejected
        The server does not understand the query.
    """
    try:
        response = server.ask(database, query, PIECE_ROWS)
    except Refused as refused:
        raise _complaint(config, database, refused.message) from refused
    try:
        yield from _pieces(server, config, database, response)
    finally:
        # Not released but closed: what was not read to its end cannot be used again.
        response.close()


def _pieces(
    server: Server, config: InfluxConfig, database: str, response: HTTPResponse
) -> Iterator[Piece]:
    unfinished = True
    for line in _lines(server, config, database, response):
        answer = _read(config, line)
        results = answer.get("results", [])
        for found in (answer, *results):
            if "error" in found:
                raise _complaint(config, database, str(found["error"]))
        unfinished = any(found.get("partial") for found in results)
        for series in (series for found in results for series in found.get("series", ())):
            yield _piece(series)
    if unfinished:
        raise _broken(config)


def _broken(config: InfluxConfig) -> Unreachable:
    return Unreachable(f"{config.name}: {config.place} broke off in the middle of an answer")


def _read(config: InfluxConfig, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line, parse_int=_whole)
    except ValueError:
        raise _broken(config) from None
    if not isinstance(found, dict):
        raise Rejected(f"{config.name}: {config.place} answers as no InfluxDB does")
    return found


def _piece(series: dict[str, Any]) -> Piece:
    tags, rows = series.get("tags") or {}, series.get("values") or []
    return Piece(series.get("name", ""), tags, series["columns"], rows)


def _whole(digits: str) -> int | float:
    """Read a whole number; a negative zero is a float, and Python's integers know none."""
    return -0.0 if digits == "-0" else int(digits)


def _lines(
    server: Server, config: InfluxConfig, database: str, response: HTTPResponse
) -> Iterator[bytes]:
    """Read an answer line by line; each holds one piece."""
    kept = bytearray()
    with server.answers(database):
        for data in response.stream(_PIECE_BYTES, decode_content=True):
            kept += data
            *whole, rest = kept.split(b"\n")
            kept = bytearray(rest)
            if len(kept) > _LINE_LIMIT:
                raise Rejected(f"{config.name}: {config.place} sends a piece of {len(kept)} bytes")
            yield from (bytes(line) for line in whole if line.strip())
    if kept.strip():
        yield bytes(kept)


def _complaint(config: InfluxConfig, database: str, message: str) -> Misconfigured | Rejected:
    said = plain(message)
    low = said.lower()
    if any(word in low for word in _NOT_LET):
        return Misconfigured(
            f"{config.name}: {config.place} does not let us read {database}: {said}; give a token "
            "that may read it, as wheeltapper central init makes"
        )
    if any(word in low for word in _MISSING):
        return Missing(f"{config.name}: {config.place} has no {database}: {said}")
    return Rejected(f"{config.name}: {config.place} refuses the question: {said}")
