"""The CSV format of tags: one for all protocols, as Excel writes it in any country.

Columns ``tag,source,address,type,unit,scale,offset,deadband,role,low,high,description`` in any
order; the first three must be there. Accepted: ``,``, ``;`` or tab between cells, a ``sep=`` line,
a byte order mark, UTF-8, UTF-16 or cp1252, and decimal commas where the comma does not separate.
"""

import codecs
import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gateway.config.document import TagEntry
from gateway.config.problems import Problems, nearest
from gateway.config.wording import words
from plant.errors import Misconfigured
from plant.tags import Tag

COLUMNS = tuple(TagEntry.model_fields)
REQUIRED = ("tag", "source", "address")
NUMBERS = frozenset({"scale", "offset", "deadband", "low", "high"})
LOWERED = frozenset({"type", "role"})
CUT_OFF = re.compile(r"(nsu|ns)=[^;]*")
"""An OPC UA address that a sheet with ``;`` between its cells has cut in two."""


@dataclass(frozen=True, slots=True)
class PlacedTag:
    """A tag and where it was written."""

    tag: Tag
    place: str
    line: int
    inline: int | None = None
    """Its position among the ``[[tag]]`` tables, when it stands in the TOML file."""


def decode(raw: bytes) -> str:
    """Decode a sheet: by its byte order mark, else as UTF-8, else as cp1252.

    Raises
    ------
    Misconfigured
        The bytes are no text in any of these.
    """
    encoding = "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None
    for name in [encoding] if encoding else ["utf-8-sig", "cp1252"]:
        try:
            return raw.decode(name)
        except UnicodeDecodeError:
            continue
    raise Misconfigured("is not text; save it as CSV UTF-8")


def number(cell: str, *, decimal_comma: bool) -> float:
    """Read a number; the comma is decimal only where it does not separate cells.

    Raises
    ------
    ValueError
        The cell is not one finite number, or could be read in two ways (``1.234,5``).

    Examples
    --------
    >>> number("0,25", decimal_comma=True)
    0.25
    """
    text = cell.replace(",", ".") if decimal_comma and "." not in cell else cell
    value = float(text)
    if not math.isfinite(value) or "_" in cell:
        raise ValueError(cell)
    return value


def read_sheet(path: Path, place: str, problems: Problems) -> list[PlacedTag]:
    """Read the tags of one CSV file; every mistake is added to `problems`.

    Parameters
    ----------
    path
        The file.
    place
        Its name in messages.
    problems
        Collects what is wrong, with line and column.
    """
    try:
        text = decode(path.read_bytes())
    except OSError as error:
        problems.add(place, 0, "", f"cannot be read: {error.strerror}")
        return []
    except Misconfigured as error:
        problems.add(place, 0, "", str(error))
        return []
    return _Sheet(text, place, problems).tags()


class _Sheet:
    """One sheet being read."""

    def __init__(self, text: str, place: str, problems: Problems) -> None:
        self.place = place
        self.problems = problems
        lines = text.splitlines(keepends=True)
        self.skipped = 0
        self.delimiter = ""
        if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == len("sep=;"):
            self.skipped = 1
            self.delimiter = lines[0][4]
        self.lines = lines[self.skipped :]
        if not self.delimiter:
            head = self.lines[0] if self.lines else ""
            self.delimiter = max(",;\t", key=head.count)

    def wrong(self, line: int, column: str, what: str) -> None:
        self.problems.add(self.place, line, column, what)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Give each row that is not blank with the line where it begins."""
        reader = csv.reader(self.lines, delimiter=self.delimiter, strict=True)
        begins = self.skipped + 1
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield begins, [cell.strip() for cell in cells]
                begins = self.skipped + reader.line_num + 1
        except csv.Error as error:
            self.wrong(begins, "", f"not CSV from here on: {error}")

    def tags(self) -> list[PlacedTag]:
        rows = self.rows()
        line, head = next(rows, (1, []))
        columns = self.columns(line, head)
        if columns is None:
            return []
        found = []
        for line, cells in rows:
            entry = self.entry(line, columns, cells)
            if entry is not None:
                found.append(PlacedTag(entry.as_tag(), self.place, line))
        return found

    def columns(self, line: int, head: list[str]) -> list[str] | None:
        """Check the heading; without a usable one the rows mean nothing."""
        before = len(self.problems.found)
        columns = [name.lower() for name in head]
        while columns and not columns[-1]:
            columns.pop()
        for number_, name in enumerate(columns):
            if name not in COLUMNS:
                self.wrong(line, name, f"unknown column{nearest(name, COLUMNS)}")
            elif name in columns[:number_]:
                self.wrong(line, name, "this column is there twice")
        for name in REQUIRED:
            if name not in columns:
                self.wrong(
                    line, name, "this column is missing; the columns are " + ",".join(COLUMNS)
                )
        return columns if len(self.problems.found) == before else None

    def entry(self, line: int, columns: list[str], cells: list[str]) -> TagEntry | None:
        """Turn a row into a checked entry."""
        address = dict(zip(columns, cells, strict=False)).get("address", "")
        if self.delimiter == ";" and CUT_OFF.fullmatch(address):
            self.wrong(line, "address", f'"{address}" ends at a semicolon; put it in quotes')
            return None
        extra = [cell for cell in cells[len(columns) :] if cell]
        if extra:
            self.wrong(line, "", f'more cells than columns: "{extra[0]}" belongs to none')
            return None
        values: dict[str, str | float] = {}
        good = True
        for column, cell in zip(columns, cells, strict=False):
            if cell and column in NUMBERS:
                try:
                    values[column] = number(cell, decimal_comma=self.delimiter != ",")
                except ValueError:
                    self.wrong(line, column, f'"{cell}" is not a number')
                    good = False
            elif cell:
                values[column] = cell.lower() if column in LOWERED else cell
        try:
            entry = TagEntry.model_validate(values)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                self.wrong(line, str(one["loc"][0]) if one["loc"] else "", words(one, []))
            return None
        return entry if good else None
