"""Tables in files: CSV, plain or gzipped, and Parquet. A file appears when it is whole."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from plant.errors import Misconfigured

Column = NDArray[Any]
PART = ".part"
GROUP = 1 << 16
"""Rows in a group of a Parquet file: few large groups are small and fast to read."""
METADATA = b"wheeltapper"
"""Key of the metadata in the footer of a Parquet file."""


class Table(Protocol):
    """A file that rows are added to."""

    def __enter__(self) -> Self:
        """Begin beside the file that is to be."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind that was not finished."""
        ...

    def add(self, columns: Mapping[str, Column]) -> None:
        """Add rows: columns (n,) of one length, the same names each time.

        Times are ``datetime64[ns]``, words are objects; NaN is nothing.
        """
        ...

    def finish(self, metadata: Mapping[str, Any]) -> None:
        """Put the file in its place, with what has to be known of it."""
        ...


class CsvTable:
    """Comma-separated, with a header; times in ISO 8601, UTC, to the ns; a Bad value is empty.

    What has to be known of it stands beside it, in a file that adds ``.json`` to its name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + PART)
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Begin beside the file that is to be."""
        if self._path.suffix == ".gz":
            packed = gzip.open(self._part, "wb")
            self._file = io.TextIOWrapper(packed, encoding="utf-8", newline="")
        else:
            self._file = self._part.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._begun = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind that was not finished."""
        if self._file is not None:
            self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, columns: Mapping[str, Column]) -> None:
        """Add rows."""
        if not self._begun:
            self._begun = True
            self._writer.writerow(columns)
        self._writer.writerows(zip(*map(_cells, columns.values()), strict=True))

    def finish(self, metadata: Mapping[str, Any]) -> None:
        """Put the file in its place."""
        if self._file is not None:
            self._file.close()
            self._file = None
        beside = self._path.with_name(self._path.name + ".json")
        text = json.dumps(metadata, indent=2, ensure_ascii=False)
        beside.write_text(text + "\n", encoding="utf-8")
        self._part.replace(self._path)


def _cells(column: Column) -> list[Any]:
    if column.dtype.kind == "M":
        return [f"{text}Z" for text in np.datetime_as_string(column, unit="ns").tolist()]
    cells: list[Any] = column.tolist()
    if column.dtype.kind == "f":
        return ["" if cell != cell else cell for cell in cells]
    return cells


class ParquetTable:
    """Columns as Apache Parquet, Zstandard; what has to be known of it stands in its footer."""

    def __init__(self, path: Path) -> None:
        try:
            # Neither has types: by their names, so that nobody needs them to check ours.
            self._arrow: Any = import_module("pyarrow")
            self._parquet: Any = import_module("pyarrow.parquet")
        except ImportError:
            raise Misconfigured(
                f"{path}: Parquet needs pyarrow, which a gateway does not: "
                "pip install 'wheeltapper[parquet]', or name a file that ends with .csv"
            ) from None
        self._path = path
        self._part = path.with_name(path.name + PART)
        self._writer: Any = None
        self._held: list[Mapping[str, Column]] = []
        self._rows = 0

    def __enter__(self) -> Self:
        """Begin beside the file that is to be."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind that was not finished."""
        if self._writer is not None:
            self._writer.close()
        self._part.unlink(missing_ok=True)

    def add(self, columns: Mapping[str, Column]) -> None:
        """Add rows; they are held until there are enough for a group."""
        self._held.append(columns)
        self._rows += len(next(iter(columns.values())))
        if self._rows >= GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        names = list(self._held[0])
        whole = {name: np.concatenate([each[name] for each in self._held]) for name in names}
        self._held, self._rows = [], 0
        table = self._arrow.table({name: self._array(each) for name, each in whole.items()})
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._part, table.schema, compression="zstd")
        self._writer.write_table(table)

    def _array(self, column: Column) -> Any:
        if column.dtype.kind == "M":
            stamps = self._arrow.array(column.astype(np.int64))
            return stamps.cast(self._arrow.timestamp("ns", tz="UTC"))
        if column.dtype.kind == "O":
            return self._arrow.array(column, self._arrow.string()).dictionary_encode()
        return self._arrow.array(column, from_pandas=True)

    def finish(self, metadata: Mapping[str, Any]) -> None:
        """Put the file in its place."""
        self._flush()
        text = json.dumps(metadata, ensure_ascii=False).encode()
        self._writer.add_key_value_metadata({METADATA: text})
        self._writer.close()
        self._writer = None
        self._part.replace(self._path)


KINDS: dict[str, Callable[[Path], Table]] = {
    ".csv": CsvTable,
    ".csv.gz": CsvTable,
    ".parquet": ParquetTable,
}
"""Tables by the end of a file's name."""


def table(path: Path) -> Table:
    """Make the table that a file's name asks for.

    Raises
    ------
    Misconfigured
        Its end is none that is known, its folder is not there, or a library is missing.
    """
    made = next((make for end, make in KINDS.items() if path.name.lower().endswith(end)), None)
    if made is None:
        raise Misconfigured(f"{path}: let the name end with one of {', '.join(KINDS)}")
    if not path.parent.is_dir():
        raise Misconfigured(f"{path}: there is no folder {path.parent}")
    return made(path)
