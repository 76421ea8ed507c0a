"""When to scan: points a period apart, each used once, those that have passed left out."""

import math

PUNCTUAL = 0.1
"""Part of the period that a scan may be late and still count as on its point."""


class Grid:
    """Gives the points of a fixed grid on the monotonic clock.

    Parameters
    ----------
    start
        First point, seconds.
    period
        Distance of the points, seconds.
    """

    def __init__(self, start: float, period: float) -> None:
        self._start = start
        self._period = period
        self._next = 0

    def take(self, now: float) -> float:
        """Give the first unused point that is not past at `now`, seconds.

        Examples
        --------
        >>> grid = Grid(10.0, 1.0)
        >>> grid.take(10.0), grid.take(10.2), grid.take(13.5), grid.take(13.6)
        (10.0, 11.0, 14.0, 15.0)
        """
        point = self.next(now)
        self._next = self._number(now) + 1
        return point

    def next(self, now: float) -> float:
        """Tell the point that `take` would give."""
        return self._start + self._number(now) * self._period

    def spare(self, now: float) -> float:
        """Tell the time until that point would be missed, seconds."""
        return self.next(now) + PUNCTUAL * self._period - now

    def _number(self, now: float) -> int:
        return max(self._next, math.ceil((now - self._start) / self._period - PUNCTUAL))
