"""A session ends in order on each signal that asks for it, and on none that is ignored."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from wheeltapper.session import SIGNALS, stopping_on_signals


@pytest.fixture
def ignored() -> Iterator[None]:
    """As nohup starts a program."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


async def heard(number: signal.Signals) -> bool:
    stop = asyncio.Event()
    with stopping_on_signals(stop):
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.05)
    return stop.is_set()


@pytest.mark.parametrize("number", SIGNALS)
def test_each_asks_for_the_end(number: signal.Signals) -> None:
    assert asyncio.run(heard(number))


@pytest.mark.usefixtures("ignored")
def test_a_closed_terminal_ends_nothing_that_nohup_started() -> None:
    assert not asyncio.run(heard(signal.SIGHUP))
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
