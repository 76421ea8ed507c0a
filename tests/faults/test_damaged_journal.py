"""The journal itself is damaged: in its tail, its pages and its bits; `FULL=1` tries every byte."""

import os
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.faults.rows import Row
from tests.gateway.journal.evidence import RECORDS, START_S, Kept, look, written
from tests.gateway.journal.wreck import Damage, cut, damaged, flipped, zeroed

FULL = os.environ.get("FULL") == "1"
TAIL = 4096
STEP = 1 if FULL else 32
FLIPS = 4096 if FULL else 192


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("whole") / "journal.db")


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a kill leaves it, with a write-ahead log."""
    return written(tmp_path_factory.mktemp("killed") / "journal.db", killed=True)


def tried(original: Path, folder: Path, damages: Iterable[Damage], end: str = "") -> list[Kept]:
    return [look(damaged(original, folder / "x", damage, end)) for damage in damages]


def told(row: Row, kept: list[Kept]) -> None:
    """Put the worst of all down, and hold it against what must be."""
    row.measured(
        damages=len(kept),
        slowest_start=f"{max(one.seconds for one in kept):.2f} s",
        fewest_kept=f"{min(one.records for one in kept)} of {RECORDS}",
        invented=sum(len(one.strange) for one in kept),
        untold=sum(one.untold for one in kept),
    )
    assert row.figures["invented"] == "0"
    assert row.figures["untold"] == "0"
    assert max(one.seconds for one in kept) < START_S


BAR = "starts in < 2 s; what fits its checksum is kept, the rest counted; 0 invented"


@pytest.mark.pain("P19", "the tail of the journal cut off, at every byte of 4 kB", "SQLite", BAR)
def test_p19_a_tail_that_is_cut(whole: Path, tmp_path: Path, row: Row) -> None:
    told(row, tried(whole, tmp_path, map(cut, range(1, TAIL + 1, STEP))))


@pytest.mark.pain("P19", "the tail of its log cut off, at every byte of 4 kB", "SQLite", BAR)
def test_p19_a_log_that_is_cut(unfinished: Path, tmp_path: Path, row: Row) -> None:
    kept = tried(unfinished, tmp_path, map(cut, range(1, TAIL + 1, STEP)), "-wal")
    told(row, kept)
    assert min(one.records for one in kept) >= RECORDS - 8, "at most the last two commits"


@pytest.mark.pain("P19", "one page of the journal zeroed, each in turn", "SQLite", BAR)
def test_p19_a_page_of_zeros(whole: Path, tmp_path: Path, row: Row) -> None:
    pages = range(whole.stat().st_size // 2048)
    told(row, tried(whole, tmp_path, map(zeroed, pages)))


@pytest.mark.pain("P19", "one bit of the journal flipped, anywhere", "SQLite", BAR)
def test_p19_a_flipped_bit(whole: Path, tmp_path: Path, row: Row) -> None:
    places = random.Random(19)
    flips = [flipped(places.random(), places.randrange(8)) for _ in range(FLIPS)]
    told(row, tried(whole, tmp_path, flips))
