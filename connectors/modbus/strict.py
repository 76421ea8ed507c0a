"""A connection for writing: one request under way, and anything strange is its end."""

import asyncio
import time

from connectors.modbus.connection import Line
from connectors.modbus.link import Link, Lost
from connectors.modbus.wire import TRANSACTIONS, Answer, Request, TcpFraming, prove
from connectors.modbus.wire import Doubtful as Unreadable
from connectors.sockets import never_late, polite, reached
from plant.errors import Unreachable
from plant.quality import Status, status_name
from plant.setpoints import Doubtful


class StrictConnection:
    """Opens once. It is reset (RST) at the first doubt and never opened again.

    Parameters
    ----------
    line
        A way whose answers carry the number of their request.
    patience_s
        Longest wait for one answer, s.
    """

    def __init__(self, line: Line, patience_s: float) -> None:
        prove()
        self._line = line
        self._patience_s = patience_s
        self._framing = TcpFraming(strangers=1)
        self._link: Link | None = None
        self.device = ("", 0)
        """Address and port that it has come to."""
        self._transaction = time.monotonic_ns() % TRANSACTIONS

    @property
    def alive(self) -> bool:
        """Whether it stands, so far as is known here."""
        return self._link is not None and not self._link.lost

    async def open(self) -> None:
        """Connect, or raise `Unreachable` or `Misconfigured`."""
        self._link = await self._line.open()
        if self._link.stream is not None:
            never_late(self._link.stream)
            self.device = reached(self._link.stream)

    def cut(self) -> None:
        """Reset: what is still under way is neither sent nor received."""
        link, self._link = self._link, None
        if link is not None:
            link.cut()

    def close(self) -> None:
        """Take leave; nothing may be under way."""
        link, self._link = self._link, None
        if link is not None and not link.lost and link.stream is not None:
            polite(link.stream)
            link.end()

    async def ask(self, request: Request) -> Answer:
        """Send a request once and check its answer: number, unit, function, length, echo.

        Returns
        -------
        Answer
            Good, or what the device refused it with.

        Raises
        ------
        Unreachable
            The connection had ended before; nothing was sent.
        Doubtful
            No answer in time, or what came is none. The connection was reset.
        """
        link = self._link
        if link is None or link.lost or link.drain():
            self.cut()
            raise Unreachable(f"{self._line.place}: the connection has ended; nothing was sent")
        self._transaction = self._transaction % TRANSACTIONS + 1
        frame = self._framing.frame(request, self._transaction)
        try:
            async with asyncio.timeout(self._patience_s):
                link.send(frame)
                answer = await self._framing.answer(link.exactly, request, self._transaction)
            extra = not answer.doubled(link.drain())
        except (TimeoutError, Unreadable, Lost, OSError) as error:
            self.cut()
            raise Doubtful(f"{self._line.place}: {_why(error)}; reset") from error
        except BaseException:
            self.cut()
            raise
        if extra or (answer.status is Status.BAD_UNKNOWN_RESPONSE and not answer.exception):
            self.cut()
            raise Doubtful(f"{self._line.place}: the answer does not fit the request; reset")
        return answer


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, Unreadable):
        return f"what came is no answer to it ({status_name(error.status)})"
    return f"the connection ended before the answer ({error})"
