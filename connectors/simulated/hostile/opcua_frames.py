"""As much of OPC UA binary as a hostile server needs to be heard (OPC 10000-6 §5.2, §6.7).

Nothing of the client library is used: what it cannot encode is the point.
"""

import struct
from dataclasses import dataclass

HELLO, OPEN, MESSAGE, CLOSE = b"HEL", b"OPN", b"MSG", b"CLO"
CREATE_SESSION, ACTIVATE_SESSION, READ = 461, 467, 631
NO_SECURITY = b"http://opcfoundation.org/UA/SecurityPolicy#None"
CHANNEL, TOKEN = 7, 9
NOTHING = struct.pack("<i", -1)
"""A string, array or byte string that is null."""

_HEADER = struct.Struct("<3scI")
_SEQUENCE = struct.Struct("<IIII")
_NODE_BYTES = {0: 2, 1: 4, 2: 7, 4: 19}
"""Length of a NodeId by its encoding byte; texts and byte strings carry theirs."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a client.

    Parameters
    ----------
    kind
        ``HEL``, ``OPN``, ``MSG``, ``CLO``.
    service
        Number of the binary encoding, as in 631 for Read; 0 for a hello.
    id
        Id of the request on its channel.
    handle
        The client's own handle, which the answer repeats.
    """

    kind: bytes
    service: int = 0
    id: int = 0
    handle: int = 0


def text(content: bytes) -> bytes:
    """Write a String or ByteString."""
    return struct.pack("<i", len(content)) + content


def four_byte(number: int) -> bytes:
    """Write the NodeId of an encoding."""
    return struct.pack("<BBH", 1, 0, number)


def frame(kind: bytes, body: bytes, final: bytes = b"F", size: int | None = None) -> bytes:
    """Write a chunk; `size` is what its header says when that is not the truth."""
    return _HEADER.pack(kind, final, _HEADER.size + len(body) if size is None else size) + body


def acknowledge(body: bytes | None = None) -> bytes:
    """Answer a hello: version, buffers, no limits."""
    return frame(b"ACK", struct.pack("<5I", 0, 65536, 65536, 0, 0) if body is None else body)


def message(
    body: bytes, request: Request, sequence: int, *, final: bytes = b"F", channel: int = CHANNEL
) -> bytes:
    """Write a symmetric chunk in answer to `request`."""
    return frame(MESSAGE, _SEQUENCE.pack(channel, TOKEN, sequence, request.id) + body, final)


def header(request: Request, status: int = 0) -> bytes:
    """Write a ResponseHeader."""
    return struct.pack("<qIIBiBBB", 0, request.handle, status, 0, -1, 0, 0, 0)


def opened(request: Request, sequence: int) -> bytes:
    """Answer OpenSecureChannel without security."""
    security = text(NO_SECURITY) + NOTHING + NOTHING
    token = struct.pack("<IIIqI", 0, CHANNEL, TOKEN, 0, 3_600_000) + NOTHING
    body = four_byte(449) + header(request) + token
    number = struct.pack("<II", sequence, request.id)
    return frame(OPEN, struct.pack("<I", CHANNEL) + security + number + body)


def session(request: Request) -> bytes:
    """Answer CreateSession."""
    ids = four_byte(1) + four_byte(2) + struct.pack("<d", 60_000.0)
    endpoints = struct.pack("<i", 1) + _endpoint()
    rest = text(bytes(32)) + NOTHING + endpoints + NOTHING + NOTHING + NOTHING
    return four_byte(464) + header(request) + ids + rest + struct.pack("<I", 0)


def _endpoint() -> bytes:
    """Write the one EndpointDescription: no security, anonymous (OPC 10000-4 §7.14)."""
    server = NOTHING * 2 + b"\x00" + struct.pack("<I", 0) + NOTHING * 3
    anonymous = text(b"anonymous") + struct.pack("<I", 0) + NOTHING * 3
    users = struct.pack("<i", 1) + anonymous
    security = struct.pack("<I", 1) + text(NO_SECURITY)
    return text(b"opc.tcp://hostile/") + server + NOTHING + security + users + NOTHING + b"\x00"


def activated(request: Request) -> bytes:
    """Answer ActivateSession."""
    return four_byte(470) + header(request) + text(bytes(32)) + NOTHING + NOTHING


def read_answer(request: Request, variants: list[bytes]) -> bytes:
    """Answer Read with these Variants, each as it stands."""
    values = b"".join(b"\x01" + variant for variant in variants)
    return four_byte(634) + header(request) + struct.pack("<i", len(variants)) + values + NOTHING


def dimension_bomb() -> bytes:
    """Give a Variant of a few bytes that asks for an array of a million times nothing."""
    return b"\xcb" + struct.pack("<iiii", 0, 2, 1_000_000, 0)


def nested(depth: int) -> bytes:
    """Give a Variant that holds an array of one Variant, and so on."""
    return b"\x98\x01\x00\x00\x00" * depth + b"\x01\x01"


def parse(kind: bytes, body: bytes) -> Request:
    """Read what an answer has to repeat.

    Raises
    ------
    ValueError
        It is no request.
    """
    if kind not in (OPEN, MESSAGE, CLOSE):
        return Request(kind)
    at = 4
    if kind == OPEN:
        for _ in range(3):
            (length,) = struct.unpack_from("<i", body, at)
            at += 4 + max(0, length)
    else:
        at += 4
    try:
        _, request_id = struct.unpack_from("<II", body, at)
        _, _, service = struct.unpack_from("<BBH", body, at + 8)
        at = _behind_node(body, at + 12)
        (handle,) = struct.unpack_from("<I", body, at + 8)
    except struct.error as error:
        raise ValueError(f"no request: {error}") from error
    return Request(kind, service, request_id, handle)


def _behind_node(body: bytes, at: int) -> int:
    encoding = body[at] & 0x0F
    if encoding in _NODE_BYTES:
        return at + _NODE_BYTES[encoding]
    (length,) = struct.unpack_from("<i", body, at + 3)
    return at + 7 + max(0, int(length))
