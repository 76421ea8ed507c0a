"""What the journal holds: samples with their verdicts, scores, events."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected
from plant.samples import Batch

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None


def _demand(subject: str, name: str, column: NDArray[np.generic], dtype: type, rows: int) -> None:
    if column.dtype != dtype or column.shape != (rows,):
        raise Rejected(
            f"{subject}: column {name} is {column.dtype}{column.shape}, "
            f"expected {np.dtype(dtype)}({rows},)"
        )


@dataclass(frozen=True, slots=True, eq=False)
class SampleRecord:
    """One batch as it left the scaling, and the monitors' verdict on each sample, uint8 (n,)."""

    batch: Batch
    verdict: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Refuse a verdict that does not fit the batch."""
        subject = f"samples of {self.batch.source}"
        _demand(subject, "verdict", self.verdict, np.uint8, len(self.batch))


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRecord:
    """Scores of one asset.

    Parameters
    ----------
    asset
        Path of the asset.
    at
        Source time of each judged row, ns, int64 (n,).
    score, threshold
        Score and the limit that was in force, float64 (n,).
    flags
        What the watch said of each row, uint8 (n,).
    """

    asset: str
    at: NDArray[np.int64]
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    flags: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Refuse columns that do not fit together."""
        subject, rows = f"scores of {self.asset}", len(self.at)
        _demand(subject, "at", self.at, np.int64, rows)
        _demand(subject, "score", self.score, np.float64, rows)
        _demand(subject, "threshold", self.threshold, np.float64, rows)
        _demand(subject, "flags", self.flags, np.uint8, rows)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An alarm transition, an operator's action, a link event or a text context, at ns `at`."""

    kind: str
    at: int
    body: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """Stands where a record cannot be read back, so that a loss is never silent."""

    position: int
    reason: str


Record: TypeAlias = SampleRecord | ScoreRecord | EventRecord
Entry: TypeAlias = Record | DamagedRecord
"""What `Journal.read` gives; every reader has to say what it does with damage."""
