"""A file becomes rows, labels and tags, or a message that names file, row and column."""

import gzip
import re
import time
from pathlib import Path

import numpy as np
import pytest

from connectors.replay.recording import read_recording
from plant.errors import Misconfigured
from plant.tags import TAG_NAME

CASES = Path(__file__).parents[2] / "cases" / "recordings"
GOOD = sorted(path.parent for path in CASES.glob("*/expected.txt"))
BAD = sorted(path.parent for path in CASES.glob("*/error.txt"))


def _told(folder: Path) -> str:
    """Everything that is read, one row a line."""
    recording = read_recording(folder / "recording.csv", ("anomaly",), late_rows="drop")
    head = [tag.name for tag in recording.tags] + list(recording.labels)
    table = np.column_stack([recording.values, *recording.labels.values()])
    rows = [f"{at} {row.tolist()}" for at, row in zip(recording.at, table, strict=True)]
    return "\n".join([*head, *rows, *recording.notes])


@pytest.mark.parametrize("folder", GOOD, ids=lambda folder: folder.name)
def test_a_good_file_is_read(folder: Path) -> None:
    assert _told(folder) == (folder / "expected.txt").read_text().rstrip("\n")


@pytest.mark.parametrize("folder", BAD, ids=lambda folder: folder.name)
def test_a_bad_file_is_refused_with_its_place_and_mend(folder: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_recording(folder / "recording.csv", ("anomaly",))
    told = str(caught.value).replace(f"{folder}/", "")
    assert told == (folder / "error.txt").read_text().rstrip("\n")


def test_there_are_cases_of_both_kinds() -> None:
    assert len(GOOD) >= 3
    assert len(BAD) >= 10


ROWS = "time,flow\n2020-01-01 00:00:00,1\n2020-01-01 00:00:01,2\n"


def test_gzip_is_told_by_its_content(tmp_path: Path) -> None:
    zipped = tmp_path / "pump.csv"
    zipped.write_bytes(gzip.compress(ROWS.encode()))
    recording = read_recording(zipped)
    assert recording.values.tolist() == [[1.0], [2.0]]
    assert recording.asset == "recording/file/pump"


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_a_torn_gzip_is_refused(tmp_path: Path, kept: float) -> None:
    torn = tmp_path / "pump.csv.gz"
    rows = "".join(f"{i},{i * i}\n" for i in range(9000))
    zipped = gzip.compress(f"time,flow\n{rows}".encode(), mtime=0)
    torn.write_bytes(zipped[: int(kept * len(zipped))])
    with pytest.raises(Misconfigured, match="damaged gzip file"):
        read_recording(torn)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"pump\.csv cannot be read: No such file"):
        read_recording(tmp_path / "pump.csv")


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pump.csv"
    file.write_bytes("time,Öl\n0,1\n".encode("cp1252"))
    with pytest.raises(Misconfigured, match="save it as CSV UTF-8"):
        read_recording(file)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    file = tmp_path / "pump.csv"
    file.write_text(ROWS, encoding="utf-8-sig")
    assert len(read_recording(file)) == 2


def test_labels_are_never_signals(tmp_path: Path) -> None:
    file = tmp_path / "pump.csv"
    file.write_text("time,flow,anomaly\n0,1,0\n1,2,1\n")
    recording = read_recording(file, ["anomaly"])
    assert [tag.address for tag in recording.tags] == ["flow"]
    assert recording.labels["anomaly"].tolist() == [0, 1]


def test_any_file_name_makes_legal_tag_names(tmp_path: Path) -> None:
    file = tmp_path / ("Prüfstand (2) " + "x" * 100 + ".csv.gz")
    file.write_text(f"time,Drehzahl [1/min],{'y' * 90}\n0,1,2\n")
    names = [tag.name for tag in read_recording(file).tags]
    assert all(TAG_NAME.match(name) for name in names)
    assert names[0].endswith("/Drehzahl_1_min")


def test_a_long_recording_is_read_in_order_and_in_time(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    rows = "".join(f"{i},{','.join(str(i + k / 8) for k in range(8))}\n" for i in range(10_000))
    file.write_text(f"time,{','.join('abcdefgh')}\n{rows}")
    begun = time.process_time()
    recording = read_recording(file)
    assert time.process_time() - begun < 3.0
    expected = np.arange(10_000)[:, None] + np.arange(8) / 8
    assert np.array_equal(recording.values, expected)
    assert np.array_equal(recording.at, np.arange(10_000) * 10**9)


def test_late_rows_far_apart_are_still_late(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    rows = "".join(f"{i},{i}\n" for i in range(5000))
    file.write_text(f"time,flow\n{rows}4000,7\n5000,8\n")
    with pytest.raises(Misconfigured, match=re.escape("row 5002, column 'time': '4000' lies")):
        read_recording(file)
    assert read_recording(file, late_rows="drop").values[-2:].tolist() == [[4999.0], [8.0]]


def test_its_feed_shows_a_row_a_second(tmp_path: Path) -> None:
    file = tmp_path / "pump 1.csv"
    file.write_text("time,flow,level\n0,1,10\n300,,20\n600,3,30\n")
    feed = read_recording(file).as_feed(start=10**18)
    assert (feed.start, feed.period, len(feed)) == (10**18, 10**9, 3)
    assert [(tag.source, tag.address) for tag in feed.tags] == [
        ("line-opcua", "nsu=urn:wheeltapper:recording;pump_1/flow"),
        ("line-opcua", "nsu=urn:wheeltapper:recording;pump_1/level"),
    ]
    assert np.array_equal(feed.values(1, 9), [[np.nan, 20], [3, 30]], equal_nan=True)
    assert feed.values(3, 1).shape == (0, 2)


def test_labelled_stretches_are_named_by_their_first_and_last_row(tmp_path: Path) -> None:
    file = tmp_path / "pump.csv"
    marks = [1, 0, 1, 1, 0, 0, 1]
    rows = [f"2020-01-01 00:00:0{i},1.0,{mark}" for i, mark in enumerate(marks)]
    file.write_text("\n".join(["time,flow,anomaly", *rows]))
    recording = read_recording(file, ["anomaly"])
    assert recording.spans() == [("anomaly", 0, 0), ("anomaly", 2, 3), ("anomaly", 6, 6)]
    assert [tag.signal for tag in recording.tags] == ["flow"]
