"""Tables with named columns, as models of remaining life and of defects take them."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]


class Frame(Protocol):
    """What a model may ask of a table: a pandas DataFrame keeps it, and so does `Table`."""

    @property
    def columns(self) -> Any:
        """Names of the columns, in order."""
        ...

    def __len__(self) -> int:
        """Count the rows."""
        ...

    def __getitem__(self, name: str) -> Any:
        """Give one column (n,)."""
        ...

    def to_numpy(self) -> NDArray[Any]:
        """Give all columns (n, p)."""
        ...


class Table:
    """Numbers (n, p) with names.

    Examples
    --------
    >>> table = Table(("a", "b"), np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> table["b"].tolist(), len(table.take(table["a"] > 1)), table.without("a").columns
    ([2.0, 4.0], 1, ('b',))
    """

    def __init__(self, columns: Sequence[str], values: Columns) -> None:
        self._columns = tuple(columns)
        self._values = values

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return self._columns

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, name: str) -> Columns:
        return self._values[:, self._columns.index(name)]

    def to_numpy(self) -> Columns:
        """Give all columns (n, p)."""
        return self._values

    def take(self, rows: NDArray[Any]) -> "Table":
        """Give some rows, by number or by mark."""
        return Table(self._columns, self._values[rows])

    def without(self, *names: str) -> "Table":
        """Give the other columns."""
        kept = [i for i, name in enumerate(self._columns) if name not in names]
        return Table([self._columns[i] for i in kept], self._values[:, kept])

    def groups(self, name: str) -> Iterator["Table"]:
        """Give the rows of each value of a column, in ascending order of the value."""
        column = self[name]
        for value in np.unique(column):
            yield self.take(column == value)
