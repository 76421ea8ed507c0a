"""Which silent unit to ask again, and how much of the line's time that may cost."""

from collections.abc import Iterable

from connectors.modbus.unit import Unit

SHARE = 0.06
"""Most of the line's time that waiting for silent units may take from the others."""
LONGEST_REST_S = 60.0
"""However much was taken from the others at once: so long nothing more is."""


class Probing:
    """Chooses at most one unit between two scans.

    Parameters
    ----------
    cost_s
        What asking in vain takes at least, s: the timeout.
    """

    def __init__(self, cost_s: float) -> None:
        self._least = self._cost = cost_s
        self._allowed = 0.0

    def choose(self, units: Iterable[Unit], now: float, idle: float) -> Unit | None:
        """Give the unit that has waited longest, if one is due.

        Parameters
        ----------
        now
            Monotonic clock, s.
        idle
            Time until the next scan has to begin, s: probing within it costs nobody anything.
        """
        due = [unit for unit in units if unit.dead and unit.retry_at <= now]
        if idle < self._cost and now < self._allowed:
            due = [unit for unit in due if unit.missed]
        return min(due, key=lambda unit: (not unit.missed, unit.retry_at), default=None)

    def spent(self, now: float, seconds: float, lost: float) -> None:
        """Take note of how long a silent unit was waited for, and what of it others have lost."""
        self._cost = max(self._least, seconds)
        debt = max(now, self._allowed) + lost / SHARE
        self._allowed = min(debt, now + LONGEST_REST_S)
