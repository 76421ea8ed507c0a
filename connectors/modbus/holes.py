"""Values that a unit refuses, and when to try them again."""

import time
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plant.quality import Status

FIRST_WAIT_S = 4.0
"""A device that starts up refuses every address: a hole just found is tried again soon."""
LONGEST_WAIT_S = 60.0


class Holes:
    """Columns of refused values with their StatusCodes, and the time of their next trial."""

    def __init__(self) -> None:
        self.found: dict[int, Status] = {}
        self._wait = FIRST_WAIT_S
        self._due = 0.0
        self._turn = 0
        self._groups: list[tuple[Status, NDArray[np.intp]]] = []

    @property
    def due(self) -> bool:
        """Whether a trial is due."""
        return bool(self.found) and time.monotonic() >= self._due

    @property
    def groups(self) -> list[tuple[Status, NDArray[np.intp]]]:
        """Columns by StatusCode."""
        if not self._groups:
            self._groups = [
                (status, np.array([c for c, own in self.found.items() if own is status], np.intp))
                for status in dict.fromkeys(self.found.values())
            ]
        return self._groups

    def add(self, column: int, status: Status) -> None:
        """Take note of a refused value."""
        self.found[column] = status
        self._groups = []
        self._wait, self._turn = FIRST_WAIT_S, 0
        self._due = time.monotonic() + self._wait

    def heal(self, columns: Iterable[int]) -> None:
        """Take out values that are to be asked like any other."""
        for column in columns:
            self.found.pop(column, None)
        self._groups = []

    def turn(self, trials: int) -> int:
        """Give the number of this trial; when each of `trials` had its turn, the wait doubles."""
        turn = self._turn
        self._turn += 1
        if self._turn % trials == 0:
            self._wait = min(LONGEST_WAIT_S, 2 * self._wait)
            self._due = time.monotonic() + self._wait
        return turn
