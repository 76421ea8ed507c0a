"""How many digits a number needs on the wire.

Digits that say nothing do not compress: a 32-bit 45.32 is 45.31999969482422 in 64 bits, and
122 · 0.1 is 12.200000000000001. Every function here looks at nothing but the numbers it is given,
so what is sent twice is the same text twice.
"""

import numpy as np
from numpy.typing import NDArray

DIGITS = 12
"""A number that lies as near as `ULPS` to one of so many digits is written as that one."""
ULPS = 2
SINGLE_DIGITS = (6, 7, 8, 9)
"""Digits that may name a 32-bit float among all others; nine always do (IEEE 754-2019, 5.12.2)."""
SPREAD_DIGITS = 5
"""Digits of a standard deviation; the mean ends at the same decimal place."""
_MOST_PLACES = 22
"""Powers of ten up to this one are exact in 64 bits."""
_WHOLE = 2.0**53


def plain(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put numbers of few digits in the place of those that mean the same, float64 (n,).

    What `raw · scale` leaves in the last two binary places is left out. A number that fits into 32
    bits has come as one: it is written with the digits that name it among those, six to nine, and
    read back it lies nearer to it than to any other. Everything else stays as it is to the last
    bit, whole numbers always.

    Examples
    --------
    >>> plain(np.array([12.200000000000001, 45.31999969482422, 1 / 3, 16777216.0])).tolist()
    [12.2, 45.32, 0.3333333333333333, 16777216.0]
    """
    found = value.copy()
    fraction = np.flatnonzero(np.isfinite(value) & (value != np.rint(value)))
    own = value[fraction]
    short = _rounded(own, DIGITS)
    near = np.abs(short - own) <= ULPS * np.spacing(np.abs(own))
    found[fraction[near]] = short[near]
    left = fraction[~near]
    with np.errstate(over="ignore", under="ignore"):
        left = left[value[left].astype(np.float32) == value[left]]
        for digits in SINGLE_DIGITS:
            own = value[left]
            short = _rounded(own, digits)
            same = short.astype(np.float32) == own.astype(np.float32)
            found[left[same]] = short[same]
            left = left[~same]
    return found


def _rounded(value: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Round to so many digits; what is out of reach stays as it is."""
    return _to_places(value, digits - 1 - _magnitude(value))


def _magnitude(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the power of ten of the first digit, 0 for a zero."""
    size = np.abs(value)
    return np.floor(np.log10(np.where(size > 0, size, 1.0)))


def _to_places(value: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to so many decimal places each.

    The quotient of two whole numbers below 2^53 and 10^22 is the double nearest to the decimal, so
    its shortest text has no digit more.
    """
    power = 10.0 ** np.clip(places, 0, _MOST_PLACES)
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.rint(value * power)
        reachable = (places >= 0) & (places <= _MOST_PLACES) & (np.abs(whole) < _WHOLE)
        return np.where(reachable, whole / power, value)


def within_spread(
    mean: NDArray[np.float64],
    std: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Round mean and standard deviation of windows to what their samples say, float64 (n,) each.

    Both end at the fifth digit of the deviation: the mean errs by half of a ten-thousandth of it
    at most, where the deviation of 60 samples is itself known to 9 %. The mean stays within `low`
    and `high`; where these are one, it is they, and there is no deviation.

    Examples
    --------
    >>> low, high = np.array([49.5, 7.25]), np.array([51.0, 7.25])
    >>> within_spread(np.array([50.123456789, 7.25]), np.array([0.43210987, 1e-17]), low, high)
    (array([50.12346,  7.25   ]), array([0.43211, 0.     ]))
    """
    places = SPREAD_DIGITS - 1 - _magnitude(std)
    one = low == high
    middle = np.where(std > 0, np.clip(_to_places(mean, places), low, high), mean)
    return np.where(one, low, middle), np.where(one, 0.0, _to_places(std, places))
