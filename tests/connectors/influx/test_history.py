"""What the sink sent is what the history gives, from a real server."""

import json
import tracemalloc
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from connectors.contract import History
from connectors.influx.config import InfluxConfig
from connectors.influx.history import InfluxHistory
from connectors.influx.influxql import PIECE_ROWS, identifier, literal
from connectors.influx.points import as_written
from gateway.checkpoints import Checkpoints
from gateway.guard.audit import EVERY, Audit
from gateway.guard.checks import Moment
from gateway.guard.words import AUDIT, FOLDER
from plant import files
from plant.errors import Misconfigured, PlantError, Rejected, Unreachable
from plant.records import EventRecord
from plant.summaries import HOUR, MINUTE, TEN_SECONDS, Windows
from tests.connectors.influx.records import HOUR0, Place, events, summaries, tags
from tests.gateway.guard.rig import KEY
from tests.parts.stores.proxy import Fault, FaultProxy, answer
from tests.parts.stores.servers import Store
from wheeltapper.app import app

pytestmark = pytest.mark.journey
NAME = "works/hall/line-1/pump-2/flow"
FOREVER = (-(2**63), 2**63 - 1)


def gathered(pieces: list[Windows]) -> dict[str, list[float]]:
    return {
        field.name: np.concatenate([getattr(piece, field.name) for piece in pieces]).tolist()
        for field in fields(Windows)
    }


def test_it_is_a_history(v1: Place) -> None:
    assert isinstance(InfluxHistory(v1.config), History)


def test_windows_come_back_mean_and_deviation_rounded(place: Place) -> None:
    sent = summaries([HOUR0 + i * MINUTE for i in range(100)], MINUTE)
    sent.low[3] = -0.0
    with place.sink(tags()) as sink:
        sink.write([sent])

    with InfluxHistory(place.config) as history:
        got = gathered(list(history.read([NAME], *FOREVER, MINUTE)))

    assert got.pop("tag") == [0] * 100
    for name in ("start", "count", "good", "low", "high", "first", "last"):
        assert got[name] == getattr(sent, name).tolist(), name
    assert got["mean"] == pytest.approx(sent.mean, rel=0, abs=5e-5 * sent.std.max())
    assert got["std"] == pytest.approx(sent.std, rel=5e-5)
    assert got["mean"] == as_written(sent).mean.tolist()
    assert got["std"] == as_written(sent).std.tolist()
    assert np.signbit(got["low"][3])


def test_a_window_that_lost_its_good_samples_has_no_values_any_more(v1: Place) -> None:
    """A point that is written again keeps fields that it no longer names; they are not believed."""
    with v1.sink(tags()) as sink:
        sink.write([summaries([HOUR0], HOUR)])
        nothing = summaries([HOUR0], HOUR, good=0)
        for name in ("low", "high", "mean", "std", "first", "last"):
            getattr(nothing, name)[:] = np.nan
        sink.write([nothing])

    with InfluxHistory(v1.config) as history:
        (got,) = history.read([NAME], *FOREVER, HOUR)

    assert (got.count.tolist(), got.good.tolist()) == ([60], [0])
    assert np.isnan([got.low, got.high, got.mean, got.std, got.first, got.last]).all()


def test_tags_with_their_units_and_lengths(place: Place) -> None:
    names = [NAME, "pump-9/level", "x/y/works/hall/line-1/pump-2/flow"]
    with place.sink(tags(*names), windows=("10s", "1m", "1h")) as sink:
        sink.write([summaries([HOUR0], length, tag=i) for i, length in enumerate((HOUR, MINUTE))])
        sink.write([summaries([HOUR0], TEN_SECONDS, tag=2)])

    with InfluxHistory(place.config) as history:
        assert history.lengths() == (TEN_SECONDS, MINUTE, HOUR)
        assert history.tags() == dict.fromkeys(sorted(names), "mm/s")


def test_only_what_was_asked_for_in_the_order_of_the_question(v1: Place) -> None:
    names = ["a/m/x", "b/m/x", "m/x"]
    starts = [HOUR0 + i * HOUR for i in range(10)]
    with v1.sink(tags(*names)) as sink:
        sink.write([summaries(starts, HOUR, tag=i, seed=i) for i in range(3)])

    with InfluxHistory(v1.config) as history:
        pieces = list(history.read(["m/x", "nobody/knows", "a/m/x"], starts[2], starts[5], HOUR))
    got = gathered(pieces)

    assert got["tag"] == [0, 0, 0, 2, 2, 2]
    assert got["start"] == starts[2:5] * 2
    assert got["high"][:3] == summaries(starts, HOUR, seed=2).high[2:5].tolist()


def test_a_long_answer_comes_in_pieces_and_needs_little_memory(v1: Place) -> None:
    rows = 4 * PIECE_ROWS
    with v1.sink(tags()) as sink:
        for first in range(0, rows, PIECE_ROWS):
            starts = [HOUR0 + i * MINUTE for i in range(first, first + PIECE_ROWS)]
            sink.write([summaries(starts, MINUTE, seed=first)])

    tracemalloc.start()
    with InfluxHistory(v1.config) as history:
        sizes = [len(piece) for piece in history.read([NAME], *FOREVER, MINUTE)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert sizes == [PIECE_ROWS] * 4
    assert peak < 40e6


def test_windows_stand_in_the_bucket_of_their_time_and_are_found_there(v1: Place) -> None:
    buckets = [f"{v1.database}{suffix}" for suffix in ("", "_1y", "_90d")]
    for bucket in buckets[1:]:
        v1.ask(f'CREATE DATABASE "{bucket}"')
    config = v1.config.model_copy(update={"split": True})

    with v1.sink(tags(), split=True) as sink:
        sink.write([summaries([HOUR0], HOUR), summaries([HOUR0], MINUTE), *events()])
    with InfluxHistory(config) as history:
        found = [len(*history.read([NAME], *FOREVER, every)) for every in (MINUTE, HOUR)]
        known = history.tags()

    kept = {
        bucket.removeprefix(v1.database): {
            row[0]
            for one in replace(v1, database=bucket).ask("SHOW MEASUREMENTS")
            for row in one["values"]
        }
        for bucket in buckets
    }
    for bucket in buckets[1:]:
        v1.ask(f'DROP DATABASE "{bucket}"')
    assert found == [1, 1]
    assert known == {NAME: "mm/s"}
    assert kept == {
        "": {"signal_1h", "signal", "tag", "alarm", "contribution", "gap", "state"},
        "_1y": {"signal_1m"},
        "_90d": {"gateway"},
    }


def test_nothing_kept(v1: Place) -> None:
    with InfluxHistory(v1.config) as history:
        assert (history.tags(), history.lengths()) == ({}, (MINUTE, HOUR))
        assert list(history.read([NAME], *FOREVER, MINUTE)) == []
        with pytest.raises(Rejected, match=r"windows of 7 s are not kept; there are: 60 s, 3600 s"):
            history.read([NAME], *FOREVER, 7_000_000_000)


def test_a_length_that_is_not_kept_lists_those_that_are(v1: Place) -> None:
    with v1.sink(tags()) as sink:
        sink.write([summaries([HOUR0], HOUR), summaries([HOUR0], MINUTE)])

    with InfluxHistory(v1.config) as history, pytest.raises(Rejected, match="60 s, 3600 s"):
        history.read([NAME], *FOREVER, TEN_SECONDS)


def test_an_empty_interval(v1: Place) -> None:
    with v1.sink(tags()) as sink:
        sink.write([summaries([HOUR0], HOUR)])

    with InfluxHistory(v1.config) as history:
        assert list(history.read([NAME], HOUR0, HOUR0, HOUR)) == []
        assert list(history.read([NAME], HOUR0 + 1, HOUR0, HOUR)) == []
        assert [len(one) for one in history.read([NAME], HOUR0, HOUR0 + 1, HOUR)] == [1]
        assert list(history.read([], *FOREVER, HOUR)) == []


# Nothing that a name holds becomes a part of the question.

HOSTILE = [
    "x' OR 'a'='a",
    'x\'; DROP MEASUREMENT "signal_1h"; --',
    'a"b',
    "a\\",
    "a\\'",
    "a\nb",
    "' OR time > 0 --",
    "/.*/",
    "*",
    "",
    "ünï/cöde/x",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_finds_nothing_and_harms_nothing(v1: Place, name: str) -> None:
    with v1.sink(tags()) as sink:
        sink.write([summaries([HOUR0], HOUR)])

    with InfluxHistory(v1.config) as history:
        found = list(history.read([name, f"s/a/l/m/{name}", f"{name}/m/x"], *FOREVER, HOUR))
        kept = list(history.read([NAME], *FOREVER, HOUR))

    assert found == []
    assert len(kept) == 1


@pytest.mark.parametrize("name", [name for name in HOSTILE if name and "\n" not in name])
def test_quoting_is_what_the_server_understands(v1: Place, name: str) -> None:
    """Names with a hostile sound are found when they are there, and no other."""
    v1.write("m,k=bystander v=1 1")
    key = name.replace(" ", "\\ ").replace(",", "\\,").replace("=", "\\=")
    told = key if not key.endswith("\\") else f"{key}."
    wanted = name if not key.endswith("\\") else f"{name}."
    v1.write(f"m,k={told} v=2 2\n{told},k=y w=3 3")

    (by_value,) = v1.ask(f'SELECT "v" FROM "m" WHERE "k" = {literal(wanted)}')
    (by_name,) = v1.ask(f'SELECT "w" FROM {identifier(wanted)}')

    assert by_value["values"] == [[2, 2]]
    assert by_name["values"] == [[3, 3]]


# What the other side may do.


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (answer(503, retry_after="4"), Unreachable, "is busy"),
        (answer(401, b'{"error":"authorization failed"}'), Misconfigured, "asks who we are"),
        (answer(200, b'{"results":[{"error":"not authorized"}]}'), Misconfigured, "read"),
        (answer(200, b'{"error":"query killed"}'), Rejected, "query killed"),
        (answer(400, b'{"error":"error parsing query"}'), Rejected, "error parsing query"),
        (answer(200, b'{"results":[{"statement_id":0,'), Unreachable, "broke off"),
        (answer(200, b'{"results":[{"partial":true}]}\n'), Unreachable, "broke off"),
        (answer(200, b""), Unreachable, "broke off"),
        (answer(200, b"[]\n"), Rejected, "as no InfluxDB does"),
        (Fault(cut_after=40), Unreachable, "does not answer|broke off"),
        (Fault(delay_s=6.0), Unreachable, "timed out"),
    ],
    ids=[
        *("busy", "401", "rights", "killed", "400", "half", "partial", "empty", "strange"),
        *("cut", "slow"),
    ],
)
def test_an_answer_that_is_no_answer_is_never_taken_for_the_whole(
    behind: Place, proxy: FaultProxy, fault: Fault, kind: type[PlantError], words: str
) -> None:
    with behind.sink(tags()) as sink:
        sink.write([summaries([HOUR0 + i * HOUR for i in range(50)], HOUR)])

    config = behind.config.model_copy(update={"timeout_s": 4.0})
    with InfluxHistory(config) as history:
        pieces = history.read([NAME], *FOREVER, HOUR)
        proxy.always(fault)
        with pytest.raises(kind, match=words):
            list(pieces)


def test_an_answer_cut_in_a_later_piece_is_not_the_whole(behind: Place, proxy: FaultProxy) -> None:
    with behind.sink(tags()) as sink:
        for first in (0, PIECE_ROWS):
            starts = [HOUR0 + i * MINUTE for i in range(first, first + PIECE_ROWS)]
            sink.write([summaries(starts, MINUTE)])

    with InfluxHistory(behind.config) as history:
        pieces = history.read([NAME], *FOREVER, MINUTE)
        proxy.always(Fault(cut_after=300_000))
        with pytest.raises(Unreachable):
            assert [len(piece) for piece in pieces] == []


def test_a_missing_database(v1: Place) -> None:
    config = v1.config.model_copy(update={"bucket": "nowhere"})

    with pytest.raises(Misconfigured, match="has no nowhere"):
        InfluxHistory(config).__enter__()


def test_a_store_that_knows_no_influxql_is_not_taken_for_an_empty_one(metrics: Store) -> None:
    config = InfluxConfig(name="central", url=metrics.url, org="plant")

    with pytest.raises(Misconfigured, match="does not answer in InfluxQL"):
        InfluxHistory(config).__enter__()


def test_reading_after_leaving(v1: Place) -> None:
    with InfluxHistory(v1.config) as history:
        pass

    with pytest.raises(Unreachable, match="not connected"):
        history.tags()


def test_rows_of_strangers_are_read_without_trouble(v1: Place) -> None:
    """Somebody writes into our measurement what is only half a window."""
    tagged = "area=hall,asset=pump-2,line=line-1,signal=flow,site=works"
    v1.write(f"signal_1h,{tagged} mean=5 {HOUR0}\nsignal_1h,{tagged} n=4i,mean=6 {HOUR0 + HOUR}")

    with InfluxHistory(v1.config) as history:
        (got,) = history.read([NAME], *FOREVER, HOUR)

    assert got.count.tolist() == [0, 4]
    assert got.good.tolist() == [0, 0]
    assert np.isnan(got.mean).all()


def test_an_audit_that_was_cut_shows_against_the_central_store(v1: Place, tmp_path: Path) -> None:
    config = tmp_path / "plant.toml"
    config.write_text(
        'version = 1\n[gateway]\nname = "edge-1"\n\n[[source]]\ntype = "modbus"\nname = "plc"\n'
        'host = "127.0.0.1"\n\n[[tag]]\ntag = "a/b"\nsource = "plc"\n'
        'address = "unit 1, holding 0, int16"\n\n'
        f'[[sink]]\ntype = "influx"\nname = "works"\nurl = "{v1.config.url}"\napi = "v1"\n'
        f'bucket = "{v1.config.bucket}"\n'
    )
    file = tmp_path / "data" / FOLDER / AUDIT
    file.parent.mkdir(parents=True)
    audit = Audit(file, KEY)
    files.put(
        file.with_name("audit.pub"),
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )
    for number in range(EVERY + 20):
        audit.note(Moment(10**18, 1.0), "guard", "noted", number=number)
    audit.checkpoint(Moment(10**18, 1.0))
    sent = [EventRecord(kind, HOUR0 + n, body)
            for n, (kind, body) in enumerate(Checkpoints(file).look())]  # fmt: skip
    with v1.sink(tags()) as sink:
        sink.write([summaries([HOUR0], HOUR), *sent])

    def verified(*words: str) -> tuple[int, dict[str, Any]]:
        said = ["setpoints", "audit", "verify", "--data", str(config), "--json", *words]
        ended = CliRunner().invoke(app, said)
        return ended.exit_code, json.loads(ended.stdout)

    code, found = verified("--central", "works")
    assert (code, found["held_against"], found["bad"]) == (0, 2, 0)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[: EVERY + 11]))
    assert verified()[0] == 0
    code, found = verified("--central", "works")
    assert (code, found["bad"]) == (1, EVERY + 12)
    export = tmp_path / "export.csv"
    export.write_text("time,of,head\n" + "".join(f"1,2,{one.body['head']}\n" for one in sent))
    assert verified("--kept", str(export))[0] == 1
