"""Reading in calls what the server has no monitored item for (OPC 10000-4 §5.11.2)."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaStatusCodeError
from numpy.typing import NDArray

from connectors.opcua.answers import decode_read
from connectors.opcua.decode import Published, Text, decoded
from connectors.opcua.limits import TOO_MANY, Allowance
from connectors.opcua.nodes import Found
from connectors.opcua.refusals import FAILURES
from connectors.opcua.subscription import TEXT, client_handle, value_of
from plant.errors import Rejected, Unreachable
from plant.quality import Status
from plant.samples import NO_TIME

_REST = 0.25
"""Share of the time that a poll takes which is waited at least before the next."""


@dataclass(slots=True)
class Seen:
    """What was last delivered of each tag, so that only what is new goes on."""

    _number: NDArray[np.void] = field(
        default_factory=lambda: np.zeros(
            0, [("at", "i8"), ("value", "f8"), ("status", "u4"), ("known", "?")]
        ),
        init=False,
    )
    _text: dict[int, Text] = field(default_factory=dict, init=False)

    def news(self, said: Published) -> Published:
        """Drop samples of which time, value and status were delivered before."""
        places = (said.handle & np.uint32(TEXT - 1)).astype(np.int64)
        self._grow(int(places.max(initial=-1)) + 1)
        last = self._number[places]
        same = (last["at"] == said.at) & (last["status"] == said.status) & last["known"]
        same &= (last["value"] == said.value) | (np.isnan(last["value"]) & np.isnan(said.value))
        new = ~same
        for name in ("at", "value", "status"):
            self._number[name][places] = getattr(said, name)
        self._number["known"][places] = True
        texts = [text for text in said.texts if self._text.get(text.handle) != text]
        self._text |= {text.handle: text for text in texts}
        return said.only(new, texts)

    def _grow(self, room: int) -> None:
        if room > len(self._number):
            grown = np.zeros(room, self._number.dtype)
            grown[: len(self._number)] = self._number
            self._number = grown


class Poller:
    """Reads nodes over and over.

    Parameters
    ----------
    source
        Name of the source, for messages.
    client
        Connected, with an active session.
    nodes
        What to read, by tag handle; may change at any time.
    allowance
        Nodes in one call.
    period_s
        From one poll to the next, s; longer where the server takes longer.
    """

    def __init__(
        self,
        source: str,
        client: Client,
        nodes: Mapping[int, Found],
        allowance: Allowance,
        period_s: float,
    ) -> None:
        self._source = source
        self._client = client
        self._nodes = nodes
        self._allowance = allowance
        self._period_s = period_s
        self._seen = Seen()
        self._clock = (0, 0)
        # One poll that waits to be taken is enough: who is behind gets fewer, not more.
        self.polled: asyncio.Queue[Published] = asyncio.Queue(1)

    async def run(self) -> None:
        """Poll until cancelled.

        Raises
        ------
        Unreachable
            The link is lost.
        """
        while True:
            started = time.monotonic()
            if self._nodes:
                await self.polled.put(await self.poll())
            took = time.monotonic() - started
            await asyncio.sleep(max(self._period_s - took, _REST * took))

    async def poll(self) -> Published:
        """Read every node once, and give what is new; the server's clock stands for publishing."""
        waiting = sorted(self._nodes.values(), key=lambda item: client_handle(item.tag))
        parts = []
        begin = 0
        while begin < len(waiting):
            part = waiting[begin : begin + self._allowance.size]
            said = await self._read(part)
            if said.service in TOO_MANY and len(part) > 1:
                self._allowance.size = len(part) // 2
                continue
            parts.append(said if said.service < Status.BAD else self._failed(part, said.service))
            begin += len(part)
        return self._seen.news(_joined(parts))

    async def _read(self, part: Sequence[Found]) -> Published:
        request = ua.ReadRequest()
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.NodesToRead = [value_of(item) for item in part]
        try:
            data = await self._client.uaclient.session._send_request(request)
        except UaStatusCodeError as error:
            return _nothing(int(error.code))
        except TimeoutError:
            return _nothing(int(Status.BAD_TIMEOUT))
        except FAILURES as error:
            raise Unreachable(f"{self._source}: the connection was lost: {error}") from error
        handles = [client_handle(item.tag) for item in part]
        try:
            read = partial(decode_read, handles=handles, texts_from=TEXT)
            said = await decoded(read, bytes(data))
        except Rejected:
            return _nothing(int(Status.BAD_DECODING_ERROR))
        self._clock = said.published, time.monotonic_ns()
        return said

    def _failed(self, part: Sequence[Found], status: int) -> Published:
        """Say of every node that the call as a whole has failed, at the server's present time."""
        clock, heard = self._clock
        now = clock + time.monotonic_ns() - heard if clock else time.time_ns()
        n = len(part)
        return replace(
            _nothing(0),
            published=now,
            handle=np.fromiter((client_handle(item.tag) for item in part), np.uint32, n),
            at=np.full(n, now, np.int64),
            value=np.full(n, np.nan),
            status=np.full(n, status, np.uint32),
            served=np.full(n, NO_TIME, np.int64),
        )


def _nothing(service: int) -> Published:
    return Published(
        service=service,
        subscription=0,
        sequence=0,
        keep_alive=True,
        more=False,
        published=0,
        handle=np.empty(0, np.uint32),
        at=np.empty(0, np.int64),
        value=np.empty(0, np.float64),
        status=np.empty(0, np.uint32),
        served=np.empty(0, np.int64),
        texts=(),
        ended=None,
        refused=0,
    )


def _joined(parts: Sequence[Published]) -> Published:
    if not parts:
        return _nothing(0)
    return replace(
        parts[-1],
        # Everything up to the first answer has been seen, whatever the last one's time is.
        published=min(part.published for part in parts),
        handle=np.concatenate([part.handle for part in parts]),
        at=np.concatenate([part.at for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        status=np.concatenate([part.status for part in parts]),
        served=np.concatenate([part.served for part in parts]),
        texts=tuple(text for part in parts for text in part.texts),
    )
