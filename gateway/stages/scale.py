"""Raw values to engineering values."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from plant.quality import Status, is_good
from plant.samples import Batch, ContextEvent
from plant.tags import TagHandle

LONGEST_TEXT = 10_000
"""Characters of a text value that are kept; anything longer is no recipe or part number."""


class Scaling:
    """Engineering value = raw · scale + offset, for all tags at once.

    A value that is not finite cannot be judged or drawn, and a text beyond `LONGEST_TEXT` cannot
    be kept: they become Bad (BadOutOfRange), a value that came without a number where its source
    called it Good.
    """

    def __init__(self, tags: Sequence[TagHandle]) -> None:
        size = max((tag.handle for tag in tags), default=-1) + 1
        self._scale = np.ones(size)
        self._offset = np.zeros(size)
        for tag in tags:
            self._scale[tag.handle] = tag.tag.scale
            self._offset[tag.handle] = tag.tag.offset

    def apply(self, batch: Batch) -> Batch:
        """Give the batch in engineering units."""
        with np.errstate(over="ignore"):
            value = batch.value * self._scale[batch.tag] + self._offset[batch.tag]
        status, finite = batch.status, np.isfinite(value)
        if not finite.all():
            lost = ~finite & (is_good(status) | np.isfinite(batch.value))
            lost &= status < np.uint32(Status.BAD)
            status = np.where(lost, np.uint32(Status.BAD_OUT_OF_RANGE), status)
            value = np.where(finite, value, np.nan)
        return replace(batch, value=value, status=status, context=tuple(map(_kept, batch.context)))


def _kept(event: ContextEvent) -> ContextEvent:
    if len(event.text) <= LONGEST_TEXT:
        return event
    return replace(event, text="", status=int(Status.BAD_OUT_OF_RANGE))
