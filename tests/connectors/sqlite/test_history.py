"""What an embedded history does beyond its contract: it folds, forgets, and survives."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.checks.sinks import TAGS
from connectors.checks.windows import START, Row, kept, rows_of, told
from connectors.sqlite import file
from connectors.sqlite.config import DAY_NS, SqliteConfig
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.sink import SqliteSink
from plant.errors import Misconfigured, Unreachable
from plant.summaries import MINUTE, TEN_SECONDS
from plant.tags import Tag, TagHandle

Make = Callable[[Sequence[TagHandle]], SqliteSink]
Open = Callable[[], SqliteHistory]
NAMES = [handle.tag.name for handle in TAGS]
NUMBERED = {handle.handle: handle.tag.name for handle in TAGS}
MANY = tuple(
    TagHandle(n, Tag(name=f"a/b/c/d/t{n}", source="s", address=str(n))) for n in range(150)
)


def rows_in(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(count)


def read(history: Open, names: Sequence[str] = NAMES, every: int = MINUTE) -> dict[object, Row]:
    with history() as opened:
        return {**kept(opened, names, 0, 2**62, every)}


def test_windows_are_folded_and_stay_the_same(make: Make, history: Open, tmp_path: Path) -> None:
    names = {one.handle: one.tag.name for one in MANY}
    records = [told(MANY, [START + n * MINUTE], seed=n) for n in range(400)]
    expected = {key: row for record in records for key, row in rows_of(record, names).items()}
    with make(MANY) as sink:
        for begin in range(0, 400, 50):
            sink.write(records[begin : begin + 50])

    assert rows_in(tmp_path / "history.db", "block") >= 3 * len(MANY)
    assert rows_in(tmp_path / "history.db", "fresh") <= 3 * 150
    assert read(history, [*names.values()]) == expected


scripts = st.lists(
    st.tuples(st.lists(st.integers(0, 700), min_size=1, max_size=80), st.integers(1, 3)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(scripts)
def test_any_order_of_windows_reads_as_said_last(
    tmp_path_factory: pytest.TempPathFactory, scripts: list[tuple[list[int], int]]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    expected = {}
    with SqliteSink(SqliteConfig(), TAGS, "gateway", folder) as sink:
        for seed, (minutes, tags) in enumerate(scripts):
            record = told(TAGS[:tags], [START + m * MINUTE for m in minutes], seed=seed)
            expected |= rows_of(record, NUMBERED)
            sink.write([record])

    assert read(lambda: SqliteHistory(folder / "history.db")) == expected


def test_a_unit_that_was_mended_is_the_one_that_is_told(make: Make, history: Open) -> None:
    tag = Tag(name=NAMES[0], source="line", address="flow", unit="l/min")
    for handles in (TAGS, [TagHandle(3, tag)]):
        with make(handles) as sink:
            sink.write([told(handles, [START])])
    with history() as opened:
        assert opened.tags()[NAMES[0]] == "l/min"


def test_handles_of_another_journal_are_told_apart_by_name(make: Make, history: Open) -> None:
    with make(TAGS) as sink:
        sink.write([told(TAGS, [START])])
    turned = [TagHandle(one.handle, other.tag) for one, other in zip(TAGS, TAGS[::-1], strict=True)]
    again = told(turned, [START + MINUTE])
    with make(turned) as sink:
        sink.write([again])

    expected = rows_of(told(TAGS, [START]), NUMBERED)
    expected |= rows_of(again, {one.handle: one.tag.name for one in turned})
    assert read(history) == expected


def aged(folder: Path, wall: int) -> SqliteSink:
    return SqliteSink(SqliteConfig(days_10s=2), TAGS, "gateway", folder, clock=lambda: wall)


@pytest.mark.parametrize(
    ("wall", "newest", "left"),
    [(10, 10, 0), (10, 1, 1), (1, 10, 1)],
    ids=["both clocks", "a machine set ahead", "a source set ahead"],
)
def test_what_is_older_than_it_is_kept_is_forgotten_by_both_clocks(
    tmp_path: Path, history: Open, wall: int, newest: int, left: int
) -> None:
    old = START // DAY_NS * DAY_NS
    with aged(tmp_path, START) as sink:
        sink.write([told(TAGS, [old], TEN_SECONDS)])
    with aged(tmp_path, START + wall * DAY_NS) as sink:
        sink.write([told(TAGS, [old + newest * DAY_NS], TEN_SECONDS)])
    found = read(history, every=TEN_SECONDS)

    assert sum(at == old for _, at in found) == left * len(TAGS)  # type: ignore[misc]
    assert sum(at != old for _, at in found) == len(TAGS)  # type: ignore[misc]


def test_another_process_reads_while_it_is_written(make: Make, tmp_path: Path) -> None:
    reader = (
        "import sys; from connectors.sqlite.history import SqliteHistory\n"
        "with SqliteHistory(sys.argv[1]) as h:\n"
        "    for line in sys.stdin:\n"
        "        n = sum(map(len, h.read([sys.argv[2]], 0, 2**62, 60 * 10**9)))\n"
        "        print(n, flush=True)\n"
    )
    with make(TAGS) as sink:
        sink.write([told(TAGS, [START])])
        command = [sys.executable, "-c", reader, str(tmp_path / "history.db"), NAMES[0]]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
            counts = []
            for number in range(1, 400, 40):
                starts = [START + n * MINUTE for n in range(number, number + 40)]
                sink.write([told(TAGS, starts)])
                process.stdin.write("\n")
                process.stdin.flush()
                counts.append(int(process.stdout.readline()))
            process.stdin.close()

    assert counts == list(range(41, 402, 40))


@pytest.mark.parametrize("table", ["fresh", "block"])
def test_damage_is_counted_and_costs_only_what_it_hit(
    make: Make, history: Open, tmp_path: Path, table: str
) -> None:
    with make(TAGS) as sink:
        sink.write([told(TAGS, [START + number * MINUTE]) for number in range(400)])
    connection = sqlite3.connect(tmp_path / "history.db")
    connection.execute(
        f"UPDATE {table} SET body = zeroblob(50) WHERE rowid = (SELECT max(rowid) FROM {table})"
    )
    connection.commit()
    connection.close()
    with history() as opened:
        found = kept(opened, NAMES, 0, 2**62)

        assert opened.damaged >= 1
        assert 3 * 400 - 120 <= len(found) < 3 * 400
    with make(TAGS) as sink:
        sink.write([told(TAGS, [START + number * MINUTE]) for number in range(400)])
    assert len(read(history)) == 3 * 400
    assert rows_in(tmp_path / "history.db", "damaged") == 1


def test_a_full_disk_says_so(make: Make) -> None:
    with make(TAGS) as sink:
        connection = sink._connection
        assert connection is not None
        connection.execute("PRAGMA max_page_count = 12")
        with pytest.raises(Unreachable, match="the disk is full; free some space, nothing is lost"):
            sink.write([told(TAGS, [START + n * MINUTE for n in range(2000)])])
        connection.execute("PRAGMA max_page_count = 100000")
        assert sink.write([told(TAGS, [START])]) == []


def test_a_second_writer_is_waited_for_and_then_told(make: Make, tmp_path: Path) -> None:
    with make(TAGS) as sink:
        other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable, match="locked"):
            sink.write([told(TAGS, [START])])
        other.execute("ROLLBACK")
        other.close()
        assert sink.write([told(TAGS, [START])]) == []


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE anything (x)")
    connection.close()


def newer(path: Path) -> None:
    with SqliteSink(SqliteConfig(file=path), TAGS, "gateway", path.parent):
        pass
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {file.VERSION + 1}")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (foreign, "not a history: name another file"),
        (newer, "has format 2, this release knows format 1"),
        (lambda path: path.write_text("no database at all " * 99), "move it away"),
    ],
)
def test_what_is_no_history_is_left_alone(
    spoil: Callable[[Path], object], says: str, tmp_path: Path, make: Make, history: Open
) -> None:
    path = tmp_path / "history.db"
    spoil(path)
    before = path.read_bytes()
    for opened in (make(TAGS), history()):
        with pytest.raises(Misconfigured, match=says):
            opened.__enter__()  # type: ignore[attr-defined]

    assert path.read_bytes() == before


def test_an_empty_file_is_no_history_yet(tmp_path: Path, history: Open) -> None:
    (tmp_path / "history.db").touch()

    with pytest.raises(Unreachable, match="nothing is kept in it yet"), history():
        pass


def test_a_relative_file_lies_in_the_data_folder(tmp_path: Path) -> None:
    config = SqliteConfig(file=Path("deep/er.db"))
    with SqliteSink(config, TAGS, "gateway", tmp_path) as sink:
        sink.write([told(TAGS, [START])])

    assert (tmp_path / "deep" / "er.db").exists()


@pytest.mark.parametrize("wrong", [{"days_1h": 0}, {"days_10s": float("inf")}, {"day": 3}])
def test_configuration_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SqliteConfig.model_validate({"type": "sqlite", **wrong})


def test_a_piece_is_small_however_much_is_asked(make: Make, history: Open) -> None:
    starts = [START + n * TEN_SECONDS for n in range(20_000)]
    with make(TAGS) as sink:
        sink.write([told(TAGS[:1], starts, TEN_SECONDS)])
        sink.write([told(TAGS[:1], starts, TEN_SECONDS, seed=1)])
    with history() as opened:
        sizes = [len(piece) for piece in opened.read(NAMES, 0, 2**62, TEN_SECONDS)]

    assert sum(sizes) == 20_000
    assert max(sizes) <= 64 * 120
    assert np.all(np.array(sizes) > 0)
