"""A recording: rows of signals over time, and the labels that somebody drew beside them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.replay import cells
from connectors.replay.config import LateRows
from connectors.replay.feed import RecordingFeed
from connectors.replay.table import Slice, Table, opened
from plant.errors import Misconfigured
from plant.tags import Tag

AREA = "recording/file"
"""Site and area of every recording; the file is the line's only asset."""
SOURCE = "recording"
"""Source name of a recording's own tags."""

_LONGEST = {"stem": 64, "column": 40}
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.:-]+")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A file that was read.

    Parameters
    ----------
    path
        Where it was read from.
    tags
        The signals: path ``recording/file/<file>/<column>``, the column's name as the address.
    at
        Time of each row, ns since 1970 UTC, int64 (n,), ascending.
    values
        The signals' values, float64 (n, p); NaN where the cell was empty: a Bad sample.
    labels
        What was marked as label: name → float64 (n,). Never delivered as a signal.
    lines
        Row of the file that each row stands in, as a spreadsheet counts them, int64 (n,).
    notes
        What a person should know about how it was read.
    """

    path: Path
    tags: tuple[Tag, ...]
    at: NDArray[np.int64]
    values: NDArray[np.float64]
    labels: dict[str, NDArray[np.float64]]
    lines: NDArray[np.int64]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.at)

    @property
    def asset(self) -> str:
        """Path of the asset that all its signals belong to."""
        return self.tags[0].asset

    def spans(self) -> list[tuple[str, int, int]]:
        """Give each stretch of rows with a label other than 0: name, first row, last row."""
        found: list[tuple[str, int, int]] = []
        for name, column in self.labels.items():
            marked = np.nan_to_num(column) != 0
            edges = np.flatnonzero(np.diff(np.concatenate(([False], marked, [False]))))
            found += [(name, int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
        return found

    def as_feed(self, start: int, source: str = "line-opcua") -> RecordingFeed:
        """Give its rows to a loopback server, one a second from `start` (ns) on, gaps closed."""
        return RecordingFeed(self.tags, self.values, start, source)


def read_recording(
    path: Path,
    labels: Sequence[str] = (),
    time: str = "time",
    late_rows: LateRows = "refuse",
    source: str = SOURCE,
) -> Recording:
    """Read a CSV file: a time column, label columns, and every other column of numbers a signal.

    Parameters
    ----------
    path
        Plain or gzipped, UTF-8, cells separated by ``,`` or by ``;`` (then with decimal commas).
    labels
        Columns that are not signals.
    time
        Name of the time column: ISO 8601, without a zone taken as UTC, or a count since 1970.
    late_rows
        What becomes of a row whose time lies before that of a row above.
    source
        Source name of the tags.

    Raises
    ------
    Misconfigured
        The file cannot be used; the message names file, row and column, and the mend.
    """
    with opened(path) as table:
        for name in (time, *labels):
            _demand(table, name)
        columns = [_Column(table, place, name) for place, name in enumerate(table.header)]
        clock = _Clock(table, time, late_rows)
        signals = [column for column in columns if column.name != time]
        for part in table.slices():
            keep = clock.take(part)
            for column in signals:
                column.take(part, keep)
    if not clock.taken:
        raise Misconfigured(f"recording {path} has a header but no rows")
    chosen = [column for column in signals if column.name not in labels]
    numeric = [column for column in chosen if column.is_signal()]
    if not numeric:
        raise Misconfigured(f"recording {path} has no column of numbers besides time and labels")
    left_out = [f"column {c.name!r} holds no numbers and is left out" for c in chosen]
    return Recording(
        path=path,
        tags=_tags(path, [column.name for column in numeric], source),
        at=np.concatenate(clock.taken),
        values=np.column_stack([column.values() for column in numeric]),
        labels={c.name: c.values() for c in signals if c.name in labels and c.is_label()},
        lines=np.concatenate(clock.lines),
        notes=(
            *clock.notes(),
            *(note for note, c in zip(left_out, chosen, strict=True) if c not in numeric),
        ),
    )


def _demand(table: Table, name: str) -> None:
    if name not in table.header:
        near = get_close_matches(name, table.header, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(table.header)}"
        raise Misconfigured(f"recording {table.path}, row 1: there is no column {name!r}; {hint}")


@dataclass(eq=False)
class _Column:
    """One column on its way to numbers: what was read, and the first cell that is none."""

    table: Table
    place: int
    name: str
    numbers: int = 0
    complaint: str = ""
    parts: list[NDArray[np.float64]] = field(default_factory=list)

    def take(self, part: Slice, keep: NDArray[np.bool_]) -> None:
        texts = part.columns[self.place]
        values, wrong = cells.numbers(texts, decimal_comma=self.table.decimal_comma)
        self.numbers += int(np.count_nonzero(~np.isnan(values)))
        if wrong is not None and not self.complaint:
            self.complaint = self._explain(part.rows[wrong], texts[wrong])
        self.parts.append(values[keep])

    def _explain(self, row: int, text: str) -> str:
        try:
            cells.number(text, decimal_comma=self.table.decimal_comma)
        except ValueError as error:
            where = f"recording {self.table.path}, row {row}, column {self.name!r}"
            return f"{where}: {text!r} {error}; mend the cell, or leave it empty"
        return ""

    def is_signal(self) -> bool:
        """Tell a column of numbers from one of text; one that is both is a mistake."""
        if self.numbers and self.complaint:
            raise Misconfigured(self.complaint)
        return self.numbers > 0

    def is_label(self) -> bool:
        if self.complaint:
            raise Misconfigured(self.complaint)
        return True

    def values(self) -> NDArray[np.float64]:
        return np.concatenate(self.parts)


class _Clock:
    """The time column on its way to ns since 1970 UTC."""

    def __init__(self, table: Table, name: str, late_rows: LateRows) -> None:
        self._where = f"recording {table.path}, row {{}}, column {name!r}: {{!r}} "
        self._place = table.header.index(name)
        self._drop = late_rows == "drop"
        self._read = cells.clock("")
        self._zoned = True
        self._latest = -(2**63)
        self._dropped = 0
        self.taken: list[NDArray[np.int64]] = []
        self.lines: list[NDArray[np.int64]] = []

    def take(self, part: Slice) -> NDArray[np.bool_]:
        """Read the times of some rows; say which rows (n,) are kept."""
        texts = part.columns[self._place]
        if not self.taken:
            self._read = cells.clock(texts[0])
        self._zoned = self._zoned and all(map(cells.has_zone, texts))
        at = np.array([self._instant(*one) for one in zip(part.rows, texts, strict=True)], np.int64)
        latest = np.maximum.accumulate(np.maximum(at, self._latest))
        keep = at >= latest
        late = np.flatnonzero(~keep)
        if len(late) and not self._drop:
            where = self._where.format(part.rows[late[0]], texts[late[0]])
            raise Misconfigured(
                f"{where}lies before the time of a row above; sort the file by time, or leave such "
                'rows out with late_rows = "drop", or --drop-late-rows of a command'
            )
        self._dropped += len(late)
        self._latest = int(latest[-1])
        self.taken.append(at[keep])
        self.lines.append(np.array(part.rows, np.int64)[keep])
        return keep

    def _instant(self, row: int, text: str) -> int:
        try:
            return self._read(text)
        except ValueError as error:
            raise Misconfigured(f"{self._where.format(row, text)}{error}") from None

    def notes(self) -> list[str]:
        notes = [] if self._zoned else ["its times name no zone and are taken as UTC"]
        if self._dropped:
            notes.append(
                f"rows left out because their time lies before a row above: {self._dropped}"
            )
        return notes


def _cleaned(text: str, most: int) -> str:
    return _FORBIDDEN.sub("_", text).strip("_")[:most] or "_"


def _tags(path: Path, columns: Sequence[str], source: str) -> tuple[Tag, ...]:
    stem = _cleaned(path.name.removesuffix(".gz").removesuffix(".csv"), _LONGEST["stem"])
    names: dict[str, str] = {}
    for column in columns:
        name = f"{AREA}/{stem}/{_cleaned(column, _LONGEST['column'])}"
        if name in names:
            raise Misconfigured(
                f"recording {path}, row 1: columns {names[name]!r} and {column!r} would both be "
                f"the tag {name}; rename one"
            )
        names[name] = column
    return tuple(
        Tag(name=name, source=source, address=column, description=column)
        for name, column in names.items()
    )
