"""Healthy rows of one operating mode, gathered until the mode can be judged by them."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.arrivals import ENOUGH, Arrivals
from analytics.baselines import ModeBaseline
from analytics.channels import FOLLOWS, followed, learn
from analytics.contract import State
from analytics.relations import Relations
from analytics.rows import BlockStore
from analytics.scaling import quantiles, quantum, seen
from analytics.states import part_of, prefixed

Columns = NDArray[np.float64]

BAND = (0.005, 0.995)
"""Quantiles of the healthy values between which a signal is in its band."""
ROUNDED = 12**-0.5
"""Standard deviation of rounding, in steps of a quantised signal."""


class ModeHistory:
    """Gathers healthy rows of one mode.

    Parameters
    ----------
    signals
        Number of signals.
    limit
        See `limits.limit_of`.
    store, visits
        Rows that were gathered already, in so many stays.
    """

    def __init__(
        self, signals: int, limit: float, store: BlockStore | None = None, visits: int = 0
    ) -> None:
        self._limit = limit
        self._store = BlockStore(signals) if store is None else store
        self._arrivals = Arrivals(signals)
        self.visits = visits
        """Times that the mode was entered."""

    @property
    def gathered(self) -> int:
        """Rows gathered so far."""
        return self._store.offered

    @property
    def rows(self) -> Columns:
        """Rows kept (n, p)."""
        return self._store.rows

    @property
    def stretches(self) -> list[Columns]:
        """Rows kept, in contiguous stretches (n, p)."""
        return self._store.stretches()

    def visit(self) -> None:
        """Note that the mode was entered anew."""
        self.visits += 1
        self._arrivals.enter()

    def gather(self, row: Columns, age: int, slow: Columns) -> None:
        """Keep one healthy row (p,), see `ModeBaselines.gather`; one without a value tells nothing.

        The slow means (p,) say how the mode was entered, `age` rows ago.
        """
        self._arrivals.look(age, slow)
        if np.isfinite(row).any():
            self._store.append(row)

    def fit(self, floor: Columns, shared: Relations | None = None) -> ModeBaseline:
        """Learn from the gathered rows.

        Parameters
        ----------
        floor
            Smallest deviation of each signal worth telling (p,), from all modes.
        shared
            See `channels.learn`.
        """
        rows = self._store.rows
        floor = np.maximum(floor, ROUNDED * quantum(rows))
        relations, channels = learn(
            self._store.blocks(), self._store.offered, self.visits, floor, self._limit, shared
        )
        known = seen(rows)
        lately = rows[-int(2 * FOLLOWS[1]) :]
        centre = relations.centre.copy()
        found = np.isfinite(lately).any(axis=0)
        centre[found] = np.nanmean(lately[:, found], axis=0)
        away = rows[:, known] - centre[known]
        reach = np.zeros((2, len(centre)))
        reach[:, known] = quantiles(away, BAND)
        spread = np.maximum(relations.unit, (reach[1] - reach[0]) / 6)
        limit = channels.limits()[1] * np.sqrt(channels.square[1])
        if self.visits >= ENOUGH:  # below that nobody asks when a signal has arrived
            calm = channels.limits()[1] * followed(self._store.blocks(), relations, floor)
            limit = np.minimum(limit, calm)
        self._arrivals.fit(relations, channels.base, limit)
        return ModeBaseline(
            relations,
            channels,
            self._arrivals,
            centre=np.where(known, centre, np.nan),
            first=np.stack((centre, spread)),
            reach=reach,
            home=channels.base[1].copy(),
            visits=self.visits,
        )

    def state(self) -> State:
        """Give everything as arrays."""
        return {
            "limit": np.array([self._limit]),
            "visits": np.array([self.visits]),
            **prefixed("arrivals.", self._arrivals.state()),
            **prefixed("store.", self._store.state()),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same history again."""
        arrivals = Arrivals.restore(part_of(state, "arrivals."))
        again = cls(len(arrivals.settles), float(state["limit"][0]))
        again.visits, again._arrivals = int(state["visits"][0]), arrivals
        again._store.restore(part_of(state, "store."))
        return again
