"""What a configuration takes of the disk is said, and held against what a history really takes."""

import os
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.sqlite.config import WINDOW_BYTES, SqliteConfig
from connectors.sqlite.sink import SqliteSink
from gateway import footprint as module
from gateway.config.plan import JournalPlan, Plan
from gateway.footprint import footprint
from plant.records import SummaryRecord
from plant.summaries import MINUTE
from plant.tags import Role, Tag, TagHandle, ValueType

GB = 10**9
START = 1_700_000_000 * 10**9 // MINUTE * MINUTE
Usage = namedtuple("Usage", "total used free")


def plan(folder: Path, tags: int, *sinks: Any, **journal: float) -> Plan:
    known = [Tag(name=f"a/b/t{n}", source="plc", address="") for n in range(tags)]
    text = Tag(name="a/b/recipe", source="plc", address="", type=ValueType.TEXT, role=Role.CONTEXT)
    return Plan(
        name="t",
        data=folder / "data",
        tags=(*known, text),
        sinks=sinks,
        journal=JournalPlan(**journal),
    )


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_to(count: int) -> None:
        usage = Usage(count, 0, count)
        monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)

    return set_to


def test_the_defaults_fit_a_box_of_32_gb(tmp_path: Path, free: Callable[[int], None]) -> None:
    free(27 * GB)
    (disk,) = footprint(plan(tmp_path, 500, SqliteConfig()))
    assert disk.words == (
        "journal up to 20 GB, history of 500 tags (10 s for 7 days, 1 min for 92 days, "
        "1 h for 5 years) up to 4.3 GB; 0 MB now, 27 GB free"
    )
    assert (disk.short, disk.mend) == (0, "")


def test_what_does_not_fit_is_told_with_a_mend(tmp_path: Path, free: Callable[[int], None]) -> None:
    free(14 * GB)
    (disk,) = footprint(plan(tmp_path, 500, SqliteConfig(days_1m=30), max_gb=12.5))
    assert disk.short == 500 * SqliteConfig(days_1m=30).bytes_a_tag + 12.5 * GB - 14 * GB
    assert disk.mend.startswith("1.2 GB will be missing: lower max_gb of [journal], keep fewer")


def test_what_is_there_already_needs_no_room(tmp_path: Path, free: Callable[[int], None]) -> None:
    free(100)
    wanted = plan(tmp_path, 0, max_gb=0.000_002)
    (wanted.data).mkdir()
    (wanted.data / "journal.db").write_bytes(bytes(1_500))
    (wanted.data / "journal.db.reserve").write_bytes(bytes(300))
    (disk,) = footprint(wanted)
    assert disk.short == 100
    (wanted.data / "journal.db-wal").write_bytes(bytes(400))
    assert footprint(wanted)[0].short == 0


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system")
def test_a_history_on_another_disk_is_reckoned_there(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm") / f"wheeltapper-{os.getpid()}.db"
    disks = footprint(plan(tmp_path, 10, SqliteConfig(file=elsewhere)))
    assert [[one.path for one in disk.kept] for disk in disks] == [
        [tmp_path / "data" / "journal.db"],
        [elsewhere],
    ]


def test_a_history_takes_what_is_said_of_a_window(tmp_path: Path) -> None:
    tags, together, blocks = 64, 120, 6
    handles = [TagHandle(n, Tag(name=f"a/b/{n}", source="", address="")) for n in range(tags)]
    rng = np.random.default_rng(1)
    n = tags * together
    tag = np.tile(np.arange(tags, dtype=np.int32), together)
    number = np.full(n, 60, np.uint32)
    with SqliteSink(SqliteConfig(), handles, "g", tmp_path) as sink:
        for block in range(blocks):
            values = np.float32(50 + rng.normal(0, 2, (4, n))).astype(np.float64)
            low, high = values.min(axis=0), values.max(axis=0)
            columns = low, high, values.mean(axis=0), values.std(axis=0), values[0], values[1]
            place = block * together + np.repeat(np.arange(together), tags)
            sink.write([SummaryRecord("plc", MINUTE, tag, START + place * MINUTE, number, number,
                                      *columns)])  # fmt: skip
    found = (tmp_path / "history.db").stat().st_size / (n * blocks)
    assert found == pytest.approx(WINDOW_BYTES, rel=0.15)
