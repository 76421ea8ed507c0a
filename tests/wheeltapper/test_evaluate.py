"""`evaluate`: recordings through a detector, and every file that cannot be judged."""

import gzip
import json
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

ROWS, ONSET, WARMUP = 900, 700, 450

Command = Callable[..., Any]


def lines(rows: int = ROWS, onset: int = ONSET, seed: int = 5) -> list[str]:
    """Three signals that follow one load; from `onset` on the second leaves it."""
    random = np.random.default_rng(seed)
    load = np.convolve(random.normal(size=rows + 29), np.ones(30) / 30, "valid")
    signals = 10 + load[:, None] * [3.0, 4.0, -2.0] + random.normal(scale=0.05, size=(rows, 3))
    signals[onset:, 1] += 4.0
    written = ["time,flow,vibration,pressure,anomaly"]
    for row, values in enumerate(signals):
        cells = ",".join(f"{value:.4f}" for value in values)
        written.append(f"2024-03-01T10:{row // 60:02}:{row % 60:02}Z,{cells},{int(row >= onset)}")
    return written


def save(path: Path, written: list[str]) -> Path:
    text = "\n".join(written) + "\n"
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.write(text)
    return path


def without_labels(written: list[str]) -> list[str]:
    return [line.rpartition(",")[0] for line in written]


@pytest.fixture
def pump(tmp_path: Path) -> Path:
    return save(tmp_path / "pump.csv", lines())


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return save(tmp_path / "bare.csv.gz", without_labels(lines()))


@pytest.fixture
def folder(tmp_path: Path, pump: Path, bare: Path) -> Path:
    (tmp_path / "notes.txt").write_text("not a recording", encoding="utf-8")
    return tmp_path


class Parsed(HTMLParser):
    """Checks that what is opened is closed, and keeps attributes that load something."""

    VOID = frozenset({"meta", "br", "rect", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.open = [each for each in self.open if each != "meta"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


# ---- what it says


def test_labelled_recording(command: Command, pump: Path) -> None:
    ended = command("evaluate", pump, "--json")
    (row,) = map(json.loads, ended.out.splitlines())
    assert ended.code == 0
    assert (row["warmup"], row["rows"]) == (WARMUP - 50, ROWS - WARMUP + 50)
    assert (row["judged"]["events"], row["judged"]["events_seen"]) == (1, 1)
    assert row["judged"]["false_alarms"] == 0
    assert row["judged"]["delay_s"] < 30
    (alarm,) = row["alarms"]
    assert alarm["begin"] / 1000 >= 1709287200 + ONSET
    assert alarm["reasons"][0]["signal"] == "vibration"
    assert (alarm["touches"], row["judged"]["changepoints"]) == (True, None)


def test_for_people(command: Command, pump: Path) -> None:
    said = command("evaluate", pump).out
    assert "labels, by their names: anomaly" in said
    assert "pump: 1 of 1 labelled fault seen" in said
    assert "vibration" in said
    assert "on a fault" in said


def test_without_labels_it_counts_and_bounds_the_rate(command: Command, bare: Path) -> None:
    said = command("evaluate", bare).out
    assert "1 alarm in" in said
    assert "a week: the recording is short" in said
    (row,) = map(json.loads, command("evaluate", bare, "--json").out.splitlines())
    assert row["judged"] is None
    assert row["a_week_at_most"] > row["a_week"] > 0
    assert row["quantiles"] == sorted(row["quantiles"])


def test_a_label_by_any_name(command: Command, tmp_path: Path) -> None:
    written = lines()
    written[0] = written[0].replace("anomaly", "broken")
    path = save(tmp_path / "named.csv", written)
    assert "1 of 1 labelled fault" in command("evaluate", path, "--label", "broken").out
    assert "labelled" not in command("evaluate", path).out


def test_a_list_of_faults_instead_of_labels(command: Command, bare: Path, tmp_path: Path) -> None:
    listed = save(
        tmp_path / "faults.log",
        ["begin,end,what", "2024-03-01 10:11:40,2024-03-01 10:20:00,bearing"],
    )
    said = command("evaluate", bare, "--faults", listed, "--json").out
    (row,) = map(json.loads, said.splitlines())
    assert (row["judged"]["events"], row["judged"]["events_seen"]) == (1, 1)
    assert row["judged"]["far"] == 0


def test_folder_is_told_file_by_file_and_together(command: Command, folder: Path) -> None:
    said = command("evaluate", folder).out.splitlines()
    assert [line.partition(":")[0] for line in said if line.startswith(("bare:", "pump:"))] == [
        "bare",
        "pump",
    ]
    assert said[-1].startswith("2 recordings, ")


@pytest.mark.parametrize("detector", ["default", "two-statistic", "half-space-trees", "rolling-z"])
def test_every_detector_runs(command: Command, tmp_path: Path, detector: str) -> None:
    path = save(tmp_path / "short.csv", lines(450, 400))
    ended = command("evaluate", path, "--detector", detector, "--json")
    (row,) = map(json.loads, ended.out.splitlines())
    assert (row["rows"], row["judged"]["events"]) == (225, 1)


def test_a_detector_of_ones_own(
    command: Command, pump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_detector.py").write_text(
        "class Level:\n"
        "    def learn_one(self, x): pass\n"
        "    def score_one(self, x): return x['vibration']\n"
        "def make(features, seed): return Level()\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    ended = command("evaluate", pump, "--detector", "my_detector:make", "--json")
    (row,) = map(json.loads, ended.out.splitlines())
    assert row["judged"]["events_seen"] == 1
    assert row["alarms"][0]["reasons"] == []


@pytest.mark.parametrize(("said", "warmup"), [("300", 300), ("0.5", 450), ("40%", 360)])
def test_warmup(command: Command, pump: Path, said: str, warmup: int) -> None:
    ended = command("evaluate", pump, "--warmup", said, "--detector", "rolling-z", "--json")
    (row,) = map(json.loads, ended.out.splitlines())
    assert (row["warmup"], row["rows"]) == (warmup, ROWS - warmup)


def test_anonymous_changes_names_and_no_verdict(command: Command, pump: Path) -> None:
    plain = json.loads(command("evaluate", pump, "--json").out)
    hidden = json.loads(command("evaluate", pump, "--json", "--anonymous").out)
    assert hidden["judged"] == pytest.approx(plain["judged"], nan_ok=True)
    assert {part["signal"] for part in hidden["alarms"][0]["reasons"]} <= {"f0", "f1", "f2"}


# ---- pages and pictures


@pytest.fixture
def page(command: Command, folder: Path) -> Path:
    written = folder / "page.html"
    assert f"page     {written}" in command("evaluate", folder, "--html", written).out
    return written


def test_page_is_whole_and_loads_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    parsed = Parsed()
    parsed.feed(text)
    assert parsed.open == []
    assert [each for each in parsed.loads if not each.startswith("#")] == []
    assert "<script" not in text
    assert "url(" not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_in_a_browser(page: Path, browser: Browser, scheme: Any) -> None:
    asked: list[str] = []
    opened = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=scheme)
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(page.as_uri())
    assert asked == [page.as_uri()]
    assert opened.locator("svg rect.alarm").count() >= 2
    assert opened.locator("svg text", has_text="vibration").count() == 2
    wide = opened.evaluate("document.documentElement.scrollWidth")
    paper = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    opened.close()
    assert wide <= 1200
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 26)"}[scheme]


def test_names_cannot_break_the_page(command: Command, tmp_path: Path) -> None:
    written = lines()
    written[0] = written[0].replace("vibration", "<script>alert(1)</script>")
    page = tmp_path / "page.html"
    command("evaluate", save(tmp_path / "bad.csv", written), "--html", page)
    assert "<script" not in page.read_text(encoding="utf-8")


def test_picture(command: Command, pump: Path, tmp_path: Path) -> None:
    written = tmp_path / "pump.png"
    assert f"picture  {written}" in command("evaluate", pump, "--png", written).out
    with Image.open(written) as image:
        red = np.array(image.convert("RGB")) == [196, 0, 26]
        assert image.width == 2080
    assert red.all(axis=2).sum() > 500


def test_pictures_of_several_recordings(command: Command, folder: Path) -> None:
    command("evaluate", folder, "--png", folder / "all.png")
    assert sorted(path.name for path in folder.glob("*.png")) == ["all-bare.png", "all-pump.png"]


def test_files_of_one_name_do_not_overwrite_each_other(
    command: Command, bare: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    again = save(other / "bare.csv", without_labels(lines(seed=6)))
    page = tmp_path / "page.html"
    command("evaluate", bare, again, "--png", tmp_path / "x.png", "--html", page)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["x-bare-2.png", "x-bare.png"]
    text = page.read_text(encoding="utf-8")
    assert [text.count(f'id="r{number}"') for number in (0, 1, 2)] == [1, 1, 0]


def test_what_was_judged_is_told_before_what_could_not_be(
    command: Command, bare: Path, tmp_path: Path
) -> None:
    short = save(tmp_path / "short.csv", lines(40, 30))
    ended = command("evaluate", bare, short)
    assert ended.code == 2
    assert "bare: 1 alarm" in ended.out
    assert "short:" not in ended.out
    assert f"{short}: the detector was still learning" in ended.err


def test_without_pillow_the_command_that_brings_it(
    command: Command, pump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    ended = command("evaluate", pump, "--png", tmp_path / "pump.png")
    assert ended.code == 2
    assert "pip install 'wheeltapper[pictures]'" in ended.err


# ---- what goes wrong


def broken(place: int, text: str) -> list[str]:
    written = lines()
    written[place] = text
    return written


def two_rates() -> list[str]:
    written = lines()
    rest = [f"2024-03-01T{11 + k // 60}:{k % 60:02}:00Z,1,2,3,0" for k in range(200)]
    return written[:701] + rest


def empty(first: int, last: int) -> list[str]:
    written = lines()
    for row in range(first, last):
        time, *_, label = written[row].split(",")
        written[row] = f"{time},,,,{label}"
    return written


@pytest.mark.parametrize(
    ("written", "options", "words"),
    [
        (broken(0, "when,flow,vibration,pressure,anomaly"), [], ["row 1", "'time'", "when"]),
        (lines(), ["--time", "flows"], ["row 1", "'flows'", "did you mean 'flow'?"]),
        (lines(), ["--label", "anomali"], ["row 1", "did you mean 'anomaly'?"]),
        (broken(8, "2024-03-01T10:00:07Z,fast,1,1,0"), [], ["row 9", "'flow'", "'fast'"]),
        (
            broken(8, "2024-03-01T10:00:07Z,1,1,1,2"),
            [],
            ["row 9", "'anomaly'", "0 or 1", "holds 2"],
        ),
        (broken(8, "2024-03-01T10:00:07Z,1,1,1,"), [], ["row 9", "'anomaly'", "is empty"]),
        (broken(8, "2024-03-01T09:00:07Z,1,1,1,0"), [], ["row 9", "--drop-late-rows"]),
        (broken(8, "2024-03-01T10:00:07Z,1,1"), [], ["row 9", "3 cells", "5 columns"]),
        (lines(), ["--warmup", "900"], ["900 rows leave none to judge", "shorten --warmup"]),
        (lines(), ["--warmup", "3"], ["teaches nothing", "--warmup 8 or more"]),
        (lines(), ["--warmup", "most"], ["--warmup most", "a number of rows", "a share"]),
        (lines(), ["--warmup", "150%"], ["--warmup 150%"]),
        (lines(12, 10), [], ["6 of its 12 rows"]),
        (empty(1, 451), [], ["rows 2 to 401", "no signal has a value", "warm-up"]),
        (empty(401, 901), [], ["rows 402 to 901", "after the warm-up"]),
        (empty(1, 901), [], ["no column of numbers"]),
        (two_rates(), [], ["from row 702", "every 60 s", "every 1 s", "--any-rate"]),
        (lines(40, 30), [], ["still learning", "40 rows", "longer recording"]),
        (lines(), ["--detector", "defalt"], ["did you mean default?"]),
        (
            lines(),
            ["--detector", "nowhere_at_all:make"],
            ["'nowhere_at_all'", "cannot be imported"],
        ),
        (lines(), ["--detector", "json:loads"], ["json:loads", "cannot be called"]),
        (lines(), ["--detector", "json:dumpz"], ["has no 'dumpz'", "did you mean"]),
        (lines(), ["--detector", "operator:countOf"], ["no learn_one"]),
        (lines(), ["--html", "no/such/page.html"], ["no folder no/such"]),
    ],
)
def test_each_wrong_input_is_named_with_its_mend(
    command: Command, tmp_path: Path, written: list[str], options: list[str], words: list[str]
) -> None:
    path = save(tmp_path / "bad.csv", written)
    ended = command("evaluate", path, *options)
    assert (ended.code, ended.out) == (2, "")
    assert [word for word in words if word not in ended.err] == []
    assert options or str(path) in ended.err


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (["from,to", "2024-03-01 10:11:40,2024-03-01 10:20:00"], ["row 1", "'begin'"]),
        (["begin,end", "yesterday,today"], ["row 2", "'begin'", "'yesterday'"]),
        (["begin,end", "2024-03-01 10:12,2024-03-01 10:11"], ["row 2", "lies before"]),
        (["begin,end", "2023-03-01 10:12,2023-03-01 10:13"], ["row 2", "none of the recordings"]),
        (["begin,end"], ["no fault"]),
    ],
)
def test_wrong_list_of_faults(
    command: Command, bare: Path, tmp_path: Path, listed: list[str], words: list[str]
) -> None:
    ended = command("evaluate", bare, "--faults", save(tmp_path / "faults.log", listed))
    assert (ended.code, ended.out) == (2, "")
    assert [word for word in words if word not in ended.err] == []


def test_other_rate_passes_when_asked(command: Command, tmp_path: Path) -> None:
    path = save(tmp_path / "rates.csv", two_rates())
    assert command("evaluate", path, "--any-rate", "--detector", "rolling-z").code == 0


def test_folder_without_recordings(command: Command, tmp_path: Path) -> None:
    ended = command("evaluate", tmp_path)
    assert ended.code == 2
    assert f"{tmp_path}: holds no recording (*.csv, *.csv.gz)" in ended.err


def test_file_that_is_not_there(command: Command, tmp_path: Path) -> None:
    ended = command("evaluate", tmp_path / "none.csv")
    assert ended.code == 2
    assert "none.csv cannot be read" in ended.err


def test_empty_rows_and_still_signals_are_noted(command: Command, tmp_path: Path) -> None:
    written = empty(500, 503)
    written = [f"{line},{'rest' if row == 0 else 7}" for row, line in enumerate(written)]
    said = command("evaluate", save(tmp_path / "holes.csv", written)).out
    assert "signals of one value throughout: rest" in said
