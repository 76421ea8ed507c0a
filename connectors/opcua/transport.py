"""asyncua's transport with bounds that no server can lift (OPC 10000-6 §6.7, §7.1).

As shipped, the client takes over the server's limits, "none" included, buffers whatever size a
header announces, reads backwards where a length is negative (an Error of 16 bytes holds the whole
process up for ever), builds arrays of any announced size, and lets every kind of exception out.
"""

import asyncio
import struct
import time
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.client import ua_client, ua_session
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.common.connection import MessageChunk, SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from asyncua.ua.uaerrors import BadResponseTooLarge, UaError

MAX_CHUNK = 65_536
MAX_CHUNKS = 4_096
MAX_MESSAGE = 16 * 1024 * 1024
MAX_ELEMENTS = 10_000
"""Elements that the dimensions of one Variant may announce."""
MAX_WORK = 40_000
"""What asyncua may do for one message: at most about 100 ms, during which everything else waits.
A reading counts 1, of a single byte 4 (a structure begins there), and 1 more each 64 bytes."""
MAX_TURN = 8_192
"""Bytes that are taken from a connection before the others have their turn."""
MAX_ABORTED = 16
"""Messages that a server may begin and take back (OPC 10000-6 §6.7.3), a connection."""

_HEADER = struct.Struct("<4sI")
_ERROR = struct.Struct("<Ii")
_SIZES = {
    b"ACK": range(28, 29),
    b"ERR": range(16, MAX_CHUNK + 1),
    b"OPN": range(32, MAX_CHUNK + 1),
    b"MSG": range(24, MAX_CHUNK + 1),
}
"""Bytes of what a server may send, header included (OPC 10000-6 §6.7.2, §7.1.2)."""

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
_decode = ua_binary.struct_from_binary
_UNREADABLE = (struct.error, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


def read_answer(kind: Any, data: Any) -> Any:
    """Decode an answer of the asyncua type `kind`.

    Raises
    ------
    UaError
        It cannot be read, however that showed itself.
    """
    try:
        return _decode(kind, data)
    except (*_UNREADABLE, RecursionError, AssertionError) as error:
        name = getattr(kind, "__name__", kind)
        raise UaError(f"the server's {name} cannot be read ({type(error).__name__})") from error


# The names under which asyncua's client decodes what a server sent.
ua_client.struct_from_binary = ua_session.struct_from_binary = read_answer  # type: ignore[assignment,attr-defined]

GREETING = 1 / 3
"""Share of the patience with an answer that connecting and the first answer may each take: neither
costs a server any work, and while a link swallows everything the next try should not be far."""


class BoundedBuffer(Buffer):
    """A message that is read forwards only, and not longer than `MAX_WORK` allows.

    Parameters
    ----------
    data, start_pos, size
        As asyncua's.
    work
        What is left to do, shared by all copies.
    """

    def __init__(
        self, data: bytes, start_pos: int = 0, size: int = -1, work: list[int] | None = None
    ) -> None:
        super().__init__(data, start_pos, size)
        self._work = [MAX_WORK] if work is None else work

    def read(self, size: int) -> bytes:
        """Take bytes from the front.

        Raises
        ------
        UaError
            For a negative length.
        BadResponseTooLarge
            When the message keeps the decoder busy for too long; asking for less may help.
        """
        if size < 0:
            raise UaError(f"length {size} in an answer")
        self._work[0] -= (4 if size == 1 else 1) + (size >> 6)
        if self._work[0] < 0:
            raise BadResponseTooLarge
        return super().read(size)

    def copy(self, size: int = -1) -> "BoundedBuffer":
        """Give another view of the same bytes, counted together."""
        left = min(size, len(self)) if size >= 0 else len(self)
        return BoundedBuffer(self._data, self._cur_pos, left, self._work)

    def skip(self, size: int) -> None:
        """Leave bytes out."""
        if size < 0:
            raise UaError(f"length {size} in an answer")
        super().skip(size)


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


class _BoundedMessage(ua.Message):
    def body(self) -> BoundedBuffer:
        return BoundedBuffer(bytes(super().body()))  # type: ignore[no-untyped-call]


class BoundedConnection(OwnClock):
    """A secure channel whose messages are read within bounds."""

    def _receive(self, msg: MessageChunk) -> ua.Message | None:
        message = super()._receive(msg)
        if message is None:
            return None
        return _BoundedMessage(message._chunks)  # type: ignore[no-untyped-call]


class BoundedProtocol(UASocketProtocol):
    """A connection that is cut as soon as something on it cannot be right.

    asyncua is handed whole chunks of a likely size, one at a time.

    Attributes
    ----------
    begun : float
        When the latest chunk came behind which its message goes on, s, monotonic.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the bounds in force before the first byte arrives."""
        super().connection_made(transport)
        # Of asyncio's socket transports: how much one turn of the loop may bring.
        transport.max_size = MAX_TURN  # type: ignore[attr-defined]
        limits = BoundedLimits(MAX_CHUNK, MAX_CHUNK, MAX_CHUNKS, MAX_MESSAGE)
        self._connection = BoundedConnection(self._connection.security_policy, limits)
        self._unread = bytearray()
        self._aborted = 0
        self.begun = time.monotonic()

    def data_received(self, data: bytes) -> None:
        """Decode what has arrived; what is left starts with a header."""
        self._unread += data
        while chunk := self._chunk():
            self._aborted += chunk.startswith(b"MSGA")
            if chunk.startswith(b"ERR") and not _whole_error(chunk):
                self._cut("sends an Error whose text is longer or shorter than it says")
            elif self._aborted > MAX_ABORTED:
                self._cut("has taken back %d messages", self._aborted)
            else:
                self._process_received_data(chunk)

    def _chunk(self) -> bytes:
        """Take a whole chunk, if there is one and it is to be had."""
        link = self.transport
        if link is None or link.is_closing() or len(self._unread) < _HEADER.size:
            return b""
        kind, size = _HEADER.unpack_from(self._unread)
        if size not in _SIZES.get(kind[:3], ()):
            self._cut("announces a chunk of kind %r and %d bytes", kind, size)
            return b""
        if len(self._unread) < size:
            return b""
        chunk = bytes(self._unread[:size])
        del self._unread[:size]
        if kind == b"MSGC":
            self.begun = time.monotonic()
        return chunk

    def _call_callback(self, request_id: int, body: Buffer | ua.Acknowledge) -> None:
        if request_id not in self._callbackmap:
            self._cut("answers request %d, which is not waiting", request_id)
            return
        super()._call_callback(request_id, body)

    def _cut(self, what: str, *details: object) -> None:
        self.logger.error("server %s; connection cut", what % details)
        self._unread.clear()
        if self.transport is not None:
            self.transport.abort()
        self.transport = None

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
        # wait_for of Python 3.11 swallows a cancelling that comes together with the answer.
        async with asyncio.timeout(self.timeout * GREETING):
            return await answer


def _whole_error(chunk: bytes) -> bool:
    _, length = _ERROR.unpack_from(chunk, _HEADER.size)
    return bool(max(length, 0) == len(chunk) - _HEADER.size - _ERROR.size and length >= -1)


class BoundedUaClient(UaClient):
    """The low-level client over bounded connections."""

    async def connect_socket(self, host: str, port: int) -> None:
        """Connect, or give up before TCP has waited long between its own tries."""
        async with asyncio.timeout(self._timeout * GREETING):
            await super().connect_socket(host, port)

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
