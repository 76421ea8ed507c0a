"""Raw history of tags, page by page (OPC 10000-4 §5.11.3, OPC 10000-11 §6.5.3)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from connectors.opcua.answers import History, decode_history
from connectors.opcua.decode import Published, columns, decoded
from connectors.opcua.limits import TOO_MANY, Allowance, in_calls
from connectors.opcua.nodes import Found
from connectors.opcua.rows import Rows
from connectors.opcua.subscription import TEXT, client_handle, value_of
from plant.quality import Status

NODES = 50
"""Nodes in one call: with `VALUES` of each an answer stays far below the bounds of a message."""
VALUES = 1_000
"""Values of one node in one answer."""
PAGES = 10_000
"""Answers for one node; a server that has still more to say is going round in circles."""
_RELEASE_S = 1.0
_HISTORY_READ = 1 << ua.AccessLevel.HistoryRead
_NONE_KEPT = {
    StatusCodes.BadHistoryOperationUnsupported,
    StatusCodes.BadServiceUnsupported,
    StatusCodes.BadNotSupported,
    StatusCodes.BadHistoryOperationInvalid,
    StatusCodes.BadNotImplemented,
    StatusCodes.BadUserAccessDenied,
    StatusCodes.BadNotReadable,
}
_NOTHING = {StatusCodes.BadNoData, StatusCodes.BadNoDataAvailable}
_NO = cast("ua.Boolean", False)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Deliver = Callable[[Published], Awaitable[None]]


@dataclass(slots=True)
class _Asked:
    """A tag under way: where its next page begins, and how many pages and values there were."""

    item: Found
    point: bytes = b""
    pages: int = 0
    values: int = 0


@dataclass(slots=True)
class HistoryReader:
    """Reads the history of one source.

    Parameters
    ----------
    client
        Connected, with an active session.
    allowance
        Nodes in one call, as the server bears them.
    without
        Handles of tags of which the server keeps no history; they are not asked for again.
    """

    client: Client
    allowance: Allowance
    without: set[int]

    async def read(self, found: Sequence[Found], start: int, stop: int, deliver: Deliver) -> bool:
        """Deliver what the server kept of ``start < at <= stop``, ns.

        Returns
        -------
        bool
            Whether the server has told all of it, of every tag.

        Raises
        ------
        Rejected
            An answer cannot be read.
        UaError, OSError, TimeoutError
            The link is lost.
        """
        asked_of = [_Asked(item) for item in found if item.tag.handle not in self.without]
        complete = len(asked_of) == len(found)
        waiting = asked_of[::-1]
        try:
            while waiting:
                part = waiting[-min(self.allowance.size, NODES) :]
                answers = await self._ask(part, start, stop)
                if answers is None:
                    continue
                for asked, history in zip(part, answers, strict=True):
                    complete &= self._judge(asked, history)
                for history in answers:
                    await deliver(_within(history.values, start, stop))
                # What has more to tell goes on first: servers keep few continuation points.
                waiting[-len(part) :] = [asked for asked in part if asked.point]
        finally:
            await self._release([asked for asked in waiting if asked.point])
        silent = [asked.item for asked in asked_of if not asked.values]
        return await self._kept_at_all(silent) and complete

    async def _kept_at_all(self, silent: Sequence[Found]) -> bool:
        """Tell whether the server keeps a history of tags of which it had nothing to tell.

        Some servers say so instead of refusing, for nodes of which they keep none.
        """

        async def read(part: list[Found]) -> Sequence[ua.DataValue]:
            return await self.client.uaclient.read_attributes(
                [item.node for item in part], AttributeIds.AccessLevel
            )

        asked = [item for item in silent if item.tag.handle not in self.without]
        levels = await in_calls(read, asked, self.allowance)
        never = {
            item.tag.handle
            for item, level in zip(asked, levels, strict=True)
            if not _has_history(level)
        }
        self.without |= never
        return not never

    async def _ask(self, part: list[_Asked], start: int, stop: int) -> tuple[History, ...] | None:
        """Ask for one page of each; None when fewer are to be asked for at a time."""
        try:
            data = await self.client.uaclient._send_request(_request(part, start, stop))
        except UaStatusCodeError as error:
            return self._refused(part, error.code)
        handles = [client_handle(asked.item.tag) for asked in part]
        read = partial(decode_history, handles=handles, texts_from=TEXT)
        service, answers = await decoded(read, bytes(data))
        return self._refused(part, service) if service >= Status.BAD else answers

    def _refused(self, part: list[_Asked], code: int) -> tuple[History, ...] | None:
        if code in TOO_MANY and len(part) > 1:
            self.allowance.size = len(part) // 2
            return None
        nothing = columns(0, Rows(0), 0)
        return tuple(History(code, b"", nothing) for _ in part)

    def _judge(self, asked: _Asked, history: History) -> bool:
        """Tell whether nothing is missing of this page; note where the next one begins."""
        asked.point, asked.pages = history.point, asked.pages + 1
        asked.values += len(history.values.handle) + len(history.values.texts)
        if history.status in _NONE_KEPT:
            self.without.add(asked.item.tag.handle)
        if asked.pages >= PAGES:
            asked.point = b""
            return False
        return history.status < Status.BAD or history.status in _NOTHING

    async def _release(self, left: list[_Asked]) -> None:
        """Give back continuation points of what is not read to its end."""
        if not left:
            return
        request = _request(left, 0, 0)
        request.Parameters.ReleaseContinuationPoints = cast("ua.Boolean", True)
        try:
            async with asyncio.timeout(_RELEASE_S):
                await self.client.uaclient._send_request(request)
        except (UaError, OSError, TimeoutError) as error:
            self.client.uaclient.logger.info("continuation points not released: %r", error)


def _request(part: Sequence[_Asked], start: int, stop: int) -> ua.HistoryReadRequest:
    request = ua.HistoryReadRequest()
    request.Parameters.HistoryReadDetails = ua.ReadRawModifiedDetails(
        IsReadModified=_NO,
        StartTime=_moment(start // 1000),
        # The end of an interval does not belong to it, and moments have microseconds here.
        EndTime=_moment(stop // 1000 + 1),
        NumValuesPerNode=ua.Counter(VALUES),
        ReturnBounds=_NO,
    )
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    request.Parameters.ReleaseContinuationPoints = _NO
    request.Parameters.NodesToRead = [_node(asked) for asked in part]
    return request


def _node(asked: _Asked) -> ua.HistoryReadValueId:
    what = value_of(asked.item)
    return ua.HistoryReadValueId(
        NodeId=what.NodeId,
        IndexRange=what.IndexRange,
        ContinuationPoint=ua.ContinuationPoint(asked.point) if asked.point else None,
    )


def _has_history(level: ua.DataValue) -> bool:
    value = level.Value.Value if level.Value is not None else None
    return isinstance(value, int) and bool(value & _HISTORY_READ)


def _moment(microseconds: int) -> ua.UtcTime:
    return cast("ua.UtcTime", _EPOCH + timedelta(microseconds=microseconds))


def _within(values: Published, start: int, stop: int) -> Published:
    there = (values.at > start) & (values.at <= stop)
    return values.only(there, (text for text in values.texts if start < text.at <= stop))
