"""Windows of samples, as a history gives them."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected

TEN_SECONDS, MINUTE, HOUR = 10_000_000_000, 60_000_000_000, 3_600_000_000_000
LENGTHS = (TEN_SECONDS, MINUTE, HOUR)
"""Lengths of the windows that a gateway makes, ns."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of one length, in columns; values as in `plant.records.SummaryRecord`.

    Parameters
    ----------
    tag
        Place of the tag in the list that was asked for, int32 (n,).
    start
        Begin of each window, ns since 1970 UTC, int64 (n,).
    count, good
        Samples, and Good ones among them, int64 (n,).
    low, high, mean, std, first, last
        Of the Good samples, float64 (n,); NaN where there are none.
    """

    tag: NDArray[np.int32]
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    good: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        lengths = {len(getattr(self, field.name)) for field in fields(self)}
        if len(lengths) > 1:
            raise Rejected(f"columns of windows have different lengths: {sorted(lengths)}")

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.tag)
