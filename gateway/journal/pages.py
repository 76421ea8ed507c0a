"""The pages of an SQLite file and what stands in them, without SQLite; pure but for the mapping.

After https://www.sqlite.org/fileformat2.html, for files without reserved space at the end of pages.
Nothing here believes a length, an offset or a page number that it has not checked.
"""

import mmap
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gateway.journal.cells import INDEX_LEAF, TABLE_LEAF, Places, Sifted, most_local, sift

PAGE_BYTES = 2048
"""What a journal has where its header cannot tell."""

TOGETHER = 4096
"""Pages that are taken apart at once."""
_MAGIC = b"SQLite format 3\x00"
_FIRST_PAGE = 100
_LOG_HEAD, _FRAME_HEAD = 32, 24
_INT_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_EMPTY, _NO_PLACES = np.empty(0, np.uint8), np.empty(0, np.int64)
_NULL, _ZERO, _ONE, _INT, _REAL, _TEXT, _BLOB = range(7)
_CONSTANTS = {0: _NULL, 8: _ZERO, 9: _ONE}

Value: TypeAlias = int | float | str | bytes | None
_CONSTANT: dict[int, Value] = {_NULL: None, _ZERO: 0, _ONE: 1}


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a table leaf, or one entry of an index leaf (`key` is None)."""

    key: int | None
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands in some leaves.

    Parameters
    ----------
    data
        What the places in `sifted` are of.
    sifted
        Records and entries of their index, in columns.
    rest
        Every other cell.
    """

    data: bytes | mmap.mmap
    sifted: Sifted
    rest: Iterator[Cell]


class Pages:
    """The pages of a file, and those in the write-ahead log beside it.

    Parameters
    ----------
    path, log
        The two files; the log may be missing.
    """

    def __init__(self, path: Path, log: Path) -> None:
        self._file, self._log = _mapped(path), _mapped(log)
        self.size = _page_bytes(self._file)
        self._frames, self._newest = _frames(self._log, self.size)

    def sheets(self, *, whole: bool = True) -> Iterator[Sheet]:
        """Give what stands in the leaves, some thousands of them at once; see `cells`."""
        step = _FRAME_HEAD + self.size
        frames = _LOG_HEAD + _FRAME_HEAD + step * np.arange(len(self._frames))
        yield from self._sheets(self._file, self._numbers() * self.size, whole=whole)
        edges = (self._edge(*one, whole=whole) for one in self._edges())
        yield Sheet(b"", sift(_EMPTY, _NO_PLACES, self.size), chain.from_iterable(edges))
        kinds = np.frombuffer(self._log, np.uint8)[frames]
        leaves = frames[np.isin(kinds, (TABLE_LEAF, INDEX_LEAF))]
        yield from self._sheets(self._log, leaves, whole=whole)

    def _sheets(self, data: bytes | mmap.mmap, leaves: Places, *, whole: bool) -> Iterator[Sheet]:
        for first in range(0, len(leaves), TOGETHER):
            part = leaves[first : first + TOGETHER]
            sifted = sift(np.frombuffer(data, np.uint8), part, self.size)
            others = [sifted.odd, *([sifted.long] if whole else [])]
            yield Sheet(data, sifted, self._others(data, np.concatenate(others)))

    def _others(self, data: bytes | mmap.mmap, places: Places) -> Iterator[Cell]:
        for leaf, group in groupby(places.tolist(), itemgetter(0)):
            page = data[leaf : leaf + self.size]
            offsets = [offset for _, offset in group]
            yield from self._cells(page, offsets, page[0] == TABLE_LEAF, whole=True)

    def leaves(self) -> Iterator[tuple[bytes, int]]:
        """Give each page that calls itself a leaf, and where in it its header is; old ones too."""
        for number in self._numbers().tolist():
            yield self._file[number * self.size : (number + 1) * self.size], 0
        yield from self._edges()
        for page in self._frames:
            yield page, 0

    def _edges(self) -> Iterator[tuple[bytes, int]]:
        """Give the first page, which begins with the header of the file, and one that is cut."""
        whole = len(self._file) // self.size
        if whole:
            yield self._file[: self.size], _FIRST_PAGE
        rest = self._file[whole * self.size :]
        if rest:
            yield rest + bytes(self.size - len(rest)), 0

    def _numbers(self) -> NDArray[np.intp]:
        """Give the numbers of the leaves of the file, from 0."""
        whole = len(self._file) // self.size * self.size
        first = np.frombuffer(self._file, np.uint8)[: whole : self.size]
        return np.isin(first, (TABLE_LEAF, INDEX_LEAF)).nonzero()[0]

    def count(self) -> int:
        """Count the leaves, those of the log as well."""
        return (len(self._numbers()) if self._file else 0) + len(self._frames)

    def cells(self, *, whole: bool = True) -> Iterator[Cell]:
        """Give what stands in the leaves as far as it can be read; the checksums decide.

        What is spread over pages is left out unless the `whole` is wanted; then it comes twice
        where the log has other pages for it than the file.
        """
        for page, start in self.leaves():
            yield from self._edge(page, start, whole=whole)

    def _edge(self, page: bytes, start: int, *, whole: bool) -> Iterator[Cell]:
        kind = page[start] if len(page) > start else 0
        if kind in (TABLE_LEAF, INDEX_LEAF):
            yield from self._cells(
                page, self._offsets(page, start), kind == TABLE_LEAF, whole=whole
            )

    def long_rows(self) -> Iterator[tuple[int, int]]:
        """Give key and bytes of each row that is spread over pages, without following it."""
        for page, start in self.leaves():
            if page[start] == TABLE_LEAF:
                for offset in self._offsets(page, start):
                    with suppress(ValueError, IndexError, struct.error):
                        key, head, size, _ = self._head(page, offset, is_table=True)
                        if len(head) < size <= len(self._file):
                            yield key or 0, size

    def _offsets(self, page: bytes, start: int) -> Iterator[int]:
        (count,) = struct.unpack_from(">H", page, start + 3)
        most = max(0, (self.size - start - 8) // 2)
        yield from struct.unpack_from(f">{min(count, most)}H", page, start + 8)

    def _cells(
        self, page: bytes, offsets: Iterable[int], is_table: bool, *, whole: bool
    ) -> Iterator[Cell]:
        for offset in offsets:
            try:
                key, payload, size, following = self._head(page, offset, is_table=is_table)
            except (ValueError, IndexError, struct.error):
                continue
            if len(payload) == size:
                tails = [b""]
            else:
                tails = self._tails(following, size - len(payload)) if whole else []
            for tail in tails:
                try:
                    found = values(payload + tail)
                except (ValueError, IndexError, struct.error):
                    continue
                yield Cell(key, found)

    def _head(
        self, page: bytes, offset: int, *, is_table: bool
    ) -> tuple[int | None, bytes, int, int]:
        """Give key, what stands in the cell itself, the size of the whole, the page of the rest."""
        size, offset = varint(page, offset)
        key = None
        if is_table:
            key, offset = varint(page, offset)
        local = self._local(size, is_table=is_table)
        head = page[offset : offset + local]
        if len(head) < local:
            raise ValueError("a cell beyond the end of its page")
        following = 0
        if local < size:
            (following,) = struct.unpack_from(">I", page, offset + local)
        return _signed(key), head, size, following

    def _tails(self, following: int, size: int) -> list[bytes]:
        """Follow a chain through the log and the file, and through the file alone."""
        tails: list[bytes] = []
        for newest in (True, False) if self._newest else (False,):
            with suppress(ValueError, IndexError, struct.error):
                tail = self._chain(following, size, newest=newest)
                if tail not in tails:
                    tails.append(tail)
        return tails

    def _local(self, size: int, *, is_table: bool) -> int:
        """Bytes of a payload that stand in the cell itself."""
        usable = self.size
        most = most_local(usable, is_table=is_table)
        if size <= most:
            return size
        least = (usable - 12) * 32 // 255 - 23
        fitting = least + (size - least) % (usable - 4)
        return fitting if fitting <= most else least

    def _chain(self, number: int, size: int, *, newest: bool) -> bytes:
        if size > len(self._file) + self.size * len(self._frames):
            raise ValueError("a payload longer than the file")
        parts = []
        while size > 0:
            page = self._page(number, newest=newest)
            (number,) = struct.unpack_from(">I", page)
            parts.append(page[4 : 4 + size])
            size -= len(parts[-1])
            if len(page) < self.size and size > 0:
                raise ValueError("a payload that is cut off")
        return b"".join(parts)

    def _page(self, number: int, *, newest: bool) -> bytes:
        if newest and number in self._newest:
            return self._newest[number]
        page = self._file[(number - 1) * self.size : number * self.size] if number else b""
        if len(page) < 5:
            raise ValueError(f"page {number} is missing")
        return page


def _mapped(path: Path) -> bytes | mmap.mmap:
    """Map a file; empty ones cannot be mapped."""
    if not path.exists() or path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _page_bytes(file: bytes | mmap.mmap) -> int:
    if file[:16] == _MAGIC:
        (size,) = struct.unpack_from(">H", file, 16)
        if size in (512, 1024, 2048, 4096, 8192, 16384, 32768):
            return int(size)
    return PAGE_BYTES


def _frames(log: bytes | mmap.mmap, size: int) -> tuple[list[bytes], dict[int, bytes]]:
    """Give the pages of a log up to its last commit, in order and the newest of each number.

    Frames of an earlier round bear another salt. Their own checksums are not looked at: they only
    say that every frame before was whole as well.
    """
    step = _FRAME_HEAD + size
    found: list[tuple[int, bytes]] = []
    committed = 0
    salt = log[_LOG_HEAD + 8 : _LOG_HEAD + 16]
    for start in range(_LOG_HEAD, len(log) - step + 1, step):
        number, pages = struct.unpack_from(">II", log, start)
        if log[start + 8 : start + 16] != salt:
            break
        found.append((number, log[start + _FRAME_HEAD : start + step]))
        if pages:
            committed = len(found)
    del found[committed:]
    return [page for _, page in found], dict(found)


def varint(data: bytes, offset: int) -> tuple[int, int]:
    """Read a number of one to nine bytes; give it and where it ends. IndexError beyond the end.

    Examples
    --------
    >>> varint(bytes([0x81, 0x00]), 0), varint(bytes([7]), 0)
    ((128, 2), (7, 1))
    """
    number = data[offset]
    if number < 0x80:
        return number, offset + 1
    number = 0
    for place in range(offset, offset + 8):
        byte = data[place]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, place + 1
    return number << 8 | data[offset + 8], offset + 9


def _signed(number: int | None) -> int | None:
    return number if number is None or number < 1 << 63 else number - (1 << 64)


def values(payload: bytes) -> tuple[Value, ...]:
    """Read the values of a record.

    Raises
    ------
    ValueError, IndexError
        It is none.
    """
    end = payload[0] if payload[0] < 0x80 else varint(payload, 0)[0]
    fields, size = layout(payload[:end])
    if end + size != len(payload):
        raise ValueError("values that do not fill their payload")
    found: list[Value] = []
    offset = end
    for kind, length in fields:
        stop = offset + length
        data = payload[offset:stop]
        if kind == _INT:
            found.append(int.from_bytes(data, "big", signed=True))
        elif kind == _BLOB:
            found.append(data)
        elif kind == _TEXT:
            found.append(data.decode())
        elif kind == _REAL:
            found.append(float(struct.unpack(">d", data)[0]))
        else:
            found.append(_CONSTANT[kind])
        offset = stop
    return tuple(found)


@lru_cache(1 << 14)
def layout(head: bytes) -> tuple[tuple[tuple[int, int], ...], int]:
    """Read the head of a record: kind and bytes of each value, and the bytes of all.

    Most records of a journal have one of few heads.

    Raises
    ------
    ValueError, IndexError
        It is none.
    """
    end, offset = varint(head, 0)
    fields = []
    while offset < end:
        code, offset = varint(head, offset)
        fields.append(_field(code))
    if offset != end:
        raise ValueError("a head that does not end where it says")
    return tuple(fields), sum(size for _, size in fields)


def _field(code: int) -> tuple[int, int]:
    if code >= 12:
        return (_TEXT if code % 2 else _BLOB), (code - 12) // 2
    if code == 7:
        return _REAL, 8
    if code in _INT_BYTES:
        return _INT, _INT_BYTES[code]
    if code in _CONSTANTS:
        return _CONSTANTS[code], 0
    raise ValueError(f"a value of kind {code}")
