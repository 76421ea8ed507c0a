"""Cells of whole numbers, thousands at once: nearly all that the leaves of a journal hold.

A record has a NULL for its key, five whole numbers and a blob; an entry of its index has six whole
numbers. What looks otherwise, or goes on in another page, is left to `gateway.journal.pages`, cell
by cell. As there, no length and no offset is believed that was not checked.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.int64]

TABLE_LEAF, INDEX_LEAF = 0x0D, 0x0A
LEAF_HEAD = 8
NUMBERS = 6
"""Whole numbers of a record with its key, and of an entry."""
_MOST_VARINT = 8
_NO_INTEGER = 99
_BYTES = np.full(256, _NO_INTEGER, np.int64)
"""Bytes of a whole number by its code; what is none has more than any."""
_BYTES[[1, 2, 3, 4, 5, 6, 8, 9]] = 1, 2, 3, 4, 6, 8, 0, 0
_CODE_ONE = 9
_BLOB = 12


@dataclass(frozen=True, slots=True)
class Records:
    """Cells that are built as records are.

    Parameters
    ----------
    numbers
        Key, then the whole numbers in the order of the columns, int64 (n, 6).
    begin, end
        Where the blob of each stands in the data, int64 (n,).
    """

    numbers: Places
    begin: Places
    end: Places


@dataclass(frozen=True, slots=True)
class Sifted:
    """What stands in some leaves.

    Parameters
    ----------
    records
        Records.
    entries
        Entries of the index, int64 (n, 6).
    long
        Leaf and offset within it of each cell that goes on in another page, int64 (n, 2).
    odd
        The same of every other cell.
    """

    records: Records
    entries: Places
    long: Places
    odd: Places


def most_local(size: int, *, is_table: bool) -> int:
    """Give the most bytes of a payload that stand in the cell itself; more is spread over pages."""
    return size - 35 if is_table else (size - 12) * 64 // 255 - 23


def sift(data: Bytes, leaves: Places, size: int) -> Sifted:
    """Take leaves apart.

    Parameters
    ----------
    data
        The file or the log, uint8 (bytes,).
    leaves
        Where the leaves begin in it, int64 (n,); each is whole.
    size
        Bytes of a page.
    """
    count = np.minimum(_pair(data, leaves + 3), (size - LEAF_HEAD) // 2)
    leaf = np.repeat(leaves, count)
    slot = np.arange(len(leaf)) - np.repeat(np.cumsum(count) - count, count)
    offset = _pair(data, leaf + LEAF_HEAD + 2 * slot)
    is_table = _byte(data, leaf) == TABLE_LEAF
    payload, at = _varint(data, leaf + offset)
    key, behind = _varint(data, at)
    at = np.where(is_table, behind, at)
    inside = (payload >= 0) & (key >= 0) & (at + payload <= leaf + size)
    # Numbers are read eight bytes at once.
    inside &= at + payload + 8 <= len(data)
    most = np.where(is_table, most_local(size, is_table=True), most_local(size, is_table=False))
    inside &= payload <= most
    table, index = np.flatnonzero(is_table & inside), np.flatnonzero(~is_table & inside)
    records, own = _records(data, at[table], payload[table], key[table])
    entries, theirs = _entries(data, at[index], payload[index])
    is_long = payload > most
    odd = ~is_long
    odd[table[own]] = False
    odd[index[theirs]] = False
    cells = np.column_stack((leaf, offset))
    return Sifted(records, entries, cells[is_long], cells[odd])


def _records(
    data: Bytes, at: Places, payload: Places, key: Places
) -> tuple[Records, NDArray[np.bool_]]:
    """Give the records among cells, and which of them these are."""
    codes = _codes(data, at + 2)[:, : NUMBERS - 1]
    blob, behind = _varint(data, at + NUMBERS + 1)
    head = _byte(data, at)
    sizes = _BYTES[codes]
    length = (blob - _BLOB) // 2
    fits = (_byte(data, at + 1) == 0) & (sizes < _NO_INTEGER).all(axis=1)
    fits &= (blob >= _BLOB) & (blob % 2 == 0) & (behind == at + head)
    fits &= head + sizes.sum(axis=1) + length == payload
    at, end = at[fits], (at + payload)[fits]
    numbers = _numbers(data, at + head[fits], codes[fits], sizes[fits])
    return Records(np.column_stack((key[fits], numbers)), end - length[fits], end), fits


def _entries(data: Bytes, at: Places, payload: Places) -> tuple[Places, NDArray[np.bool_]]:
    """Give the entries among cells, and which of them these are."""
    codes = _codes(data, at + 1)
    sizes = _BYTES[codes]
    head = NUMBERS + 1
    fits = (_byte(data, at) == head) & (sizes < _NO_INTEGER).all(axis=1)
    fits &= head + sizes.sum(axis=1) == payload
    return _numbers(data, at[fits] + head, codes[fits], sizes[fits]), fits


def _numbers(data: Bytes, at: Places, codes: Bytes, sizes: Places) -> Places:
    """Read whole numbers that stand one behind another, int64 (n, k)."""
    if not len(at):
        return np.empty(codes.shape, np.int64)
    eight = np.ndarray((len(data) - 7,), np.dtype(">i8"), data, strides=(1,))
    begin = at[:, None] + np.cumsum(sizes, axis=1) - sizes
    read = eight[begin].astype(np.int64) >> (64 - 8 * np.maximum(sizes, 1))
    constant = (codes == _CODE_ONE).astype(np.int64)
    found: Places = np.where(sizes > 0, read, constant)
    return found


def _codes(data: Bytes, at: Places) -> Bytes:
    found: Bytes = data.take(at[:, None] + np.arange(NUMBERS), mode="clip")
    return found


def _byte(data: Bytes, at: Places) -> Places:
    return data.take(at, mode="clip").astype(np.int64)


def _pair(data: Bytes, at: Places) -> Places:
    return _byte(data, at) << 8 | _byte(data, at + 1)


def _varint(data: Bytes, at: Places) -> tuple[Places, Places]:
    """Read numbers of one to eight bytes; give them, -1 for a longer one, and where they end."""
    byte = _byte(data, at)
    number, end = byte & 0x7F, at + 1
    more = np.flatnonzero(byte >= 0x80)
    for place in range(1, _MOST_VARINT):
        byte = _byte(data, at[more] + place)
        number[more] = number[more] << 7 | byte & 0x7F
        end[more] += 1
        more = more[byte >= 0x80]
    number[more] = -1
    return number, end
