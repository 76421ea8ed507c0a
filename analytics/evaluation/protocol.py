"""The one protocol: rows in time order, scored before they are learnt, no label ever shown.

A detector is made afresh for every recording from the names of its signals and a seed, with the
same settings everywhere. The warm-up is learnt and never scored. A detector that decides by itself
(`alarm_one`) learns the whole warm-up; one that only scores learns three quarters of it, and the
scores of the last quarter give its threshold by one rule for all, without a label.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.segments import Marks
from plant.errors import Misconfigured

Columns = NDArray[np.float64]

FACTOR = 2.0
"""Distance of the threshold from the median of healthy scores, in distances of their maximum."""
LEARNT = 0.75
"""Part of the warm-up that a detector which only scores learns; the rest sets its threshold."""
FEWEST = 8
"""Warm-up rows below which nothing can be learnt and calibrated."""
_HIGHEST = 1e30
_EVERY = 256


class Scorer(Protocol):
    """What every detector offers: river's two methods.

    Three more methods and two attributes are used where they are there: `end_warmup()` once when
    the warm-up is over; `alarm_one(score, x) -> bool`, its own decision (threshold, delays,
    hysteresis); `explain_one(x) -> Mapping[str, float]`, the part of each signal in the score that
    was given last; `adaptive = True` to learn every row after it was scored; `threshold`, the
    present limit of the score.
    """

    def learn_one(self, x: dict[str, float]) -> Any:
        """Learn one row, signal → value, NaN where there is none."""
        ...

    def score_one(self, x: dict[str, float]) -> float:
        """Say how strange the row is, higher = stranger; NaN where it cannot be judged."""
        ...


@runtime_checkable
class Decides(Protocol):
    """Decides on alarms by itself."""

    def alarm_one(self, score: float, x: dict[str, float]) -> bool:
        """Tell whether the alarm stands at this row."""
        ...


@runtime_checkable
class Explains(Protocol):
    """Gives the reason of a score."""

    def explain_one(self, x: dict[str, float]) -> Mapping[str, float]:
        """Split the score that was given last over the signals, each part ≥ 0."""
        ...


Factory = Callable[[list[str], int], Scorer]
"""Names of the signals and a seed → a fresh detector."""
Progress = Callable[[int], None]
"""Hears how many more rows are done."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a detector said about the rows after the warm-up, n of them.

    Parameters
    ----------
    signals
        Names of the signals.
    warmup
        Rows before the first that was scored.
    score
        Strangeness (n,); 0 where it could not be judged. Of a detector that only scores, 1 is its
        threshold and 0 its median healthy score.
    alarm
        Whether the alarm stood (n,).
    threshold
        Limit of the score at each row (n,), NaN where the detector does not tell it.
    judged
        Whether the row could be judged (n,).
    reasons
        Row → part of each signal in its score, shares that sum to 1, at the first row of each
        alarm; empty when the detector gives no reasons.
    """

    signals: tuple[str, ...]
    warmup: int
    score: Columns
    alarm: Marks
    threshold: Columns
    judged: Marks
    reasons: Mapping[int, Mapping[str, float]]


def healthy_limit(scores: Columns) -> tuple[float, float]:
    """Give median and threshold of healthy scores: median + `FACTOR` × (maximum - median).

    Examples
    --------
    >>> healthy_limit(np.array([1.0, 2.0, 3.0]))
    (2.0, 4.0)
    """
    known = scores[np.isfinite(scores)]
    if not len(known):
        return 0.0, np.inf
    middle, top = float(np.median(known)), float(known.max())
    return middle, middle + FACTOR * max(top - middle, 1e-9 * max(1.0, abs(top)))


def run(
    factory: Factory,
    signals: Sequence[str],
    rows: Columns,
    warmup: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Run:
    """Run a detector over a recording.

    Parameters
    ----------
    factory
        Makes the detector.
    signals
        Name of each column.
    rows
        Values (n, p) in time order, NaN where there is none.
    warmup
        Rows that are learnt and not scored.
    seed
        Given to the factory.
    progress
        Hears of every few hundred rows.

    Raises
    ------
    Misconfigured
        Names and columns do not match, or no row is left to learn from or to score.
    """
    _check(signals, rows, warmup)
    stream = _Stream(factory(list(signals), seed), signals, progress or _silent)
    middle, limit = stream.warm_up(rows[:warmup])
    return stream.judge(rows[warmup:], warmup, middle, limit)


def _check(signals: Sequence[str], rows: Columns, warmup: int) -> None:
    if rows.ndim != 2 or rows.shape[1] != len(signals) or len(set(signals)) != len(signals):
        raise Misconfigured(
            f"{len(signals)} names for columns of shape {rows.shape}: give rows (n, p) and p "
            "different names"
        )
    if warmup < FEWEST:
        raise Misconfigured(f"a warm-up of {warmup} rows teaches nothing: give {FEWEST} or more")
    if warmup >= len(rows):
        raise Misconfigured(
            f"{len(rows)} rows leave none to judge after a warm-up of {warmup}: shorten the "
            "warm-up or give a longer recording"
        )


def _silent(_rows: int) -> None:
    """Hear nothing."""


class _Stream:
    """A detector while rows go through it."""

    def __init__(self, detector: Scorer, signals: Sequence[str], progress: Progress) -> None:
        self._detector = detector
        self._signals = tuple(signals)
        self._progress = progress
        self._decides = detector if isinstance(detector, Decides) else None
        self._explains = detector if isinstance(detector, Explains) else None
        self._adaptive = bool(getattr(detector, "adaptive", False))

    def warm_up(self, rows: Columns) -> tuple[float, float]:
        """Learn; give median and limit of healthy scores for a detector that only scores."""
        cut = len(rows) if self._decides else int(len(rows) * LEARNT)
        for x in self._dictionaries(rows[:cut]):
            self._detector.learn_one(x)
        end = getattr(self._detector, "end_warmup", None)
        if end is not None:
            end()
        if self._decides:
            self._progress(len(rows))
            return 0.0, np.nan
        scores = np.empty(len(rows) - cut)
        for i, x in enumerate(self._dictionaries(rows[cut:])):
            scores[i] = float(self._detector.score_one(x))
            if self._adaptive:
                self._detector.learn_one(x)
        self._progress(len(rows))
        return healthy_limit(scores)

    def judge(self, rows: Columns, warmup: int, middle: float, limit: float) -> Run:
        """Score, decide, then learn, row by row."""
        score, threshold = np.empty(len(rows)), np.full(len(rows), np.nan)
        alarm, reasons, stood = np.zeros(len(rows), np.bool_), {}, False
        for i, x in enumerate(self._dictionaries(rows)):
            score[i] = value = float(self._detector.score_one(x))
            alarm[i] = now = self._decide(value, x, limit)
            threshold[i] = getattr(self._detector, "threshold", np.nan)
            if now and not stood and self._explains:
                reasons[i] = shares(self._explains.explain_one(x))
            stood = now
            if self._adaptive:
                self._detector.learn_one(x)
            if not (i + 1) % _EVERY:
                self._progress(_EVERY)
        self._progress(len(rows) % _EVERY)
        judged = ~np.isnan(score)
        score = np.nan_to_num(score, nan=0.0, posinf=_HIGHEST, neginf=-_HIGHEST)
        if not self._decides and np.isfinite(limit):
            score = (score - middle) / (limit - middle)
            threshold = np.ones(len(rows))
        return Run(self._signals, warmup, score, alarm, threshold, judged, reasons)

    def _decide(self, score: float, x: dict[str, float], limit: float) -> bool:
        if self._decides:
            return bool(self._decides.alarm_one(score, x))
        return score >= limit

    def _dictionaries(self, rows: Columns) -> "_Rows":
        return _Rows(self._signals, rows)


class _Rows:
    """Rows as dictionaries, one at a time: a detector can look at nothing that is to come."""

    def __init__(self, signals: tuple[str, ...], rows: Columns) -> None:
        self._signals, self._rows, self._next = signals, rows, 0

    def __iter__(self) -> "_Rows":
        return self

    def __next__(self) -> dict[str, float]:
        if self._next >= len(self._rows):
            raise StopIteration
        row = self._rows[self._next].tolist()
        self._next += 1
        return dict(zip(self._signals, row, strict=True))


def shares(parts: Mapping[str, float]) -> dict[str, float]:
    """Give parts as shares of their sum, largest first; empty when nothing contributes.

    Examples
    --------
    >>> shares({"flow": 1.0, "current": 3.0, "speed": 0.0})
    {'current': 0.75, 'flow': 0.25}
    """
    kept = {name: float(part) for name, part in parts.items() if part > 0 and np.isfinite(part)}
    whole = sum(kept.values())
    ordered = sorted(kept.items(), key=lambda item: -item[1])
    return {name: part / whole for name, part in ordered}
