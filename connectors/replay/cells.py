"""Cells of a recording → numbers and instants; pure."""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

NO_VALUE = frozenset({"", "nan", "na", "n/a", "null", "none"})
"""Cells, in lower case, that say that there is no value."""

_WORDS = {"true": 1.0, "false": 0.0}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_EXACT = 2.0**53
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIMIT = 2**63
_DIGITS_OF_A_SECOND = 1e11
"""Larger counts since 1970 are of ms, µs or ns: as seconds they would lie beyond the year 5000."""


def number(cell: str, *, decimal_comma: bool = False) -> float:
    """Read one cell; NaN where it says that there is no value, true and false as 1 and 0.

    Raises
    ------
    ValueError
        No finite number, or a whole number that float64 cannot hold exactly.

    Examples
    --------
    >>> number("1,5", decimal_comma=True), number("TRUE"), number("n/a")
    (1.5, 1.0, nan)
    """
    text = cell.strip().lower()
    if text in NO_VALUE:
        return math.nan
    if decimal_comma:
        text = text.replace(",", ".")
    value = _WORDS.get(text)
    if value is None:
        if not _NUMBER.fullmatch(text):
            raise ValueError("is not a number")
        value = float(text)
    if not math.isfinite(value):
        raise ValueError("is too large a number")
    if abs(value) >= _EXACT and _WHOLE.fullmatch(text) and int(value) != int(text):
        raise ValueError("is too long a number to be kept exactly")
    return value


def numbers(
    cells: Sequence[str], *, decimal_comma: bool = False
) -> tuple[NDArray[np.float64], int | None]:
    """Read cells (n,) → values (n,) and the place of the first cell that is none (NaN there)."""
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        return _one_by_one(cells, decimal_comma)
    # float() takes more than a recording may hold: 1_000, inf, nan, Arabic digits, beyond 2^53.
    text = "".join(cells)
    if np.abs(values).max(initial=0.0) < _EXACT and text.isascii() and "_" not in text:
        return values, None
    return _one_by_one(cells, decimal_comma)


def _one_by_one(
    cells: Sequence[str], decimal_comma: bool
) -> tuple[NDArray[np.float64], int | None]:
    values, first = np.full(len(cells), np.nan), None
    for place, cell in enumerate(cells):
        try:
            values[place] = number(cell, decimal_comma=decimal_comma)
        except ValueError:
            first = place if first is None else first
    return values, first


def _from_iso(cell: str) -> int:
    found = _ISO.fullmatch(cell.strip())
    if not found:
        raise ValueError("is not a time: write 2020-03-01 15:44:06, or seconds since 1970")
    day, clock, fraction, zone = found.groups()
    try:
        then = datetime.fromisoformat(f"{day}T{clock or '00:00'}{(zone or 'Z').upper()}")
    except ValueError as error:
        raise ValueError(f"is not a time: {error}") from None
    past = then - _EPOCH
    seconds = past.days * 86_400 + past.seconds
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


def _from_count(cell: str, factor: int) -> int:
    try:
        count = Decimal(cell.strip())
    except InvalidOperation:
        raise ValueError("is not a count of time since 1970") from None
    if not count.is_finite() or abs(count) * factor >= _LIMIT:
        raise ValueError("is no time between the years 1678 and 2262")
    return int(count * factor)


def _factor(count: float) -> int:
    """Nanoseconds in one count: of a second, ms, µs or ns, by its size."""
    for factor in (10**9, 10**6, 10**3):
        if abs(count) * factor < _DIGITS_OF_A_SECOND * 1e9:
            return factor
    return 1


def clock(first: str) -> Callable[[str], int]:
    """Choose how a time column is read, by its first cell; the result gives ns since 1970 UTC.

    ISO 8601 with a space or ``T``, without a zone taken as UTC; or a count since 1970 in seconds,
    ms, µs or ns. The result raises ValueError with words that go behind the cell.

    Examples
    --------
    >>> clock("2020-03-01")("2020-03-01 15:44:06.5+01:00")
    1583073846500000000
    >>> clock("1583073846000")("1583073846001")
    1583073846001000000
    """
    try:
        count = float(first)
    except ValueError:
        return _checked(_from_iso)
    factor = _factor(count)
    return lambda cell: _from_count(cell, factor)


def _checked(read: Callable[[str], int]) -> Callable[[str], int]:
    def instant(cell: str) -> int:
        at = read(cell)
        if abs(at) >= _LIMIT:
            raise ValueError("is no time between the years 1678 and 2262")
        return at

    return instant


def has_zone(cell: str) -> bool:
    """Tell whether an ISO time names its zone; a count since 1970 is UTC by definition."""
    found = _ISO.fullmatch(cell.strip())
    return found is None or found.group(4) is not None
