"""The consolidated detector: T² with the largest lone deviation, of each mode, from moments alone.

Shrunk as OAS says (Chen, Wiesel, Eldar & Hero 2010, IEEE Trans. Signal Processing 58), which needs
the correlation and the number of rows and nothing else; Ledoit & Wolf's needs the rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State
from analytics.detectors.two_statistic import TwoStatistic
from analytics.federation.refusals import Refused, Why
from analytics.federation.sketch import Sketch
from analytics.federation.statistics import Statistics
from analytics.federation.terms import Terms
from analytics.relations import Relations
from analytics.scaling import CLASS
from analytics.states import part_of, prefixed

Columns = NDArray[np.float64]
Modes = NDArray[np.int64]

LEAST_SHRINKAGE = 0.001
"""Kept however many rows there are: near-exact relations between signals hold only nearly. A tenth,
as a single machine wants it, hides a weak fault behind the loads of all the others."""
ALIKE = 1e-6
"""By how much a correlation may differ from its mirror."""
LEAST_EIGENVALUE = 1e-9
"""Of a correlation, of its largest: below it its inverse is made of rounding. What was shrunk by
`LEAST_SHRINKAGE` lies far above."""
SCALES = 1e-30, 1e30
"""Between which a scale is one that some signal can have: beyond, squares leave what a double
holds."""
OPEN = np.inf
"""Limit of a mode whose scores have not been told yet: nothing is beyond it."""


def oas(correlation: Columns, rows: float) -> float:
    """Give the weight of the identity, 0 to 1, beside a correlation (p, p) of so many rows.

    Examples
    --------
    >>> round(oas(np.eye(3), 100), 3), round(oas(np.array([[1, 0.8], [0.8, 1]]), 1000), 4)
    (1.0, 0.0031)
    """
    signals = len(correlation)
    square, trace = float((correlation**2).sum()), float(np.trace(correlation))
    above = (1 - 2 / signals) * square + trace**2
    below = (rows + 1 - 2 / signals) * (square - trace**2 / signals)
    return 1.0 if below <= 0 else min(1.0, above / below)


def fitted(known: Statistics, terms: Terms, least: float = LEAST_SHRINKAGE) -> TwoStatistic:
    """Build the detector of one mode from its statistics, shrunk by `least` at least."""
    low, high = terms.limits
    floor = CLASS * (high - low)
    spread = known.spread
    unit = np.where(spread > 0, spread, 1.0)
    correlation = known.covariance / np.outer(unit, unit)
    np.fill_diagonal(correlation, 1.0)
    weight = max(oas(correlation, known.n), least)
    correlation *= 1 - weight
    np.fill_diagonal(correlation, 1.0)
    scale = np.maximum(spread, floor)
    return TwoStatistic.restore(
        {
            "signals": np.array(terms.signals, np.str_),
            "settings": np.array([known.n, 1.0, known.n, 1.0]),
            "centre": known.mean,
            "square": scale**2,
            "floor": floor,
            "scale": scale,
            "correlation": correlation,
        }
    )


@dataclass(frozen=True, slots=True, eq=False)
class Consolidated:
    """A detector for every mode, and the score at which a row is beyond what is healthy.

    Parameters
    ----------
    detectors
        By mode.
    limits
        By mode; infinite before the scores of the sites are known.
    """

    detectors: Mapping[int, TwoStatistic]
    limits: Mapping[int, float]

    @classmethod
    def of(cls, known: Mapping[int, Statistics], terms: Terms) -> "Consolidated":
        """Build it from the statistics of each mode, without limits."""
        detectors = {mode: fitted(known[mode], terms) for mode in sorted(known)}
        return cls(detectors, dict.fromkeys(detectors, OPEN))

    def limited(self, scores: Mapping[int, Sketch], share: float) -> "Consolidated":
        """Set the limits so that `share` of the healthy scores lie beyond them.

        A mode of which no scores are known keeps none, and judges nothing.
        """
        told = {mode: scores[mode].quantile(1 - share) for mode in self.detectors if mode in scores}
        return Consolidated(self.detectors, {**self.limits, **told})

    @property
    def complete(self) -> bool:
        """Whether some mode has a limit, so that it can judge."""
        return any(np.isfinite(limit) for limit in self.limits.values())

    def scores(self, rows: Columns, mode: Modes) -> Columns:
        """Score rows (n, p) of modes (n,) → (n,); 0 where a mode is not known."""
        found = np.zeros(len(rows))
        for number, detector in self.detectors.items():
            mine = mode == number
            if mine.any():
                found[mine] = detector.score_rows(rows[mine])
        return found

    def relations(self) -> dict[int, Relations]:
        """Give what the signals do together in each mode, for a `Watch` to begin from."""
        return {
            mode: Relations(each.centre, each.scale, each.correlation)
            for mode, each in self.detectors.items()
        }

    def sketches(self, rows: Columns, mode: Modes) -> dict[int, Sketch]:
        """Count the scores of rows (n, p) of modes (n,), for every mode that has some."""
        scores = self.scores(rows, mode)
        return {
            number: Sketch.of(scores[mode == number])
            for number in self.detectors
            if (mode == number).any()
        }

    def judge(self, rows: Columns, mode: Modes) -> Columns:
        """Give score over limit (n,): above 1 is beyond what is healthy; 0 if not judged."""
        limit = np.full(len(rows), OPEN)
        for number, each in self.limits.items():
            limit[mode == number] = each
        return np.asarray(self.scores(rows, mode) / limit, np.float64)

    def contributions(self, rows: Columns, mode: Modes) -> Columns:
        """Split each row's score over the signals (n, p)."""
        parts = np.zeros(rows.shape)
        for number, detector in self.detectors.items():
            mine = mode == number
            parts[mine] = detector.contributions(rows[mine])
        return parts

    def state(self) -> State:
        """Give everything as arrays."""
        modes = sorted(self.detectors)
        known: dict[str, NDArray[Any]] = {
            "modes": np.array(modes, np.int64),
            "limits": np.array([self.limits[mode] for mode in modes]),
        }
        for place, mode in enumerate(modes):
            known |= prefixed(f"{place}.", self.detectors[mode].state())
        return known

    @classmethod
    def restore(cls, state: State) -> "Consolidated":
        """Build the same detector again.

        Raises
        ------
        Refused
            Its arrays do not belong together.
        """
        try:
            modes = [int(mode) for mode in state["modes"]]
            limits = dict(zip(modes, map(float, state["limits"]), strict=True))
            parts = {mode: part_of(state, f"{place}.") for place, mode in enumerate(modes)}
            for part in parts.values():
                _check(part)
            detectors = {mode: TwoStatistic.restore(part) for mode, part in parts.items()}
        except (KeyError, TypeError, ValueError, IndexError, np.linalg.LinAlgError) as error:
            raise Refused(Why.MALFORMED, f"no consolidated model: {error!r}") from error
        if len(detectors) != len(modes) or any(not limit > 0 for limit in limits.values()):
            raise Refused(Why.IMPOSSIBLE, "a mode stands there twice, or its limit is not above 0")
        return cls(detectors, limits)


def _check(state: State) -> None:
    """Refuse what no detector has learnt, before one is built of it."""
    signals = len(state["signals"])
    correlation = state["correlation"]
    if correlation.shape != (signals, signals) or any(
        state[name].shape != (signals,) for name in ("centre", "square", "floor", "scale")
    ):
        raise Refused(Why.MALFORMED, "a detector's arrays are not one place a signal")
    if not all(np.isfinite(state[name]).all() for name in ("centre", "scale", "correlation")):
        raise Refused(Why.IMPOSSIBLE, "a centre, scale or correlation is no finite number")
    if not ((state["scale"] > SCALES[0]) & (state["scale"] < SCALES[1])).all():
        raise Refused(Why.IMPOSSIBLE, "a scale is not above 0, or beyond what a signal can have")
    mirrored = np.abs(correlation - correlation.T).max(initial=0.0)
    values = np.linalg.eigvalsh(correlation)
    if mirrored > ALIKE or values[0] <= LEAST_EIGENVALUE * values[-1]:
        raise Refused(Why.IMPOSSIBLE, "a correlation is not symmetric and positive definite")
