"""What a row costs: the watch of one asset, row by row and in blocks, and many assets in turn."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.plants import healthy_plant
from analytics.gauges import TURN
from analytics.watch import Watch, WatchSettings

Columns = NDArray[np.float64]

SIGNALS, ASSETS = 64, 500
LEARNT, TIMED, BLOCK = 500, 4096, 64
"""Rows learnt before, rows timed, and rows of a block."""
SECONDS = 24
"""Rows of each of many assets: three times the eight after which a watch learns."""
SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Speed:
    """Processor time a row, score, alarm and learning in it.

    Parameters
    ----------
    alone, explained
        Median µs of a row that comes alone, with contributions at alarms and at every row; as the
        median of eight rows each, because one in eight learns for all of them.
    block
        Median µs of a row in a block of `BLOCK`, with contributions at every row.
    in_turn
        Mean µs of a row that comes alone, where many assets take turns: what one of them needs
        has left the caches when its next row comes.
    """

    alone: float
    explained: float
    block: float
    in_turn: float

    def share(self, assets: int) -> float:
        """Give the share of a core, in %, that so many assets take at one row a second."""
        return 100 * assets * self.in_turn / 1e6


def speed(seed: int, signals: int = SIGNALS, assets: int = ASSETS, rows: int = TIMED) -> Speed:
    """Time the watch of a healthy generated plant."""
    plant = healthy_plant(np.random.default_rng(seed), signals, LEARNT + rows)
    names = tuple(f"s{j}" for j in range(signals))
    settings = WatchSettings(learn_rows=LEARNT, settle_s=0.0)

    def watch() -> Watch:
        return Watch(names, ("",) * signals, settings)

    learnt = watch()
    learnt.judge(*_stretch(plant, 0, LEARNT))
    state = learnt.state()

    def again() -> Watch:
        made = watch()
        made.restore({name: value.copy() for name, value in state.items()})
        return made

    return Speed(
        alone=_alone(again(), plant, every=False),
        explained=_alone(again(), plant, every=True),
        block=_blocks(again(), plant),
        in_turn=_in_turn([again() for _ in range(assets)], plant),
    )


def _stretch(
    plant: Columns, begin: int, end: int
) -> tuple[NDArray[np.int64], Columns, NDArray[np.int64]]:
    at = np.arange(begin, end, dtype=np.int64) * SECOND
    return at, plant[begin:end], np.zeros(end - begin, np.int64)


def _alone(watch: Watch, plant: Columns, *, every: bool) -> float:
    def take(begin: int) -> None:
        for row in range(begin, begin + TURN):
            watch.judge_one(row * SECOND, plant[row], 0)
            if every or watch.alarmed:
                watch.contributions()

    return _median(take, range(LEARNT, len(plant) - TURN + 1, TURN)) / TURN


def _blocks(watch: Watch, plant: Columns) -> float:
    blocks = [_stretch(plant, begin, begin + BLOCK) for begin in range(LEARNT, len(plant), BLOCK)]
    spent = _median(lambda block: watch.judge(*blocks[block], explained=True), range(len(blocks)))
    return spent / BLOCK


def _median(take: Callable[[int], object], numbers: Iterable[int]) -> float:
    spent = []
    for number in numbers:
        begun = time.thread_time_ns()
        take(number)
        spent.append(time.thread_time_ns() - begun)
    return float(np.median(spent)) / 1e3


def _in_turn(watches: list[Watch], plant: Columns) -> float:
    parts = [_stretch(plant, row, row + 1) for row in range(LEARNT, LEARNT + SECONDS)]
    begun = time.thread_time_ns()
    for part in parts:
        for watch in watches:
            watch.judge(*part)
    return (time.thread_time_ns() - begun) / 1e3 / len(parts) / len(watches)
