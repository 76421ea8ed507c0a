"""Leaves taken apart in columns give what they give cell by cell, whatever was done to them."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.journal import EventRecord, Journal, SampleRecord
from gateway.journal.pages import Cell, Pages, Sheet
from gateway.journal.salvage import RECORD_VALUES
from plant.samples import Batch
from tests.gateway.journal.wreck import PAGE, damaged

SECOND = 10**9


def small(number: int, n: int) -> SampleRecord:
    """Make a record that fits into a page, or just does not."""
    at = np.full(n, number * SECOND, np.int64)
    value = np.random.default_rng(number).normal(size=n)
    tag, status = np.arange(n, dtype=np.int32), np.zeros(n, np.uint32)
    batch = Batch(f"line-{number % 3}", tag, at, value, status, number, number, number)
    return SampleRecord(batch, np.zeros(n, np.uint8))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 records, the last of them in the log; a few are spread over pages."""
    path = tmp_path_factory.mktemp("cells") / "journal.db"
    source = path.with_name("source.db")
    journal = Journal.open(source)
    for number in range(1, 271):
        journal.append(small(number, 1 + number * 7 % 260))
    journal.save_snapshot("watch", 3, {"n": np.arange(500)})
    journal.close()
    journal = Journal.open(source)
    for number in range(30):
        journal.append(EventRecord("note", number, {"n": number}))
    journal.commit_now()
    for end in ("", "-wal"):
        path.with_name(path.name + end).write_bytes(Path(f"{source}{end}").read_bytes())
    journal.close()
    return path


def pages_of(path: Path) -> Pages:
    return Pages(path, path.with_name(path.name + "-wal"))


def one_by_one(sheet: Sheet) -> Iterator[Cell]:
    own = sheet.sifted.records
    for row, begin, end in zip(own.numbers, own.begin, own.end, strict=True):
        key, *numbers = row.tolist()
        yield Cell(key, (None, *numbers, sheet.data[begin:end]))
    yield from (Cell(None, tuple(row)) for row in sheet.sifted.entries.tolist())
    yield from sheet.rest


def held_against_each_other(pages: Pages) -> None:
    """Compare both ways."""
    found = Counter(cell for sheet in pages.sheets() for cell in one_by_one(sheet))
    assert found == Counter(pages.cells())


def test_only_what_is_spread_over_pages_is_read_one_by_one(whole: Path) -> None:
    pages = pages_of(whole)
    held_against_each_other(pages)
    rows = [cell.values for sheet in pages.sheets() for cell in sheet.rest]
    bodies = [row[-1] for row in rows if len(row) == RECORD_VALUES]
    left = [len(body) for body in bodies if isinstance(body, bytes)]
    short = [size for size in left if size < PAGE - 100]
    assert len(left) > len(short) <= 1, "but for the one with which the log ends"
    assert sum(len(sheet.sifted.records.numbers) for sheet in pages.sheets()) > 250
    assert sum(len(sheet.sifted.entries) for sheet in pages.sheets()) > 250


@pytest.mark.parametrize("end", ["", "-wal"])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32))
def test_bytes_that_were_changed(whole: Path, tmp_path: Path, end: str, seed: int) -> None:
    """In the heads of pages and cells most of all, where lengths and offsets stand."""
    chance = random.Random(seed)

    def change(data: bytearray) -> None:
        for _ in range(40):
            page = chance.randrange(len(data) // PAGE) * PAGE
            place = page + chance.choice([chance.randrange(PAGE), chance.randrange(40)])
            data[place] = chance.choice([0, 1, 9, 0x7F, 0x80, 0xFF, chance.randrange(256)])

    held_against_each_other(pages_of(damaged(whole, tmp_path / "x", change, end)))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(count=st.integers(1, 3 * PAGE))
def test_a_file_that_is_cut(whole: Path, tmp_path: Path, count: int) -> None:
    def change(data: bytearray) -> None:
        del data[len(data) - count :]

    held_against_each_other(pages_of(damaged(whole, tmp_path / "x", change)))


def test_no_file_at_all(tmp_path: Path) -> None:
    held_against_each_other(pages_of(tmp_path / "none.db"))
