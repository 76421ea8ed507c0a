"""What the loopback servers serve: rows of values on a fixed grid of time."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plant.tags import Tag


class Feed(Protocol):
    """Rows of engineering values; row i belongs to the instant ``start + i * period``.

    Each tag's `source` says which server offers it: `connectors.simulated.signals.OPCUA` or
    `connectors.simulated.signals.MODBUS`.
    """

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The columns, in order."""
        ...

    @property
    def start(self) -> int:
        """Source time of row 0, ns since 1970 UTC."""
        ...

    @property
    def period(self) -> int:
        """Time between rows, ns."""
        ...

    def values(self, first: int, count: int) -> NDArray[np.float64]:
        """Give rows ``first`` to ``first + count`` as (n, p), engineering units.

        NaN means that there is no good value (OPC UA tags only: Modbus has no word for it).
        n is smaller than `count` only beyond the end of a finite feed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hurried:
    """A feed whose rows follow each other `pace` times as fast, for what takes long to watch."""

    feed: Feed
    pace: int

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The columns, in order."""
        return self.feed.tags

    @property
    def start(self) -> int:
        """Source time of row 0, ns since 1970 UTC."""
        return self.feed.start

    @property
    def period(self) -> int:
        """Time between rows, ns."""
        return self.feed.period // self.pace

    def values(self, first: int, count: int) -> NDArray[np.float64]:
        """Give the rows as they are."""
        return self.feed.values(first, count)
