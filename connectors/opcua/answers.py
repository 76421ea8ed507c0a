"""What the answers to Read and HistoryRead say, in columns (OPC 10000-4 §5.11, OPC 10000-6 §5.2).

DataValues stand there without handles and are read as rows whose places are known.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from connectors.opcua import wire
from connectors.opcua.decode import (
    NO_TEXTS,
    Published,
    begin_answer,
    columns,
    nanoseconds,
    type_number,
)
from connectors.opcua.rows import Rows, read_rows
from plant.errors import Rejected
from plant.quality import Status

READ_RESPONSE, HISTORY_READ_RESPONSE, HISTORY_DATA = 634, 667, 658
_SMALLEST_RESULT = 11
"""StatusCode, continuation point and an empty ExtensionObject, bytes."""


@dataclass(frozen=True, slots=True)
class History:
    """What one HistoryReadResult says.

    Parameters
    ----------
    status
        Result for this node.
    point
        Where the rest is to be asked for; empty when this was all.
    values
        The values, under the client handle of the node.
    """

    status: int
    point: bytes
    values: Published


def decode_read(data: bytes, handles: Iterable[int], texts_from: int = NO_TEXTS) -> Published:
    """Read a ReadResponse; its values come under `handles`, in the order of the request.

    Nodes that are wanted as text, by their handles from `texts_from` on, come last.

    Times are taken as in a notification; the server's clock stands for the publish time. The
    columns count as a keep-alive, for no message number belongs to them.

    Raises
    ------
    Rejected
        The bytes are no ReadResponse, or there are more or fewer values than handles.
    """
    asked = np.fromiter(handles, np.uint32)
    service, ticks, at = begin_answer(data, READ_RESPONSE)
    if service >= Status.BAD:
        return columns(service, Rows(0), 0)
    number, _ = wire.count(data, at, 1)
    if number != len(asked):
        raise Rejected(f"OPC UA answer has {number} values, {len(asked)} were asked for")
    rows, _ = _rows(data, at, asked, texts_from)
    return columns(service, rows, _clock(ticks), keep_alive=True)


def decode_history(
    data: bytes, handles: Iterable[int], texts_from: int = NO_TEXTS
) -> tuple[int, tuple[History, ...]]:
    """Read a HistoryReadResponse.

    Returns
    -------
    tuple[int, tuple[History, ...]]
        Result of the service call, and what is known of each handle, in the order of the request.

    Raises
    ------
    Rejected
        The bytes are no HistoryReadResponse, or have more or fewer results than handles.
    """
    handles = tuple(handles)
    service, ticks, at = begin_answer(data, HISTORY_READ_RESPONSE)
    if service >= Status.BAD:
        return service, ()
    number, at = wire.count(data, at, _SMALLEST_RESULT)
    if number != len(handles):
        raise Rejected(f"OPC UA answer has {number} histories, {len(handles)} were asked for")
    found = []
    for handle in handles:
        history, at = _history(data, at, handle, _clock(ticks), texts_from)
        found.append(history)
    return service, tuple(found)


def _history(data: bytes, at: int, handle: int, clock: int, texts_from: int) -> tuple[History, int]:
    behind = wire.need(data, at, 4)
    status = int.from_bytes(data[at:behind], "little")
    body = wire.skip_bytes(data, behind)
    point = data[behind + 4 : body]
    kind, inside = type_number(data, body)
    behind = wire.skip_extension_object(data, body)
    rows = Rows(0)
    if kind == HISTORY_DATA:
        start = wire.need(data, inside, 5)
        number, _ = wire.count(data, start, 1)
        rows, stop = _rows(data, start, np.full(number, handle, np.uint32), texts_from)
        if stop > behind:
            raise Rejected(f"OPC UA history runs over its length, to byte {stop}")
    return History(status, point, columns(0, rows, clock)), behind


def _rows(data: bytes, at: int, handles: NDArray[np.uint32], texts_from: int) -> tuple[Rows, int]:
    """Read an array of DataValues; each one's place gives it its handle."""
    rows, behind = read_rows(data, at, int(np.count_nonzero(handles < texts_from)), lead=0)
    here = slice(rows.filled)
    rows.handle[here] = handles[rows.handle[here]]
    rows.texts = [replace(text, handle=int(handles[text.handle])) for text in rows.texts]
    return rows, behind


def _clock(ticks: int) -> int:
    return nanoseconds(ticks, 0, 0, time.time_ns())
