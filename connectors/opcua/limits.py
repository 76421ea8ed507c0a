"""How much a server takes in one call, as it says and as it turns out (OPC 10000-5 §6.3.11)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

TOO_MANY = frozenset(
    {
        StatusCodes.BadTooManyOperations,
        StatusCodes.BadRequestTooLarge,
        StatusCodes.BadResponseTooLarge,
        StatusCodes.BadEncodingLimitsExceeded,
    }
)
"""The call held too much; half of it may do."""
_OPERATIONS = "Server_ServerCapabilities_OperationLimits_Max"
_TOLD = (
    _OPERATIONS + "NodesPerRead",
    _OPERATIONS + "NodesPerTranslateBrowsePathsToNodeIds",
    _OPERATIONS + "NodesPerBrowse",
    _OPERATIONS + "NodesPerHistoryReadData",
    _OPERATIONS + "MonitoredItemsPerCall",
    "Server_ServerCapabilities_MaxMonitoredItemsPerSubscription",
)
Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


@dataclass(slots=True)
class Allowance:
    """What one call of one service may hold; it shrinks when the server finds that too much."""

    size: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the calls of one session may hold.

    Parameters
    ----------
    read, translate, browse, history, items
        Nodes in one Read, TranslateBrowsePathsToNodeIds, Browse or HistoryRead; monitored items
        in one call.
    per_subscription
        Monitored items that the server says one subscription may have; None where it says nothing.
    """

    read: Allowance
    translate: Allowance
    browse: Allowance
    history: Allowance
    items: Allowance
    per_subscription: int | None = None


def limits_of(most: int, told: Sequence[int | None] = (None,) * len(_TOLD)) -> Limits:
    """Make limits of at most `most` a call from what a server told; 0 and None mean no limit.

    Examples
    --------
    >>> limits_of(500, (100, None, 0, 5, 1000, 2000)).read.size
    100
    >>> limits_of(500, (100, None, 0, 5, 1000, 2000)).items.size
    500
    """
    read, translate, browse, history, items = (
        Allowance(min(one or most, most)) for one in told[:5]
    )
    return Limits(read, translate, browse, history, items, told[5] or None)


async def read_limits(client: Client, most: int) -> Limits:
    """Ask the server for its limits, and hold each against `most` of ours.

    Many servers have none of these nodes, some have them without a value; both mean that the
    limits have to be found out.
    """
    nodes = [ua.NodeId(ua.Int32(getattr(ObjectIds, name)), ua.Int16(0)) for name in _TOLD]

    async def read(part: list[ua.NodeId]) -> Sequence[ua.DataValue]:
        return await client.uaclient.read_attributes(part, AttributeIds.Value)

    try:
        told = await in_calls(read, nodes, len(nodes))
    except UaStatusCodeError as error:
        client.uaclient.logger.info("the server does not tell its limits: %r", error)
        return limits_of(most)
    return limits_of(most, [_number(value) for value in told])


def _number(value: ua.DataValue) -> int | None:
    told = value.Value.Value if value.Value is not None else None
    return told if isinstance(told, int) and told > 0 else None


async def in_calls(
    call: Callable[[list[Asked]], Awaitable[Sequence[Answered]]],
    items: Sequence[Asked],
    size: int | Allowance,
) -> list[Answered]:
    """Send `items` in calls of at most `size`; halve when the server finds that too many.

    An `Allowance` remembers what was learnt.
    """
    allowance = Allowance(size) if isinstance(size, int) else size
    answers: list[Answered] = []
    while len(answers) < len(items):
        part = list(items[len(answers) : len(answers) + allowance.size])
        try:
            answered = await call(part)
        except UaStatusCodeError as error:
            if error.code not in TOO_MANY or len(part) == 1:
                raise
            allowance.size = len(part) // 2
            continue
        if len(answered) != len(part):
            raise UaError(f"{len(answered)} answers to {len(part)} questions")
        answers += answered
    return answers
