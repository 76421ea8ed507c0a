"""Rows that instruments pass over together: nothing in them stands out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """What instruments make of whole rows (n, p).

    Parameters
    ----------
    at, rows
        Source times (n,), ns, and the rows.
    moved
        Which signals (n, p) have moved in each row.
    moved_at
        When each moved last (n, p), ns; None if all have moved in every row.
    calm
        Rows before the first that has to be looked at closely.
    """

    at: NDArray[np.int64]
    rows: Columns
    moved: NDArray[np.bool_]
    moved_at: NDArray[np.int64] | None
    calm: int
