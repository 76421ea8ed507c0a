"""The loopback OPC UA server: no security, anonymous, for the demo and for tests only."""

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, timedelta
from types import TracebackType
from typing import Self

import numpy as np
from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from numpy.typing import NDArray

from connectors.simulated.ports import HOST, listen
from plant.errors import Misconfigured
from plant.tags import Tag, ValueType

_ADDRESS = re.compile(r"nsu=(?P<uri>[^;]+);/?(?P<path>[^=]+)")
_TYPES = {
    ValueType.BOOL: ua.VariantType.Boolean,
    ValueType.INT16: ua.VariantType.Int16,
    ValueType.UINT16: ua.VariantType.UInt16,
    ValueType.INT32: ua.VariantType.Int32,
    ValueType.UINT32: ua.VariantType.UInt32,
    ValueType.INT64: ua.VariantType.Int64,
    ValueType.UINT64: ua.VariantType.UInt64,
    ValueType.FLOAT32: ua.VariantType.Float,
    ValueType.FLOAT64: ua.VariantType.Double,
}
_EPOCH = ua.DateTime(1970, 1, 1, tzinfo=UTC)
_LIMITS = TransportLimits(
    max_recv_buffer=65535, max_send_buffer=65535, max_chunk_count=64, max_message_size=4 << 20
)
_CONNECTIONS, _SUBSCRIPTIONS = 16, 64
_BAD = ua.StatusCode(ua.UInt32(StatusCodes.Bad))
_GOOD = ua.StatusCode(ua.UInt32(StatusCodes.Good))
_WAITING = ua.StatusCode(ua.UInt32(StatusCodes.BadWaitingForInitialData))


def _split(tag: Tag) -> tuple[str, list[str]]:
    found = _ADDRESS.fullmatch(tag.address)
    if not found or tag.type is ValueType.TEXT:
        raise Misconfigured(
            f"tag {tag.name}: the loopback OPC UA server cannot offer {tag.address!r}; "
            f"write for example 'nsu=urn:plant;pump-2/vibration'"
        )
    return found["uri"], found["path"].split("/")


def _variant(kind: ua.VariantType, value: float) -> ua.Variant:
    if kind in (ua.VariantType.Double, ua.VariantType.Float):
        return ua.Variant(value, kind)
    return ua.Variant(value != 0 if kind is ua.VariantType.Boolean else int(value), kind)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let thousands of nodes be built that stay: to look among them for garbage takes as long."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class OpcuaServer:
    """Serves columns at their browse paths on 127.0.0.1.

    Parameters
    ----------
    tags
        The columns (p,); a tag without a type is offered as Double.
    port
        Wanted port; the next free one is taken. 0 is any. After entering, the one in use.
    """

    def __init__(self, tags: Sequence[Tag], port: int) -> None:
        self.port = port
        self._tags = tags
        self._paths = [_split(tag) for tag in tags]
        self._kinds = [_TYPES[tag.type or ValueType.FLOAT64] for tag in tags]
        self._nodes: list[ua.NodeId] = []
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        """Build the address space and listen."""
        server = Server()
        with undisturbed():
            await server.init()
        await server.set_application_uri("urn:wheeltapper:loopback")
        server.set_server_name("Wheeltapper loopback")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        server.limits = _LIMITS
        server.iserver.max_connections = _CONNECTIONS
        server.iserver.max_subscriptions = _SUBSCRIPTIONS
        await self._build(server)

        async def start(port: int) -> None:
            server.set_endpoint(f"opc.tcp://{HOST}:{port}/")
            await server.start()

        self.port = await listen(self.port, start)
        self._server = server
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and drop the clients."""
        if self._server is not None:
            await self._server.stop()

    async def _build(self, server: Server) -> None:
        folders: dict[tuple[int, str], Node] = {}
        for tag, (uri, path), kind in zip(self._tags, self._paths, self._kinds, strict=True):
            space = await server.register_namespace(uri)
            parent = server.nodes.objects
            for depth in range(1, len(path)):
                key = (space, "/".join(path[:depth]))
                if key not in folders:
                    name = ua.QualifiedName(path[depth - 1], ua.UInt16(space))
                    node = ua.NodeId(ua.String(key[1]), ua.Int16(space))
                    folders[key] = await parent.add_object(node, name)
                parent = folders[key]
            node = ua.NodeId(ua.String("/".join(path)), ua.Int16(space))
            name = ua.QualifiedName(path[-1], ua.UInt16(space))
            variable = await parent.add_variable(node, name, _variant(kind, 0.0))
            text = ua.LocalizedText(tag.description)
            await variable.write_attribute(AttributeIds.Description, ua.DataValue(ua.Variant(text)))
            await server.write_attribute_value(node, ua.DataValue(StatusCode=_WAITING))
            self._nodes.append(node)

    async def put(self, raw: NDArray[np.float64], at: int) -> None:
        """Publish a row of raw values (p,) with its source time, ns; NaN is Bad."""
        if self._server is None:
            raise RuntimeError("the server is not open: enter it first")
        # A datetime ends at microseconds: finer source times are cut.
        then = _EPOCH + timedelta(microseconds=at // 1000)
        for node, kind, value in zip(self._nodes, self._kinds, raw.tolist(), strict=True):
            good = value == value
            sample = ua.DataValue(
                _variant(kind, value) if good else None,
                _GOOD if good else _BAD,
                SourceTimestamp=then,
                ServerTimestamp=then,
            )
            await self._server.write_attribute_value(node, sample)
