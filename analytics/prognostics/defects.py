"""Which part will turn out bad, with a calibrated probability and what speaks for it.

Learnt from labelled parts; what stays is arrays, and a verdict needs numpy alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.prognostics.derived import Derived
from analytics.prognostics.progress import Progress, unheard
from analytics.prognostics.trees import FlatTrees, State
from plant.errors import Rejected

Columns = NDArray[np.float64]


SURE = 1e-6
"""No mixture is surer of anything than this."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Boosted trees and a forest, averaged: they err in different places.

    Parameters
    ----------
    boosted
        Gives log-odds.
    forest
        Gives a probability.
    share
        Of the forest in the probability; the rest is that of the boosted trees.
    """

    boosted: FlatTrees
    forest: FlatTrees
    share: float

    def log_odds(self, inputs: Columns) -> Columns:
        """Give the log-odds of inputs (n, p + d) → (n,)."""
        told = self.boosted.predict(inputs), self.forest.predict(inputs)
        mixed: Columns = averaged(*told, self.share)
        return mixed

    @property
    def usual(self) -> float:
        """Log-odds of a part of which nothing is known."""
        return float(averaged(self.boosted.usual, self.forest.usual, self.share))

    def contributions(self, inputs: Columns) -> Columns:
        """Split the log-odds of one part (p + d,) over its inputs; with `usual` they sum to it.

        Both are split in probability, the boosted one in proportion to its log-odds, and
        the whole is stretched to the log-odds of the mixture.
        """
        parts = self.boosted.contributions(inputs)
        moved = _chance(self.boosted.usual + parts.sum()) - _chance(self.boosted.usual)
        of_boosted = (1 - self.share) * parts * _ratio(moved, parts.sum())
        both = of_boosted + self.share * self.forest.contributions(inputs)
        whole = self.log_odds(inputs[None, :])[0] - self.usual
        stretched: Columns = both * _ratio(whole, both.sum())
        return stretched

    def used(self) -> NDArray[np.bool_]:
        """Tell which inputs any tree looks at (p + d,)."""
        return (self.boosted.used() + self.forest.used()) > 0


@dataclass(frozen=True, slots=True, eq=False)
class ClassOdds:
    """Log-odds of one class: what the trees say, then calibrated.

    Parameters
    ----------
    mixture
        From plain and derived columns to log-odds.
    curve
        Calibrated log-odds of a chance p = c + a·ln p − b·ln(1 − p) with curve = (a, b, c), a and
        b > 0 (beta calibration: Kull, Silva Filho & Flach 2017).
    limit
        Probability from which the class is called: best F1 on parts left out of training.
    error
        Expected calibration error on parts left out of training and of calibration.
    """

    mixture: Mixture
    curve: tuple[float, float, float]
    limit: float
    error: float

    def log_odds(self, inputs: Columns) -> Columns:
        """Give calibrated log-odds of inputs (n, p + d) → (n,)."""
        return calibrated(self.curve, self.mixture.log_odds(inputs))

    @property
    def usual(self) -> float:
        """Calibrated log-odds of a part of which nothing is known."""
        return float(calibrated(self.curve, np.array([self.mixture.usual]))[0])

    def contributions(self, inputs: Columns) -> Columns:
        """Split the calibrated log-odds of one part (p + d,); with `usual` they sum to it."""
        parts = self.mixture.contributions(inputs)
        whole = self.log_odds(inputs[None, :])[0] - self.usual
        stretched: Columns = parts * _ratio(whole, parts.sum())
        return stretched

    def narrowed(self, kept: NDArray[np.bool_]) -> Self:
        """Leave out inputs that no tree looks at."""
        boosted, forest = self.mixture.boosted.narrowed(kept), self.mixture.forest.narrowed(kept)
        return replace(self, mixture=replace(self.mixture, boosted=boosted, forest=forest))


@dataclass(frozen=True, slots=True, eq=False)
class DefectModel:
    """A model of defects; `fit` makes one, `restore` brings one back.

    Parameters
    ----------
    columns
        Names of the columns it was trained with.
    classes_
        Labels in ascending order (k,).
    derived
        Columns that it looks at, and those it derives.
    odds
        For two classes one, that of the second; for more one each.
    notes
        What could not be learnt, and why.
    """

    columns: tuple[str, ...]
    classes_: NDArray[Any]
    derived: Derived
    odds: tuple[ClassOdds, ...]
    notes: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        rows: Columns,
        labels: ArrayLike,
        columns: Sequence[str],
        seed: int = 0,
        progress: Progress = unheard,
    ) -> Self:
        """Learn from labelled parts; needs scikit-learn.

        Parameters
        ----------
        rows
            One row a part, in the order they were made (n, columns); NaN = missing. Categories
            are given as numbers.
        labels
            Class of each part (n,), integers or booleans.
        columns
            Names of the columns.
        seed
            The same data and seed give the same bytes.
        progress
            Called with the steps that are done and all there are, a few seconds apart.

        Raises
        ------
        Rejected
            When all parts have one label, or rows, labels and names do not fit together.
        """
        from analytics.prognostics.defect_training import learn

        return cls(**learn(rows, labels, tuple(columns), seed, progress))

    @property
    def calibration_error(self) -> float:
        """Largest expected calibration error of the classes, on parts left out of training."""
        return max(each.error for each in self.odds)

    def predict_proba(self, rows: Columns, columns: Sequence[str] | None = None) -> Columns:
        """Give the probability of each class for parts (n, columns) → (n, k).

        Where `columns` are given they may stand in another order, with others among them.
        """
        inputs = self.derived.of(self._arranged(rows, columns))
        log_odds = np.column_stack([each.log_odds(inputs) for each in self.odds])
        chance = _chance(log_odds)
        if len(self.odds) == 1:
            return np.hstack([1 - chance, chance])
        whole: Columns = chance / chance.sum(axis=1, keepdims=True)
        return whole

    def reasons(
        self, row: Columns, columns: Sequence[str] | None = None, label: Any = None
    ) -> list[tuple[str, float]]:
        """Say what speaks for (+) and against (−) a class, strongest first, in log-odds.

        Parameters
        ----------
        row
            One part (columns,).
        columns
            Names, where they are not those of the training.
        label
            The class, of more than two; of two it is always the second.

        Returns
        -------
        Name of each plain or derived column and its part; `usual_log_odds` and the parts sum to the
        calibrated log-odds.
        """
        odds = self._odds_of(label)
        inputs = self.derived.of(self._arranged(np.asarray(row)[None, :], columns))
        parts = odds.contributions(inputs[0])
        names = self.derived.names(self.columns)
        order = np.argsort(-np.abs(parts), kind="stable")
        return [(names[j], float(parts[j])) for j in order if parts[j] != 0]

    def usual_log_odds(self, label: Any = None) -> float:
        """Give the log-odds of a part of which nothing is known: where reasons start."""
        return self._odds_of(label).usual

    def signals(self, reasons: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
        """Share the parts of derived columns equally among the signals they are made of."""
        made = zip(self.derived.left, self.derived.right, strict=True)
        origins = [(j, j) for j in self.derived.plain] + list(made)
        by_name = dict(zip(self.derived.names(self.columns), origins, strict=True))
        total = np.zeros(len(self.columns))
        for name, part in reasons:
            for j in by_name[name]:
                total[j] += part / 2
        order = np.argsort(-np.abs(total), kind="stable")
        return [(self.columns[j], float(total[j])) for j in order if total[j] != 0]

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything learnt, as arrays."""
        known: dict[str, NDArray[Any]] = {
            "columns": np.array(self.columns, np.str_),
            "classes": self.classes_,
            "notes": np.array(self.notes, np.str_),
            "calibration": np.array(
                [[*o.curve, o.limit, o.error, o.mixture.share] for o in self.odds]
            ),
        }
        known |= {f"derived.{name}": array for name, array in self.derived.state().items()}
        for k, each in enumerate(self.odds):
            for half in ("boosted", "forest"):
                arrays = getattr(each.mixture, half).state()
                known |= {f"{half}{k}.{name}": array for name, array in arrays.items()}
        return known

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same model again; Rejected when the arrays do not fit together."""
        try:
            columns = tuple(str(name) for name in state["columns"])
            derived = Derived.restore(_part(state, "derived"), len(columns))
            figures = np.asarray(state["calibration"], np.float64)
            boosted, forests = (
                [FlatTrees.restore(_part(state, f"{half}{k}")) for k in range(len(figures))]
                for half in ("boosted", "forest")
            )
            classes, notes = state["classes"], tuple(str(note) for note in state["notes"])
        except (KeyError, ValueError) as reason:
            raise Rejected(f"the model of defects is damaged: {reason}") from reason
        width = len(derived.plain) + len(derived.sign)
        fits = (
            classes.ndim == 1
            and classes.dtype.kind in "biu"
            and len(classes) >= 2
            and len(figures) == (1 if len(classes) == 2 else len(classes))
            and figures.shape[1:] == (6,)
            and bool(np.isfinite(figures).all() and (figures[:, :2] > 0).all())
            and bool(((figures[:, 5] >= 0) & (figures[:, 5] <= 1)).all())
            and all(each.width == width for each in (*boosted, *forests))
        )
        if not fits:
            raise Rejected("the parts of the model of defects do not fit together")
        mixtures = map(Mixture, boosted, forests, figures[:, 5].tolist())
        told = zip(mixtures, figures.tolist(), strict=True)
        odds = (ClassOdds(m, (a, b, c), limit, error) for m, (a, b, c, limit, error, _) in told)
        return cls(columns, classes, derived, tuple(odds), notes)

    def _odds_of(self, label: Any) -> ClassOdds:
        if len(self.odds) == 1:
            return self.odds[0]
        place = np.flatnonzero(self.classes_ == label)
        if label is None or not len(place):
            raise Rejected(f"say of which class: {', '.join(map(str, self.classes_))}")
        return self.odds[int(place[0])]

    def _arranged(self, rows: Columns, columns: Sequence[str] | None) -> Columns:
        given = np.asarray(rows, np.float64)
        wanted = self.columns if columns is None else tuple(columns)
        if given.ndim != 2 or given.shape[1] != len(wanted):
            raise Rejected(f"{len(wanted)} columns a part are needed, got shape {given.shape}")
        if wanted != self.columns:
            place = {name: j for j, name in enumerate(wanted)}
            lacking = [name for name in self.columns if name not in place]
            if lacking:
                raise Rejected(f"the parts lack {', '.join(lacking)}; give NaN where unknown")
            given = given[:, [place[name] for name in self.columns]]
        return np.where(np.isfinite(given), given, np.nan)


def _part(state: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    head = name + "."
    return {key[len(head) :]: value for key, value in state.items() if key.startswith(head)}


def calibrated(curve: tuple[float, float, float], log_odds: Columns) -> Columns:
    """Bend log-odds (n,) by a curve (a, b, c)."""
    a, b, c = curve
    bent: Columns = c + b * np.logaddexp(0.0, log_odds) - a * np.logaddexp(0.0, -log_odds)
    return bent


def averaged(boosted: Any, forest: Any, share: float) -> Any:
    """Average the chances behind the log-odds of one and the probability of the other."""
    return _log_odds((1 - share) * _chance(boosted) + share * forest)


def _chance(log_odds: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))


def _log_odds(chance: Any) -> Any:
    inside = np.clip(chance, SURE, 1 - SURE)
    return np.log(inside / (1 - inside))


def _ratio(whole: float, parts: float) -> float:
    return whole / parts if abs(parts) > 1e-300 else 0.0
