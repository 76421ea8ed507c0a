"""Trains a model of defects; the only part of it that needs scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.calibration import expected_calibration_error
from analytics.prognostics.defects import ClassOdds, Mixture, averaged, calibrated
from analytics.prognostics.derived import Derived
from analytics.prognostics.progress import Progress, counted
from analytics.prognostics.trees import FlatTrees, from_boosting, from_forest, together
from plant.errors import Rejected

Columns = NDArray[np.float64]
Mask = NDArray[np.bool_]

FOLDS = 3
FEWEST = 5
"""A class of fewer parts cannot be told: its share is all that is given."""
MEMBERS = 3
"""Boosted ensembles that are averaged in the final model; one in each fold."""
ROUNDS = 100
"""Trees of a boosted ensemble."""
TREES = 80
"""Trees of the final forest; half of them in each fold."""
SHARES = tuple(k / 10 for k in range(1, 10))
"""Shares of the forest that are tried on parts left out."""
STRONG = 12
"""Columns of which pairs are made, at most."""


def learn(
    rows: Columns, labels: ArrayLike, columns: tuple[str, ...], seed: int, progress: Progress
) -> dict[str, Any]:
    """Learn the parts of a `DefectModel`."""
    x, y, classes = _checked(rows, labels, columns)
    plain = _plain(x, y == classes[-1])
    told = [classes[-1]] if len(classes) == 2 else list(classes)
    rare = [label for label in told if min((y == label).sum(), (y != label).sum()) < FEWEST]
    notes = [f"{(y == label).sum()} parts of class {label}: too few to tell them" for label in rare]
    if not len(plain):
        notes.append("no column changes: only the share of each class is known")
    strong = plain
    if len(plain) > STRONG:
        strong = plain[np.sort(_strongest(x[:, plain], y, seed)[:STRONG])]
    derived = Derived.pairs(plain, strong)
    inputs = derived.of(x)
    learnt = [label for label in told if label not in rare and len(plain)]
    moved = counted(progress, (FOLDS + 1) * len(learnt))
    odds = [
        _odds(inputs, y == label, seed, moved)
        if label in learnt
        else _share_only(y == label, inputs.shape[1])
        for label in told
    ]
    used = np.any([each.mixture.used() for each in odds], axis=0)
    return {
        "columns": columns,
        "classes_": classes,
        "derived": derived.only(used),
        "odds": tuple(each.narrowed(used) for each in odds),
        "notes": tuple(notes),
    }


def _checked(
    rows: Columns, labels: ArrayLike, columns: tuple[str, ...]
) -> tuple[Columns, NDArray[Any], NDArray[Any]]:
    try:
        x = np.asarray(rows, np.float64)
    except (TypeError, ValueError) as reason:
        raise Rejected(f"the columns have to be numbers, a category its code: {reason}") from reason
    y = np.asarray(labels)
    if x.ndim != 2 or x.shape[1] != len(columns) or len(set(columns)) != len(columns):
        raise Rejected(f"{len(columns)} different names are needed for rows of shape {x.shape}")
    if y.shape != (len(x),) or y.dtype.kind not in "biu":
        raise Rejected(f"one whole-numbered label a part is needed, {len(x)} in all")
    classes = np.unique(y)
    if len(classes) < 2:
        seen = "no part at all" if not len(y) else f"all {len(y)} parts have label {classes[0]}"
        raise Rejected(f"{seen}: parts of at least two labels are needed to tell them apart")
    return np.where(np.isfinite(x), x, np.nan), y, classes


def _plain(x: Columns, wanted: Mask) -> NDArray[np.intp]:
    """Choose the columns that change, in an order that does not depend on how they were given."""
    scores = np.full(x.shape[1], np.nan)
    for j in range(x.shape[1]):
        known = np.isfinite(x[:, j])
        seen = x[known, j]
        if len(seen) and np.ptp(seen) > 1e-12 * np.abs(seen).max():
            away = (seen - seen.mean()) / seen.std()
            scores[j] = np.mean(away * (wanted[known] - wanted.mean())) + 1e-3 * np.mean(away**3)
    order = np.argsort(scores, kind="stable")
    return order[: int(np.isfinite(scores).sum())]


def _strongest(x: Columns, y: NDArray[Any], seed: int) -> NDArray[np.intp]:
    """Order the columns by what a forest gets out of them."""
    from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]

    forest = RandomForestClassifier(
        100, min_samples_leaf=3, max_features="sqrt", class_weight="balanced", random_state=seed
    ).fit(x, y)
    return np.argsort(-forest.feature_importances_, kind="stable")


def _share_only(wanted: Mask, width: int) -> ClassOdds:
    share = (wanted.sum() + 0.5) / (len(wanted) + 1)
    start = float(np.log(share / (1 - share)))
    mixture = Mixture(FlatTrees.constant(width, start), FlatTrees.constant(width, share), 0.5)
    return ClassOdds(mixture, (1.0, 1.0, 0.0), 0.5, 0.0)


def _odds(inputs: Columns, wanted: Mask, seed: int, moved: Callable[[], None]) -> ClassOdds:
    """Learn one class; share of the forest, calibration and limit come from parts left out."""
    fold = _folds(wanted)
    boosted, forest = np.zeros(len(wanted)), np.zeros(len(wanted))
    for k in range(int(fold.max()) + 1):
        one, other = _trees(inputs[fold != k], wanted[fold != k], seed, 1, TREES // 2)
        boosted[fold == k] = one.predict(inputs[fold == k])
        forest[fold == k] = other.predict(inputs[fold == k])
        moved()
    share = min(SHARES, key=lambda share: _surprise(averaged(boosted, forest, share), wanted))
    said = averaged(boosted, forest, share)
    chance = np.zeros(len(wanted))
    for k in range(int(fold.max()) + 1):
        curve = _calibration(said[fold != k], wanted[fold != k])
        chance[fold == k] = _chance(calibrated(curve, said[fold == k]))
    curve = _calibration(said, wanted)
    limit = _limit(_chance(calibrated(curve, said)), wanted)
    error = expected_calibration_error(wanted, chance)
    mixture = Mixture(*_trees(inputs, wanted, seed, MEMBERS, TREES), share)
    moved()
    return ClassOdds(mixture, curve, limit, error)


def _surprise(log_odds: Columns, wanted: Mask) -> float:
    """Give the mean log loss."""
    return float(np.mean(np.logaddexp(0.0, np.where(wanted, -log_odds, log_odds))))


def _folds(wanted: Mask) -> NDArray[np.intp]:
    """Deal stretches of time out, the rarer class evenly, so that neighbours are not split.

    Both classes of a stretch go together: were they split, a drifting condition would itself tell
    the class. Stretches are made shorter until every fold leaves enough of both classes.
    """
    rare = wanted if wanted.sum() <= (~wanted).sum() else ~wanted
    folds = min(FOLDS, int(rare.sum()))
    for stretches in (8 * folds, 32 * folds, len(rare)):
        stretch = np.arange(len(rare)) * stretches // len(rare)
        rare_in = np.bincount(stretch[rare], minlength=stretches)
        fold = _dealt(rare_in, np.bincount(stretch), folds)[stretch]
        left = [int(rare[fold != k].sum()) for k in range(folds)]
        if min(left) >= rare.sum() // 2:
            break
    return fold


def _dealt(rare: NDArray[np.intp], count: NDArray[np.intp], folds: int) -> NDArray[np.intp]:
    """Give each stretch to the fold that has the fewest of the rare class, then of all."""
    fold = np.zeros(len(count), np.intp)
    had = np.zeros((folds, 2))
    for place in np.argsort(-rare, kind="stable"):
        order = np.lexsort((had[:, 1], had[:, 0] if rare[place] else had[:, 1]))
        fold[place] = order[0]
        had[order[0]] += (rare[place], count[place])
    return fold


def _trees(
    inputs: Columns, wanted: Mask, seed: int, members: int, trees: int
) -> tuple[FlatTrees, FlatTrees]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    rare = int(min(wanted.sum(), (~wanted).sum()))
    boosted = [
        from_boosting(
            HistGradientBoostingClassifier(
                max_iter=ROUNDS,
                learning_rate=0.1,
                max_leaf_nodes=int(np.clip(rare / 4, 4, 16)),
                max_features=0.3,
                l2_regularization=3.0,
                min_samples_leaf=int(np.clip(rare / 4, 2, 10)),
                early_stopping=False,
                random_state=1000 * seed + member,
            ).fit(inputs, wanted)
        )
        for member in range(members)
    ]
    forest = RandomForestClassifier(
        trees, max_features=0.35, min_samples_leaf=2, random_state=seed
    ).fit(inputs, wanted)
    return together(boosted), from_forest(forest)


def _chance(log_odds: Columns) -> Columns:
    chance: Columns = 1 / (1 + np.exp(-log_odds))
    return chance


def _calibration(said: Columns, wanted: Mask) -> tuple[float, float, float]:
    """Fit a beta calibration (Kull, Silva Filho & Flach 2017), held near no change.

    With few parts of a class the curve is hardly known: its two slopes are drawn to 1 as by a
    normal prior of spread 0.25, and stay above 0.1 so that the order of the parts is kept.
    """
    inputs = np.column_stack(
        [-np.logaddexp(0.0, -said), np.logaddexp(0.0, said), np.ones(len(said))]
    )
    prior, middle = np.array([16.0, 16.0, 1e-6]), np.array([1.0, 1.0, 0.0])
    curve = middle.copy()
    for _ in range(100):
        chance = _chance(inputs @ curve)
        gradient = inputs.T @ (chance - wanted) + prior * (curve - middle)
        bend = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + np.diag(prior)
        move = np.clip(np.linalg.solve(bend, gradient), -0.5, 0.5)
        curve = np.clip(curve - move, [0.1, 0.1, -20.0], [5.0, 5.0, 20.0])
        if np.abs(move).max() < 1e-10:
            break
    return float(curve[0]), float(curve[1]), float(curve[2])


def _limit(chance: Columns, wanted: Mask) -> float:
    """Choose the probability of the best F1."""
    order = np.argsort(-chance, kind="stable")
    right = np.cumsum(wanted[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + wanted.sum())
    last = np.append(chance[order][1:] != chance[order][:-1], True)
    return float(chance[order][int(np.argmax(np.where(last, f1, -1.0)))])
