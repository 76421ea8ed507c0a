"""How fast, and how soon again: the rate of a replay, the waits between attempts."""

import random
import time
from dataclasses import dataclass, field

WAITS_S = (1.0, 2.0, 5.0, 10.0, 15.0)
"""Waits between attempts: a store that is back is found within half a minute, also if the last
attempt had to run into its time limit."""
LONGEST_S = 60.0
"""The longest wait that anybody may ask of us."""
JITTER = 0.2
"""Share by which a wait varies, so that a hall of gateways does not return in one instant."""
MISCONFIGURED_S = 60.0
"""A person has to mend it; looked at again this often, so that no restart is needed afterwards."""
LOOK_S = 2.0
"""How often the files are looked at in which he may do so, s."""


@dataclass(slots=True)
class Backoff:
    """The waits after failures running; a success begins them anew."""

    _failures: int = field(default=0, init=False)

    def succeeded(self) -> None:
        """Take note of a success."""
        self._failures = 0

    def wait_s(self, retry_after: float | None = None) -> float:
        """Give the wait after one more failure, s, at most `LONGEST_S`.

        Parameters
        ----------
        retry_after
            What the other side asked for, s; it is waited for, and never less.
        """
        asked = WAITS_S[min(self._failures, len(WAITS_S) - 1)]
        self._failures += 1
        varied = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter, no secret
        if retry_after is not None and retry_after > 0:
            return min(LONGEST_S, retry_after * max(varied, 2 - varied))
        return asked * varied


@dataclass(slots=True)
class Pace:
    """Bounds points a second, so that a long backlog leaves room for everybody else."""

    _due: float = field(default=0.0, init=False)

    def wait_s(self, points: int, per_s: float) -> float:
        """Take note of what was just sent; give how long to wait before the next, s."""
        now = time.monotonic()
        self._due = max(now, self._due) + points / per_s
        return self._due - now
