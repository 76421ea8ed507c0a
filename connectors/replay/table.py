"""A CSV file as text columns, a few thousand rows at a time; every complaint names the row.

Rows are counted as a spreadsheet shows them: the header is row 1.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TextIO

from plant.errors import Misconfigured

_GZIP = b"\x1f\x8b"
_ROWS = 4096
MAX_CELLS = 100_000_000
"""Most cells of one recording; 800 MB as numbers."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows: the row number of each (n,), and the cells of each column, (n,) a column."""

    rows: tuple[int, ...]
    columns: tuple[tuple[str, ...], ...]


class _Reader(Protocol):
    """What `csv.reader` gives."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...


@dataclass(frozen=True, slots=True)
class Table:
    """An open CSV file: its column names, and its rows still to be read."""

    path: Path
    header: tuple[str, ...]
    decimal_comma: bool
    _reader: _Reader

    def slices(self) -> Iterator[Slice]:
        """Give the rows, blank ones left out.

        Raises
        ------
        Misconfigured
            A row with more or fewer cells than the header, or more than can be held.
        """
        wide = len(self.header)
        numbered = ((self._reader.line_num, row) for row in self._reader if row)
        cells = 0
        while chunk := list(islice(numbered, _ROWS)):
            for number, row in chunk:
                if len(row) != wide:
                    raise Misconfigured(
                        f"recording {self.path}, row {number}: {len(row)} cells, but the header "
                        f"has {wide} columns; mend or remove the row"
                    )
            cells += wide * len(chunk)
            if cells > MAX_CELLS:
                raise Misconfigured(
                    f"recording {self.path} has more than {MAX_CELLS} cells; split the file"
                )
            numbers, rows = zip(*chunk, strict=True)
            yield Slice(numbers, tuple(zip(*rows, strict=True)))


def _text(path: Path) -> TextIO:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _header(path: Path, first: list[str]) -> tuple[str, ...]:
    header = tuple(name.strip() for name in first)
    for place, name in enumerate(header, 1):
        if not name:
            raise Misconfigured(f"recording {path}, row 1: column {place} has no name")
        if header.index(name) + 1 != place:
            raise Misconfigured(
                f"recording {path}, row 1: columns {header.index(name) + 1} and {place} are both "
                f"called {name!r}; rename one"
            )
    return header


@contextmanager
def opened(path: Path) -> Iterator[Table]:
    """Open the CSV file at `path`, plain or gzipped, separated by ``,`` or ``;``.

    Raises
    ------
    Misconfigured
        No such file, empty, not UTF-8, a damaged gzip, a header without names or with one twice.
        Also for what goes wrong while its rows are read inside the block.
    """
    try:
        with _text(path) as file:
            line = file.readline()
            if not line.strip():
                raise Misconfigured(f"recording {path} is empty: its first row names the columns")
            separator = ";" if line.count(";") > line.count(",") else ","
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            header = _header(path, next(reader))
            yield Table(path, header, separator == ";", reader)
    except UnicodeDecodeError:
        raise Misconfigured(f"recording {path} is not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise Misconfigured(f"recording {path}, row {reader.line_num}: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Misconfigured(
            f"recording {path} is a damaged gzip file ({error}); copy it again"
        ) from None
    except OSError as error:
        raise Misconfigured(
            f"recording {path} cannot be read: {error.strerror}; name a CSV file"
        ) from None
