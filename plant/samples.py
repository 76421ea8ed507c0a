"""Samples move in columns: a `Batch` holds what one read of one source delivered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.errors import Rejected

NO_TIME = -(2**63)
"""Stands in a column of times where there is none."""


class Recovery(IntEnum):
    """How samples came that fill a gap; stored, so never renumbered."""

    NONE = 0
    """They came in their turn."""
    REPUBLISH = 1
    """The server had kept the message (OPC 10000-4 §5.14.6)."""
    HISTORY = 2
    """Read from the server's history (OPC 10000-4 §5.11.3)."""


@dataclass(frozen=True, slots=True)
class ContextEvent:
    """A text value (recipe, product, batch number) at its source time; never a number."""

    tag: int
    at: int
    text: str
    status: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples of one source, in columns.

    Parameters
    ----------
    source
        Name of the source.
    tag
        Tag handles, int32 (n,).
    at
        Source time, ns since 1970 UTC, int64 (n,). One tag's samples stand in time order.
    value
        Engineering or raw value, float64 (n,); NaN where there is none. Booleans are 0 and 1.
    status
        OPC UA StatusCode, uint32 (n,).
    upto
        Watermark on the source's clock, ns: everything up to here has been delivered. A batch
        without samples says by it that the source is alive and nothing has changed.
    received
        Wall clock of the gateway at the read, ns since 1970 UTC.
    heard
        Monotonic clock of the gateway at the read, ns; the basis of every age.
    stamped
        The source has no clock; `at` is the gateway's.
    replayed
        Not live: history, a recording or a back-fill.
    recovered
        Fills a gap after newer samples may have been delivered: kept, and never judged or learnt
        from. Such a batch is `replayed` too, and its `upto` says nothing of the present.
    served
        The server's own time of each sample beside its source's, ns since 1970 UTC, int64 (n,),
        `NO_TIME` where it gave none; None where the source has no such time.
    context
        Text values that came along.
    """

    source: str
    tag: NDArray[np.int32]
    at: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    upto: int
    received: int
    heard: int
    stamped: bool = False
    replayed: bool = False
    recovered: Recovery = Recovery.NONE
    served: NDArray[np.int64] | None = None
    context: tuple[ContextEvent, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse columns that do not fit together."""
        columns: list[tuple[str, NDArray[Any], type]] = [
            ("tag", self.tag, np.int32),
            ("at", self.at, np.int64),
            ("value", self.value, np.float64),
            ("status", self.status, np.uint32),
        ]
        if self.served is not None:
            columns.append(("served", self.served, np.int64))
        for name, column, dtype in columns:
            if column.dtype != dtype or column.shape != (len(self.tag),):
                raise Rejected(
                    f"batch of {self.source}: column {name} is {column.dtype}{column.shape}, "
                    f"expected {np.dtype(dtype)}({len(self.tag)},)"
                )

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.tag)


def empty_columns() -> tuple[
    NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]
]:
    """Give the four columns (tag, at, value, status) of a batch without samples."""
    return (
        np.empty(0, np.int32),
        np.empty(0, np.int64),
        np.empty(0, np.float64),
        np.empty(0, np.uint32),
    )


def uniform_batch(
    source: str,
    handles: Sequence[int] | NDArray[np.int32],
    status: int,
    *,
    at: int,
    received: int,
    heard: int,
) -> Batch:
    """Say one StatusCode of many tags at one instant, without a value (lost link, dead unit)."""
    tag = np.asarray(handles, np.int32)
    n = len(tag)
    return Batch(
        source=source,
        tag=tag,
        at=np.full(n, at, np.int64),
        value=np.full(n, np.nan),
        status=np.full(n, status, np.uint32),
        upto=at,
        received=received,
        heard=heard,
        stamped=True,
    )
