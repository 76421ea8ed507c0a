"""What the system does with bytes that are still to be sent when a connection ends.

A polite close goes on trying to deliver them, for minutes: a write that failed for its caller is
then applied when the link heals.
"""

import socket
import struct
from asyncio import BaseTransport
from ipaddress import IPv6Address, ip_address

LOST_AFTER_S = 3.0
"""Unacknowledged for so long, what was sent is given up and never sent again."""
_DROP = struct.pack("ii", 1, 0)
_DELIVER = struct.pack("ii", 0, 0)


def never_late(transport: BaseTransport, lost_after_s: float = LOST_AFTER_S) -> None:
    """Have every end of this connection be a reset that drops what is unsent.

    The system keeps to it when the process is killed too (SO_LINGER 0, TCP_USER_TIMEOUT).
    """
    link: socket.socket = transport.get_extra_info("socket")
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP)
    milliseconds = int(1000 * lost_after_s)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def polite(transport: BaseTransport) -> None:
    """Let the connection end with a farewell again: some devices take a reset badly."""
    link: socket.socket = transport.get_extra_info("socket")
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DELIVER)


def reached(transport: BaseTransport) -> tuple[str, int]:
    """Give the address and port that a connection has come to, by whatever name it went there."""
    host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
    parsed = ip_address(str(host).partition("%")[0]) if host else None
    plain = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(plain or parsed or ""), int(port)
