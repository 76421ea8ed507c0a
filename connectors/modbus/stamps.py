"""Time stamps for values of a device without a clock."""

import time


class Stamps:
    """The gateway's wall clock, kept from running backwards.

    When the clock is set back, stamps run at half speed until it has caught up: a tag's samples
    must stand in time order, and standing still would stop every window that runs on them.
    """

    def __init__(self) -> None:
        self._last = 0
        self._heard = 0

    def next(self) -> int:
        """Give a stamp that is never below the one before, ns since 1970 UTC."""
        heard = time.monotonic_ns()
        slowed = self._last + (heard - self._heard) // 2 if self._last else 0
        self._last, self._heard = max(time.time_ns(), slowed), heard
        return self._last
