"""A slower processor: a process that is stopped and continued many times a second."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PERIOD_S = 0.05


@contextmanager
def throttled(pid: int, share: float) -> Iterator[None]:
    """Let the process `pid` run for `share` of the time only; it runs freely afterwards."""
    ended = threading.Event()

    def toggle() -> None:
        while not ended.is_set():
            os.kill(pid, signal.SIGCONT)
            ended.wait(share * PERIOD_S)
            os.kill(pid, signal.SIGSTOP)
            ended.wait((1 - share) * PERIOD_S)

    thread = threading.Thread(target=toggle, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        os.kill(pid, signal.SIGCONT)
