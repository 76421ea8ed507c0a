"""A Modbus device or line of units that can be told, at run time, how to misbehave.

Over TCP, RTU over TCP, and RTU on a pseudo terminal. It keeps a log of every request and of what it
did with it; the values that it sends tell where and when they were read, so that a wrong, swapped
or old one is known by itself.
"""

import asyncio
import os
import pty
import socket
import struct
import time
import tty
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Self

from connectors.simulated.hostile.modbus_frames import (
    Asked,
    Framing,
    Registers,
    request,
    request_length,
    telling_words,
)
from connectors.simulated.hostile.modbus_moods import HUSH, Memory, Mixed, Mood, Step, Turn, good

KEPT = 1_000_000
"""Requests in the log; older ones fall out."""
_READING = (1, 2, 3, 4)
_WRITING = (5, 6, 15, 16)
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_LONGEST_HEARD = 4096
_LATE_S, _HELD_UP_S = 0.01, 0.004
_SHORTEST = 8
"""Bytes of the shortest answer; less is a piece of one."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what became of it: the mood's name; "absent", "refused" or "written" without.

    Of a write of one register or coil, `Asked.count` is the value. Nothing keeps what is written.
    """

    asked: Asked
    mood: str


@dataclass
class Behaviour:
    """How the units answer; everything may be changed at any time.

    Parameters
    ----------
    mood
        Of every unit that `moods` does not name.
    moods
        By unit.
    absent
        Units that say nothing.
    holes
        Addresses by unit that are refused as illegal, with any request that touches them.
    most
        Registers or bits in one request; more are refused as an illegal value.
    registers
        What a right answer holds.
    pace_s
        Time that each answer takes, s.
    """

    mood: Mood | Mixed = good
    moods: dict[int, Mood | Mixed] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    holes: dict[int, set[int]] = field(default_factory=dict)
    most: int = 2000
    registers: Registers = telling_words
    pace_s: float = 0.0

    def answer(self, asked: Asked, memory: Memory) -> tuple[str, list[Step]]:
        """Give the mood's name and the steps of an answer."""
        if asked.unit in self.absent:
            return "absent", []
        refusal = self._refusal(asked)
        if refusal:
            return "refused", [(self.pace_s, asked.refusal(refusal))]
        if asked.function in _WRITING:
            echo = asked.start.to_bytes(2, "big") + asked.count.to_bytes(2, "big")
            return "written", [(self.pace_s, asked.frame(echo))]
        mood = self.moods.get(asked.unit, self.mood)
        if isinstance(mood, Mixed):
            mood = mood.choose(memory.random)
        steps = mood(Turn(asked, self.registers(asked), memory))
        name = getattr(mood, "__name__", type(mood).__name__)
        return name, [(wait + self.pace_s * (i == 0), data) for i, (wait, data) in enumerate(steps)]

    def _refusal(self, asked: Asked) -> int:
        if asked.function in _WRITING:
            return 0
        if asked.function not in _READING:
            return _ILLEGAL_FUNCTION
        if not 0 < asked.count <= self.most:
            return _ILLEGAL_VALUE
        wanted = range(asked.start, asked.start + asked.count)
        holes = self.holes.get(asked.unit, ())
        return _ILLEGAL_ADDRESS if any(hole in wanted for hole in holes) else 0


class _Line:
    """One connection, or the one serial line."""

    def __init__(self, device: "HostileModbus", send: Callable[[bytes | None], None]) -> None:
        device.lines += 1
        self.number = device.lines
        self._device = device
        self._send = send
        self._heard = b""
        self._late: set[asyncio.Task[None]] = set()
        self._hushed = False

    @property
    def quiet(self) -> bool:
        """Whether no answer is half sent."""
        return not self._late and not self._hushed

    def hear(self, data: bytes) -> None:
        """Take what came in; the rest of a request may follow."""
        self._heard += data
        framing = self._device.framing
        while (size := request_length(framing, self._heard)) and len(self._heard) >= size:
            frame, self._heard = self._heard[:size], self._heard[size:]
            # On a serial line an answer that broke off is over when the next request comes.
            self._hushed = self._hushed and framing is Framing.TCP
            self._do(self._device.note(frame, self.number))
        self._heard = self._heard[-_LONGEST_HEARD:]

    def say(self, data: bytes | None) -> None:
        """Send, unless an answer broke off before."""
        if not self._hushed:
            self._send(data)
        self._hushed = self._hushed or data == HUSH

    def end(self) -> None:
        """Send nothing more."""
        for task in self._late:
            task.cancel()

    def _do(self, steps: Sequence[Step]) -> None:
        for done, (wait, data) in enumerate(steps):
            if wait:
                task = asyncio.create_task(self._later(steps[done:]))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                return
            self.say(data)

    async def _later(self, steps: Sequence[Step]) -> None:
        for wait, data in steps:
            due = time.monotonic() + wait
            await asyncio.sleep(wait)
            held_up_s = time.monotonic() - due
            if self._device.framing is Framing.RTU and wait > _LATE_S and held_up_s > _HELD_UP_S:
                # This process stood still. Where no number tells an old answer, one that is later
                # than was meant would break a promise which the reader builds on.
                return
            self.say(data)


class _Link(asyncio.Protocol):
    """A TCP connection."""

    def __init__(self, device: "HostileModbus") -> None:
        self._device = device

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # of a socket
        self.line = _Line(self._device, self._send)
        self._device.links[self] = None

    def data_received(self, data: bytes) -> None:
        self.line.hear(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._device.links.pop(self, None)

    def abort(self) -> None:
        """Reset the connection."""
        link = self._transport.get_extra_info("socket")
        with suppress(OSError):
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _send(self, data: bytes | None) -> None:
        if data is None:
            self.abort()
        elif not self._transport.is_closing():
            self._transport.write(data)
        else:
            self._device.cross(data)


class HostileModbus:
    """The device. Enter it; `stop` and `start` take it off the net and back, at one port.

    Parameters
    ----------
    behaviour
        How it answers.
    framing
        What it speaks.
    serial
        On a pseudo terminal, whose name is `device` then, instead of on a TCP port.
    seed
        Of its dice.

    Attributes
    ----------
    port : int
        TCP port on 127.0.0.1.
    device : str
        Path of the pseudo terminal.
    log : deque of Exchange
        Every request, in the order of arrival.
    lines : int
        Connections so far.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        framing: Framing = Framing.TCP,
        serial: bool = False,
        seed: int = 0,
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.framing = Framing.RTU if serial else framing
        self.memory = Memory(Random(seed))  # noqa: S311
        self.log: deque[Exchange] = deque(maxlen=KEPT)
        self.asked = 0
        self.lines = 0
        self.links: dict[_Link, None] = {}
        self.port = 0
        self.device = ""
        self._serial = serial
        self._server: asyncio.Server | None = None
        self._ends: tuple[int, int] | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        if self._serial:
            self._open_terminal()
        else:
            await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Go away."""
        await self.stop()
        if self._ends:
            asyncio.get_running_loop().remove_reader(self._ends[0])
            self._terminal.end()
            for end in self._ends:
                os.close(end)

    async def start(self) -> None:
        """Listen, at the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Link(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections and reset those that stand."""
        if self._server:
            self._server.close()
        for link in list(self.links):
            link.line.end()
            link.abort()
        await asyncio.sleep(0)

    def note(self, frame: bytes, line: int) -> Sequence[Step]:
        """Log a request and give the steps of its answer."""
        self.asked += 1
        asked = request(frame, self.framing, self.asked, time.time_ns(), line)
        name, steps = self.behaviour.answer(asked, self.memory)
        self.log.append(Exchange(asked, name))
        return steps

    def cross(self, frame: bytes) -> None:
        """Send what is owed to an ended connection into the newest one, as some gateways do."""
        newest = next(reversed(self.links), None)
        whole = len(frame) > _SHORTEST and newest is not None and newest.line.quiet
        if newest is not None and whole:
            newest.line.say(frame)

    def moods(self) -> Counter[str]:
        """Count the requests in the log by what became of them."""
        return Counter(exchange.mood for exchange in self.log)

    def _open_terminal(self) -> None:
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        self._ends = ours, theirs
        self.device = os.ttyname(theirs)
        self._terminal = _Line(self, self._write)
        asyncio.get_running_loop().add_reader(ours, self._hear)

    def _hear(self) -> None:
        if self._ends:
            self._terminal.hear(os.read(self._ends[0], 4096))

    def _write(self, data: bytes | None) -> None:
        if self._ends and data:
            os.write(self._ends[0], data)
