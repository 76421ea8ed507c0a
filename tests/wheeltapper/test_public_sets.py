"""Public data sets by their layout, in generated miniatures."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.evaluation.yardsticks import DETECTORS
from analytics.frames import Frame
from plant.errors import Misconfigured
from wheeltapper.evaluation.public import Trial, defects, layout, lives, nab, numbers, skab

Command = Callable[..., Any]


def write(path: Path, header: str, rows: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join([header, *rows]) + "\n")


def pump(path: Path, seed: int, fault: bool) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(700, 2))
    values[550:580, 0] += 12 * fault
    stamps = [f"2020-03-01 10:{row // 60:02}:{row % 60:02}" for row in range(700)]
    rows = [f"{t},{a:.4f},{b:.4f}" for t, (a, b) in zip(stamps, values, strict=True)]
    marks = [f"{int(550 <= row < 580)},{int(row in {550, 580})}" for row in range(700)]
    labelled = [f"{row},{mark}" for row, mark in zip(rows, marks, strict=True)]
    header = "time,a,b"
    write(path, f"{header},anomaly,changepoint" if fault else header, labelled if fault else rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    pump(root / "skab" / "one.csv.gz", 1, fault=True)
    pump(root / "skab" / "anomaly_free.csv.gz", 2, fault=False)
    random = np.random.default_rng(3)
    value = np.clip(random.normal(size=1000), -1.5, 1.5)
    value[600] = 15.0
    # the clock is set back in the middle, as in some of NAB's series
    rows = [
        f"2014-01-0{1 + (row // 500) % 2} {row % 24:02}:00:00,{v:.4f},{int(580 <= row <= 679)},0"
        for row, v in enumerate(value)
    ]
    write(root / "nab" / "series.csv.gz", "time,value,anomaly_window,anomaly_point", rows)
    engines = [(unit, cycle) for unit in (1, 2) for cycle in range(1, 31)]
    rows = [f"{unit},{cycle},0,{30 - cycle}" for unit, cycle in engines]
    for name in ("train", "test"):
        write(root / "cmapss_mini" / f"{name}.csv.gz", "unit,cycle,setting_1,s_1", rows)
    write(root / "cmapss_mini" / "rul.csv.gz", "rul", ["0", "10"])
    parts = [(part, part // 10, random.random() < 0.3) for part in range(200)]
    rows = [f"{t},M{p},LMH,M,300,310,1500,{60 if bad else 40},5,{int(bad)}" for p, t, bad in parts]
    header = "tool_episode,product_id,note,type,air_temperature_k,process_temperature_k"
    header += ",rotational_speed_rpm,torque_nm,tool_wear_min,machine_failure"
    write(root / "ai4i" / "ai4i.csv.gz", header, rows)
    return root


TRIAL = Trial(DETECTORS["rolling-z"])


def test_layout(data: Path) -> None:
    assert layout(data) == ("skab", "nab", "cmapss_mini", "ai4i")


def test_skab(data: Path) -> None:
    found = skab(data / "skab", TRIAL)
    assert (found.files, found.events, found.events_seen) == (1, 1, 1)
    assert found.delay_s == 0
    assert (found.free_far, found.far) == (0, 0)
    assert found.changepoints > 20
    assert found.auc_pr < found.oracle_f1 <= 1


def test_nab_reads_rows_whatever_the_clock_does(data: Path) -> None:
    found = nab(data / "nab", TRIAL)
    assert (found.files, found.events, found.events_seen) == (1, 1, 1)
    assert 0 < found.standard < 100
    assert found.half_median == pytest.approx(found.standard)
    assert found.delay_share == 0.2


def test_windows_beside_the_series_win(data: Path) -> None:
    listed = data / "nab" / "windows.json"
    listed.write_text(json.dumps({"series.csv.gz": [[600, 699]]}), encoding="utf-8")
    first_row = nab(data / "nab", TRIAL).standard
    listed.write_text("{}", encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"windows\.json: has no windows .* series\.csv\.gz"):
        nab(data / "nab", TRIAL)
    listed.unlink()
    assert first_row == pytest.approx(100)


def test_anonymous_runs_come_to_the_same(data: Path) -> None:
    plain = skab(data / "skab", TRIAL)
    hidden = skab(data / "skab", Trial(DETECTORS["rolling-z"], anonymous=True))
    assert (hidden.f1, hidden.vus_pr) == pytest.approx((plain.f1, plain.vus_pr))


class Countdown:
    """Knows that the last sensor counts the cycles that are left."""

    def __init__(self, _seed: int) -> None:
        self.runs = 0

    def fit(self, runs: Sequence[Frame]) -> None:
        self.runs = len(runs)
        assert all(tuple(run.columns) == ("cycle", "setting_1", "s_1") for run in runs)

    def predict(self, history: Frame) -> float:
        return float(history["s_1"][-1])


def test_lives(data: Path) -> None:
    ticks = iter([0.0, 2.0, 2.5])
    figures, fit_s, each_ms = lives(data / "cmapss_mini", Countdown, 0, lambda: next(ticks))
    assert (figures.engines, figures.rmse) == (2, pytest.approx(np.sqrt(50)))
    assert (fit_s, each_ms) == (2.0, 250.0)


class Torque:
    """Says defective where the torque is high."""

    def __init__(self, _seed: int) -> None: ...

    def fit(self, rows: Frame, _defective: np.ndarray) -> None:
        assert rows.to_numpy().shape[1] == 6
        assert (rows["type_code"] == 1).all()

    def predict_proba(self, rows: Frame) -> np.ndarray:
        high = (rows["torque_nm"] > 50) * 0.8 + 0.1
        return np.column_stack((1 - high, high))


def test_defects(data: Path) -> None:
    figures = defects(data / "ai4i", Torque, 0)
    assert (figures.rows, figures.pr_auc, figures.f1) == (200, 1.0, 1.0)
    assert figures.ece == pytest.approx(0.1)


def test_text_columns_are_left_out(data: Path) -> None:
    assert "note" not in numbers(data / "ai4i" / "ai4i.csv.gz").columns


def test_unknown_grade_is_named(data: Path, tmp_path: Path) -> None:
    with gzip.open(data / "ai4i" / "ai4i.csv.gz", "rt", encoding="utf-8") as file:
        header, *rows = file.read().splitlines()
    rows[3] = rows[3].replace(",M,", ",X,")
    write(tmp_path / "ai4i.csv.gz", header, rows)
    with pytest.raises(Misconfigured, match=r"row 5, column 'type': 'X' is none of L, M, H"):
        defects(tmp_path, Torque, 0)


def test_lives_without_all_truths(data: Path, tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv.gz").write_bytes(
            (data / "cmapss_mini" / f"{name}.csv.gz").read_bytes()
        )
    write(tmp_path / "rul.csv.gz", "rul", ["5"])
    with pytest.raises(Misconfigured, match="1 lives for 2 engines"):
        lives(tmp_path, Countdown, 0, lambda: 0.0)


def test_command_prints_a_table_of_each_set(command: Command, data: Path) -> None:
    said = command("evaluate", data, "--detector", "rolling-z").out
    assert "free far" in said
    assert "half median" in said
    assert "ai4i: is for models of life or defects" in said


def test_command_prints_json_of_each_set(command: Command, data: Path) -> None:
    ended = command("evaluate", data, "--detector", "rolling-z", "--json")
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["set"] for row in found] == ["skab", "nab"]
    assert found[0]["events_seen"] == 1


def test_no_page_of_several_sets(command: Command, data: Path, tmp_path: Path) -> None:
    ended = command("evaluate", data, "--html", tmp_path / "page.html")
    assert ended.code == 2
    assert "name the folder of one" in ended.err


def test_skab_without_labels_is_refused(tmp_path: Path) -> None:
    pump(tmp_path / "one.csv.gz", 1, fault=False)
    with pytest.raises(Misconfigured, match="'anomaly' and 'changepoint'"):
        skab(tmp_path, TRIAL)
