"""What the service manager (systemd) is told: ready, alive, how it is, stopping.

The protocol is that of sd_notify(3): one datagram of lines ``NAME=value`` to the Unix socket that
is named in the environment. Without such a socket nobody is told anything.
"""

import os
import socket
import time
from collections.abc import Mapping

BEATS = 4
"""Signs of life in the time after which a process without one is restarted."""


class ServiceManager:
    """Tells whoever started this process how it is.

    Parameters
    ----------
    environment
        Where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are found; an empty one
        for a process that nobody watches.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of Linux' abstract names.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)
        # Set for another process, it is inherited by its children all the same.
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        given = environment.get("WATCHDOG_USEC", "")
        self._every_s = int(given) / 1e6 / BEATS if ours and given.isdecimal() else 0.0
        self._beaten = -self._every_s
        self._status = ""

    def ready(self) -> None:
        """Say that everything is up."""
        self._send("READY=1")

    def beat(self) -> None:
        """Give a sign of life, if one is wanted and due."""
        if self._every_s and time.monotonic() - self._beaten >= self._every_s:
            self._beaten = time.monotonic()
            self._send("WATCHDOG=1")

    def status(self, words: str) -> None:
        """Say in one line how things are; what was said last is not said again."""
        if words != self._status:
            self._status = words
            self._send(f"STATUS={words}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, line: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(line.encode(), self._address)
        except OSError:
            # A manager that does not hear restarts us by itself; machines are read until then.
            return
