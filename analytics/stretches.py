"""Rows that go on with the present stretch, and where they would lead the means."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.baselines import ModeBaseline
from analytics.smoothing import Smoother

Columns = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Whole rows (n, p) of one mode, without a gap before or between them.

    Parameters
    ----------
    at
        Source times (n,), ns.
    apart
        Times since the row before (n,), ns.
    rows
        The rows.
    """

    at: NDArray[np.int64]
    apart: NDArray[np.int64]
    rows: Columns

    def __len__(self) -> int:
        """Give the number of rows."""
        return len(self.at)

    @classmethod
    def of(
        cls, at: NDArray[np.int64], rows: Columns, alike: NDArray[np.bool_], last: int, most: int
    ) -> Self:
        """Take the rows (n, p) that go on with a stretch, until the first that does not.

        Parameters
        ----------
        alike
            Rows (n,) of the stretch's mode.
        last, most
            Source time of the last row of the stretch, and most time between two of its rows, ns.
        """
        apart = at.copy()
        apart[0] -= last
        apart[1:] -= at[:-1]
        alike = alike & (apart > 0) & (apart <= most)
        flat = rows.ravel()
        if not flat.dot(flat) < np.inf:
            alike &= np.isfinite(rows).all(axis=1)
        count = len(alike) if alike.all() else int(alike.argmin())
        return cls(at[:count], apart[:count], rows[:count])


class Ahead:
    """Where the rows (n, p) of a stretch lead means and residuals, if all are calm.

    Parameters
    ----------
    rows
        The rows.
    means
        The ripe means before them.
    baseline
        What is known of the mode.
    """

    def __init__(self, rows: Columns, means: Smoother, baseline: ModeBaseline) -> None:
        passed = means.ahead(rows)
        self.quick_before, self.means = passed[:-1, 0], passed[1:]
        """Quick means before each row (n, p), all means after it (n, lengths, p)."""
        self.followed = baseline.ahead(rows)
        """What the baseline follows, after each row, see there (n, 4, p)."""
