"""Any page of a small journal is lost: it starts, keeps the rest, and tells what went and when."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.journal import DamagedRecord, EventRecord, Journal, Limits, SampleRecord
from plant.samples import Batch
from tests.gateway.journal.evidence import RECORDS, SECOND, TAGS, look, same, spanned, written
from tests.gateway.journal.wreck import PAGE, Damage, broken_off, damaged, scrambled, zeroed

MEMORY = [place for place in ("/dev/shm",) if Path(place).is_dir()]
"""A disk that others keep busy makes each of some hundred starts take a third of a second."""
WAYS = [zeroed, scrambled, broken_off]
TABLES = [
    *("about", "subject", "sqlite_autoindex_subject_1", "tag", "delivery", "record"),
    *("record_by_time", "cursor", "snapshot", "total", "floor", "mark", "untold"),
    *("tag_again", "about_again"),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(dir=next(iter(MEMORY), None)) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def young(folder: Path) -> Path:
    """Of one leaf of records; a reader stands where the number of the source is."""
    return small(folder / "young", YOUNG, cursor=1)


@pytest.fixture(scope="module")
def grown(folder: Path) -> Path:
    """Of 44 pages: several leaves of records under one page, snapshots, pages that are free."""
    return small(folder / "grown", GROWN, cursor=33, room=1500)


@pytest.fixture(scope="module")
def unused(folder: Path) -> Path:
    """As it was made."""
    path = folder / "unused" / "journal.db"
    Journal.open(path).close()
    return path


def record(number: int, n: int) -> SampleRecord | EventRecord:
    """Record `number` at second `number`; every fourth is an event."""
    if number % 4 == 0:
        return EventRecord("note", number * SECOND, {"n": number})
    at = np.full(n, number * SECOND, np.int64)
    value = np.random.default_rng(number).normal(size=n)
    tag = np.arange(n, dtype=np.int32) % 3 + 1
    status = np.zeros(n, np.uint32)
    batch = Batch("line", tag, at, value, status, number, number, number)
    return SampleRecord(batch, np.zeros(n, np.uint8))


YOUNG = [record(number, n=3) for number in range(1, 5)]
GROWN = [record(number, n=60) for number in range(1, 41)]


def small(folder: Path, made: list[SampleRecord | EventRecord], cursor: int, room: int = 1) -> Path:
    """Write a journal; of three snapshots the first goes and leaves its `room` words free."""
    journal = Journal.open(folder / "journal.db")
    journal.register(TAGS, 0)
    journal.append(*made)
    for _ in range(3):
        journal.save_snapshot("fold-1", len(made), {"n": np.arange(room)})
        journal.commit_now()
    journal.advance("a sink", cursor)
    journal.close()
    return folder / "journal.db"


def pages(path: Path) -> int:
    return path.stat().st_size // PAGE


def roots(path: Path) -> dict[str, int]:
    """Give the page, from 0, in which each table begins."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, rootpage FROM sqlite_master").fetchall()
    return {name: root - 1 for name, root in found}


@dataclass
class Left:
    """What a journal gave that had been damaged.

    Attributes
    ----------
    lost
        Numbers of the records that are not there any more.
    strange
        Positions of what was never written.
    silent
        Numbers of those that no reader is told of.
    gaps
        Source, first and last second, and samples of each gap in the ledger.
    aside
        What was kept of the damaged file.
    """

    lost: list[int]
    strange: list[int]
    silent: list[int]
    gaps: list[tuple[str, int, int, int]]
    aside: list[bytes]


def start(path: Path, made: list[SampleRecord | EventRecord]) -> Left:
    """Start with a damaged journal, read it, go on with it, and start again."""
    journal = Journal.open(path, Limits())
    found = dict(journal.read())
    last = journal.committed
    assert journal.append(EventRecord("on", 1, {})) > last
    assert journal.commit_now() > last
    bodies = [event.body for event in journal.news() if event.kind == "gap"]
    journal.close()
    Journal.open(path, Limits()).close()
    numbers = set(range(1, len(made) + 1))
    whole = {number for number in numbers & found.keys() if same(found[number], made[number - 1])}
    damage = [one for one in found.values() if isinstance(one, DamagedRecord)]
    told = {position for one in damage for position in spanned(one)}
    return Left(
        lost=sorted(numbers - whole),
        strange=sorted(found.keys() - whole - told),
        silent=sorted(numbers & set(range(last + 1)) - whole - told),
        gaps=[(b["source"], b["start"] // SECOND, b["stop"] // SECOND, b["lost"]) for b in bodies],
        aside=[part.read_bytes() for part in path.parent.glob("*.damaged-*[0-9]")],
    )


def gap_of(lost: list[int], n: int) -> list[tuple[str, int, int, int]]:
    """Give the gap that tells of lost records, none if there were no samples in them."""
    seconds = [number for number in lost if number % 4]
    return [("line", first, seconds[-1], n * len(seconds)) for first in seconds[:1]]


@pytest.mark.parametrize("way", [zeroed, scrambled])
@pytest.mark.parametrize("table", TABLES)
def test_the_only_leaf_of_a_table(
    young: Path, folder: Path, table: str, way: Callable[[int], Damage]
) -> None:
    left = start(damaged(young, folder / "x", way(roots(young)[table])), YOUNG)
    lost = {"record": [1, 2, 3, 4]}.get(table, [])
    assert (left.lost, left.strange, left.silent) == (lost, [], [])
    assert left.gaps == gap_of(lost, 3)


@pytest.mark.parametrize("way", WAYS)
def test_a_page_of_a_journal_that_was_never_used(
    unused: Path, folder: Path, way: Callable[[int], Damage]
) -> None:
    for page in range(pages(unused)):
        left = start(damaged(unused, folder / "x", way(page)), [])
        assert (left.strange, left.gaps) == ([], []), page


@pytest.mark.parametrize("way", [zeroed, scrambled])
def test_each_page_in_turn(grown: Path, folder: Path, way: Callable[[int], Damage]) -> None:
    for page in range(pages(grown)):
        path = damaged(grown, folder / "x", way(page))
        was = path.read_bytes()
        left = start(path, GROWN)
        assert (left.strange, left.silent) == ([], []), page
        assert len(left.lost) <= 4, page
        assert left.gaps == gap_of(left.lost, 60), page
        assert left.aside in ([was], []), page
        assert left.aside or not left.lost, page


def test_a_file_that_ends_in_each_page(grown: Path, folder: Path) -> None:
    for page in range(pages(grown)):
        path = damaged(grown, folder / "x", broken_off(page))
        was = path.read_bytes()
        left = start(path, GROWN)
        assert (left.strange, left.silent) == ([], []), page
        assert left.aside in ([was], []), page
        assert left.aside or not left.lost, page
        # Where the page is gone that lists the records, nothing knows of them any more.
        assert left.gaps == gap_of(left.lost, 60)[: page > roots(grown)["record_by_time"]], page


def test_the_small_journals_have_what_is_lost_in_turn(young: Path, grown: Path) -> None:
    first, grown_first = young.read_bytes(), grown.read_bytes()
    leaf, interior = 0x0D, 0x05
    assert first[roots(young)["record"] * PAGE] == leaf
    assert grown_first[roots(grown)["record"] * PAGE] == interior
    assert int.from_bytes(grown_first[32:36]) > 0, "free pages"
    assert 40 <= pages(grown) <= 60
    assert roots(young).keys() == set(TABLES)


@settings(max_examples=40, deadline=None)
@given(
    pages=st.dictionaries(st.integers(1, 46), st.sampled_from(WAYS), min_size=1, max_size=6),
)
def test_any_pages_together(
    grown: Path, folder: Path, pages: dict[int, Callable[[int], Damage]]
) -> None:
    """Any but the first, in which it is written whose file it is: see the test of that alone."""

    def change(data: bytearray) -> None:
        for page, way in sorted(pages.items()):
            way(page)(data)

    left = start(damaged(grown, folder / "x", change), GROWN)
    assert (left.strange, left.silent) == ([], [])
    assert sum(lost for *_, lost in left.gaps) <= 60 * len([n for n in left.lost if n % 4])


@pytest.mark.parametrize("length", [100, PAGE, 20 * PAGE + 7])
def test_a_file_of_zeros_is_put_aside(folder: Path, young: Path, length: int) -> None:
    def change(data: bytearray) -> None:
        data[:] = bytes(length)

    left = start(damaged(young, folder / "x", change), [])
    assert left.aside == [bytes(length)]


def test_a_log_beside_an_empty_file_is_not_thrown_away(folder: Path) -> None:
    path = written(folder / "killed.db", killed=True)
    (folder / "x").mkdir(exist_ok=True)
    for part in (folder / "x").iterdir():
        part.unlink()
    shutil.copy(f"{path}-wal", folder / "x" / "journal.db-wal")
    (folder / "x" / "journal.db").touch()
    kept = look(folder / "x" / "journal.db")
    assert (kept.records, kept.strange, kept.untold) == (RECORDS, [], 0)


def test_two_that_are_damaged_within_a_second_are_both_kept(young: Path, folder: Path) -> None:
    path = damaged(young, folder / "x", zeroed(roots(young)["record"]))
    Journal.open(path, Limits()).close()
    first = {part.name: part.read_bytes() for part in path.parent.glob("*.damaged-*")}
    shutil.copy(young, path)
    with path.open("r+b") as file:
        file.seek(roots(young)["about"] * PAGE)
        file.write(bytes(PAGE))
    Journal.open(path, Limits()).close()
    second = {part.name: part.read_bytes() for part in path.parent.glob("*.damaged-*")}
    assert first.items() < second.items()
