"""`train`: from a history to a signed model file, from here and from a central store."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analytics.modelfiles import model_folder, read_model, watch_of
from analytics.training.selection import Event
from analytics.training.training import Wishes
from connectors.influx.config import InfluxConfig
from connectors.influx.history import InfluxHistory
from connectors.influx.sink import InfluxSink
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from gateway.alarms import alarm_body
from gateway.journal import EventRecord, Journal
from plant.alarms import Alarm, AlarmState, Feedback, Label
from plant.errors import Misconfigured
from plant.files import put
from plant.keys import private_pem
from plant.reasons import Reason
from plant.summaries import MINUTE, TEN_SECONDS
from tests import mill
from tests.analytics.training.courses import MACHINE, SETTINGS, instant
from tests.parts.stores.servers import Store, fetched, influx1
from wheeltapper.evaluation.drawing import Drawing, Rect, Text
from wheeltapper.evaluation.painting import painted
from wheeltapper.training.jobs import Job, run_all
from wheeltapper.training.models import Shelf, signer
from wheeltapper.training.stores import Store as Place
from wheeltapper.training.stores import length_of

pytestmark = pytest.mark.timeout(600)
Command = Callable[..., Any]
HOURS = 3 * 3600
SICK = (4000, 4600)
SPAN = ("--from", "2026-01-05T12:00Z", "--to", "2026-01-05T15:00Z")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = private_pem(KEY)
SINK = """
[[sink]]
type = "influx"
name = "central"
url = "{url}"
api = "v1"
bucket = "{bucket}"
"""


def values() -> np.ndarray[Any, np.dtype[np.float64]]:
    found = mill.rows(HOURS)
    found[slice(*SICK), 1] += 15.0
    return found


def incident(label: Label) -> Alarm:
    onset, ended = instant(SICK[0]), instant(SICK[1])
    return Alarm(
        id=1, asset=mill.PATH, priority=3, state=AlarmState.NORMAL, beneath=AlarmState.NORMAL,
        onset=onset, raised=onset, changed=ended, occurrences=1, reason=Reason(6.0, 3.0, ()),
        ended=ended, feedback=Feedback(label, "", "kim", ended),
    )  # fmt: skip


def told(label: Label) -> EventRecord:
    return EventRecord("alarm", instant(SICK[1]), alarm_body(incident(label)))


def gateway(folder: Path, label: Label | None = None) -> Path:
    """Make a gateway's folder with a history, and perhaps an incident that somebody labelled."""
    mill.folder(folder)
    records = [mill.summaries(values(), every) for every in (TEN_SECONDS, MINUTE)]
    with SqliteSink(SqliteConfig(), mill.HANDLES, "line-1", folder / "data") as sink:
        sink.write(records)
    journal = Journal.open(folder / "data" / "journal.db")
    journal.append(*([] if label is None else [told(label)]))
    journal.close()
    put(folder / "key.pem", PEM, 0o600)
    return folder


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gateway(tmp_path_factory.mktemp("plant"))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gateway(tmp_path_factory.mktemp("labelled"), Label.REAL)


def options(plant: Path) -> tuple[object, ...]:
    return ("train", "mill", "--config", plant / "gateway.toml", *SPAN, "--key", plant / "key.pem")


def locked(folder: Path) -> Path:
    path = folder / "locked.pem"
    put(path, private_pem(KEY, b"open"), 0o600)
    return path


def labels(folder: Path, *rows: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(["asset,from,to,label", *rows]) + "\n")
    return path


BEARING = f"{mill.PATH},2026-01-05T13:06:40Z,2026-01-05T13:16:40Z,bearing"


def test_a_model_is_written_that_a_gateway_can_take(
    command: Command, labelled: Path, tmp_path: Path
) -> None:
    ended = command(*options(labelled), "--out", tmp_path, "--picture", tmp_path / "held.png")
    assert (ended.code, ended.err) == (0, "")
    file = tmp_path / model_folder(mill.PATH) / "1.wtm"
    model = read_model(file.read_bytes(), [KEY.public_key()])
    watch = watch_of(model)
    assert watch.phase == "watching"
    assert (model.header.version, model.header.parent) == (1, None)
    assert model.header.signals == MACHINE.signals
    assert model.header.created == model.header.stop
    assert model.header.metrics["events_found"] == 1
    said = " ".join(ended.out.split())
    assert "learnt from" in said
    assert "a labelled fault 240" in said
    assert "1 of 1" in said
    assert "isolation forest" in said
    assert (tmp_path / "held.png").read_bytes().startswith(b"\x89PNG")

    again = command(*options(labelled), "--out", tmp_path / "again.wtm")
    assert again.code == 0
    assert (tmp_path / "again.wtm").read_bytes() == file.read_bytes()

    later = command(*options(labelled), "--out", tmp_path, "--json")
    row = json.loads(later.out)
    assert (row["version"], row["comparison"]["agreement"]["share"]) == (2, 1.0)
    assert [one["name"] for one in row["comparison"]["figures"]][1] == "in force"
    newest = read_model((tmp_path / model_folder(mill.PATH) / "2.wtm").read_bytes(),
                        [KEY.public_key()])  # fmt: skip
    assert newest.header.parent == 1


def test_a_list_of_labels_says_the_same_as_people_did(
    command: Command, plant: Path, labelled: Path, tmp_path: Path
) -> None:
    listed = ("--labels", labels(tmp_path, BEARING))
    by_list = json.loads(command(*options(plant), *listed, "--json").out)
    by_people = json.loads(command(*options(labelled), "--json").out)
    assert by_list["history"] == by_people["history"]
    without = json.loads(command(*options(plant), "--json").out)
    assert without["history"] != by_list["history"]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (f"{mill.PATH},2026-01-05T13:06:40Z,yesterday,x", "row 2, column 'to': 'yesterday'"),
        (f"{mill.PATH},2026-01-05T13:06:40Z,2026-01-05T12:00Z,x", "does not lie behind"),
        ("works/hall/line/drill,2026-01-05T13:06Z,2026-01-05T14:00Z,x", "is no asset"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(
    command: Command, plant: Path, tmp_path: Path, row: str, complaint: str
) -> None:
    ended = command(*options(plant), "--labels", labels(tmp_path, row))
    assert ended.code == 2
    assert complaint in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--out", "x.wtm", "--every", "7s"), "--every '7s'"),
        (("--backend", "ray"), "--backend 'ray'"),
        (("--picture", "x.gif"), "end with .png or .svg"),
        (("drill",), '"drill" is no asset'),
        (("--from-central", "nowhere"), "is called nowhere"),
        (("--key", "nowhere.pem"), "nowhere.pem: no key can be read there"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_work(
    command: Command, plant: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    ended = command(*options(plant), *arguments)
    assert ended.code == 2
    assert complaint in " ".join(ended.err.replace("│", "").split())


def test_a_model_is_not_written_without_a_signature(command: Command, plant: Path) -> None:
    ended = command("train", "mill", "--config", plant / "gateway.toml", *SPAN, "--out", "x.wtm")
    assert ended.code == 2
    assert "name the trainer's --key" in " ".join(ended.err.replace("│", "").split())


def test_all_of_no_assets_says_what_to_add(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('version = 1\n[gateway]\nname = "box"\n')
    ended = command("train", "--all", "--config", config, *SPAN)
    assert ended.code == command("train", "mill", "--config", config, *SPAN).code == 2
    assert f"{config}: --all of no assets: add an [[asset]]" in ended.err


def test_a_history_that_begins_later_is_no_gap(command: Command, plant: Path) -> None:
    early = ("--from", "2026-01-01T00:00Z", "--to", "2026-01-05T15:00Z")
    ended = command("train", "mill", "--config", plant / "gateway.toml", *early)
    assert "history begins 2026-01-05T12:00:00+00:00\n" in ended.out
    assert "gaps           none\n" in ended.out
    assert "before the history begins 38,880" in ended.out
    assert "a gap: nothing came" not in ended.out


def test_a_locked_key_is_opened_by_its_passphrase(tmp_path: Path) -> None:
    said = tmp_path / "phrase"
    said.write_text("open\nand more\n")
    assert signer(locked(tmp_path), said).public_key() == KEY.public_key()
    said.write_text("shut\n")
    with pytest.raises(Misconfigured, match="the passphrase does not open it"):
        signer(locked(tmp_path), said)


def test_a_locked_key_without_a_passphrase_names_the_mend(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="a file of it with --passphrase-file"):
        signer(locked(tmp_path))


def test_where_nothing_is_kept_nothing_is_trained(command: Command, plant: Path) -> None:
    empty = ("--from", "2020-01-05T12:00Z", "--to", "2020-01-05T15:00Z")
    ended = command(*options(plant), *empty)
    assert ended.code == 1
    assert "nothing trained: no windows of 10s, 1m are kept" in " ".join(ended.out.split())
    row = json.loads(command(*options(plant), *empty, "--json").out)
    assert (row["asset"], row["reason"]) == (mill.PATH, "history")


def test_another_unit_than_the_history_knows_trains_nothing(
    command: Command, plant: Path, tmp_path: Path
) -> None:
    other = tmp_path / "gateway.toml"
    other.write_text(mill.config(("/min", "N.m", "kW", "K")))
    arguments = ("--config", other, "--data", plant / "data", "--json")
    ended = command("train", "mill", *arguments, *SPAN)
    assert ended.code == 1
    assert json.loads(ended.out)["reason"] == "units"


def job(plant: Path, hours: int) -> Job:
    return Job(
        machine=MACHINE, settings=SETTINGS, wishes=Wishes(held=0.3), store=Place(plant / "data"),
        events=(Event(instant(SICK[0]), instant(SICK[1]), "bearing"),),
        start=instant(0), stop=instant(hours * 3600), every=0,
    )  # fmt: skip


def files(plant: Path, backend: str, workers: int) -> list[bytes]:
    work = [job(plant, hours) for hours in (2, 3)]
    shelf = Shelf(None, "none", 0, 0, KEY, ())
    found = [
        shelf.file(replace(MACHINE), outcome, None) for outcome in run_all(work, workers, backend)
    ]
    assert len(set(found)) == 2
    return found


@pytest.fixture(scope="module")
def one_by_one(plant: Path) -> list[bytes]:
    return files(plant, "sequential", 1)


@pytest.mark.filterwarnings("default")  # those of Dask's own parts are no news of ours
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_the_backend_does_not_show_in_the_bytes(
    plant: Path, backend: str, one_by_one: list[bytes]
) -> None:
    assert files(plant, backend, 2) == one_by_one


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    running = influx1(tmp_path_factory.mktemp("influx"))
    running.start()
    yield running
    running.stop()


@pytest.mark.journey
def test_a_central_store_teaches_the_same(
    command: Command, influx: Store, labelled: Path, tmp_path: Path
) -> None:
    bucket = f"t{uuid.uuid4().hex}"
    fetched(f"{influx.url}/query", {"q": f'CREATE DATABASE "{bucket}"'})
    there = InfluxConfig(name="central", url=influx.url, api="v1", bucket=bucket)
    records = [mill.summaries(values(), every) for every in (TEN_SECONDS, MINUTE)]
    with InfluxSink(there, mill.HANDLES, "line-1") as sink:
        assert sink.write([*records, told(Label.REAL)]) == []
    with InfluxHistory(there) as history:
        (alarm,) = history.alarms(instant(0), instant(HOURS))
    assert (alarm.asset, alarm.onset, alarm.ended) == (
        mill.PATH, instant(SICK[0]), instant(SICK[1]),
    )  # fmt: skip
    assert alarm.label == Label.REAL

    config = tmp_path / "gateway.toml"
    config.write_text(mill.config() + SINK.format(url=influx.url, bucket=bucket))
    central = ("--config", config, "--from-central", "central", "--json")
    row = json.loads(command("train", "mill", *central, *SPAN).out)
    here = json.loads(command(*options(labelled), "--every", "1m", "--json").out)
    assert row["card"]["dropped"] == here["card"]["dropped"]
    assert row["card"]["modes"] == here["card"]["modes"]
    assert row["metrics"]["events_found"] == 1
    again = json.loads(command("train", "mill", *central, *SPAN).out)
    assert again["history"] == row["history"]


@pytest.mark.journey
def test_a_central_store_tells_what_people_have_put_into_force(influx: Store) -> None:
    bucket = f"t{uuid.uuid4().hex}"
    fetched(f"{influx.url}/query", {"q": f'CREATE DATABASE "{bucket}"'})
    there = InfluxConfig(name="central", url=influx.url, api="v1", bucket=bucket)
    kept = Place(Path(), there)
    assert kept.told(instant(0), instant(HOURS)).promoted == frozenset()

    done = [("promote", 1, "ana"), ("promote", 2, "rule"), ("promote", 3, "ana"),
            ("return", 3, "rule")]  # fmt: skip
    events = [
        EventRecord(
            "model", instant(second),
            {"asset": mill.PATH, "action": action, "version": version, "sha256": "0" * 64,
             "why": "so", "actor": actor},
        )
        for second, (action, version, actor) in enumerate(done)
    ]  # fmt: skip
    with InfluxSink(there, mill.HANDLES, "line-1") as sink:
        assert sink.write(events) == []

    assert kept.told(instant(0), instant(HOURS)).promoted == {(mill.PATH, 1, "0" * 64)}


@pytest.mark.parametrize(
    ("kept_10s", "taken"), [(slice(None), TEN_SECONDS), (slice(-40, None), MINUTE)]
)
def test_the_shortest_windows_that_cover_the_time_are_taken(
    tmp_path: Path, kept_10s: slice, taken: int
) -> None:
    short = mill.summaries(mill.rows(3600), TEN_SECONDS)
    mode = np.flatnonzero(short.tag == 4)[kept_10s]
    records = [short.take(mode), mill.summaries(mill.rows(3600), MINUTE)]
    with SqliteSink(SqliteConfig(), mill.HANDLES, "line-1", tmp_path) as sink:
        sink.write(records)
    with Place(tmp_path).open() as history:
        found = length_of(history, MACHINE.tags[-1:], instant(0), instant(3600), mill.SECOND)
    assert found == taken


def test_a_picture_is_also_told_in_lines() -> None:
    sheet = Drawing(100, 50, "score & limit")
    sheet.add(Rect(0, 0, 10, 10, "panel"), Text(5, 5, "a < b", "soft"))
    told = ElementTree.fromstring(painted(sheet, ".svg"))
    assert [node.text for node in told.iter() if node.tag.endswith("}text")] == ["a < b"]
    assert told.tag == "{http://www.w3.org/2000/svg}svg"


def test_a_history_without_its_journal_says_that_no_alarm_is_known(tmp_path: Path) -> None:
    assert "name the times of faults with --labels" in Place(tmp_path).blind
    (tmp_path / "journal.db").touch()
    assert Place(tmp_path).blind == ""
