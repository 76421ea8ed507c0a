"""Trains a model of remaining life; the only part of it that needs scikit-learn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.prognostics.conditions import find_conditions
from analytics.prognostics.intervals import learn_bands
from analytics.prognostics.progress import Progress, counted
from analytics.prognostics.traces import Windows, blocks, filled
from analytics.prognostics.trees import FlatTrees, from_boosting, together
from plant.errors import Rejected

Columns = NDArray[np.float64]

FOLDS = 5
DECAYS = 2.5
"""Horizon in decay times of the wear index: 8 % of the visible wear lie beyond."""
MEMBERS = 3
"""Ensembles that are averaged; each sees other rows, and other features at its cuts."""
ENOUGH_ROWS, MOST_ROWS = 5_000, 20_000
"""Rows an ensemble learns from. Neighbouring rows tell nearly the same, so where there are enough
each ensemble takes every third, and of very many fewer still."""
ROUNDS = 150
"""Trees of an ensemble."""
BINS, DEEPEST = 31, 6
"""Bins of a feature, and steps from a root to a leaf, at most: more of either makes the errors on
lives left out no smaller, and learning and asking slower."""


@dataclass(frozen=True, slots=True, eq=False)
class _Lives:
    """Residuals (n, p) of each run in blocks, rows left (n,) and age (n,) at each block."""

    signals: list[Columns]
    left: list[Columns]
    age: list[Columns]


def learn(
    runs: Sequence[Columns],
    columns: tuple[str, ...],
    seed: int,
    coverage: float,
    progress: Progress,
) -> dict[str, Any]:
    """Learn the parts of a `RemainingLife`."""
    histories = _checked(runs, columns, coverage)
    fold = np.random.default_rng(seed).permutation(len(histories)) % min(FOLDS, len(histories))
    folds = int(fold.max()) + 1
    moved = counted(progress, 1 + folds + MEMBERS)
    typical = float(np.median([len(run) for run in histories]))
    windows = Windows.of_life(typical)
    counter = _counter(histories)
    channels = _channels(histories, counter[0])
    usual = np.nanmedian(np.vstack(histories)[:, channels], axis=0)
    cut = [filled(blocks(run[:, channels], windows.pace), usual) for run in histories]
    conditions = find_conditions(cut, seed)
    lives = _lives(histories, [conditions.residuals(run) for run in cut], windows.pace)
    horizon = find_horizon(lives.signals, lives.left)
    moved()
    judged = [np.zeros(0)] * len(cut)
    for k in range(folds):
        trees, directions = _fit(
            lives, np.flatnonzero(fold != k), horizon, windows, [1000 * seed], moved
        )
        for i in np.flatnonzero(fold == k):
            features = windows.every(lives.signals[i], directions, lives.age[i])
            judged[i] = np.clip(trees.predict(features), 0.0, horizon)
    said, truth = np.concatenate(judged), np.minimum(np.concatenate(lives.left), horizon)
    history = np.repeat(np.arange(len(cut)), [len(run) for run in cut])
    shift = _shift(said, truth, history, typical)
    seeds = [1000 * seed + member for member in range(MEMBERS)]
    trees, directions = _fit(lives, np.arange(len(cut)), horizon, windows, seeds, moved)
    return {
        "columns": columns,
        "channels": channels,
        "usual": usual,
        "counter": counter,
        "conditions": conditions,
        "directions": directions,
        "windows": windows,
        "trees": trees,
        "bands": learn_bands(said, truth, history, fold[history], coverage),
        "horizon": horizon,
        "shift": shift,
        "error": float(np.sqrt(np.mean((np.maximum(said - shift, 0.0) - truth) ** 2))),
    }


def _lives(histories: Sequence[Columns], signals: list[Columns], pace: int) -> _Lives:
    left = [np.arange(len(each), dtype=np.float64)[::-1] * pace for each in signals]
    ages = [len(run) - each for run, each in zip(histories, left, strict=True)]
    return _Lives(signals, left, ages)


def _checked(runs: Sequence[Columns], columns: tuple[str, ...], coverage: float) -> list[Columns]:
    if not 0.5 <= coverage <= 0.99:
        raise Rejected(f"coverage {coverage} is not between 0.5 and 0.99")
    if len(set(columns)) != len(columns) or not columns:
        raise Rejected("the columns need names, each a different one")
    if len(runs) < 3:
        raise Rejected(
            f"{len(runs)} histories: at least three that end with a failure are needed, so "
            "that the error can be measured on some that were not learnt from"
        )
    histories = [np.asarray(run, np.float64) for run in runs]
    for number, run in enumerate(histories, 1):
        if run.ndim != 2 or run.shape[1] != len(columns):
            raise Rejected(f"history {number} has shape {run.shape}, {len(columns)} columns needed")
        if len(run) < 4:
            raise Rejected(f"history {number} has {len(run)} rows, at least 4 are needed")
    return [np.where(np.isfinite(run), run, np.nan) for run in histories]


def _counter(runs: Sequence[Columns]) -> tuple[int, float, float]:
    """Find a column that counts the rows from the same first value in every history."""
    for j in range(runs[0].shape[1]):
        steps = np.concatenate([np.diff(run[:, j]) for run in runs])
        begins = np.array([run[0, j] for run in runs])
        even = np.isfinite(steps).all() and steps[0] > 0
        if even and np.ptp(steps) <= 1e-9 * steps[0] and np.ptp(begins) <= 1e-9 * steps[0]:
            return j, float(begins[0]), float(steps[0])
    return -1, 0.0, 1.0


def _channels(runs: Sequence[Columns], counter: int) -> NDArray[np.intp]:
    """Choose the columns that change, in an order that does not depend on how they were given."""
    rows = np.vstack(runs)
    left = np.concatenate([np.arange(len(run))[::-1] / len(run) for run in runs]) - 0.5
    scores = np.full(rows.shape[1], np.nan)
    for j in range(rows.shape[1]):
        known = np.isfinite(rows[:, j])
        seen = rows[known, j]
        if j == counter or not len(seen) or np.ptp(seen) <= 1e-9 * np.abs(seen).max():
            continue
        scores[j] = np.mean((seen - seen.mean()) / seen.std() * left[known])
    if not np.isfinite(scores).any():
        raise Rejected("no column changes in any history: there is nothing to learn from")
    order = np.argsort(scores, kind="stable")
    return order[: int(np.isfinite(scores).sum())]


def _fit(
    lives: _Lives,
    which: NDArray[np.intp],
    horizon: float,
    windows: Windows,
    seeds: Sequence[int],
    moved: Callable[[], None],
) -> tuple[FlatTrees, Columns]:
    """Learn wear indices and one ensemble a seed from some of the lives."""
    signals = np.vstack([lives.signals[i] for i in which])
    target = np.minimum(np.concatenate([lives.left[i] for i in which]), horizon)
    directions = np.column_stack(
        [_direction(signals, np.minimum(target, share * horizon)) for share in (0.32, 1.0)]
    )
    features = np.vstack([windows.every(lives.signals[i], directions, lives.age[i]) for i in which])
    rows = len(features)
    thin = max(1, min(MEMBERS, rows // ENOUGH_ROWS), -(-rows // MOST_ROWS))
    ensembles = []
    for number, seed in enumerate(seeds):
        part = slice(number % thin, None, thin)
        ensembles.append(_boosted(features[part], target[part], seed))
        moved()
    return together(ensembles), directions


def _boosted(features: Columns, target: Columns, seed: int) -> FlatTrees:
    from sklearn.ensemble import HistGradientBoostingRegressor  # type: ignore[import-untyped]

    model = HistGradientBoostingRegressor(
        max_iter=ROUNDS,
        learning_rate=0.08,
        max_leaf_nodes=int(np.clip(len(features) / 200, 4, 16)),
        max_depth=DEEPEST,
        max_bins=BINS,
        max_features=0.3,
        min_samples_leaf=int(np.clip(len(features) / 300, 3, 60)),
        early_stopping=False,
        random_state=seed,
    )
    return from_boosting(model.fit(features, target))


def _direction(signals: Columns, target: Columns) -> Columns:
    """Find the weighted sum of signals that follows a target best: ridge, of spread 1."""
    away = target - target.mean()
    weights = np.linalg.solve(
        signals.T @ signals + (1.0 + 1e-3 * len(signals)) * np.eye(signals.shape[1]),
        signals.T @ away,
    )
    spread = float((signals @ weights).std())
    return weights / spread if spread > 0 else np.ones(len(weights)) / len(weights)


def find_horizon(signals: Sequence[Columns], left: Sequence[Columns]) -> float:
    """Find the remaining life beyond which wear hardly shows.

    A wear index over the remaining life r is fitted by a − b·exp(−r/τ), each history with the same
    weight; farther than 2.5 τ a machine looks healthy (the piecewise-linear target of Heimes 2008,
    with its knee learnt). Wear that shows from the beginning has no horizon but the longest life
    seen.
    """
    farthest = float(max(each[0] for each in left))
    usual = float(np.median([each[0] for each in left]))
    rows, remaining = np.vstack(signals), np.concatenate(left)
    index = rows @ _direction(rows, np.minimum(remaining, 0.5 * usual))
    weight = np.sqrt(np.concatenate([np.full(len(each), 1 / len(each)) for each in left]))
    best, horizon = np.inf, farthest
    for decay in usual * np.geomspace(0.02, 5.0, 80):
        shape = np.column_stack([np.ones(len(index)), -np.exp(-remaining / decay)])
        fitted, *_ = np.linalg.lstsq(shape * weight[:, None], index * weight, rcond=None)
        error = float((((index - shape @ fitted) * weight) ** 2).sum())
        if error < best and fitted[1] > 0:
            best, horizon = error, min(farthest, DECAYS * decay)
    return float(horizon)


def _shift(judged: Columns, truth: Columns, history: NDArray[np.intp], usual: float) -> float:
    """Give half the shift that makes errors cheapest when late costs more than early.

    The cost is that of Saxena et al. (PHM 2008), exp(−d/13) − 1 early and exp(d/10) − 1 late, its
    13 and 10 rows taken as shares of the usual life of 200 rows there. Half of the best shift has
    most of its gain and a quarter of its harm to the mean square error.
    """
    unit = usual / 200
    share = 1.0 / np.bincount(history)[history]
    errors = (judged - truth) / unit

    def cost(shift: float) -> float:
        late = np.clip(errors - shift, -50.0, 50.0)
        paid = np.where(late < 0, np.exp(-late / 13), np.exp(late / 10)) - 1
        return float(np.average(paid, weights=share))

    return 0.5 * unit * float(min(np.linspace(0.0, 10.0, 41), key=cost))
