"""A session for writing: one request under way, and anything strange is its end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.contract import Cells
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave, renew_channel
from connectors.opcua.limits import limits_of
from connectors.opcua.nodes import Found, find_nodes, places_of
from connectors.opcua.refusals import FAILURES
from connectors.opcua.transport import abort
from connectors.opcua.values import refusal
from connectors.sockets import never_late
from plant.errors import Rejected, Unreachable
from plant.quality import Status, status_name
from plant.setpoints import Doubtful
from plant.tags import Tag, TagHandle

ALIVE_S = 20.0
"""A session without a word is asked so often whether it lives: servers drop it after a minute."""
_STATE = ua.NodeId(ua.Int32(2259), ua.Int16(0))
"""Server_ServerStatus_State."""
NOT_DONE = frozenset(
    {
        StatusCodes.BadNodeIdUnknown,
        StatusCodes.BadNodeIdInvalid,
        StatusCodes.BadAttributeIdInvalid,
        StatusCodes.BadNotWritable,
        StatusCodes.BadWriteNotSupported,
        StatusCodes.BadTypeMismatch,
        StatusCodes.BadOutOfRange,
        StatusCodes.BadUserAccessDenied,
        StatusCodes.BadLocked,
        StatusCodes.BadSecurityModeInsufficient,
        StatusCodes.BadServiceUnsupported,
        StatusCodes.BadSessionIdInvalid,
        StatusCodes.BadSessionClosed,
        StatusCodes.BadSessionNotActivated,
        StatusCodes.BadTooManyOperations,
        StatusCodes.BadNothingToDo,
    }
)
"""Results after which nothing was written (OPC 10000-4 §5.11.4, §7.39). Any other but Good leaves
it open, and so does a Good that completes later."""


class StrictSession:
    """Opens once. Its connection is reset at the first doubt and never opened again.

    Parameters
    ----------
    config
        The server.
    tags
        What may be read or written, by name; each is looked for when it is first read.
    patience_s
        Longest wait for one answer, s.
    """

    def __init__(self, config: OpcUaConfig, tags: Mapping[str, Tag], patience_s: float) -> None:
        self._patience_s = patience_s
        self._name = config.name
        self._config = config
        self._tags = tags
        self._client: Client | None = None
        self._found: dict[str, Found | int] = {}
        self.places: dict[str, Cells] = {}
        """See `places_of`; of what was looked for."""
        self._turn = asyncio.Lock()
        self._keeping: list[asyncio.Task[None]] = []

    @property
    def alive(self) -> bool:
        """Whether it stands, so far as is known here."""
        return self._client is not None

    async def open(self) -> None:
        """Connect and sign in; raise `Unreachable` or `Misconfigured`."""
        client = self._client = await connect_secure(self._config)
        protocol = client.uaclient.protocol
        if protocol is not None and protocol.transport is not None:
            never_late(protocol.transport)
        self._keeping = [
            asyncio.create_task(self._renew(client)),
            asyncio.create_task(self._live()),
        ]

    def cut(self) -> None:
        """Reset: what is still under way is neither sent nor received."""
        client, self._client = self._client, None
        keeping, self._keeping = self._keeping, []
        for task in keeping:
            if task is not asyncio.current_task():
                task.cancel()
        if client is not None:
            abort(client.uaclient)

    async def close(self) -> None:
        """Take leave; nothing may be under way."""
        keeping, self._keeping = self._keeping, []
        for task in keeping:
            task.cancel()
        if keeping:
            await asyncio.wait(keeping)
        client, self._client = self._client, None
        if client is not None:
            await leave(client)

    async def read(self, names: Sequence[str]) -> list[ua.DataValue]:
        """Read the nodes of these tags in one call.

        Raises
        ------
        Unreachable
            No answer, or one that does not fit. The connection was reset.
        """
        async with self._turn:
            client = self._standing()
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._look_for(client, names)
                    found = [self._found[name] for name in names]
                    asked = [_to_read(one) for one in found if isinstance(one, Found)]
                    parameters = ua.ReadParameters(NodesToRead=asked)
                    read = await client.uaclient.session.read(parameters) if asked else []
            except FAILURES as error:
                self.cut()
                raise Unreachable(f"{self._name}: no answer to a read ({error!r})") from error
            except BaseException:
                self.cut()
                raise
            if len(read) != len(asked):
                self.cut()
                raise Unreachable(f"{self._name}: {len(read)} answers to {len(asked)} questions")
        values = iter(read)
        return [next(values) if isinstance(one, Found) else refusal(one) for one in found]

    async def write(
        self, name: str, value: ua.DataValue, last_look: Callable[[], None] = lambda: None
    ) -> None:
        """Write the node of a tag that was read before, once; see `Actuator.write`."""
        found = self._found[name]
        if not isinstance(found, Found):
            raise Rejected(f"{name}: the server has no such node ({status_name(found)})")
        async with self._turn:
            client = self._standing()
            last_look()
            try:
                async with asyncio.timeout(self._patience_s):
                    results = await client.uaclient.session.write_attributes([found.node], [value])
            except UaStatusCodeError as error:
                self._judge(name, [int(error.code)])
                raise Doubtful(f"{name}: no result of the write") from error
            except FAILURES as error:
                self.cut()
                raise Doubtful(f"{name}: no answer to the write ({error!r}); reset") from error
            except BaseException:
                self.cut()
                raise
            self._judge(name, [int(result.value) for result in results])

    async def _look_for(self, client: Client, names: Sequence[str]) -> None:
        """Find the nodes of tags that were not asked for yet on this session."""
        new = [name for name in names if name not in self._found]
        if not new:
            return
        handles = [TagHandle(number, self._tags[name]) for number, name in enumerate(new)]
        limits = limits_of(self._config.items_per_call)
        found, refused = await find_nodes(client, handles, limits)
        self.places |= await places_of(client, found)
        self._found |= {one.tag.tag.name: one for one in found}
        self._found |= {one.tag.tag.name: one.status for one in refused}

    def _judge(self, name: str, codes: Sequence[int]) -> None:
        if codes == [Status.GOOD]:
            return
        said = ", ".join(str(ua.StatusCode(ua.UInt32(code)).name) for code in codes) or "nothing"
        if len(codes) == 1 and codes[0] in NOT_DONE:
            raise Rejected(f"{name}: the server refuses the write ({said}); nothing was written")
        self.cut()
        raise Doubtful(f"{name}: the server says {said} to the write; reset")

    def _standing(self) -> Client:
        """Give the client whose connection stands, so far as is known here."""
        client = self._client
        protocol = client.uaclient.protocol if client is not None else None
        transport = protocol.transport if protocol is not None else None
        if client is None or transport is None or transport.is_closing():
            self.cut()
            raise Unreachable(f"{self._name}: the connection has ended; nothing was sent")
        return client

    async def _renew(self, client: Client) -> None:
        try:
            await renew_channel(client)
        except FAILURES:
            self.cut()

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_S)
            async with self._turn:
                try:
                    client = self._standing()
                    await client.uaclient.session.read_attributes([_STATE], AttributeIds.Value)
                except (*FAILURES, Unreachable):
                    self.cut()
                    return


def _to_read(found: Found) -> ua.ReadValueId:
    element = ua.String(found.element) if found.element is not None else None
    return ua.ReadValueId(NodeId=found.node, AttributeId=AttributeIds.Value, IndexRange=element)
