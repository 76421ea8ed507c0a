"""The binary transport of OPC UA without security (OPC 10000-6 §6.7 and §7), server side.

Chunk layout of a message: ``MSG`` + ``F``/``C`` + size, channel, token, sequence number, request
id (six fields, 24 bytes), then the body; the last chunk says ``F``.
"""

import asyncio
import struct
from abc import ABC, abstractmethod
from typing import cast

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

POLICY = b"http://opcfoundation.org/UA/SecurityPolicy#None"
EPOCH = 116_444_736_000_000_000
"""1970 in units of 100 ns since 1601, the time of OPC UA."""
BUFFER = 65_535
CHUNK_HEAD = 24
LIFETIME_MS = 3_600_000


def stamp(ns: int) -> int:
    """Turn ns since 1970 into the time of OPC UA."""
    return ns // 100 + EPOCH


class Wire(asyncio.Protocol, ABC):
    """One connection: takes bytes apart into requests, puts answers into chunks."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._parts: dict[int, bytes] = {}
        self._sequence = 0
        self._token = 0
        self._chunk = BUFFER
        self.open = False

    @abstractmethod
    def serve(self, request: int, body: bytes) -> None:
        """Answer one request, now or later, with `answer`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=8 << 20)
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.open = False

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 8:
            (size,) = struct.unpack_from("<I", self._received, 4)
            if len(self._received) < size:
                return
            frame = bytes(self._received[:size])
            del self._received[:size]
            self._frame(frame)

    def _frame(self, frame: bytes) -> None:
        kind = frame[:3]
        if kind == b"HEL":
            self._hello(frame)
        elif kind == b"OPN":
            self._open_channel(frame)
        elif kind == b"MSG":
            self._message(frame)
        else:
            self._transport.close()

    def _hello(self, frame: bytes) -> None:
        _, receives = struct.unpack_from("<II", frame, 8)
        self._chunk = min(receives, BUFFER)
        self._transport.write(struct.pack("<4sIIIIII", b"ACKF", 28, 0, BUFFER, BUFFER, 0, 0))

    def _open_channel(self, frame: bytes) -> None:
        at = 12
        for _ in ("policy", "certificate", "thumbprint"):
            (length,) = struct.unpack_from("<i", frame, at)
            at += 4 + max(length, 0)
        _, request = struct.unpack_from("<II", frame, at)
        asked = struct_from_binary(ua.OpenSecureChannelRequest, Buffer(frame[at + 8 :]))
        self._token += 1
        answer = ua.OpenSecureChannelResponse()
        answer.ResponseHeader.RequestHandle = asked.RequestHeader.RequestHandle
        answer.Parameters.SecurityToken.ChannelId = 1
        answer.Parameters.SecurityToken.TokenId = self._token
        answer.Parameters.SecurityToken.RevisedLifetime = LIFETIME_MS
        answer.Parameters.ServerNonce = b""
        self._sequence += 1
        payload = struct.pack("<Ii", 1, len(POLICY)) + POLICY
        payload += struct.pack("<iiII", -1, -1, self._sequence, request) + struct_to_binary(answer)
        self._transport.write(b"OPNF" + struct.pack("<I", 8 + len(payload)) + payload)

    def _message(self, frame: bytes) -> None:
        (request,) = struct.unpack_from("<I", frame, 20)
        body = self._parts.pop(request, b"") + frame[CHUNK_HEAD:]
        if frame[3:4] == b"C":
            self._parts[request] = body
        else:
            self.serve(request, body)

    def answer(self, request: int, body: bytes) -> None:
        """Send one answer in as many chunks as the other side's buffer asks for."""
        room = self._chunk - CHUNK_HEAD
        for start in range(0, len(body), room):
            part = body[start : start + room]
            last = b"F" if start + room >= len(body) else b"C"
            self._sequence += 1
            head = (CHUNK_HEAD + len(part), 1, self._token, self._sequence, request)
            self._transport.write(b"MSG" + last + struct.pack("<IIIII", *head) + part)
