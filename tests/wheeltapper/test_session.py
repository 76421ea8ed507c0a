"""A session ends in order on each signal that asks for it, and on none that is ignored."""

import asyncio
import contextlib
import os
import signal

import pytest

from tests.terminal import answering
from wheeltapper.session import SIGNALS, stopping_on_signals


async def heard(number: signal.Signals, within_s: float) -> bool:
    stop = asyncio.Event()
    with stopping_on_signals(stop), contextlib.suppress(TimeoutError):
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), within_s)
    return stop.is_set()


@pytest.mark.parametrize("number", SIGNALS)
def test_each_asks_for_the_end(number: signal.Signals) -> None:
    with answering(number, signal.SIG_DFL):
        assert asyncio.run(heard(number, 30))


def test_a_closed_terminal_ends_nothing_that_nohup_started() -> None:
    with answering(signal.SIGHUP, signal.SIG_IGN):
        assert not asyncio.run(heard(signal.SIGHUP, 0.05))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
