"""Scales, limits and weights by which one mode is judged: they hold between two learnings.

Eight healthy rows are learnt in one step, so whatever follows from what was learnt is worked out
once and laid out in arrays of one shape, which are far quicker to put together than a column and a
row.
"""

import numpy as np
from numpy.typing import NDArray

from analytics.channels import FURTHEST, Channels
from analytics.contract import State

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]
Limits = tuple[float, float, float, float, float]

TURN = 8
"""Healthy rows that are learnt in one step: smoothed neighbours say the same."""
LEARNS, WIDEST = 0.001, 9.0
"""Weight of a row in the squared scales, and squared scales as which the furthest row counts."""
GROWS = 81.0
"""No squared scale grows beyond this many times what was learnt at first."""
LEANS, RENEWS = 16, 512
"""Rows after which what signals do together is learnt, and after which it is used anew."""
REMEMBERS = 1e4
"""Rows of which it is the mean."""
# arrays of no dimension, which are far quicker beside an array than numbers are
_SCALES, _WIDEST = np.array(TURN * LEARNS), np.array(WIDEST)
_NEAREST, _FURTHEST = np.array(-FURTHEST), np.array(FURTHEST)


class Gauge:
    """Measures deviations of p signals in scales and in limits.

    Parameters
    ----------
    channels
        What was learnt of the mode; followed in place.
    """

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        signals = channels.base.shape[1]
        self._root = signals**0.5
        self._most = channels.square * GROWS
        self.lean = 0
        """Rows since what signals do together was used anew."""
        self.per_scale, self.per_limit = np.empty((2, *channels.base.shape))
        """What makes scales of deviations from both baselines, and limits of scales (2, p)."""
        self.set_limits(channels.limits())
        self._weigh(channels.weights())

    def set_limits(self, limits: Limits) -> None:
        """Take the five limits, see `Channels.limits`, and the present scales."""
        self.limits = limits
        self.largest = max(limits[:3])
        """Limit of the channel for one signal in which it is largest, in scales."""
        self.pooling = [1 / (pooled * self._root) for pooled in limits[3:]]
        """What makes limits of the lengths of all deviations together, quick and slow."""
        # made anew, because a row that was judged keeps its own
        self.one = np.empty((3, self.per_scale.shape[1]))
        """Limits of the channels for each signal (3, p), in scales."""
        self.one[0], self.one[1], self.one[2] = limits[:3]
        np.sqrt(self.channels.square, self.per_scale)
        np.reciprocal(self.per_scale, self.per_scale)
        np.reciprocal(self.one[:2], self.per_limit)

    def _weigh(self, weights: Columns) -> None:
        self.weights = weights
        """What makes scaled deviations from both baselines independent (2, p, p)."""
        self.weights_quick, self.weights_slow = weights

    def unrest(self, variance: Columns) -> Columns:
        """Give by how many spreads the logarithms of slow variances (…, p) are unusual."""
        channels = self.channels
        unrest = variance + channels.least
        np.log(unrest, unrest)
        unrest -= channels.usual
        unrest /= channels.spread
        return unrest

    def learn(self, away: Columns, apart: Columns, unsure: tuple[Flags | None, ...]) -> None:
        """Learn scales, and now and then what signals do together, from the last of `TURN` rows.

        Parameters
        ----------
        away, apart
            Deviations from both baselines (2, p), and the same in scales.
        unsure
            Signals (p,) that teach nothing.
        """
        square = self.channels.square
        far = away * away
        np.minimum(far, _WIDEST * square, out=far)
        for signals in unsure:
            if signals is not None:
                far[:, signals] = square[:, signals]
        far -= square
        far *= _SCALES
        square += far
        np.minimum(square, self._most, out=square)
        self.lean = (self.lean + TURN) % RENEWS
        if not self.lean % LEANS:
            self._learn_together(apart)

    def _learn_together(self, apart: Columns) -> None:
        channels = self.channels
        near = np.maximum(apart, _NEAREST)
        np.minimum(near, _FURTHEST, out=near)
        share = LEANS / min(channels.rows, REMEMBERS)
        near *= share**0.5
        for together, each in zip(channels.together, near, strict=True):
            together *= 1 - share
            together += each[:, None].dot(each[None, :])
        if not self.lean:
            self._weigh(channels.weights())

    def state(self) -> State:
        """Give everything but `lean` that does not follow from the channels as arrays."""
        return {
            "most": self._most.copy(),
            "limits": np.array(self.limits),
            "weights": self.weights.copy(),
        }

    def restore(self, state: State) -> None:
        """Go on from a `state`, with channels of the same moment."""
        self._most = state["most"].copy()
        self.set_limits(tuple(state["limits"].tolist()))
        self._weigh(state["weights"].copy())
