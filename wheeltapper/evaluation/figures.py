"""Figures for programs and for tables."""

import math
from typing import Any

from wheeltapper.evaluation.words import figure


def plain(value: Any) -> Any:
    """Give data that JSON can hold: NaN and infinities as null, tuples as lists.

    Examples
    --------
    >>> plain({"a": (float("nan"), 1.5)})
    {'a': [None, 1.5]}
    """
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def shown(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Give name and value of each single figure, for a table.

    Examples
    --------
    >>> shown({"f1": 0.84399, "events_seen": 16, "series": {}})
    [('f1', '0.844'), ('events seen', '16')]
    """
    return [
        (name.replace("_", " "), figure(value) if isinstance(value, float) else str(value))
        for name, value in figures.items()
        if isinstance(value, int | float)
    ]
