"""One lone signal: events, each told once, since nothing beside it can say that a state lasts.

Thirteen cheap scores look for steps, shifts over several horizons, restlessness, standstill, values
never reached before and shapes never seen before. Each is turned into a surprise by its own tail
(peaks over a running quantile, exponential: Siffer 2017, without its shape parameter) and gets used
to what comes again: what alarmed yesterday at this height is no news today. After an event the bar
is higher for a while, and there is a pause.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.contract import State

Columns = NDArray[np.float64]

SHARE = 0.98
"""Running quantile of each score above which its tail begins."""
MEMORY = 4000.0
"""Rows that the tails remember."""
TAIL_ROWS = MEMORY * (1 - SHARE)
CLIPPED = 8.0
"""No excess is learnt as more than this many mean excesses."""
BASE = float(-np.log(1 - SHARE))
"""Surprise, −ln of its chance, of a score at the begin of its tail."""
USED_TO = 0.5
"""Share of its own faded surprises that is taken off a score."""
HALF_LIFE = 1000.0
"""Of the memory of surprises and of the higher bar, rows."""
FAMILIAR = 6.5
"""Surprises above this are remembered."""
HIGHER = 0.5
"""Rise of the bar after an event."""
PAUSE = 0.2
"""Rows after an event without another, as a share of the history."""
POOLS_FROM, POOLS = 5.0, 0.1
"""Surprise that adds to the pooled strangeness, and its half-life as a share of the history."""
LIVES = np.array([3.0, 6.0, 30.0, 120.0, 600.0])
_GAINS = 1 - 0.5 ** (1 / LIVES)
_SHORT, _LONG = 1 - 0.5 ** (1 / 12.0), 1 - 0.5 ** (1 / 600.0)
SHAPES, EVERY, BRIEF, WIDE = 400, 4, 12, 48
"""Shapes remembered, rows between two of them, and their lengths."""
SCORES = 13
SETTLES = 60
"""First rows, whose scores say little."""
KEPT = 4096


class Novelty:
    """Surprise of one signal, row by row.

    Parameters
    ----------
    bar
        Surprise at which a row is an event.
    """

    def __init__(self, bar: float) -> None:
        self._bar0 = self._bar = bar
        self._rows = 0
        self._level = np.zeros(len(LIVES))
        self._moves = np.zeros(5)  # last value, trend, short and long mean step, rows
        self._range = np.zeros(2)
        self._recent = np.zeros(WIDE)
        self._shapes = np.zeros((SHAPES, WIDE))
        self._sizes = np.zeros((2, SHAPES))
        self._middle = np.zeros(1)
        self._history: list[Columns] = []
        self._begin = np.zeros(SCORES)
        self._excess = np.ones(SCORES)
        self._familiar = np.zeros(SCORES)
        self._learnt = 0
        self._pause = 0
        self.pooled = 0.0
        """Strangeness of the last while; 0 when healthy."""

    @property
    def bar(self) -> float:
        """Surprise at which the next row is an event."""
        return self._bar

    def learn(self, value: float) -> None:
        """Take in a value of the history."""
        scores = self._scores(value)
        if self._rows > SETTLES and len(self._history) < KEPT:
            self._history.append(scores)

    def fit(self) -> None:
        """Begin to judge by what was learnt."""
        known = np.array(self._history) if self._history else np.ones((1, SCORES))
        self._history = []
        self._learnt = self._rows
        self._begin = np.quantile(known, SHARE, axis=0)
        over = np.where(known > self._begin, known - self._begin, np.nan)
        found = np.isfinite(over).any(axis=0)
        excess = np.zeros(SCORES)
        excess[found] = np.nanmean(over[:, found], axis=0)
        least = np.maximum(np.maximum(0.05 * known.std(axis=0), 0.1 * self._begin), 1e-9)
        self._excess = np.maximum(excess, least)

    def surprise(self, value: float) -> tuple[float, bool]:
        """Take in a value; give its surprise, and whether it is an event."""
        scores = self._scores(value)
        over = scores > self._begin
        away = (scores - self._begin) / self._excess
        below = BASE * scores / np.maximum(self._begin, 1e-300)
        surprise = np.where(over, BASE + away, np.minimum(below, BASE))
        told = float((surprise - USED_TO * self._familiar).max())
        self._familiar *= _FADES
        np.maximum(self._familiar, surprise - FAMILIAR, out=self._familiar)
        learnt = np.minimum(scores - self._begin, CLIPPED * self._excess)
        self._excess += np.where(over, learnt - self._excess, 0.0) / TAIL_ROWS
        self._begin += self._excess * (over - (1 - SHARE)) / TAIL_ROWS
        strange = float(np.maximum(surprise - POOLS_FROM, 0.0).mean())
        self.pooled += (1 - 0.5 ** (1 / max(POOLS * self._learnt, 1.0))) * (strange - self.pooled)
        event = told > self._bar and not self._pause
        self._pause = round(PAUSE * self._learnt) if event else max(0, self._pause - 1)
        self._bar += HIGHER * event
        self._bar = self._bar0 + (self._bar - self._bar0) * _FADES
        return told, event

    def _scores(self, value: float) -> Columns:
        if not self._rows:
            self._level[:] = self._range[:] = value
            self._moves[0] = value
            self._recent[:] = self._middle[:] = value
        level, last, trend = self._level, self._moves[0], self._moves[1]
        step = abs(value - last)
        before = level.copy()
        trend += _GAINS[1] * (value - before[2] - trend)
        gains = np.maximum(_GAINS, 1 / (self._rows + 1))
        level += gains * (value - level)
        short, long = self._moves[2:4]
        short += max(_SHORT, 1 / (self._rows + 1)) * (step - short)
        long += max(_LONG, 1 / (self._rows + 1)) * (step - long)
        restless = float(np.log((short + 1e-12) / (long + 1e-12)))
        beyond = max(value - self._range[1], self._range[0] - value, 0.0)
        brief, wide = self._unlike(value)
        scores = np.array(
            [
                step,
                abs(value - before[0]),
                abs(value - before[3]),
                abs(level[1] - level[3]),
                abs(level[2] - level[3]),
                abs(level[2] - level[4]),
                max(trend, 0.0),
                max(-trend, 0.0),
                max(restless, 0.0),
                max(-restless, 0.0),
                beyond,
                brief,
                wide,
            ]
        )
        self._moves[:4] = value, trend, short, long
        self._range[:] = min(self._range[0], value), max(self._range[1], value)
        self._rows += 1
        return scores

    def _unlike(self, value: float) -> tuple[float, float]:
        """Give the distances of the last values to the nearest shape remembered, brief and wide."""
        self._recent[:-1] = self._recent[1:]
        self._recent[-1] = value
        if self._rows < WIDE - 1:
            return 0.0, 0.0
        count = int(self._moves[4])
        recent = self._recent - self._middle
        squares = recent * recent
        size = np.array([[squares[-BRIEF:].sum()], [squares.sum()]])
        brief = wide = 0.0
        if count:
            known = min(count, SHAPES)
            shapes = self._shapes[:known]
            # |a − b|² = |a|² − 2a·b + |b|²: two products instead of a table of differences
            near = np.stack((shapes[:, -BRIEF:] @ recent[-BRIEF:], shapes @ recent))
            least = (self._sizes[:, :known] - 2 * near).min(axis=1, keepdims=True) + size
            brief, wide = np.sqrt(np.maximum(least[:, 0], 0.0) / _LENGTHS).tolist()
        if self._rows % EVERY == 0:
            self._shapes[count % SHAPES] = recent
            self._sizes[:, count % SHAPES] = size[:, 0]
            self._moves[4] += 1
        return brief, wide

    def state(self) -> dict[str, NDArray[Any]]:
        """Give everything as arrays."""
        return {
            **{name: getattr(self, f"_{name}").copy() for name in _ARRAYS},
            "history": np.array(self._history).reshape(-1, SCORES),
            "numbers": np.array(
                [self._bar0, self._bar, self.pooled, self._rows, self._learnt, self._pause]
            ),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        for name in _ARRAYS:
            setattr(self, f"_{name}", np.array(state[name], np.float64))
        self._history = list(state["history"])
        self._bar0, self._bar, self.pooled, rows, learnt, pause = state["numbers"].tolist()
        self._rows, self._learnt, self._pause = int(rows), int(learnt), int(pause)


_FADES = 0.5 ** (1 / HALF_LIFE)
_LENGTHS = np.array([BRIEF, WIDE])
_ARRAYS = (
    "level", "moves", "range", "recent", "shapes", "sizes", "middle", "begin", "excess", "familiar",
)  # fmt: skip
