"""Since when each signal of an asset has been away from its normal."""

import numpy as np
from numpy.typing import NDArray

from analytics.baselines import TOGETHER
from analytics.contract import State

Columns = NDArray[np.float64]
Flags = NDArray[np.bool_]

IN_BAND, OUT_OF_BAND = 2.5, TOGETHER
"""Scales at which a signal is back in its band, and at which it has left it."""
FALLS = 0.5
"""Share of its largest deviation since it left, below which a signal is on its way back."""
_INSIDE = int(np.iinfo(np.int64).max)


class Departures:
    """Departures of p signals from their normal.

    A signal on its way back leaves anew when it turns: what an earlier fault left behind, such
    as a variance that fades slowly, is not where the next one begins.

    Parameters
    ----------
    signals
        Number of signals (p).
    """

    def __init__(self, signals: int) -> None:
        self.left = np.full(signals, _INSIDE, np.int64)
        """Source time at which each signal (p,) left, ns; far ahead if it did not."""
        self._highest = np.zeros(signals)
        self._set_marks()

    def _set_marks(self) -> None:
        """Work out between which scales nothing happens: most rows pass between these marks."""
        away = self.left != _INSIDE
        self._away = int(np.count_nonzero(away))
        self._above = np.where(away, self._highest, OUT_OF_BAND)
        back = np.maximum(IN_BAND, FALLS * self._highest)
        self._below = np.where(away, back, -np.inf)
        self._below_alarmed = np.where(away, IN_BAND, -np.inf)

    @property
    def any(self) -> bool:
        """Whether a signal is away."""
        return self._away > 0

    def note(self, at: int, scales: Columns, alarmed: bool) -> None:
        """Take in a judged row.

        Parameters
        ----------
        at
            Source time, ns.
        scales
            Largest deviation of each signal (p,), in scales.
        alarmed
            Whether the alarm stands: no signal is on its way back then.
        """
        turns: Flags = np.greater(scales, self._above)
        if self._away:
            turns |= np.less(scales, self._below_alarmed if alarmed else self._below)
        if True in turns.tobytes():
            for j in turns.nonzero()[0].tolist():
                self._turn(j, at, scales.item(j), alarmed)

    def note_many(self, at: NDArray[np.int64], scales: Columns) -> None:
        """Take in rows (n,) with their scales (n, p) while no alarm stands."""
        turns: Flags = np.greater(scales, self._above)
        turns |= scales < self._below
        if not np.count_nonzero(turns):
            return
        times = at.tolist()
        for j in np.flatnonzero(turns.any(axis=0)).tolist():
            for when, scale in zip(times, scales[:, j].tolist(), strict=True):
                if scale > self._above.item(j) or scale < self._below.item(j):
                    self._turn(j, when, scale, False)

    def _turn(self, j: int, at: int, scale: float, alarmed: bool) -> None:
        """Let signal j leave, go further away, or come back."""
        highest = float(self._highest[j])
        away = self.left.item(j) != _INSIDE
        if away and (scale < IN_BAND or (not alarmed and scale < FALLS * highest)):
            away = False
            self._away -= 1
            self.left[j] = _INSIDE
            self._above[j], self._below[j], self._below_alarmed[j] = OUT_OF_BAND, -np.inf, -np.inf
        if not away and scale <= OUT_OF_BAND:
            return
        if not away:
            self._away += 1
            self.left[j], highest = at, 0.0
        self._highest[j] = self._above[j] = max(highest, scale)
        self._below[j] = max(IN_BAND, FALLS * max(highest, scale))
        self._below_alarmed[j] = IN_BAND

    def state(self) -> State:
        """Give everything as arrays."""
        return {"left": self.left.copy(), "highest": self._highest.copy()}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self.left = np.array(state["left"], np.int64)
        self._highest = np.array(state["highest"], np.float64)
        self._set_marks()
