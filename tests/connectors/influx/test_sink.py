"""The sink against real servers, with a proxy between them that does what networks do."""

import re
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from connectors.contract import Sink
from connectors.influx.config import InfluxConfig
from connectors.influx.sink import LINES, InfluxSink, body
from plant.errors import Misconfigured, PlantError, Unreachable
from plant.records import Record
from plant.summaries import HOUR, MINUTE, TEN_SECONDS
from tests.connectors.influx.records import (
    HOUR0,
    T0,
    Place,
    S,
    events,
    samples,
    scores,
    summaries,
    tags,
)
from tests.parts.stores.proxy import NOTHING, Fault, FaultProxy, answer
from tests.parts.stores.servers import Store, asked, fetched, influx1, series_of
from tests.ports import free_port

pytestmark = pytest.mark.journey
MS = 1_000_000
ONE = samples([0], [T0], [1.5])


def some(count: int, step: int = 1) -> Record:
    at = [T0 + i * step for i in range(count)]
    return samples([0] * count, at, [i / 7 for i in range(count)])


def everything() -> list[Record]:
    return [
        some(20, MS),
        summaries([HOUR0 + i * MINUTE for i in range(30)], MINUTE),
        summaries([HOUR0], HOUR),
        scores([T0, T0 + 5 * S], [1, 3], [1.0, 9.0]),
        *events(),
    ]


def count(place: Place, measurement: str = "signal", field: str = "v") -> int:
    query = f'SELECT count("{field}") FROM "{measurement}"'
    found = place.ask(query)
    return sum(row[1] for one in found for row in one["values"])


def test_it_is_a_sink(v1: Place) -> None:
    assert isinstance(v1.sink(tags()), Sink)


def test_everything_arrives(v1: Place) -> None:
    with v1.sink(tags()) as sink:
        assert list(sink.write(everything())) == []

    found = v1.ask("SHOW MEASUREMENTS")
    names = {row[0] for row in found[0]["values"]}
    assert names == {
        "signal", "signal_1m", "signal_1h", "score", "alarm", "contribution", "gap", "state",
        "gateway", "tag",
    }  # fmt: skip
    assert count(v1) == 20
    assert count(v1, "signal_1m", "mean") == 30


def test_the_same_twice_is_once(v1: Place) -> None:
    with v1.sink(tags()) as sink:
        sink.write(everything())
        sink.write(everything())

    assert count(v1) == 20
    assert count(v1, "alarm", "id") == 1
    assert count(v1, "score", "score") == 2


def test_what_is_said_last_of_one_window_holds_within_one_call_too(v1: Place) -> None:
    first, last = (summaries([HOUR0], HOUR, seed=seed) for seed in (1, 2))

    with v1.sink(tags()) as sink:
        sink.write([first, last])

    (found,) = v1.ask('SELECT "max" FROM "signal_1h"')
    assert found["values"] == [[HOUR0, last.high[0]]]


def test_a_request_keeps_each_series_together_and_in_its_order() -> None:
    lines = [r"m,s=b\ c v=1 2", "m,s=a v=1 1", r"m,s=b\ c v=2 2", "m,s=a v=3 0"]

    assert body(lines).decode().split("\n") == [lines[1], lines[3], lines[0], lines[2]]


def test_a_request_holds_no_more_lines_than_the_makers_advise(
    behind: Place, proxy: FaultProxy
) -> None:
    with behind.sink(tags()) as sink:
        sink.write([some(2 * LINES + 7)])

    assert [len(heard.lines) for heard in proxy.writes] == [LINES, LINES, 8]
    assert count(behind) == 2 * LINES + 7


def test_windows_that_are_passed_over_do_not_count_as_sent(v1: Place) -> None:
    with v1.sink(tags()) as sink:
        sink.write([summaries([HOUR0], TEN_SECONDS), summaries([HOUR0], HOUR)])
        assert sink.sent_rows == 2


@pytest.mark.parametrize("gzip", [True, False])
def test_compressed_or_not_the_same_arrives(behind: Place, proxy: FaultProxy, gzip: bool) -> None:
    with behind.sink(tags(), gzip=gzip) as sink:
        sink.write([some(1000)])

        sent = sink.sent_bytes
        assert sink.sent_rows == 1001, "with the line that tells what the tag is"

    (heard,) = proxy.writes
    assert sent == sink.sent_bytes == sum(one.size for one in proxy.heard)
    assert (heard.size < len(heard.body)) is gzip
    assert count(behind) == 1000


# P23: one field has one type for ever.


def test_p23_whole_numbers_nans_and_booleans_never_meet_a_float_of_another_type(
    place: Place,
) -> None:
    values = [1.0, 2.5, 3.0, float("nan"), 0.0, 1.0, float("inf"), -4.0]

    with place.sink(tags()) as sink:
        refused = [
            refusal
            for number, value in enumerate(values)
            for refusal in sink.write([samples([0], [T0 + number], [value])])
        ]

    assert refused == []
    kept = [value for value in values if np.isfinite(value)]
    (found,) = place.ask('SELECT "v" FROM "signal"')
    assert [row[1] for row in found["values"]] == kept


def test_p23_a_field_that_others_wrote_with_another_type_costs_those_lines_only(
    place: Place,
) -> None:
    both = tags("works/hall/line-1/pump-2/flow", "works/hall/line-1/pump-2/level")
    place.write(f'signal_1h,signal=x mean="a text" {HOUR0 - HOUR}')

    with place.sink(both) as sink:
        refusals = sink.write([summaries([HOUR0], HOUR), some(3)])

    assert len(refusals) == 1
    assert refusals[0].what.startswith("signal_1h,")
    assert "conflict" in refusals[0].reason
    (found,) = place.ask('SELECT "v" FROM "signal"')
    assert len(found["values"]) == 3


# P24: a batch counts once the server has said so, and a bad line costs itself alone.


@pytest.mark.parametrize("bad", [[0], [499], [250], [3, 4, 400], list(range(20))])
def test_p24_bad_lines_are_found_and_their_neighbours_arrive(
    place: Place, monkeypatch: pytest.MonkeyPatch, bad: list[int]
) -> None:
    sink = place.sink(tags())
    spoil(sink, monkeypatch, set(bad))

    with sink:
        refusals = sink.write([some(500)])

    assert [refusal.what for refusal in refusals] == [f"signal v=NaN {T0 + i}" for i in bad]
    assert {refusal.reason[:4] for refusal in refusals} == {"400:"}
    (found,) = place.ask('SELECT count("v") FROM "signal"')
    assert found["values"][0][1] == 500 - len(bad)


def spoil(sink: InfluxSink, monkeypatch: pytest.MonkeyPatch, bad: set[int]) -> None:
    """Put lines among those of samples that no InfluxDB takes."""
    encode = sink._points.encode

    def spoilt(records: list[Record]) -> object:
        made = encode(records)
        told = made.lines["signal"]
        made.lines["signal"] = [
            f"signal v=NaN {line.rpartition(' ')[2]}" if i in bad else line
            for i, line in enumerate(told)
        ]
        return made

    monkeypatch.setattr(sink._points, "encode", spoilt)


def test_p24_the_whole_is_repeated_until_the_server_has_said_yes(
    behind: Place, proxy: FaultProxy
) -> None:
    with behind.sink(tags()) as sink:
        proxy.once(NOTHING, answer(503, retry_after="9"))
        with pytest.raises(Unreachable) as raised:
            sink.write([some(LINES + 10)])
        sink.write([some(LINES + 10)])

    assert raised.value.retry_after == 9.0
    assert count(behind) == LINES + 10


def test_lines_that_are_all_dropped_are_not_asked_for_one_by_one(
    behind: Place, proxy: FaultProxy
) -> None:
    """Older than the database keeps: the server says how many it dropped, and that is enough.

    The description of the tag is of today and goes with them, so it is looked for by halving.
    """
    behind.ask(
        f'ALTER RETENTION POLICY "autogen" ON "{behind.database}" DURATION 1d SHARD DURATION 1h'
    )

    with behind.sink(tags()) as sink:
        sink.write([])
        refusals = sink.write([some(300)])

    assert len(refusals) == 300
    assert "beyond retention policy" in refusals[0].reason
    assert len(proxy.writes) < 25


@pytest.mark.parametrize(
    ("fault", "kind", "words", "retry_after"),
    [
        (answer(503, retry_after="30"), Unreachable, "is busy", 30.0),
        (answer(429, b'{"message":"too many"}'), Unreachable, "too many", None),
        (answer(500, b"<html>oops"), Unreachable, "answers 500", None),
        (answer(401, b'{"error":"authorization failed"}'), Misconfigured, "asks who we are", None),
        (answer(403, b'{"error":"no"}'), Misconfigured, "does not let", None),
        (answer(404, b'{"error":"database not found"}'), Misconfigured, "no database", None),
        (answer(302, location="http://elsewhere/"), Misconfigured, "http://elsewhere/", None),
        (answer(400, b"<html>nginx"), Misconfigured, "as no InfluxDB does", None),
        (Fault(forwarded=0, cut_after=0, status=200, body=b"x"), Unreachable, "answer", None),
        (Fault(delay_s=6.0), Unreachable, "timed out", None),
    ],
    ids=["503", "429", "500", "401", "403", "404", "302", "nginx", "cut", "slow"],
)
def test_an_answer_that_is_no_yes_is_told_and_nothing_is_lost(
    behind: Place,
    proxy: FaultProxy,
    fault: Fault,
    kind: type[PlantError],
    words: str,
    retry_after: float | None,
) -> None:
    with behind.sink(tags(), timeout_s=4.0) as sink:
        proxy.once(fault)
        with pytest.raises(kind, match=re.escape(words)) as raised:
            sink.write([some(50)])
        assert list(sink.write([some(50)])) == []

    assert getattr(raised.value, "retry_after", None) == retry_after
    assert count(behind) == 50


def test_an_answer_that_was_cut_and_a_request_that_came_twice_make_no_duplicates(
    behind: Place, proxy: FaultProxy
) -> None:
    proxy.always(Fault(forwarded=2))
    with behind.sink(tags()) as sink:
        proxy.once(Fault(status=200, body=b"lost on the way", forwarded=1, cut_after=3))
        with pytest.raises(Unreachable):
            sink.write([some(50)])
        sink.write([some(50)])

    assert count(behind) == 50


def test_a_body_that_is_too_large_is_halved(behind: Place, proxy: FaultProxy) -> None:
    with behind.sink(tags()) as sink:
        proxy.once(answer(413, b"<html>too large"), answer(413, b"<html>too large"))
        assert list(sink.write([some(1000)])) == []

    assert count(behind) == 1000


def test_entering_proves_the_way_by_a_write_and_not_by_a_ping(v1: Place) -> None:
    """InfluxDB 1.6 answers a ping to anybody, and knows nothing of version 2."""
    config = InfluxConfig(name="central", url=v1.url, org="plant", bucket=v1.database, split=False)

    with pytest.raises(Misconfigured, match=r'write api = "v1"'):
        InfluxSink(config, tags(), "edge").__enter__()


def test_a_missing_database_is_said_at_entering(v1: Place) -> None:
    with pytest.raises(Misconfigured, match="has no database nowhere"):
        v1.sink(tags(), bucket="nowhere").__enter__()


def test_a_server_that_is_not_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    sink = InfluxSink(InfluxConfig(name="c", url=url, org="o"), tags(), "edge")

    with pytest.raises(Unreachable, match=r"does not answer: .*refused"):
        sink.__enter__()
    sink.__exit__(None, None, None)


def test_a_server_that_is_killed_and_returns(tmp_path: Path) -> None:
    store = influx1(tmp_path)
    store.start()
    fetched(f"{store.url}/query", {"q": 'CREATE DATABASE "plant"'})
    config = InfluxConfig(name="central", url=store.url, api="v1", bucket="plant")
    with InfluxSink(config, tags(), "edge-1") as sink:
        sink.write([some(10)])
        store.process.kill()
        store.process.wait()
        with pytest.raises(Unreachable):
            sink.write([some(20)])
        store.start()
        assert list(sink.write([some(20)])) == []

    (found,) = asked(store.url, "plant", 'SELECT count("v") FROM "signal"')
    store.stop()
    assert found["values"][0][1] == 20


def test_a_host_that_does_not_exist() -> None:
    config = InfluxConfig(name="c", url="http://no-such-host.invalid:8086", org="o")

    with pytest.raises(Unreachable, match="does not answer"):
        InfluxSink(config, tags(), "edge").__enter__()


WRITING_S = 6.0


def test_leaving_takes_no_time_whatever_the_server_does(behind: Place, proxy: FaultProxy) -> None:
    sink = behind.sink(tags(), timeout_s=60.0)
    sink.__enter__()
    heard = proxy.asked
    proxy.once(Fault(delay_s=WRITING_S))
    writing = threading.Thread(target=give_up, args=(sink,))
    writing.start()
    while proxy.asked == heard:
        time.sleep(0.01)

    started = time.monotonic()
    sink.__exit__(None, None, None)
    sink.__exit__(None, None, None)
    took = time.monotonic() - started

    writing.join()
    assert took < WRITING_S / 2


def give_up(sink: InfluxSink) -> None:
    try:
        sink.write([ONE])
    except Unreachable:
        return


def test_writing_after_leaving_is_unreachable(v1: Place) -> None:
    with v1.sink(tags()) as sink:
        pass

    with pytest.raises(Unreachable, match="not connected"):
        sink.write([ONE])


def test_a_secret_is_never_told(
    behind: Place, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "s3cret-token")
    config = InfluxConfig(
        name="c", url=proxy.url, org="o", bucket="b", split=False, token_env="SOME_TOKEN"
    )
    proxy.always(answer(401, b'{"message":"unauthorized access"}'))
    with pytest.raises(Misconfigured) as raised:
        InfluxSink(config, tags(), "edge").__enter__()

    assert proxy.heard[0].headers["Authorization"] == "Token s3cret-token"
    assert "s3cret" not in f"{raised.value!r} {config!r}"
    assert "the variable SOME_TOKEN" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "cannot be read"), ("\n", "nothing in its first line"), ("a\tb", "no token has")],
)
def test_a_token_file_that_cannot_be_used(tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "token"
    for content in filter(None, [text]):
        file.write_text(content)
    config = InfluxConfig(name="c", url="http://127.0.0.1:1", org="o", token_file=file)

    with pytest.raises(Misconfigured, match=words):
        InfluxSink(config, tags(), "edge").__enter__()


def test_user_and_password_of_version_1(tmp_path: Path, guarded: Store) -> None:
    password = tmp_path / "password"
    password.write_text("pa ss:wört\n")
    config = InfluxConfig(
        name="c", url=guarded.url, api="v1", bucket="plant", user="gw", password_file=password
    )

    with InfluxSink(config, tags(), "edge") as sink:
        assert list(sink.write([some(5)])) == []
    password.write_text("wrong\n")
    with pytest.raises(Misconfigured, match=r"does not know user gw .*authorization failed"):
        InfluxSink(config, tags(), "edge").__enter__()


# influxdb-client's own writes, taken by VictoriaMetrics, and the same bytes by InfluxDB 1.6.


def test_version_2_writes_are_taken_and_their_bytes_are_exact(metrics: Store, v1: Place) -> None:
    with FaultProxy(metrics.port) as between:
        config = InfluxConfig(name="central", url=between.url, org="plant", bucket="wheeltapper")
        with InfluxSink(config, tags(), "edge-1") as sink:
            assert list(sink.write(everything())) == []
        sent = between.writes

    assert {heard.query["bucket"] for heard in sent} == {
        "wheeltapper",
        "wheeltapper_1y",
        "wheeltapper_90d",
    }
    assert all(heard.headers["Content-Encoding"] == "gzip" for heard in sent)
    held = series_of(metrics.url)
    name = "{area=hall,asset=pump-2,line=line-1,signal=flow,site=works}"
    assert len(held[f"signal_1m_mean{name}"]) == 30
    assert held[f"signal_v{name}"] == {T0 // MS + i: pytest.approx(i / 7) for i in range(20)}
    for heard in sent:
        v1.write(heard.body.decode())
    assert count(v1) == 20
    (found,) = v1.ask('SELECT "v" FROM "signal"')
    assert [row[1] for row in found["values"]] == [i / 7 for i in range(20)]


def test_tags_are_described_once_a_connection(behind: Place, proxy: FaultProxy) -> None:
    with behind.sink(tags()) as sink:
        sink.write([some(1)])
        sink.write([some(1)])

    described = [line for heard in proxy.writes for line in heard.lines if line.startswith("tag,")]
    assert len(described) == 1
    assert 'unit="mm/s"' in described[0]


def test_the_page_of_the_proxy_is_the_servers(v1: Place, proxy: FaultProxy) -> None:
    with urllib.request.urlopen(f"{proxy.url}/ping") as page:
        assert page.status == 204
