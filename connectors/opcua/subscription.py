"""One subscription with one monitored item a tag (OPC 10000-4 §5.13, §5.14)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.limits import Limits, in_calls
from connectors.opcua.nodes import Found, Refused
from connectors.opcua.transport import read_answer
from plant.tags import TagHandle, ValueType

KEEP_ALIVE_MS = 2_000.0
LIFETIME_MS = 60_000.0
LONGEST_SILENCE_S = 60.0
"""Longest keep-alive period that is waited for, whatever the server grants, s."""
LONGEST_PUBLISHING_MS = 3_600_000.0
MAX_ROWS = 10_000
"""Rows that one message may hold; more come in further messages."""
TEXT = 2**31
"""Client handles from here on are wanted as text."""
NO_ROOM = frozenset(
    {
        StatusCodes.BadTooManyMonitoredItems,
        StatusCodes.BadOutOfMemory,
        StatusCodes.BadResourceUnavailable,
    }
)
"""The server can monitor no more; it may still be asked for the value."""
_MUCH = 1.5
"""Revised by this factor or more is worth a word."""


@dataclass(slots=True)
class Subscription:
    """What the server granted.

    Parameters
    ----------
    id
        Number of the subscription.
    publishing_ms
        Period in which the server sends, ms.
    keep_alive_s
        Longest silence of a healthy server, s.
    tags
        All tags, in the order in which the server was asked for them.
    items
        Number of each monitored item, by tag handle.
    nodes
        What each tag was found to be, by tag handle.
    unmonitored
        Nodes for which the server had no monitored item left, by tag handle.
    refused
        Tags that the server does not deliver, by tag handle.
    slower, shorter
        Handles of tags whose items are looked at much more rarely, or keep fewer values, than
        asked.
    """

    id: int
    publishing_ms: float
    keep_alive_s: float
    tags: tuple[TagHandle, ...] = ()
    items: dict[int, int] = field(default_factory=dict)
    nodes: dict[int, Found] = field(default_factory=dict)
    unmonitored: dict[int, Found] = field(default_factory=dict)
    refused: dict[int, Refused] = field(default_factory=dict)
    slower: set[int] = field(default_factory=set)
    shorter: set[int] = field(default_factory=set)

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Take note of tags that the server does not deliver."""
        self.refused |= {one.tag.handle: one for one in refused}


def client_handle(tag: TagHandle) -> int:
    """Give the client handle of a tag's item: the same over every retry and restart."""
    return tag.handle + TEXT if tag.tag.type is ValueType.TEXT else tag.handle


async def subscribe(
    client: Client,
    config: OpcUaConfig,
    limits: Limits,
    found: Sequence[Found],
    refused: Sequence[Refused],
) -> Subscription:
    """Create the subscription and its items; initial values come through it."""
    granted = await _create(client, config)
    publishing_ms, keep_alive_s = _pace(granted)
    subscription = Subscription(
        id=int(granted.SubscriptionId), publishing_ms=publishing_ms, keep_alive_s=keep_alive_s
    )
    # Items of one DataType are published side by side, which is read in one step.
    ordered = in_order(found)
    subscription.tags = (*(one.tag for one in ordered), *(one.tag for one in refused))
    subscription.refuse(refused)
    await create_items(client, config, limits, subscription, ordered)
    return subscription


async def create_items(
    client: Client,
    config: OpcUaConfig,
    limits: Limits,
    subscription: Subscription,
    found: Sequence[Found],
) -> None:
    """Create monitored items, and take note in `subscription` of what became of each tag."""
    sampling = sampling_ms(config)
    requests = [_request(item, sampling, config.queue) for item in found]

    async def create(
        part: list[ua.MonitoredItemCreateRequest],
    ) -> Sequence[ua.MonitoredItemCreateResult]:
        return await _with_room(client, subscription.id, part)

    results = await in_calls(create, requests, limits.items)
    for item, result in zip(found, results, strict=True):
        _file(subscription, item, result)
        if result.RevisedSamplingInterval > _MUCH * (sampling or config.publishing_ms):
            subscription.slower.add(item.tag.handle)
        if 0 < result.RevisedQueueSize < config.queue:
            subscription.shorter.add(item.tag.handle)


def value_of(item: Found) -> ua.ReadValueId:
    """Name the value of a tag's node, or the one element of it that the tag is about."""
    what = ua.ReadValueId(NodeId=item.node, AttributeId=AttributeIds.Value)
    if item.element is not None:
        what.IndexRange = ua.String(item.element)
    return what


def sampling_ms(config: OpcUaConfig) -> float:
    """Give the sampling interval to ask for, ms; 0 asks for the fastest."""
    return config.publishing_ms if config.sampling_ms is None else config.sampling_ms


async def delete_items(
    client: Client, limits: Limits, subscription: Subscription, handles: Iterable[int]
) -> None:
    """Delete the monitored items of these tags; those that are gone already do no harm."""
    items = [subscription.items.pop(one) for one in handles if one in subscription.items]

    async def delete(part: list[int]) -> Sequence[ua.StatusCode]:
        return await client.uaclient.delete_monitored_items(
            ua.DeleteMonitoredItemsParameters(
                SubscriptionId=ua.IntegerId(subscription.id),
                MonitoredItemIds=[ua.IntegerId(item) for item in part],
            )
        )

    await in_calls(delete, items, limits.items)


def _file(subscription: Subscription, item: Found, result: ua.MonitoredItemCreateResult) -> None:
    handle = item.tag.handle
    subscription.nodes[handle] = item
    for kept in (subscription.items, subscription.unmonitored, subscription.refused):
        kept.pop(handle, None)
    for noted in (subscription.slower, subscription.shorter):
        noted.discard(handle)
    if result.StatusCode.is_good():
        subscription.items[handle] = int(result.MonitoredItemId)
    elif result.StatusCode.value in NO_ROOM:
        subscription.unmonitored[handle] = item
    else:
        subscription.refused[handle] = Refused(item.tag, int(result.StatusCode.value))


async def _with_room(
    client: Client, subscription: int, requests: list[ua.MonitoredItemCreateRequest]
) -> list[ua.MonitoredItemCreateResult]:
    """Create as many of the items as the server has room for, also where it fails whole calls."""
    try:
        return list(
            await client.uaclient.create_monitored_items(
                ua.CreateMonitoredItemsParameters(
                    SubscriptionId=ua.IntegerId(subscription),
                    TimestampsToReturn=ua.TimestampsToReturn.Both,
                    ItemsToCreate=requests,
                )
            )
        )
    except UaStatusCodeError as error:
        if error.code not in NO_ROOM:
            raise
        full = ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.UInt32(error.code)))
    if len(requests) == 1:
        return [full]
    half = len(requests) // 2
    first = await _with_room(client, subscription, requests[:half])
    if len(first) != half:
        raise UaError(f"{len(first)} answers to {half} questions")
    if first[-1].StatusCode.value in NO_ROOM:
        return first + [full] * (len(requests) - half)
    return first + await _with_room(client, subscription, requests[half:])


def _pace(granted: ua.CreateSubscriptionResult) -> tuple[float, float]:
    """Give the publishing interval, ms, and the longest silence, s, that were granted.

    Raises
    ------
    UaError
        They are no times that anybody could wait for.
    """
    publishing_ms = float(granted.RevisedPublishingInterval)
    # Who grants nothing is held to what was asked.
    keep_alive_s = granted.RevisedMaxKeepAliveCount * publishing_ms / 1000 or KEEP_ALIVE_MS / 1000
    if not 0 <= publishing_ms <= LONGEST_PUBLISHING_MS:
        raise UaError(f"the server would publish every {publishing_ms} ms, which is no use")
    # Who may be silent for hours could be gone for hours.
    return publishing_ms, min(keep_alive_s, max(LONGEST_SILENCE_S, publishing_ms / 1000))


def in_order(found: Sequence[Found]) -> list[Found]:
    """Put tags in the order in which the server is asked for them."""
    return sorted(found, key=_order)


def _order(item: Found) -> tuple[bool, str]:
    return item.tag.tag.type is ValueType.TEXT, item.data_type


async def _create(client: Client, config: OpcUaConfig) -> ua.CreateSubscriptionResult:
    keep_alive = max(1, int(KEEP_ALIVE_MS / config.publishing_ms))
    lifetime = max(3 * keep_alive, math.ceil(LIFETIME_MS / config.publishing_ms))
    request = ua.CreateSubscriptionRequest()
    request.Parameters = ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=ua.Duration(config.publishing_ms),
        RequestedLifetimeCount=ua.Counter(lifetime),
        RequestedMaxKeepAliveCount=ua.Counter(keep_alive),
        MaxNotificationsPerPublish=ua.Counter(MAX_ROWS),
        PublishingEnabled=True,
        Priority=ua.Byte(0),
    )
    # asyncua's own call would start its publish loop, which acknowledges before anything is stored.
    data = await client.uaclient.session._send_request(request)
    response = read_answer(ua.CreateSubscriptionResponse, data)
    response.ResponseHeader.ServiceResult.check()
    result: ua.CreateSubscriptionResult = response.Parameters
    return result


def _request(item: Found, sampling: float, queue: int) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=value_of(item),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=ua.IntegerId(client_handle(item.tag)),
            SamplingInterval=ua.Duration(sampling),
            QueueSize=ua.Counter(queue),
            DiscardOldest=True,
        ),
    )
