"""The chaos proxy does what it says, and its log agrees."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from connectors.simulated.hostile.proxy import ChaosProxy, Way

pytestmark = pytest.mark.journey
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PATIENCE_S = 60


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(4096):
            writer.write(piece)
    writer.close()


class Wired(ChaosProxy):
    """A proxy that also knows who connected to it, to let go of them in the end."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.wires: list[Wire] = []


@asynccontextmanager
async def echoing() -> AsyncIterator[Wired]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Wired(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
        for _, writer in proxy.wires:
            writer.transport.abort()
        waiting = (writer.wait_closed() for _, writer in proxy.wires)
        await asyncio.gather(*waiting, return_exceptions=True)


async def connect(proxy: Wired) -> Wire:
    wire = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", proxy.port), PATIENCE_S)
    proxy.wires.append(wire)
    return wire


async def said(wire: Wire, text: bytes) -> bytes:
    wire[1].write(text)
    return await asyncio.wait_for(wire[0].readexactly(len(text)), PATIENCE_S)


def play(story: Callable[[Wired], Awaitable[None]]) -> None:
    async def go() -> None:
        async with echoing() as proxy:
            await story(proxy)

    asyncio.run(asyncio.wait_for(go(), 60))


def test_it_passes_and_counts() -> None:
    async def story(proxy: Wired) -> None:
        wire = await connect(proxy)
        assert await said(wire, b"hello") == b"hello"
        (passage,) = proxy.passages
        assert (passage.up, passage.down, proxy.live) == (5, 5, 1)

    play(story)


def test_frozen_bytes_come_later() -> None:
    async def story(proxy: Wired) -> None:
        wire = await connect(proxy)
        await said(wire, b"a")
        proxy.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await said(wire, b"bc")
        await proxy.heal()
        assert await wire[0].readexactly(2) == b"bc"

    play(story)


def test_swallowed_bytes_never_come() -> None:
    async def story(proxy: Wired) -> None:
        wire = await connect(proxy)
        await said(wire, b"a")
        proxy.swallow(Way.DOWN)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await said(wire, b"bc")
        await proxy.heal()
        assert await said(wire, b"d") == b"d"
        assert (proxy.passages[0].up, proxy.passages[0].down) == (4, 2)

    play(story)


def test_a_blackhole_does_not_even_answer_a_request_to_connect() -> None:
    async def story(proxy: Wired) -> None:
        wire = await connect(proxy)
        await said(wire, b"a")
        await proxy.blackhole()
        wire[1].write(b"b")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.open_connection("127.0.0.1", proxy.port)
        await proxy.heal()
        assert await wire[0].readexactly(1) == b"b"
        assert await said(await connect(proxy), b"c") == b"c"

    play(story)


def test_refused_then_welcome() -> None:
    async def story(proxy: Wired) -> None:
        wire = await connect(proxy)
        await said(wire, b"a")
        await proxy.refuse()
        with pytest.raises(ConnectionResetError):
            await wire[0].readexactly(1)
        with pytest.raises(ConnectionRefusedError):
            await connect(proxy)
        assert proxy.live == 0
        await proxy.heal()
        assert await said(await connect(proxy), b"c") == b"c"

    play(story)


def test_half_closed_one_way() -> None:
    async def story(proxy: Wired) -> None:
        wire = await connect(proxy)
        await said(wire, b"a")
        proxy.half_close(Way.DOWN)
        assert await wire[0].read() == b""
        wire[1].write(b"b")
        await wire[1].drain()

    play(story)


def test_cut_after_so_many_bytes() -> None:
    async def story(proxy: Wired) -> None:
        proxy.set(Way.DOWN, cut_after=3)
        wire = await connect(proxy)
        wire[1].write(b"abcdef")
        with pytest.raises(ConnectionResetError):
            await wire[0].readexactly(6)
        assert proxy.passages[0].down == 3

    play(story)


def test_delay_rate_and_fragments_change_no_byte() -> None:
    async def story(proxy: Wired) -> None:
        proxy.set(delay_s=0.02, jitter_s=0.01, rate=100_000, fragment=True)
        text = bytes(range(256))
        begun = asyncio.get_running_loop().time()
        assert await said(await connect(proxy), text) == text
        assert asyncio.get_running_loop().time() - begun >= 0.02

    play(story)


def test_flips_turn_bits() -> None:
    async def story(proxy: Wired) -> None:
        proxy.set(Way.DOWN, flips=0.05)
        text = bytes(2000)
        answer = await said(await connect(proxy), text)
        turned = sum(byte.bit_count() for byte in answer)
        assert 50 < turned < 200

    play(story)


def test_an_unknown_condition_is_refused() -> None:
    with pytest.raises(TypeError, match="no condition"):
        ChaosProxy(1).set(fogged=True)
