"""A Modbus server before a `SetpointPlc`: each loop is a unit; it can hang, and it can lie."""

import asyncio
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Self

from connectors.simulated.ports import HOST, listen
from connectors.simulated.setpoint_plc import SetpointPlc

_READ, _WRITE_ONE, _WRITE = 3, 6, 16
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3
_REFUSED = 0x80

Lie = Callable[[int, bytes], tuple[int, bytes] | None]
"""Makes another answer of a right one (function, body behind it); None says nothing at all."""


class SetpointModbus:
    """Serves the controller's registers over TCP: functions 3, 6 and 16.

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
        What is made of the answers to writes; may be changed at any time.
    """

    def __init__(self, plc: SetpointPlc, port: int = 0, host: str = HOST) -> None:
        self.port = port
        self.lie: Lie | None = None
        self.connections = 0
        self._host = host
        self.plc = plc
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()

        async def start(port: int) -> None:
            self._server = await loop.create_server(
                lambda: _Link(self), self._host, port, reuse_address=True
            )

        self.port = await listen(self.port, start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and drop the clients."""
        if self._server is not None:
            self._server.close()
        self.drop()
        await asyncio.sleep(0)

    def drop(self) -> None:
        """End every connection."""
        for link in list(self._links):
            link.transport.abort()

    def hang(self) -> None:
        """Read nothing any more: what comes waits in the system's buffers."""
        for link in self._links:
            link.transport.pause_reading()

    def recover(self) -> None:
        """Read on, first what has waited."""
        for link in self._links:
            link.transport.resume_reading()

    def joined(self, link: "_Link") -> None:
        """Take note of a connection."""
        self.connections += 1
        self._links.add(link)

    def left(self, link: "_Link") -> None:
        """Take note that a connection has ended."""
        self._links.discard(link)

    def answer(self, unit: int, body: bytes, peer: str) -> bytes | None:
        """Give the answer to a request, from its function code on."""
        function = body[0]
        if function not in (_READ, _WRITE_ONE, _WRITE) or len(body) < 5:
            return bytes((function | _REFUSED, _ILLEGAL_FUNCTION))
        at, count = struct.unpack(">HH", body[1:5])
        if function == _READ:
            return self._read(unit, at, count)
        words = (count,) if function == _WRITE_ONE else _words(body, count)
        if words is None:
            return bytes((function | _REFUSED, _ILLEGAL_VALUE))
        if not self.plc.write(unit, at, words, peer):
            return bytes((function | _REFUSED, _ILLEGAL_ADDRESS))
        if self.lie is None:
            return body[:5]
        lied = self.lie(function, body[1:5])
        return None if lied is None else bytes((lied[0],)) + lied[1]

    def _read(self, unit: int, at: int, count: int) -> bytes:
        loop = self.plc.loops.get(unit)
        words = loop.words(at, count) if loop is not None else None
        if not words:
            return bytes((_READ | _REFUSED, _ILLEGAL_ADDRESS))
        return struct.pack(f">BB{count}H", _READ, 2 * count, *words)


def _words(body: bytes, count: int) -> tuple[int, ...] | None:
    if len(body) != 6 + 2 * count or not count or body[5] != 2 * count:
        return None
    return struct.unpack(f">{count}H", body[6:])


class _Link(asyncio.Protocol):
    """A connection."""

    transport: asyncio.Transport

    def __init__(self, server: SetpointModbus) -> None:
        self._server = server
        self._heard = b""
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # of a socket
        self._peer = "{}:{}".format(*transport.get_extra_info("peername")[:2])
        self._server.joined(self)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= 8:
            number, protocol, length, unit = struct.unpack(">HHHB", self._heard[:7])
            if protocol or not 2 <= length <= 254:
                self.transport.abort()
                return
            if len(self._heard) < 6 + length:
                return
            body, self._heard = self._heard[7 : 6 + length], self._heard[6 + length :]
            answer = self._server.answer(unit, body, self._peer)
            if answer is not None:
                head = struct.pack(">HHHB", number, 0, len(answer) + 1, unit)
                self.transport.write(head + answer)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._server.left(self)
