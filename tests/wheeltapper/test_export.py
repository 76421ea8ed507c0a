"""`export`: windows and raw samples as tables, whole or not at all."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from gateway.gaps import gap_body
from gateway.journal import EventRecord, Journal, SampleRecord, SummaryRecord
from plant.gaps import Gap, GapCause
from plant.samples import Batch, ContextEvent, Recovery
from plant.summaries import MINUTE
from plant.tags import Tag
from wheeltapper.exporting import tables

Command = Callable[..., Any]
SECOND = 10**9
NOON = 1_767_614_400 * SECOND
"""2026-01-05T12:00Z."""
FLOW, RECIPE, LEVEL = "site/a/l/pump/flow", "site/a/l/pump/recipe", "site/a/l/tank/level"
TAGS = [
    Tag(name=FLOW, source="plc", address="flow", unit="l/s"),
    Tag(name=RECIPE, source="plc", address="recipe"),
    Tag(name=LEVEL, source="plc", address="level", unit="m"),
]
SPAN = ("--from", "2026-01-05T12:00Z", "--to", "2026-01-05T12:10Z")


def samples(first: int, recovered: Recovery = Recovery.NONE) -> SampleRecord:
    at = NOON + np.array([first, first, first + 1], np.int64) * SECOND + 123_456_789
    batch = Batch(
        source="plc",
        tag=np.array([1, 3, 1], np.int32),
        at=at,
        value=np.array([0.1, 2.0, np.nan]),
        status=np.array([0, 0x40900000, 0x80050000], np.uint32),
        upto=int(at[-1]),
        received=int(at[-1]),
        heard=1,
        replayed=recovered is not Recovery.NONE,
        recovered=recovered,
        context=(ContextEvent(2, int(at[0]), "Äpfel, \"rot\"\n"),),
    )  # fmt: skip
    return SampleRecord(batch, np.zeros(3, np.uint8))


def windows() -> SummaryRecord:
    two = np.array([1.0, np.nan])
    return SummaryRecord(
        "plc",
        MINUTE,
        np.array([1, 1], np.int32),
        NOON + np.array([0, MINUTE]),
        np.array([60, 4], np.uint32),
        np.array([45, 0], np.uint32),
        *[two * scale for scale in (1, 3, 2, 0.5, 1, 3)],
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    journal = Journal.open(folder / "journal.db")
    handles = journal.register(TAGS, NOON)
    gaps = [
        Gap(id=n, source="plc", start=start, stop=start + SECOND, cause=GapCause.LINK, why="cut")
        for n, start in ((1, NOON - 3600 * SECOND), (2, NOON + 5 * SECOND))
    ]
    journal.append(samples(0), samples(300, Recovery.HISTORY), samples(3600))
    journal.append(*(EventRecord("gap", gap.start, gap_body(gap)) for gap in gaps))
    journal.close()
    with SqliteSink(SqliteConfig(), handles, "gateway", folder) as sink:
        sink.write([windows()])
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(text.decode().splitlines(keepends=True)))


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz"])
def test_windows_are_written_with_units_meanings_and_gaps(
    command: Command, data: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    ended = command("export", out, "--data", data, *SPAN)
    assert (ended.code, ended.err) == (0, "")
    assert "2 rows of 1 tags, 1 gaps" in " ".join(ended.out.split())
    first, second = rows(out)
    assert (first["time"], first["tag"]) == ("2026-01-05T12:00:00.000000000Z", FLOW)
    assert (first["count"], first["good_ratio"]) == ("60", "0.75")
    assert [first[n] for n in ("min", "max", "mean", "std")] == ["1.0", "3.0", "2.0", "0.5"]
    assert (second["count"], second["good_ratio"], second["mean"]) == ("4", "0.0", "")
    about = json.loads(out.with_name(f"{name}.json").read_text())
    assert about["tags"] == {FLOW: {"unit": "l/s"}}
    assert about["columns"].keys() == first.keys()
    assert [gap["cause"] for gap in about["gaps"]] == ["link"]
    assert about["gaps"][0]["from"] == "2026-01-05T12:00:05.000+00:00"


def test_raw_samples_come_whole_in_the_order_of_their_arrival(
    command: Command, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    ended = command("export", out, "--data", data, *SPAN, "--every", "raw")
    assert ended.code == 0
    found = rows(out)
    assert [row["tag"] for row in found] == 2 * [FLOW, LEVEL, FLOW, RECIPE]
    assert [row["quality"] for row in found[:4]] == ["good", "uncertain", "bad", "good"]
    assert [row["value"] for row in found[:4]] == ["0.1", "2.0", "", ""]
    assert found[3]["text"] == 'Äpfel, "rot"\n'
    assert found[2]["status"] == str(0x80050000)
    assert found[0]["time"] == "2026-01-05T12:00:00.123456789Z"
    assert {row["recovered"] for row in found[4:]} == {"history"}


def test_parquet_holds_types_and_what_has_to_be_known(
    command: Command, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    ended = command("export", out, "--data", data, *SPAN, "--every", "raw", "--tags", "*/flow")
    assert ended.code == 0
    assert pyarrow.parquet.read_metadata(out).num_row_groups == 1
    table = pyarrow.parquet.read_table(out)
    assert str(table.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert table.column("tag").unique().to_pylist() == [FLOW]
    assert table.column("value").null_count == 2
    assert table.column("time").cast("int64").to_pylist()[0] == NOON + 123_456_789
    about = json.loads(pyarrow.parquet.read_metadata(out).metadata[tables.METADATA])
    assert about["tags"] == {FLOW: {"unit": "l/s"}}
    assert len(about["gaps"]) == 1


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("out.xls", (), "let the name end with one of .csv, .csv.gz, .parquet"),
        ("missing/out.csv", (), "there is no folder"),
        ("out.csv", ("--every", "5m"), "one of 10s, 1m, 1h or raw"),
        ("out.csv", ("--from", "1h", "--to", "2h"), "--from has to lie before --to"),
        ("out.csv", ("--from", "yesterday"), "write a span as 30m"),
        ("out.csv", ("--tags", "*/speed"), "no tag fits '*/speed'; there are 1, as site/a/l"),
        ("out.csv", ("--data", "elsewhere"), "no history there yet"),
        ("out.csv", ("--data", "elsewhere", "--every", "raw"), "no journal there"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_left(
    command: Command, data: Path, tmp_path: Path, name: str, asked: tuple[str, ...], said: str
) -> None:
    ended = command("export", tmp_path / name, "--data", data, *SPAN, *asked)
    assert ended.code == 2
    assert said in " ".join(ended.err.replace("│", " ").split())
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_file_that_is_there_is_not_written_over_unasked(
    command: Command, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert command("export", out, "--data", data, *SPAN).code == 2
    assert out.read_text() == "mine"
    assert command("export", out, "--data", data, *SPAN, "--overwrite").code == 0
    assert len(rows(out)) == 2


def test_of_an_empty_time_no_file_is_made_and_a_program_is_told(
    command: Command, data: Path, tmp_path: Path
) -> None:
    ended = command("export", tmp_path / "o.csv", "--data", data, "--from", "1h", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["rows"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
