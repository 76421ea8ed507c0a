"""The queue before a line: one request at a time, one attempt, and silence after a doubt."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.modbus.address import Table
from connectors.modbus.link import Link, Lost, refused_by_tls, refuses_certificate
from connectors.modbus.wire import TRANSACTIONS, Answer, Doubtful, Framing, Request, prove, read
from plant.quality import Status

_DAMAGED = (Status.BAD_COMMUNICATION_ERROR, Status.BAD_DECODING_ERROR)
_TURNS = 2
"""Of the loop, until whatever had come before them is read: one to notice it, one to take it."""
_BESIDES_DATA = 5
"""Bytes of an RTU answer around its data: unit, function, length, checksum."""


@dataclass(frozen=True, slots=True)
class Line:
    """A way to devices, and how to behave on it.

    Parameters
    ----------
    place
        Its name for people.
    open
        Connects once; raises `Unreachable` or `Misconfigured`.
    framing
        How requests and answers lie in the stream.
    timeout
        Longest wait for one answer, s.
    pause
        Silence that ends a frame (V1.02 §2.5.1.1), s.
    silence
        How long an answer may be late, after its timeout, without being taken for the next one, s;
        for framings whose answers carry no number.
    byte_s
        Time that one byte takes on the line, s; the timeout comes on top.
    kept
        Whether it stays open after a doubt.
    """

    place: str
    open: Callable[[], Awaitable[Link]]
    framing: Framing
    timeout: float
    pause: float = 0.0
    silence: float = 0.0
    byte_s: float = 0.0
    kept: bool = False


class Connection:
    """One line, opened when needed; requests from any number of tasks wait for one another.

    Every answer is checked against its request. As soon as anything is in doubt, a connection is
    reset (RST) and a serial line is listened to in silence, so that nothing old can become an
    answer.
    """

    def __init__(self, line: Line) -> None:
        prove()
        self._line = line
        self._link: Link | None = None
        self._queue = asyncio.Lock()
        self._quiet_until = 0.0
        self._opened = False
        self._unheard = False
        self._owed: dict[int, float] = {}
        """Until when a unit that said nothing may still answer, monotonic s, by its number."""
        self._latest = Answer(Status.BAD_WAITING_FOR_INITIAL_DATA)
        self._sent = 0.0
        self.round_trip_s: float | None = None
        # Goes on over connections and processes: a gateway may send what it owes to an old
        # connection into the new one, and that must not carry a number in use.
        self._transaction = time.monotonic_ns() % TRANSACTIONS

    @property
    def link(self) -> Link | None:
        """The open link, if there is one."""
        return self._link

    async def open(self) -> None:
        """Connect once, or raise `Unreachable` or `Misconfigured`."""
        self.reset()
        self._link = await self._line.open()
        if not self._opened:
            # What an earlier process asked may still be answered.
            self._doubt(time.monotonic())
        self._opened = True

    def reset(self) -> None:
        """Close at once (RST): what is still under way is neither sent nor received."""
        link, self._link = self._link, None
        if link is not None:
            link.cut()

    def close(self) -> None:
        """Close politely, unless a request is under way."""
        if self._link is not None and not self._queue.locked():
            self._link.end()
            self._link = None
        self.reset()

    async def ask(
        self, unit: int, table: Table, start: int, count: int, *, mute: bool = False
    ) -> Answer:
        """Read registers or bits.

        With `mute`, for a unit that is not expected to answer, the silence after a timeout holds
        for this unit alone: its answer, should it still come, can be taken for no other unit's.

        A connection that the other side has closed is opened again once, and what was damaged on
        its way is asked again once. A timeout is not, but for the second in a row on RTU: to the
        other units the first request still waits for its answer, and some take the next request
        for that and ignore it.

        Raises
        ------
        Unreachable, Misconfigured
            When the line cannot be opened again.
        """
        request = read(unit, table, start, count)
        async with self._queue:
            unheard = self._unheard
            answer = await self._attempt(request, mute)
            if answer.status in _DAMAGED or (unheard and self._unheard):
                answer = await self._attempt(request, mute)
            return answer

    async def write(self, request: Request) -> Answer:
        """Send a write once and compare its echo; never repeated, since nobody knows if it arrived.

        Only Good says that the device took note; after anything else the value is unknown.
        """
        async with self._queue:
            return await self._attempt(request)

    async def _attempt(self, request: Request, mute: bool = False) -> Answer:
        if self._link is None or self._link.lost or self._unasked(self._link):
            await self.open()
        answer = Answer(Status.BAD_TIMEOUT)
        try:
            answer = await self._exchange(request)
        finally:
            timed_out = answer.status is Status.BAD_TIMEOUT
            self._unheard = timed_out and not self._line.framing.numbered
            if not answer.heard or answer.status is Status.BAD_UNKNOWN_RESPONSE:
                now = time.monotonic()
                # Behind what nobody asked for, the answer itself may still come.
                strange = answer.status is Status.BAD_UNKNOWN_RESPONSE
                since = max(now, self._sent + self._line.timeout) if strange else now
                self._doubt(since, request.unit if mute and timed_out else None)
                if not self._line.kept:
                    self.reset()
        return answer

    async def _exchange(self, request: Request) -> Answer:
        link, line = self._link, self._line
        if link is None or not await self._settled(link, request.unit):
            return Answer(Status.BAD_DECODING_ERROR)
        self._transaction = self._transaction % TRANSACTIONS + 1
        frame = line.framing.frame(request, self._transaction)
        sending_s = (len(frame) + request.length + _BESIDES_DATA) * line.byte_s
        self._sent = asked = time.monotonic()
        try:
            async with asyncio.timeout(line.timeout + sending_s):
                link.send(frame)
                answer = await line.framing.answer(link.exactly, request, self._transaction)
        except TimeoutError:
            return Answer(Status.BAD_TIMEOUT)
        except Doubtful as doubt:
            return Answer(doubt.status)
        except (Lost, OSError) as error:
            return self._lost(error)
        self.round_trip_s = time.monotonic() - asked
        if not line.framing.numbered:
            await asyncio.sleep(line.pause)
        # With one request under way nothing may follow its answer: the frame may have broken off
        # and been completed by another one, of which this is the end.
        if not answer.doubled(link.drain()):
            return Answer(Status.BAD_DECODING_ERROR)
        self._latest = answer
        return answer

    def _unasked(self, link: Link) -> bool:
        """Tell whether something came that was not asked for, where that ends the connection."""
        return self._line.framing.numbered and not self._latest.doubled(link.drain())

    def _lost(self, error: Exception) -> Answer:
        self.reset()
        if isinstance(error, ssl.SSLError) and refuses_certificate(error):
            # TLS 1.3: a server refuses our certificate only after the handshake.
            raise refused_by_tls(self._line.place, error) from None
        return Answer(Status.BAD_COMMUNICATION_ERROR)

    def _doubt(self, since: float, unit: int | None = None) -> None:
        until = since + self._line.silence
        if unit is None or (self._link and self._link.heard > self._sent):
            self._quiet_until = max(self._quiet_until, until)
        else:
            self._owed[unit] = until

    async def _settled(self, link: Link, unit: int) -> bool:
        """Wait for the silence before a request; False on a line that does not fall silent."""
        if self._line.framing.numbered:
            return True
        if link.drain():
            self._doubt(link.heard)
        owed = self._owed.get(unit, 0.0)
        patience = max(time.monotonic(), self._quiet_until, owed) + self._line.timeout
        while (now := time.monotonic()) < patience:
            wait = max(self._quiet_until, owed, link.heard + self._line.pause) - now
            if wait > 0:
                await asyncio.sleep(wait)
                link.drain()
            elif not await _arrived(link):
                return True
        return False


async def _arrived(link: Link) -> bytes:
    """Take out what came while this process stood still: the system has it, the loop not yet."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    return link.drain()
