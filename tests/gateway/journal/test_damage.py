"""A torn or flipped file: what cannot be read is reported with its position, the rest goes on."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gateway.journal import DamagedRecord, Entry, EventRecord, Journal, Limits, SampleRecord
from plant.errors import Misconfigured, Rejected

Samples = Callable[..., SampleRecord]


@pytest.fixture
def written(path: Path, samples: Samples) -> Path:
    """Six records: five of samples, one event at position 4."""
    journal = Journal.open(path)
    for number in (1, 2, 3):
        journal.append(samples(number, n=300))
    journal.append(EventRecord("alarm", 5, {"asset": "pump-2"}))
    for number in (5, 6):
        journal.append(samples(number, n=300))
    for number in (1, 2):
        journal.save_snapshot("watch", number, {"n": np.array(number)})
    journal.close()
    return path


def _tamper(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def _entries(path: Path) -> dict[int, Entry]:
    journal = Journal.open(path, Limits())
    entries = dict(journal.read())
    journal.close()
    return entries


def _flip(path: Path, table: str, column: str, where: str, bit: int) -> None:
    connection = sqlite3.connect(path)
    (body,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    connection.close()
    changed = bytearray(body)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    _tamper(path, f"UPDATE {table} SET {column} = ? WHERE {where}", bytes(changed))


@pytest.mark.parametrize("bit", [0, 77, 300, 4001, 9001, 15_003])
def test_a_flipped_bit_damages_one_record_only(written: Path, bit: int) -> None:
    _flip(written, "record", "body", "position = 3", bit)
    entries = _entries(written)
    assert entries[3] == DamagedRecord(
        3, "the checksum does not fit: the file was damaged after it was written"
    )
    intact = [entries[p].batch.received for p in (1, 2, 5, 6)]
    assert intact == [1, 2, 5, 6]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("body = zeroblob(0)", "checksum"),
        ("body = substr(body, 1, 40)", "checksum"),
        ("body = (SELECT body FROM record WHERE position = 1)", "checksum"),
        ("last_at = last_at + 1", "checksum"),
        ("kind = 2", "missing"),
        ("subject = 99", "no name"),
    ],
)
def test_a_changed_row_is_found(written: Path, change: str, reason: str) -> None:
    _tamper(written, f"UPDATE record SET {change} WHERE position = 3")
    damaged = _entries(written)[3]
    assert isinstance(damaged, DamagedRecord)
    assert reason in damaged.reason


def test_a_changed_name_is_found(written: Path) -> None:
    _tamper(written, "UPDATE subject SET name = 'lime' WHERE name = 'line'")
    entries = _entries(written)
    assert [p for p, e in entries.items() if isinstance(e, DamagedRecord)] == [1, 2, 3, 5, 6]


def test_missing_records_are_told(written: Path) -> None:
    _tamper(written, "DELETE FROM record WHERE position IN (2, 3)")
    entries = _entries(written)
    assert entries[2] == DamagedRecord(2, "positions 2 to 3 are missing")
    assert list(entries) == [1, 2, 4, 5, 6]


def test_records_lost_while_open_are_told(written: Path) -> None:
    journal = Journal.open(written)
    _tamper(written, "DELETE FROM record WHERE position > 4")
    entries = dict(journal.read())
    journal.close()
    assert entries[6] == DamagedRecord(6, "positions 5 to 6 are missing")


def test_an_unknown_kind_shows_up_among_any(written: Path) -> None:
    journal = Journal.open(written)
    _tamper(written, "UPDATE record SET kind = 77 WHERE position = 2")
    entries = dict(journal.read(kinds=[EventRecord]))
    journal.close()
    assert isinstance(entries[2], DamagedRecord)
    assert isinstance(entries[4], EventRecord)


def test_a_curve_counts_what_it_could_not_read(written: Path) -> None:
    _flip(written, "record", "body", "position = 3", 999)
    journal = Journal.open(written)
    trend = journal.trend(1, 0, 10 * 10**9, 10)
    journal.close()
    assert trend.damaged == 1
    assert trend.low.tolist() == [1.01, 2.01, 5.01, 6.01]


def test_a_damaged_snapshot_falls_back_to_the_one_before(written: Path) -> None:
    _flip(written, "snapshot", "body", "position = 2", 200)
    journal = Journal.open(written)
    position, arrays = journal.load_snapshot("watch")
    journal.close()
    assert (position, int(arrays["n"])) == (1, 1)


def test_only_damaged_snapshots_are_an_error_not_a_fresh_start(written: Path) -> None:
    _flip(written, "snapshot", "body", "position = 1", 200)
    _flip(written, "snapshot", "body", "position = 2", 200)
    journal = Journal.open(written)
    with pytest.raises(Rejected, match="snapshot watch"):
        journal.load_snapshot("watch")
    journal.close()


def test_who_only_looks_changes_nothing(written: Path) -> None:
    _tamper(written, "DELETE FROM record WHERE position = 3")
    before = sorted(written.parent.iterdir()), written.read_bytes()
    with pytest.raises(Misconfigured, match="a gateway that starts with it keeps what can"):
        Journal.open(written)
    assert (sorted(written.parent.iterdir()), written.read_bytes()) == before
