"""How a session ends: in order, on Ctrl-C and on SIGTERM."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    """Set `stop` on Ctrl-C and SIGTERM, so that everything is committed before the end."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
