"""asyncua's transport with bounds that no server can lift (OPC 10000-6 §6.7, §7.1).

As shipped, the client takes over the server's limits, "none" included, buffers whatever size a
header announces, and builds arrays of any announced size.
"""

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from asyncua.ua.uaerrors import UaError

MAX_CHUNK = 65_536
MAX_CHUNKS = 4_096
MAX_MESSAGE = 16 * 1024 * 1024
MAX_ELEMENTS = 10_000
"""Elements that the dimensions of one Variant may announce."""

_HEADER = struct.Struct("<4sI")

# Both are looked up by asyncua's decoder at each call; a test holds that they take effect.
ua_binary.MAX_RESHAPE_ELEMENTS = MAX_ELEMENTS
_unbounded_array = ua_binary.unpack_uatype_array


def _bounded_array(vtype: ua.VariantType, data: Any) -> list[Any] | None:
    """Read an array unless it announces more elements than the message has bytes."""
    behind: Buffer = data.copy()
    announced = ua_binary.Primitives.Int32.unpack(behind)
    if announced < -1 or announced > len(behind):
        raise UaError(f"array of {announced} elements in {len(behind)} bytes")
    return _unbounded_array(vtype, data)


ua_binary.unpack_uatype_array = _bounded_array


class BoundedLimits(TransportLimits):
    """Limits that the server's Acknowledge can narrow but not widen."""

    def update_client_limits(self, msg: ua.Acknowledge) -> None:
        """Take the server's receive buffer as our send buffer; ours stay as they are."""
        if 0 < msg.ReceiveBufferSize < self.max_send_buffer:
            self.max_send_buffer = msg.ReceiveBufferSize


class OwnClock(SecureConnection):
    """A secure channel whose keys age by our clock.

    As shipped the age of a key is the server's time of issue against our time: with a server whose
    clock is an hour behind, every renewal of the keys would end the connection.
    """

    def set_channel(
        self, params: Any, request_type: ua.SecurityTokenRequestType, client_nonce: bytes
    ) -> None:
        """Take over new keys, issued now."""
        params.SecurityToken.CreatedAt = datetime.now(UTC)
        super().set_channel(params, request_type, client_nonce)


class BoundedProtocol(UASocketProtocol):
    """A connection that is cut as soon as a header announces too much."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the bounds in force before the first byte arrives."""
        super().connection_made(transport)
        limits = BoundedLimits(MAX_CHUNK, MAX_CHUNK, MAX_CHUNKS, MAX_MESSAGE)
        self._connection = OwnClock(self._connection.security_policy, limits)

    def data_received(self, data: bytes) -> None:
        """Decode what has arrived; what is left starts with a header."""
        super().data_received(data)
        waiting = self.receive_buffer
        if waiting and len(waiting) >= _HEADER.size and self.transport is not None:
            _, size = _HEADER.unpack_from(waiting)
            if size > MAX_CHUNK:
                self.logger.error("server announces a chunk of %d bytes; connection cut", size)
                self.transport.abort()

    async def send_hello(
        self, url: str, max_messagesize: int = MAX_MESSAGE, max_chunkcount: int = MAX_CHUNKS
    ) -> ua.Acknowledge:
        """Announce our bounds, or narrower ones."""
        hello = ua.Hello(
            ReceiveBufferSize=ua.UInt32(MAX_CHUNK),
            SendBufferSize=ua.UInt32(MAX_CHUNK),
            MaxMessageSize=ua.UInt32(min(max_messagesize or MAX_MESSAGE, MAX_MESSAGE)),
            MaxChunkCount=ua.UInt32(min(max_chunkcount or MAX_CHUNKS, MAX_CHUNKS)),
            EndpointUrl=ua.String(url),
        )
        if self.transport is None:
            raise ConnectionError("connection is not open")
        answer: asyncio.Future[ua.Acknowledge] = asyncio.get_running_loop().create_future()
        self._callbackmap[0] = answer
        message = ua_binary.uatcp_to_binary(ua.MessageType.Hello, hello)  # type: ignore[arg-type]  # bytes in asyncua
        self.transport.write(message)
        return await asyncio.wait_for(answer, self.timeout)


class BoundedUaClient(UaClient):
    """The low-level client over bounded connections."""

    def _make_protocol(self) -> UASocketProtocol:
        protocol = BoundedProtocol(self._timeout, security_policy=self.security_policy)
        protocol.pre_request_hook = self.pre_request_hook
        protocol.on_connection_lost = self._on_transport_lost
        protocol.is_session_closing = self._is_session_closing
        self.protocol = protocol
        return protocol


def abort(uaclient: UaClient) -> None:
    """Drop the connection at once, without a word to the server."""
    protocol = uaclient.protocol
    if protocol is not None and protocol.transport is not None:
        protocol.transport.abort()
    uaclient.disconnect_socket()
