"""Rows of the grid from the windows of a course: what a watch is taught with, or judges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.training.course import Course
from analytics.training.layout import Stretch, Texture, lay_out, resolution
from analytics.training.sampling import MODE_ROWS, sample
from analytics.training.selection import Selection

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows (n, p) in time order, with source time, ns, and mode (n,).

    A row that only says that a mode was entered has no value.
    """

    at: NDArray[np.int64]
    value: Columns
    mode: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.at)

    def first(self, count: int) -> "Rows":
        """Give the first so many."""
        return Rows(self.at[:count], self.value[:count], self.mode[:count])

    def between(self, start: int, stop: int) -> "Rows":
        """Give those of ``start <= at < stop``, ns."""
        part = slice(*np.searchsorted(self.at, [start, stop]).tolist())
        return Rows(self.at[part], self.value[part], self.mode[part])


def rows_of(
    course: Course,
    selection: Selection,
    chosen: list[tuple[int, int]],
    signals: int,
    grid: int,
) -> Rows:
    """Lay out pieces of a course, each of one mode, as rows every `grid` ns.

    Parameters
    ----------
    chosen
        Begin and end of each piece, in time order.
    signals
        Number of signals: the first columns of the course.
    """
    count = max(1, course.every // grid)
    stretches = [course.stretch(begin, end, signals) for begin, end in chosen]
    by_mode: dict[int, list[Stretch]] = {}
    for (begin, _), stretch in zip(chosen, stretches, strict=True):
        by_mode.setdefault(int(selection.mode[begin]), []).append(stretch)
    textures = {mode: Texture.of(each, count) for mode, each in by_mode.items()}
    step = resolution(stretches) if stretches else np.zeros(signals)
    random = np.random.default_rng(int(course.digest(chosen), 16))
    times, values, modes = [], [], []
    within = np.arange(count, dtype=np.int64) * grid
    for (begin, end), stretch in zip(chosen, stretches, strict=True):
        mode = int(selection.mode[begin])
        at = (course.at[begin:end, None] + within).ravel()
        laid = lay_out(stretch, count, textures[mode], step, random)
        laid[:, selection.silent] = np.nan
        entered = int(selection.entered[begin - 1]) if begin else -1
        if entered >= 0 and int(selection.mode[begin - 1]) == mode:
            on_grid = -(-entered // grid) * grid
            if on_grid < at[0]:
                at = np.concatenate(([on_grid], at))
                laid = np.concatenate((np.full((1, signals), np.nan), laid))
        times.append(at)
        values.append(laid)
        modes.append(np.full(len(at), mode, np.int64))
    if not times:
        return Rows(np.empty(0, np.int64), np.empty((0, signals)), np.empty(0, np.int64))
    return Rows(np.concatenate(times), np.concatenate(values), np.concatenate(modes))


def sampled(
    selection: Selection, begin: int, end: int, rows: int, most: int = MODE_ROWS
) -> list[tuple[int, int]]:
    """Choose pieces of healthy windows `begin` to `end`, enough of each mode; see `sampling`."""
    pieces = selection.pieces(selection.healthy, begin, end)
    by_mode: dict[int, list[tuple[int, int]]] = {}
    for piece in pieces:
        by_mode.setdefault(int(selection.mode[piece[0]]), []).append(piece)
    return sorted(one for each in by_mode.values() for one in sample(each, rows, most))
