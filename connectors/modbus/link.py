"""Streams of bytes to a device: TCP, TLS and a serial line, opened once and cut at once."""

import asyncio
import os
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable
from typing import cast

import serial

from plant.errors import Misconfigured, Unreachable

UNREAD = 4096
"""Most bytes kept unread: many answers; who sends more is not answering."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class Lost(Exception):
    """The other side, or the line itself, is gone."""


class Link(asyncio.Protocol):
    """What came in and was not read yet, and the way out; one reader at a time.

    Parameters
    ----------
    cut
        Closes at once, without sending or receiving what is under way.
    end
        Closes as is polite, when nothing is under way: some devices take a reset badly.
    send
        Takes bytes on their way.
    """

    cut: Callable[[], None]
    end: Callable[[], None]
    send: Callable[[bytes], None]

    def __init__(self) -> None:
        self._unread = bytearray()
        self._wanted = 0
        self._waiting: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self.heard = time.monotonic()
        self.stream: asyncio.Transport | None = None
        """What TCP and TLS go over; None on a serial line."""
        self.tls: ssl.SSLObject | None = None
        self.valid_until: float | None = None
        """When the first certificate in use ends, s since 1970."""

    @property
    def lost(self) -> bool:
        """Whether nothing can come any more."""
        return self._failure is not None

    async def exactly(self, count: int) -> bytes:
        """Wait for `count` bytes; `Lost` when they cannot come any more."""
        if len(self._unread) < count:
            self._wanted = count
            self._waiting = asyncio.get_running_loop().create_future()
            self._wake()
            try:
                await self._waiting
            finally:
                self._waiting = None
        taken = bytes(self._unread[:count])
        del self._unread[:count]
        return taken

    def drain(self) -> bytes:
        """Take out what came in unasked."""
        taken = bytes(self._unread)
        self._unread.clear()
        return taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a TCP or TLS transport."""
        stream = cast("asyncio.Transport", transport)
        self.stream = stream
        self.tls = stream.get_extra_info("ssl_object")
        self.send = stream.write
        self.cut = lambda: _reset(stream)
        # The farewell of TLS would wait for the other side.
        self.end = self.cut if self.tls else stream.close

    def data_received(self, data: bytes) -> None:
        """Keep what came in."""
        self.heard = time.monotonic()
        self._unread += data
        if len(self._unread) > UNREAD:
            self._unread.clear()
            self.connection_lost(Lost("a flood of bytes"))
            self.cut()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing can come any more, and why."""
        self._failure = self._failure or exc or Lost("closed by the other side")
        self._wake()

    def _wake(self) -> None:
        if self._waiting is None or self._waiting.done():
            return
        if len(self._unread) >= self._wanted:
            self._waiting.set_result(None)
        elif self._failure is not None:
            self._waiting.set_exception(self._failure)


def _reset(stream: asyncio.Transport) -> None:
    if stream.is_closing():
        stream.abort()
        return
    link: socket.socket = stream.get_extra_info("socket")
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    stream.abort()


async def open_tcp(
    host: str, port: int, patience: float, context: ssl.SSLContext | None = None
) -> Link:
    """Connect once, with TLS if there is a `context`.

    Raises
    ------
    Unreachable
        When nobody accepts the connection within `patience`, seconds.
    Misconfigured
        When the device shows a certificate that is not to be believed, or refuses ours.
    """
    place = f"{host}:{port}"
    loop = asyncio.get_running_loop()
    link = Link()
    try:
        async with asyncio.timeout(patience):
            stream, _ = await loop.create_connection(lambda: link, host, port, ssl=context)
    except ssl.SSLError as error:
        raise refused_by_tls(place, error) from None
    except OSError as error:  # a TimeoutError is one
        raise Unreachable(
            f"{place} does not accept a connection ({_reason(error)}); "
            "is the device on, and are host and port right?"
        ) from None
    stream.get_extra_info("socket").setsockopt(
        socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2000 * patience)
    )
    return link


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)


def refuses_certificate(error: Exception) -> bool:
    """Tell whether the other side ended TLS over what we showed (RFC 8446 §6.2)."""
    reason = getattr(error, "reason", None) or ""
    return isinstance(error, ssl.SSLError) and "ALERT" in reason and "PROTOCOL" not in reason


def refused_by_tls(place: str, error: ssl.SSLError) -> Misconfigured:
    """Say which side does not believe the other, and what mends it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Misconfigured(
            f"{place}: its certificate is not to be believed: {error.verify_message.rstrip('.')}; "
            "give the authority that signed it as ca, and as host a name that stands in it"
        )
    if refuses_certificate(error):
        return Misconfigured(
            f"{place} refuses this gateway's certificate "
            f"({(error.reason or '').lower().replace('_', ' ')}); let the device trust the "
            "authority that signed it, and see that it is not out of date"
        )
    return Misconfigured(
        f"{place} does not speak TLS 1.2 or later ({error.reason or error}); "
        'is this its secure port, or should transport be "tcp"?'
    )


def open_serial(device: str, baud: int, parity: str, stop_bits: int) -> Link:
    """Open a serial line for this process alone.

    Raises
    ------
    Unreachable
        When there is no such device, as when a converter is unplugged.
    Misconfigured
        When it may not be opened, is in use, or cannot be set as asked.
    """
    try:
        line = serial.Serial(
            device,
            baudrate=baud,
            parity=_PARITIES[parity],
            stopbits=stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except (OSError, ValueError, termios.error) as error:
        raise _unopened(device, error) from None
    return SerialLink(line)


class SerialLink(Link):
    """A serial line, read when the loop says so.

    Reads and writes go past pyserial: it would wait in a loop of its own for a line that is not
    ready.
    """

    def __init__(self, line: serial.Serial) -> None:
        super().__init__()
        self._line = line
        self._loop = asyncio.get_running_loop()
        self.cut = self.end = self._close
        self.send = self._write
        self._loop.add_reader(line.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._line.fileno(), UNREAD)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.data_received(data)
        else:
            self._close()

    def _write(self, data: bytes) -> None:
        try:
            sent = os.write(self._line.fileno(), data)
        except OSError as error:
            raise Lost(str(error)) from None
        if sent != len(data):
            raise Lost("the line takes no more bytes")

    def _close(self) -> None:
        if self._line.is_open:
            self._loop.remove_reader(self._line.fileno())
            self._line.close()
        self.connection_lost(Lost("the line is closed or unplugged"))


def _unopened(device: str, error: Exception) -> Unreachable | Misconfigured:
    number = getattr(error, "errno", None) or (error.args[0] if error.args else None)
    if number in (11, 16):
        return Misconfigured(f"{device} is in use; read all units of one line from one source")
    if number == 13:
        return Misconfigured(
            f"{device} may not be opened; add this gateway's user to the group that owns it, "
            "often dialout"
        )
    if number in (2, 5, 6, 19):
        return Unreachable(f"{device} is not there; is the converter plugged in?")
    return Misconfigured(f"{device} cannot be opened with these settings: {error}")
