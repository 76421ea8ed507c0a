"""How much longer a machine will run, with an interval that was measured.

Learnt from run-to-failure histories; what stays is arrays, and a prediction needs numpy alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.prognostics.conditions import Conditions
from analytics.prognostics.intervals import Bands
from analytics.prognostics.progress import Progress, unheard
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
        progress: Progress = unheard,
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
        from analytics.prognostics.wear_training import learn

        return cls(**learn(runs, tuple(columns), seed, coverage, progress))

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
        seen, age = self._seen(history, columns)
        found = float(self.trees.predict(self._features(seen, age)[None, :])[0])
        raw = min(max(found, 0.0), self.horizon)
        low, high = self.bands.around(np.array([raw]))
        rows = max(0.0, raw - self.shift)
        recent = seen[-max(self.windows.wear[-1], self.windows.signal[-1]) * self.windows.pace :]
        known = np.isfinite(recent).any(axis=0)
        at_end = high[0] >= self.horizon * (1 - 1e-9)
        return Estimate(
            rows,
            max(0.0, min(float(low[0]), rows)),
            np.inf if at_end else max(float(high[0]), rows),
            self.bands.nominal,
            self.bands.measured,
            tuple(self.columns[j] for j in self.channels[~known]),
        )

    def reasons(
        self, history: Columns, columns: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """Say what lengthens (+) and shortens (−) the remaining life, strongest first, in rows.

        The parts and the mean prediction in training (`trees.usual`) sum to the prediction before
        it is bounded and shifted. What a wear index says is shared among its signals by their
        weight in it.
        """
        parts = self.trees.contributions(self._features(*self._seen(history, columns)))
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

    def _seen(self, history: Columns, columns: Sequence[str] | None) -> tuple[Columns, float]:
        """Give the channels of a history (n, p) and its age in rows."""
        rows = np.asarray(history, np.float64)
        names = self.columns if columns is None else tuple(columns)
        if rows.ndim != 2 or rows.shape[1] != len(names):
            raise Rejected(f"a history needs {len(names)} columns, got shape {rows.shape}")
        if not len(rows):
            raise Rejected("a history without rows says nothing about remaining life")
        channels, counter = self.channels, self.counter[0]
        if names != self.columns:
            channels, counter = self._places(names)
        seen = rows.take(channels, axis=1)
        if not np.isfinite(seen).any():
            raise Rejected("no signal has a known value: remaining life cannot be judged")
        if counter < 0 or not np.isfinite(rows[-1, counter]):
            return seen, float(len(rows))
        _, begin, step = self.counter
        return seen, float((rows[-1, counter] - begin) / step + 1)

    def _places(self, names: tuple[str, ...]) -> tuple[NDArray[np.intp], int]:
        """Find the channels and the counter (−1 for none) among other columns."""
        place = {name: j for j, name in enumerate(names)}
        needed = [self.columns[j] for j in self.channels]
        lacking = [name for name in needed if name not in place]
        if lacking:
            raise Rejected(f"the history lacks {', '.join(lacking)}")
        counter = self.counter[0]
        counted = -1 if counter < 0 else place.get(self.columns[counter], -1)
        return np.array([place[name] for name in needed], np.intp), counted

    def _features(self, seen: Columns, age: float) -> Columns:
        signals = self.conditions.residuals(filled(blocks(seen, self.windows.pace), self.usual))
        return self.windows.last(signals, self.directions, age)


def _part(state: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    head = name + "."
    return {key[len(head) :]: value for key, value in state.items() if key.startswith(head)}
