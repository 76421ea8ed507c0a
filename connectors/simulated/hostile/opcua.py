"""An OPC UA server that keeps to the letter and makes life hard: small, slow, moved, wrong in time.

It writes down what it did: every value with its source time, every session with how many lived.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from types import TracebackType
from typing import Any, Self

from asyncua import ua
from asyncua.common.node import Node
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession, SessionState
from asyncua.server.server import Server
from asyncua.ua.status_codes import StatusCodes

from connectors.simulated.ports import HOST, listen

SPACE = "urn:plant:line"
_EPOCH = ua.DateTime(1970, 1, 1, tzinfo=UTC)
_ANYBODY = User(role=UserRole.Anonymous)


@dataclass(frozen=True, slots=True)
class Manners:
    """How it treats its clients.

    Parameters
    ----------
    sessions, subscriptions, items
        How many it allows at a time.
    operations
        How many nodes one call may name.
    delay_s
        How long it thinks about each call, s.
    skew_s
        How far its clock is ahead, s.
    before
        Namespaces that come before the plant's: they move its index.
    """

    sessions: int = 10
    subscriptions: int = 10
    items: int = 100_000
    operations: int = 10_000
    delay_s: float = 0.0
    skew_s: float = 0.0
    before: tuple[str, ...] = ()


@dataclass(slots=True)
class Log:
    """What it did.

    Parameters
    ----------
    sent
        By name: source time in ns, and value, in their order.
    sessions
        Moment in ns, ``created``, ``refused`` or ``closed``, and how many live now.
    calls
        Service and number of nodes of each call.
    """

    sent: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    sessions: list[tuple[int, str, int]] = field(default_factory=list)
    calls: list[tuple[str, int]] = field(default_factory=list)

    @property
    def live_at_most(self) -> int:
        """The most sessions that ever lived at once."""
        return max((live for _, _, live in self.sessions), default=0)


class _Session(InternalSession):
    """A session with a server that counts."""

    iserver: "_Space"

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        await self._think("read", params.NodesToRead)
        return await super().read(params)

    async def browse(self, params: ua.BrowseParameters) -> list[ua.BrowseResult]:
        await self._think("browse", params.NodesToBrowse)
        return await super().browse(params)

    async def translate_browsepaths_to_nodeids(
        self, params: list[ua.BrowsePath]
    ) -> list[ua.BrowsePathResult]:
        await self._think("translate", params)
        return await super().translate_browsepaths_to_nodeids(params)

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        await self._think("monitor", params.ItemsToCreate)
        room = max(0, self.iserver.manners.items - self.iserver.monitored)
        wanted, self.iserver.monitored = params.ItemsToCreate, self.iserver.monitored + room
        self.iserver.monitored -= max(0, room - len(wanted))
        granted = []
        if wanted[:room]:
            granted = await super().create_monitored_items(
                replace(params, ItemsToCreate=wanted[:room])
            )
        refused = ua.StatusCode(ua.UInt32(StatusCodes.BadTooManyMonitoredItems))
        rest = [ua.MonitoredItemCreateResult(StatusCode=refused) for _ in wanted[room:]]
        return [*granted, *rest]

    async def close_session(self, delete_subs: bool = True) -> None:
        lived = self.state is not SessionState.Closed
        await super().close_session(delete_subs)
        if self.external and lived:
            self.iserver.note("closed")

    async def _think(self, service: str, nodes: Sequence[Any]) -> None:
        if not self.external:
            return
        self.iserver.log.calls.append((service, len(nodes)))
        await asyncio.sleep(self.iserver.manners.delay_s)
        if len(nodes) > self.iserver.manners.operations:
            raise ServiceError(StatusCodes.BadTooManyOperations)


class _Space(InternalServer):
    """asyncua's server with manners."""

    def __init__(self, manners: Manners, log: Log) -> None:
        super().__init__()
        self.manners = manners
        self.log = log
        self.monitored = 0
        self.max_subscriptions = manners.subscriptions

    def note(self, what: str) -> None:
        """Write down what became of a session."""
        self.log.sessions.append((time.time_ns(), what, len(self._external_sessions)))

    def create_session(
        self, name: str, user: User = _ANYBODY, external: bool = False
    ) -> InternalSession:
        """Refuse the session that is one too many."""
        if external and len(self._external_sessions) >= self.manners.sessions:
            self.note("refused")
            raise ServiceError(StatusCodes.BadTooManySessions)
        session = _Session(
            self, self.aspace, self.subscription_service, name, user=user, external=external
        )
        if external:
            self.note("created")
        return session

    async def _set_current_time_loop(self) -> None:
        while not self._time_task_stop:
            now = ua.DateTime.now(UTC) + timedelta(seconds=self.manners.skew_s)
            status = replace(await self.server_status_node.read_value(), CurrentTime=now)
            await self.server_status_node.write_value(status)
            await self.current_time_node.write_value(now)
            await asyncio.sleep(0.2)


class HostileOpcua:
    """Serves Doubles below Objects/Line1 on 127.0.0.1; an async context manager.

    Parameters
    ----------
    names
        Its variables.
    manners
        How it treats its clients.
    port
        Wanted port; 0 is any. It stays the same over restarts.

    Attributes
    ----------
    log : Log
        What it did, over all restarts.
    """

    def __init__(
        self, names: Sequence[str], manners: Manners | None = None, *, port: int = 0
    ) -> None:
        self.manners = manners or Manners()
        self.log = Log()
        self.port = port
        self._names = tuple(names)
        self._server: Server | None = None
        self._nodes: dict[str, Node] = {}

    @property
    def url(self) -> str:
        """Its address."""
        return f"opc.tcp://{HOST}:{self.port}/"

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self, *, missing: Sequence[str] = (), **manners: Any) -> None:
        """Listen, with manners changed for good and without the variables `missing`."""
        self.manners = replace(self.manners, **manners)
        server = Server(_Space(self.manners, self.log))
        await server.init()
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for uri in self.manners.before:
            await server.register_namespace(uri)
        await server.register_namespace(SPACE)
        self._server = server
        self._nodes = {}
        for name in self._names:
            if name not in missing:
                await self.restore(name)

        async def start(port: int) -> None:
            self.port = port
            server.set_endpoint(self.url)
            await server.start()

        await listen(self.port, start)

    async def stop(self) -> None:
        """Go away, sessions and all."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    async def restart(self, *, missing: Sequence[str] = (), **manners: Any) -> None:
        """Stop and start; namespaces, variables and manners may be others."""
        await self.stop()
        await self.start(missing=missing, **manners)

    def drop(self) -> None:
        """Cut every connection, as a flapping link does."""
        for transport in list(self._running.iserver.asyncio_transports):
            transport.abort()

    async def remove(self, name: str) -> None:
        """Take a variable out of the address space."""
        await self._running.delete_nodes([self._nodes.pop(name)])

    async def restore(self, name: str) -> None:
        """Put a variable into the address space."""
        server = self._running
        space = await server.get_namespace_index(SPACE)
        node = ua.NodeId(ua.String("Line1"), ua.Int16(space))
        if not self._nodes:
            await server.nodes.objects.add_object(node, ua.QualifiedName("Line1", ua.UInt16(space)))
        variable = ua.NodeId(ua.String(f"Line1.{name}"), ua.Int16(space))
        title = ua.QualifiedName(name, ua.UInt16(space))
        self._nodes[name] = await server.get_node(node).add_variable(variable, title, 0.0)
        await self.put({name: 0.0})  # by its own clock

    async def put(self, values: Mapping[str, float], status: int = 0) -> int:
        """Set variables, now by its own clock; give that time, ns."""
        at = time.time_ns() // 1000 * 1000 + int(self.manners.skew_s * 1e9)
        then = _EPOCH + timedelta(microseconds=at // 1000)
        for name, value in values.items():
            if name not in self._nodes:
                continue
            sample = ua.DataValue(
                ua.Variant(value, ua.VariantType.Double),
                ua.StatusCode(ua.UInt32(status)),
                SourceTimestamp=then,
                ServerTimestamp=then,
            )
            await self._running.write_attribute_value(self._nodes[name].nodeid, sample)
            self.log.sent.setdefault(name, []).append((at, value))
        return at

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("the server is not open: enter it first")
        return self._server
