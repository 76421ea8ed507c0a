"""The contract suite of detectors: every implementation runs every check.

A check takes a factory (signals and seed to a fresh detector) and raises `AssertionError` when the
detector breaks the contract. Streams are generated; no file is read and nothing is downloaded.
"""

import inspect
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.contract import RowDetector, State

Columns = NDArray[np.float64]
Factory = Callable[[Sequence[str], int], RowDetector]
Check = Callable[[Factory], None]

SIGNALS = ("flow", "pressure", "current", "vibration", "temperature")
HEALTHY = 700
"""Rows of the healthy stream; a detector should be ready after them."""


def healthy_rows(rows: int = HEALTHY, seed: int = 0) -> Columns:
    """Make rows (n, 5) of a machine: two shared causes, noise, different units."""
    random = np.random.default_rng(seed)
    causes = random.normal(size=(rows, 2))
    mixing = np.array([[1.0, 0.8, 0.9, 0.1, 0.0], [0.0, 0.3, 0.1, 0.9, 0.7]])
    noise = random.normal(scale=0.5, size=(rows, len(SIGNALS)))
    scale = np.array([4.0, 0.2, 1.5, 0.3, 2.0])
    level = np.array([120.0, 3.0, 22.0, 1.8, 58.0])
    made: Columns = level + scale * (causes @ mixing + noise)
    return made


def labelled_rows(seed: int = 1) -> tuple[Columns, NDArray[np.bool_]]:
    """Make a stream (n, 5) in which a tenth of the later rows is a fault, and its labels (n,)."""
    rows = healthy_rows(2 * HEALTHY, seed)
    fault = np.zeros(len(rows), np.bool_)
    fault[HEALTHY:] = np.random.default_rng(seed + 1).random(HEALTHY) < 0.1
    rows[fault, 3] += 2.5
    rows[fault, 0] -= 20.0
    return rows, fault


def as_dict(row: Columns) -> dict[Hashable, float]:
    """Give a row (5,) as river would."""
    return dict(zip(SIGNALS, row.tolist(), strict=True))


def check_contract(make: Factory) -> None:
    """Hold it to every method of the contract and to its signals' names."""
    detector = make(SIGNALS, 0)
    _hold(isinstance(detector, RowDetector), "a method of RowDetector is missing")
    _hold(detector.signals == SIGNALS, "signals are not the ones that were given")


def check_parameters_documented(make: Factory) -> None:
    """Every parameter of the constructor has a default (but the signals) and a docstring entry."""
    kind = type(make(SIGNALS, 0))
    text = inspect.getdoc(kind) or ""
    for name, parameter in inspect.signature(kind).parameters.items():
        _hold(name in text, f"parameter {name} is not documented")
        plain = name == "signals" or parameter.default is not inspect.Parameter.empty
        _hold(plain, f"parameter {name} has no default")


def check_scores_before_learning(make: Factory) -> None:
    """Scoring works before any learning and says 0."""
    detector = make(SIGNALS, 0)
    _hold(not detector.ready, "it is ready before it has learnt anything")
    _hold(detector.score_one(as_dict(healthy_rows(1)[0])) == 0, "it scores before it has learnt")
    _hold(not detector.score_rows(healthy_rows(3)).any(), "it scores before it has learnt")


def check_learning_leaves_its_input_alone(make: Factory) -> None:
    """Neither rows nor dictionaries are changed by learning or scoring."""
    detector, rows = make(SIGNALS, 0), healthy_rows()
    kept, x = rows.copy(), as_dict(rows[0])
    detector.learn_rows(rows)
    detector.learn_one(x)
    detector.score_one(x)
    detector.score_rows(rows[:5])
    detector.contributions(rows[:5])
    _hold(np.array_equal(rows, kept), "rows were changed")
    _hold(x == as_dict(kept[0]), "the dictionary was changed")


def check_scoring_is_pure(make: Factory) -> None:
    """Scoring, splitting and expecting change nothing that was learnt."""
    detector = _taught(make)
    before, rows = _copied(detector.state()), healthy_rows(20, seed=5)
    first = detector.score_rows(rows)
    detector.contributions(rows)
    detector.expected(rows)
    _hold(np.array_equal(first, detector.score_rows(rows)), "the second score is another")
    _hold(_same(before, detector.state()), "scoring changed what was learnt")


def check_rows_equal_ones(make: Factory) -> None:
    """Learning and scoring many rows equals doing it one by one."""
    rows, probe = healthy_rows(), healthy_rows(20, seed=6)
    probe[3, 1] = np.nan
    many, one = make(SIGNALS, 0), make(SIGNALS, 0)
    many.learn_rows(rows)
    for row in rows:
        one.learn_one(as_dict(row))
    _hold(_same(many.state(), one.state()), "learn_rows is not repeated learn_one")
    singly = [one.score_one(as_dict(row)) for row in probe]
    _hold(np.allclose(many.score_rows(probe), singly, rtol=1e-9), "score_rows is not score_one")


def check_features_appear_vanish_shuffle(make: Factory) -> None:
    """Order does not matter, an absent signal is NaN, an unknown one is passed over."""
    detector, x = _taught(make), as_dict(healthy_rows(1, seed=7)[0])
    score = detector.score_one(x)
    shuffled = dict(reversed(list(x.items())))
    _hold(detector.score_one(shuffled) == score, "the order of the features matters")
    _hold(detector.score_one(x | {"unknown": 1e9}) == score, "an unknown feature matters")
    fewer = {name: value for name, value in x.items() if name != "flow"}
    row = np.array([[fewer.get(name, np.nan) for name in SIGNALS]])
    lacking = detector.score_one(fewer)
    _hold(np.isfinite(lacking), "a row without one signal has no score")
    _hold(np.isclose(lacking, detector.score_rows(row)[0]), "absent and NaN differ")
    detector.learn_one(fewer)
    _hold(np.isfinite(detector.score_one(x)), "learning a row with a gap broke it")


def check_nothing_good_says_nothing(make: Factory) -> None:
    """See that a row without any value is not strange and breaks nothing."""
    detector = _taught(make)
    empty = np.full((1, len(SIGNALS)), np.nan)
    _hold(np.isfinite(detector.score_rows(empty)[0]), "a row without values has no finite score")
    _hold(not detector.contributions(empty).any(), "a signal that is missing contributes")


def check_contributions_split_the_score(make: Factory) -> None:
    """Contributions are ≥ 0, 0 where missing, sum to the score and name the culprit."""
    detector, rows = _taught(make), healthy_rows(10, seed=8)
    rows[:, 2] = np.nan
    rows[:, 3] += 30.0
    parts, scores = detector.contributions(rows), detector.score_rows(rows)
    _hold(bool((parts >= 0).all()), "a contribution is negative")
    _hold(not parts[:, 2].any(), "a missing signal contributes")
    _hold(np.allclose(parts.sum(axis=1), scores), "contributions do not sum to the score")
    first = (parts.argmax(axis=1) == 3).mean()
    _hold(first >= 0.5, "the signal that went away is seldom first")


def check_expected_and_spread(make: Factory) -> None:
    """See that what is expected lies near healthy rows, in the signals' units."""
    detector, rows = _taught(make), healthy_rows(50, seed=9)
    away = np.abs(detector.expected(rows) - rows)
    _hold(bool((np.median(away, axis=0) <= detector.spread()).all()), "healthy rows are outside")


def check_state_round_trip(make: Factory) -> None:
    """Restore it half-way in learning and after: it goes on bit-equal."""
    rows, more = healthy_rows(), healthy_rows(300, seed=10)
    for learnt in (40, len(rows)):
        detector = make(SIGNALS, 0)
        detector.learn_rows(rows[:learnt])
        again = type(detector).restore(_copied(detector.state()))
        for each in (detector, again):
            each.learn_rows(more)
        equal = np.array_equal(detector.score_rows(rows), again.score_rows(rows))
        _hold(equal, f"restored after {learnt} rows, it scores differently")
        _hold(_same(detector.state(), again.state()), f"restored after {learnt} rows, it differs")


def check_same_seed_same_result(make: Factory) -> None:
    """Two detectors with one seed are one detector."""
    first, second = _taught(make), _taught(make)
    _hold(_same(first.state(), second.state()), "the same seed gave another detector")


def check_memory_is_bounded(make: Factory) -> None:
    """Ten times the stream does not need more memory."""
    detector = _taught(make)
    before = _bytes(detector.state())
    detector.learn_rows(healthy_rows(9 * HEALTHY, seed=11))
    _hold(_bytes(detector.state()) <= 1.1 * before, "memory grows with the stream")


def check_finds_faults(make: Factory) -> None:
    """Scored before learning, it ranks faults above healthy rows more often than not."""
    rows, fault = labelled_rows()
    detector = make(SIGNALS, 0)
    scores = np.empty(len(rows))
    for k, row in enumerate(rows):
        scores[k] = detector.score_one(as_dict(row))
        detector.learn_one(as_dict(row))
    auc = area_under_curve(scores[HEALTHY:], fault[HEALTHY:])
    _hold(auc >= 0.5, f"AUC {auc:.2f}: worse than a coin")


CHECKS: tuple[Check, ...] = (
    check_contract,
    check_parameters_documented,
    check_scores_before_learning,
    check_learning_leaves_its_input_alone,
    check_scoring_is_pure,
    check_rows_equal_ones,
    check_features_appear_vanish_shuffle,
    check_nothing_good_says_nothing,
    check_contributions_split_the_score,
    check_expected_and_spread,
    check_state_round_trip,
    check_same_seed_same_result,
    check_memory_is_bounded,
    check_finds_faults,
)
"""All checks, for parametrised tests."""


def area_under_curve(scores: Columns, truth: NDArray[np.bool_]) -> float:
    """Give the chance that a true row scores above a false one, ties counting half.

    Examples
    --------
    >>> area_under_curve(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    high, low = scores[truth][:, None], scores[~truth][None, :]
    return float(((high > low) + 0.5 * (high == low)).mean())


def _taught(make: Factory) -> RowDetector:
    detector = make(SIGNALS, 0)
    detector.learn_rows(healthy_rows())
    _hold(detector.ready, f"it is not ready after {HEALTHY} rows")
    return detector


def _hold(kept: object, broken: str) -> None:
    if not kept:
        raise AssertionError(broken)


def _copied(state: State) -> State:
    return {name: value.copy() for name, value in state.items()}


def _same(one: State, other: State) -> bool:
    if set(one) != set(other):
        return False
    return all(
        np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")
        for name in one
    )


def _bytes(state: State) -> int:
    return sum(value.nbytes for value in state.values())
