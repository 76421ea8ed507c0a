"""A list of faults, as a maintenance log has them: each with the time it began and ended."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.segments import Marks
from connectors.replay import cells
from connectors.replay.table import opened
from plant.errors import Misconfigured

BEGIN, END = "begin", "end"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: source times of its first and last moment, ns, and its row in the list."""

    begin: int
    end: int
    line: int


def read_faults(path: Path) -> list[Fault]:
    """Read a CSV file with the columns ``begin`` and ``end``; others are for people.

    Raises
    ------
    Misconfigured
        The file cannot be used; the message names row, column and mend.
    """
    found: list[Fault] = []
    with opened(path) as table:
        for name in (BEGIN, END):
            if name not in table.header:
                raise Misconfigured(
                    f"faults {path}, row 1: there is no column {name!r}; a list of faults has the "
                    f"columns {BEGIN!r} and {END!r}, times as in the recordings"
                )
        places = [table.header.index(name) for name in (BEGIN, END)]
        for part in table.slices():
            columns = [part.columns[place] for place in places]
            found += [_fault(path, *row) for row in zip(part.rows, *columns, strict=True)]
    if not found:
        raise Misconfigured(f"faults {path}: has a header but no fault")
    return found


def _fault(path: Path, line: int, begin: str, end: str) -> Fault:
    times = [_instant(path, line, name, text) for name, text in ((BEGIN, begin), (END, end))]
    if times[1] < times[0]:
        raise Misconfigured(
            f"faults {path}, row {line}: {end!r} lies before {begin!r}; exchange or mend them"
        )
    return Fault(times[0], times[1], line)


def _instant(path: Path, line: int, name: str, text: str) -> int:
    try:
        return cells.clock(text)(text)
    except ValueError as error:
        where = f"faults {path}, row {line}, column {name!r}"
        raise Misconfigured(f"{where}: {text!r} {error}") from None


def marked(at: NDArray[np.int64], faults: list[Fault]) -> Marks:
    """Mark the rows (n,) that lie within a fault, both ends included."""
    marks = np.zeros(len(at), np.bool_)
    for fault in faults:
        first, last = np.searchsorted(at, fault.begin), np.searchsorted(at, fault.end, "right")
        marks[first:last] = True
    return marks


def demand_inside(path: Path, faults: list[Fault], spans: list[tuple[int, int]]) -> None:
    """Refuse a fault that lies in no recording: a clock or a zone is wrong.

    Parameters
    ----------
    path
        The list.
    faults
        Its faults.
    spans
        First and last source time of each recording, ns.
    """
    for fault in faults:
        if not any(fault.begin <= last and first <= fault.end for first, last in spans):
            raise Misconfigured(
                f"faults {path}, row {fault.line}: lies in none of the recordings; look at the "
                "time zone (without one it is UTC on both sides), or remove the row"
            )
