"""How much longer a machine will run, with an interval that was measured.

Learnt from run-to-failure histories; what stays is arrays, and a prediction needs numpy alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.prognostics.conditions import Conditions
from analytics.prognostics.intervals import Bands
from analytics.prognostics.traces import Windows, blocks, filled
from analytics.prognostics.trees import FlatTrees, State
from plant.errors import Rejected

Columns = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Remaining life at the last row of a history.

    Parameters
    ----------
    rows
        Rows until failure, at most the model's horizon: then "at least so many".
    low, high
        Interval; `high` is ∞ where it reaches the horizon.
    nominal, measured
        Share of cases the interval is meant to hold, and held on histories left out of training.
    missing
        Signals without a known value in the longest window: the estimate took older or usual ones.
    """

    rows: float
    low: float
    high: float
    nominal: float
    measured: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RemainingLife:
    """A model of remaining life; `fit` makes one, `restore` brings one back.

    Parameters
    ----------
    columns
        Names of the columns it was trained with.
    channels
        Positions of those it uses (p,).
    usual
        What a channel shows when nothing is known of it (p,).
    counter
        Position, first value and step of a column that counts the rows; position −1 when none.
    conditions
        Takes the operating condition out of the channels.
    directions
        Wear indices as weighted sums of the channels (p, k).
    windows
        What is looked at.
    trees
        From features to rows until failure.
    bands
        Measured errors.
    horizon
        Rows beyond which wear does not show: the model does not look further.
    shift
        What is taken off each prediction because late costs more than early (rows).
    error
        Root mean square error on histories left out, truth capped at the horizon (rows).
    """

    columns: tuple[str, ...]
    channels: NDArray[np.intp]
    usual: Columns
    counter: tuple[int, float, float]
    conditions: Conditions
    directions: Columns
    windows: Windows
    trees: FlatTrees
    bands: Bands
    horizon: float
    shift: float
    error: float

    @classmethod
    def fit(
        cls,
        runs: Sequence[Columns],
        columns: Sequence[str],
        seed: int = 0,
        coverage: float = 0.9,
        progress: Callable[[int, int], None] | None = None,
    ) -> Self:
        """Learn from histories that each end with the failure; needs scikit-learn.

        Parameters
        ----------
        runs
            Histories (n_i, columns) in time order at one sampling rate, NaN = not Good.
        columns
            Their names.
        seed
            The same data and seed give the same bytes.
        coverage
            Share of cases the interval is to hold, between 0.5 and 0.99.
        progress
            Called with the steps that are done and all there are, a few seconds apart.

        Raises
        ------
        Rejected
            With fewer than three histories, or histories that do not fit together.
        """
        from analytics.prognostics.wear_training import learn, unheard

        return cls(**learn(runs, tuple(columns), seed, coverage, progress or unheard))

    @property
    def condition_columns(self) -> tuple[str, ...]:
        """Columns found to tell how the machine is run; empty when there is one condition."""
        return tuple(self.columns[self.channels[j]] for j in self.conditions.columns)

    def predict(self, history: Columns, columns: Sequence[str] | None = None) -> Estimate:
        """Say how much longer the machine of a history will run.

        Parameters
        ----------
        history
            All rows so far (n, columns), oldest first, NaN = not Good. Where its beginning is
            missing the machine is taken for younger, unless a column counts the rows.
        columns
            Names, where they are not those of the training in the same order; others are ignored.

        Raises
        ------
        Rejected
            Without rows, without a column that it needs, or without any known value.
        """
        rows = self._arranged(history, columns)
        features = self._features(rows)
        raw = float(np.clip(self.trees.predict(features[None, :])[0], 0.0, self.horizon))
        low, high = (float(each[0]) for each in self.bands.around(np.array([raw])))
        recent = rows[-max(self.windows.wear[-1], self.windows.signal[-1]) * self.windows.pace :]
        known = np.isfinite(recent[:, self.channels]).any(axis=0)
        missing = tuple(self.columns[j] for j in self.channels[~known])
        at_end = high >= self.horizon * (1 - 1e-9)
        return Estimate(
            max(0.0, raw - self.shift),
            max(0.0, min(low, raw - self.shift)),
            np.inf if at_end else max(high, raw - self.shift),
            self.bands.nominal,
            self.bands.measured,
            missing,
        )

    def reasons(
        self, history: Columns, columns: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """Say what lengthens (+) and shortens (−) the remaining life, strongest first, in rows.

        The parts and the mean prediction in training (`trees.usual`) sum to the prediction before
        it is bounded and shifted. What a wear index says is shared among its signals by their
        weight in it.
        """
        parts = self.trees.contributions(self._features(self._arranged(history, columns)))
        names = [self.columns[j] for j in self.channels]
        told = self.windows.names(names, self.directions.shape[1])
        whole = np.zeros(len(names) + 1)
        weight = np.abs(self.directions) / np.abs(self.directions).sum(axis=0)
        for part, (_, source) in zip(parts, told, strict=True):
            if source < len(names):
                whole[source] += part
            else:
                whole[:-1] += part * weight[:, source - len(names)]
        order = np.argsort(-np.abs(whole), kind="stable")
        return [([*names, "age"][j], float(whole[j])) for j in order]

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything learnt, as arrays."""
        parts = {
            "conditions": self.conditions.state(),
            "windows": self.windows.state(),
            "trees": self.trees.state(),
            "bands": self.bands.state(),
        }
        known: dict[str, NDArray[Any]] = {
            "columns": np.array(self.columns, np.str_),
            "channels": self.channels.astype(np.int64),
            "usual": self.usual,
            "counter": np.array(self.counter, np.float64),
            "directions": self.directions,
            "figures": np.array([self.horizon, self.shift, self.error]),
        }
        for part, arrays in parts.items():
            known |= {f"{part}.{name}": array for name, array in arrays.items()}
        return known

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same model again; Rejected when the arrays do not fit together."""
        try:
            conditions = Conditions.restore(_part(state, "conditions"))
            windows = Windows.restore(_part(state, "windows"))
            trees = FlatTrees.restore(_part(state, "trees"))
            bands = Bands.restore(_part(state, "bands"))
            columns = tuple(str(name) for name in state["columns"])
            channels = np.asarray(state["channels"], np.intp)
            usual, directions = state["usual"], state["directions"]
            place, begin, step = (float(each) for each in state["counter"])
            horizon, shift, error = (float(each) for each in state["figures"])
        except (KeyError, ValueError) as reason:
            raise Rejected(f"the model of remaining life is damaged: {reason}") from reason
        p = len(channels)
        fits = (
            p > 0
            and bool(((channels >= 0) & (channels < len(columns))).all())
            and usual.shape == (p,)
            and directions.ndim == 2
            and directions.shape[0] == conditions.lines.shape[2] == p
            and -1 <= place < len(columns)
            and step != 0
            and trees.width == len(windows.names([""] * p, directions.shape[1]))
            and np.isfinite([begin, step, horizon, shift, error]).all()
            and bool(np.isfinite(usual).all() and np.isfinite(directions).all())
        )
        if not fits:
            raise Rejected("the parts of the model of remaining life do not fit together")
        return cls(
            columns,
            channels,
            usual,
            (int(place), begin, step),
            conditions,
            directions,
            windows,
            trees,
            bands,
            horizon,
            shift,
            error,
        )

    def _arranged(self, history: Columns, columns: Sequence[str] | None) -> Columns:
        rows = np.asarray(history, np.float64)
        if columns is not None and tuple(columns) != self.columns:
            place = {name: j for j, name in enumerate(columns)}
            needed = [self.columns[j] for j in self.channels]
            lacking = [name for name in needed if name not in place]
            if lacking:
                raise Rejected(f"the history lacks {', '.join(lacking)}")
            if rows.ndim != 2 or rows.shape[1] != len(columns):
                raise Rejected(f"{len(columns)} names for rows of shape {rows.shape}")
            padded = np.column_stack([rows, np.full(len(rows), np.nan)])
            rows = padded[:, [place.get(name, len(columns)) for name in self.columns]]
        if rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise Rejected(f"a history needs {len(self.columns)} columns, got shape {rows.shape}")
        if not len(rows):
            raise Rejected("a history without rows says nothing about remaining life")
        if not np.isfinite(rows[:, self.channels]).any():
            raise Rejected("no signal has a known value: remaining life cannot be judged")
        return rows

    def _features(self, rows: Columns) -> Columns:
        place, begin, step = self.counter
        age = float(len(rows))
        if place >= 0 and np.isfinite(rows[-1, place]):
            age = (rows[-1, place] - begin) / step + 1
        cut = filled(blocks(rows[:, self.channels], self.windows.pace), self.usual)
        signals = self.conditions.residuals(cut)
        return self.windows.last(signals, self.directions, age)


def _part(state: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    head = name + "."
    return {key[len(head) :]: value for key, value in state.items() if key.startswith(head)}
