"""What a detector offers.

Order is always: score, decide, then learn.
"""

from collections.abc import Hashable, Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

State = Mapping[str, NDArray[Any]]
"""What a detector knows, as named arrays: written to a snapshot, never pickled."""


@runtime_checkable
class Detector(Protocol):
    """river's two methods, so that river's own detectors fit without an adapter."""

    def learn_one(self, x: dict[Hashable, Any]) -> Any:  # river returns None or self
        """Learn from one healthy row; `x` maps signal to value and is not changed."""
        ...

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """Say how strange the row is, higher = stranger; pure."""
        ...


@runtime_checkable
class RowDetector(Detector, Protocol):
    """A detector over arrays: rows float64 (n, p), one column a signal, NaN = not Good.

    `learn_rows` and `score_rows` equal the same calls row by row (a check holds them to it).
    """

    signals: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether it has learnt enough for its scores to mean something."""
        ...

    def learn_rows(self, rows: NDArray[np.float64]) -> None:
        """Learn from healthy rows (n, p) in time order."""
        ...

    def score_rows(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score rows (n, p) → (n,), higher = stranger; 0 while not `ready`; pure."""
        ...

    def contributions(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Split each row's score over the signals (n, p), ≥ 0; a NaN signal contributes 0."""
        ...

    def expected(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say what a healthy machine would show in each row (n, p), in the signals' units."""
        ...

    def spread(self) -> NDArray[np.float64]:
        """Give the normal half-width of each signal around `expected` (p,), signals' units."""
        ...

    def state(self) -> State:
        """Give everything learnt, as arrays."""
        ...

    @classmethod
    def restore(cls, state: State) -> Self:
        """Build the same detector again; scores are bit-equal."""
        ...
