"""`export` from a central store, and in a notebook: the same frame as from the history here."""

import csv
import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.influx.config import InfluxConfig
from connectors.influx.sink import InfluxSink
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from gateway.gaps import gap_body
from gateway.journal import EventRecord, Journal, SummaryRecord
from plant.errors import Misconfigured
from plant.gaps import Gap, GapCause
from plant.summaries import HOUR, MINUTE
from plant.tags import Tag
from tests.parts.stores.servers import Store, fetched, influx1
from wheeltapper.notebook import windows

pytestmark = pytest.mark.journey
Command = Callable[..., Any]
NOON = 1_767_614_400 * 10**9
"""2026-01-05T12:00Z."""
SPAN = ("--from", "2026-01-05T12:00Z", "--to", "2026-01-05T22:00Z")
TAGS = [
    Tag(name="site/a/l/pump/flow", source="plc", address="flow", unit="l/s"),
    Tag(name="site/a/l/tank/level", source="plc", address="level", unit="m"),
]
GUIDE = Path(__file__).parents[2] / "docs" / "central.md"
CONFIG = """\
version = 1

[gateway]
name = "line-1"
data = "data"

[[source]]
type = "modbus"
name = "plc"
host = "127.0.0.1"

[[tag]]
tag = "site/a/l/pump/flow"
source = "plc"
address = "unit 1, holding 0, float32"

[[sink]]
type = "influx"
name = "central"
url = "{url}"
api = "v1"
bucket = "{database}"
"""


def made(every: int) -> SummaryRecord:
    rng = np.random.default_rng(every)
    n = 8
    count = np.full(n, 60, np.uint32)
    good = np.array([60, 45, 0, 60, 1, 60, 60, 60], np.uint32)
    # With few digits, so that what is rounded on the way is the same as what is kept.
    low, mean, first, last, high = np.sort(rng.normal(10, 3, (5, n)).round(2), axis=0)
    values = np.array([low, high, mean, rng.uniform(0.5, 3, n).round(2), first, last])
    values[:, good == 0] = np.nan
    start = NOON + every * (np.arange(n) // 2)
    tag = np.array([1, 2] * (n // 2), np.int32)
    return SummaryRecord("plc", every, tag, start, count, good, *values)


@dataclass
class Gateway:
    """What a gateway keeps, here and in its central store."""

    config: Path
    data: Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    running = influx1(tmp_path_factory.mktemp("influx"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def gateway(store: Store, tmp_path: Path) -> Gateway:
    name = f"t{uuid.uuid4().hex}"
    fetched(f"{store.url}/query", {"q": f'CREATE DATABASE "{name}"'})
    data = tmp_path / "data"
    journal = Journal.open(data / "journal.db")
    handles = journal.register(TAGS, NOON)
    gaps = [
        Gap(id=n, source="plc", start=start, stop=stop, cause=GapCause.LINK, why="cut", lost=lost)
        for n, start, stop, lost in (
            (1, NOON - 9 * HOUR, NOON - 8 * HOUR, 5),
            (2, NOON + MINUTE, None, None),
            (2, NOON + MINUTE, NOON + 2 * MINUTE, 7),
        )
    ]
    events = [EventRecord("gap", gap.stop or gap.start, gap_body(gap)) for gap in gaps]
    records = [made(MINUTE), made(HOUR), *events]
    journal.append(*events)
    journal.close()
    with SqliteSink(SqliteConfig(), handles, "line-1", data) as sink:
        sink.write(records)
    there = InfluxConfig(name="central", url=store.url, api="v1", bucket=name)
    with InfluxSink(there, handles, "line-1") as sink:
        assert sink.write(records) == []
    config = tmp_path / "line1.toml"
    config.write_text(CONFIG.format(url=store.url, database=name))
    return Gateway(config, data)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_store_is_read_where_the_gateway_is_not(
    command: Command, gateway: Gateway, tmp_path: Path
) -> None:
    open_to_others = gateway.config.read_text() + '\n[console]\nhost = "0.0.0.0"\n'
    gateway.config.write_text(open_to_others)
    asked = ("--data", gateway.config, "--every", "1h", *SPAN)
    ended = command("export", tmp_path / "there.csv", *asked, "--from-central", "central")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("every", ["1m", "1h"])
def test_the_same_frame_comes_from_there_as_from_here(
    command: Command, gateway: Gateway, tmp_path: Path, every: str
) -> None:
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    asked = ("--data", gateway.config, "--every", every, *SPAN)
    assert command("export", here, *asked).code == 0
    ended = command("export", there, *asked, "--from-central", "central")
    assert (ended.code, ended.err) == (0, "")
    assert "8 rows of 2 tags, 1 gaps" in " ".join(ended.out.split())
    assert rows(there) == rows(here)
    assert len(rows(here)) == 8
    ours, theirs = (json.loads(Path(f"{path}.json").read_text()) for path in (here, there))
    assert [gap.pop("gateway") for gap in theirs["gaps"]] == ["line-1"]
    assert theirs["gaps"][0]["lost"] == 7
    assert theirs == ours


def test_only_the_tags_that_are_asked_for(
    command: Command, gateway: Gateway, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    asked = ("--data", gateway.config, "--from-central", "central", *SPAN)
    assert command("export", out, *asked, "--tags", "*/level").code == 0
    assert {row["tag"] for row in rows(out)} == {"site/a/l/tank/level"}
    assert command("export", tmp_path / "none.csv", *asked[:4], "--from", "1h").code == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--from-central", "centre"), 'no [[sink]] of type "influx" is called centre; there is'),
        (("--from-central", "central", "--every", "raw"), "from a central store windows are read"),
        (("--from-central", "central", "--every", "10s"), "windows of 10 s are not kept; there"),
        (("--from-central", "central", "--token-file", "no.token"), "no.token cannot be read"),
    ],
)
def test_what_cannot_be_read_from_there_is_said(
    command: Command, gateway: Gateway, tmp_path: Path, asked: tuple[str, ...], said: str
) -> None:
    ended = command("export", tmp_path / "out.csv", "--data", gateway.config, *SPAN, *asked)
    assert ended.code == 2
    assert said in " ".join(ended.err.replace("│", " ").split())
    assert not (tmp_path / "out.csv").exists()


def test_the_configuration_has_to_be_named(
    command: Command, gateway: Gateway, tmp_path: Path
) -> None:
    ended = command("export", tmp_path / "o.csv", "--data", gateway.data, "--from-central", "x")
    assert ended.code == 2
    assert "--data line1.toml" in ended.err


def test_a_store_that_is_off_is_not_taken_for_an_empty_one(
    command: Command, gateway: Gateway, tmp_path: Path
) -> None:
    text = re.sub(r'url = ".*"', 'url = "http://127.0.0.1:9"', gateway.config.read_text())
    gateway.config.write_text(text)
    ended = command("export", tmp_path / "o.csv", "--data", gateway.config,
                    "--from-central", "central", *SPAN)  # fmt: skip
    assert ended.code == 3
    assert "does not answer" in ended.err


def test_the_notebook_of_the_guide_runs(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(from wheeltapper.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(code.split("\n\n")[0].splitlines() + code.split("\n\n")[1].splitlines()) == 3
    monkeypatch.chdir(gateway.config.parent)
    ours = code.replace('token_file="central/read.token"', 'since="2026-01-05T12:00Z"')
    exec(ours, {})
    assert "site/a/l/pump/flow" in capsys.readouterr().out


def test_a_notebook_reads_both_and_says_what_is_wrong(gateway: Gateway) -> None:
    span: Any = {"since": "2026-01-05T12:00Z", "until": "2026-01-05T22:00Z", "every": "1h"}
    here = windows(gateway.data, **span)
    there = windows(gateway.config, central="central", **span)
    assert here.keys() == there.keys()
    for name, column in here.items():
        np.testing.assert_array_equal(there[name], column)
    assert here["time"].dtype == "datetime64[ns]"
    assert len(windows(gateway.data, since="1h")["mean"]) == 0
    with pytest.raises(Misconfigured, match="those of 10s, 1m, 1h"):
        windows(gateway.data, every="5m")
