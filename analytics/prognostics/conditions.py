"""Operating conditions, found from the data and taken out of the signals.

A column that describes how a machine is run (load, altitude, speed) does not age with it, yet
other columns follow it. Both are tested on run-to-failure histories: no level or spread that moves
from the first quarter of the lives to the last, and a share of the others' early variation that it
explains on histories it was not fitted on. A tree cuts the conditions into cells (discrete regimes
or pieces of a continuous range); within a cell each signal is a mean, or a line where lines explain
more. What is left of a signal, in units of its spread within the cell, is what can be wear
(residuals by operating regime: Wang et al., PHM 2008; Heimes 2008).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.prognostics.trees import FlatTrees, State, from_tree
from plant.errors import Rejected

Columns = NDArray[np.float64]
Mask = NDArray[np.bool_]

ALPHA = 1e-3
"""A column ages when chance moves it so far in fewer than so many plants."""
EXPLAINS = 0.1
"""A condition is real when it explains so much of some signal's early variance elsewhere."""
WORSE = 1.1
"""Fewer cells are taken as long as the error stays within this factor of the best."""
CELLS = (2, 3, 4, 5, 6, 8, 12, 16, 24, 32)
TRIED = ((1, True), (6, False), (24, False))
"""Cells and lines by which columns are compared."""
CANDIDATES = 8
"""Steady columns that are tried together, the best ones alone first."""
MOST_ROWS = 8_000
"""Rows that are enough to find conditions."""


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """Turns rows into residuals, free of the operating condition.

    Parameters
    ----------
    columns
        Positions of the columns that tell the condition (c,); may be empty.
    cells
        From these columns to the number of a cell; None when there is one cell.
    centre, scale
        Of the condition columns (c,), for the lines.
    lines
        Level and slopes of each signal in each cell (cells, 1 + c, p).
    spread
        Standard deviation of each signal in each cell over whole lives (cells, p).
    """

    columns: NDArray[np.intp]
    cells: FlatTrees | None
    centre: Columns
    scale: Columns
    lines: Columns
    spread: Columns

    def residuals(self, rows: Columns) -> Columns:
        """Give rows (n, p) free of condition, in spreads (n, p); pure, row by row."""
        told = rows[:, self.columns]
        cell: NDArray[np.intp] | int = 0
        if self.cells is not None:
            cell = np.rint(self.cells.predict(told)).astype(np.intp)
        out = rows - self.lines[cell, 0]
        for j in range(len(self.columns)):
            slope = self.lines[cell, 1 + j]
            out -= ((told[:, j] - self.centre[j]) / self.scale[j])[:, None] * slope
        residuals: Columns = out / self.spread[cell]
        return residuals

    def state(self) -> dict[str, NDArray[Any]]:
        """Give the conditions as arrays."""
        known: dict[str, NDArray[Any]] = {
            "columns": self.columns.astype(np.int64),
            "centre": self.centre,
            "scale": self.scale,
            "lines": self.lines,
            "spread": self.spread,
        }
        if self.cells is not None:
            known |= {f"cells.{name}": value for name, value in self.cells.state().items()}
        return known

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same conditions again; Rejected when the arrays do not fit together."""
        columns = np.asarray(state["columns"], np.intp)
        lines, spread = state["lines"], state["spread"]
        cells = None
        if "cells.size" in state:
            head = len("cells.")
            part = {name[head:]: v for name, v in state.items() if name.startswith("cells.")}
            cells = FlatTrees.restore(part)
        number = 1 if cells is None else round(float(cells.value.max())) + 1
        fits = (
            lines.ndim == 3
            and lines.shape[:2] == (number, 1 + len(columns))
            and spread.shape == (number, lines.shape[2])
            and bool(((columns >= 0) & (columns < lines.shape[2])).all())
            and state["centre"].shape == state["scale"].shape == columns.shape
            and (cells is None or (cells.width == len(columns) and cells.value.min() >= 0))
            and all(np.isfinite(state[name]).all() for name in ("centre", "lines"))
            and bool((spread > 0).all() and (state["scale"] > 0).all())
        )
        if not fits:
            raise Rejected("the arrays of the operating conditions do not fit together")
        return cls(columns, cells, state["centre"], state["scale"], lines, spread)


def find_conditions(runs: Sequence[Columns], seed: int) -> Conditions:
    """Find the operating conditions in run-to-failure histories (n_i, p) without holes.

    Without a column that qualifies there is one cell: each signal is centred and scaled.
    """
    rows = np.vstack(runs)
    centre, scale = rows.mean(axis=0), _floored(rows.std(axis=0), rows)
    scaled = [(run - centre) / scale for run in runs]
    steady = ageing(scaled) > ALPHA
    if steady.all():
        steady = ~_hidden(runs, seed)
    while steady.any() and not steady.all():
        choice = _choose(scaled, np.flatnonzero(steady), np.flatnonzero(~steady), seed)
        if choice is None:
            break
        found = _fit(runs, *choice, seed)
        # a signal can hide its wear behind the swings of the condition: look again without them
        aged = ageing([found.residuals(run) for run in runs]) <= ALPHA
        aged[choice[0]] &= ageing(_within(found, runs, choice[0])) <= ALPHA
        if not (aged & steady).any():
            return found
        steady &= ~aged
    return _fit(runs, np.zeros(0, np.intp), 1, False, seed)


def _hidden(runs: Sequence[Columns], seed: int) -> Mask:
    """Say which columns (p,) age within the cells of one other column, when none ages openly.

    Of the columns whose cells uncover wear the one that uncovers the least is taken: cells cut by a
    signal that wears itself are left late in life, and then everything seems to age.
    """
    aged = np.zeros(runs[0].shape[1], np.bool_)
    fewest = np.inf
    for j in range(len(aged)):
        found = _fit(runs, np.array([j]), CELLS[-1], False, seed)
        now = ageing([found.residuals(run) for run in runs]) <= ALPHA
        if 0 < now.sum() < fewest:
            aged, fewest = now, now.sum()
    return aged


def ageing(runs: Sequence[Columns]) -> Columns:
    """Say for each column how likely chance is to move it so with age (p,).

    The change of the level, and of the log spread, from the first quarter of each history to the
    last is tested against none over the histories (Student's t); the smaller p-value, doubled.
    """
    from scipy.special import stdtr  # type: ignore[import-untyped]

    long = [run for run in runs if len(run) >= 8]
    if len(long) < 3:
        return np.ones(runs[0].shape[1])
    shifts, widths = [], []
    for run in long:
        first, last = run[: len(run) // 4], run[-(len(run) // 4) :]
        shifts.append(last.mean(axis=0) - first.mean(axis=0))
        widths.append(np.log((last.std(axis=0) + 1e-3) / (first.std(axis=0) + 1e-3)))
    both = []
    for each in (np.array(shifts), np.array(widths)):
        error = each.std(axis=0, ddof=1) / np.sqrt(len(each))
        ratio = np.abs(each.mean(axis=0)) / np.maximum(error, 1e-9)
        both.append(2 * stdtr(len(each) - 1, -ratio))
    smaller: Columns = np.minimum(1.0, 2 * np.minimum(*both))
    return smaller


def _within(found: Conditions, runs: Sequence[Columns], columns: NDArray[np.intp]) -> list[Columns]:
    """Give the condition columns relative to the mean of their cell."""
    told = [run[:, columns] for run in runs]
    if found.cells is None:
        return told
    cells = [np.rint(found.cells.predict(each)).astype(np.intp) for each in told]
    every, number = np.vstack(told), np.concatenate(cells)
    means = np.zeros((number.max() + 1, len(columns)))
    spreads = np.ones_like(means)
    for k in np.unique(number):
        means[k] = every[number == k].mean(axis=0)
        spreads[k] = _floored(every[number == k].std(axis=0), every)
    return [(t - means[c]) / spreads[c] for t, c in zip(told, cells, strict=True)]


def _choose(
    runs: Sequence[Columns], steady: NDArray[np.intp], ageing_: NDArray[np.intp], seed: int
) -> tuple[NDArray[np.intp], int, bool] | None:
    """Choose condition columns, cells and lines on early rows of histories not fitted on.

    Columns are added one at a time, while one more leaves clearly less unexplained: a signal that
    merely follows the condition adds nothing once the condition is known.
    """
    early = [run[: max(4, len(run) // 3)] for run in runs]
    run = np.repeat(np.arange(len(early)), [len(each) for each in early])
    rows = np.vstack(early)
    kept = np.arange(0, len(rows), -(-len(rows) // MOST_ROWS))
    told, seen = rows[kept], rows[kept][:, ageing_]
    fold = np.random.default_rng(seed).permutation(len(early))[run[kept]] % 3

    def left(columns: list[int], plans: Sequence[tuple[int, bool]]) -> list[Columns]:
        return [_left_over(told[:, columns], seen, fold, *plan, seed) for plan in plans]

    alone = {j: np.min(left([int(j)], TRIED), axis=0) for j in steady}
    followed = np.min(list(alone.values()), axis=0) < 1 - EXPLAINS
    if not followed.any():
        return None
    ranked = sorted(alone, key=lambda j: float(alone[j][followed].mean()))
    chosen, error = [int(ranked[0])], float(alone[ranked[0]][followed].mean())
    for j in ranked[1:CANDIDATES]:
        more = float(np.min(left([*chosen, int(j)], TRIED), axis=0)[followed].mean())
        if more * WORSE < error:
            chosen, error = [*chosen, int(j)], more
    plans = [(1, True), *((number, lines) for lines in (False, True) for number in CELLS)]
    errors = [float(each[followed].mean()) for each in left(chosen, plans)]
    good = [p for p, each in zip(plans, errors, strict=True) if each <= WORSE * min(errors)]
    number, lines = min(good, key=lambda plan: plan[0] * (1 + plan[1] * len(chosen)))
    return np.array(chosen, np.intp), number, lines


def _left_over(
    told: Columns, seen: Columns, fold: NDArray[np.intp], number: int, lines: bool, seed: int
) -> Columns:
    """Give the share of each signal's variance that is left on histories not fitted on."""
    error = np.zeros(seen.shape[1])
    for k in range(3):
        fit, judge = fold != k, fold == k
        tree = _tree(told[fit], seen[fit], number, seed)
        cells = np.zeros(len(told), np.intp) if tree is None else tree.apply(told)
        for c in np.unique(cells):
            a, b = fit & (cells == c), judge & (cells == c)
            line = _lines(told[a], seen[a]) if lines else seen[a].mean(axis=0)[None, :]
            inputs = np.column_stack([np.ones(b.sum()), told[b]])[:, : len(line)]
            error += ((seen[b] - inputs @ line) ** 2).sum(axis=0)
    share: Columns = error / np.maximum(seen.var(axis=0) * len(seen), 1e-12)
    return share


def _tree(told: Columns, seen: Columns, number: int, seed: int) -> Any:
    if number == 1:
        return None
    from sklearn.tree import DecisionTreeRegressor  # type: ignore[import-untyped]

    smallest = max(8, len(told) // 400)
    tree = DecisionTreeRegressor(
        max_leaf_nodes=number, min_samples_leaf=smallest, random_state=seed
    )
    return tree.fit(told, seen)


def _lines(told: Columns, seen: Columns) -> Columns:
    """Fit a level and slopes (1 + c, p), the slopes shrunk as by one row of evidence."""
    middle, level = told.mean(axis=0), seen.mean(axis=0)
    away = told - middle
    slopes = np.linalg.solve(away.T @ away + np.eye(told.shape[1]), away.T @ (seen - level))
    return np.vstack([level - middle @ slopes, slopes])


def _fit(
    runs: Sequence[Columns], columns: NDArray[np.intp], number: int, lines: bool, seed: int
) -> Conditions:
    """Fit cells and lines on the early third of the lives, spreads on all of them."""
    early = np.vstack([run[: max(4, len(run) // 3)] for run in runs])
    rows = np.vstack(runs)
    told = early[:, columns]
    centre, scale = told.mean(axis=0), _floored(told.std(axis=0), told)
    inputs = (told - centre) / scale
    whole = _floored(rows.std(axis=0), rows)
    tree = _tree(told, (early - rows.mean(axis=0)) / whole, number, seed) if number > 1 else None
    cells, cell, every = None, np.zeros(len(early), np.intp), np.zeros(len(rows), np.intp)
    if tree is not None:
        cells = from_tree(tree)
        cell = np.rint(cells.predict(told)).astype(np.intp)
        every = np.rint(cells.predict(rows[:, columns])).astype(np.intp)
    count = 1 if cells is None else int(cells.value.max()) + 1
    table = np.zeros((count, 1 + len(columns), rows.shape[1]))
    spread = np.ones((count, rows.shape[1]))
    for k in range(count):
        table[k, 0] = early[cell == k].mean(axis=0)
        if lines and len(columns):
            table[k] = _lines(inputs[cell == k], early[cell == k])
    plain = Conditions(columns, cells, centre, scale, table, spread)
    left = plain.residuals(rows)
    for k in range(count):
        spread[k] = np.maximum(left[every == k].std(axis=0), 1e-6 * whole)
    return plain


def _floored(spread: Columns, rows: Columns) -> Columns:
    """Keep a spread above rounding; 1 where a column never changes."""
    floor = 1e-9 * np.abs(rows).max(axis=0, initial=0.0)
    return np.where(spread > floor, spread, 1.0)
