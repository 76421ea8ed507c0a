"""Long batches are judged in turns, beside one another.

What a server had queued for a minute holds hundreds of samples of one tag, and the state of a tag
moves from sample to sample: such a batch takes as long as if they had come one by one. In turns it
holds nobody up, and the batches of ten sources that return together take hardly longer than one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.passes import occurrence_passes
from plant.samples import Batch

TURN = 8
"""Samples of one tag that are judged at once."""

Verdict = NDArray[np.uint8]
Judge = Callable[
    [NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]], Verdict
]


@dataclass(slots=True, eq=False)
class _Sitting:
    """One batch, the turns that it still needs, and who waits for its end."""

    batch: Batch
    conclude: Callable[[Verdict], None]
    over: asyncio.Future[None]
    turns: list[NDArray[np.intp]]
    verdict: Verdict = field(init=False)

    def __post_init__(self) -> None:
        self.verdict = np.zeros(len(self.batch), np.uint8)


class Backlog:
    """Judges the long batches of all sources, one turn each in every turn of the loop.

    Parameters
    ----------
    judge
        Gives the verdicts of samples; no tag belongs to two sources.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._sittings: list[_Sitting] = []
        self._entry = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def judge(self, batch: Batch, conclude: Callable[[Verdict], None]) -> None:
        """Judge a long batch; `conclude` is called with the verdicts as soon as there are all.

        Between the first turn and that call the state is no fold of the journal. So whoever is
        cancelled in between goes on to the end at once.
        """
        over = asyncio.get_running_loop().create_future()
        async with self._entry:
            self._sittings.append(_Sitting(batch, conclude, over, turns_of(batch.tag)))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="backlog")
        task = self._task
        try:
            await asyncio.wait({over, task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.finish()
            raise
        if not over.done() or over.cancelled():
            await task

    def finish(self) -> None:
        """Judge whatever is under way to its end, without letting anybody else in."""
        while self._sittings:
            self._turn()

    async def between(self, call: Callable[[], None]) -> None:
        """Make a call when no batch is half judged; new ones wait for it."""
        async with self._entry:
            if self._sittings:
                await asyncio.wait([sitting.over for sitting in self._sittings])
            call()

    async def _run(self) -> None:
        try:
            while self._sittings:
                self._turn()
                await asyncio.sleep(0)
        finally:
            for sitting in self._sittings:
                sitting.over.cancel()
            self._sittings.clear()

    def _turn(self) -> None:
        sittings = list(self._sittings)
        parts = [sitting.turns.pop(0) for sitting in sittings]
        columns = zip(*map(_columns, sittings, parts), strict=True)
        tag, at, value, status = (np.concatenate(column) for column in columns)
        ends = np.cumsum([len(part) for part in parts])
        verdicts = np.split(self._judge(tag, at, value, status), ends[:-1])
        for sitting, part, verdict in zip(sittings, parts, verdicts, strict=True):
            sitting.verdict[part] = verdict
            if not sitting.turns:
                self._sittings.remove(sitting)
                sitting.conclude(sitting.verdict)
                sitting.over.set_result(None)


def _columns(sitting: _Sitting, part: NDArray[np.intp]) -> tuple[NDArray[np.generic], ...]:
    batch = sitting.batch
    return batch.tag[part], batch.at[part], batch.value[part], batch.status[part]


def is_long(tag: NDArray[np.int32]) -> bool:
    """Tell whether samples are too many of one tag to be judged at once.

    Examples
    --------
    >>> is_long(np.array([1, 2] * TURN, np.int32)), is_long(np.array([1] * 9 + [2], np.int32))
    (False, True)
    """
    return len(tag) > TURN and int(np.bincount(tag).max()) > TURN


def turns_of(tag: NDArray[np.int32]) -> list[NDArray[np.intp]]:
    """Give the positions of samples turn by turn: at most `TURN` of each tag, in their order.

    Examples
    --------
    >>> [part.tolist() for part in turns_of(np.array([1] * 9 + [2], np.int32))]
    [[0, 1, 2, 3, 4, 5, 6, 7, 9], [8]]
    """
    passes = list(occurrence_passes(tag.astype(np.intp)))
    return [np.sort(np.concatenate(passes[i : i + TURN])) for i in range(0, len(passes), TURN)]
