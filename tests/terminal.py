"""Signals as a terminal would have them: what started the tests may ignore some, as nohup does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def answering(number: signal.Signals, answer: signal.Handlers) -> Iterator[None]:
    """Have a signal answered so by this process, and by what it starts meanwhile."""
    before = signal.signal(number, answer)
    try:
        yield
    finally:
        signal.signal(number, before)
