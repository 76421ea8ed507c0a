"""Rows of a DataChangeNotification, read in runs of one layout (OPC 10000-6 §5.2.2.17).

A row is a client handle and a DataValue; the answer to a Read is DataValues alone, whose places
stand for handles. Where encoding mask and Variant type repeat, rows have one width and are mapped
as a structured array; what does not repeat goes row by row. An array of one element, which is what
an index range gives, counts as that element.
"""

import struct
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.opcua import wire
from plant.quality import Status

VALUE, STATUS, SOURCE, SERVER, SOURCE_PICO, SERVER_PICO = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NUMBERS = {
    1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d",
}  # fmt: skip
# Any byte but 0 is true (OPC 10000-6 §5.2.2.1), which numpy's own bool does not promise.
_WIDTHS = {
    "?": "u1", "b": "i1", "B": "u1", "h": "<i2", "H": "<u2", "i": "<i4", "I": "<u4",
    "q": "<i8", "Q": "<u8", "f": "<f4", "d": "<f8",
}  # fmt: skip
_BOOLEAN = 1
_WIDE = (8, 9)
EXACT = 2**53
"""Whole numbers up to here are exact as float64."""
SHORTEST_RUN = 16
FIRST_WINDOW = 64
_HANDLE = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows of one encoding mask and one Variant type: their dtype, and the same as a struct.

    `kind` is the type of the value; `single` says that it travels as an array of one element.
    """

    dtype: np.dtype[np.void]
    struct: struct.Struct
    names: tuple[str, ...]
    kind: int
    single: bool


def layout_of(mask: int, form: int, lead: int = _HANDLE) -> Layout | None:
    """Give the layout of rows of this mask and Variant, or ``None`` if they vary in width.

    Parameters
    ----------
    mask
        Encoding mask of the DataValue.
    form
        Encoding byte of the Variant.
    lead
        Bytes of the client handle before each DataValue; 0 where there is none.
    """
    if mask & VALUE and form and form & ~wire.ARRAY not in _NUMBERS:
        return None
    return _fixed(mask, form, lead)


@cache
def _fixed(mask: int, form: int, lead: int) -> Layout:
    fields = [("handle", "I"), ("mask", "B")] if lead else [("mask", "B")]
    kind = form & ~wire.ARRAY
    if mask & VALUE:
        fields.append(("kind", "B"))
        if form & wire.ARRAY:
            fields.append(("length", "i"))
        if kind:
            fields.append(("value", _NUMBERS[kind]))
    for bit, name, code in (
        (STATUS, "status", "I"),
        (SOURCE, "source", "q"),
        (SOURCE_PICO, "pico", "H"),
        (SERVER, "server", "q"),
        (SERVER_PICO, "server_pico", "H"),
    ):
        if mask & bit:
            fields.append((name, code))
    dtype = np.dtype([(name, _WIDTHS[code]) for name, code in fields])
    packed = struct.Struct("<" + "".join(code for _, code in fields))
    names = tuple(name for name, _ in fields)
    return Layout(dtype, packed, names, kind, "length" in names)


@dataclass(frozen=True, slots=True)
class TextRow:
    """A row that holds text; times are FILETIME ticks, 0 where missing."""

    handle: int
    text: str
    status: int
    source: int
    pico: int
    server: int


@dataclass(slots=True)
class Rows:
    """Columns as they stand on the wire, filled up to `filled`.

    Parameters
    ----------
    room
        Rows that fit.
    """

    room: int
    filled: int = 0
    texts: list[TextRow] = field(default_factory=list)
    handle: NDArray[np.uint32] = field(init=False)
    value: NDArray[np.float64] = field(init=False)
    status: NDArray[np.uint32] = field(init=False)
    instead: NDArray[np.uint32] = field(init=False)
    """StatusCode of a row without a value, unless it is Bad by itself; else 0."""
    source: NDArray[np.int64] = field(init=False)
    pico: NDArray[np.uint16] = field(init=False)
    server: NDArray[np.int64] = field(init=False)
    server_pico: NDArray[np.uint16] = field(init=False)

    def __post_init__(self) -> None:
        """Make the columns: no value, no time, Good."""
        self.handle = np.zeros(self.room, np.uint32)
        self.value = np.full(self.room, np.nan)
        self.status = np.zeros(self.room, np.uint32)
        self.instead = np.zeros(self.room, np.uint32)
        self.source = np.zeros(self.room, np.int64)
        self.pico = np.zeros(self.room, np.uint16)
        self.server = np.zeros(self.room, np.int64)
        self.server_pico = np.zeros(self.room, np.uint16)

    @property
    def read(self) -> int:
        """Count the rows read, with and without text."""
        return self.filled + len(self.texts)

    def take_run(self, rows: NDArray[np.void], layout: Layout) -> None:
        """Append rows of one layout."""
        here = slice(self.filled, self.filled + len(rows))
        if "handle" in layout.names:
            self.handle[here] = rows["handle"]
        else:
            self.handle[here] = np.arange(self.read, self.read + len(rows))
        for name in ("status", "source", "pico", "server", "server_pico"):
            if name in layout.names:
                getattr(self, name)[here] = rows[name]
        if "value" not in layout.names:
            self.instead[here] = Status.BAD_WAITING_FOR_INITIAL_DATA
        else:
            self.value[here] = _numbers(rows["value"], layout.kind)
        self.filled += len(rows)

    def take(self, row: dict[str, Any]) -> None:
        """Append one row of numbers."""
        i = self.filled
        for name in ("handle", "status", "source", "pico", "server", "server_pico"):
            if name in row:
                getattr(self, name)[i] = row[name]
        value = row.get("value")
        if value is None:
            self.instead[i] = row.get("instead", Status.BAD_WAITING_FOR_INITIAL_DATA)
        elif not isinstance(value, int) or abs(value) <= EXACT:
            self.value[i] = value
        self.filled += 1

    def take_text(self, row: dict[str, Any], text: str) -> None:
        """Append one row of text."""
        status = row.get("status", 0)
        source, pico, server = row.get("source", 0), row.get("pico", 0), row.get("server", 0)
        self.texts.append(TextRow(row["handle"], text, status, source, pico, server))


def _numbers(value: NDArray[Any], kind: int) -> NDArray[np.float64]:
    """Convert values of one type to float64; whole numbers that do not fit become NaN."""
    # A signalling NaN is a NaN like any other.
    with np.errstate(invalid="ignore"):
        number: NDArray[np.float64] = value.astype(np.float64)
    if kind == _BOOLEAN:
        number[value != 0] = 1.0
    if kind in _WIDE:
        exact = value <= EXACT
        if value.dtype.kind == "i":
            exact &= value >= -EXACT
        number[~exact] = np.nan
    return number


def read_rows(data: bytes, at: int, texts_from: int, lead: int = _HANDLE) -> tuple[Rows, int]:
    """Read the array of rows at `at`.

    Parameters
    ----------
    data
        The message.
    at
        Position of the array's length.
    texts_from
        Client handles from here on are wanted as text, whatever their type.
    lead
        4; or 0 where rows are DataValues without client handles: each one's place is its handle.

    Returns
    -------
    tuple[Rows, int]
        The rows and the position behind them.

    Raises
    ------
    Rejected
        The bytes are no array of rows.
    """
    left, at = wire.count(data, at, lead + 1)
    rows = Rows(left)
    window = FIRST_WINDOW
    while left:
        taken, at = _read_run(data, at, min(left, window), texts_from, rows, lead)
        window *= 8
        if not taken:
            window = FIRST_WINDOW
            taken = min(left, SHORTEST_RUN)
            for _ in range(taken):
                at = _read_row(data, at, texts_from, rows, lead)
        left -= taken
    return rows, at


def _read_run(
    data: bytes, at: int, most: int, texts_from: int, rows: Rows, lead: int
) -> tuple[int, int]:
    """Take the rows that look like the first one; none if they are too few to pay."""
    head = data[at + lead : at + lead + 2]
    if len(head) < 2:
        return 0, at
    layout = layout_of(head[0], head[1] if head[0] & VALUE else 0, lead)
    if layout is None:
        return 0, at
    width = layout.dtype.itemsize
    mapped = np.frombuffer(data, layout.dtype, min(most, (len(data) - at) // width), at)
    same = mapped["mask"] == head[0]
    if head[0] & VALUE:
        same &= mapped["kind"] == head[1]
    if layout.single:
        same &= mapped["length"] == 1
    length = len(same) if same.all() else int(np.argmin(same))
    if length < SHORTEST_RUN or _highest(mapped, length, rows, lead) >= texts_from:
        return 0, at
    rows.take_run(mapped[:length], layout)
    return length, at + length * width


def _highest(mapped: NDArray[np.void], length: int, rows: Rows, lead: int) -> int:
    return int(mapped["handle"][:length].max()) if lead else rows.read + length - 1


def _read_row(data: bytes, at: int, texts_from: int, rows: Rows, lead: int) -> int:
    start = at + lead
    behind = wire.need(data, start, 1)
    mask, form = data[start], 0
    if mask & VALUE:
        behind = wire.need(data, behind, 1)
        form = data[start + 1]
    layout = layout_of(mask, form, lead)
    if layout is None or (layout.single and wire.count(data, behind, 1)[0] != 1):
        return _read_unusual(data, at, texts_from, rows, lead)
    behind = wire.need(data, at, layout.struct.size)
    row = dict(zip(layout.names, layout.struct.unpack_from(data, at), strict=True))
    if row.setdefault("handle", rows.read) >= texts_from:
        value = row.get("value")
        rows.take_text(row, "" if value is None else str(value))
    else:
        rows.take(row)
    return behind


def _read_unusual(data: bytes, at: int, texts_from: int, rows: Rows, lead: int) -> int:
    """Read a row whose value has no fixed width: text, an array, a structure."""
    start = at + lead
    mask = data[start]
    value, behind = _read_value(data, start + 1)
    rest = _fixed(mask & ~VALUE, 0, lead)
    # The stamps behind the value are read as a row of their own, under this row's handle and mask.
    stamps = behind
    behind = wire.need(data, stamps, rest.struct.size - lead - 1)
    head = data[at : start + 1]
    row = dict(zip(rest.names, rest.struct.unpack(head + data[stamps:behind]), strict=True))
    handle = row.setdefault("handle", rows.read)
    if isinstance(value, str) or (value is not None and handle >= texts_from):
        rows.take_text(row, str(value))
    elif value is None:
        rows.take({**row, "instead": Status.BAD_TYPE_MISMATCH})
    else:
        rows.take({**row, "value": value})
    return behind


def _read_value(data: bytes, at: int) -> tuple[str | float | None, int]:
    """Read a Variant's text or number, or that of its only element; anything else gives None."""
    behind = wire.skip_variant(data, at)
    form = data[at]
    number, first = wire.count(data, at + 1, 1) if form & wire.ARRAY else (1, at + 1)
    kind = form & wire.TYPE
    if number != 1:
        return None, behind
    if kind == wire.STRING:
        return wire.string(data, first)[0], behind
    if kind == wire.LOCALIZED_TEXT:
        return wire.localized_text(data, first)[0], behind
    if kind not in _NUMBERS:
        return None, behind
    value: float = struct.unpack_from("<" + _NUMBERS[kind], data, first)[0]
    return value, behind
