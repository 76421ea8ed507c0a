"""Ports of the loopback servers."""

import errno
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from plant.errors import Misconfigured

HOST = "127.0.0.1"
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports in use; ``None`` where the feed has no tag for that protocol."""

    opcua: int | None
    modbus: int | None


def free_port(wanted: int) -> int:
    """Give `wanted`, or the next port above it that nobody listens on; any for 0.

    Raises
    ------
    Misconfigured
        If a hundred ports in a row are taken, or the system forbids the first one.
    """
    for port in range(wanted, min(wanted + _TRIES, 65536)):
        with socket.socket() as probe:
            # The servers set it too: a port whose last connection lingers is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise Misconfigured(f"port {port} on {HOST}: {error.strerror}") from error
            return int(probe.getsockname()[1])
    raise Misconfigured(f"no free port on {HOST} from {wanted} on; choose another")


async def listen(wanted: int, start: Callable[[int], Awaitable[object]]) -> int:
    """Start a server on a port as `free_port` gives it, and give that.

    Between a look and a bind another process may have been quicker: then the next one is tried.

    Parameters
    ----------
    start
        Listens on the port that it is given, or raises the system's error.

    Raises
    ------
    Misconfigured
        As `free_port` does.
    """
    for _ in range(_TRIES):
        port = free_port(wanted)
        try:
            await start(port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            wanted = wanted and port + 1
        else:
            return port
    raise Misconfigured(f"on {HOST} others take each port before we do; choose another")
