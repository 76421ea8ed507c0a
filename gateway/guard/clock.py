"""When the wall clock is believed: it goes evenly, and is not behind what is past for certain."""

from collections.abc import Callable

from gateway.guard.checks import MINUTE_S, NS, Moment
from gateway.guard.policy import Policy
from gateway.guard.tickets import Book

WRONG = "clock"
"""Name of its alarm."""


class Clock:
    """Watches the wall clock against the monotonic one.

    Parameters
    ----------
    policy
        How far it may slip, and when the limits were signed.
    book
        Its audit knows a time that is past; alarms stand there.
    now
        Tells the moment.
    """

    def __init__(self, policy: Policy, book: Book, now: Callable[[], Moment]) -> None:
        self._policy, self._book = policy, book
        self.anchor = self._steady = now()
        """A moment at which it was believed."""

    @property
    def earliest(self) -> int:
        """Wall time, ns, that is past for certain: of the newest record, and of the signature."""
        return max(self._policy.signed_at, self._book.audit.newest)

    def look(self, moment: Moment) -> None:
        """Believe it again after it has gone evenly for a minute; say where it must be wrong."""
        slip = (moment.wall - self._steady.wall) / NS - (moment.mono - self._steady.mono)
        if abs(slip) > self._policy.clock_s / 2:
            self._steady = moment
        elif moment.mono - self._steady.mono >= MINUTE_S:
            self.anchor = self._steady = moment
        if moment.wall >= self.earliest:
            self._book.alarms.pop(WRONG, None)
        elif WRONG not in self._book.alarms:
            self._book.alarm(
                WRONG,
                "behind the newest record of the audit, or behind the signature of the limits: "
                "nothing is written. Set it right; where it is right and was wrong before, "
                "an approver says so: wheeltapper setpoints start",
            )
