"""How far the server is away, in time: its clock, its start and the way there and back."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

EVERY_S = 10.0
_CLOCK = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_CurrentTime), ua.Int16(0))
_START = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_StartTime), ua.Int16(0))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Pulse:
    """What the latest look at the server's clock told.

    Parameters
    ----------
    round_trip_ms
        Time from the request to its answer, ms; None while the server does not answer.
    clock_offset_s
        The server's clock minus ours, s; None where it tells none.
    started
        When the server was started, µs since 1970 on its clock; 0 where it tells none. Another
        start means that sessions and subscriptions of before are gone.
    """

    round_trip_ms: float | None = None
    clock_offset_s: float | None = None
    started: int = 0

    async def feel(self, client: Client) -> None:
        """Look once.

        Raises
        ------
        UaError, OSError, TimeoutError
            The server does not answer.
        """
        wall, before = time.time(), time.perf_counter()
        clock, start = await client.uaclient.read_attributes([_CLOCK, _START], AttributeIds.Value)
        trip = time.perf_counter() - before
        self.round_trip_ms = trip * 1000
        now, self.started = _microseconds(clock), _microseconds(start) or 0
        self.clock_offset_s = None if now is None else now / 1e6 - (wall + trip / 2)

    async def beat(self, client: Client) -> None:
        """Look now and then until cancelled; whether the link stands is told by the publishing."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.feel(client)
            except (UaError, OSError, TimeoutError) as error:
                self.round_trip_ms = None
                client.uaclient.logger.info("the server's clock cannot be read: %r", error)


def _microseconds(value: ua.DataValue) -> int | None:
    moment = value.Value.Value if value.Value is not None else None
    if not isinstance(moment, datetime):
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(microseconds=1)
