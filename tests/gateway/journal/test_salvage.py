"""A damaged file: it starts, what fits its checksum is kept, the rest is counted, nothing else."""

import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.journal import DamagedRecord, EventRecord, Journal, Limits, SampleRecord, file
from gateway.journal.pages import Pages, values, varint
from plant.errors import Misconfigured
from plant.gaps import GapCause
from plant.tags import Tag
from tests.gateway.journal.evidence import RECORDS, START_S, Kept, look, written
from tests.gateway.journal.wreck import cut, damaged, flipped, zeroed


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("whole") / "journal.db")


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a kill leaves it: half of it in the write-ahead log."""
    return written(tmp_path_factory.mktemp("killed") / "journal.db", killed=True)


def told(kept: Kept) -> None:
    """Hold what is left against what was written."""
    assert kept.strange == [], "something was invented"
    assert kept.seconds < START_S
    assert kept.untold == 0, "what is lost is told"


@pytest.mark.parametrize("page", range(0, 200, 7))
def test_a_page_of_zeros(whole: Path, tmp_path: Path, page: int) -> None:
    kept = look(damaged(whole, tmp_path / "x", zeroed(page)))
    told(kept)
    assert kept.records >= RECORDS - 12


@pytest.mark.parametrize("count", [1, 17, 500, 2048, 2049, 3000, 4095, 4096, 40_000])
def test_a_tail_that_is_cut(whole: Path, tmp_path: Path, count: int) -> None:
    kept = look(damaged(whole, tmp_path / "x", cut(count)))
    told(kept)
    assert kept.records >= RECORDS - 12


@pytest.mark.parametrize("count", [1, 24, 500, 2072, 4096])
def test_a_log_that_is_cut(unfinished: Path, tmp_path: Path, count: int) -> None:
    kept = look(damaged(unfinished, tmp_path / "x", cut(count), "-wal"))
    assert kept.strange == []
    assert kept.seconds < START_S
    assert kept.records >= RECORDS - 4, "no more than the last commit"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_flipped_bit(whole: Path, tmp_path: Path, place: float, bit: int) -> None:
    told(look(damaged(whole, tmp_path / "x", flipped(place, bit))))


@pytest.mark.parametrize(("byte", "bit"), [(18, 0), (18, 7), (19, 3), (47, 0), (47, 7), (44, 1)])
def test_a_bit_of_the_head_that_sqlite_believes(
    whole: Path, tmp_path: Path, byte: int, bit: int
) -> None:
    def change(data: bytearray) -> None:
        data[byte] ^= 1 << bit

    told(look(damaged(whole, tmp_path / "x", change)))


@pytest.mark.parametrize("text", [b"influx", b"a/p/t1", b"a/p/t3", b"line"])
def test_a_text_that_is_none_any_more(whole: Path, tmp_path: Path, text: bytes) -> None:
    def change(data: bytearray) -> None:
        data[data.index(text) + 1] ^= 0x80

    told(look(damaged(whole, tmp_path / "x", change)))


@pytest.mark.parametrize(
    ("place", "bit"),
    [
        (0.619983203504576, 7),  # a blob became a text
        (0.10114039093158, 7),  # a name in the schema is none any more
        (0.10133790563227252, 6),  # a column has another name
        (0.10742066001873274, 6),  # a key is no key any more
    ],
)
def test_a_bit_that_only_thousands_of_tries_found(
    whole: Path, tmp_path: Path, place: float, bit: int
) -> None:
    told(look(damaged(whole, tmp_path / "x", flipped(place, bit))))


def test_what_is_lost_is_a_gap_of_its_source(whole: Path, tmp_path: Path) -> None:
    pages = range(60, 70)

    def change(data: bytearray) -> None:
        for page in pages:
            zeroed(page)(data)

    journal = Journal.open(damaged(whole, tmp_path / "x", change), Limits())
    before = list(journal.read())
    journal.append(EventRecord("note", 1, {}))
    journal.commit_now()
    events = {e.kind: e.body for _, e in journal.read(kinds=[EventRecord]) if "n" not in e.body}
    lost = [entry for _, entry in before if isinstance(entry, DamagedRecord)]
    assert lost
    gap = events["gap"]
    assert (gap["source"], gap["cause"]) == ("line", str(GapCause.DAMAGED))
    assert gap["lost"] == events["damaged"]["lost_samples"] > 0
    assert gap["start"] <= gap["stop"]
    beside = tmp_path / "x" / events["damaged"]["file"]
    assert beside.stat().st_size == whole.stat().st_size, "the damaged one is kept"
    assert [event.kind for event in journal.news()] == ["damaged", "gap"]
    journal.close()


def test_damage_that_is_met_while_running_is_mended(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path / "x", lambda data: None)
    journal = Journal.open(path, Limits())
    last = journal.committed
    data = bytearray(path.read_bytes())
    (root,) = journal._writer.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'record'"
    ).fetchone()
    zeroed(root - 1)(data)
    with path.open("r+b") as file:
        file.write(data)
    found = [entry for _, entry in journal.read() if isinstance(entry, SampleRecord)]
    assert len(found) >= RECORDS - 20
    number = journal.append(EventRecord("note", 1, {"n": 7}))
    journal.commit_now()
    assert number > last
    assert journal.read(after=last)
    journal.close()


def test_names_tags_and_identity_survive_the_loss_of_one_copy(whole: Path, tmp_path: Path) -> None:
    original = Journal.open(damaged(whole, tmp_path / "a", lambda data: None), Limits())
    own = original.gateway_id
    roots = dict(original._writer.execute("SELECT name, rootpage FROM sqlite_master").fetchall())
    original.close()
    for table in ("subject", "tag", "about"):
        path = damaged(whole, tmp_path / "b", zeroed(roots[table] - 1))
        journal = Journal.open(path, Limits())
        tags = [Tag(name=f"a/p/t{number}", source="line", address="") for number in (3, 1, 2)]
        assert [one.handle for one in journal.register(tags, 1)] == [3, 1, 2], table
        assert journal.gateway_id == own, table
        journal.close()
        told(look(path))


def test_a_tag_that_was_changed_comes_from_its_other_copy(whole: Path, tmp_path: Path) -> None:
    def change(data: bytearray) -> None:
        place = data.find(b"a/p/t3")
        data[place + 4] = ord("u")

    journal = Journal.open(damaged(whole, tmp_path / "x", change), Limits())
    tags = [Tag(name=name, source="line", address="") for name in ("a/p/u3", "a/p/t3")]
    assert [one.handle for one in journal.register(tags, 1)] == [4, 3]
    assert [event.kind for event in journal.news()] == []
    journal.append(EventRecord("note", 1, {}))
    journal.commit_now()
    assert [event.kind for event in journal.news()] == ["damaged"]
    journal.close()


@pytest.mark.parametrize(("table", "cursor"), [("cursor", 0), ("floor", 33)])
def test_a_place_that_was_changed_is_not_believed(
    whole: Path, tmp_path: Path, table: str, cursor: int
) -> None:
    path = damaged(whole, tmp_path / "x", lambda data: None)
    connection = sqlite3.connect(path)
    connection.execute("INSERT OR IGNORE INTO floor VALUES (1, 2, 0)")
    connection.execute(f"UPDATE {table} SET position = position + 4")
    file.seal(connection, *({"cursor", "floor"} - {table}))
    connection.commit()
    connection.close()
    journal = Journal.open(path, Limits())
    assert journal.cursor("influx") == cursor
    assert journal.floor == {"cursor": 2, "floor": 0}[table]
    journal.close()


def test_snapshots_and_cursors_are_taken_over(whole: Path, tmp_path: Path) -> None:
    journal = Journal.open(damaged(whole, tmp_path / "x", zeroed(60)), Limits())
    assert journal.cursor("influx") == 33
    position, arrays = journal.load_snapshot("fold-1") or (0, {})
    assert (position, arrays["n"].tolist()) == (40, [40])
    journal.close()


def test_a_salvage_that_was_broken_off_is_done_again(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path / "x", zeroed(60))
    path.with_name(path.name + ".salvaging").write_bytes(b"half a file")
    told(look(path))


def test_the_last_step_of_a_salvage_is_taken_up(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path / "x", zeroed(60))
    Journal.open(path, Limits()).close()
    path.rename(path.with_name(path.name + ".salvaged"))
    path.write_bytes(b"what was damaged")
    path.with_name(path.name + "-wal").write_bytes(b"and its log")
    told(look(path))


def test_what_holds_nothing_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(np.random.default_rng(0).bytes(50_000))
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match="not a database"):
        Journal.open(path, Limits())
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.damaged-*"))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
@example(data=b"\x02\x07")
def test_no_payload_breaks_the_parser(data: bytes) -> None:
    try:
        found = values(data)
    except (ValueError, IndexError, OverflowError):
        found = ()
    assert isinstance(found, tuple)


@settings(max_examples=100, deadline=None)
@given(number=st.integers(0, 2**64 - 1))
def test_numbers_of_any_length(number: int) -> None:
    connection = sqlite3.connect(":memory:")
    assert varint(_varint(number), 0)[0] == number
    connection.close()


def _varint(number: int) -> bytes:
    if number >= 1 << 56:
        high = [(number >> shift) & 0x7F | 0x80 for shift in range(57, 7, -7)]
        return bytes([*high, number & 0xFF])
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))


def test_the_pages_give_what_sqlite_gives(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size = 2048")
    connection.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, a, b, c)")
    random = np.random.default_rng(1)
    rows = [
        (n, int(random.integers(-(2**62), 2**62)) >> n % 60, random.bytes(37 * n), f"ä{n}" * n)
        for n in range(1, 120)
    ]
    connection.executemany("INSERT INTO thing VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    cells = Pages(path, tmp_path / "none").cells()
    found = {cell.key: cell.values for cell in cells if len(cell.values) == 4}
    assert found == {n: (None, *rest) for n, *rest in rows}


def test_the_time_to_start_is_that_of_a_salvage(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path / "x", zeroed(60))
    begun = time.process_time()
    Journal.open(path, Limits()).close()
    assert time.process_time() - begun < START_S
