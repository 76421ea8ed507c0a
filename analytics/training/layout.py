"""Windows laid out again as rows of the grid, from which a watch learns what raw rows look like.

A window says how many samples it held, their mean, deviation, extremes, first and last. The rows
that are made of it have exactly that mean, deviation, first and last, as far as the resolution of
the sensor allows. What lies between is drawn: the slow course runs through the means of the
windows, and around it goes noise that is made of what first and last samples showed around theirs.
Those are real samples of one instant, so the noise keeps what the signals do together; the last
sample of a window and the first of the next are neighbours, so they tell how much of the noise one
row hands to the next. Drawn is it from the hash of the windows: the same windows give the same
rows.

Noise with that memory is autoregressive (Yule 1927), tied to the first and the last sample by
conditioning on both (a bridge).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.scaling import quantum

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

MEMORY = 0.98
"""Largest share of its noise that a row is believed to hand to the next."""
FEWEST = 8
"""Pairs of neighbouring windows from which that share is told; with fewer it is none."""
PASSES = 3
"""Times that extremes, mean and deviation of a window are set right one after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Windows of one mode that follow each other without a hole.

    Parameters
    ----------
    mean, std, low, high, first, last
        Of each window and signal (k, p), in the signals' units; NaN for a signal that is silent.
    """

    mean: Columns
    std: Columns
    low: Columns
    high: Columns
    first: Columns
    last: Columns

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.mean)


def slow_course(mean: Columns, rows: int) -> Columns:
    """Give the course (k, rows, p) through the means (k, p) of windows that follow each other.

    Straight from the middle of a window to the middle of the next; its mean over a window is the
    window's.

    Examples
    --------
    >>> slow_course(np.array([[0.0], [2.0]]), 2)[:, :, 0].tolist()
    [[-0.25, 0.25], [1.75, 2.25]]
    """
    before = np.concatenate((mean[:1], mean[:-1]))[:, None, :]
    after = np.concatenate((mean[1:], mean[-1:]))[:, None, :]
    way = ((np.arange(rows) + 0.5) / rows - 0.5)[None, :, None]
    here = mean[:, None, :]
    course = here + np.where(way < 0, (here - before) * way, (after - here) * way)
    course += here - course.mean(axis=1, keepdims=True)
    return np.asarray(course, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """What is fast in a mode: noise that was seen, and how much of it a row hands to the next.

    Parameters
    ----------
    seen
        First and last samples around the slow course (n, p), each row of one instant.
    memory
        Correlation (p,) of the noise of neighbouring rows.
    """

    seen: Columns
    memory: Columns

    @classmethod
    def of(cls, stretches: list[Stretch], rows: int) -> Self:
        """Learn it from all stretches of a mode, of windows of so many rows."""
        courses = [slow_course(each.mean, rows) for each in stretches]
        first = [each.first - slow[:, 0] for each, slow in zip(stretches, courses, strict=True)]
        last = [each.last - slow[:, -1] for each, slow in zip(stretches, courses, strict=True)]
        before = np.concatenate([each[:-1] for each in last])
        after = np.concatenate([each[1:] for each in first])
        seen = np.nan_to_num(np.concatenate([*first, *last]))
        return cls(seen, _memory(np.nan_to_num(before), np.nan_to_num(after)))

    def draw(self, windows: int, rows: int, random: np.random.Generator) -> Columns:
        """Draw noise (windows, rows, p) with that memory, each window by itself."""
        chosen = random.integers(0, len(self.seen), (windows, rows))
        noise: Columns = self.seen[chosen]
        fresh = np.sqrt(1 - self.memory**2)
        for row in range(1, rows):
            noise[:, row] = self.memory * noise[:, row - 1] + fresh * noise[:, row]
        return noise

    def bridge(self, rows: int) -> tuple[Columns, Columns]:
        """Give how a known first and a known last row pull at each row between (rows, p)."""
        place, last = np.arange(rows)[:, None], rows - 1
        memory = np.maximum(self.memory, 1e-3)[None, :]
        whole = 1 - memory ** (2 * last)
        begin = (memory**place - memory ** (2 * last - place)) / whole
        end = (memory ** (last - place) - memory ** (last + place)) / whole
        return begin, end


def _memory(before: Columns, after: Columns) -> Columns:
    """Give the correlation (p,) of neighbours (n, p), 0 to `MEMORY`."""
    if len(before) < FEWEST:
        return np.zeros(before.shape[1])
    both = (before * after).sum(axis=0)
    size = np.sqrt((before**2).sum(axis=0) * (after**2).sum(axis=0))
    share = np.divide(both, size, out=np.zeros_like(both), where=size > 0)
    return np.asarray(np.clip(share, 0.0, MEMORY), np.float64)


def resolution(stretches: list[Stretch]) -> Columns:
    """Give the step (p,) in which each signal is told; 0 for a fine one."""
    said = [part for each in stretches for part in (each.first, each.last, each.low, each.high)]
    return quantum(np.concatenate(said))


def lay_out(
    stretch: Stretch,
    rows: int,
    texture: Texture,
    step: Columns,
    random: np.random.Generator,
) -> Columns:
    """Lay the windows of a stretch out as rows (k · rows, p).

    Parameters
    ----------
    rows
        Rows of a window, 1 or more. With one the row is the window's last sample.
    step
        Resolution of each signal (p,), see `resolution`.
    """
    if rows < 3:
        return np.repeat(stretch.last, rows, axis=0)
    silent = np.isnan(stretch.mean)
    course = slow_course(stretch.mean, rows)
    noise = texture.draw(len(stretch), rows, random)
    begin, end = texture.bridge(rows)
    early = (stretch.first - course[:, 0] - noise[:, 0])[:, None, :]
    late = (stretch.last - course[:, -1] - noise[:, -1])[:, None, :]
    laid = course + noise + begin * early + end * late
    _set_right(laid, stretch)
    rounded = np.where(step > 0, np.rint(laid / np.where(step > 0, step, 1.0)) * step, laid)
    rounded[:, 0], rounded[:, -1] = stretch.first, stretch.last
    rounded = np.where(silent[:, None, :], np.nan, rounded)
    return np.asarray(rounded.reshape(-1, rounded.shape[2]), np.float64)


def _set_right(laid: Columns, stretch: Stretch) -> None:
    """Give rows (k, rows, p) between the first and the last, in place, what the windows say."""
    rows = laid.shape[1]
    inner, count = laid[:, 1:-1], rows - 2
    ends = stretch.first + stretch.last
    mean = (rows * stretch.mean - ends) / count
    # around the mean of the window: squares of large values would lose what is small
    away = (stretch.first - stretch.mean) ** 2 + (stretch.last - stretch.mean) ** 2
    left = (rows * stretch.std**2 - away) / count - (mean - stretch.mean) ** 2
    spread = np.sqrt(np.maximum(left, 0.0))
    for _ in range(PASSES):
        now = inner.mean(axis=1)
        size = inner.std(axis=1)
        grown = np.divide(spread, size, out=np.zeros_like(size), where=size > 0)
        inner[:] = mean[:, None] + (inner - now[:, None]) * grown[:, None]
        np.clip(inner, stretch.low[:, None], stretch.high[:, None], out=inner)
