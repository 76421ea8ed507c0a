"""Trains a model of defects; the only part of it that needs scikit-learn."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.prognostics.defects import ClassOdds, Mixture
from analytics.prognostics.derived import Derived
from analytics.prognostics.trees import FlatTrees, from_boosting, from_forest, together
from plant.errors import Rejected

Columns = NDArray[np.float64]
Mask = NDArray[np.bool_]

FOLDS = 3
FEWEST = 5
"""A class of fewer parts cannot be told: its share is all that is given."""
MEMBERS = 3
"""Boosted ensembles that are averaged in the final model; one in each fold."""
TREES = 60
"""Trees of the final forest; half of them in each fold."""
STRONG = 12
"""Columns of which pairs are made, at most."""
CHUNKS = 4
"""Neighbouring parts of a class stay in one fold: each fold gets so many stretches of time."""


def learn(
    rows: Columns, labels: ArrayLike, columns: tuple[str, ...], seed: int
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
    odds = [
        _share_only(y == label, inputs.shape[1])
        if label in rare or not len(plain)
        else _odds(inputs, y == label, seed)
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
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        100, min_samples_leaf=3, max_features="sqrt", class_weight="balanced", random_state=seed
    ).fit(x, y)
    return np.argsort(-forest.feature_importances_, kind="stable")


def _share_only(wanted: Mask, width: int) -> ClassOdds:
    share = (wanted.sum() + 0.5) / (len(wanted) + 1)
    start = float(np.log(share / (1 - share)))
    mixture = Mixture(FlatTrees.constant(width, start), FlatTrees.constant(width, share))
    return ClassOdds(mixture, 1.0, 0.0, 0.5, 0.0)


def _odds(inputs: Columns, wanted: Mask, seed: int) -> ClassOdds:
    """Learn one class; calibrate, and choose its limit, on parts left out."""
    fold = _folds(wanted, seed)
    said = np.zeros(len(wanted))
    for k in range(int(fold.max()) + 1):
        mixture = _mixture(inputs[fold != k], wanted[fold != k], seed, 1, TREES // 2)
        said[fold == k] = mixture.log_odds(inputs[fold == k])
    calibrated = np.zeros(len(wanted))
    for k in range(int(fold.max()) + 1):
        slope, level = _calibration(said[fold != k], wanted[fold != k])
        calibrated[fold == k] = _chance(level + slope * said[fold == k])
    slope, level = _calibration(said, wanted)
    limit = _limit(_chance(level + slope * said), wanted)
    error = calibration_error(calibrated, wanted)
    return ClassOdds(_mixture(inputs, wanted, seed, MEMBERS, TREES), slope, level, limit, error)


def _folds(wanted: Mask, seed: int) -> NDArray[np.intp]:
    """Deal each class out in stretches of time, so that neighbours are not split."""
    folds = min(FOLDS, int(wanted.sum()), int((~wanted).sum()))
    fold = np.zeros(len(wanted), np.intp)
    rng = np.random.default_rng(seed)
    for each in (wanted, ~wanted):
        place = np.flatnonzero(each)
        stretches = min(len(place), folds * CHUNKS)
        dealt = rng.permutation(stretches) % folds
        fold[place] = dealt[np.arange(len(place)) * stretches // len(place)]
    return fold


def _mixture(inputs: Columns, wanted: Mask, seed: int, members: int, trees: int) -> Mixture:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    rare = int(min(wanted.sum(), (~wanted).sum()))
    boosted = [
        from_boosting(
            HistGradientBoostingClassifier(
                max_iter=100,
                learning_rate=0.1,
                max_leaf_nodes=16,
                max_features=0.3,
                min_samples_leaf=int(np.clip(rare / 4, 2, 10)),
                early_stopping=False,
                random_state=1000 * seed + member,
            ).fit(inputs, wanted)
        )
        for member in range(members)
    ]
    forest = RandomForestClassifier(trees, max_features=0.2, random_state=seed).fit(inputs, wanted)
    return Mixture(together(boosted), from_forest(forest))


def _chance(log_odds: Columns) -> Columns:
    chance: Columns = 1 / (1 + np.exp(-log_odds))
    return chance


def _calibration(said: Columns, wanted: Mask) -> tuple[float, float]:
    """Fit slope and level by logistic regression (Platt 1999), the slope held near 1.

    With few parts of a class the slope is hardly known: it is drawn to 1 as by a normal prior of
    spread 0.5, and stays above 0.1 so that the order of the parts is kept.
    """
    slope, level = 1.0, 0.0
    for _ in range(50):
        chance = _chance(level + slope * said)
        weight = chance * (1 - chance)
        gradient = np.array(
            [(said * (chance - wanted)).sum() + (slope - 1) / 0.25, (chance - wanted).sum()]
        )
        cross = (weight * said).sum()
        curve = np.array(
            [[(weight * said**2).sum() + 4.0, cross], [cross, weight.sum() + 1e-6]]
        )
        move = np.linalg.solve(curve, gradient)
        slope, level = slope - move[0], level - np.clip(move[1], -2, 2)
        slope = float(np.clip(slope, 0.1, 3.0))
        if np.abs(move).max() < 1e-10:
            break
    return slope, float(level)


def _limit(chance: Columns, wanted: Mask) -> float:
    """Choose the probability of the best F1."""
    order = np.argsort(-chance, kind="stable")
    right = np.cumsum(wanted[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + wanted.sum())
    last = np.append(chance[order][1:] != chance[order][:-1], True)
    return float(chance[order][int(np.argmax(np.where(last, f1, -1.0)))])


def calibration_error(chance: Columns, wanted: Mask, bins: int = 10) -> float:
    """Give the expected calibration error (Naeini et al. 2015) over bins of equal width."""
    place = np.minimum((chance * bins).astype(np.intp), bins - 1)
    count = np.bincount(place, minlength=bins)
    gap = np.bincount(place, chance - wanted, bins)
    return float(np.abs(gap).sum() / max(count.sum(), 1))
