"""An OPC UA firehose without security: a small server whose notifications are packed by numpy.

Nodes ``ns=1;s=T00000`` onwards below Objects, namespace ``urn:wheeltapper:load``. Values, faults
and bad statuses follow `bench.loads.formula`. Prints one JSON line when it listens and, at SIGTERM,
one with what it sent.

    python -m bench.loads.opcua_load --port 0 --tags 5000 --period-ms 100
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

from bench.loads.formula import ENCODINGS, OpcUaSignals
from bench.loads.opcua_subscription import Sent, Subscription
from bench.loads.opcua_wire import LIFETIME_MS, POLICY, Wire, stamp

NAMESPACE = "urn:wheeltapper:load"
SUPPORTED_MS = 5.0
MOST = 2_000
"""Rows a message holds unless the client asks for fewer; real servers have such a limit, too."""
PUBLISH_RESPONSE = 829
IDS = ObjectIds
SERVER_VALUES: dict[int, tuple[Any, ua.VariantType]] = {
    IDS.Server_NamespaceArray: (["http://opcfoundation.org/UA/", NAMESPACE], ua.VariantType.String),
    IDS.Server_ServerArray: ([NAMESPACE], ua.VariantType.String),
    IDS.Server_ServerStatus_State: (0, ua.VariantType.Int32),
    IDS.Server_ServiceLevel: (255, ua.VariantType.Byte),
}


def refused(code: int) -> ua.StatusCode:
    """Make the StatusCode of a refusal."""
    return ua.StatusCode(ua.UInt32(code))


def node_id(identifier: Any, namespace: int = 0) -> ua.NodeId:
    """Make a node id."""
    return ua.NodeId(identifier, ua.Int16(namespace))


def tag_of(node: ua.NodeId, tags: int) -> int | None:
    """Give the number of the tag that a node id means, or ``None``."""
    name = node.Identifier
    if node.NamespaceIndex != 1 or not isinstance(name, str) or name[:1] != "T":
        return None
    return int(name[1:]) if name[1:].isdigit() and int(name[1:]) < tags else None


def endpoint(url: str) -> ua.EndpointDescription:
    """Describe the only endpoint: no security, anonymous."""
    token = ua.UserTokenPolicy()
    token.PolicyId, token.TokenType = "anonymous", ua.UserTokenType.Anonymous
    given = ua.EndpointDescription()
    given.EndpointUrl = url
    given.Server.ApplicationUri = NAMESPACE
    given.Server.ApplicationName = ua.LocalizedText("load")
    given.SecurityMode = ua.MessageSecurityMode.None_
    given.SecurityPolicyUri = POLICY.decode()
    given.TransportProfileUri = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
    given.UserIdentityTokens = [token]
    return given


class Session(Wire):
    """The services that a data client needs, each a method; any other is refused by its name."""

    def __init__(self, signals: OpcUaSignals, sent: Sent) -> None:
        super().__init__()
        self._signals = signals
        self._sent = sent
        self._subscriptions: dict[int, Subscription] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[int, int, list[int]]] = deque()
        self._items = 0
        self._created = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for task in self._tasks:
            task.cancel()

    def serve(self, request: int, body: bytes) -> None:
        number: Any = nodeid_from_binary(Buffer(body)).Identifier
        if number == IDS.PublishRequest_Encoding_DefaultBinary:
            self._publish(request, struct_from_binary(ua.PublishRequest, Buffer(body)))
            return
        service = SERVICES.get(number)
        if service is None:
            answer: Any = ua.ServiceFault()
            answer.ResponseHeader.ServiceResult = refused(StatusCodes.BadServiceUnsupported)
        else:
            kind, answer_kind, method = service
            asked = struct_from_binary(kind, Buffer(body))
            answer = answer_kind()
            answer.ResponseHeader.RequestHandle = asked.RequestHeader.RequestHandle
            method(self, asked, answer)
        self.answer(request, struct_to_binary(answer))

    def endpoint(self, url: str) -> ua.EndpointDescription:
        """Describe the only endpoint."""
        return endpoint(url)

    def prove(self, asked: Any, given: Any) -> None:
        """Prove who we are; without security there is nothing to prove."""

    def get_endpoints(self, asked: Any, answer: Any) -> None:
        answer.Endpoints = [self.endpoint(asked.Parameters.EndpointUrl)]

    def create_session(self, asked: Any, answer: Any) -> None:
        given = answer.Parameters
        given.SessionId = given.AuthenticationToken = node_id(1, 1)
        given.RevisedSessionTimeout = float(LIFETIME_MS)
        given.ServerNonce = os.urandom(32)
        given.ServerEndpoints = [self.endpoint(asked.Parameters.EndpointUrl)]
        self.prove(asked.Parameters, given)
        self._created = True

    def activate_session(self, asked: Any, answer: Any) -> None:  # noqa: ARG002
        if not self._created:
            # Sessions and subscriptions end with their connection here.
            answer.ResponseHeader.ServiceResult = refused(StatusCodes.BadSessionIdInvalid)
        answer.Parameters.ServerNonce = os.urandom(32)

    def close_session(self, asked: Any, answer: Any) -> None:  # noqa: ARG002
        self._forget(list(self._subscriptions))

    def read(self, asked: Any, answer: Any) -> None:
        answer.Results = [
            self._attribute(node.NodeId, node.AttributeId) for node in asked.Parameters.NodesToRead
        ]

    def _attribute(self, node: ua.NodeId, attribute: int) -> ua.DataValue:
        tag = tag_of(node, self._signals.tags)
        if tag is None:
            return self._server_attribute(node, attribute)
        encoding = ENCODINGS[self._signals.encoding(np.array([tag]))[0]]
        if attribute == AttributeIds.DataType:
            return ua.DataValue(ua.Variant(node_id(encoding.builtin), ua.VariantType.NodeId))
        if attribute == AttributeIds.Value:
            tick = time.time_ns() // self._signals.period_ns
            number = self._signals.values(np.array([tag]), np.array([tick]))[0].item()
            kind = ua.VariantType(encoding.builtin)
            return ua.DataValue(ua.Variant(int(number) if encoding.builtin < 10 else number, kind))
        return ua.DataValue(StatusCode=refused(StatusCodes.BadAttributeIdInvalid))

    def _server_attribute(self, node: ua.NodeId, attribute: int) -> ua.DataValue:
        number: Any = node.Identifier
        known = node.NamespaceIndex == 0 and number in SERVER_VALUES
        if not known or attribute != AttributeIds.Value:
            return ua.DataValue(StatusCode=refused(StatusCodes.BadNodeIdUnknown))
        value, kind = SERVER_VALUES[number]
        return ua.DataValue(ua.Variant(value, kind))

    def translate(self, asked: Any, answer: Any) -> None:
        answer.Results = [self._resolve(path) for path in asked.Parameters.BrowsePaths]

    def _resolve(self, path: ua.BrowsePath) -> ua.BrowsePathResult:
        name = path.RelativePath.Elements[-1].TargetName
        node = ua.NodeId(name.Name, name.NamespaceIndex)
        result = ua.BrowsePathResult()
        if tag_of(node, self._signals.tags) is None:
            result.StatusCode = refused(StatusCodes.BadNoMatch)
            return result
        target = ua.BrowsePathTarget()
        target.TargetId, target.RemainingPathIndex = (
            ua.ExpandedNodeId(name.Name, ua.Int16(1)),
            0xFFFFFFFF,
        )
        result.Targets = [target]
        return result

    def create_subscription(self, asked: Any, answer: Any) -> None:
        wanted, given = asked.Parameters, answer.Parameters
        subscription = Subscription(
            id=len(self._subscriptions) + 1,
            interval_ms=max(wanted.RequestedPublishingInterval, SUPPORTED_MS),
            keep_alive=wanted.RequestedMaxKeepAliveCount,
            most=min(wanted.MaxNotificationsPerPublish or MOST, MOST),
            signals=self._signals,
            sent=self._sent,
        )
        self._subscriptions[subscription.id] = subscription
        task = asyncio.get_running_loop().create_task(self._run(subscription))
        self._tasks.add(task)
        given.SubscriptionId = subscription.id
        given.RevisedPublishingInterval = subscription.interval_ms
        given.RevisedLifetimeCount = wanted.RequestedLifetimeCount
        given.RevisedMaxKeepAliveCount = wanted.RequestedMaxKeepAliveCount

    def create_items(self, asked: Any, answer: Any) -> None:
        subscription = self._subscriptions[asked.Parameters.SubscriptionId]
        answer.Results = [
            self._create_item(subscription, item) for item in asked.Parameters.ItemsToCreate
        ]
        subscription.arrange()

    def _create_item(
        self, subscription: Subscription, item: ua.MonitoredItemCreateRequest
    ) -> ua.MonitoredItemCreateResult:
        result = ua.MonitoredItemCreateResult()
        tag = tag_of(item.ItemToMonitor.NodeId, self._signals.tags)
        if tag is None:
            result.StatusCode = refused(StatusCodes.BadNodeIdUnknown)
            return result
        self._items += 1
        subscription.items[self._items] = (item.RequestedParameters.ClientHandle, tag)
        result.MonitoredItemId = self._items
        result.RevisedSamplingInterval = self._signals.period_ns / 1e6
        subscription.depth = result.RevisedQueueSize = max(1, item.RequestedParameters.QueueSize)
        return result

    def delete_subscriptions(self, asked: Any, answer: Any) -> None:
        numbers = asked.Parameters.SubscriptionIds
        answer.Results = [ua.StatusCode() for _ in numbers]
        self._forget(numbers)

    def _forget(self, numbers: list[int]) -> None:
        for number in numbers:
            self._subscriptions.pop(number, None)

    async def _run(self, subscription: Subscription) -> None:
        interval = subscription.interval_ms / 1000
        while self.open and subscription.id in self._subscriptions:
            now = time.time()
            await asyncio.sleep(interval - now % interval)
            subscription.sample()
            subscription.silent += 1
            self._flush()

    def _publish(self, request: int, asked: ua.PublishRequest) -> None:
        results = [
            StatusCodes.Good
            if self._acknowledge(given.SubscriptionId, given.SequenceNumber)
            else StatusCodes.BadSequenceNumberUnknown
            for given in asked.Parameters.SubscriptionAcknowledgements
        ]
        self._waiting.append((request, asked.RequestHeader.RequestHandle, results))
        self._flush()

    def _acknowledge(self, subscription: int, sequence: int) -> bool:
        known = self._subscriptions.get(subscription)
        return known is not None and known.acknowledge(sequence)

    def _flush(self) -> None:
        for subscription in self._subscriptions.values():
            while self._waiting:
                body = subscription.next_notification()
                if body is None:
                    break
                request, handle, results = self._waiting.popleft()
                head = struct.pack("<BBH", 1, 0, PUBLISH_RESPONSE)
                head += struct.pack("<qIIBi3x", stamp(time.time_ns()), handle, 0, 0, -1)
                tail = struct.pack(f"<i{len(results)}Ii", len(results), *results, -1)
                self.answer(request, head + body + tail)


Service = tuple[type[Any], type[Any], Callable[[Session, Any, Any], None]]
SERVICES: dict[int, Service] = {
    IDS.GetEndpointsRequest_Encoding_DefaultBinary: (
        ua.GetEndpointsRequest,
        ua.GetEndpointsResponse,
        Session.get_endpoints,
    ),
    IDS.CreateSessionRequest_Encoding_DefaultBinary: (
        ua.CreateSessionRequest,
        ua.CreateSessionResponse,
        Session.create_session,
    ),
    IDS.ActivateSessionRequest_Encoding_DefaultBinary: (
        ua.ActivateSessionRequest,
        ua.ActivateSessionResponse,
        Session.activate_session,
    ),
    IDS.CloseSessionRequest_Encoding_DefaultBinary: (
        ua.CloseSessionRequest,
        ua.CloseSessionResponse,
        Session.close_session,
    ),
    IDS.ReadRequest_Encoding_DefaultBinary: (ua.ReadRequest, ua.ReadResponse, Session.read),
    IDS.TranslateBrowsePathsToNodeIdsRequest_Encoding_DefaultBinary: (
        ua.TranslateBrowsePathsToNodeIdsRequest,
        ua.TranslateBrowsePathsToNodeIdsResponse,
        Session.translate,
    ),
    IDS.CreateSubscriptionRequest_Encoding_DefaultBinary: (
        ua.CreateSubscriptionRequest,
        ua.CreateSubscriptionResponse,
        Session.create_subscription,
    ),
    IDS.CreateMonitoredItemsRequest_Encoding_DefaultBinary: (
        ua.CreateMonitoredItemsRequest,
        ua.CreateMonitoredItemsResponse,
        Session.create_items,
    ),
    IDS.DeleteSubscriptionsRequest_Encoding_DefaultBinary: (
        ua.DeleteSubscriptionsRequest,
        ua.DeleteSubscriptionsResponse,
        Session.delete_subscriptions,
    ),
}


async def serve(port: int, sent: Sent, session: Callable[[], Session]) -> None:
    """Serve on loopback until SIGTERM, then say what was sent."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(session, "127.0.0.1", port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await stop.wait()
    server.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps(asdict(sent) | {"cpu_s": round(used.ru_utime + used.ru_stime, 3)}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="OPC UA load source")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tags", type=int, default=5000)
    parser.add_argument("--period-ms", type=int, default=100)
    parser.add_argument("--doubles", action="store_true", help="one data type only")
    parser.add_argument("--certificate", help="speak Basic256Sha256 and write the certificate here")
    given = parser.parse_args()
    signals = OpcUaSignals(given.tags, given.period_ms * 1_000_000, not given.doubles)
    sent = Sent()
    if given.certificate is None:
        asyncio.run(serve(given.port, sent, lambda: Session(signals, sent)))
        return
    from bench.loads.opcua_secured import SecuredSession, make_credentials

    credentials = make_credentials(Path(given.certificate))
    asyncio.run(serve(given.port, sent, lambda: SecuredSession(signals, sent, credentials)))


if __name__ == "__main__":
    main()
