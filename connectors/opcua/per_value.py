"""asyncua's own way, one callback a value: kept only to compare `publish` and `decode` with.

It acknowledges before anything is stored and cuts times to microseconds.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.common.subscription import DataChangeNotif
from asyncua.ua.uaerrors import UaError

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.decode import Published, Text
from connectors.opcua.nodes import Found, Refused
from connectors.opcua.subscription import Subscription, sampling_ms
from plant.errors import Unreachable
from plant.quality import Status
from plant.samples import NO_TIME
from plant.tags import ValueType

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_Row = tuple[int, int, float, int]


class PerValue:
    """Collects what asyncua's callbacks deliver.

    Parameters
    ----------
    source
        Name of the source, for messages.
    client
        Connected, with an active session.
    quiet_s
        Silence after which the server is asked whether it is there, s.
    """

    def __init__(self, source: str, client: Client, quiet_s: float) -> None:
        self._source = source
        self._client = client
        self._quiet_s = quiet_s
        self._arrived = asyncio.Event()
        self._notices: list[DataChangeNotif] = []
        self._handles: dict[int, int] = {}
        self._ended: int | None = None

    def datachange_notification(self, _node: Node, _value: object, data: DataChangeNotif) -> None:
        """Keep one value; called by asyncua."""
        self._notices.append(data)
        self._arrived.set()

    def status_change_notification(self, status: ua.StatusChangeNotification) -> None:
        """Keep the end of the subscription; called by asyncua."""
        self._ended = int(status.Status.value)
        self._arrived.set()

    async def subscribe(
        self, config: OpcUaConfig, found: Sequence[Found], refused: Sequence[Refused]
    ) -> Subscription:
        """Subscribe through asyncua."""
        items = tuple(sorted(found, key=lambda item: item.tag.tag.type is ValueType.TEXT))
        subscription = await self._client.create_subscription(config.publishing_ms, self)
        granted = Subscription(
            id=int(subscription.subscription_id or 0),
            publishing_ms=config.publishing_ms,
            keep_alive_s=self._quiet_s,
            tags=(*(item.tag for item in items), *(one.tag for one in refused)),
        )
        late: list[Refused] = []
        for first in range(0, len(items), config.items_per_call):
            part = items[first : first + config.items_per_call]
            results = await subscription.subscribe_data_change(
                [self._client.get_node(item.node) for item in part],
                queuesize=config.queue,
                sampling_interval=ua.Duration(sampling_ms(config)),
            )
            for i, result in enumerate(results):
                if isinstance(result, int):
                    self._handles[result] = part[i].tag.handle
                    granted.items[part[i].tag.handle] = result
                else:
                    late.append(Refused(part[i].tag, int(result.value)))
        granted.refuse((*refused, *late))
        return granted

    async def next(self) -> Published:
        """Wait for values, or find out after a silence that the server is alive."""
        try:
            async with asyncio.timeout(self._quiet_s):
                await self._arrived.wait()
        except TimeoutError:
            await self._probe()
        self._arrived.clear()
        notices, self._notices = self._notices, []
        rows: list[_Row] = []
        texts: list[Text] = []
        for notice in notices:
            self._take(notice, rows, texts)
        handle, at, value, status = zip(*rows, strict=True) if rows else ((), (), (), ())
        if self._ended is not None:
            raise Unreachable(f"{self._source}: the subscription has ended")
        return Published(
            service=0,
            subscription=0,
            sequence=0,
            keep_alive=not notices,
            more=False,
            published=time.time_ns(),
            handle=np.array(handle, np.uint32),
            at=np.array(at, np.int64),
            value=np.array(value, np.float64),
            status=np.array(status, np.uint32),
            # It is a comparison: the time of the server has no use there.
            served=np.full(len(handle), NO_TIME, np.int64),
            texts=tuple(texts),
            ended=None,
            refused=0,
        )

    def acknowledge(self, sequence: int) -> None:
        """Do nothing: asyncua has acknowledged already."""

    def close(self) -> None:
        """Do nothing: the session's end ends the subscription."""

    async def _probe(self) -> None:
        try:
            await self._client.nodes.server_state.read_value()
        except (OSError, TimeoutError, UaError) as error:
            raise Unreachable(f"{self._source}: the server has gone quiet: {error!r}") from error

    def _take(self, notice: DataChangeNotif, rows: list[_Row], texts: list[Text]) -> None:
        data = notice.monitored_item.Value
        handle = self._handles[int(notice.subscription_data.server_handle or 0)]
        moment = data.SourceTimestamp or data.ServerTimestamp
        at = (moment - _EPOCH) // _MICROSECOND * 1000 if moment else time.time_ns()
        status = int(data.StatusCode.value) if data.StatusCode else 0
        value = data.Value.Value if data.Value else None
        if isinstance(value, str):
            texts.append(Text(handle, at, value, status))
        elif isinstance(value, bool | int | float):
            rows.append((handle, at, float(value), status))
        else:
            rows.append((handle, at, np.nan, max(status, int(Status.BAD_TYPE_MISMATCH))))
