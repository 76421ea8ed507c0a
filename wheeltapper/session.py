"""How a session ends: in order, on Ctrl-C, on SIGTERM, and when its terminal is closed."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_sigterm(code: int) -> None:
    """End in order at SIGTERM, with an exit code, what runs in no event loop.

    Else nothing that stands behind is done; and the first process of a container has no other
    answer to it, and goes on.
    """

    def asked(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(code)

    signal.signal(signal.SIGTERM, asked)


@contextmanager
def stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` on each of `SIGNALS`, so that everything is committed before the end.

    One that is ignored stays so: what nohup started goes on when its terminal is closed.
    """
    loop = asyncio.get_running_loop()
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
