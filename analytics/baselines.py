"""What an asset shows in one operating mode while healthy, and where its limit lies."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from analytics.detectors.two_statistic import TwoStatistic
from analytics.rows import RowStore
from analytics.scaling import quantiles, quantum, scale_floor, seen
from analytics.thresholds import calibrated_limit

Columns = NDArray[np.float64]

MODES = 64
"""Modes that can have a baseline; an asset that shows more has no mode tag but a counter."""

BAND = (0.005, 0.995)
"""Quantiles of the healthy values between which a signal is in its band."""


class ModeBaseline:
    """Gathers healthy rows of one mode, then judges by them.

    Parameters
    ----------
    signals
        Names of the columns.
    pooled
        Neighbouring rows worth one independent row.
    """

    def __init__(self, signals: Sequence[str], pooled: float) -> None:
        self._pooled = pooled
        self._raw: RowStore | None = RowStore(len(signals), 2048)
        self._smooth: RowStore | None = RowStore(len(signals))
        self._reach = np.zeros((2, len(signals)))
        self.detector = TwoStatistic(signals, pooled=pooled)
        self.limit = np.inf

    @property
    def ready(self) -> bool:
        """Whether it can judge."""
        return self._smooth is None

    @property
    def gathered(self) -> int:
        """Rows gathered so far."""
        return 0 if self._smooth is None else self._smooth.offered

    @property
    def rows(self) -> Columns:
        """Smoothed rows kept (n, p), until it can judge."""
        return self.detector.centre[None, :] if self._smooth is None else self._smooth.rows

    def gather(self, raw: Columns, smooth: Columns) -> None:
        """Keep one healthy row (p,), as it came and smoothed."""
        if self._raw is not None and self._smooth is not None:
            self._raw.append(raw)
            self._smooth.append(smooth)

    def fit(self, floor: Columns, margin: float) -> None:
        """Learn from the gathered rows and let go of them.

        Parameters
        ----------
        floor
            Smallest scale of each signal (p,), from all modes.
        margin
            See `calibrated_limit`.
        """
        if self._smooth is None or self._raw is None:
            return
        rows, independent = self._smooth.rows, self._smooth.offered / self._pooled
        raw = self._raw.rows
        floor = np.maximum(floor, 0.5 * quantum(raw))
        self.limit = calibrated_limit(self.detector.fit(rows, floor, independent), margin)
        known = seen(raw)
        away = raw[:, known] - self.detector.centre[known]
        self._reach[:, known] = quantiles(away, BAND)
        self._raw = self._smooth = None

    def band(self) -> tuple[Columns, Columns, Columns]:
        """Give low, high and expected of each signal (p,); NaN until it can judge."""
        centre = self.detector.centre
        width = self.detector.spread()
        low, high = np.minimum(self._reach[0], -width), np.maximum(self._reach[1], width)
        return centre + low, centre + high, centre.copy()

    def state(self) -> State:
        """Give everything as arrays."""
        known = prefixed("detector.", self.detector.state())
        known |= {"reach": self._reach.copy(), "limit": np.array([self.limit])}
        known["pooled"] = np.array([self._pooled])
        if self._raw is not None and self._smooth is not None:
            known |= prefixed("raw.", self._raw.state())
            known |= prefixed("smooth.", self._smooth.state())
        return known

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same baseline again."""
        detector = TwoStatistic.restore(part_of(state, "detector."))
        again = cls(detector.signals, float(state["pooled"][0]))
        again.detector = detector
        again.limit = float(state["limit"][0])
        again._reach = np.array(state["reach"], np.float64)
        if detector.ready:
            again._raw = again._smooth = None
        if again._raw is not None and again._smooth is not None:
            again._raw.restore(part_of(state, "raw."))
            again._smooth.restore(part_of(state, "smooth."))
        return again


class ModeBaselines:
    """The baselines of one asset, one a mode.

    Parameters
    ----------
    signals
        Names of the columns.
    pooled
        Neighbouring rows worth one independent row.
    needed
        Rows of a mode before it is judged.
    margin
        See `calibrated_limit`.
    """

    def __init__(self, signals: Sequence[str], pooled: float, needed: int, margin: float) -> None:
        self._signals = tuple(signals)
        self._pooled, self._needed, self._margin = pooled, needed, margin
        self._modes: dict[int, ModeBaseline] = {}

    def __getitem__(self, mode: int) -> ModeBaseline:
        return self._modes[mode]

    def get(self, mode: int) -> ModeBaseline | None:
        """Give the baseline of a mode, if it has been seen."""
        return self._modes.get(mode)

    def progress(self, mode: int) -> float:
        """How much of a mode is learnt, 0 to 1."""
        known = self._modes.get(mode)
        if known is None:
            return 0.0
        return 1.0 if known.ready else min(0.99, known.gathered / self._needed)

    def gather(self, mode: int, raw: Columns, smooth: Columns) -> None:
        """Keep one healthy row (p,) of a mode."""
        if mode not in self._modes:
            if len(self._modes) >= MODES:
                return
            self._modes[mode] = ModeBaseline(self._signals, self._pooled)
        self._modes[mode].gather(raw, smooth)

    def fit(self) -> None:
        """Fit every mode that has enough rows and is not fitted yet."""
        waiting = [
            each
            for each in self._modes.values()
            if not each.ready and each.gathered >= self._needed
        ]
        if waiting:
            floor = scale_floor(np.concatenate([each.rows for each in self._modes.values()]))
            for baseline in waiting:
                baseline.fit(floor, self._margin)

    def learn(self, mode: int, raw: Columns, smooth: Columns) -> None:
        """Keep one healthy row of a mode, and fit the mode when it has enough."""
        self.gather(mode, raw, smooth)
        known = self._modes.get(mode)
        if known is not None and known.gathered >= self._needed:
            self.fit()

    def state(self) -> State:
        """Give all baselines as arrays."""
        known: dict[str, NDArray[Any]] = {"modes": np.array(list(self._modes), np.int64)}
        for mode, baseline in self._modes.items():
            known |= prefixed(f"{mode}.", baseline.state())
        return known

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._modes = {
            mode: ModeBaseline.restore(part_of(state, f"{mode}."))
            for mode in state["modes"].tolist()
        }


def prefixed(prefix: str, state: State) -> dict[str, NDArray[Any]]:
    """Give the same arrays under names that start with `prefix`."""
    return {prefix + name: value for name, value in state.items()}


def part_of(state: State, prefix: str) -> State:
    """Give the arrays whose names start with `prefix`, without it.

    Examples
    --------
    >>> list(part_of({"a.x": np.zeros(1), "b.x": np.zeros(1)}, "a."))
    ['x']
    """
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
