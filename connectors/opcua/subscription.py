"""One subscription with one monitored item a tag (OPC 10000-4 §5.13, §5.14)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.ua_binary import struct_from_binary

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.nodes import Found, Refused, in_calls
from plant.tags import ValueType

KEEP_ALIVE_MS = 2_000.0
LIFETIME_MS = 60_000.0
MAX_ROWS = 10_000
"""Rows that one message may hold; more come in further messages."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the server granted.

    Parameters
    ----------
    id
        Number of the subscription.
    keep_alive_s
        Longest silence of a healthy server, s.
    items
        Tags by client handle: first those wanted as numbers, in DataType order, then the texts.
    texts_from
        First client handle that is wanted as text.
    refused
        Tags that the server does not deliver.
    """

    id: int
    keep_alive_s: float
    items: tuple[Found, ...]
    texts_from: int
    refused: tuple[Refused, ...]


async def subscribe(
    client: Client, config: OpcUaConfig, found: Sequence[Found], refused: Sequence[Refused]
) -> Subscription:
    """Create the subscription and its items; initial values come through it."""
    items = tuple(sorted(found, key=_order))
    granted = await _create(client, config)
    sampling = config.publishing_ms if config.sampling_ms is None else config.sampling_ms
    requests = [_request(i, item, sampling, config.queue) for i, item in enumerate(items)]

    async def create(
        part: list[ua.MonitoredItemCreateRequest],
    ) -> Sequence[ua.MonitoredItemCreateResult]:
        return await client.uaclient.create_monitored_items(
            ua.CreateMonitoredItemsParameters(
                SubscriptionId=granted.SubscriptionId,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=part,
            )
        )

    results = await in_calls(create, requests, config.items_per_call)
    late = [
        Refused(item.tag, int(result.StatusCode.value))
        for item, result in zip(items, results, strict=True)
        if not result.StatusCode.is_good()
    ]
    return Subscription(
        id=int(granted.SubscriptionId),
        keep_alive_s=granted.RevisedMaxKeepAliveCount * granted.RevisedPublishingInterval / 1000,
        items=items,
        texts_from=sum(item.tag.tag.type is not ValueType.TEXT for item in items),
        refused=(*refused, *late),
    )


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
    response = struct_from_binary(ua.CreateSubscriptionResponse, data)
    response.ResponseHeader.ServiceResult.check()
    result: ua.CreateSubscriptionResult = response.Parameters
    return result


def _request(
    handle: int, item: Found, sampling: float, queue: int
) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=item.node, AttributeId=AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=ua.IntegerId(handle),
            SamplingInterval=ua.Duration(sampling),
            QueueSize=ua.Counter(queue),
            DiscardOldest=True,
        ),
    )
