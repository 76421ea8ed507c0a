"""When to try again what a server has refused."""

from dataclasses import dataclass, field
from math import inf

FIRST_S, LONGEST_S = 2.0, 30.0
"""Wait before a refused tag is tried again, at first and at last."""
_TOGETHER_S = 0.5
"""What is due so soon is tried together."""
_CALM_S = 60.0
"""A tag that was fine for so long begins with the short wait again."""


@dataclass(slots=True)
class Retries:
    """When to try refused tags again: soon at first, then more and more rarely.

    Times are seconds of one monotonic clock.
    """

    _due: dict[int, float] = field(default_factory=dict, init=False)
    _waits: dict[int, tuple[float, float]] = field(default_factory=dict, init=False)

    def add(self, handle: int, now: float) -> None:
        """Plan the next try of a tag, unless it is planned."""
        if handle in self._due:
            return
        wait, due = self._waits.get(handle, (0.0, -inf))
        wait = FIRST_S if now - due > _CALM_S else min(2 * wait, LONGEST_S)
        self._due[handle] = now + wait
        self._waits[handle] = wait, now + wait

    def drop(self, handle: int) -> None:
        """Take note that a tag has come back by itself."""
        self._due.pop(handle, None)

    def take(self, now: float) -> list[int]:
        """Give the tags to be tried now."""
        if not self._due or min(self._due.values()) > now:
            return []
        due = [handle for handle, at in self._due.items() if at <= now + _TOGETHER_S]
        for handle in due:
            del self._due[handle]
        return due

    def wait(self, now: float) -> float | None:
        """Give the time until the next try, s; None when there is nothing to try."""
        return max(0.0, min(self._due.values()) - now) if self._due else None
