"""A list of labelled faults: what maintenance knows of the time that is learnt from."""

import csv
from pathlib import Path

from analytics.training.selection import Event
from connectors.replay import cells
from plant.errors import Misconfigured

COLUMNS = ("asset", "from", "to", "label")


def read_labels(path: Path) -> dict[str, list[Event]]:
    """Read a CSV file with the columns ``asset, from, to, label``.

    Raises
    ------
    Misconfigured
        It cannot be used; the message names file, row, column and mend.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
            header = tuple(rows[0]) if rows else ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"labels {path}: cannot be read: {error}") from error
    missing = [name for name in COLUMNS[:3] if name not in header]
    if missing:
        raise Misconfigured(
            f"labels {path}, row 1: no column {missing[0]!r}, or no row below; the columns are "
            f"{', '.join(COLUMNS)}, times as in 2026-11-23T06:00Z"
        )
    found: dict[str, list[Event]] = {}
    for number, row in enumerate(rows, 2):
        start, stop = (_instant(path, number, name, row[name] or "") for name in COLUMNS[1:3])
        if stop <= start:
            raise Misconfigured(f"labels {path}, row {number}: 'to' does not lie behind 'from'")
        asset = (row["asset"] or "").strip()
        found.setdefault(asset, []).append(Event(start, stop, (row.get("label") or "").strip()))
    return found


def _instant(path: Path, row: int, name: str, text: str) -> int:
    try:
        return cells.clock(text)(text)
    except ValueError as error:
        raise Misconfigured(
            f"labels {path}, row {row}, column {name!r}: {text!r} {error}"
        ) from None
