"""A device that answers what the test wants it to answer."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from plant.tags import Tag, TagHandle


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    transaction: int
    unit: int
    function: int
    start: int
    count: int

    def answer(
        self,
        body: bytes,
        *,
        transaction: int | None = None,
        unit: int | None = None,
        function: int | None = None,
    ) -> bytes:
        return (
            struct.pack(
                ">HHHBB",
                self.transaction if transaction is None else transaction,
                0,
                len(body) + 2,
                self.unit if unit is None else unit,
                self.function if function is None else function,
            )
            + body
        )

    def registers(self) -> bytes:
        """The right answer: register i holds i."""
        numbers = range(self.start, self.start + self.count)
        return self.answer(struct.pack(f">B{self.count}H", 2 * self.count, *numbers))


Reply = Callable[[Asked], bytes | None]
"""What to send back; b"" sends nothing, None closes the connection."""
StartPlc = Callable[[Reply], AbstractAsyncContextManager[int]]


@asynccontextmanager
async def _plc(reply: Reply) -> AsyncIterator[int]:
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while frame := await _frame(reader):
            answer = reply(Asked(*struct.unpack(">HxxxxBBHH", frame)))
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readexactly(12)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


@pytest.fixture
def start_plc() -> StartPlc:
    return _plc


@pytest.fixture
def tagged() -> Callable[..., list[TagHandle]]:
    """Give tags with the addresses given, handles from 10 on."""

    def make(*addresses: str) -> list[TagHandle]:
        return [
            TagHandle(10 + i, Tag(name=f"site/area/line/press/t{i}", source="plc", address=address))
            for i, address in enumerate(addresses)
        ]

    return make
