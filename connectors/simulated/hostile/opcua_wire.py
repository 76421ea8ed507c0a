"""An OPC UA server that speaks well until it has a client's ear, and then does its worst."""

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from connectors.simulated.hostile import opcua_frames as frames
from connectors.simulated.hostile.opcua_frames import Request
from connectors.simulated.ports import HOST

_HEAD = 8
_LONGEST = 1 << 20
_PIECE = 60_000


@dataclass
class Ear:
    """One client, and what has been said to it."""

    writer: asyncio.StreamWriter
    random: random.Random
    sequence: int = 0
    heard: list[int] = field(default_factory=list)
    said: int = 0

    async def say(self, piece: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(piece)
        self.said += len(piece)
        await self.writer.drain()

    async def answer(self, body: bytes, request: Request, **more: bytes | int) -> None:
        """Send a message in answer to `request`."""
        self.sequence += 1
        await self.say(frames.message(body, request, self.sequence, **more))  # type: ignore[arg-type]


Mood = Callable[[Ear, Request], Awaitable[None]]


async def endless_chunks(ear: Ear, request: Request) -> None:
    """Send parts of a message that never ends."""
    while True:
        await ear.answer(bytes(_PIECE), request, final=b"C")


async def huge_header(ear: Ear, _: Request) -> None:
    """Announce four gigabytes, and begin."""
    await ear.say(frames.frame(frames.MESSAGE, b"", size=0xFFFF_FFF0))
    while True:
        await ear.say(bytes(_PIECE))


async def dimensions(ear: Ear, request: Request) -> None:
    """Answer in 400 bytes what decodes to gigabytes: 20 arrays of a million times nothing."""
    await ear.answer(frames.read_answer(request, [frames.dimension_bomb()] * 20), request)


async def nested_variants(ear: Ear, request: Request) -> None:
    """Answer a Variant in a Variant, 5,000 deep."""
    await ear.answer(frames.read_answer(request, [frames.nested(5_000)]), request)


async def many_results(ear: Ear, request: Request) -> None:
    """Announce two thousand million results."""
    body = frames.four_byte(634) + frames.header(request) + struct.pack("<i", 2**31 - 1)
    await ear.answer(body, request)


async def noise(ear: Ear, _: Request) -> None:
    """Send noise."""
    await ear.say(ear.random.randbytes(5_000))


async def drip(ear: Ear, request: Request) -> None:
    """Send a right answer, one byte a second."""
    ear.sequence += 1
    for byte in frames.message(frames.activated(request), request, ear.sequence):
        await ear.say(bytes([byte]))
        await asyncio.sleep(1)


async def silence(_ear: Ear, _: Request) -> None:
    """Say nothing more."""


async def wrong_request(ear: Ear, request: Request) -> None:
    """Answer another request than was asked."""
    await ear.answer(frames.read_answer(request, []), replace(request, id=request.id + 7))


async def wrong_channel(ear: Ear, request: Request) -> None:
    """Answer on a channel that was never opened."""
    await ear.answer(frames.read_answer(request, []), request, channel=4711)


async def wrong_answer(ear: Ear, request: Request) -> None:
    """Answer another service than was asked."""
    await ear.answer(frames.activated(request), request)


async def short_answer(ear: Ear, request: Request) -> None:
    """Answer half of what has to come."""
    await ear.answer(frames.four_byte(634) + frames.header(request)[:9], request)


async def closing(ear: Ear, _: Request) -> None:
    """Hang up."""
    ear.writer.close()


async def short_acknowledge(ear: Ear, _: Request) -> None:
    """Answer the hello with half an acknowledgement."""
    await ear.say(frames.acknowledge(bytes(7)))


MOODS: dict[str, tuple[int, Mood]] = {
    "endless chunks": (frames.CREATE_SESSION, endless_chunks),
    "huge header": (frames.CREATE_SESSION, huge_header),
    "dimensions": (frames.READ, dimensions),
    "nested variants": (frames.READ, nested_variants),
    "many results": (frames.READ, many_results),
    "short acknowledge": (0, short_acknowledge),
    "noise for hello": (0, noise),
    "noise for session": (frames.CREATE_SESSION, noise),
    "drip": (frames.ACTIVATE_SESSION, drip),
    "silence for hello": (0, silence),
    "silence for session": (frames.CREATE_SESSION, silence),
    "silence for read": (frames.READ, silence),
    "wrong request": (frames.READ, wrong_request),
    "wrong channel": (frames.READ, wrong_channel),
    "wrong answer": (frames.READ, wrong_answer),
    "short answer": (frames.READ, short_answer),
    "closing": (frames.READ, closing),
}
"""What it does, by name: from which service on, and how."""


class HostileWire:
    """A server in a mood; an async context manager.

    Parameters
    ----------
    mood
        One of `MOODS`.
    seed
        Of the noise.

    Attributes
    ----------
    ears : list[Ear]
        Every client, with the services it asked for and the bytes it was sent.
    """

    def __init__(self, mood: str, *, seed: int = 0) -> None:
        self._from, self._mood = MOODS[mood]
        self._random = random.Random(seed)  # noqa: S311 - repeatable noise, no secret
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.ears: list[Ear] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"opc.tcp://{HOST}:{self.port}/"

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and drop every client."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ear = Ear(writer, self._random)
        self.ears.append(ear)
        task = asyncio.create_task(self._serve(reader, ear))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, ear: Ear) -> None:
        # A client that has had enough hangs up: that is what it is here for.
        with suppress(OSError, asyncio.IncompleteReadError, ValueError):
            try:
                while True:
                    await self._respond(ear, await _request(reader))
            finally:
                ear.writer.transport.abort()

    async def _respond(self, ear: Ear, request: Request) -> None:
        ear.heard.append(request.service)
        if self._from in ear.heard:
            await self._mood(ear, request)
        elif request.kind == frames.HELLO:
            await ear.say(frames.acknowledge())
        elif request.kind == frames.OPEN:
            ear.sequence += 1
            await ear.say(frames.opened(request, ear.sequence))
        elif request.service == frames.CREATE_SESSION:
            await ear.answer(frames.session(request), request)
        else:
            await ear.answer(frames.activated(request), request)


async def _request(reader: asyncio.StreamReader) -> Request:
    head = await reader.readexactly(_HEAD)
    size = int.from_bytes(head[4:], "little")
    if not _HEAD <= size <= _LONGEST:
        raise ValueError(f"a chunk of {size} bytes")
    return frames.parse(head[:3], await reader.readexactly(size - _HEAD))
