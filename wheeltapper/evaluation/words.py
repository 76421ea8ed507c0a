"""Figures and times as people write them."""

from datetime import UTC, datetime

import numpy as np


def percent(share: float) -> str:
    """Write a share.

    Examples
    --------
    >>> percent(0.0123), percent(0.5), percent(0.997), percent(0.99999), percent(0.0), percent(1.0)
    ('1.2 %', '50 %', '99.7 %', '> 99.9 %', '0 %', '100 %')
    """
    if np.isnan(share):
        return "–"
    if 0.99 < share < 1:  # what is not quite all must not read as all
        return f"{100 * share:.1f} %" if share < 0.9995 else "> 99.9 %"
    return f"{100 * share:.2g} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"


def figure(value: float, digits: int = 3) -> str:
    """Write a number, or a dash where there is none.

    Examples
    --------
    >>> figure(0.84399), figure(float("nan")), figure(12345.6), figure(-3.0), figure(264.2, 2)
    ('0.844', '–', '12,346', '-3', '264')
    """
    if np.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10 ** max(digits - 1, 1) else f"{value:.{digits}g}"


def duration(seconds: float) -> str:
    """Write a time span with the unit that suits it.

    Examples
    --------
    >>> duration(42), duration(600), duration(9000), duration(250_000), duration(float("nan"))
    ('42 s', '10 min', '2.5 h', '2.9 days', '–')
    """
    if np.isnan(seconds):
        return "–"
    for unit, long, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds / long:.3g} {unit}"
    return f"{figure(seconds / 86_400, 2)} days"


def counted(number: int, noun: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(0, "alarm"), counted(1, "alarm"), counted(1200, "row")
    ('no alarm', '1 alarm', '1,200 rows')
    """
    return f"no {noun}" if not number else f"{number:,} {noun}{'s' * (number != 1)}"


def instant(ns: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write a source time (UTC, as in the file)."""
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime(form)
