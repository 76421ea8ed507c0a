"""A recording as a feed for the loopback servers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plant.tags import Tag

NAMESPACE = "urn:wheeltapper:recording"
PERIOD = 1_000_000_000


class RecordingFeed:
    """Row i of a recording at ``start + i`` seconds, whatever its own times were.

    Parameters
    ----------
    tags
        The columns (p,).
    values
        Rows (n, p); NaN = no good value.
    start
        Time of row 0, ns since 1970 UTC.
    source
        Source name that the tags are offered under, at OPC UA browse paths.

    Attributes
    ----------
    period
        Time between rows, ns.
    """

    def __init__(
        self, tags: Sequence[Tag], values: NDArray[np.float64], start: int, source: str
    ) -> None:
        self.tags = tuple(
            replace(
                tag,
                source=source,
                address=f"nsu={NAMESPACE};{tag.asset.rpartition('/')[2]}/{tag.signal}",
            )
            for tag in tags
        )
        self.start = start
        self.period = PERIOD
        self._values = values

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._values)

    def values(self, first: int, count: int) -> NDArray[np.float64]:
        """Give rows ``first`` to ``first + count`` as (m, p); fewer only beyond the end."""
        return self._values[first : first + count]
