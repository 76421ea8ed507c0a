"""T² with the largest single contribution: one score for levels, relations and lone sensors.

Hotelling's T² (1947) pools all signals and is blind to a lone one among many; the largest
standardised conditional deviation (Hawkins 1991, regression-adjusted variables) is the opposite.
Half of each is the score, about 1 for a healthy row whatever the number of signals.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from analytics.covariance import Precision, shrunk_correlation
from analytics.rows import RowStore, row_of
from analytics.scaling import followed, robust_scale, scale_floor
from analytics.thresholds import cross_fitted

Columns = NDArray[np.float64]

FOLLOWS = 0.3
"""Half-life of the centre, as a share of the rows learnt: slower drift than the history's."""
BOUND = 2.0
"""No row moves the centre as if it were further away than this many scales."""
WIDEST = 9.0
"""No row widens the squared scale as if it were more than this many squared scales."""


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """How one row deviates.

    Parameters
    ----------
    score
        Strangeness, about 1 when healthy.
    z
        Deviation of each signal in scales (p,), NaN where missing.
    pull
        C⁻¹z (p,), 0 where missing.
    strength
        Size of each signal's deviation, alone or given the others, whichever is larger (p,).
    """

    score: float
    z: Columns
    pull: Columns
    strength: Columns


class TwoStatistic:
    """Learns centre, scale and correlation of healthy rows, then follows slow drift.

    Parameters
    ----------
    signals
        Names of the columns.
    learn
        Rows after which it is ready; then it fits itself.
    pooled
        Neighbouring rows that are worth one independent row (smoothed rows: about 20).
    """

    def __init__(self, signals: Sequence[str], learn: int = 300, pooled: float = 1.0) -> None:
        self.signals = tuple(signals)
        self.learn = learn
        self.pooled = pooled
        self._store: RowStore | None = RowStore(len(self.signals))
        self._centre = np.full(len(self.signals), np.nan)
        self._square = np.ones(len(self.signals))
        self._floor = np.zeros(len(self.signals))
        self._scale = np.ones(len(self.signals))
        self._precision = Precision(np.eye(len(self.signals)))
        self._learnt = 0

    @property
    def ready(self) -> bool:
        """Whether it has been fitted."""
        return self._store is None

    @property
    def centre(self) -> Columns:
        """What each signal (p,) shows while healthy."""
        return self._centre

    @property
    def scale(self) -> Columns:
        """Usual deviation of each signal (p,)."""
        return self._scale

    @property
    def correlation(self) -> Columns:
        """Correlation of the signals (p, p), shrunk."""
        return self._precision.correlation

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Learn from one healthy row."""
        self.learn_row(row_of(self.signals, x))

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """Say how strange the row is; 0 while not ready."""
        return float(self.score_rows(row_of(self.signals, x)[None, :])[0])

    def learn_rows(self, rows: Columns) -> None:
        """Learn from healthy rows (n, p) in time order."""
        for row in rows:
            self.learn_row(row)

    def learn_row(self, row: Columns) -> None:
        """Learn from one healthy row (p,)."""
        if self._store is None:
            self._follow(row, 1.0)
            return
        self._store.append(row)
        if self._store.offered >= self.learn:
            kept = self._store.rows
            self.fit(kept, scale_floor(kept), self._store.offered / self.pooled)

    def fit(self, rows: Columns, floor: Columns, independent: float) -> Columns:
        """Learn from a whole healthy history at once, forgetting what was known.

        Parameters
        ----------
        rows
            Healthy rows (n, p).
        floor
            Smallest scale of each signal (p,).
        independent
            How many independent rows the history is worth.

        Returns
        -------
        Score of each of the rows (n,), by relations learnt from other rows and against the level
        before it: what healthy scores are like.
        """
        self._store = None
        self._learnt = int(independent * self.pooled)
        self._floor = floor
        away, self._centre = followed(rows, max(1.0, FOLLOWS * len(rows)))
        self._scale = robust_scale(away, floor)
        self._square = self._scale**2
        z = away / self._scale
        self._precision = Precision(shrunk_correlation(z, independent))

        def score(learnt: Columns, judged: Columns) -> Columns:
            share = len(learnt) / len(z)
            return _scores(Precision(shrunk_correlation(learnt, share * independent)), judged)

        return cross_fitted(z, score)

    def deviation(self, row: Columns) -> Deviation | None:
        """Say how one row (p,) deviates; None when no signal of it can be judged."""
        z = (row - self._centre) / self._scale
        size = np.abs(z)
        if not np.isfinite(size.sum()):
            return self._deviation_of_some(z, size)
        inverse, root = self._precision.full
        pull = inverse @ z
        alone = np.abs(pull) / root
        total = max(float(z @ pull), 0.0)
        score = 0.5 * (total / len(z)) ** 0.5 + 0.5 * float(alone.max())
        return Deviation(score, z, pull, np.maximum(size, alone))

    def score_rows(self, rows: Columns) -> Columns:
        """Score rows (n, p) → (n,); 0 while not ready or when no signal can be judged."""
        if not self.ready:
            return np.zeros(len(rows))
        return _scores(self._precision, (rows - self._centre) / self._scale)

    def contributions(self, rows: Columns) -> Columns:
        """Split each row's score over the signals (n, p) by their parts of T²."""
        parts = np.zeros(rows.shape)
        if not self.ready:
            return parts
        z = (rows - self._centre) / self._scale
        for picked, present, part, pull, _ in _by_pattern(self._precision, z):
            parts[np.ix_(picked, present)] = np.maximum(part * pull, 0.0)
        whole = parts.sum(axis=1, keepdims=True)
        share = parts / np.where(whole > 0, whole, 1.0)
        split: Columns = share * self.score_rows(rows)[:, None]
        return split

    def expected(self, rows: Columns) -> Columns:
        """Give the healthy centre for each row (n, p)."""
        return np.broadcast_to(self._centre, rows.shape).copy()

    def spread(self) -> Columns:
        """Give three scales of each signal (p,)."""
        return self._scale * 3.0

    def state(self) -> State:
        """Give everything learnt, as arrays."""
        known: dict[str, NDArray[Any]] = {
            "signals": np.array(self.signals, np.str_),
            "settings": np.array([self.learn, self.pooled, self._learnt, self.ready], np.float64),
            "centre": self._centre.copy(),
            "square": self._square.copy(),
            "floor": self._floor.copy(),
            "scale": self._scale.copy(),
            "correlation": self._precision.correlation.copy(),
        }
        if self._store is not None:
            known |= {f"store.{name}": value for name, value in self._store.state().items()}
        return known

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same detector again."""
        learn, pooled, learnt, ready = state["settings"].tolist()
        again = cls([str(name) for name in state["signals"]], int(learn), pooled)
        again._learnt = int(learnt)
        again._centre, again._square = state["centre"].copy(), state["square"].copy()
        again._floor, again._scale = state["floor"].copy(), state["scale"].copy()
        again._precision = Precision(state["correlation"].copy())
        if ready:
            again._store = None
        elif again._store is not None:
            names = ("rows", "count")
            again._store.restore({name: state[f"store.{name}"] for name in names})
        return again

    def _follow(self, row: Columns, weight: float) -> None:
        gain = weight * (1 - 0.5 ** (1 / max(1.0, FOLLOWS * self._learnt)))
        away = row - self._centre
        if np.isnan(away.sum()):
            away = np.where(np.isnan(away), 0.0, away)
        reach = BOUND * self._scale
        self._centre = self._centre + gain * np.minimum(np.maximum(away, -reach), reach)
        wide = np.minimum(away * away, WIDEST * self._square)
        self._square = self._square + 0.5 * gain * (wide - self._square)
        self._scale = np.maximum(np.sqrt(self._square), self._floor)

    def _deviation_of_some(self, z: Columns, size: Columns) -> Deviation | None:
        present = np.isfinite(z)
        if not present.any():
            return None
        inverse, root = self._precision.of(present)
        inner = inverse @ z[present]
        pull, alone = np.zeros(len(z)), np.zeros(len(z))
        pull[present], alone[present] = inner, np.abs(inner) / root
        total = max(float(z[present] @ inner), 0.0)
        score = 0.5 * (total / len(inner)) ** 0.5 + 0.5 * float(alone.max())
        return Deviation(score, z, pull, np.fmax(size, alone))


def _by_pattern(
    precision: Precision, z: Columns
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], Columns, Columns, Columns]]:
    """Give rows that miss the same signals: places, z, C⁻¹z, roots of the diagonal of C⁻¹."""
    patterns, which = np.unique(np.isfinite(z), axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        if pattern.any():
            picked, present = np.flatnonzero(which.reshape(-1) == index), np.flatnonzero(pattern)
            part = z[np.ix_(picked, present)]
            inverse, root = precision.of(pattern)
            yield picked, present, part, part @ inverse, root


def _scores(precision: Precision, z: Columns) -> Columns:
    score = np.zeros(len(z))
    for picked, present, part, pull, root in _by_pattern(precision, z):
        total = np.maximum((part * pull).sum(axis=1), 0.0)
        alone = (np.abs(pull) / root).max(axis=1)
        score[picked] = 0.5 * np.sqrt(total / len(present)) + 0.5 * alone
    return score
