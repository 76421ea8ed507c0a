"""Cuts samples that name a tag several times into passes that name each tag at most once.

State that moves from sample to sample can then be advanced for many tags at once, and the result is
the same however the samples were cut into batches.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def occurrence_passes(slot: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Give positions (k,) pass by pass: first the first sample of every slot, and so on.

    Parameters
    ----------
    slot
        Slot of each sample (n,), one slot's samples in time order.

    Examples
    --------
    >>> [part.tolist() for part in occurrence_passes(np.array([4, 7, 4, 4]))]
    [[0, 1], [2], [3]]
    """
    n = len(slot)
    if not n:
        return
    if bool((slot[1:] > slot[:-1]).all()):
        yield np.arange(n)
        return
    order = np.argsort(slot, kind="stable")
    ordered = slot[order]
    first = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    position = np.arange(n)
    turn = position - np.maximum.accumulate(np.where(first, position, 0))
    by_turn = np.argsort(turn, kind="stable")
    ends = np.cumsum(np.bincount(turn))
    begin = 0
    for end in ends.tolist():
        yield order[by_turn[begin:end]]
        begin = end
