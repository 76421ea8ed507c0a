"""What a monitor can find in one sample, as bits of its verdict."""

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray


class Finding(IntFlag):
    """Bits of a sample's verdict; 0 means judged and normal."""

    RANGE = 1
    """Outside the engineering limits of the tag."""
    RATE = 2
    """Jumped away from its level far faster than it usually moves."""
    FLATLINE = 4
    """Stands still for far longer than it usually does."""
    SHIFT = 8
    """Far from its level at once, or a little away for long."""
    LEARNING = 32
    """Too few samples yet; only the range was judged."""
    NOT_GOOD = 64
    """Not judged and not learnt: the status is not Good or there is no number."""
    UNSCORED = 128
    """Not judged: no monitor knows the tag, monitoring was set aside, or it came to fill a gap."""


ABNORMAL = Finding.RANGE | Finding.RATE | Finding.FLATLINE | Finding.SHIFT
"""The bits that say something about the plant, rather than about the judging."""


def is_abnormal(verdict: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which verdicts (n,) hold a finding about the plant.

    Examples
    --------
    >>> is_abnormal(np.array([0, 2, 32, 64 | 1], np.uint8)).tolist()
    [False, True, False, True]
    """
    found: NDArray[np.bool_] = (verdict & np.uint8(ABNORMAL)) != 0
    return found


def finding_names(verdict: int) -> tuple[str, ...]:
    """Name the bits of one verdict for people.

    Examples
    --------
    >>> finding_names(10)
    ('rate', 'shift')
    """
    return tuple(str(bit.name).lower().replace("_", " ") for bit in Finding(verdict))
