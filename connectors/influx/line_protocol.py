"""Columns to line protocol: ``measurement,tag=value field=1.5,other=2i 1700000000000000000``.

Floats are written as short as reads back to the same bits (Python's `repr`, David Gay 1990), whole
numbers with ``i``. What the format cannot hold (NaN, the infinities) is left out of its line; a
line of which nothing is left is left out too, and counted.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ "})
_TEXT = str.maketrans({'"': r"\"", "\\": r"\\"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\\]|[\ud800-\udfff]")


class Kind(Enum):
    """Type of a field, and how it is written; stored, so no field ever changes its kind."""

    FLOAT = "%r"
    INT = "%di"
    BOOL = "%s"
    TEXT = '"%s"'


@dataclass(frozen=True, slots=True)
class Column:
    """One field of many points.

    Parameters
    ----------
    name
        Name of the field: plain letters.
    kind
        Its type.
    values
        float64 (n,) for FLOAT, any integers (n,) for INT, bool (n,) for BOOL.
    """

    name: str
    kind: Kind
    values: NDArray[Any]

    def present(self) -> NDArray[np.bool_]:
        """Tell which values can be written, bool (n,)."""
        if self.kind is Kind.FLOAT:
            finite: NDArray[np.bool_] = np.isfinite(self.values)
            return finite
        return np.ones(len(self.values), np.bool_)

    def told(self, rows: NDArray[np.intp]) -> list[Any]:
        """Give the values of some rows as Python's own, ready for the template."""
        if self.kind is Kind.BOOL:
            return ["true" if value else "false" for value in self.values[rows].tolist()]
        chosen: list[Any] = self.values[rows].tolist()
        return chosen


@dataclass(slots=True)
class Lines:
    """Lines of one measurement, and how many points had nothing to say."""

    lines: list[str] = field(default_factory=list)
    left_out: int = 0


def series(measurement: str, tags: Mapping[str, str]) -> str:
    r"""Write what stands before the fields; tags in order of their names, empty ones left out.

    Line protocol can hold neither a backslash at the end of a name nor anything that ends a line:
    `unspeakable` tells such names, and here an underscore takes the place of each such character.

    Examples
    --------
    >>> series("gap", {"source": "press 1, left", "line": ""})
    'gap,source=press\\ 1\\,\\ left'
    """
    told = (
        f",{key.translate(_KEY)}={_UNSPEAKABLE.sub('_', value).translate(_KEY)}"
        for key, value in sorted(tags.items())
        if value
    )
    return measurement.translate(_MEASUREMENT) + "".join(told)


def unspeakable(name: str) -> bool:
    r"""Tell whether a name cannot be written as it is.

    Examples
    --------
    >>> unspeakable("a b,c=d"), unspeakable("a\\b"), unspeakable("a\nb"), unspeakable("")
    (False, True, True, True)
    """
    return not name or _UNSPEAKABLE.search(name) is not None


def text(value: str) -> str:
    r"""Write a text for a field, without its quotes; what breaks a line becomes a space.

    Examples
    --------
    >>> print(text('say "no"\nC:\\temp'))
    say \"no\" C:\\temp
    """
    spoken = value.encode("utf-8", "replace").decode("utf-8")
    return _CONTROL.sub(" ", spoken).translate(_TEXT)


def encode(keys: Sequence[str], at: NDArray[np.int64], columns: Sequence[Column]) -> Lines:
    """Write points.

    Parameters
    ----------
    keys
        What stands before the fields of each point, as `series` writes it.
    at
        Time of each point, ns since 1970 UTC, int64 (n,).
    columns
        The fields.
    """
    bits = np.zeros(len(at), np.int64)
    for place, column in enumerate(columns):
        bits |= column.present().astype(np.int64) << place
    patterns = np.unique(bits)
    if len(patterns) == 1 and patterns[0]:
        rows = np.arange(len(at))
        return Lines(list(_written(keys, at, columns, rows, int(patterns[0]))))
    told = np.full(len(at), None, object)
    for pattern in patterns[patterns != 0].tolist():
        rows = np.flatnonzero(bits == pattern)
        told[rows] = list(_written(keys, at, columns, rows, pattern))
    lines = told[bits != 0].tolist()
    return Lines(lines, len(at) - len(lines))


def _written(
    keys: Sequence[str],
    at: NDArray[np.int64],
    columns: Sequence[Column],
    rows: NDArray[np.intp],
    pattern: int,
) -> Iterator[str]:
    """Write rows that have the same fields: one template, one call of C a line."""
    shown = [column for place, column in enumerate(columns) if pattern >> place & 1]
    template = "%s " + ",".join(f"{one.name}={one.kind.value}" for one in shown) + " %d"
    values = [column.told(rows) for column in shown]
    chosen = keys if len(rows) == len(keys) else [keys[row] for row in rows.tolist()]
    return map(template.__mod__, zip(chosen, *values, at[rows].tolist(), strict=True))


def one(key: str, at: int, fields: Mapping[str, tuple[Kind, Any]]) -> str | None:
    """Write a single point from plain values; None where nothing is left of it.

    Raises
    ------
    ValueError, TypeError, OverflowError
        A value is not of its kind.
    """
    told = [
        f"{name}={written}"
        for name, (kind, value) in fields.items()
        if value is not None and (written := _single(kind, value))
    ]
    return f"{key} {','.join(told)} {at:d}" if told else None


def _single(kind: Kind, value: Any) -> str:
    match kind:
        case Kind.FLOAT:
            number = float(value)
            return repr(number) if np.isfinite(number) else ""
        case Kind.INT:
            if isinstance(value, float) and not value.is_integer():
                raise ValueError(f"{value} is no whole number")
            whole = int(value)
            if not -(2**63) <= whole < 2**63:
                raise OverflowError(f"{whole} does not fit into 64 bits")
            return f"{whole}i"
        case Kind.BOOL:
            return "true" if value else "false"
        case Kind.TEXT:
            return f'"{text(str(value))}"'
