"""What a PublishResponse says, in columns (OPC 10000-4 §5.14.5, OPC 10000-6 §5.2)."""

import asyncio
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from connectors.opcua import wire
from connectors.opcua.rows import Rows, TextRow, read_rows
from plant.errors import Rejected
from plant.quality import Status
from plant.samples import NO_TIME

PUBLISH_RESPONSE, REPUBLISH_RESPONSE = 829, 835
DATA_CHANGE, STATUS_CHANGE = 811, 820
_HEADER = struct.Struct("<qII")
_MESSAGE = struct.Struct("<BIq")
_REPUBLISHED = struct.Struct("<Iq")
_NODE_ID_NUMBERS = {0: struct.Struct("<xB"), 1: struct.Struct("<xBH"), 2: struct.Struct("<xHI")}

EPOCH = 116_444_736_000_000_000
"""1970-01-01 as FILETIME: 100 ns ticks since 1601-01-01 UTC."""
_FAR = 92_000_000_000_000_000
"""Ticks to either side of 1970 that fit into int64 nanoseconds."""
_MAX_PICO = 9999
_JOINED = ("handle", "value", "status", "instead", "source", "pico", "server", "server_pico")
NO_TEXTS = 2**32
LONG = 131_072
"""Bytes from which a message is decoded beside the event loop: at worst it takes 0.5 µs a byte."""
Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True)
class Text:
    """Text under a client handle, at its source time in ns."""

    handle: int
    at: int
    text: str
    status: int


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """One PublishResponse.

    Parameters
    ----------
    service
        Result of the service call; every other field is empty unless it is Good.
    subscription
        Id of the subscription.
    sequence
        Number of the notification message; of the next one when `keep_alive`.
    keep_alive
        Nothing has changed.
    more
        The server has more to say at once.
    published
        The server's clock, ns since 1970 UTC.
    handle, at, value, status
        Client handle uint32, source time int64 ns, value float64, StatusCode uint32, each (n,).
    served
        The server's time of each row, int64 ns (n,), `NO_TIME` where it gave none.
    texts
        Rows that hold text.
    ended
        StatusCode of a StatusChangeNotification: the subscription's end, or ``None``.
    refused
        Acknowledgements that the server did not take.
    """

    service: int
    subscription: int
    sequence: int
    keep_alive: bool
    more: bool
    published: int
    handle: NDArray[np.uint32]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    served: NDArray[np.int64]
    texts: tuple[Text, ...]
    ended: int | None
    refused: int

    def only(self, rows: NDArray[np.bool_], texts: Iterable[Text]) -> "Published":
        """Give the same message with these rows (n,) and these texts alone."""
        return replace(
            self,
            handle=self.handle[rows],
            at=self.at[rows],
            value=self.value[rows],
            status=self.status[rows],
            served=self.served[rows],
            texts=tuple(texts),
        )


async def decoded(decode: Callable[[bytes], Decoded], message: bytes) -> Decoded:
    """Decode a message; a server may choose what is slow to read, and holds up no other source.

    Raises
    ------
    Rejected
        The bytes are no such message.
    """
    return decode(message) if len(message) < LONG else await asyncio.to_thread(decode, message)


def decode_publish(data: bytes, now: int, texts_from: int = NO_TEXTS) -> Published:
    """Read a PublishResponse or the ServiceFault that stands for it.

    The time of a row is its source time; where the source gives none (or one outside the years
    1679 to 2261) the server's time of the row, and where that is missing too, the publish time.
    Where a row holds no usable number its value is NaN, and unless its own status is Bad it gets

    - ``BadWaitingForInitialData`` for a null,
    - ``BadOutOfRange`` for a whole number beyond 2^53, an infinity or a NaN,
    - ``BadTypeMismatch`` for arrays and types that are neither number nor text.

    Parameters
    ----------
    data
        Body of the message, from its type id on.
    now
        The gateway's clock, ns since 1970 UTC; taken where the server sends no publish time.
    texts_from
        Client handles from here on are wanted as text, whatever their type.

    Raises
    ------
    Rejected
        The bytes are no PublishResponse.
    """
    service, _, at = begin_answer(data, PUBLISH_RESPONSE)
    if service >= Status.BAD:
        return columns(service, Rows(0), 0)
    behind = wire.need(data, at, 4)
    subscription = int.from_bytes(data[at:behind], "little")
    available, at = wire.count(data, behind, 4)
    at += 4 * available
    behind = wire.need(data, at, _MESSAGE.size)
    more, sequence, ticks = _MESSAGE.unpack_from(data, at)
    published = nanoseconds(ticks, 0, 0, now)
    rows, ended, at, parts = _notifications(data, behind, texts_from)
    refused, _ = _refused(data, at)
    return columns(
        service,
        rows,
        published,
        subscription=subscription,
        sequence=sequence,
        keep_alive=parts == 0,
        more=bool(more),
        ended=ended,
        refused=refused,
    )


def decode_republish(data: bytes, now: int, texts_from: int = NO_TEXTS) -> Published:
    """Read a RepublishResponse, as `decode_publish` does."""
    service, _, at = begin_answer(data, REPUBLISH_RESPONSE)
    if service >= Status.BAD:
        return columns(service, Rows(0), 0)
    behind = wire.need(data, at, _REPUBLISHED.size)
    sequence, ticks = _REPUBLISHED.unpack_from(data, at)
    published = nanoseconds(ticks, 0, 0, now)
    rows, ended, _, parts = _notifications(data, behind, texts_from)
    return columns(service, rows, published, sequence=sequence, keep_alive=parts == 0, ended=ended)


def columns(
    service: int,
    rows: Rows,
    published: int,
    *,
    subscription: int = 0,
    sequence: int = 0,
    keep_alive: bool = False,
    more: bool = False,
    ended: int | None = None,
    refused: int = 0,
) -> Published:
    """Turn rows as they stand on the wire into columns."""
    here = slice(rows.filled)
    value, status = _usable(rows.value[here], rows.status[here], rows.instead[here])
    return Published(
        service=service,
        subscription=subscription,
        sequence=sequence,
        keep_alive=keep_alive,
        more=more,
        published=published,
        handle=rows.handle[here],
        at=_times(rows, published),
        value=value,
        status=status,
        served=_served(rows),
        texts=tuple(_text(row, published) for row in rows.texts),
        ended=ended,
        refused=refused,
    )


def begin_answer(data: bytes, expected: int) -> tuple[int, int, int]:
    """Read the head of an answer.

    Returns
    -------
    tuple[int, int, int]
        Result of the service call, the server's clock in ticks, and the position behind the head.

    Raises
    ------
    Rejected
        The bytes are neither an answer of the expected type nor a fault.
    """
    kind, at = type_number(data, 0)
    behind = wire.need(data, at, _HEADER.size)
    ticks, _, service = _HEADER.unpack_from(data, at)
    at = wire.skip_diagnostic_info(data, behind)
    strings, at = wire.count(data, at, 4)
    for _ in range(strings):
        at = wire.skip_bytes(data, at)
    at = wire.skip_extension_object(data, at)
    if service < Status.BAD and kind != expected:
        raise Rejected(f"OPC UA answer is of type {kind}, {expected} was expected")
    return service, ticks, at


def type_number(data: bytes, at: int) -> tuple[int, int]:
    """Read a numeric NodeId of namespace 0; any other gives -1."""
    behind = wire.skip_node_id(data, at)
    form = _NODE_ID_NUMBERS.get(data[at])
    if form is None:
        return -1, behind
    *namespace, number = form.unpack_from(data, at)
    return (-1 if any(namespace) else number), behind


def _notifications(data: bytes, at: int, texts_from: int) -> tuple[Rows, int | None, int, int]:
    """Read the parts of a notification message; events were not asked for and are skipped."""
    parts, at = wire.count(data, at, 3)
    gathered: list[Rows] = []
    ended = None
    for _ in range(parts):
        kind, body = type_number(data, at)
        at = wire.skip_extension_object(data, at)
        if kind == DATA_CHANGE:
            rows, behind = read_rows(data, wire.need(data, body, 5), texts_from)
            gathered.append(rows)
        elif kind == STATUS_CHANGE:
            behind = wire.need(data, body, 9)
            ended = int.from_bytes(data[behind - 4 : behind], "little")
        else:
            behind = at
        if behind > at:
            raise Rejected(f"OPC UA notification runs over its length, to byte {behind}")
    return _joined(gathered), ended, at, parts


def _joined(gathered: list[Rows]) -> Rows:
    if len(gathered) == 1:
        return gathered[0]
    whole = Rows(sum(rows.filled for rows in gathered))
    for rows in gathered:
        there = slice(whole.filled, whole.filled + rows.filled)
        for name in _JOINED:
            getattr(whole, name)[there] = getattr(rows, name)[: rows.filled]
        whole.filled += rows.filled
        whole.texts += rows.texts
    return whole


def _refused(data: bytes, at: int) -> tuple[int, int]:
    results, at = wire.count(data, at, 4)
    codes = np.frombuffer(data, "<u4", results, at)
    return int(np.count_nonzero(codes)), at + 4 * results


def _usable(
    value: NDArray[np.float64], status: NDArray[np.uint32], instead: NDArray[np.uint32]
) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    finite = np.isfinite(value)
    if finite.all():
        return value, status
    ours = np.where(instead, instead, np.uint32(Status.BAD_OUT_OF_RANGE))
    lost = ~finite & (status < np.uint32(Status.BAD))
    return np.where(finite, value, np.nan), np.where(lost, ours, status)


def _times(rows: Rows, published: int) -> NDArray[np.int64]:
    here = slice(rows.filled)
    at, given = _since_1970(rows.source[here], rows.pico[here])
    if given.all():
        return at
    served = _served(rows)
    second: NDArray[np.int64] = np.where(served == NO_TIME, published, served)
    chosen: NDArray[np.int64] = np.where(given, at, second)
    return chosen


def _served(rows: Rows) -> NDArray[np.int64]:
    here = slice(rows.filled)
    at, given = _since_1970(rows.server[here], rows.server_pico[here])
    if not given.all():
        at[~given] = NO_TIME
    return at


def _since_1970(
    stamp: NDArray[np.int64], pico: NDArray[np.uint16]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Turn ticks since 1601 into ns, and tell which of them are times."""
    ticks = stamp - EPOCH
    at: NDArray[np.int64] = ticks * 100
    # Tens of picoseconds on top of the ticks; more than 9999 counts as 9999 (OPC 10000-4 §7.11).
    at += np.minimum(pico, _MAX_PICO) // np.uint16(100)
    return at, (ticks > -_FAR) & (ticks < _FAR)


def nanoseconds(source: int, pico: int, server: int, otherwise: int) -> int:
    """Give ns since 1970 UTC of the first of two ticks that is a time, else `otherwise`."""
    if abs(source - EPOCH) < _FAR:
        return (source - EPOCH) * 100 + min(pico, _MAX_PICO) // 100
    return (server - EPOCH) * 100 if abs(server - EPOCH) < _FAR else otherwise


def _text(row: TextRow, published: int) -> Text:
    at = nanoseconds(row.source, row.pico, row.server, published)
    return Text(row.handle, at, row.text, row.status)
