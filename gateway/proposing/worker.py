"""A thread of its own for each proposer: one that never returns holds up nobody else."""

import asyncio
import ctypes
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Abandoned(BaseException):
    """Raised within a call that is not waited for any more."""


class Worker:
    """Runs the calls of one proposer, one at a time.

    Parameters
    ----------
    name
        Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Callable[..., None]] | None]
        self._calls = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._work, name=f"proposer {name}", daemon=True
        )  # no interpreter waits for it when it ends
        self.busy = False

    async def run(self, call: Callable[[], T], most_s: float) -> T:
        """Run a call and give its result.

        Raises
        ------
        TimeoutError
            It takes longer; it is still running then, and `busy` says so until it has ended.
        Exception
            Whatever the call raises.
        """
        if not self._thread.ident:
            self._thread.start()
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()

        def tell(value: Any, error: BaseException | None) -> None:
            self.busy = False
            if ended.done():
                return
            if error is None:
                ended.set_result(value)
            else:
                ended.set_exception(error)

        def end(value: Any, error: BaseException | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, value, error)

        self.busy = True
        self._calls.put((call, end))
        async with asyncio.timeout(most_s):
            return await ended

    def abandon(self) -> None:
        """End the thread: at once when it waits, at its next step in Python when it works.

        A call that hangs outside Python stays where it is until that returns; it costs a thread.
        """
        self._calls.put(None)
        if self.busy and self._thread.ident:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(Abandoned)
            )

    def _work(self) -> None:
        try:
            while (task := self._calls.get()) is not None:
                call, end = task
                try:
                    value = call()
                except Exception as error:  # noqa: BLE001 - whoever waits for the call is told of it
                    end(None, error)
                else:
                    end(value, None)
        except Abandoned:
            return
