"""An OPC UA server before a `SetpointPlc`: a folder for each loop; it can hang, and it can lie."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.server import Server
from asyncua.ua.status_codes import StatusCodes

from connectors.setpoint_words import pair, signed
from connectors.simulated.ports import HOST, listen
from connectors.simulated.setpoint_plc import BLOCK_AT, PLAIN_AT, SetpointPlc

SPACE = "urn:plant:setpoints"
_SETPOINT, _REQUEST, _ANSWER = "Setpoint", "Block.Request", "Block.Answer"
_ANYBODY = User(role=UserRole.Anonymous)
Lie = Callable[[list[ua.StatusCode]], list[ua.StatusCode]]
"""Makes other results of a write of the right ones."""


class _Session(InternalSession):
    """A session of the controller."""

    iserver: "_Space"

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        if self.external:
            await self.iserver.front.refresh()
        return await super().read(params)

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        if not self.external:
            return await super().write(params)
        peer = "{}:{}".format(*(self.name or "?", self.session_id.Identifier))
        results = [self.iserver.front.write(one, peer) for one in params.NodesToWrite]
        lie = self.iserver.front.lie
        return results if lie is None else lie(results)


class _Space(InternalServer):
    """asyncua's server with the controller behind it."""

    def __init__(self, front: "SetpointOpcua") -> None:
        super().__init__()
        self.front = front

    def create_session(
        self, name: str, user: User = _ANYBODY, external: bool = False
    ) -> InternalSession:
        return _Session(
            self, self.aspace, self.subscription_service, name, user=user, external=external
        )


class SetpointOpcua:
    """Serves each loop as ``LoopN/Setpoint`` (Int32) and ``LoopN/Block/Request`` and ``/Answer``.

    The identifiers are ``LoopN.Setpoint``, ``LoopN.Block.Request`` and ``LoopN.Block.Answer``.

    Parameters
    ----------
    plc
        The controller.
    port
        Wanted port; 0 is any. After entering, the one in use.
    host
        Address that it listens at.

    Attributes
    ----------
    plc : SetpointPlc
        The controller; another with the same loops may take its place.
    lie : Lie or None
        What is made of the results of a write; may be changed at any time.
    """

    def __init__(self, plc: SetpointPlc, port: int = 0, host: str = HOST) -> None:
        self.port = port
        self.lie: Lie | None = None
        self._host = host
        self.plc = plc
        self._nodes: dict[ua.NodeId, tuple[int, str]] = {}
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"opc.tcp://{self._host}:{self.port}/"

    async def __aenter__(self) -> Self:
        """Build the address space and listen."""
        server = Server(_Space(self))
        await server.init()
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        space = ua.Int16(await server.register_namespace(SPACE))
        for number in self.plc.loops:
            await self._build(server, space, number)

        async def start(port: int) -> None:
            self.port = port
            server.set_endpoint(self.url)
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
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    def drop(self) -> None:
        """End every connection."""
        for transport in self._transports():
            transport.abort()

    def hang(self) -> None:
        """Read nothing any more: what comes waits in the system's buffers."""
        for transport in self._transports():
            transport.pause_reading()

    def recover(self) -> None:
        """Read on, first what has waited."""
        for transport in self._transports():
            transport.resume_reading()

    async def refresh(self) -> None:
        """Show what the controller holds now."""
        server = self._server
        if server is None:
            return
        for node, (number, name) in self._nodes.items():
            await server.write_attribute_value(node, ua.DataValue(self._shown(number, name)))

    def write(self, asked: ua.WriteValue, peer: str) -> ua.StatusCode:
        """Take one value of a write."""
        place = self._nodes.get(asked.NodeId)
        if place is None:
            return _status("BadNodeIdUnknown")
        number, name = place
        if name == _ANSWER:
            return _status("BadNotWritable")
        content = asked.Value.Value.Value if asked.Value.Value is not None else None
        if name == _SETPOINT and isinstance(content, int):
            taken = self.plc.write(number, PLAIN_AT, pair(content), peer)
        elif name == _REQUEST and isinstance(content, list):
            taken = self.plc.write(number, BLOCK_AT, [int(word) for word in content], peer)
        else:
            taken = False
        return _status("Good" if taken else "BadTypeMismatch")

    def _shown(self, number: int, name: str) -> ua.Variant:
        loop = self.plc.loops[number]
        if name == _SETPOINT:
            return ua.Variant(signed(*loop.plain), ua.VariantType.Int32)
        words = loop.request if name == _REQUEST else loop.memory.answer.words()
        return ua.Variant([ua.UInt16(word) for word in words], ua.VariantType.UInt16)

    async def _build(self, server: Server, space: ua.Int16, number: int) -> None:
        def node(name: str) -> tuple[ua.NodeId, ua.QualifiedName]:
            own = ua.NodeId(ua.String(f"Loop{number}{name}"), space)
            title = name.rpartition(".")[2] or f"Loop{number}"
            return own, ua.QualifiedName(title, ua.UInt16(space))

        loop = await server.nodes.objects.add_object(*node(""))
        block = await loop.add_object(*node(".Block"))
        for parent, name in ((loop, _SETPOINT), (block, _REQUEST), (block, _ANSWER)):
            variable = await parent.add_variable(*node(f".{name}"), self._shown(number, name))
            if name != _ANSWER:
                await variable.set_writable()
            self._nodes[variable.nodeid] = (number, name)

    def _transports(self) -> list[asyncio.Transport]:
        if self._server is None:
            return []
        return cast("list[asyncio.Transport]", list(self._server.iserver.asyncio_transports))


def _status(name: str) -> ua.StatusCode:
    return ua.StatusCode(ua.UInt32(getattr(StatusCodes, name)))
