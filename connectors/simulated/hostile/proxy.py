"""A TCP proxy that does to a connection what plants do: it freezes, swallows, cuts, slows, garbles.

A frozen proxy keeps bytes alive in user space, as a hung device or a cut cable does; a swallowing
one loses them for good. Real packet loss needs network namespaces.
"""

import asyncio
import random
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

from connectors.simulated.ports import HOST, listen

_PIECE = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER that turns a close into a reset."""
_BACKLOG = 4
"""Connections of our own that fill the queue of a listener that nobody serves."""


class Way(Enum):
    """Direction of bytes."""

    UP = "up"
    """From client to server."""
    DOWN = "down"
    """From server to client."""


@dataclass(slots=True)
class Conditions:
    """What befalls the bytes of one direction.

    Parameters
    ----------
    frozen
        Nothing moves; what is under way is kept and comes later.
    swallowed
        Bytes vanish.
    delay_s, jitter_s
        Each piece comes this much later, ± the jitter, in order.
    rate
        Bytes a second at most; 0 is unlimited.
    fragment
        Each byte travels in a segment of its own.
    flips
        Share of bytes in which one bit is turned over.
    cut_after
        Bytes after which the connection is reset.
    """

    frozen: bool = False
    swallowed: bool = False
    delay_s: float = 0.0
    jitter_s: float = 0.0
    rate: float = 0.0
    fragment: bool = False
    flips: float = 0.0
    cut_after: int | None = None


@dataclass(slots=True)
class Passage:
    """One connection through the proxy: when it was, and the bytes that came out each way.

    Times are of the monotonic clock, s; `closed` is None while it lasts.
    """

    opened: float
    closed: float | None = None
    up: int = 0
    down: int = 0
    writers: tuple[asyncio.StreamWriter, ...] = field(default=(), repr=False)


class ChaosProxy:
    """Stands between a client and `host`:`port`; an async context manager.

    Parameters
    ----------
    port, host
        The true server.
    listen
        Wanted own port; the next free one is taken. 0 is any. After entering, the one in use.
    seed
        Of bit flips and jitter.

    Attributes
    ----------
    conditions : dict[Way, Conditions]
        May be changed at any time.
    passages : list[Passage]
        Every connection, in order.
    """

    def __init__(self, port: int, host: str = HOST, *, listen: int = 0, seed: int = 0) -> None:
        self.port = listen
        self.conditions = {way: Conditions() for way in Way}
        self.passages: list[Passage] = []
        self._target = (host, port)
        self._random = random.Random(seed)  # noqa: S311 - repeatable faults, no secret
        self._server: asyncio.Server | None = None
        self._full: list[socket.socket] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address to connect to, as OPC UA writes it."""
        return f"opc.tcp://{HOST}:{self.port}"

    @property
    def live(self) -> int:
        """Connections that stand now."""
        return sum(passage.closed is None for passage in self.passages)

    async def __aenter__(self) -> Self:
        """Listen and pass."""

        async def start(port: int) -> None:
            self.port = port
            await self._listen()

        await listen(self.port, start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and drop every connection."""
        await self._close_listeners()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set(self, *ways: Way, **conditions: float | bool | None) -> None:
        """Change the conditions of these ways, of both when none is given."""
        for way in ways or tuple(Way):
            for name, value in conditions.items():
                if name not in Conditions.__slots__:
                    raise TypeError(f"no condition {name!r}")
                setattr(self.conditions[way], name, value)
        self._changed.set()
        self._changed = asyncio.Event()

    async def heal(self) -> None:
        """Pass everything again, what was frozen first, and accept connections."""
        self.set(**_healthy())
        await self._listen()

    def freeze(self, *ways: Way) -> None:
        """Hold every byte; new connections are accepted and get no answer."""
        self.set(*ways, frozen=True)

    def swallow(self, *ways: Way) -> None:
        """Lose every byte; new connections are accepted and get no answer."""
        self.set(*ways, swallowed=True)

    async def blackhole(self) -> None:
        """Answer nothing, not even a request to connect; what is under way waits, as in TCP."""
        self.set(frozen=True)
        await self._close_listeners()
        self._full.append(_socket())
        self._full[0].bind((HOST, self.port))
        self._full[0].listen(0)
        for _ in range(_BACKLOG):
            own = _socket()
            own.setblocking(False)
            with suppress(BlockingIOError):
                own.connect((HOST, self.port))
            self._full.append(own)

    async def refuse(self) -> None:
        """Reset what stands and refuse connections: nobody listens."""
        await self._close_listeners()
        self.reset()

    def reset(self) -> None:
        """Reset every connection; new ones are welcome."""
        for passage in self.passages:
            self._drop(passage)

    def half_close(self, way: Way = Way.DOWN) -> None:
        """Say that no more bytes come this way, and go on with the other."""
        for passage in self.passages:
            if passage.closed is None and passage.writers:
                passage.writers[_towards(way)].write_eof()

    async def _listen(self) -> None:
        if self._server is not None:
            return
        await self._close_listeners()
        listener = _socket()
        listener.bind((HOST, self.port))
        self._server = await asyncio.start_server(self._accept, sock=listener)

    async def _close_listeners(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        full, self._full = self._full, []
        for each in full:
            each.close()
        await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passage = Passage(time.monotonic(), writers=(writer,))
        self.passages.append(passage)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            passage.writers = (writer, far_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(Way.UP, reader, far_writer, passage))
                group.create_task(self._pump(Way.DOWN, far_reader, writer, passage))
        except* OSError:
            pass  # either side is gone: the other learns it by the reset below
        finally:
            self._drop(passage)

    async def _pump(
        self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: Passage
    ) -> None:
        condition = self.conditions[way]
        count = 0
        while piece := await self._piece(condition, reader):
            await self._wait_out(condition, len(piece))
            piece = self._garbled(condition, piece)
            limit = condition.cut_after
            if limit is not None:
                piece = piece[: max(0, limit - count)]
            if condition.swallowed:
                continue
            await _send(writer, piece, 1 if condition.fragment else _PIECE)
            count += len(piece)
            setattr(passage, way.value, count)
            if limit is not None and count >= limit:
                raise ConnectionResetError
        if not condition.swallowed:
            writer.write_eof()

    async def _piece(self, condition: Conditions, reader: asyncio.StreamReader) -> bytes:
        await self._thawed(condition)
        piece = await reader.read(_PIECE)
        await self._thawed(condition)
        return piece

    async def _thawed(self, condition: Conditions) -> None:
        while condition.frozen:
            await self._changed.wait()

    async def _wait_out(self, condition: Conditions, length: int) -> None:
        wait = condition.delay_s
        if condition.jitter_s:
            wait += self._random.uniform(-condition.jitter_s, condition.jitter_s)
        if condition.rate:
            wait += length / condition.rate
        if wait > 0:
            await asyncio.sleep(wait)

    def _garbled(self, condition: Conditions, piece: bytes) -> bytes:
        if not condition.flips:
            return piece
        garbled = bytearray(piece)
        for i in range(len(garbled)):
            if self._random.random() < condition.flips:
                garbled[i] ^= 1 << self._random.randrange(8)
        return bytes(garbled)

    def _drop(self, passage: Passage) -> None:
        if passage.closed is not None:
            return
        passage.closed = time.monotonic()
        for writer in passage.writers:
            own = writer.get_extra_info("socket")
            with suppress(OSError):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()
        passage.writers = ()


def _healthy() -> dict[str, float | bool | None]:
    healthy = Conditions()
    return {name: getattr(healthy, name) for name in Conditions.__slots__}


def _socket() -> socket.socket:
    fresh = socket.socket()
    fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return fresh


def _towards(way: Way) -> int:
    return 0 if way is Way.DOWN else 1


async def _send(writer: asyncio.StreamWriter, piece: bytes, size: int) -> None:
    own = writer.get_extra_info("socket")
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(piece), size):
        writer.write(piece[start : start + size])
        await writer.drain()
