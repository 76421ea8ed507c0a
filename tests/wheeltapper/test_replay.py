"""`replay`: whole recordings, and files that cannot be used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.journal import Journal, SampleRecord

ROWS, ONSET = 900, 700

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three signals that follow one load; from `ONSET` on the second leaves it."""
    random = np.random.default_rng(5)
    load = np.convolve(random.normal(size=ROWS + 29), np.ones(30) / 30, "valid")
    noise = random.normal(scale=0.05, size=(ROWS, 3))
    signals = 10 + load[:, None] * [3.0, 4.0, -2.0] + noise
    signals[ONSET:, 1] += 4.0
    lines = ["time,flow,vibration,pressure,faulty"]
    for row, values in enumerate(signals):
        cells = ",".join(f"{value:.4f}" for value in values)
        lines.append(f"2024-03-01T10:{row // 60:02}:{row % 60:02}Z,{cells},{int(row >= ONSET)}")
    path = tmp_path_factory.mktemp("recording") / "pump.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_fault_in_a_recording_is_named(command: Command, recording: Path) -> None:
    ended = command("replay", recording, "--labels", "faulty", "--json")
    first, *_, last = map(json.loads, ended.out.splitlines())
    assert ended.code == 0
    assert first["asset"] == "recording/file/pump"
    assert first["contributions"][0]["signal"] == "vibration"
    assert first["raised"] / 1000 >= 1709287200 + ONSET
    assert (last["stage"], last["rows"], last["alarms"]) == ("done", ROWS, 1)
    assert ROWS / 2 < last["judged"] < ROWS


def test_replay_twice_gives_the_same_alarms(command: Command, recording: Path) -> None:
    once = command("replay", recording, "--labels", "faulty", "--json").out
    assert command("replay", recording, "--labels", "faulty", "--json").out == once


def test_table_for_people(command: Command, recording: Path) -> None:
    said = command("replay", recording, "--labels", "faulty").out
    assert "1 alarm" in said
    assert "vibration" in said


def test_journal_is_kept_where_it_was_asked_for(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    command("replay", recording, "--labels", "faulty", "--data", tmp_path / "kept")
    journal = Journal.open(tmp_path / "kept" / "journal.db")
    records = [entry for _, entry in journal.read(kinds=(SampleRecord,))]
    journal.close()
    assert sum(len(entry.batch) for entry in records) == 3 * ROWS


def test_learning_longer_than_the_recording_judges_nothing(
    command: Command, recording: Path
) -> None:
    ended = command("replay", recording, "--labels", "faulty", "--learn", 5000)
    assert ended.out == f"{ROWS} rows, 0 judged, no alarms\n"


def test_folder_that_is_there_already(command: Command, recording: Path, tmp_path: Path) -> None:
    ended = command("replay", recording, "--data", tmp_path)
    assert (ended.code, ended.err) == (
        2,
        f"{tmp_path}: is there already; a replay begins in a new folder\n",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("when,flow\n2024-03-01,1\n", ["row 1", "'time'"]),
        ("time,flow\n2024-03-01T00:00:00Z,1\n2024-03-01T00:00:01Z,fast\n", ["row 3", "'flow'"]),
        ("time,flow\n2024-03-01T00:00:01Z,1\n2024-03-01T00:00:00Z,1\n", ["row 3", "'time'"]),
        ("", ["recording"]),
    ],
)
@pytest.mark.parametrize("arguments", [["replay"], ["demo", "--recording"]])
def test_unusable_file_is_named_with_row_and_column(
    command: Command, tmp_path: Path, arguments: list[str], text: str, words: list[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    ended = command(*arguments, path)
    assert (ended.code, ended.out) == (2, "")
    assert [word for word in words if word not in ended.err] == []


def test_rows_that_go_back_are_left_out_when_asked(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    rows = "".join(f"2024-03-01T00:00:{second:02}Z,{second}\n" for second in (1, 2, 0, 3))
    path.write_text(f"time,flow\n{rows}", encoding="utf-8")
    said = command("replay", path, "--drop-late-rows").out
    assert "time lies before a row above: 1" in said
    assert said.endswith("3 rows, 0 judged, no alarms\n")


def test_label_that_is_no_column(command: Command, recording: Path) -> None:
    ended = command("replay", recording, "--labels", "faulti")
    assert ended.code == 2
    assert "did you mean 'faulty'?" in ended.err


def test_file_that_is_not_there(command: Command, tmp_path: Path) -> None:
    assert command("replay", tmp_path / "none.csv").code == 2


def test_stuck_sensor_in_a_recording_is_named_and_no_alarm(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    head, *lines = recording.read_text(encoding="utf-8").splitlines()
    cells = [line.split(",") for line in lines]
    for one in cells[ONSET:]:
        one[1:3] = [cells[ONSET][1], f"{float(one[2]) - 4:.4f}"]
    stuck = tmp_path / "stuck.csv"
    stuck.write_text("\n".join([head, *map(",".join, cells)]) + "\n", encoding="utf-8")
    first, last = map(
        json.loads, command("replay", stuck, "--labels", "faulty", "--json").out.splitlines()
    )
    assert (first["stage"], first["kind"], last["alarms"]) == ("instrument", "stuck", 0)
    assert "SENSOR: flow of stuck is stuck" in command("replay", stuck, "--labels", "faulty").out
